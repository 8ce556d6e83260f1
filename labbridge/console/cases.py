"""Review cases: both sides, the reasons, the allowed actions, and taking a decision back."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from labbridge.accounts.access import access_of, require
from labbridge.handlers.cases import UNDOABLE, CannotDecide, decide, undo
from labbridge.mirror.models import CaseState, Patient, ReviewCase
from labbridge.mirror.person import PARTS
from labbridge.peers.errors import PeerError

ACTIONS = {
    "link": "Same person: link them",
    "choose_another": "Link with another patient",
    "create": "Somebody new: create at Rupa",
    "not_the_same": "Not the same person",
    "ask_patient": "Ask the patient",
}


@never_cache
@require_GET
@require("cases.decide")
def case_list(request: HttpRequest) -> HttpResponse:
    mine = ReviewCase.objects.filter(practice__in=access_of(request).practices("cases.decide"))
    cases = mine.select_related("practice", "chart")
    decided = cases.exclude(state=CaseState.OPEN).order_by("-decided_at")[:20]
    return render(
        request, "console/cases.html", {"open": cases.filter(state=CaseState.OPEN), "decided": decided}
    )


@never_cache
@require_http_methods(["GET", "POST"])
@require("cases.decide")
def case_page(request: HttpRequest, case_id: uuid.UUID) -> HttpResponse:
    case = ReviewCase.objects.select_related("practice", "chart", "patient").filter(pk=case_id).first()
    if case is None:
        raise Http404
    access_of(request).practice("cases.decide", case.practice.slug)
    if request.method == "POST":
        return _decide(request, case)
    ours, theirs = case.chart.person, (case.patient.person if case.patient else None) or {}
    sides = [(part.replace("_", " "), ours.get(part), theirs.get(part)) for part in PARTS]
    context = {
        "case": case,
        "sides": [
            (name, one, other, (one or "") == (other or "")) for name, one, other in sides if one or other
        ],
        "actions": [(action, ACTIONS[action]) for action in case.actions if action in ACTIONS],
        "others": Patient.objects.filter(practice=case.practice, external_id__in=case.candidates),
        "can_undo": case.state == CaseState.DECIDED and case.decision in UNDOABLE,
    }
    return render(request, "console/case.html", context)


def _decide(request: HttpRequest, case: ReviewCase) -> HttpResponse:
    action, by = request.POST.get("action", ""), request.user.get_username()
    why = request.POST.get("why", "").strip()
    try:
        if action == "undo":
            access_of(request).practice("cases.undo", case.practice.slug)
            reopened = undo(case, by=by, why=why)
            messages.success(request, "Undone. The question is open again; what was filed is taken back.")
            return redirect("case", case_id=reopened.pk)
        decide(case, action, by=by, why=why, choose=request.POST.get("choose", ""))
    except CannotDecide as problem:
        messages.error(request, str(problem))
        return redirect("case", case_id=case.pk)
    except PeerError as error:
        messages.error(request, error.advice)
        return redirect("case", case_id=case.pk)
    messages.success(request, "Decided.")
    return redirect("cases")
