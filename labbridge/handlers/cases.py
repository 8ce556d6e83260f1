"""Review cases: a person decides, and can take it back.

Undoing breaks the link, withdraws from Caspio what was filed under the wrong patient, and opens the question again.
"""

from __future__ import annotations

import structlog
from django.db import transaction
from django.utils import timezone

from labbridge.filing.patients import write_back
from labbridge.handlers import jobs
from labbridge.handlers.charts import note_rupa_id
from labbridge.handlers.links import unlink
from labbridge.handlers.patient_sync import AlreadyLinked, link, patient_data, sync_now
from labbridge.matching.normalise import normalise
from labbridge.mirror.merge import merge_patient
from labbridge.mirror.models import CaseState, NotSame, Patient, PatientLink, ReviewCase
from labbridge.practices.clients import caspio, rupa, rupa_connection

log = structlog.get_logger()

LINKS = frozenset({"link", "choose_another"})
UNDOABLE = LINKS | {"not_the_same"}
UNDONE = "A link was undone. Decide in Labbridge, under Matches."
ASKED = "Ask the patient, then correct this row: it is matched again by itself."


class CannotDecide(Exception):
    """The decision is not possible; the sentence says why."""


def decide(case: ReviewCase, action: str, *, by: str, why: str = "", choose: str = "") -> ReviewCase:
    """Carry out one of the case's allowed actions.

    Raises:
        CannotDecide: not allowed, decided already, or the patient belongs to another chart.
        PeerError: a peer is away. A decision that needs no answer of the peer is kept all the same.

    """
    created = _create(case) if action == "create" and action in case.actions else None
    with transaction.atomic():
        held = _locked(case)
        if held.state != CaseState.OPEN:
            raise CannotDecide(f"This case is {held.state} already.")
        if action not in held.actions:
            raise CannotDecide(f"Allowed here: {', '.join(held.actions)}.")
        patient = created or _chosen(held, action, choose)
        if patient is not None:
            _link(held, patient, by, why)
        if action == "not_the_same" and held.patient is not None:
            NotSame.objects.get_or_create(chart=held.chart, patient=held.patient, defaults={"said_by": by})
        if action != "ask_patient":
            held.state, held.decided_at = CaseState.DECIDED, timezone.now()
        held.decision, held.decided_patient, held.decided_by, held.why = action, patient, by, why[:500]
        held.save()
    log.info("cases.decided", practice=held.practice.slug, case_id=str(held.pk), state=action)
    _afterwards(held, action)
    return held


def _locked(case: ReviewCase) -> ReviewCase:
    cases = ReviewCase.objects.select_related("practice", "chart__practice", "patient", "decided_patient")
    return cases.select_for_update(of=("self",)).get(pk=case.pk)


def _create(case: ReviewCase) -> Patient:
    """A new patient at Rupa: allowed only where nobody there holds the e-mail."""
    today = timezone.now().astimezone(case.practice.zone).date()
    with rupa(rupa_connection(case.practice), "patients") as peer:
        snapshot = peer.create_patient(patient_data(normalise(case.chart.person, today=today).as_person()))
        with transaction.atomic():
            patient, _ = merge_patient(case.practice, snapshot, peer.now())
    return patient


def _chosen(case: ReviewCase, action: str, choose: str) -> Patient | None:
    if action == "link":
        return case.patient
    if action != "choose_another":
        return None
    if choose not in case.candidates:
        raise CannotDecide(f"Choose one of: {', '.join(case.candidates)}.")
    return Patient.objects.get(practice=case.practice, external_id=choose)


def _link(case: ReviewCase, patient: Patient, by: str, why: str) -> None:
    try:
        link(case.chart, patient, [f"Decided by {by}." + (f" {why}" if why else "")], made_by=by)
    except AlreadyLinked:
        raise CannotDecide("That patient is linked to another row already. Undo that link first.") from None


def _afterwards(case: ReviewCase, action: str) -> None:
    """Say it on the row at once if Caspio answers, else by the job that is queued first."""
    if action == "ask_patient":
        with caspio(case.practice, "patients") as client:
            write_back(case.chart, client, sync_status="review", sync_message=ASKED)
        return
    if not (action == "not_the_same" and "create" not in case.actions):
        jobs.sync_chart.defer(lock=f"{case.practice.slug}:sync:{case.chart_id}", chart_id=str(case.chart_id))
        sync_now(case.chart)


def undo(case: ReviewCase, *, by: str, why: str = "") -> ReviewCase:
    """Take a decision back: as before it, with the question open again. Returns the reopened question.

    The patient's orders leave the chart by being filed again without one (`handlers/filing.py`).

    Raises:
        CannotDecide: there is nothing to undo.
        PeerError: Caspio is away; the link is broken all the same, and jobs take the rows back.

    """
    with transaction.atomic():
        held = _locked(case)
        if held.state != CaseState.DECIDED or held.decision not in UNDOABLE:
            raise CannotDecide("Only a link or a refusal that a person decided can be undone.")
        held.state, held.undone_by, held.undone_at = CaseState.UNDONE, by, timezone.now()
        held.why = f"{held.why} Undone: {why}".strip()[:500]
        held.save()
        if held.decision == "not_the_same" and held.patient is not None:
            NotSame.objects.filter(chart=held.chart, patient=held.patient).delete()
        made = PatientLink.objects.select_related("patient", "practice").filter(
            chart=held.chart, patient=held.decided_patient
        ).first()  # fmt: skip
        note_rupa_id(held.chart, "")
        if made is not None:
            unlink(made)
        reopened = ReviewCase.objects.create(
            practice=held.practice, chart=held.chart, patient=held.patient, candidates=held.candidates,
            reasons=held.reasons, ways_out=held.ways_out, actions=held.actions, seen=held.seen,
        )  # fmt: skip
    log.info("cases.undone", practice=held.practice.slug, case_id=str(held.pk))
    with caspio(held.practice, "patients") as client:
        write_back(held.chart, client, rupa_patient_id="", sync_status="review", sync_message=UNDONE)
    return reopened
