"""The first page: where orders stand, and everything that waits for a person."""

from __future__ import annotations

import pytest

from labbridge.inbox.models import Event
from labbridge.mirror.models import Order
from labbridge.practices.models import Connection, Practice
from tests.people import member, sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def willow() -> Practice:
    return Practice.objects.create(slug="willow", name="Willow Functional Medicine")


@pytest.fixture
def page(client, willow):
    sign_in(client, member(willow))

    def read() -> str:
        answer = client.get("/")
        assert answer.status_code == 200
        assert "no-store" in answer["Cache-Control"]
        return str(answer.content.decode())

    return read


def test_a_quiet_day(page):
    shown = page()
    assert "Nothing. Everything that arrived stands in Caspio." in shown
    assert "No orders yet" in shown


def test_a_visitor_sees_nothing(client, willow):
    answer = client.get("/")
    assert answer.status_code == 302


@pytest.mark.parametrize(
    "problem", [{"filing_problem": "A field is missing."}, {"pull_problem": "Rupa is away."}]
)
def test_an_order_without_an_event_shows_what_holds_it_up(page, willow, problem):
    Order.objects.create(practice=willow, external_id="ord_1", **problem)
    shown = page()
    assert "Order ord_1:" in shown
    assert next(iter(problem.values())) in shown


@pytest.mark.parametrize("state", ["waiting", "quarantined", "dead"])
def test_an_event_that_needs_a_person(page, willow, state):
    Event.objects.create(
        peer="rupa", external_id="evt_1", type="t", subject="s", body=b"PLANTED", practice=willow, state=state,
        reason="This is why.",
    )  # fmt: skip
    shown = page()
    assert f"evt_1 ({state})" in shown
    assert "This is why." in shown
    assert "PLANTED" not in shown


def test_a_lost_connection(page, willow):
    Connection.objects.create(
        practice=willow, peer="rupa", account="a", state="reconnect", problem="Connect Rupa again."
    )
    assert "Connect Rupa again." in page()


def test_a_living_connection_with_a_problem(page, willow):
    Connection.objects.create(practice=willow, peer="rupa", account="a", problem="Its clinic cannot be read.")
    assert "Its clinic cannot be read." in page()


def test_another_practices_troubles_are_not_shown(page):
    aspen = Practice.objects.create(slug="aspen", name="Aspen")
    Order.objects.create(practice=aspen, external_id="ord_other", filing_problem="Not yours.")
    assert "ord_other" not in page()
