"""Matches: the questions, one of them side by side with its reasons, the allowed answers, and taking one back."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from labbridge.accounts.access import access_of, require
from labbridge.accounts.proof import step_up
from labbridge.console import scope
from labbridge.console.differences import sides
from labbridge.handlers.cases import CannotDecide, decide
from labbridge.handlers.questions import fingerprint
from labbridge.handlers.undo import UNDOABLE, undo
from labbridge.mirror.models import CaseState, Patient, ReviewCase
from labbridge.peers.errors import PeerError
from labbridge.trust.audit import person, record

PER_PAGE = 25
UNSHOWN = ("seen", "before", "chart__person", "patient__person")  #: sealed or long, and in no list

#: Answer -> what the button says, and what then happens.
ANSWERS = {
    "link": ("Same person: link them", "Their orders and results are filed in this chart."),
    "choose_another": (
        "Link with the one chosen",
        "Orders and results of that patient are filed in this chart.",
    ),
    "create": ("Somebody new: create at Rupa", "A new patient is made at Rupa from what stands in Caspio."),
    "not_the_same": ("Not the same person", "The two are never proposed together again. Nothing is filed."),
    "ask_patient": ("Ask the patient first", "The row in Caspio says what to ask. The question stays open."),
    "use_caspio": ("Caspio is right", "The value in Caspio is sent to Rupa."),
    "use_rupa": ("Rupa is right", "The value at Rupa is written into the row in Caspio."),
}
TITLES = {
    "link": "Linked: the same person",
    "choose_another": "Linked with another patient",
    "create": "Created at Rupa",
    "not_the_same": "Not the same person",
    "ask_patient": "The patient is asked",
    "use_caspio": "Caspio's value was sent to Rupa",
    "use_rupa": "Rupa's value was written into Caspio",
    "row_gone": "The row left Caspio",
    "resolved": "Answered itself: the row or the patient at Rupa was corrected",
}


@require_GET
@require("cases.decide")
def case_list(request: HttpRequest) -> HttpResponse:
    scope.practices(request, "cases.decide")
    return render(request, "console/cases.html", _listed(request, decided="decided" in request.GET))


@require_http_methods(["GET", "POST"])
@require("cases.decide")
def case_page(request: HttpRequest, case_id: uuid.UUID) -> HttpResponse:
    case = _case(request, case_id, "cases.decide")
    if request.method == "POST":
        return _decide(request, case)
    choices = Patient.objects.filter(practice=case.practice, external_id__in=case.candidates)
    record(
        "case.read", actor=person(request), practice=case.practice, patient=(case.chart, case.patient, *choices),
        subject=f"case:{case.pk}", why="matching",
    )  # fmt: skip
    ours = case.chart.person if case.chart else {}
    theirs = (case.patient.person if case.patient else None) or {}
    may_undo = access_of(request).may("cases.undo", case.practice)
    context = {
        **_listed(request, decided=case.state != CaseState.OPEN),
        "case": case,
        "seen": fingerprint(case),
        "sides": sides(
            ours,
            theirs,
            today=timezone.now().astimezone(case.practice.zone).date(),
        ),
        "answers": [(action, *ANSWERS[action]) for action in _in_order(case)],
        "choices": [one for one in choices if one != case.patient]
        if "choose_another" in case.actions
        else [],
        "name_a_row": case.chart is None and "choose_another" in case.actions,
        "advice": [one["words"] for one in case.ways_out if one["action"] not in case.actions],
        "story": _story(case),
        "can_undo": may_undo and _undoable(case),
    }
    return render(request, "console/cases.html", context)


@require_http_methods(["GET", "POST"])
@require("cases.undo")
@step_up
def case_undo(request: HttpRequest, case_id: uuid.UUID) -> HttpResponse:
    """GET says what is taken back and asks why; POST does it."""
    case = _case(request, case_id, "cases.undo")
    if request.method == "GET" and _undoable(case):
        return render(request, "console/case_undo.html", {"case": case, "title": TITLES[case.decision]})
    try:
        by, why = request.user.get_username(), request.POST.get("why", "").strip()
        reopened = undo(case, by=by, why=why, actor=person(request))
    except CannotDecide as problem:
        messages.error(request, str(problem))
    except PeerError as error:
        messages.error(request, error.advice)
    else:
        messages.success(request, "Undone. The question is open again; what was filed is taken back.")
        return redirect("case", case_id=reopened.pk)
    return redirect("case", case_id=case.pk)


def _case(request: HttpRequest, case_id: uuid.UUID, permission: str) -> ReviewCase:
    case = ReviewCase.objects.select_related("practice", "chart", "patient").filter(pk=case_id).first()
    if case is None:
        raise Http404
    scope.enter(request, permission, case.practice.slug)
    return case


def _in_order(case: ReviewCase) -> list[str]:
    """The allowed answers, what is likeliest first."""
    ways = [one["action"] for one in case.ways_out]
    return [one for one in dict.fromkeys([*ways, *case.actions]) if one in case.actions and one in ANSWERS]


def _undoable(case: ReviewCase) -> bool:
    return case.state == CaseState.DECIDED and case.decision in UNDOABLE


def _listed(request: HttpRequest, *, decided: bool) -> dict[str, Any]:  # any: what the template reads
    """The list beside the question; of the practice of the question, where there is one."""
    place = scope.chosen(request)
    practices = [place] if place else access_of(request).practices("cases.decide")
    mine = ReviewCase.objects.filter(practice__in=practices)
    last = _last(request, mine)
    rows = _decided(mine, last) if decided else _open(mine, last)
    found = list(rows.select_related("practice", "chart", "patient").defer(*UNSHOWN)[: PER_PAGE + 1])
    more = found[PER_PAGE - 1].pk if len(found) > PER_PAGE else None
    return {
        "picks": [_pick(one) for one in found[:PER_PAGE]],
        "decided": decided,
        "more": more,
    }


def _last(request: HttpRequest, mine: QuerySet[ReviewCase]) -> ReviewCase | None:
    """The question behind which the page begins."""
    try:
        return mine.filter(pk=uuid.UUID(request.GET.get("after", ""))).first()
    except ValueError:
        return None


def _open(mine: QuerySet[ReviewCase], last: ReviewCase | None) -> QuerySet[ReviewCase]:
    """The longest open first. An index gives each page, however far behind it is."""
    rows = mine.filter(state=CaseState.OPEN).order_by("opened_at", "id")
    if last is None:
        return rows
    later = Q(opened_at__gt=last.opened_at) | Q(opened_at=last.opened_at, id__gt=last.pk)
    return rows.filter(later, opened_at__gte=last.opened_at)


def _decided(mine: QuerySet[ReviewCase], last: ReviewCase | None) -> QuerySet[ReviewCase]:
    """The latest decision first. One that is open again leads to the first page."""
    rows = mine.exclude(state=CaseState.OPEN).order_by("-decided_at", "-id")
    if last is None or last.decided_at is None:
        return rows
    before = Q(decided_at__lt=last.decided_at) | Q(decided_at=last.decided_at, id__lt=last.pk)
    return rows.filter(before, decided_at__lte=last.decided_at)


@dataclass(frozen=True)
class Pick:
    """One question in the list: a key and a rule's words, no patient data."""

    case: ReviewCase
    why: str
    since: datetime


def _pick(case: ReviewCase) -> Pick:
    if case.state == CaseState.OPEN:
        why = " ".join(one["words"] for one in case.reasons if one["field"] == "rule")
        return Pick(case, why, case.opened_at)
    why = TITLES.get(case.decision, case.decision) + (" (undone)" if case.state == CaseState.UNDONE else "")
    return Pick(case, why, case.decided_at or case.opened_at)


def _story(case: ReviewCase) -> list[dict[str, object]]:
    """What happened to this question, oldest first."""
    story: list[dict[str, object]] = [{"at": case.opened_at, "title": "Asked", "tone": "wait"}]
    if case.decision:
        title, at = TITLES.get(case.decision, case.decision), case.decided_at or case.opened_at
        story.append({"at": at, "title": title, "by": case.decided_by, "detail": case.why, "tone": "good"})
    if case.state == CaseState.UNDONE:
        story.append({"at": case.undone_at, "title": "Undone", "by": case.undone_by, "tone": "harm"})
    return story


def _decide(request: HttpRequest, case: ReviewCase) -> HttpResponse:
    action, why = request.POST.get("action", ""), request.POST.get("why", "").strip()
    try:
        by, sent = request.user.get_username(), request.POST
        decide(
            case, action, by=by, why=why, choose=sent.get("choose", ""), seen=sent.get("seen", ""),
            actor=person(request),
        )  # fmt: skip
    except CannotDecide as problem:
        messages.error(request, str(problem))
        return redirect("case", case_id=case.pk)
    except PeerError as error:
        messages.error(request, error.advice)
        return redirect("case", case_id=case.pk)
    about = f"Chart {case.chart.key}" if case.chart else f"Rupa patient {case.patient}"
    messages.success(request, f"{about}: {TITLES[action][0].lower()}{TITLES[action][1:]}.")
    if action in UNDOABLE:
        return redirect(reverse("case", args=[case.pk]))
    return redirect("cases")
