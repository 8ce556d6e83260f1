"""Catalogue: search and compare lab tests: price, turnaround, whether they can be had, and how that changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from labbridge.accounts.access import require
from labbridge.console import scope
from labbridge.filing.rows import money
from labbridge.mirror.lab_tests import NEW
from labbridge.mirror.models import LabTest, LabTestChange
from labbridge.practices.apply import config_of
from labbridge.practices.models import Practice

PER_PAGE = 50
COMPARED = 4  #: tests side by side
RECENT = timedelta(days=31)
HISTORY = 200  #: changes of the tests that are compared
STATES = {"": "To order", "unavailable": "Unavailable", "retired": "Retired", "all": "All"}
COLUMNS = ("Test", "Lab", "Price", "Results after", "State", "Compare")
FIELDS = {
    "price": "Price", "turnaround_days": "Days at the lab", "shipping_days_max": "Days of shipping, at most",
    "available": "Available", "retired": "Retired",
}  # fmt: skip


@require_GET
@require("catalogue.see")
def catalogue(request: HttpRequest) -> HttpResponse:
    practices = scope.practices(request, "catalogue.see")
    asked, state = request.GET.get("q", "").strip()[:200], request.GET.get("state", "")
    state = state if state in STATES else ""
    tests = _found(practices, asked, state).select_related("practice").order_by("name", "external_id", "pk")
    page = Paginator(tests, PER_PAGE).get_page(request.GET.get("page"))
    units = units_of(practices)
    context = {
        "page": page, "rows": [_shown(one, units) for one in page], "columns": COLUMNS, "q": asked, "state": state,
        "states": STATES.items(), "zone_of": practices[0], "hidden": "unknown" in units.values(),
    }  # fmt: skip
    return render(request, "console/catalogue.html", context)


def _found(practices: list[Practice], asked: str, state: str) -> QuerySet[LabTest]:
    tests = LabTest.objects.filter(practice__in=practices).exclude(name="")
    if state == "retired":
        tests = tests.filter(retired=True)
    elif state != "all":
        tests = tests.filter(retired=False, available=state != "unavailable")
    for word in asked.split()[:8]:
        tests = tests.filter(
            Q(name__icontains=word) | Q(lab_company_name__icontains=word) | Q(category__icontains=word)
        )
    return tests


def units_of(practices: Iterable[Practice]) -> dict[Any, str]:  # any: a practice's key
    """What Rupa's amounts mean at each practice; they are hidden while that is unknown."""
    return {one.pk: config_of(one).rupa.price_unit if one.config else "unknown" for one in practices}


@dataclass(frozen=True)
class Shown:
    test: LabTest
    price: Decimal | None
    after: str  # days from order to result


def _shown(test: LabTest, units: dict[Any, str]) -> Shown:
    shipping, lab = test.shipping_days_max, test.turnaround_days
    parts = [
        f"{lab} days at the lab" if lab is not None else "",
        f"{shipping} of shipping" if shipping else "",
    ]
    return Shown(test, money(test.price, units[test.practice_id]), " + ".join(filter(None, parts)))


# -- one, or several side by side --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """One change as people read it."""

    at: datetime
    title: str
    detail: str
    tone: str = ""
    test: LabTest | None = None


@require_GET
@require("catalogue.see")
def compare(request: HttpRequest) -> HttpResponse:
    """`test` once or several times: what each is, side by side, and how it came to be so."""
    practices = scope.practices(request, "catalogue.see")
    ids = [int(one) for one in request.GET.getlist("test") if one.isdecimal() and len(one) < 19][:COMPARED]
    found = LabTest.objects.filter(practice__in=practices, pk__in=ids).select_related("practice")
    tests = sorted(found, key=lambda one: ids.index(one.pk))
    if ids and not tests:
        raise Http404
    units = units_of(practices)
    wanted = Q()
    for test in tests:
        wanted |= Q(practice=test.practice, external_id=test.external_id)
    held = LabTestChange.objects.filter(wanted).order_by("-at", "-pk")[:HISTORY] if tests else ()
    known = {(test.practice_id, test.external_id): test for test in tests}
    story = [change for one in held if (change := told(one, known, units))]
    context = {
        "shown": [_shown(one, units) for one in tests], "story": story, "zone_of": practices[0],
        "one": tests[0] if len(tests) == 1 else None,
        "hidden": any(units[one.practice_id] == "unknown" for one in tests),
    }  # fmt: skip
    return render(request, "console/catalogue_compare.html", context)


@require_GET
@require("catalogue.see")
def news(request: HttpRequest) -> HttpResponse:
    """What changed in the catalogue within a month, newest first."""
    practices = scope.practices(request, "catalogue.see")
    since = timezone.now() - RECENT
    units = units_of(practices)
    unknown = [one for one in practices if units[one.pk] == "unknown"]  # of these no price is told
    changes = LabTestChange.objects.filter(practice__in=practices, at__gte=since)
    changes = changes.exclude(field="price", practice__in=unknown).order_by("-at", "-pk")
    page = Paginator(changes, PER_PAGE).get_page(request.GET.get("page"))
    held = list(page)
    tests = LabTest.objects.filter(practice__in=practices, external_id__in={one.external_id for one in held})
    known = {(test.practice_id, test.external_id): test for test in tests.select_related("practice")}
    story = [change for one in held if (change := told(one, known, units))]
    return render(
        request, "console/catalogue_news.html", {"story": story, "zone_of": practices[0], "page": page}
    )


def tellable(change: LabTestChange, units: dict[Any, str]) -> bool:
    """A price tells nothing while nobody knows what the amounts mean."""
    return change.field != "price" or units.get(change.practice_id, "unknown") != "unknown"


def told(
    change: LabTestChange, known: dict[tuple[Any, str], LabTest], units: dict[Any, str]
) -> Change | None:
    """As people read it; None when it cannot be told, as a price while nobody knows what the amounts mean."""
    test, unit = known.get((change.practice_id, change.external_id)), units.get(change.practice_id, "unknown")
    if test is None or not tellable(change, units):
        return None
    if change.field == NEW:
        return Change(change.at, "New in the catalogue", "", "good", test)
    if change.field in {"available", "retired"}:
        bad = change.after == ("no" if change.field == "available" else "yes")
        words = {("available", True): "Cannot be ordered", ("available", False): "Can be ordered again",
                 ("retired", True): "Left the catalogue", ("retired", False): "Back in the catalogue"}  # fmt: skip
        detail = test.unavailable_reason if bad and change.field == "available" else ""
        return Change(change.at, words[change.field, bad], detail, "harm" if bad else "good", test)
    before, after = (_said(change.field, value, unit) for value in (change.before, change.after))
    return Change(change.at, f"{FIELDS.get(change.field, change.field)}: {before} → {after}", "", "", test)


def _said(field: str, value: str, unit: str) -> str:
    if not value:
        return "not told"
    if field != "price":
        return value
    try:
        return f"${money(Decimal(value), unit):,.2f}"
    except InvalidOperation:
        return value
