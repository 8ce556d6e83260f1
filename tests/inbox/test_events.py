"""Events: kept once, counted, settled with a sentence, and found again by what they are about."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db import DatabaseError, DataError, connection
from django.utils import timezone

from labbridge.engine.jobs import Deferral
from labbridge.handlers.connections import replay, replay_quarantined
from labbridge.inbox.arrivals import Arrival, record, store
from labbridge.inbox.models import Event, EventState
from labbridge.practices.models import Practice
from labbridge.trust.ids import new_id

pytestmark = pytest.mark.django_db(transaction=True)


def event(external_id: str = "evt_1", **more: object) -> Event:
    return Event(
        peer="rupa", external_id=external_id, type="order.updated", subject="order:1", body=b"x", **more
    )


def arrival(external_id: str = "evt_1", peer: str = "rupa", **more: Any) -> Arrival:
    return Arrival(
        id=new_id(), peer=peer, external_id=external_id, type="order.updated", subject="order:1",
        practice_id=None, body=b"x", **more,
    )  # fmt: skip


def with_job(external_id: str = "evt_1") -> Arrival:
    from labbridge.handlers.jobs import handle_event

    one = arrival(external_id)
    return replace(one, job=handle_event.deferral(lock="rupa:order:1", event_id=str(one.id)))


def jobs() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT lock FROM procrastinate_jobs WHERE task_name = 'handle_event' ORDER BY id")
        return [lock for (lock,) in cursor.fetchall()]


def test_an_event_is_kept_once_under_its_first_id():
    first, second = arrival(), arrival()
    assert record(first) == (first.id, True)
    assert record(second) == (first.id, False)
    assert record(first) == (first.id, False)
    kept = Event.objects.get()
    assert (kept.deliveries, kept.body, kept.state, kept.reason) == (3, b"x", EventState.RECEIVED, "")


def test_the_same_id_of_two_peers_is_two_events():
    assert record(arrival())[1]
    assert record(arrival(peer="caspio"))[1]


def test_those_of_one_moment_are_stored_with_their_jobs_and_known_ones_are_left_alone():
    known = with_job("evt_2")
    record(known)
    arrivals = [with_job(f"evt_{number}") for number in range(5)]
    stored = store([*arrivals, with_job("evt_3")])  # one of them twice
    kept = {event.external_id: event for event in Event.objects.all()}
    assert len(kept) == len(jobs()) == 5
    assert kept["evt_2"].pk == known.id
    assert stored == {event.pk for event in kept.values()} - {known.id}
    assert {event.deliveries for event in kept.values()} == {1}


def test_events_without_jobs_may_stand_beside_those_with():
    store([arrival("evt_1"), with_job("evt_2")])
    assert (Event.objects.count(), len(jobs())) == (2, 1)


def test_one_that_the_database_refuses_leaves_none_of_its_moment():
    with pytest.raises(DataError, match="too long"):
        store([with_job("evt_1"), with_job("x" * 300)])
    assert (Event.objects.count(), jobs()) == (0, [])


def test_deliveries_at_the_same_moment_make_one_event_and_one_job():
    gate, news = threading.Barrier(6), []

    def deliver() -> None:
        gate.wait()
        news.append(record(with_job())[1])
        connection.close()

    run_all([deliver] * 6)
    assert sorted(news) == [False] * 5 + [True]
    assert Event.objects.get().deliveries == 6
    assert len(jobs()) == 1


def test_two_processes_with_the_same_moments_in_another_order_do_not_wait_for_each_other():
    """Each would hold what the other wants, which PostgreSQL ends by undoing one of them."""
    gate, stored, failed = threading.Barrier(2), [], []

    def deliver(numbers: list[int]) -> None:
        try:
            for turn in range(20):
                gate.wait()
                stored.extend(store([with_job(f"evt_{turn}_{number}") for number in numbers]))
        except DatabaseError as error:
            failed.append(error)
            gate.abort()
        finally:
            connection.close()

    run_all([lambda: deliver(list(range(10))), lambda: deliver(list(range(9, -1, -1)))])
    assert failed == []
    assert len(stored) == Event.objects.count() == len(jobs()) == 200


def run_all(work: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=one) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_job_that_cannot_be_kept_keeps_no_event():
    with pytest.raises(DataError, match="json"):
        record(arrival(job=Deferral("handle_event", "rupa:order:1", "no JSON")))
    assert not Event.objects.exists()


def test_settling_says_what_became_of_it_in_a_sentence_that_fits():
    kept = event()
    kept.save()
    kept.settle(EventState.QUARANTINED, "x" * 1000)
    read = Event.objects.get()
    assert (read.state, len(read.reason)) == (EventState.QUARANTINED, 300)
    assert read.settled_at is not None
    assert str(read) == "rupa order.updated evt_1"


def test_open_events_of_a_subject_are_those_merged_and_not_at_rest():
    willow = Practice.objects.create(slug="willow", name="Willow")
    now = timezone.now()
    for number, (state, merged) in enumerate(
        [("received", now), ("waiting", now), ("received", None), ("handled", now), ("dead", now)]
    ):
        event(f"evt_{number}", practice=willow, state=state, merged_at=merged).save()
    found = Event.objects.open_for(willow, "order:1")
    assert sorted(found.values_list("external_id", flat=True)) == ["evt_0", "evt_1"]
    assert not Event.objects.open_for(willow, "order:2").exists()


def test_a_replay_starts_anew_with_a_job():
    kept = event(state="dead", reason="An error.", merged_at=timezone.now(), settled_at=timezone.now())
    kept.save()
    replay(kept.pk)
    read = Event.objects.get()
    assert (read.state, read.reason, read.merged_at, read.settled_at) == ("received", "", None, None)
    assert jobs() == ["rupa:order:1"]


def test_all_quarantined_events_can_be_tried_again():
    for number, state in enumerate(["quarantined", "quarantined", "dead"]):
        event(f"evt_{number}", state=state).save()
    assert replay_quarantined() == 2
    assert len(jobs()) == 2


def test_a_body_that_cannot_be_read_is_quarantined_not_dropped(run_jobs):
    kept = event()
    kept.save()
    replay(kept.pk)
    run_jobs()
    read = Event.objects.get()
    assert (read.state, read.body) == (EventState.QUARANTINED, b"x")
    assert "cannot be read" in read.reason


def test_a_surprise_in_a_handler_is_a_dead_event_that_can_be_replayed(run_jobs, monkeypatch):
    from labbridge.handlers import table

    def fail(_event: Event) -> None:
        raise RuntimeError("Testa Sampleperson")

    kept = event()
    kept.save()
    with monkeypatch.context() as patch:
        patch.setitem(table.HANDLERS, ("rupa", "order.updated"), fail)
        replay(kept.pk)
        run_jobs(waiting=True)
    read = Event.objects.get()
    assert read.state == EventState.DEAD
    assert "RuntimeError" in read.reason
    assert "Testa" not in read.reason
    replay(kept.pk)
    run_jobs()
    assert Event.objects.get().state == EventState.QUARANTINED


def test_while_it_is_tried_again_the_event_says_why(run_jobs, monkeypatch):
    from labbridge.engine.jobs import NotYet
    from labbridge.handlers import table

    def wait(_event: Event) -> None:
        raise NotYet("It waits for something.")

    kept = event()
    kept.save()
    with monkeypatch.context() as patch:
        patch.setitem(table.HANDLERS, ("rupa", "order.updated"), wait)
        replay(kept.pk)
        run_jobs()
    read = Event.objects.get()
    assert (read.state, read.reason) == (EventState.RECEIVED, "It waits for something.")


def test_a_job_for_an_event_that_is_done_or_gone_does_nothing(run_jobs):
    from labbridge.handlers.jobs import handle_event

    done = event(state="handled")
    done.save()
    handle_event.defer(lock="a", event_id=str(done.pk))
    handle_event.defer(lock="b", event_id="00000000-0000-0000-0000-000000000000")
    run_jobs()
    assert Event.objects.get().state == EventState.HANDLED
    assert jobs() == []
