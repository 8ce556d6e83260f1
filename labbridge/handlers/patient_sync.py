"""Patients from Caspio to Rupa: matched, linked, created, kept equal; or a question for a person.

One chart at a time under its lock, and matching one at a time per practice: two rows with one e-mail must see each
other. Nothing is created while Rupa's own list, read just before, holds the e-mail.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import structlog
from django.db import IntegrityError, transaction
from django.utils import timezone

from labbridge.engine.locks import exclusive
from labbridge.filing.patients import write_back
from labbridge.handlers.charts import note_rupa_id
from labbridge.handlers.settle import refile_orders
from labbridge.matching.decide import Action, Candidate, Decision, decide
from labbridge.matching.identity import Identity
from labbridge.matching.normalise import normalise
from labbridge.mirror.merge import merge_patient
from labbridge.mirror.models import CaseState, Chart, NotSame, Order, Patient, PatientLink, ReviewCase
from labbridge.mirror.person import Person
from labbridge.peers.caspio import Caspio
from labbridge.peers.errors import Conflict, NotFound, Rejected
from labbridge.peers.rupa.client import Rupa
from labbridge.peers.rupa.types import PatientData, PatientSnapshot
from labbridge.practices.apply import config_of
from labbridge.practices.clients import caspio, rupa, rupa_connection
from labbridge.practices.models import Practice
from labbridge.trust.keys import keyring

log = structlog.get_logger()

#: Rupa's list is read again before a patient is created, unless that was done this recently.
LIST_FRESH = timedelta(seconds=20)

LINKED = "Linked with Rupa."
CREATED = "Created at Rupa and linked."
WAITING = "Rupa creates this patient with their first lab order."
NO_SUCH_ID = (
    "Rupa knows no patient with the Rupa id on this row. Correct or clear it, then the row is matched again."
)
ID_TAKEN = (
    "Another row is linked with this Rupa patient. Correct or clear the Rupa id on one of the two rows."
)
EMAIL_TAKEN = (
    "Another patient at Rupa uses this e-mail. Rupa would merge the two, so nothing was sent. Ask the patient for an "
    "e-mail of their own, or decide in Labbridge that both are the same person."
)


class AlreadyLinked(Exception):
    """The chart or the patient has another link: only a person can break it."""


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

    """
    with exclusive(f"chart:{chart.pk}"):
        chart.refresh_from_db()
        if not chart.present:
            return "gone"
        with rupa(rupa_connection(chart.practice), "patients") as peer:
            outcome = _Sync(chart, peer).outcome()
        with caspio(chart.practice, "patients") as client:
            tell(chart, client, outcome)
    return outcome.status


def tell(chart: Chart, client: Caspio, outcome: Outcome) -> None:
    """Write the outcome on the row; a question that answered itself is closed."""
    if outcome.status not in {"review", "invalid"}:
        close_cases(chart)
    values: dict[str, str | None] = {"sync_status": outcome.status, "sync_message": outcome.message}
    if outcome.rupa_patient_id is not None:
        values["rupa_patient_id"] = outcome.rupa_patient_id
        note_rupa_id(chart, outcome.rupa_patient_id)
    write_back(chart, client, **values)
    log.info("patients.synced", practice=chart.practice.slug, pk_id=chart.pk_id, state=outcome.status)


class _Sync:
    """One chart beside Rupa."""

    def __init__(self, chart: Chart, peer: Rupa) -> None:
        self.chart, self.peer = chart, peer
        self.practice: Practice = chart.practice
        self.config = config_of(chart.practice)
        self.today = timezone.now().astimezone(self.practice.zone).date()
        self.identity = normalise(chart.person, today=self.today)

    def outcome(self) -> Outcome:
        index(self.chart, self.identity)
        made = PatientLink.objects.select_related("patient").filter(chart=self.chart).first()
        if made is not None:
            return self._keep_equal(made)
        with exclusive(f"patients:{self.practice.pk}"):
            read_patients(self.practice, self.peer)
            if self.chart.rupa_patient_id:
                return self._by_id(self.chart.rupa_patient_id)
            blocking = [problem.sentence for problem in self.identity.problems if problem.blocking]
            if blocking:
                return Outcome("invalid", " ".join(blocking))
            return self._match()

    def _said(self, sentence: str) -> str:
        """The outcome's sentence, and which values were left out and why."""
        return " ".join([sentence, *(problem.sentence for problem in self.identity.problems)])

    # -- no link yet -----------------------------------------------------------------------------------------

    def _by_id(self, external_id: str) -> Outcome:
        """Somebody put a Rupa id on the row: believed, unless the birthdays say that it is somebody else."""
        patient = Patient.objects.filter(practice=self.practice, external_id=external_id).first()
        if patient is None or patient.person is None:
            try:
                snapshot = self.peer.patient(external_id)
            except NotFound:
                return Outcome("failed", NO_SUCH_ID)
            with transaction.atomic():
                patient, _ = merge_patient(self.practice, snapshot, self.peer.now())
        theirs = normalise(patient.person or {}, today=self.today)
        decision = self._decide([Candidate(external_id, theirs)])
        conflict = self.identity.birthday and theirs.birthday and self.identity.birthday != theirs.birthday
        if conflict:
            return self._ask(decision)
        return self._link(patient, ["The Rupa patient id stands on this patient's row in Caspio."])

    def _match(self) -> Outcome:
        decision = self._decide(self._candidates())
        if decision.action is Action.LINK and decision.chosen is not None:
            patient = Patient.objects.get(practice=self.practice, external_id=decision.chosen)
            return self._link(patient, [reason.words for reason in decision.reasons])
        if decision.action is Action.REVIEW:
            return self._ask(decision)
        return self._create()

    def _candidates(self) -> list[Candidate]:
        index_all(self.practice, self.today)
        keys = lookup_hashes(self.identity)
        found = Patient.objects.filter(practice=self.practice, lookup_keys__overlap=keys).exclude(person=None)
        return [Candidate(one.external_id, normalise(one.person or {}, today=self.today)) for one in found]

    def _decide(self, candidates: list[Candidate]) -> Decision:
        others = Chart.objects.filter(
            practice=self.practice, present=True, lookup_keys__overlap=lookup_hashes(self.identity)
        ).exclude(pk=self.chart.pk)
        linked = PatientLink.objects.filter(patient__external_id__in=[one.key for one in candidates])
        return decide(
            self.identity,
            candidates,
            confirm=self.config.sync.confirm,
            taken=set(linked.exclude(chart=self.chart).values_list("patient__external_id", flat=True)),
            ruled_out=set(
                NotSame.objects.filter(chart=self.chart).values_list("patient__external_id", flat=True)
            ),
            rivals=[normalise(one.person, today=self.today) for one in others],
        )

    def _ask(self, decision: Decision) -> Outcome:
        open_case(self.chart, decision)
        return Outcome("review", review_sentence(decision))

    def _link(self, patient: Patient, reasons: list[str]) -> Outcome:
        try:
            link(self.chart, patient, reasons, made_by="labbridge")
        except AlreadyLinked:
            return Outcome("failed", ID_TAKEN)
        return Outcome("linked", self._said(LINKED), patient.external_id)

    def _create(self) -> Outcome:
        try:
            snapshot = self.peer.create_patient(patient_data(self.identity.as_person()))
        except NotFound:  # Rupa offers no such call: the first order intent creates the patient
            return Outcome("waiting", self._said(WAITING))
        except Conflict:
            return Outcome("review", EMAIL_TAKEN)
        except Rejected as error:
            return Outcome("invalid", refused(error, "this patient"))
        return self._take_created(snapshot)

    def _take_created(self, snapshot: PatientSnapshot) -> Outcome:
        """Rupa may hand back somebody who was there already (rupa-api.md 5.3): that is a match to be judged."""
        with transaction.atomic():
            was_known = Patient.objects.filter(practice=self.practice, external_id=snapshot.id).exists()
            patient, _ = merge_patient(self.practice, snapshot, self.peer.now())
        if was_known:
            open_case(self.chart, self._decide(self._candidates()))
            return Outcome("review", EMAIL_TAKEN)
        link(self.chart, patient, ["Created at Rupa from this row."], made_by="labbridge")
        return Outcome("created", self._said(CREATED), patient.external_id)

    # -- linked ----------------------------------------------------------------------------------------------

    def _keep_equal(self, made: PatientLink) -> Outcome:
        """Send what changed in Caspio since both sides agreed, by the practice's policy for each field."""
        patient = made.patient
        blocking = [problem.sentence for problem in self.identity.problems if problem.blocking]
        if blocking:
            return Outcome("invalid", " ".join(blocking), patient.external_id)
        person = self.identity.as_person()
        changes = self._changes(made, person)
        if "email" in changes and self._email_taken(patient, changes["email"]):
            return Outcome("review", EMAIL_TAKEN, patient.external_id)
        if changes:
            try:
                snapshot = self.peer.update_patient(patient.external_id, patient_data(changes))
            except NotFound:
                return Outcome("failed", NO_SUCH_ID, patient.external_id)
            except Rejected as error:
                return Outcome("invalid", refused(error, ", ".join(sorted(changes))), patient.external_id)
            with transaction.atomic():
                merge_patient(self.practice, snapshot, self.peer.now())
        made.base = {part: _hash(part, value) for part, value in person.items()}
        made.save(update_fields=["base"])
        return Outcome("linked", self._said(LINKED), patient.external_id)

    def _changes(self, made: PatientLink, person: Person) -> Person:
        base, theirs = made.base or {}, normalise(made.patient.person or {}, today=self.today).as_person()
        return {
            part: value
            for part, value in person.items()
            if value is not None
            and value != theirs.get(part)
            and _hash(part, value) != base.get(part)
            and self.config.sync.policy_of(part) in {"caspio", "newest"}
        }

    def _email_taken(self, patient: Patient, email: str | None) -> bool:
        read_patients(self.practice, self.peer)
        keys = lookup_hashes(normalise({"email": email}, today=self.today))
        others = Patient.objects.filter(practice=self.practice, lookup_keys__overlap=keys)
        return others.exclude(pk=patient.pk).exists()


# -- steps that people's decisions use too -------------------------------------------------------------------


def link(chart: Chart, patient: Patient, reasons: list[str], *, made_by: str) -> PatientLink:
    """Make the link and have the patient's orders filed.

    Raises:
        AlreadyLinked: one of the two belongs to somebody else.

    """
    values = {"practice": chart.practice, "reasons": reasons, "made_by": made_by}
    try:
        with transaction.atomic():
            made, created = PatientLink.objects.get_or_create(chart=chart, patient=patient, defaults=values)
            if created:
                refile_orders(Order.objects.filter(patient=patient))
    except IntegrityError:
        raise AlreadyLinked from None
    return made


def read_patients(practice: Practice, peer: Rupa, *, fresh: timedelta = LIST_FRESH) -> None:
    """Read the clinic's own list of patients into the mirror, unless that was done a moment ago."""
    practice.refresh_from_db(fields=["patients_read_at"])
    if practice.patients_read_at is not None and timezone.now() - practice.patients_read_at < fresh:
        return
    started: datetime = timezone.now()
    for snapshot in peer.patients():
        with transaction.atomic():
            merge_patient(practice, snapshot, peer.now())
    Practice.objects.filter(pk=practice.pk).update(patients_read_at=started)


def patient_data(person: Person) -> PatientData:
    """A normalised person in the shape of the client; parts without a value are left out."""
    data: PatientData = {}
    for part, value in person.items():
        if value is not None:
            data[part] = date.fromisoformat(value) if part == "birthday" else value  # type: ignore[literal-required]  # PARTS are its keys
    return data


def refused(error: Rejected, what: str) -> str:
    """The field that Rupa would not take, in words for the row."""
    words = {"phone_number": "phone", "shipping_address": "address"}
    fields = [words.get(name.split(".")[-1], name.split(".")[-1].replace("_", " ")) for name in error.fields]
    return f"Rupa refused {', '.join(fields) or what}. Correct it on this row."


def lookup_hashes(identity: Identity) -> list[str]:
    """Under which keyed hashes others who may be the same person are found."""
    return [keyring().blind(value, f"lookup {kind}").hex() for kind, value in identity.lookup_keys().items()]


def index(record: Chart | Patient, identity: Identity) -> None:
    """Keep under which keys this record is found."""
    keys = sorted(lookup_hashes(identity))
    if record.lookup_keys != keys:
        record.lookup_keys = keys
        type(record).objects.filter(pk=record.pk).update(lookup_keys=keys)


def index_all(practice: Practice, today: date) -> None:
    """Index the records that came another way, such as with an order's event."""
    for chart in Chart.objects.filter(practice=practice, lookup_keys=None):
        index(chart, normalise(chart.person, today=today))
    for patient in Patient.objects.filter(practice=practice, lookup_keys=None).exclude(person=None):
        index(patient, normalise(patient.person or {}, today=today))


def _hash(part: str, value: str | None) -> str | None:
    return None if value is None else keyring().blind(value, f"agreed {part}").hex()


# -- questions -----------------------------------------------------------------------------------------------


def open_case(chart: Chart, decision: Decision) -> ReviewCase:
    """Ask a person; a question that is open already is brought up to date."""
    patient = Patient.objects.filter(practice=chart.practice, external_id=decision.chosen or "").first()
    values = {
        "practice": chart.practice,
        "patient": patient,
        "candidates": [key for key in (decision.chosen, *decision.others) if key],
        "reasons": [
            {"words": one.words, "weight": one.weight, "field": str(one.field)} for one in decision.reasons
        ],
        "ways_out": [{"action": one.action, "words": one.words} for one in decision.ways_out],
        "actions": sorted({one.action for one in decision.ways_out} & ACTIONS, key=sorted(ACTIONS).index),
        "seen": {"chart": chart.person, "patient": patient.person if patient else None},
    }
    with transaction.atomic():
        case = ReviewCase.objects.select_for_update().filter(chart=chart, state=CaseState.OPEN).first()
        if case is None:
            case = ReviewCase(chart=chart)
        for name, value in values.items():
            setattr(case, name, value)
        case.save()
        return case


ACTIONS = frozenset({"link", "create", "not_the_same", "choose_another", "ask_patient"})


def close_cases(chart: Chart) -> None:
    """The question has answered itself: the row or the patient at Rupa was corrected."""
    ReviewCase.objects.filter(chart=chart, state=CaseState.OPEN).update(
        state=CaseState.DECIDED, decision="resolved", decided_by="labbridge", decided_at=timezone.now()
    )


def review_sentence(decision: Decision) -> str:
    """What front desk reads on the patient's row: why, and the ways out."""
    rules = [one.words for one in decision.reasons if str(one.field) == "rule"]
    ways = [one.words for one in decision.ways_out if one.action in {"ask_patient", "correct_caspio"}]
    words = [*(rules[:2] or ["It is not certain who this is at Rupa."]), *ways[:2]]
    return " ".join([*words, "Decide in Labbridge, under Matches."])
