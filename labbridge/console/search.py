"""Finding a patient by what front desk is told on the telephone. The words never stand in an address."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery, Window
from django.db.models.functions import RowNumber
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from labbridge.accounts.access import access_of, require
from labbridge.console import scope
from labbridge.console.filters import Filters
from labbridge.console.newest import Newest, newest_results
from labbridge.console.pipeline import shared
from labbridge.console.whose import Who, who
from labbridge.mirror.models import Chart, Order, OrderedTest, Patient, PatientLink, Result
from labbridge.mirror.names import called, missing, words_of
from labbridge.mirror.person import Person, indexes, name_words, normal_birthday, normal_email
from labbridge.practices.models import Practice
from labbridge.trust.audit import person, record
from labbridge.trust.envelope import data_keys
from labbridge.trust.keys import CannotOpen

FOUND = 25
ORDERS = 5  #: newest orders of each patient
#: What is read of either side.
CHART, PATIENT = (
    ("practice", "key", "person", "erased_at"),
    ("practice", "external_id", "person", "erased_at"),
)


@require("patients.see")
@require_http_methods(["GET", "POST"])
def pipeline_search(request: HttpRequest) -> HttpResponse:
    """POST finds; GET is what a reload of the found makes, and begins anew."""
    practices = scope.practices(request, "patients.see")
    if request.method == "GET":
        return render(request, "console/search.html", {**_around(request, practices), "asked": False})
    words = request.POST.get("words", "").strip()[:200]
    order = Order.objects.filter(practice__in=practices, external_id=words).first() if words else None
    if order is not None:  # a key, which names nobody
        return redirect("order-page", order_id=order.pk)
    found = find(words, practices) if words else []
    of_each = scope.by_practice(found, lambda one: _practice(one, practices), practices)
    for practice, theirs in of_each.items():
        record(
            "patient.search", actor=person(request), practice=practice,
            patient=[side for one in theirs for side in one.sides], count=len(theirs), why="care",
        )  # fmt: skip
    context = {
        **_around(request, practices),
        "asked": True,
        "found": _with_orders(found, practices, access_of(request).practices("results.see")),
        "most": FOUND,
        # After an upgrade, until a job has been through them all.
        "untagged": _untagged(practices),
    }
    return render(request, "console/search.html", context)


def _untagged(practices: Sequence[Practice]) -> bool:
    either = [Exists(missing(one).filter(practice=OuterRef("pk"))) for one in (Chart, Patient)]
    mine = Practice.objects.filter(pk__in=[one.pk for one in practices]).order_by()
    return mine.filter(either[0] | either[1]).exists()


def _around(request: HttpRequest, practices: Sequence[Practice]) -> dict[str, object]:
    return shared(request, Filters(request.GET, practices, request.user.get_username()))


@dataclass(frozen=True)
class Line:
    order: Order
    tests: int
    resulted: int


@dataclass(frozen=True)
class Found:
    who: Who
    practice: Practice
    lines: list[Line]
    newest: Newest | None = None  # for those who may see results


def find(words: str, practices: Sequence[Practice]) -> list[Who]:
    """Patients by e-mail, birthday, key in Caspio or at Rupa, else by parts of their names; the newest first."""
    keyed = _by_key(words, practices)
    if keyed is None:
        keyed = _by_name(words, practices)
    return keyed[:FOUND]


def _by_key(words: str, practices: Sequence[Practice]) -> list[Who] | None:
    """None when the words are a name."""
    email, birthday = indexes({"email": words, "birthday": words})
    charts, patients = (
        Chart.objects.filter(practice__in=practices).only(*CHART).order_by("-id"),
        Patient.objects.filter(practice__in=practices).only(*PATIENT).order_by("-id"),
    )
    if normal_email(words) and email:
        return _people(charts.filter(email_index=email)[:FOUND], patients.filter(email_index=email)[:FOUND])
    if normal_birthday(words) and birthday:
        return _people(
            charts.filter(birthday_index=birthday)[:FOUND], patients.filter(birthday_index=birthday)[:FOUND]
        )
    found = _people(charts.filter(key=words)[:FOUND], patients.filter(external_id=words)[:FOUND])
    return found or None


def _by_name(words: str, practices: Sequence[Practice]) -> list[Who]:
    """Records whose names, in Caspio or at Rupa, begin with each of the words."""
    wanted = name_words({"last_name": words}, "last_name")
    if not wanted:
        return []
    living = Chart.objects.filter(practice__in=practices, present=True)
    charts = called(living.only(*CHART), wanted, FOUND)
    patients = called(Patient.objects.filter(practice__in=practices).only(*PATIENT), wanted, FOUND)
    sides: list[Chart | Patient] = [*charts, *patients]
    data_keys.prepare([one.sealed_for for one in sides])
    return _people(
        [one for one in charts if _is_named(one, wanted)], [one for one in patients if _is_named(one, wanted)]
    )


def _is_named(one: Chart | Patient, wanted: set[str]) -> bool:
    try:
        known: Person = one.person or {}
    except CannotOpen:
        return False
    names = words_of(known)
    return all(any(name.startswith(word) for name in names) for word in wanted)


def _people(charts: Iterable[Chart], patients: Iterable[Patient]) -> list[Who]:
    """Both sides of a link are one person."""
    charts, patients = list(charts), list(patients)
    if not (charts or patients):
        return []
    either = Q(chart__in=charts) | Q(patient__in=patients)
    columns = [f"chart__{name}" for name in CHART] + [f"patient__{name}" for name in PATIENT]
    linked_with = PatientLink.objects.select_related("chart", "patient").only(*columns)
    links = list(linked_with.filter(either).order_by("-chart_id"))
    by_chart = {link.chart_id: link.patient for link in links}
    linked = {link.patient_id for link in links}
    known = list({chart.pk: chart for chart in [*charts, *(link.chart for link in links)]}.values())[:FOUND]
    alone = [one for one in patients if one.pk not in linked][:FOUND]
    sides = [side for chart in known for side in (chart, by_chart.get(chart.pk)) if side is not None]
    data_keys.prepare([one.sealed_for for one in (*sides, *alone)])
    return [who(by_chart.get(chart.pk), chart) for chart in known] + [who(one, None) for one in alone]


def _with_orders(
    found: Sequence[Who], practices: Sequence[Practice], may_see: Sequence[Practice]
) -> list[Found]:
    patients = [one.patient.pk for one in found if one.patient]
    newest = newest_results(patients, [one for one in practices if one in may_see])
    shown: dict[object, list[Line]] = {}
    for order in _orders(patients):
        shown.setdefault(order.patient_id, []).append(Line(order, order.tests or 0, order.resulted or 0))  # type: ignore[attr-defined]  # annotated below
    return [
        Found(
            one,
            _practice(one, practices),
            shown.get(one.patient.pk, []) if one.patient else [],
            newest.get(one.patient.pk) if one.patient else None,
        )
        for one in found
    ]


def _orders(patients: Sequence[uuid.UUID]) -> QuerySet[Order]:
    """The newest of each patient, with how many tests they have and of how many there is a result."""
    tests = OrderedTest.objects.filter(order=OuterRef("pk"), removed=False).order_by()
    with_result = tests.filter(Exists(Result.objects.filter(ordered_test=OuterRef("pk"))))
    place = Window(RowNumber(), partition_by="patient", order_by="-id")
    newest = Order.objects.filter(patient__in=patients).annotate(place=place).filter(place__lte=ORDERS)
    counted = {
        name: Subquery(rows.values("order").annotate(count=Count("pk")).values("count"))
        for name, rows in (("tests", tests), ("resulted", with_result))
    }
    held = Order.objects.filter(pk__in=newest.values("pk")).annotate(**counted)
    return held.only("external_id", "phase", "patient").order_by("-id")


def _practice(one: Who, practices: Sequence[Practice]) -> Practice:
    side = one.chart or one.patient
    return next(practice for practice in practices if side and practice.pk == side.practice_id)
