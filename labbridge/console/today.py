"""The first page: what needs a person, where the orders stand, and how fresh the news of both peers are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Prefetch, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from labbridge.accounts.access import require
from labbridge.accounts.first import towards_setup
from labbridge.console import scope
from labbridge.console.health_page import ledger_days
from labbridge.console.needs import groups
from labbridge.console.scope import Viewer, viewer_of
from labbridge.engine import queue
from labbridge.inbox.models import Event, EventState
from labbridge.mirror.models import Order, OrderedTest, Phase, Result
from labbridge.mirror.tally import by_phase
from labbridge.practices.models import Practice

NEWEST = 10
COLUMNS = ("Order", "Rupa says", "Phase", "Results", "In Caspio")


@require_GET
@towards_setup
@require("pipeline.see")
def today(request: HttpRequest) -> HttpResponse:
    viewer = viewer_of(request, "pipeline.see")
    practices = viewer.practices
    context = {
        "groups": groups(viewer),
        "phases": _phases(practices),
        "may_set_up": bool(viewer.at("connections.manage")),
        "clocks": _clocks(practices),
        "ledger": _ledger(viewer),
        "orders": _newest(viewer),
        "columns": COLUMNS if scope.chosen(request) else (*COLUMNS, "Practice"),
        "zone_of": practices[0],
        "jobs_due": queue.due(),
        "events_pending": Event.objects.filter(state=EventState.RECEIVED).count(),
    }
    return render(request, "console/today.html", context)


def _phases(practices: list[Practice]) -> list[tuple[str, int]]:
    """How many orders stand in each phase; training orders count nowhere."""
    found = by_phase(practices)
    return [(phase, found[phase]) for phase in Phase.values if phase in found]


@dataclass(frozen=True)
class Days:
    """The ledger's newest day before today in one line, of all practices together."""

    listed: int
    filed: int
    in_review: int
    rejected: int
    difference: int
    without: int  # practices that have no entry of it


def _ledger(viewer: Viewer) -> Days | None:
    """Of yesterday, by each practice's own calendar; nothing for whoever may not see the ledger."""
    practices = viewer.at("ledger.see")
    if not practices:
        return None
    today = {one.pk: timezone.now().astimezone(one.zone).date() for one in practices}
    entries = ledger_days(practices, 2)
    bodies = [one.body for one in entries if one.date == today[one.practice_id] - timedelta(days=1)]
    names = ("listed", "filed", "in_review", "rejected", "difference")
    sums = {name: sum(body[name] for body in bodies) for name in names}
    return Days(**sums, without=len(practices) - len(bodies))


@dataclass(frozen=True)
class Clock:
    peer: str
    heard_at: datetime | None  # its newest event
    read_at: datetime | None  # when we last read its own list; of several practices, the oldest
    unread: int  # practices whose list was never read
    what: str


def _clocks(practices: list[Practice]) -> list[Clock]:
    """For several practices: the newest event of any, and the oldest reading."""
    catalogues = [one.catalog_read_at for one in practices]
    patients = [one.charts_read_at for one in practices]
    rupa, caspio = _heard(practices)
    return [
        _clock("Rupa", rupa, catalogues, "catalogue read"), _clock("Caspio", caspio, patients, "patients read"),
    ]  # fmt: skip


def _clock(peer: str, heard: datetime | None, read: list[datetime | None], what: str) -> Clock:
    known = [moment for moment in read if moment]
    return Clock(peer, heard, min(known, default=None), len(read) - len(known), what)


def _heard(practices: list[Practice]) -> list[datetime | None]:
    """From Rupa and from Caspio. One query: one step in the index for each practice and peer."""
    heard = [
        Subquery(
            Event.objects.filter(practice=OuterRef("pk"), peer=peer)
            .order_by("-received_at")
            .values("received_at")[:1]
        )
        for peer in ("rupa", "caspio")
    ]
    mine = Practice.objects.filter(pk__in=[one.pk for one in practices]).order_by()
    found = list(mine.values_list(*heard))
    return [max(filter(None, (row[place] for row in found)), default=None) for place in range(2)]


@dataclass(frozen=True)
class Line:
    order: Order
    tests: int
    resulted: int


def _newest(viewer: Viewer) -> list[Line]:
    with_file = Result.objects.filter(ordered_test=OuterRef("pk"))
    tests = OrderedTest.objects.filter(removed=False).only("order").annotate(resulted=Exists(with_file))
    orders = list(
        Order.objects.filter(practice__in=viewer.practices)
        .only("practice", "external_id", "is_demo", "status", "phase", "filed_at")
        .prefetch_related(Prefetch("ordered_tests", tests))
        .order_by("-id")[:NEWEST]  # ids grow with time
    )
    for one in orders:
        one.practice = viewer.place(one.practice_id)
    return [
        Line(one, len(mine), sum(test.resulted for test in mine))  # type: ignore[attr-defined]  # annotated above
        for one in orders
        for mine in [one.ordered_tests.all()]
    ]
