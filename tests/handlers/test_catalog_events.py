"""`labtest.created` and `labtest.updated`: one event for every connected practice, done when all of them hold it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from labbridge.handlers.catalog import settle_events, subject_of, tell_events
from labbridge.inbox.models import Event, EventState
from labbridge.mirror.models import LabTest
from labbridge.practices.models import Connection, Practice
from labbridge.simulators.caspio import design

pytestmark = pytest.mark.django_db(transaction=True)


def change(
    number: int = 1, key: str = "labts_new", at: str = "2031-02-03T10:00:00-08:00", **attributes: Any
) -> bytes:
    subject = {"type": "lab_test", "id": key, "attributes": {"name": "Panel", **attributes}}
    event = {"id": f"evt_{number}", "type": "labtest.updated", "created_at": at, "data": {"object": subject}}
    return json.dumps(event).encode()


@pytest.fixture
def tell(deliver: Callable[..., Any], run_jobs: Callable[..., None]) -> Callable[..., None]:
    def do(*bodies: bytes, **how: Any) -> None:
        for body in bodies:
            assert deliver(body).status_code == 200
        run_jobs(**how)

    return do


def states() -> set[tuple[str, str]]:
    return set(Event.objects.values_list("state", "reason"))


def test_a_new_and_a_changed_test(practice: Practice, caspio_sim: Any, tell: Any) -> None:
    tell(change(1, is_addon=True), change(2, at="2031-02-03T11:00:00-08:00", name="Better panel"))
    (row,) = caspio_sim.tables()["Lab_Tests"]
    assert (row["Name"], row["Is_Addon"], row["Retired"]) == ("Better panel", True, False)
    assert states() == {("handled", "")}


def test_nothing_new_costs_no_call(practice: Practice, caspio_sim: Any, tell: Any) -> None:
    tell(change(1))
    caspio_sim.forget_requests()
    tell(
        change(2, at="2031-02-03T12:00:00-08:00"), change(3, at="2030-01-01T00:00:00-08:00", name="Old news")
    )
    assert caspio_sim.requests() == []
    assert states() == {("handled", "")}


def test_a_refusal_is_said_and_mended(practice: Practice, caspio_sim: Any, tell: Any, run_jobs: Any) -> None:
    from labbridge.filing.provision import provision

    store = caspio_sim.app.account.store
    table = design.find_table(store, "Lab_Tests")
    design.drop_field(store, table, table.field("Category"))
    tell(change())
    ((state, reason),) = states()
    assert state == "received"
    assert reason.startswith("Caspio has no field Category in the table Lab_Tests.")
    provision(practice)
    run_jobs(waiting=True, rounds=2)
    assert states() == {("handled", "")}


def test_an_event_waits_for_the_last_practice(practice: Practice, caspio_sim: Any, tell: Any) -> None:
    oak = Practice.objects.create(slug="oak", name="Oak", config=practice.config)
    Connection.objects.create(practice=oak, peer="rupa", account="oak")
    tell(change())
    assert LabTest.objects.count() == 2
    ((state, reason),) = states()
    assert (state, "practice oak has no Caspio account" in reason) == ("received", True)
    Connection.objects.filter(practice=oak).update(state="ended")
    settle_events("labts_new")
    assert states() == {("handled", "")}


def test_no_practice_at_all_is_quarantined(tell: Any) -> None:
    tell(change())
    ((state, _),) = states()
    assert state == "quarantined"


@pytest.mark.parametrize("key", ["", "k" * 65])
def test_what_is_no_lab_test_is_quarantined(practice: Practice, tell: Any, key: str) -> None:
    tell(change(key=key))
    ((state, _),) = states()
    assert state == "quarantined"


def test_a_dead_filing_is_told_to_its_events(practice: Practice) -> None:
    event = Event.objects.create(peer="rupa", external_id="e", type="t", subject=subject_of("x"), body=b"{}")
    tell_events("x", EventState.DEAD, "No.")
    event.refresh_from_db()
    assert event.state == EventState.RECEIVED, "it was not merged yet"
    from django.utils import timezone

    Event.objects.update(merged_at=timezone.now())
    from labbridge.handlers import jobs

    jobs._lab_test_dead("No.", str(practice.pk), "x")
    event.refresh_from_db()
    assert (event.state, event.reason) == (EventState.DEAD, "No.")
