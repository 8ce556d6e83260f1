"""Review cases, by ids and sentences without patient data; deciding one, where the key's scope allows it."""

from __future__ import annotations

import uuid
from contextlib import suppress

from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from ninja import Router

from labbridge.handlers.cases import CannotDecide, decide
from labbridge.handlers.questions import fingerprint
from labbridge.handover.api import shapes
from labbridge.handover.api.auth import actor_of, audit, key_of
from labbridge.handover.api.calls import get, one, post
from labbridge.handover.api.once import IdempotencyKey, once
from labbridge.handover.api.paging import Pages, Paging, page
from labbridge.handover.api.problems import GONE, Problem
from labbridge.handover.models import KeptCall
from labbridge.mirror.models import CaseKind, CaseState, ReviewCase
from labbridge.trust.envelope import data_keys
from labbridge.trust.keys import CannotOpen

router = Router(tags=["review cases"])

REMOVED = "What this case is about was removed, so nothing is left to decide."


@get(router, "review-cases", "cases:read", shapes.ReviewCasePage)
def list_review_cases(
    request: HttpRequest, paging: Paging = Pages, state: CaseState | None = None
) -> shapes.ReviewCasePage:
    cases = _cases(request)
    if state is not None:
        cases = cases.filter(state=state)
    rows, cursor = page(cases, paging)
    patients = [side for row in rows for side in _concerned(row)]
    audit(request, "case.list", patients=patients, count=len(rows))
    with suppress(CannotOpen):  # then their cases say nothing of what was seen
        data_keys.prepare([side.pk for side in patients])
    return shapes.ReviewCasePage(items=[full_case(row) for row in rows], next_cursor=cursor)


@get(router, "review-cases/{case_id}", "cases:read", shapes.ReviewCase)
def get_review_case(request: HttpRequest, case_id: uuid.UUID) -> shapes.ReviewCase:
    case = one(_cases(request), case_id)
    audit(request, "case.read", patients=_concerned(case), subject=f"case:{case.pk}")
    return full_case(case)


@post(router, "review-cases/{case_id}/decision", "cases:decide", shapes.ReviewCase, 409, 410, 503)
def decide_review_case(
    request: HttpRequest, case_id: uuid.UUID, decision: shapes.Decision, idempotency_key: IdempotencyKey
) -> HttpResponse:
    """Carry out one of the case's `actions`. Undoing is for a person in the console, with a proof of who they are."""
    case = one(_cases(request), case_id)
    key = key_of(request)

    def work(_call: KeptCall) -> tuple[int, shapes.ReviewCase]:
        done = _already(case, decision, key.name)
        if done is None:
            try:
                done = decide(
                    case, decision.action, by=key.name, why=decision.why, choose=decision.choose,
                    seen=decision.seen or None, actor=actor_of(request),
                )  # fmt: skip
            except CannotDecide as problem:
                raise Problem("conflict", str(problem)) from None
        return 200, full_case(done)

    try:
        return once(request, idempotency_key, decision, work)
    except GONE:
        raise Problem("removed", REMOVED) from None


def _already(case: ReviewCase, decision: shapes.Decision, name: str) -> ReviewCase | None:
    """The case, when this very decision was made and its answer lost."""
    case.refresh_from_db()
    same = (case.state, case.decision, case.decided_by, case.why) == (
        CaseState.DECIDED, decision.action, name, decision.why,
    )  # fmt: skip
    return case if same else None


def _cases(request: HttpRequest) -> QuerySet[ReviewCase]:
    cases = ReviewCase.objects.filter(practice=key_of(request).practice)
    return cases.select_related("practice", "chart__practice", "patient", "decided_patient")


def _concerned(case: ReviewCase) -> list[Model]:
    return [side for side in (case.chart, case.patient, case.decided_patient) if side is not None]


def full_case(case: ReviewCase) -> shapes.ReviewCase:
    patient = case.decided_patient or case.patient
    return shapes.ReviewCase(
        id=case.pk, kind=CaseKind(case.kind), state=CaseState(case.state),
        decision=case.decision or None, reasons=[reason["words"] for reason in case.reasons],
        actions=case.actions if case.state == CaseState.OPEN else [],
        ways_out=[way["words"] for way in case.ways_out], patient_id=case.chart_id,
        rupa_patient_id=patient.external_id if patient else None, candidates=case.candidates, fields=case.parts,
        decided_by=case.decided_by or None, opened_at=case.opened_at, decided_at=case.decided_at,
        seen=fingerprint(case),
    )  # fmt: skip
