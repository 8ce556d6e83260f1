"""Taking a decision back, or a link that the rules made.

Undoing breaks the link, withdraws from Caspio what was filed under the wrong patient, puts back what stood on the row
and opens the question again; until a person has answered it, nothing links that row by itself.
"""

from __future__ import annotations

import structlog
from django.db import transaction
from django.utils import timezone

from labbridge.filing.patients import note_row, write_back
from labbridge.handlers.cases import CannotDecide, alone, locked, send_values
from labbridge.handlers.judging import decide_on, identity_of
from labbridge.handlers.links import link_of, queue_sync, unlink
from labbridge.handlers.patient_sync import UNDONE
from labbridge.handlers.questions import IDENTITY_ACTIONS, note_question, open_case
from labbridge.mirror.models import CaseKind, CaseState, Chart, NotSame, PatientLink, ReviewCase
from labbridge.practices.clients import caspio
from labbridge.trust.audit import Actor, record

log = structlog.get_logger()

UNDOABLE = frozenset({"link", "choose_another", "create", "not_the_same", "use_caspio", "use_rupa"})


def undo(case: ReviewCase, *, by: str, why: str = "", actor: Actor | None = None) -> ReviewCase:
    """Take a decision back: as before it, with the question open again. Returns the reopened question.

    The patient's orders leave the chart by being filed again without one (`handlers/filing.py`). A patient who was
    created at Rupa stays there, unlinked.

    Raises:
        CannotDecide: there is nothing to undo.
        PeerError: a peer is away. A link is broken all the same, and jobs take the rows back; values are not.

    """
    case.refresh_from_db()
    _check_undoable(case)
    with alone(case):
        case.refresh_from_db()
        _check_undoable(case)
        if case.kind == CaseKind.VALUES:
            _restore_values(case)
        with transaction.atomic():
            held = locked(case)
            _check_undoable(held)
            held.state, held.undone_by, held.undone_at = CaseState.UNDONE, by, timezone.now()
            held.why = (f"{held.why} Undone: {why}".strip() if why else held.why)[:500]
            held.save()
            who = actor or Actor("person", name=by)
            record("case.undo", actor=who, practice=held.practice,
                   patient=(held.chart, held.decided_patient or held.patient), subject=f"case:{held.pk}", why=why,
                   decision=held.decision)  # fmt: skip
            reopened = _reopened_values(held) if held.kind == CaseKind.VALUES else _reopened(held, who)
    log.info("cases.undone", practice=held.practice.slug, case_id=str(held.pk))
    _restore_row(reopened)
    return reopened


def _check_undoable(case: ReviewCase) -> None:
    if case.state != CaseState.DECIDED or case.decision not in UNDOABLE:
        raise CannotDecide("Only what was linked, created, refused or chosen by a decision can be undone.")


def _reopened(held: ReviewCase, who: Actor) -> ReviewCase:
    """Break what the decision made, and ask again. Inside the transaction that records the undo."""
    chart = held.chart
    if chart is None and "chart" in held.before:
        chart = Chart.objects.select_for_update(no_key=True).get(pk=held.before["chart"])
    if chart is None:  # it had been said that nobody here is this patient
        return _asked_again(held, chart=None, reopened=False)
    NotSame.objects.filter(chart=chart, patient=held.patient).delete()
    made = link_of(chart)
    note_row(chart, {}, held.before.get("rupa_patient_id", ""))
    # Another question may have been opened since; this one takes its place.
    ReviewCase.objects.filter(chart=chart, kind=CaseKind.IDENTITY, state=CaseState.OPEN).update(
        state=CaseState.DECIDED, decision="resolved", decided_by="labbridge", decided_at=timezone.now()
    )
    if made is not None:
        unlink(made, actor=who)
    queue_sync(chart)
    return _asked_again(held, chart=chart, reopened=True)


def _asked_again(held: ReviewCase, *, chart: Chart | None, reopened: bool) -> ReviewCase:
    patient = held.patient or held.decided_patient
    actions = held.actions
    if chart is not None and held.chart is None:
        actions = ["link", "choose_another", "not_the_same", "ask_patient"]
    case: ReviewCase = ReviewCase.objects.create(
        practice=held.practice, kind=held.kind, chart=chart, patient=patient, candidates=held.candidates,
        rows=held.rows, parts=held.parts, reasons=held.reasons, ways_out=held.ways_out, actions=actions,
        seen=held.seen, reopened=reopened, before=held.before,
    )  # fmt: skip
    note_question(case)
    return case


def _restore_row(reopened: ReviewCase) -> None:
    chart, before = reopened.chart, reopened.before
    if chart is None or reopened.kind == CaseKind.VALUES:
        return
    in_words = before.get("sync_message") if before.get("sync_status") == "review" else ""
    sentence = in_words or UNDONE
    Chart.objects.filter(pk=chart.pk).update(sync_status="review", sync_message=sentence)
    with caspio(reopened.practice, "patients") as client:
        named = before.get("rupa_patient_id", "")
        write_back(
            chart, client, {"rupa_patient_id": named, "sync_status": "review", "sync_message": sentence}
        )


def _restore_values(case: ReviewCase) -> None:
    """Put the values back that the decision wrote over, on the side that it wrote to."""
    chart, patient = case.chart, case.patient
    if chart is None or patient is None:
        raise CannotDecide("There is nothing to put back.")
    if case.decision == "use_rupa":
        with caspio(case.practice, "patients") as client:
            write_back(chart, client, {}, {part: case.seen["chart"].get(part) for part in case.parts})
        return
    before = case.seen["patient"]
    wanted = {part: before.get(part) for part in case.parts if before.get(part) is not None}
    if wanted:
        send_values(case, patient, wanted)


def _reopened_values(held: ReviewCase) -> ReviewCase:
    """Ask about the values again: they are unsettled on both sides."""
    made = PatientLink.objects.filter(chart=held.chart).first()
    if made is not None and made.base:
        base = {side: {**values, **dict.fromkeys(held.parts, "")} for side, values in made.base.items()}
        PatientLink.objects.filter(pk=made.pk).update(base=base)
    if held.chart is not None:
        queue_sync(held.chart)
    ReviewCase.objects.filter(chart=held.chart, kind=CaseKind.VALUES, state=CaseState.OPEN).update(
        state=CaseState.DECIDED, decision="resolved", decided_by="labbridge", decided_at=timezone.now()
    )
    return _asked_again(held, chart=held.chart, reopened=True)


def undo_link(chart: Chart, *, by: str, why: str = "", actor: Actor | None = None) -> ReviewCase:
    """Take back a link that the rules made without a person. Returns the question that is open now.

    Raises as `undo`.
    """
    made = link_of(chart)
    if made is None:
        raise CannotDecide("This row is not linked with a patient at Rupa.")
    decided = ReviewCase.objects.filter(
        chart=chart, kind=CaseKind.IDENTITY, state=CaseState.DECIDED, decided_patient=made.patient,
        decision__in=UNDOABLE,
    ).order_by("decided_at").last()  # fmt: skip
    if decided is None:
        decided = _as_decided(chart, made)
    return undo(decided, by=by, why=why, actor=actor)


def _as_decided(chart: Chart, made: PatientLink) -> ReviewCase:
    """The record of what the rules decided, so that taking it back has something to name."""
    close = ReviewCase.objects.filter(chart=chart, kind=CaseKind.IDENTITY, state=CaseState.OPEN)
    close.update(
        state=CaseState.DECIDED, decision="resolved", decided_by="labbridge", decided_at=timezone.now()
    )
    case = open_case(chart, decide_on(chart, identity_of(chart), [made.patient]))
    case.patient, case.candidates = made.patient, [made.patient.external_id]
    case.actions = [action for action in IDENTITY_ACTIONS if action != "create"]
    case.state, case.decision, case.decided_patient = CaseState.DECIDED, "link", made.patient
    case.decided_by, case.decided_at = made.made_by, made.made_at
    case.save()
    return case
