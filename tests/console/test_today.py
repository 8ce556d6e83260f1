"""Today: everything that needs a person, in order of harm, each with its action; and where the orders stand."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from labbridge.accounts.models import Membership
from labbridge.accounts.roles import Role
from labbridge.inbox.models import Event
from labbridge.mirror.models import Chart, LabTest, Order, OrderedTest, Result, ReviewCase, StoredFile
from labbridge.practices.models import Connection, Practice
from labbridge.reconcile.watch.work import unpaid
from tests.console.things import make_practice
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
    assert "Nothing needs a person." in shown
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
    assert "Order ord_1" in shown
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


def headings(shown: str) -> list[str]:
    return re.findall(r'<h2 id="need-\d+">(.*?) <span', shown)


@pytest.fixture
def trouble(willow):
    """One of everything that needs a person."""
    long_ago = timezone.now() - timedelta(days=60)
    LabTest.objects.create(
        practice=willow, external_id="labts_1", name="Slow", turnaround_days=10, shipping_days_max=5
    )
    late = Order.objects.create(
        practice=willow, external_id="ord_late", phase="in_progress", submitted_at=long_ago, paid_at=long_ago
    )
    OrderedTest.objects.create(
        practice=willow,
        order=late,
        external_id="ot_1",
        lab_test_id_external="labts_1",
        problem="No file yet.",
    )
    Order.objects.create(
        practice=willow,
        external_id="ord_unpaid",
        phase="awaiting_payment",
        submitted_at=timezone.now() - timedelta(days=4),
    )
    Order.objects.create(practice=willow, external_id="ord_stuck", filing_problem="A field is missing.")
    chart = Chart.objects.create(practice=willow, key="P-1")
    ReviewCase.objects.create(
        practice=willow,
        chart=chart,
        reasons=[{"words": "The birthdays differ.", "weight": 0, "field": "rule"}],
    )
    for number in range(3):
        Event.objects.create(
            peer="rupa", external_id=f"evt_{number}", type="t", subject="s", body=b"", practice=willow, state="dead",
            reason="It broke.",
        )  # fmt: skip
    Connection.objects.create(
        practice=willow, peer="rupa", account="a", state="reconnect", problem="Connect again."
    )


def test_everything_in_order_of_harm_each_with_its_action(page, trouble):
    shown = page()
    assert headings(shown) == [
        "Results that are not in the chart",
        "Patients who are not matched",
        "Orders that are not up to date in Caspio",
        "Events that could not be handled",
        "Late orders",
        "Orders that nobody has paid yet",
        "Connections that fail",
    ]
    assert 'aria-label="Decide: Chart P-1: who is this at Rupa?"' in shown
    assert 'href="/rupa/connect/willow"' in shown
    assert "Remind the patient" in shown
    assert "See why" in shown
    assert "<strong>Order ord_late: Slow</strong>" in shown
    assert '<a href="/orders/' in shown.partition("Newest orders")[2]


@pytest.mark.parametrize(("role", "sees"), [(Role.PRACTITIONER, True), (Role.FRONT_DESK, False)])
def test_results_that_nobody_has_reviewed_are_for_those_who_review(client, willow, role, sees):
    order = Order.objects.create(practice=willow, external_id="ord_1", phase="complete")
    test = OrderedTest.objects.create(
        practice=willow, order=order, external_id="ot_1", lab_test_id_external="labts_1"
    )
    file = StoredFile.objects.create(practice=willow, sha256="0" * 64, kind="pdf", size=1, content=b"x")
    result = Result.objects.create(ordered_test=test, version=1, as_of=timezone.now(), pdf=file)
    sign_in(client, member(willow, role=role))
    shown = client.get("/").content.decode()
    assert ("Results that nobody has reviewed" in headings(shown)) is sees
    assert (f'href="/orders/{order.pk}"' in shown and "Review it" in shown) is sees
    assert ("Order ord_1, test ot_1" in shown) is sees  # until the catalogue knows its name
    LabTest.objects.create(practice=willow, external_id="labts_1", name="DUTCH Complete")
    assert ("Order ord_1: DUTCH Complete" in client.get("/").content.decode()) is sees
    result.reviewed_at = timezone.now()
    result.save()
    assert headings(client.get("/").content.decode()) == []


def test_events_of_one_failure_stand_together(page, trouble):
    assert "3 events of Rupa (dead)" in page()


def test_what_waits_for_a_stuck_order_is_told_once(page, trouble, willow):
    Event.objects.create(
        peer="rupa", external_id="evt_w", type="t", subject="order:ord_stuck", body=b"", practice=willow,
        state="waiting", reason="Waits for the order.",
    )  # fmt: skip
    assert "Waits for the order." not in page()


def test_nothing_is_late_or_unpaid_that_is_training_or_fresh_or_unknown(page, willow):
    long_ago = timezone.now() - timedelta(days=60)
    Order.objects.create(
        practice=willow, external_id="ord_demo", phase="awaiting_payment", submitted_at=long_ago, is_demo=True
    )
    Order.objects.create(
        practice=willow, external_id="ord_fresh", phase="awaiting_payment", submitted_at=timezone.now()
    )
    unknown = Order.objects.create(
        practice=willow, external_id="ord_unknown", phase="in_progress", submitted_at=long_ago
    )
    OrderedTest.objects.create(
        practice=willow, order=unknown, external_id="ot_1", lab_test_id_external="labts_9"
    )
    assert headings(page()) == []


def test_unpaid_is_what_the_patient_owes_after_each_practices_own_patience(client, willow):
    """As the alert `orders_unpaid`."""
    user = member(willow)
    birch = make_practice("birch")
    birch.config["alerts"]["unpaid_days"] = 10
    birch.save()
    Membership.objects.create(user=user, practice=birch, role=Role.OWNER)
    for practice, days, payer in (
        (willow, 4, "patient"), (willow, 5, "practitioner"), (birch, 4, "patient"), (birch, 11, "patient"),
    ):  # fmt: skip
        Order.objects.create(
            practice=practice, external_id=f"ord_{practice.slug}_{days}", phase="awaiting_payment", payer=payer,
            status="Submitted", submitted_at=timezone.now() - timedelta(days=days),
        )  # fmt: skip
    sign_in(client, user)
    for place, named in (
        ("", ["ord_birch_11", "ord_willow_4"]), ("?practice=willow", ["ord_willow_4"]),
        ("?practice=birch", ["ord_birch_11"]),
    ):  # fmt: skip
        shown = client.get(f"/{place}").content.decode()
        assert re.findall(r"<strong>Order (\w+)</strong>", shown) == named
    told = {str(one.practice_id): dict(one.params)["count"] for one in unpaid(timezone.now())}
    assert told == {str(willow.pk): 1, str(birch.pk): 1}


@pytest.mark.parametrize(
    ("role", "sees"), [(Role.AUDITOR, False), (Role.BILLER, False), (Role.FRONT_DESK, True)]
)
def test_whose_chart_it_is_only_for_those_who_decide(client, willow, trouble, role, sees):
    sign_in(client, member(willow, role))
    shown = client.get("/").content.decode()
    assert ("Chart P-1" in shown) == sees
    assert "Patients who are not matched" in shown
    assert "Connect again" not in re.findall(r'<a class="button"[^>]*>([^<]*)<', shown)


def test_the_number_of_queries_does_not_grow(page, willow, trouble):
    page()
    with CaptureQueriesContext(connection) as few:
        page()
    for number in range(30):
        order = Order.objects.create(
            practice=willow, external_id=f"ord_{number}", phase="in_progress", submitted_at=timezone.now()
        )
        OrderedTest.objects.create(
            practice=willow, order=order, external_id=f"t_{number}", problem="No file yet."
        )
    with CaptureQueriesContext(connection) as many:
        shown = page()
    assert "26 more" in shown
    assert len(many) <= len(few) + 1, "a count is asked for only when there is more than is shown"


def test_the_pipeline_counts_no_training(page, willow):
    for number in range(3):
        Order.objects.create(practice=willow, external_id=f"o{number}", phase="complete", is_demo=number == 0)
    assert re.findall(r"<dt>Complete</dt><dd>(\d+)</dd>", page()) == ["2"]


def test_how_fresh_each_peer_is(page, willow):
    shown = page()
    assert shown.count("Last event never") == 2
    Event.objects.create(
        peer="rupa", external_id="e", type="t", subject="s", body=b"", practice=willow, state="handled"
    )
    assert re.search(r"Last event <time[^>]*>just now</time>", page())


def test_several_practices_show_the_oldest_reading_and_who_was_never_read(client, willow):
    user = member(willow)
    for slug, read_at in (("birch", timezone.now() - timedelta(hours=5)), ("aspen", None)):
        more = Practice.objects.create(slug=slug, name=slug.title(), charts_read_at=read_at)
        Membership.objects.create(user=user, practice=more, role=Role.OWNER)
    Practice.objects.filter(pk=willow.pk).update(charts_read_at=timezone.now())
    sign_in(client, user)
    shown = client.get("/").content.decode()
    assert re.search(r"Patients read <time[^>]*>5 h ago</time>, at 1 practice never", shown)


def test_yesterdays_ledger_in_one_line_for_those_who_may_see_it(page, client, willow):
    from labbridge.reconcile.models import LedgerEntry

    assert "nothing was compared yesterday" in page()
    body = {"listed": 7, "filed": 5, "in_review": 1, "rejected": 1, "difference": 0}
    today = timezone.now().astimezone(willow.zone).date()
    for seq, (days, listed) in enumerate(((2, 3), (1, 7), (0, 9)), start=1):
        LedgerEntry.objects.create(
            practice=willow, seq=seq, chain="ledger:willow", date=today - timedelta(days=days), previous="",
            body={**body, "listed": listed}, digest="", key="", signature="",
        )  # fmt: skip
    assert "7 orders listed at Rupa, 5 filed, 1 in review, 1 rejected, no difference" in page()
    sign_in(client, member(willow, Role.FRONT_DESK))
    assert "ledger" not in client.get("/").content.decode()
