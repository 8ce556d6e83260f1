"""What needs a person, in order of harm. Each kind is one function; Today shows them in the order of `KINDS`.

The count of queries is the same whatever there is to do. Nothing here opens patient data: what is shown are keys of
orders and sentences without names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Substr
from django.urls import reverse
from django.utils import timezone

from labbridge.billing.payment import PAYMENTS
from labbridge.console.failures import failure_key
from labbridge.console.scope import Viewer, first_and_count
from labbridge.inbox.models import Event, EventState
from labbridge.mirror.late import overdue as is_late
from labbridge.mirror.models import CaseKind, CaseState, LabTest, Order, OrderedTest, ReviewCase
from labbridge.mirror.reviews import to_review
from labbridge.ordering.models import OrderRequest, RequestState
from labbridge.practices.apply import part_of
from labbridge.practices.config import AlertsPart
from labbridge.practices.models import Connection, ConnectionState, Practice

OPEN_ORDER = "Open the order"
WHY_LATE = "See why"
UNREVIEWED = "Results that nobody has reviewed"
SHOWN = 5  #: of each kind; the rest is counted
COUNTED = 1000  #: beyond that the exact number tells nobody anything


@dataclass(frozen=True)
class Need:
    """One thing to do: what, since when, and its one next action: a page of ours, or a sentence."""

    what: str
    practice: Practice | None
    since: datetime | None = None
    detail: str = ""
    action: str = ""
    address: str = ""


@dataclass(frozen=True)
class Group:
    title: str
    tone: str  # harm, wait
    count: int
    needs: tuple[Need, ...]
    address: str = ""  # where all of them are

    @property
    def further(self) -> int:
        return self.count - len(self.needs)

    @property
    def at_most(self) -> bool:
        return self.count >= COUNTED


Kind = Callable[[Viewer], Group]


def groups(viewer: Viewer) -> list[Group]:
    """Everything that needs a person, what harms most first; kinds without anything are left out."""
    return [group for group in (kind(viewer) for kind in KINDS) if group.count]


def _group(
    title: str, tone: str, rows: QuerySet[Any], need: Callable[[Any], Need], address: str = ""
) -> Group:  # any: rows of several models
    first = tuple(need(row) for row in rows[:SHOWN])
    count = len(first) if len(first) < SHOWN else rows.order_by()[:COUNTED].count()
    return Group(title, tone, count, first, address)


def _of_practices(
    what: tuple[str, str],
    rows: QuerySet[Any],
    practices: list[Practice],
    need: Callable[[Any], Need],
    address: str = "",
) -> Group:  # any: rows of several models
    """As `_group`, of rows that an index has in their order, for each practice by itself."""
    first, count = first_and_count(rows, practices, SHOWN, COUNTED)
    return Group(*what, min(count, COUNTED), tuple(need(row) for row in first), address)


def _name(key: str) -> Subquery:
    """What the catalogue calls the test that a row is of; the key of the test is found in that field."""
    known = LabTest.objects.filter(practice=OuterRef("practice"), external_id=OuterRef(key))
    return Subquery(known.values("name")[:1])


def _test_of(order: Order, test: OrderedTest, name: str | None) -> str:
    what = f": {name}" if name else f", test {test.external_id}"
    return f"Order {order.external_id}{what}"


def results_not_in_the_chart(viewer: Viewer) -> Group:
    tests = (
        OrderedTest.objects.filter(practice__in=viewer.practices, removed=False)
        .exclude(problem="")
        .annotate(name=_name("lab_test_id_external"))
        .select_related("order")
        .only("practice", "external_id", "results_received_at", "problem", "order__external_id")
        .order_by("results_received_at", "id")
    )
    return _of_practices(
        ("Results that are not in the chart", "harm"), tests, viewer.practices,
        lambda test: Need(
            _test_of(test.order, test, test.name), viewer.place(test.practice_id),
            test.results_received_at, test.problem, OPEN_ORDER, reverse("order-page", args=[test.order_id]),
        ),
    )  # fmt: skip


def unreviewed(viewer: Viewer) -> Group:
    """Results that no practitioner has looked at yet, critical and abnormal ones first; for those who review."""
    may = viewer.at("results.review")
    if not may:
        return Group(UNREVIEWED, "harm", 0, ())
    columns = (
        "practice",
        "received_at",
        "found_at",
        "ordered_test__external_id",
        "ordered_test__order__external_id",
    )
    name = _name("ordered_test__lab_test_id_external")
    waiting = to_review(may).annotate(name=name).select_related("ordered_test__order").only(*columns)
    return _of_practices(
        (UNREVIEWED, "harm"), waiting, may,
        lambda result: Need(
            _test_of(result.ordered_test.order, result.ordered_test, result.name),
            viewer.place(result.practice_id), result.received_at or result.found_at, "", "Review it",
            reverse("order-page", args=[result.ordered_test.order_id]),
        ),
        reverse("results"),
    )  # fmt: skip


def unmatched(viewer: Viewer) -> Group:
    """Each question for those who may decide it; for the others only that there are some."""
    cases = ReviewCase.objects.filter(practice__in=viewer.practices, state=CaseState.OPEN)
    may = viewer.at("cases.decide")
    if not may:
        count = cases.order_by()[:COUNTED].count()
        what = Need(
            "Patients wait to be matched.", None, action="Front desk or a practitioner decides who they are."
        )
        return Group("Patients who are not matched", "harm", count, (what,) if count else ())
    columns = ("practice", "kind", "opened_at", "reasons", "chart__key", "patient__external_id")
    mine = cases.filter(practice__in=may).select_related("chart", "patient").only(*columns)
    return _of_practices(
        ("Patients who are not matched", "harm"), mine.order_by("opened_at"), may,
        lambda case: _case(case, viewer.place(case.practice_id)), reverse("cases"),
    )  # fmt: skip


def _case(case: ReviewCase, practice: Practice) -> Need:
    why = " ".join(one["words"] for one in case.reasons if one["field"] == "rule")
    if case.chart is None:
        asked = f"Rupa patient {case.patient}: which row in Caspio is this?"
    elif case.kind == CaseKind.VALUES:
        asked = f"Chart {case.chart.key}: whose values are right?"
    else:
        asked = f"Chart {case.chart.key}: who is this at Rupa?"
    return Need(
        asked, practice, case.opened_at, why,
        "Decide", reverse("case", args=[case.pk]),
    )  # fmt: skip


STUCK = ~Q(filing_problem="") | ~Q(pull_problem="")


def stuck_orders(viewer: Viewer) -> Group:
    columns = ("practice", "external_id", "as_of", "first_seen_at", "filing_problem", "pull_problem")
    stuck = Order.objects.filter(STUCK, practice__in=viewer.practices).only(*columns).order_by("id")
    return _group(
        "Orders that are not up to date in Caspio", "harm", stuck,
        lambda order: Need(
            f"Order {order.external_id}", viewer.place(order.practice_id), order.as_of or order.first_seen_at,
            order.filing_problem or order.pull_problem, OPEN_ORDER, reverse("order-page", args=[order.pk]),
        ),
    )  # fmt: skip


def events_waiting(viewer: Viewer) -> Group:
    """Those of one failure together. What waits for an order that is stuck is told by that order."""
    mine = Q(practice__in=viewer.practices)
    if viewer.everywhere:
        mine |= Q(practice=None)  # events that name no known practice are for whoever has all of them
    stuck = Order.objects.filter(
        STUCK,
        practice=OuterRef("practice"),
        external_id=Substr(OuterRef("subject"), len("order:") + 1),
    )
    failures = (
        Event.objects.filter(mine)
        .exclude(state__in=[EventState.HANDLED, EventState.RECEIVED])
        .exclude(Exists(stuck), state=EventState.WAITING)
        .values("peer", "state", "reason")
        .annotate(events=Count("*"), newest=Max("received_at"), example=Max("external_id"))
        .order_by("-newest")
    )
    may = bool(viewer.at("events.replay"))
    place = f"&practice={viewer.practices[0].slug}" if len(viewer.practices) == 1 else ""
    told = partial(_failure, may_replay=may, place=place)
    address = reverse("events") if viewer.at("events.see") else ""
    held = list(failures[:COUNTED])  # short rows: counting them again would group all events twice
    first = tuple(told(row) for row in held[:SHOWN])
    return Group("Events that could not be handled", "harm", len(held), first, address)


def _failure(row: Mapping[str, Any], *, may_replay: bool, place: str) -> Need:  # any: a row of values
    one = (
        f"Event {row['example']}"
        if row["events"] == 1
        else f"{row['events']} events of {row['peer'].title()}"
    )
    what = f"{one} ({row['state']})"
    if not may_replay:
        return Need(what, None, row["newest"], row["reason"])
    key = failure_key(row["peer"], row["state"], row["reason"])
    return Need(
        what, None, row["newest"], row["reason"], "Replay", f"{reverse('replay')}?failure={key}{place}"
    )


def ordered_twice(viewer: Viewer) -> Group:
    """Two orders from one request: an earlier checkout was used as well."""
    twice = (
        OrderRequest.objects.filter(practice__in=viewer.practices)
        .exclude(other_order_id="")
        .only("practice", "key", "created_at", "message")
        .order_by("created_at")
    )
    return _group(
        "Requests that were ordered twice", "harm", twice,
        lambda one: Need(f"Request {one.key}", viewer.place(one.practice_id), one.created_at, one.message),
    )  # fmt: skip


def wishes(viewer: Viewer) -> Group:
    """Requests of this person's own, of which they wanted to be told when Rupa works again: it does."""
    told = [RequestState.READY, RequestState.FAILED, RequestState.EXPIRED]
    mine = (
        OrderRequest.objects.filter(practice__in=viewer.at("orders.place"), wish_at__isnull=False)
        .filter(wish_by=viewer.access.user_name, state__in=told, order_external_id="")
        .only("practice", "created_at", "message")
        .order_by("wish_at")
    )
    return _group("Rupa works again", "wait", mine, lambda one: _wish(one, viewer.place(one.practice_id)))


def _wish(one: OrderRequest, practice: Practice) -> Need:
    detail = one.message or "The checkout of your order request is ready."
    address = reverse("order-request", args=[one.pk])
    return Need("Your order request", practice, one.created_at, detail, "Open the request", address)


def overdue(viewer: Viewer) -> Group:
    """By the labs' own figures in the catalogue; an order without figures is never called late."""
    late = (
        is_late(Order.objects.filter(practice__in=viewer.practices), timezone.now())
        .only("practice", "external_id", "expected_at")
        .order_by("expected_at")
    )
    return _of_practices(
        ("Late orders", "wait"), late, viewer.practices,
        lambda order: Need(
            f"Order {order.external_id}", viewer.place(order.practice_id), order.expected_at,
            "Expected by then, by the lab's own turnaround and shipping.", WHY_LATE,
            reverse("order-page", args=[order.pk]),
        ),
    )  # fmt: skip


def unpaid(viewer: Viewer) -> Group:
    """As Billing and the alert have it: what the patient is asked to pay, after each practice's own patience."""
    waiting = (
        Order.objects.filter(
            PAYMENTS["awaiting_patient"],
            _asked_long_ago(viewer.practices),
            practice__in=viewer.practices,
            is_demo=False,
        )
        .only("practice", "external_id", "submitted_at")
        .order_by("submitted_at")
    )
    return _of_practices(
        ("Orders that nobody has paid yet", "wait"), waiting, viewer.practices,
        lambda order: Need(
            f"Order {order.external_id}", viewer.place(order.practice_id), order.submitted_at,
            "Remind the patient: the kit is sent once it is paid.",
            OPEN_ORDER, reverse("order-page", args=[order.pk]),
        ),
    )  # fmt: skip


def _asked_long_ago(practices: Sequence[Practice]) -> Q:
    """Submitted more than `unpaid_days` ago. The shortest of them bounds all: that is what the index can look up."""
    now = timezone.now()
    patience: dict[timedelta, list[Practice]] = defaultdict(list)
    for one in practices:
        patience[timedelta(days=part_of(one, AlertsPart, "alerts").unpaid_days)].append(one)
    asked = Q()
    for span, theirs in patience.items():
        asked |= Q(practice__in=theirs, submitted_at__lt=now - span)
    return Q(submitted_at__lt=now - min(patience, default=timedelta())) & asked


def connections(viewer: Viewer) -> Group:
    may = viewer.at("connections.manage")
    failing = (
        Connection.objects.filter(practice__in=viewer.practices)
        .exclude(state=ConnectionState.ACTIVE, problem="")
        .only("practice", "peer", "state", "problem", "changed_at")
    )

    def need(one: Connection) -> Need:
        practice = viewer.place(one.practice_id)
        return _connection(one, practice, manage=practice in may)

    return _group("Connections that fail", "harm", failing, need)


def _connection(one: Connection, practice: Practice, *, manage: bool) -> Need:
    what = f"{practice.name}, connection to {one.peer.title()}"
    detail = one.problem or f"It is {one.get_state_display().lower()}."
    if one.peer == "rupa" and manage:
        address = reverse("rupa-connect", args=[practice.slug])
        return Need(what, practice, one.changed_at, detail, "Connect again", address)
    action = "" if manage else "The owner or an administrator connects it again."
    return Need(what, practice, one.changed_at, detail, action)


#: In order of harm: what is missing in a chart, what nobody has looked at, whose it is, what is stuck, late, unpaid.
KINDS: tuple[Kind, ...] = (
    results_not_in_the_chart,
    unreviewed,
    unmatched,
    stuck_orders,
    ordered_twice,
    events_waiting,
    wishes,
    overdue,
    unpaid,
    connections,
)
