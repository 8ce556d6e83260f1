"""Events of the patients table: rows are noted, read once they have settled, and the events say what came of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.utils import timezone

from labbridge.handlers import jobs
from labbridge.handlers.patients import on_rows, tell_rows, touch
from labbridge.inbox.models import Event, EventState
from labbridge.mirror.models import Chart, RowTouch
from labbridge.practices.models import Practice
from labbridge.reconcile.stuck import give_jobs
from tests.handlers.jobs_here import queued


def message(
    practice: Practice | None, *keys: Any, table: str = "Patients", number: int = 1, **more: Any
) -> Event:
    body = {"objectName": table, "data": [{"PK_ID": key} for key in keys], **more}
    return Event.objects.create(
        practice=practice,
        peer="caspio",
        external_id=f"m{number}",
        type="table.recordUpdate",
        body=orjson.dumps(body),
    )


def state_of(event: Event) -> tuple[str, str]:
    event.refresh_from_db()
    return event.state, event.reason


@pytest.mark.django_db
class TestNoting:
    def test_rows_are_noted_and_the_event_stays_open(self, willow: Practice) -> None:
        event = message(willow, 7)
        on_rows(event)
        assert RowTouch.objects.get(pk_id=7).queued
        assert state_of(event)[0] == EventState.RECEIVED
        tell_rows(str(willow.pk), 7, EventState.HANDLED)
        assert state_of(event)[0] == EventState.HANDLED

    def test_a_burst_is_one_reading(self, willow: Practice) -> None:
        for number in range(3):
            on_rows(message(willow, 7, number=number))
        assert RowTouch.objects.count() == 1

    def test_one_that_moved_before_its_row_was_read_is_handled_anew(self, willow: Practice) -> None:
        event = message(willow, 7)
        on_rows(event)
        Event.objects.update(received_at=timezone.now() - timedelta(minutes=1))
        RowTouch.objects.all().delete()  # it belongs to the jobs, which do not move
        give_jobs(willow)
        assert queued("handle_event") == [{"event_id": str(event.pk)}]
        jobs.handle_event(event_id=str(event.pk))
        assert RowTouch.objects.get(pk_id=7).queued

    def test_a_bulk_change_is_done_when_all_its_rows_are(self, willow: Practice) -> None:
        event = message(willow, 9, "8", 8)
        on_rows(event)
        assert event.subject == "willow:rows:8+1"
        RowTouch.objects.filter(pk_id=8).update(queued=False)
        tell_rows(str(willow.pk), 8, EventState.HANDLED)
        assert state_of(event)[0] == EventState.RECEIVED
        RowTouch.objects.filter(pk_id=9).update(queued=False)
        tell_rows(str(willow.pk), 9, EventState.HANDLED)
        assert state_of(event)[0] == EventState.HANDLED

    def test_a_row_that_cannot_be_read_is_the_events_reason(self, willow: Practice) -> None:
        single, bulk = message(willow, 7, number=1), message(willow, 7, 8, number=2)
        on_rows(single)
        on_rows(bulk)
        tell_rows(str(willow.pk), 7, EventState.DEAD, "Gone for good.")
        assert state_of(single) == state_of(bulk) == (EventState.DEAD, "Gone for good.")

    def test_other_tables_are_none_of_ours(self, willow: Practice) -> None:
        event = message(willow, 7, table="Invoices")
        on_rows(event)
        assert state_of(event) == (EventState.HANDLED, "Nothing to do for this table.")

    def test_the_tables_name_is_taken_in_any_case(self, willow: Practice) -> None:
        on_rows(message(willow, 7, table="PATIENTS"))
        assert RowTouch.objects.exists()

    @pytest.mark.parametrize(
        "data", [None, {}, "x", [None], [{}], [{"PK_ID": "x"}], [{"PK_ID": 2**63}], [{"PK_ID": 0}]]
    )
    def test_a_message_without_rows_changes_nothing(self, willow: Practice, data: Any) -> None:
        event = message(willow, data=data)
        on_rows(event)
        state, reason = state_of(event)
        assert (state, reason[:18]) == (EventState.HANDLED, "No rows are named,")
        assert not RowTouch.objects.exists()

    @pytest.mark.parametrize("body", [b"{", b"[]"])
    def test_what_cannot_be_read_is_kept(self, willow: Practice, body: bytes) -> None:
        event = message(willow)
        event.body = body
        on_rows(event)
        assert event.state == EventState.QUARANTINED

    def test_a_message_of_no_practice_is_kept(self, db: None) -> None:
        event = message(None, 7)
        on_rows(event)
        assert event.state == EventState.QUARANTINED


@pytest.mark.django_db
class TestJobs:
    def test_a_reading_that_will_be_retried_stands_for_later_changes(self, willow: Practice) -> None:
        event = message(willow, 7)
        on_rows(event)
        RowTouch.objects.update(queued=False)
        jobs._touch_again("Caspio is away.", str(willow.pk), 7)
        assert RowTouch.objects.get().queued
        assert state_of(event) == (EventState.RECEIVED, "Caspio is away.")

    def test_a_dead_reading_does_not_stop_later_ones(self, willow: Practice) -> None:
        on_rows(message(willow, 7))
        jobs._touch_dead("Never.", str(willow.pk), 7)
        assert not RowTouch.objects.get().queued

    def test_a_practice_without_caspio_waits(self, willow: Practice) -> None:
        with pytest.raises(jobs.NotYet, match="no Caspio account"):
            jobs.pull_chart(practice_id=str(willow.pk), pk_id=7)

    def test_a_row_touched_meanwhile_keeps_its_events_open(
        self, willow: Practice, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from contextlib import nullcontext

        from django.utils import timezone

        event = message(willow, 7)
        on_rows(event)
        monkeypatch.setattr("labbridge.practices.clients.caspio", lambda *_: nullcontext())
        monkeypatch.setattr(
            "labbridge.handlers.charts.read_chart",
            lambda practice, _client, pk_id: touch(practice, pk_id, timezone.now()),
        )
        jobs.pull_chart(practice_id=str(willow.pk), pk_id=7)
        assert state_of(event)[0] == EventState.RECEIVED


@pytest.mark.django_db(transaction=True)
def test_a_row_is_read_after_its_event(
    practice: Any, caspio_sim: Any, add_patient: Any, run_jobs: Any
) -> None:
    patient = add_patient(1)
    event = message(practice, patient["pk_id"])
    on_rows(event)
    run_jobs()
    assert Chart.objects.get().person["last_name"] == "Sampleperson1"
    assert state_of(event)[0] == EventState.HANDLED
    gone = message(practice, 4711, number=2)
    on_rows(gone)
    run_jobs()
    assert state_of(gone)[0] == EventState.HANDLED


@pytest.mark.django_db(transaction=True)
def test_caspio_away_is_said_and_waited_for(
    practice: Any, caspio_sim: Any, add_patient: Any, run_jobs: Any
) -> None:
    patient = add_patient(1)
    event = message(practice, patient["pk_id"])
    caspio_sim.fault("unavailable")
    on_rows(event)
    run_jobs()
    state, reason = state_of(event)
    assert state == EventState.RECEIVED
    assert "tried again by itself" in reason
    caspio_sim.heal()
    run_jobs(waiting=True, rounds=2)
    assert state_of(event) == (EventState.HANDLED, "")
