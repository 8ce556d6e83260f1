"""Results to review: the worst first, whose they are and until when; marking, taking back, the report itself."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Prefetch, QuerySet
from django.forms import DateField
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET, require_POST

from labbridge.accounts.access import access_of, require
from labbridge.accounts.models import Membership
from labbridge.accounts.roles import PERMISSIONS
from labbridge.console import scope
from labbridge.console.readings import Reading, readings
from labbridge.console.scope import first_of
from labbridge.console.whose import Who, whose
from labbridge.handlers.reviews import CannotReview, mark
from labbridge.mirror.models import LabTest, Result, StoredFile, Urgency
from labbridge.mirror.pseudonyms import sides_of
from labbridge.mirror.reviews import due_on, reviewed_behind, to_review, waiting_behind
from labbridge.mirror.reviews import reviewed as done
from labbridge.practices.apply import config_of
from labbridge.practices.models import Practice
from labbridge.trust.audit import Actor, person, record
from labbridge.trust.keys import CannotOpen

PER_PAGE = 25
FLAGGED = 4  #: values out of range that the list names; the order's page has all

#: What the report may do: nothing at all, as if it came from nowhere. Browsers show it with their own viewer.
PDF_POLICY = "sandbox; default-src 'none'; frame-ancestors 'self'; base-uri 'none'; form-action 'none'"


@require("results.see")
@require_GET
def result_list(request: HttpRequest) -> HttpResponse:
    practices = scope.practices(request, "results.see")
    reviewed, mine = "reviewed" in request.GET, "mine" in request.GET
    found = done(practices) if reviewed else to_review(practices)
    if mine:
        found = found.filter(assigned_to=request.user.get_username())
    last = _last(request, practices)
    if last is not None:
        found = reviewed_behind(found, last) if reviewed else waiting_behind(found, last)
    rows = list(first_of(_with_all(found), practices, PER_PAGE + 1))
    people = {one.pk: reviewers(one) for one in practices} if rows and not reviewed else {}
    lines = _lines(rows[:PER_PAGE], people)
    for practice, shown in scope.by_practice(lines, lambda line: line.practice).items():
        record(
            "result.list", actor=person(request), practice=practice,
            patient=[side for line in shown for side in line.who.sides], count=len(shown), why="treatment",
        )  # fmt: skip
    context = {
        "lines": lines,
        "reviewed": reviewed,
        "mine": mine,
        "more": rows[PER_PAGE - 1].pk if len(rows) > PER_PAGE else None,
        "may_review": access_of(request).practices("results.review"),
    }
    return render(request, "console/results.html", context)


@require("results.review")
@require_POST
def result_review(request: HttpRequest, result_id: uuid.UUID) -> HttpResponse:
    """Mark it as reviewed, take that back, or say whose it is to review and until when."""
    result = _result(request, result_id, "results.review")
    action = request.POST.get("action", "")
    try:
        if action in {"mark", "unmark"}:
            by = request.user.get_full_name() or request.user.get_username()  # type: ignore[union-attr]  # signed in
            mark(result, reviewed=action == "mark", by=by, actor=person(request))
            messages.success(request, MARKED if action == "mark" else UNMARKED)
        elif action == "assign":
            _assign(result, request.POST.get("to", ""), request.POST.get("due", ""), person(request))
            messages.success(request, "Kept.")
    except CannotReview as problem:
        messages.error(request, str(problem))
    if request.POST.get("from") == "order":
        return redirect(
            f"{reverse('order-page', args=[result.ordered_test.order_id])}#{result.ordered_test_id}"
        )
    return redirect("results")


MARKED = "Marked as reviewed. Caspio is told within a minute; under “Reviewed” it can be taken back."
UNMARKED = "It waits for a review again."


@require("results.see")
@require_GET
def result_pdf(request: HttpRequest, result_id: uuid.UUID) -> HttpResponse:
    """The lab's report, for a frame of our own page. Kept by no cache, and nothing in it can reach anything."""
    result = _result(request, result_id, "results.see")
    stored = result.pdf
    if stored is None or result.withheld or stored.emptied_at:
        raise Http404
    record(
        "result.read", actor=person(request), practice=result.ordered_test.practice,
        patient=sides_of(result.ordered_test.order), subject=f"result:{result.pk}", why="treatment",
    )  # fmt: skip
    try:
        content = bytes(stored.content)
    except CannotOpen:
        raise Http404 from None
    answer = HttpResponse(content, content_type="application/pdf")
    answer["Content-Disposition"] = 'inline; filename="result.pdf"'
    answer["Content-Security-Policy"] = PDF_POLICY
    answer["X-Frame-Options"] = "SAMEORIGIN"
    answer["Cross-Origin-Resource-Policy"] = "same-origin"
    return answer


def _result(request: HttpRequest, result_id: uuid.UUID, permission: str) -> Result:
    found = Result.objects.select_related("ordered_test__order__patient", "ordered_test__practice", "pdf")
    result = found.filter(pk=result_id).first()
    if result is None:
        raise Http404
    scope.enter(request, permission, result.ordered_test.practice.slug)
    return result


def _assign(result: Result, name: str, due: str, actor: Actor) -> None:
    practice = result.ordered_test.practice
    name = name if name in reviewers(practice) else ""
    try:
        day = DateField(required=False).clean(due)
    except ValidationError:
        raise CannotReview("The day is not a date. Nothing was changed.") from None
    with transaction.atomic():
        Result.objects.filter(pk=result.pk).update(assigned_to=name, due_on=day)
        record(
            "result.assign", actor=actor, practice=practice, patient=sides_of(result.ordered_test.order),
            subject=f"result:{result.pk}", why="treatment",
        )  # fmt: skip


def reviewers(practice: Practice) -> list[str]:
    """Who may review at a practice."""
    members = Membership.objects.filter(
        practice=practice, role__in=PERMISSIONS["results.review"], user__is_active=True
    )
    return list(members.order_by("user__username").values_list("user__username", flat=True))


# -- the list ------------------------------------------------------------------------------------------------


def _last(request: HttpRequest, practices: Sequence[Practice]) -> Result | None:
    """The result behind which the page begins."""
    try:
        key = uuid.UUID(request.GET.get("after", ""))
    except ValueError:
        return None
    return Result.objects.filter(practice__in=practices, pk=key).first()


def _with_all(found: QuerySet[Result]) -> QuerySet[Result]:
    pdf = Prefetch("pdf", StoredFile.objects.defer("content"))
    return found.select_related(
        "ordered_test__order__patient", "ordered_test__order__practice"
    ).prefetch_related("values", pdf)


@dataclass(frozen=True)
class Line:
    """One result of the list."""

    result: Result
    name: str  # of the test
    who: Who
    due: date
    overdue: bool
    readings: tuple[Reading, ...]
    people: SafeString  # to whom it may be given, as the options of a choice

    @property
    def practice(self) -> Practice:
        return self.result.ordered_test.order.practice

    @property
    def urgency(self) -> str:
        return str(Urgency(self.result.urgency).label)

    @property
    def tone(self) -> str:
        return {Urgency.CRITICAL: "harm", Urgency.ABNORMAL: "wait"}.get(Urgency(self.result.urgency), "")

    @cached_property
    def flagged(self) -> list[Reading]:
        return sorted((one for one in self.readings if one.tone), key=lambda one: one.tone != "harm")

    @property
    def shown(self) -> list[Reading]:
        return self.flagged[:FLAGGED]

    @property
    def further(self) -> int:
        return len(self.flagged) - len(self.shown)


def _lines(rows: Sequence[Result], reviewing: Mapping[uuid.UUID, Sequence[str]]) -> list[Line]:
    people = whose([one.ordered_test.order for one in rows])
    # Written once for all lines that are the same person's: everybody stands in every line.
    options = {
        (pk, name): _options(reviewing.get(pk, ()), name)
        for pk, name in {(one.practice_id, one.assigned_to) for one in rows}
    }
    ids = {one.ordered_test.lab_test_id_external for one in rows}
    practices = {one.ordered_test.order.practice for one in rows}
    named = {
        (test.practice_id, test.external_id): test.name
        for test in LabTest.objects.filter(practice__in=practices, external_id__in=ids)
    }
    days = {one: config_of(one).alerts.review_days for one in practices}
    now = timezone.now()
    lines = []
    for one in rows:
        test, order = one.ordered_test, one.ordered_test.order
        due = due_on(one, order.practice, days[order.practice])
        overdue = one.reviewed_at is None and due < now.astimezone(order.practice.zone).date()
        name = named.get((order.practice_id, test.lab_test_id_external)) or test.external_id
        given = options[one.practice_id, one.assigned_to]
        lines.append(Line(one, name, people[order.pk], due, overdue, _open(one), given))
    return lines


def _options(names: Sequence[str], chosen: str) -> SafeString:
    return format_html_join(
        "", "<option{}>{}</option>", ((" selected" if name == chosen else "", name) for name in names)
    )


def _open(result: Result) -> tuple[Reading, ...]:
    try:
        return readings(result)
    except CannotOpen:
        return ()
