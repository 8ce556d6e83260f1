"""One patient: who they are on both sides and why that is so, their orders, their values over time, who looked."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Prefetch, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from labbridge.accounts.access import access_of, require
from labbridge.console import scope
from labbridge.console.differences import sides
from labbridge.console.newest import newest_results
from labbridge.console.pipeline import lines, with_tests
from labbridge.console.readings import readings
from labbridge.console.trends import HEIGHT, LEFT, RIGHT, WIDTH, Seen, trends
from labbridge.console.whose import who
from labbridge.mirror.models import Chart, EhrId, Order, OrderedTest, Patient, PatientLink, Result, ReviewCase
from labbridge.mirror.person import Person
from labbridge.mirror.pseudonyms import called, sides_of
from labbridge.mirror.reviews import newest
from labbridge.trust.audit import ACTIONS, LOOKS, person, record
from labbridge.trust.keys import CannotOpen
from labbridge.trust.models import AuditEntry

ORDERS = 50  #: the newest that the page lists
RESULTS = 60  #: the newest whose values are drawn
LOOKED = 30


@require("patients.see")
@require_GET
def patient(request: HttpRequest, chart_id: uuid.UUID) -> HttpResponse:
    chart = Chart.objects.select_related("practice").filter(pk=chart_id).first()
    if chart is None:
        raise Http404
    practice = scope.enter(request, "patients.see", chart.practice.slug)
    access = access_of(request)
    link = PatientLink.objects.select_related("patient").filter(chart=chart).first()
    theirs = link.patient if link else None
    sees_results, sees_audit = access.may("results.see", practice), access.may("audit.see", practice)
    both = sides_of(chart)
    record(
        "patient.read", actor=person(request), practice=practice, patient=both, subject=f"chart:{chart.pk}",
        why="care", results=int(sees_results),
    )  # fmt: skip
    orders = (
        list(with_tests(Order.objects.filter(patient=theirs)).order_by("-id")[: ORDERS + 1]) if theirs else []
    )
    today = timezone.now().astimezone(practice.zone).date()
    context = {
        "chart": chart,
        "practice": practice,
        "elsewhere": EhrId.objects.filter(Q(chart=chart) | Q(patient=theirs, patient__isnull=False)),
        "who": who(theirs, chart),
        "link": link,
        "case": ReviewCase.objects.filter(chart=chart).order_by("-opened_at").first()
        if access.may("cases.decide", practice)
        else None,
        "sides": sides(_particulars(chart), _particulars(theirs), today=today),
        "lines": lines(orders[:ORDERS], [practice]),
        "more": len(orders) > ORDERS,
        "sees_results": sees_results,
        "newest": newest_results([theirs.pk], [practice]).get(theirs.pk) if theirs and sees_results else None,
        "trends": trends(_seen(theirs)) if theirs and sees_results else [],
        "canvas": {
            "width": WIDTH,
            "height": HEIGHT,
            "left": LEFT,
            "right": WIDTH - RIGHT,
            "across": WIDTH - RIGHT - LEFT,
        },
        "sees_audit": sees_audit,
        **(_audit(practice.slug, both) if sees_audit else {}),
    }
    return render(request, "console/patient.html", context)


def _particulars(side: Chart | Patient | None) -> Person:
    if side is None or side.erased_at:
        return {}
    try:
        return side.person or {}
    except CannotOpen:
        return {}


def _seen(theirs: Patient) -> list[Seen]:
    """The values of the newest version of each of their tests."""
    order = Prefetch("ordered_test__order", Order.objects.select_related("practice", "patient"))
    found: QuerySet[Result] = (
        newest()
        .filter(ordered_test__order__patient=theirs, hl7__isnull=False, ordered_test__order__is_demo=False)
        .select_related("ordered_test")
        .prefetch_related(order, "values")
        .order_by("-found_at", "-id")[:RESULTS]
    )  # fmt: skip
    seen = []
    for result in found:
        test: OrderedTest = result.ordered_test
        try:
            read = readings(result)
        except CannotOpen:
            continue
        seen += [Seen(one, test.order_id, test.order.external_id) for one in read]
    return seen


@dataclass(frozen=True)
class Deed:
    """One entry of the audit about this patient."""

    entry: AuditEntry

    @property
    def words(self) -> str:
        action = ACTIONS.get(self.entry.action)
        return action.words if action else self.entry.action

    @property
    def to(self) -> str:
        action = ACTIONS.get(self.entry.action)
        return action.discloses if action else ""


def _audit(slug: str, both: Sequence[Chart | Patient]) -> dict[str, Any]:  # any: what the template reads
    mine = AuditEntry.objects.filter(practice=slug, patients__overlap=list(called(both))).order_by("-at")
    looks = [name for name, action in ACTIONS.items() if action.kind in LOOKS]
    told = [name for name, action in ACTIONS.items() if action.discloses]
    return {
        "looks": [Deed(one) for one in mine.filter(action__in=looks)[:LOOKED]],
        "disclosures": [Deed(one) for one in mine.filter(action__in=told)[:LOOKED]],
    }
