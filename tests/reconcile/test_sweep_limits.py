"""What bounds a sweep: the brake, a peer that is away, death half-way, two at once, and deliveries lost for good."""

from __future__ import annotations

import random
from typing import Any

import pytest

from labbridge.mirror.models import Chart, Order
from labbridge.peers.errors import PeerError
from labbridge.practices.config import SyncPart
from labbridge.practices.models import Connection, ConnectionState, Practice
from labbridge.reconcile import listing, schedule
from labbridge.reconcile.depth import ASKED
from labbridge.reconcile.models import LedgerEntry, Repair, Sweep, SweepState
from labbridge.reconcile.sweep import Sweeping, alone, look
from labbridge.reconcile.watch import completeness
from tests.reconcile.test_sweep import PDF_TEST, _content, delete_rows, writes

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def several(practice: Practice, rupa_sim: Any, add_patient: Any, sweep: Any) -> list[str]:
    """Three filed orders of three people."""
    orders = [rupa_sim.order(add_patient(number)["id"], PDF_TEST) for number in (1, 2, 3)]
    assert sweep().all_right
    return orders


def test_the_brake_stops_before_anything_changes(
    several: list[str], sweep: Any, caspio_sim: Any, rupa_sim: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(SyncPart, "FEW", 2)
    delete_rows(caspio_sim, "Lab_Orders")
    delete_rows(caspio_sim, "Lab_Order_Tests")
    rupa_sim.act(several[0], "result")
    caspio_sim.forget_requests()
    report = sweep()
    assert (report.stopped, report.all_right) == (True, False), report.summary()
    assert "6 of 6 rows that Labbridge filed have changed or gone, which is more than 50%" in report.left[0]
    assert "labbridge sweep --force" in report.left[0]
    assert writes(caspio_sim) == []
    assert Order.objects.get(external_id=several[0]).phase == "in_progress", "nothing at all was taken over"
    assert report.entry["repaired"] == 0
    assert report.entry["sweep"]["left"] == report.left
    forced = sweep(force=True)
    assert forced.all_right, forced.summary()
    assert forced.entry["repairs"] == {"order_changed": 1, "row_deleted": 6}


def test_the_brake_holds_for_patients_and_for_orders(
    several: list[str], sweep: Any, caspio_sim: Any, rupa_sim: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(SyncPart, "FEW", 1)
    delete_rows(caspio_sim, "Patients")
    for order in several:
        rupa_sim.act(order, "cancel")
    report = sweep()
    assert [sentence.split(" have ")[0] for sentence in report.left] == [
        "3 of 3 patients in Caspio", "3 of 3 orders at Rupa",
    ]  # fmt: skip
    assert Chart.objects.filter(present=True).count() == 3


def test_the_brake_holds_when_rupas_list_is_suddenly_short(
    several: list[str], practice: Practice, sweep: Any, rupa_sim: Any, monkeypatch: Any
) -> None:
    """Else the ledger would count what is left of the list, and call it whole."""
    monkeypatch.setattr(SyncPart, "FEW", 1)
    store = rupa_sim.app.world.store
    for order in several[:2]:
        store.run("DELETE FROM documents WHERE kind = 'order' AND id = ?", order)
    assert look(practice, ASKED).stopped
    report = sweep()
    assert "2 of 3 orders that Rupa listed before have changed or gone" in report.left[0]
    assert [report.entry[name] for name in ("listed", "held", "no_longer_listed")] == [3, 3, 0]
    (stopped,) = completeness.left(schedule.timezone.now())
    assert stopped.rule == "sweep_stopped"
    forced = sweep(force=True)
    assert [forced.entry[name] for name in ("listed", "held", "no_longer_listed")] == [1, 1, 2]
    assert completeness.left(schedule.timezone.now()) == []


def test_orders_that_moved_on_in_an_outage_never_stop_a_sweep(
    several: list[str], sweep: Any, rupa_sim: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(SyncPart, "FEW", 1)
    for order in several:
        rupa_sim.act(order, "result")
    report = sweep()
    assert (report.stopped, report.all_right) == (False, True), report.summary()
    assert report.entry["repairs"] == {"order_changed": 3}


def test_a_peer_that_is_away_leaves_the_sweep_to_be_finished(
    several: list[str], practice: Practice, sweep: Any, caspio_sim: Any, rupa_sim: Any
) -> None:
    delete_rows(caspio_sim, "Lab_Orders")
    rupa_sim.fault("unavailable", match={"path": "/orders"})
    with pytest.raises(PeerError):
        sweep()
    assert not Repair.objects.filter(kind="row_deleted").exists()
    rupa_sim.heal()
    assert sweep().entry["repairs"] == {"row_deleted": 3}
    assert Sweep.objects.count() == 2, "the one that was begun was finished"


def test_killed_half_way_it_goes_on_and_counts_each_repair_once(
    practice: Practice, rupa_sim: Any, add_patient: Any, sweep: Any, caspio_sim: Any, monkeypatch: Any
) -> None:
    for number in range(1, 4):
        rupa_sim.order(add_patient(number)["id"], PDF_TEST)
    taken: list[str] = []
    take = listing.take_snapshot

    def die_after_two(*args: Any, **options: Any) -> Any:
        if len(taken) == 2:
            raise KeyboardInterrupt
        taken.append(args[1].id)
        return take(*args, **options)

    monkeypatch.setattr(listing, "take_snapshot", die_after_two)
    with pytest.raises(KeyboardInterrupt):
        sweep()
    monkeypatch.setattr(listing, "take_snapshot", take)
    assert Repair.objects.count() == 2
    report = sweep()
    assert (report.entry["repairs"], report.entry["difference"]) == ({"order_missed": 3}, 0)
    assert (Sweep.objects.count(), LedgerEntry.objects.count()) == (1, 1)
    assert len(caspio_sim.tables()["Lab_Orders"]) == 3


def test_two_at_once_do_not_double(several: list[str], practice: Practice, monkeypatch: Any) -> None:
    with alone(practice):
        begun = Sweeping(practice, ASKED)
        assert Sweeping(practice, ASKED).sweep == begun.sweep, "there is one open sweep of a practice"
    from threading import Thread

    seen: list[bool] = []

    def other() -> None:
        from django.db import connection

        with alone(practice) as free:
            seen.append(free)
        connection.close()

    with alone(practice):
        thread = Thread(target=other)
        thread.start()
        thread.join()
    assert seen == [False]


def test_an_ended_connection_beside_a_living_one_is_left_for_a_person(
    several: list[str], practice: Practice, sweep: Any, rupa_sim: Any
) -> None:
    living = Connection.objects.get(practice=practice, peer="rupa")
    Connection.objects.create(
        practice=practice, peer="rupa", account="bob@willow.example", state=ConnectionState.ACTIVE,
        credentials={"refresh_token": "no longer good"},
    )  # fmt: skip
    report = sweep()
    assert report.left == ["The connection bob@willow.example has ended: run `labbridge rupa connect`."]
    assert report.entry["listed"] == 3
    assert not report.entry["sweep"]["listed_whole"]
    (left,) = completeness.left(schedule.timezone.now())
    assert (left.rule, dict(left.params)["count"]) == ("sweep_left", 1)
    assert Connection.objects.get(pk=living.pk).state == ConnectionState.ACTIVE


def test_a_list_that_does_not_tell_of_tests_is_not_taken_for_whole(
    several: list[str], sweep: Any, rupa_sim: Any, caspio_sim: Any
) -> None:
    rupa_sim.options(includes=False)
    rupa_sim.act(several[1], "result")
    report = sweep()
    assert report.left == [listing.UNTOLD]
    assert not report.entry["sweep"]["listed_whole"]


def test_an_order_that_rupa_no_longer_lists_is_told_and_kept(
    several: list[str], sweep: Any, rupa_sim: Any
) -> None:
    world = rupa_sim.app.world
    world.store.run("DELETE FROM documents WHERE kind = 'order' AND id = ?", several[0])
    entry = sweep().entry
    assert (entry["listed"], entry["no_longer_listed"], entry["difference"]) == (2, 1, 0)
    assert Order.objects.filter(external_id=several[0]).exists()


def test_three_in_ten_deliveries_lost_for_good_and_one_sweep(
    practice: Practice,
    rupa_sim: Any,
    caspio_sim: Any,
    add_patient: Any,
    deliver: Any,
    run_jobs: Any,
    sweep: Any,
) -> None:
    """Caspio ends as it would have with every delivery, and the ledger's difference is zero."""
    chance = random.Random(7)
    tests = (PDF_TEST, "Organic Acids Test (OAT)")
    people = [add_patient(number)["id"] for number in range(1, 7)]
    orders = [rupa_sim.order(people[number % 6], tests[number % 2], paid=number != 3) for number in range(12)]
    for number, order in enumerate(orders):
        if number in {0, 1, 4, 6, 7, 9}:
            rupa_sim.act(order, "result")
        if number in {1, 6}:
            rupa_sim.act(order, "amend", keep_received_date=number == 6)
        if number == 8:
            rupa_sim.act(order, "cancel")
    bodies = rupa_sim.events()
    arrived = [body for body in bodies if chance.random() >= 0.3]
    chance.shuffle(arrived)
    assert len(arrived) < len(bodies)
    for body in arrived:
        assert deliver(body).status_code == 200
    run_jobs()
    report = sweep()
    entry = report.entry
    assert (entry["listed"], entry["filed"], entry["difference"], report.all_right) == (12, 12, 0, True), (
        entry
    )
    assert entry["repaired"] > 0
    after_loss = _tables(caspio_sim)
    for body in bodies:  # and now all of them: nothing is left to be said
        deliver(body)
    run_jobs(waiting=True)
    assert _tables(caspio_sim) == after_loss
    assert sum(len(rows) for rows in after_loss.values()) > 30


def _tables(caspio_sim: Any) -> dict[str, list[dict[str, Any]]]:
    unique = {
        "Lab_Orders": "Rupa_Order_ID", "Lab_Order_Tests": "Rupa_Ordered_Test_ID", "Lab_Results": "Result_Key",
        "Lab_Result_Values": "Value_Key",
    }  # fmt: skip
    tables = caspio_sim.tables()
    return {
        name: sorted((_content(row) for row in tables[name]), key=lambda row: row[key])
        for name, key in unique.items()
    }  # fmt: skip


# -- by the clock ------------------------------------------------------------------------------------------------


def test_by_the_clock_each_practice_is_swept_in_its_turn(
    practice: Practice, rupa_sim: Any, add_patient: Any, run_jobs: Any
) -> None:
    rupa_sim.order(add_patient(1)["id"], PDF_TEST)
    schedule.sweep_tick.function()
    run_jobs()
    assert not LedgerEntry.objects.exists(), "a new practice waits one turn"
    Practice.objects.update(created_at=schedule.timezone.now() - schedule.timedelta(hours=2))
    schedule.sweep_tick.function()
    schedule.sweep_tick.function()
    run_jobs(waiting=True, rounds=6)
    (entry,) = LedgerEntry.objects.all()
    assert (entry.body["sweep"]["depth"], entry.body["filed"], entry.body["repaired"]) == ("daily", 1, 1)
    schedule.sweep_tick.function()
    run_jobs()
    assert LedgerEntry.objects.count() == 1
    Sweep.objects.update(started_at=schedule.timezone.now() - schedule.timedelta(hours=2))
    midnight_passed = schedule.depth_due(practice, schedule.timezone.now() + schedule.timedelta(days=1))
    assert midnight_passed.name == "daily"
    schedule.sweep_tick.function()
    run_jobs(waiting=True, rounds=6)
    assert LedgerEntry.objects.count() == 2


def test_by_the_clock_one_that_ended_its_connections_is_counted_once_on_each_day(
    several: list[str], practice: Practice, rupa_sim: Any, caspio_sim: Any, run_jobs: Any
) -> None:
    now = schedule.timezone.now()
    Connection.objects.filter(practice=practice, peer="rupa").update(state=ConnectionState.ENDED)
    Sweep.objects.update(started_at=now - schedule.timedelta(hours=2))
    today, tomorrow = (
        [one.pk for one in schedule.due(now + schedule.timedelta(days=days))] for days in (0, 1)
    )
    assert tomorrow == [practice.pk]
    assert today in ([], [practice.pk]), "two hours ago may be yesterday"
    Sweep.objects.update(started_at=now - schedule.timedelta(days=1))
    rupa_sim.forget_requests()
    caspio_sim.forget_requests()
    schedule.sweep_tick.function()
    run_jobs(waiting=True, rounds=4)
    newest = LedgerEntry.objects.filter(practice=practice).last()
    assert (newest.body["ended"], newest.body["filed"], newest.body["difference"]) == (True, 3, 0)
    assert (rupa_sim.requests(), caspio_sim.requests()) == ([], []), "nobody is asked"
    assert schedule.due(schedule.timezone.now()) == []
    Connection.objects.filter(practice=practice, peer="rupa").update(state=ConnectionState.RECONNECT)
    assert schedule.due(now + schedule.timedelta(days=3)) == [], "that is another alarm's to say"


def test_who_is_due_is_one_question_however_many_practices(
    practice: Practice, django_assert_num_queries: Any
) -> None:
    for number in range(5):
        other = Practice.objects.create(slug=f"oak-{number}", name="Oak", config=practice.config)
        Connection.objects.create(practice=other, peer="rupa", account="main", state=ConnectionState.ACTIVE)
        Sweep.objects.create(practice=other, depth="hourly", state=SweepState.DONE)
    late = Practice.objects.get(slug="oak-3")
    Sweep.objects.filter(practice=late).update(
        started_at=schedule.timezone.now() - schedule.timedelta(hours=2)
    )
    with django_assert_num_queries(1):
        assert schedule.due(schedule.timezone.now()) == [late]
