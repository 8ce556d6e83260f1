"""Patients from Caspio to Rupa: matched, linked, created, kept equal; or a question for a person.

One chart at a time under its lock, and matching one at a time per practice: two rows with one e-mail must see each
other. Nothing is created while Rupa's own list, read after the row was, holds the e-mail.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import structlog
from django.utils import timezone

from labbridge.engine.jobs import NotYet
from labbridge.engine.locks import exclusive
from labbridge.filing.patients import write_back
from labbridge.handlers.charts import read_table
from labbridge.handlers.judging import Finding, Verdict, decide_on, holders_of_email, identity_of, judge
from labbridge.handlers.links import (
    AlreadyLinked,
    Overtaken,
    judged_by,
    link,
    link_chart_as_read,
    link_of,
)
from labbridge.handlers.policies import Plan, plan, settle
from labbridge.handlers.questions import close_cases, open_case, open_value_case, part_name, review_sentence
from labbridge.handlers.rupa_patients import (
    age_held,
    patient_at_rupa,
    patient_data,
    read_patients,
    refused,
    take_patient,
)
from labbridge.mirror.merge import read_at
from labbridge.mirror.models import CaseKind, CaseState, Chart, Patient, PatientLink, ReviewCase
from labbridge.mirror.person import Person
from labbridge.mirror.pseudonyms import sides_of
from labbridge.peers.caspio import Caspio
from labbridge.peers.errors import Conflict, NotFound, OutcomeUnknown, PeerError, Rejected
from labbridge.peers.lab import LabPeer
from labbridge.peers.rupa.types import PatientSnapshot
from labbridge.practices.apply import config_of
from labbridge.practices.clients import RUPA_ASSUMPTIONS, caspio, lab, rupa_connection
from labbridge.practices.connections import connection_of_patient
from labbridge.practices.models import Practice
from labbridge.trust.audit import job, record

log = structlog.get_logger()

LINKED = "Linked with Rupa."
CREATED = "Created at Rupa and linked."
WAITING = "Rupa creates this patient with their first lab order."
NO_SUCH_ID = (
    "Rupa knows no patient with the Rupa id on this row. Correct or clear it, then the row is matched again."
)
GONE_AT_RUPA = (
    "Rupa no longer knows the patient of this row. Look at them in Rupa, then correct the Rupa id here."
)
ID_TAKEN = (
    "Another row has this Rupa patient id too, or is linked with that patient. Correct or clear the id on one of the "
    "two rows."
)
EMAIL_TAKEN = (
    "Another patient at Rupa uses this e-mail. Rupa would merge the two, so nothing was sent. Ask the patient for an "
    "e-mail of their own, or decide in Labbridge that both are the same person."
)
EMAIL_CHANGE_TAKEN = (
    "Another patient at Rupa uses this new e-mail. Rupa would merge the two, so the change was not sent. Ask the "
    "patient for an e-mail of their own and enter it here, or take Rupa's back in Labbridge, under Matches."
)
NO_CHANGES = "Rupa takes no changes of a patient from us: make this change at Rupa too."
UNDONE = "A link was undone. Decide in Labbridge, under Matches."
ASKED = "Ask the patient, then correct this row: it is matched again by itself."
CREATED_HERE = "Created at Rupa from this row."
CREATED_UNHEARD = "Created at Rupa from this row; the answer had been lost."
OVERTAKEN = "This row was changed a moment ago. Look at it again, then decide."


@dataclass(frozen=True)
class Outcome:
    """Rupa_Sync_Status of design.md 6.6.7, and the sentence beside it."""

    status: str
    message: str
    rupa_patient_id: str | None = None


def sync_now(chart: Chart) -> str:
    """Bring one chart to its outcome and say so on its row. Returns the status word.

    Raises:
        PeerError: a peer is away.
        NotConnected: no usable connection.
        FilingProblem: the row in Caspio cannot be written.
        NotYet: the row was changed meanwhile.

    """
    with exclusive(f"chart:{chart.pk}"):
        chart.refresh_from_db()
        if not chart.present or chart.erased_at:
            return "gone"
        made = link_of(chart)
        try:
            outcome = _unlinked(chart) if made is None else _linked(chart, made)
        except Overtaken:
            raise NotYet("This row was changed while it was matched.", retry_after=1) from None
        with caspio(chart.practice, "patients") as client:
            tell(chart, client, outcome)
    return outcome.status


def tell(chart: Chart, client: Caspio, outcome: Outcome) -> None:
    """Write the outcome on the row; a question that answered itself is closed."""
    asked = ReviewCase.objects.filter(chart=chart, kind=CaseKind.IDENTITY, state=CaseState.OPEN)
    if outcome.status != "review" and asked.filter(reopened=False).exists():
        close_cases(chart, kind=CaseKind.IDENTITY)
    values: dict[str, str | None] = {"sync_status": outcome.status, "sync_message": outcome.message}
    if outcome.rupa_patient_id is not None:
        values["rupa_patient_id"] = outcome.rupa_patient_id
    write_back(chart, client, values)
    Chart.objects.filter(pk=chart.pk).update(
        sync_status=outcome.status, sync_message=outcome.message[:1000], sync_problem=""
    )
    log.info("patients.synced", practice=chart.practice.slug, pk_id=chart.pk_id, state=outcome.status)


def _said(chart: Chart, sentence: str) -> str:
    """The outcome's sentence, and which values were left out and why."""
    return " ".join([sentence, *(problem.sentence for problem in identity_of(chart).problems)])


# -- no link yet -------------------------------------------------------------------------------------------------


def _unlinked(chart: Chart) -> Outcome:
    practice = chart.practice
    if practice.charts_read_at is None:
        read_table(practice)  # whether another row is the same patient can be said only once all are known
    with exclusive(f"patients:{practice.pk}"):
        read_patients(practice, after=max(chart.read_at, chart.asked_at or chart.read_at))
        _must_stand(chart)
        if chart.asked_at is not None and (found := _made_unheard(chart)) is not None:
            return _take_link(chart, found, CREATED_UNHEARD)
        if chart.rupa_patient_id and not _is_read(practice, chart.rupa_patient_id):
            patient_at_rupa(practice, chart.rupa_patient_id)
        verdict = judge(chart)
        outcome = create(chart) if verdict.finding is Finding.CREATE else _act_on(chart, verdict)
    _must_stand(chart)  # the row is not told what was true of its former values
    return outcome


def _must_stand(chart: Chart) -> None:
    """Reading Rupa's list takes its time, and somebody may correct the row meanwhile. Raises Overtaken."""
    if judged_by(Chart.objects.get(pk=chart.pk)) != judged_by(chart):
        raise Overtaken


def _is_read(practice: Practice, external_id: str) -> bool:
    known = Patient.objects.filter(practice=practice, external_id=external_id)
    return known.exclude(person=None).exists()


def _act_on(chart: Chart, verdict: Verdict) -> Outcome:
    """Everything but creating."""
    match verdict.finding:
        case Finding.LINK:
            made = link_chart_as_read(chart)
            if made is None:
                return Outcome("failed", ID_TAKEN)
            return Outcome("linked", _said(chart, LINKED), made.patient.external_id)
        case Finding.REVIEW if verdict.decision is not None:
            open_case(chart, verdict.decision)
            return Outcome("review", _said(chart, review_sentence(verdict.decision)))
        case Finding.HELD:
            return _held(chart)
        case Finding.INVALID:
            blocking = [one.sentence for one in identity_of(chart).problems if one.blocking]
            return Outcome("invalid", " ".join(blocking))
        case Finding.UNKNOWN_ID | Finding.ID_TAKEN:
            return Outcome("failed", NO_SUCH_ID if verdict.finding is Finding.UNKNOWN_ID else ID_TAKEN)
    raise NotYet("The patients table is being read.", retry_after=5)


def _held(chart: Chart) -> Outcome:
    """A link was taken back: the row stays as it was put back then, until a person decides."""
    case = ReviewCase.objects.filter(chart=chart, state=CaseState.OPEN, reopened=True).first()
    before = case.before if case is not None else {}
    said = before.get("sync_message") if before.get("sync_status") == "review" else ""
    return Outcome("review", said or UNDONE, before.get("rupa_patient_id", ""))


def create(chart: Chart, *, by_person: bool = False) -> Outcome:
    """A new patient at Rupa, where the practice wants that. Call it under the practice's lock for patients.

    Rupa's list was read and nobody has the e-mail. That we ask is committed before we do: after a lost answer the
    list is read again before anything is sent.

    Raises:
        OutcomeUnknown: nobody was found, but an earlier request may still be under way at Rupa.
        Overtaken: the row is somebody else by now. To a person that is said as an outcome.

    """
    try:
        _must_stand(chart)
        return _create(chart, by_person=by_person)
    except Overtaken:
        if not by_person:
            raise
        return Outcome("failed", OVERTAKEN)


def _create(chart: Chart, *, by_person: bool) -> Outcome:
    practice, identity = chart.practice, identity_of(chart)
    if config_of(practice).sync.patients != "full" and not by_person:
        return Outcome("waiting", _said(chart, WAITING))
    if identity.email is None or holders_of_email(practice, identity.email):
        return _email_taken(chart)
    _wait_out_doubt(chart)
    connection = rupa_connection(practice)
    with lab(connection, "patients") as peer:
        try:
            snapshot = _asked(chart, peer, identity.as_person())
        except NotFound:  # Rupa offers no such call: the first order intent creates the patient
            return Outcome("waiting", _said(chart, WAITING))
        except (Conflict, Rejected) as error:
            return _refused(chart, error)
        known = Patient.objects.filter(practice=practice, external_id=snapshot.id).exists()
        patient, _ = take_patient(practice, snapshot, peer.now(), connection)
    if known or not _is_as_sent(identity.as_person(), patient):
        return _email_taken(chart)  # Rupa handed back somebody who was there already (rupa-api.md 5.3)
    return _take_link(chart, patient, CREATED_HERE)


def _asked(chart: Chart, peer: LabPeer, person: Person) -> PatientSnapshot:
    """Ask Rupa for a new patient; that it was asked is kept until it is known what became of it."""
    _note_asked(chart, asked=True)
    record("patient.create", actor=job("sync_chart"), practice=chart.practice, patient=chart)
    try:
        return peer.create_patient(patient_data(person))
    except OutcomeUnknown as error:
        if error.status is not None:  # it has answered, so whatever it did is done: a list shows it
            Chart.objects.filter(pk=chart.pk).update(in_doubt_until=None)
        raise
    except PeerError:
        _note_asked(chart, asked=False)
        raise


def _email_taken(chart: Chart) -> Outcome:
    _note_asked(chart, asked=False)
    open_case(chart, decide_on(chart, identity_of(chart)))
    return Outcome("review", EMAIL_TAKEN)


def _note_asked(chart: Chart, *, asked: bool) -> None:
    chart.asked_at = timezone.now() if asked else None
    chart.in_doubt_until = chart.asked_at and chart.asked_at + RUPA_ASSUMPTIONS.intent_doubt
    Chart.objects.filter(pk=chart.pk).update(asked_at=chart.asked_at, in_doubt_until=chart.in_doubt_until)


def _wait_out_doubt(chart: Chart) -> None:
    """After a connection broke, Rupa may still be making the patient whom its list does not show yet."""
    if chart.in_doubt_until is not None and (left := chart.in_doubt_until - timezone.now()) > timedelta():
        raise OutcomeUnknown("rupa", "look for a patient", code="under_way", retry_after=left.total_seconds())


def _take_link(chart: Chart, patient: Patient, reason: str) -> Outcome:
    try:
        link(chart, patient, [reason], sent=identity_of(chart).as_person())
    except AlreadyLinked:
        return Outcome("failed", ID_TAKEN)
    except Overtaken:  # who was created is known: the row is judged anew, beside them
        _note_asked(chart, asked=False)
        raise
    _note_asked(chart, asked=False)
    return Outcome("created", _said(chart, CREATED), patient.external_id)


def _made_unheard(chart: Chart) -> Patient | None:
    """The patient whom a request made whose answer was lost: nobody had the e-mail before it."""
    identity = identity_of(chart)
    holders = holders_of_email(chart.practice, identity.email) if identity.email else []
    if (
        len(holders) != 1
        or link_of(holders[0]) is not None
        or not _is_as_sent(identity.as_person(), holders[0])
    ):
        return None
    return holders[0]


def _is_as_sent(person: Person, patient: Patient) -> bool:
    """Whether Rupa holds what we sent and nothing else of who they are."""
    theirs = identity_of(patient).as_person()
    parts = ("first_name", "last_name", "birthday")
    same_email = (theirs["email"] or "").casefold() == (person["email"] or "").casefold()
    return same_email and all(theirs[part] == person[part] for part in parts)


def _refused(chart: Chart, error: Conflict | Rejected) -> Outcome:
    """Which field Rupa would not take. An e-mail may be in use there since a moment ago: then that is the answer."""
    if not isinstance(error, Conflict) and "email" not in {name.split(".")[-1] for name in error.fields}:
        return Outcome("invalid", refused(error, "this patient"))
    read_patients(chart.practice, after=timezone.now())
    verdict = judge(chart)
    if verdict.finding is not Finding.CREATE:
        return _act_on(chart, verdict)
    return Outcome("invalid", f"{refused(error, 'the e-mail')} Perhaps another patient at Rupa uses it.")


# -- linked ------------------------------------------------------------------------------------------------------


def _linked(chart: Chart, made: PatientLink) -> Outcome:
    """Bring later changes to where the practice's policy wants them."""
    patient, sync = made.patient, config_of(chart.practice).sync
    blocking = [problem.sentence for problem in identity_of(chart).problems if problem.blocking]
    if blocking:
        return Outcome("invalid", " ".join(blocking), patient.external_id)
    found = plan(made, chart, patient, sync)
    if found.moves:
        if any(
            sync.policy_of(part) != "caspio" for part in (*found.to_rupa, *found.to_caspio, *found.to_ask)
        ):
            fresh = patient_at_rupa(chart.practice, patient.external_id)
            if fresh is None:
                return Outcome("failed", GONE_AT_RUPA, patient.external_id)
            if link_of(chart) is None:  # Rupa's patient has become somebody else: see `links.follow_patient`
                return _unlinked(chart)
            patient = fresh
            found = plan(made, chart, patient, sync)
        if found.to_rupa and sync.patients == "full":
            if "email" in found.to_rupa and _is_anothers_email(patient, found.to_rupa["email"]):
                open_value_case(chart, patient, ["email"], EMAIL_CHANGE_TAKEN, ("use_rupa", "ask_patient"))
                return Outcome("review", EMAIL_CHANGE_TAKEN, patient.external_id)
            with lab(connection_of_patient(chart.practice, patient.connection), "patients") as peer:
                problem = send_changes(chart.practice, peer, patient, found.to_rupa)
            if problem is not None:
                return Outcome(*problem, patient.external_id)
            patient.refresh_from_db()
    if found.to_caspio:
        with caspio(chart.practice, "patients") as client:
            write_back(chart, client, {}, found.to_caspio)
    return _settled(chart, made, patient, found)


def _settled(chart: Chart, made: PatientLink, patient: Patient, found: Plan) -> Outcome:
    settle(made, chart, patient, found)
    said = LINKED
    if found.to_caspio:
        said += f" Taken over from Rupa: {_names(found.to_caspio)}."
    if found.stays_at_rupa:
        said += (
            f" Rupa has another value for {_names(found.stays_at_rupa)}; change it here to have ours sent."
        )
    if found.to_ask:
        case = open_value_case(chart, patient, found.to_ask)
        words = case.reasons[0]["words"]
        return Outcome("review", f"{words} Decide in Labbridge, under Matches.", patient.external_id)
    close_cases(chart, kind=CaseKind.VALUES)
    if chart.sync_status == "created" and said == LINKED and not found.moves:
        return Outcome("created", _said(chart, CREATED), patient.external_id)  # until something changes
    return Outcome("linked", _said(chart, said), patient.external_id)


def _names(parts: Person | list[str]) -> str:
    return ", ".join(part_name(part) for part in parts)


def send_changes(
    practice: Practice, peer: LabPeer, patient: Patient, changes: Person
) -> tuple[str, str] | None:
    """Change a patient at Rupa. Returns status and sentence when that is not possible."""
    known = age_held(practice, patient.external_id)
    try:
        snapshot = peer.update_patient(patient.external_id, patient_data(changes))
    except NotFound:
        if patient_at_rupa(practice, patient.external_id) is None:
            return "failed", GONE_AT_RUPA
        return "failed", NO_CHANGES
    except (Conflict, Rejected) as error:
        return "invalid", refused(error, _names(changes))
    record("patient.update", actor=job("sync_chart"), practice=practice, patient=sides_of(patient),
           fields=", ".join(sorted(changes)))  # fmt: skip
    take_patient(practice, snapshot, read_at(peer.now(), known), patient.connection)
    return None


def _is_anothers_email(patient: Patient, email: str | None) -> bool:
    """Whether somebody else at Rupa has it, by its list of this moment."""
    read_patients(patient.practice, after=timezone.now())
    return any(one.pk != patient.pk for one in holders_of_email(patient.practice, email or ""))
