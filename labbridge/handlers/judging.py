"""Who is who, judged by matching's rules from what the mirror knows. No calls, and nothing is decided here.

A row is judged beside the patients at Rupa, a patient of Rupa beside the rows: `matching` has one set of rules for
both ways. An id that somebody wrote on a row is a rule of its own, and not believed where the persons contradict.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from django.utils import timezone

from labbridge.matching.compare import compare
from labbridge.matching.decide import Action, Candidate, Decision, decide, match_back
from labbridge.matching.evidence import Field, Level, Reason
from labbridge.matching.identity import Identity
from labbridge.matching.normalise import normalise
from labbridge.matching.ways import WayOut
from labbridge.mirror.models import CaseKind, CaseState, Chart, NotSame, Patient, PatientLink, ReviewCase
from labbridge.mirror.person import birthdays_differ, names_differ
from labbridge.practices.apply import config_of
from labbridge.practices.models import Practice
from labbridge.trust.keys import keyring

BY_CROSSWALK = "Another system has the same id for both, as the crosswalk says."
AT_ONCE = 200  #: records in memory while their keys are made
BY_ID = "The Rupa patient id stands on this patient's row in Caspio."


ANOTHER_BY_ID = "The Rupa patient id on this row is that of a patient with another birthday or another name."
TYPED_OVER = WayOut(
    "correct_caspio",
    "Correct the Rupa patient id; or, if this row was typed over with another patient, put the former values back.",
)


class Finding(StrEnum):
    LINK = "link"
    CREATE = "create"  # nobody at Rupa is this patient
    REVIEW = "review"
    INVALID = "invalid"  # the row lacks what Rupa needs
    UNKNOWN_ID = "unknown_id"  # the row has an id that the mirror does not know
    ID_TAKEN = "id_taken"  # more than one row has this id, or its patient is linked with another row
    UNREAD = "unread"  # that nobody else is alike can be said only once all rows have been read
    HELD = "held"  # a person took a link back: a person decides


@dataclass(frozen=True)
class Verdict:
    """What is to be done about a row, and with whom. `decision` holds what a person is asked."""

    finding: Finding
    patient: Patient | None = None
    reasons: tuple[str, ...] = ()
    decision: Decision | None = None


def judge(chart: Chart) -> Verdict:
    """A row that has no link yet."""
    if is_held(chart):
        return Verdict(Finding.HELD)
    if chart.rupa_patient_id:
        return _by_id(chart, chart.rupa_patient_id)
    named = list(Patient.objects.filter(ehr_ids__chart=chart, erased_at=None).distinct())
    if named:
        return _by_crosswalk(chart, named)
    return _by_likeness(chart, identity_of(chart))


def _by_likeness(chart: Chart, identity: Identity) -> Verdict:
    if any(problem.blocking for problem in identity.problems):
        return Verdict(Finding.INVALID)
    decision = decide_on(chart, identity)
    if decision.action is Action.CREATE:
        return Verdict(Finding.CREATE, decision=decision)
    chosen = Patient.objects.filter(practice=chart.practice, external_id=decision.chosen or "").first()
    if decision.action is Action.REVIEW:
        return Verdict(Finding.REVIEW, chosen, decision=decision)
    if not _table_is_known(chart.practice):
        return Verdict(Finding.UNREAD)
    return Verdict(Finding.LINK, chosen, tuple(one.words for one in decision.reasons), decision)


def _by_id(chart: Chart, external_id: str) -> Verdict:
    """An id may have been written on the wrong row: birthday and names must not speak against it."""
    patient = Patient.objects.filter(practice=chart.practice, external_id=external_id).first()
    if patient is None:
        return Verdict(Finding.UNKNOWN_ID)
    decision = decide_on(chart, identity_of(chart), [patient])
    if contradicts(chart, patient) or NotSame.objects.filter(chart=chart, patient=patient).exists():
        told = replace(_told(decision, ANOTHER_BY_ID), ways_out=(*decision.ways_out, TYPED_OVER))
        return Verdict(Finding.REVIEW, patient, decision=told)
    rows = Chart.objects.filter(practice=chart.practice, present=True, rupa_patient_id=external_id)
    if rows.exclude(pk=chart.pk).exists() or _decided_for_another(patient, chart):
        return Verdict(Finding.ID_TAKEN, patient)
    return Verdict(Finding.LINK, patient, (BY_ID,), decision)


def _by_crosswalk(chart: Chart, named: list[Patient]) -> Verdict:
    """Another system has one id for both. That is evidence as an id on the row is; a birthday speaks louder."""
    decision = _told(decide_on(chart, identity_of(chart), named), BY_CROSSWALK)
    patient = named[0]
    doubtful = contradicts(chart, patient) or NotSame.objects.filter(chart=chart, patient=patient).exists()
    if len(named) > 1 or doubtful:
        return Verdict(Finding.REVIEW, patient, decision=decision)
    others = PatientLink.objects.filter(patient=patient).exclude(chart=chart)
    if others.exists() or Chart.objects.filter(
        practice=chart.practice, present=True, rupa_patient_id=patient.external_id
    ).exclude(pk=chart.pk).exists():  # fmt: skip
        return Verdict(Finding.ID_TAKEN, patient)
    return Verdict(Finding.LINK, patient, (BY_CROSSWALK,), decision)


def _told(decision: Decision, rule: str) -> Decision:
    return replace(decision, reasons=(Reason(rule, 0, Field.RULE.value), *decision.reasons))


def _decided_for_another(patient: Patient, chart: Chart) -> bool:
    """An id weighs more than likeness, but not more than what a person has decided here."""
    others = PatientLink.objects.filter(patient=patient).exclude(chart=chart)
    return others.exclude(made_by="labbridge").exists()


def contradicts(chart: Chart, patient: Patient) -> bool:
    """Whether these two are hardly one: other birthdays; or nothing in common in their names, unconfirmed."""
    ours, theirs = chart.person, patient.person or {}
    if birthdays_differ(ours, theirs):
        return True
    named = all(person.get(part) for person in (ours, theirs) for part in ("first_name", "last_name"))
    confirmed = bool(ours.get("birthday") and theirs.get("birthday"))
    return named and names_differ(ours, theirs) and not confirmed


def are_called_differently(chart: Chart, patient: Patient) -> bool:
    """Whether both have a first name, and not one that is the other's short form, nickname or misspelling."""
    found = compare(identity_of(chart), identity_of(patient))
    return found.level(Field.FIRST_NAME) is Level.DIFFERENT


def judge_back(patient: Patient) -> tuple[Verdict, Chart | None]:
    """The other way round, for a patient of Rupa without a link: which row is it? The row goes with the verdict."""
    with_id = Chart.objects.filter(
        practice=patient.practice, present=True, rupa_patient_id=patient.external_id
    )
    if (named := with_id.first()) is not None:
        return (Verdict(Finding.HELD) if _is_linked(named) else judge(named)), named
    rows = Chart.objects.filter(ehr_ids__patient=patient, present=True, rupa_patient_id="", erased_at=None)
    if (named := rows.filter(link__isnull=True).first()) is not None:
        return judge(named), named
    decision = match_back_of(patient)
    chart = (
        Chart.objects.filter(practice=patient.practice, pk=decision.chosen).first()
        if decision.chosen
        else None
    )
    if chart is None or decision.action is Action.REVIEW:
        return Verdict(Finding.REVIEW, patient, decision=decision), chart
    if is_held(chart):
        return Verdict(Finding.HELD), chart
    if not _table_is_known(patient.practice):
        return Verdict(Finding.UNREAD), chart
    return Verdict(Finding.LINK, patient, tuple(one.words for one in decision.reasons), decision), chart


def match_back_of(patient: Patient) -> Decision:
    identity = identity_of(patient)
    keys = lookup_hashes(identity)
    index_all(patient.practice)
    rows = list(Chart.objects.filter(practice=patient.practice, present=True, lookup_keys__overlap=keys))
    linked = PatientLink.objects.filter(chart__in=rows).exclude(patient=patient)
    # A row that names another patient of Rupa is that patient's, even before the two are linked.
    named = {str(row.pk) for row in rows if row.rupa_patient_id not in {"", patient.external_id}}
    others = Patient.objects.filter(practice=patient.practice, lookup_keys__overlap=keys).exclude(
        pk=patient.pk
    )
    return match_back(
        identity,
        [
            Candidate(str(row.pk), who)
            for row, who in zip(rows, _identities(patient.practice, rows), strict=True)
        ],
        confirm=config_of(patient.practice).sync.confirm,
        taken={str(pk) for pk in linked.values_list("chart_id", flat=True)} | named,
        ruled_out={
            str(pk) for pk in NotSame.objects.filter(patient=patient).values_list("chart_id", flat=True)
        },
        rivals=_identities(patient.practice, others.exclude(person=None)),
    )


def decide_on(chart: Chart, identity: Identity, candidates: list[Patient] | None = None) -> Decision:
    """The row beside these patients, to whom an id points, or beside all who share something with it."""
    named = {one.external_id for one in candidates or ()}
    keys = lookup_hashes(identity)
    index_all(chart.practice)
    if candidates is None:
        alike = Patient.objects.filter(practice=chart.practice, lookup_keys__overlap=keys)
        candidates = list(alike.exclude(person=None))
    others = Chart.objects.filter(practice=chart.practice, present=True, lookup_keys__overlap=keys)
    linked = PatientLink.objects.filter(patient__in=candidates).exclude(chart=chart)
    return decide(
        identity,
        [
            Candidate(one.external_id, who)
            for one, who in zip(candidates, _identities(chart.practice, candidates), strict=True)
        ],
        confirm=config_of(chart.practice).sync.confirm,
        taken=set(linked.values_list("patient__external_id", flat=True)),
        ruled_out=set(NotSame.objects.filter(chart=chart).values_list("patient__external_id", flat=True)),
        rivals=_identities(chart.practice, others.exclude(pk=chart.pk)),
        owns_email=_owns_email(chart),
        named=named,
    )


def _owns_email(chart: Chart) -> bool:
    """Whether a person said that this row, of all that have its e-mail, is to be created at Rupa."""
    said = ReviewCase.objects.filter(chart=chart, kind=CaseKind.IDENTITY, state=CaseState.DECIDED)
    last = said.exclude(decided_by="labbridge").order_by("-decided_at").first()
    if last is None or last.decision != "create":
        return False
    return bool((last.seen.get("chart") or {}).get("email") == chart.person.get("email"))


def is_held(chart: Chart) -> bool:
    """Whether a link of this row was taken back and the question is open again."""
    return ReviewCase.objects.filter(
        chart=chart, kind=CaseKind.IDENTITY, state=CaseState.OPEN, reopened=True
    ).exists()


def _is_linked(chart: Chart) -> bool:
    return PatientLink.objects.filter(chart=chart).exists()


def _table_is_known(practice: Practice) -> bool:
    return Practice.objects.filter(pk=practice.pk, charts_read_at__isnull=False).exists()


# -- identities, and by which keys they are found ----------------------------------------------------------------


def today_at(practice: Practice) -> date:
    """The practice's own day: by it a birthday lies in the future or not."""
    return timezone.now().astimezone(practice.zone).date()


def identity_of(record: Chart | Patient) -> Identity:
    return normalise(record.person or {}, today=today_at(record.practice))


def _identities(practice: Practice, records: Iterable[Chart | Patient]) -> list[Identity]:
    """Of records of one practice, which is not read again for each."""
    today = today_at(practice)
    return [normalise(one.person or {}, today=today) for one in records]


def lookup_hashes(identity: Identity) -> list[str]:
    """Under which keyed hashes others who may be the same person are found."""
    return [keyring().blind(value, f"lookup {kind}").hex() for kind, value in identity.lookup_keys().items()]


def index_all(practice: Practice) -> None:
    """Note under which keys new and changed records are found."""
    for chart in Chart.objects.filter(practice=practice, lookup_keys=None).order_by("pk").iterator(AT_ONCE):
        _index(practice, chart)
    patients = Patient.objects.filter(practice=practice, lookup_keys=None).exclude(person=None)
    for patient in patients.order_by("pk").iterator(AT_ONCE):
        _index(practice, patient)


def _index(practice: Practice, record: Chart | Patient) -> None:
    record.practice = practice  # the same one: no query for each
    keys = sorted(lookup_hashes(identity_of(record)))
    type(record).objects.filter(pk=record.pk, lookup_keys=None).update(lookup_keys=keys)


def holders_of_email(practice: Practice, email: str) -> list[Patient]:
    """Who at Rupa has this e-mail, capital letters aside, as far as the mirror knows."""
    index_all(practice)
    key = keyring().blind(email.casefold(), "lookup email").hex()
    return list(Patient.objects.filter(practice=practice, lookup_keys__contains=[key]))
