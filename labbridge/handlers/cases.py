"""Review cases: a person decides, with one of the allowed actions (`handlers/undo.py` takes it back)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import structlog
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from labbridge.engine.jobs import NotYet
from labbridge.engine.locks import exclusive
from labbridge.filing.patients import write_back
from labbridge.handlers.charts import read_chart_by_key
from labbridge.handlers.judging import identity_of
from labbridge.handlers.links import AlreadyLinked, is_connected, link, link_of, queue_sync
from labbridge.handlers.patient_sync import ASKED, create, send_changes, sync_now
from labbridge.handlers.policies import Plan, settle
from labbridge.handlers.questions import fingerprint
from labbridge.handlers.rupa_patients import patient_at_rupa, read_patients
from labbridge.handlers.settle import refile_orders
from labbridge.mirror.models import (
    CaseKind,
    CaseState,
    Chart,
    NotSame,
    Order,
    Patient,
    ReviewCase,
)
from labbridge.practices.clients import caspio, lab
from labbridge.practices.connections import connection_of_patient
from labbridge.trust.audit import Actor, record

log = structlog.get_logger()

CHANGED = "The question has changed since you saw it: look again."
HERE = frozenset({"link", "not_the_same"})  #: of these nothing is done at a peer before they are recorded
TAKEN = "That patient or that row has another link already. Undo that one first."


class CannotDecide(Exception):
    """The decision is not possible; the sentence says why."""


def decide(  # who, what and why of one decision
    case: ReviewCase,
    action: str,
    *,
    by: str,
    why: str = "",
    choose: str = "",
    seen: str | None = None,
    actor: Actor | None = None,
) -> ReviewCase:
    """Carry out one of the case's allowed actions.

    `choose` goes with choose_another: a Rupa patient id, or the Caspio key of a row where the case has none. `seen`
    is the question's fingerprint when it was looked at; None where nobody can say. `actor` is how the audit knows
    whoever `by` names.

    Raises:
        CannotDecide: not allowed, decided already, changed since it was seen, or the patient belongs to another
            chart.
        PeerError: a peer is away. A decision that needs no answer of the peer is kept all the same.

    """
    case.refresh_from_db()
    _check(case, action)
    with alone(case):
        case.refresh_from_db()
        _check(case, action, seen)
        before = _row_now(case.chart)
        done = _carry_out(case, action, choose)
        with transaction.atomic():
            held = locked(case)
            _check(held, action, seen if action in HERE else None)
            if action != "ask_patient":
                held.state, held.decided_at, held.reopened = CaseState.DECIDED, timezone.now(), False
            held.decision, held.decided_by, held.why = action, by, why[:500]
            held.decided_patient, held.before = done.patient, before | done.before
            if held.kind == CaseKind.VALUES and done.seen:
                held.seen = done.seen
            who = actor or Actor("person", name=by)
            _finish(held, action, done, who)
            held.save()
            whom = (done.chart, done.patient or held.patient)
            record("case.decide", actor=who, practice=held.practice, patient=whom, subject=f"case:{held.pk}",
                   why=why, decision=action)  # fmt: skip
    log.info("cases.decided", practice=held.practice.slug, case_id=str(held.pk), state=action)
    _tell_row(held, action, done.chart)
    return held


def _check(case: ReviewCase, action: str, seen: str | None = None) -> None:
    if case.state != CaseState.OPEN:
        raise CannotDecide(f"This case is {case.state} already.")
    if action not in case.actions:
        raise CannotDecide(f"Allowed here: {', '.join(case.actions)}.")
    if seen is not None and seen != fingerprint(case):
        raise CannotDecide(CHANGED)


@contextmanager
def alone(case: ReviewCase) -> Iterator[None]:
    """No job brings this row to Rupa while a person decides about it."""
    with exclusive(f"chart:{case.chart_id}" if case.chart_id else f"case:{case.pk}"):
        yield


def locked(case: ReviewCase) -> ReviewCase:
    """Chart before case, as everywhere."""
    if case.chart_id is not None:
        Chart.objects.select_for_update(no_key=True).get(pk=case.chart_id)
    cases = ReviewCase.objects.select_related("practice", "chart__practice", "patient", "decided_patient")
    return cases.select_for_update(of=("self",)).get(pk=case.pk)


def _row_now(chart: Chart | None) -> dict[str, str]:
    """What stands on the row, for an undo. Sentences hold no patient data."""
    if chart is None:
        return {}
    return {
        "rupa_patient_id": chart.rupa_patient_id,
        "sync_status": chart.sync_status,
        "sync_message": chart.sync_message,
    }


class _Done:
    """What a decision came to before it is recorded: whom and which row it is about."""

    def __init__(self, chart: Chart | None, patient: Patient | None = None) -> None:
        self.chart, self.patient = chart, patient
        self.before: dict[str, str] = {}
        self.seen: dict[str, object] = {}


def _carry_out(case: ReviewCase, action: str, choose: str) -> _Done:
    """The part that needs a peer, or that chooses."""
    done = _Done(case.chart)
    match action:
        case "link":
            done.patient = case.patient
        case "create":
            done.patient = _create(case)
        case "choose_another" if case.chart is None:
            done.chart, done.patient = _chosen_row(case, choose), case.patient
            done.before = {**_row_now(done.chart), "chart": str(done.chart.pk)}
        case "choose_another":
            done.patient = _chosen_patient(case, choose)
        case "use_caspio" | "use_rupa":
            done.patient = case.patient
            done.seen = _use_values(case, action)
    return done


def _create(case: ReviewCase) -> Patient | None:
    """A new patient at Rupa: allowed only where nobody there holds the e-mail, by its list of this moment.

    None where Rupa creates them with their first order.
    """
    chart = case.chart
    if chart is None:
        raise CannotDecide("There is no row to create a patient from.")
    with exclusive(f"patients:{case.practice_id}"):
        read_patients(case.practice, after=timezone.now())
        outcome = create(chart, by_person=True)
    made = link_of(chart)
    if made is None and outcome.status != "waiting":
        raise CannotDecide(outcome.message)
    return made.patient if made is not None else None


def _chosen_patient(case: ReviewCase, choose: str) -> Patient:
    patient = Patient.objects.filter(practice=case.practice, external_id=choose).first()
    if patient is None and choose and is_connected(case.practice):
        patient = patient_at_rupa(case.practice, choose)
    if patient is None:
        known = ", ".join(case.candidates)
        raise CannotDecide(f"Choose a Rupa patient id{f', such as: {known}' if known else ''}.")
    return patient


def _chosen_row(case: ReviewCase, choose: str) -> Chart:
    chart = Chart.objects.filter(practice=case.practice, key=choose, present=True).first()
    if chart is None and choose:
        with caspio(case.practice, "patients") as client:
            chart = read_chart_by_key(case.practice, client, choose)
    if chart is None:
        raise CannotDecide("Choose the key of a row that stands in the practice's patients table.")
    return chart


def _use_values(case: ReviewCase, action: str) -> dict[str, object]:
    """Write one side's values over the other's. Returns both sides as they were before."""
    chart, patient = case.chart, case.patient
    made = link_of(chart) if chart is not None else None
    if chart is None or patient is None or made is None or made.patient_id != patient.pk:
        raise CannotDecide("The two are not linked any more.")
    patient.refresh_from_db()
    seen: dict[str, object] = {"chart": dict(chart.person), "patient": dict(patient.person or {})}
    ours, theirs = identity_of(chart).as_person(), patient.person or {}
    if action == "use_caspio":
        wanted = {part: ours[part] for part in case.parts if ours.get(part) is not None}
        if len(wanted) < len(case.parts):
            raise CannotDecide("The value in Caspio is missing or cannot be used. Correct the row first.")
        send_values(case, patient, wanted)
    else:
        with caspio(case.practice, "patients") as client:
            write_back(chart, client, {}, {part: theirs.get(part) for part in case.parts})
    return seen


def send_values(case: ReviewCase, patient: Patient, values: dict[str, str | None]) -> None:
    with lab(connection_of_patient(case.practice, patient.connection), "patients") as peer:
        problem = send_changes(case.practice, peer, patient, values)
    if problem is not None:
        raise CannotDecide(problem[1])


def _finish(held: ReviewCase, action: str, done: _Done, who: Actor) -> None:
    """What the decision changes here, in the transaction that records it."""
    chart, patient = done.chart, done.patient
    if action in {"link", "choose_another"} and chart is not None and patient is not None:
        NotSame.objects.filter(chart=chart, patient=patient).delete()
        try:
            link(chart, patient, _said(held), made_by=held.decided_by, actor=who)
        except AlreadyLinked:
            raise CannotDecide(TAKEN) from None
    if action == "not_the_same" and chart is not None and held.patient is not None:
        NotSame.objects.get_or_create(
            chart=chart, patient=held.patient, defaults={"said_by": held.decided_by}
        )
    if held.kind == CaseKind.VALUES and chart is not None and patient is not None and action != "ask_patient":
        made = link_of(chart)
        if made is not None:
            chart.refresh_from_db()
            settle(made, chart, Patient.objects.get(pk=patient.pk), Plan())
    if chart is not None:
        queue_sync(chart)
    _refile_candidates(held)


def _said(held: ReviewCase) -> list[str]:
    return [f"Decided by {held.decided_by}." + (f" {held.why}" if held.why else "")]


def _refile_candidates(held: ReviewCase) -> None:
    """Orders of those who were in question and have no row now: they wait for another question."""
    named = Q(external_id__in=held.candidates) | Q(pk=held.patient_id)
    others = Patient.objects.filter(named, practice=held.practice, link__isnull=True)
    refile_orders(Order.objects.filter(patient__in=others))


def _tell_row(case: ReviewCase, action: str, chart: Chart | None) -> None:
    """Say it on the row at once if the peers answer, else by the job that is queued."""
    if chart is None:
        return
    if action == "ask_patient":
        with caspio(case.practice, "patients") as client:
            write_back(chart, client, {"sync_status": "review", "sync_message": ASKED})
        Chart.objects.filter(pk=chart.pk).update(sync_status="review", sync_message=ASKED)
    elif is_connected(case.practice):
        with suppress(NotYet):  # the row is being changed: its job says it
            sync_now(chart)
