"""The link between a row of Caspio's patients table and a patient at Rupa: made, broken, and why there is none.

Lock order here and everywhere: rows of charts, then patients, then orders by primary key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from labbridge.engine.queue import taken_locks
from labbridge.handlers import jobs
from labbridge.handlers.judging import (
    BY_ID,
    Finding,
    are_called_differently,
    contradicts,
    identity_of,
    judge,
    judge_back,
    match_back_of,
)
from labbridge.handlers.questions import (
    close_cases_without_row,
    is_asked_about,
    open_case,
    open_case_without_row,
)
from labbridge.handlers.settle import refile_orders
from labbridge.mirror.models import CaseKind, CaseState, Chart, Order, Patient, PatientLink, ReviewCase
from labbridge.mirror.person import Person
from labbridge.practices.models import Connection, ConnectionState, Practice
from labbridge.trust.audit import Actor, job, record
from labbridge.trust.keys import keyring

log = structlog.get_logger()

RULES = job("matching")  #: who acts where no person does

UNLINKED = (
    "No patient in Caspio has this order's Rupa patient id, nor is surely the same person. Put the Rupa patient id "
    "on the right patient's row in Caspio, or choose the row in Labbridge, under Matches; the order is then filed by "
    "itself."
)
ON_SEVERAL = (
    "Several patients in Caspio have this order's Rupa patient id. Leave it on the right one's row only; the order "
    "is then filed by itself."
)
ON_ANOTHER = (
    "The patient in Caspio who has this order's Rupa patient id has another birthday or another name than the one "
    "at Rupa. Decide in Labbridge, under Matches, or move the id to the right patient's row; the order is then filed "
    "by itself."
)

#: Hashes of what stands on each side, by `caspio` and `rupa`; `renamed` tells `at` which time, see `was_renamed`.
Agreed = dict[str, dict[str, str | None]]
ONE_BY_ONE = timedelta(days=1)

S = TypeVar("S", Chart, Patient)

#: Why a link ended by itself, for the audit trail.
OTHER_ID = "The row no longer has this Rupa patient id."
OVERWRITTEN = "The row or the patient at Rupa was overwritten with another birthday and another first name."
REUSED_KEY = "The row's key was given to another row, with another name or birthday."


class AlreadyLinked(Exception):
    """The chart or the patient has another link: only a person can break it."""


class Overtaken(Exception):
    """One of the two was changed while they were judged: what was found about them may not hold any more."""


def link(
    chart: Chart,
    patient: Patient,
    reasons: Iterable[str],
    *,
    made_by: str = "labbridge",
    actor: Actor = RULES,
    sent: Person | None = None,
) -> PatientLink:
    """Make the link and have the patient's orders filed under that row.

    What the rules found holds for `chart` and `patient` as they are given. `sent`: what the patient was created from;
    what the row says by now is a later change.

    Raises:
        AlreadyLinked: one of the two belongs to somebody else or was erased, or the row is gone.
        Overtaken: one of the two has changed since, and no person has decided.

    """
    practice = chart.practice
    values = {"practice": practice, "reasons": list(reasons), "made_by": made_by}
    judged, beside = chart, patient
    try:
        with transaction.atomic():
            chart = Chart.objects.select_for_update(no_key=True).get(pk=chart.pk)
            patient = Patient.objects.select_for_update(no_key=True).get(pk=patient.pk)
            chart.practice = patient.practice = practice  # no query for each
            if not chart.present or chart.erased_at or patient.erased_at:
                raise AlreadyLinked
            if sent is not None:
                named = {judged.rupa_patient_id, patient.external_id}
                if contradicts(chart, patient) or chart.rupa_patient_id not in named:
                    raise Overtaken
            elif made_by == "labbridge" and (
                judged_by(judged) != judged_by(chart) or judged_by(beside) != judged_by(patient)
            ):
                raise Overtaken
            # Nothing is settled with somebody who was not read yet: whether the two fit is seen then.
            base = None if patient.person is None else agreed(chart, patient)
            if base is not None and sent is not None:
                base["caspio"] = hashed(sent)
            values["base"] = base
            made, created = PatientLink.objects.get_or_create(chart=chart, patient=patient, defaults=values)
            close_cases_without_row(patient)
            if created:
                refile_orders(Order.objects.filter(patient=patient))
                record(
                    "link.make",
                    actor=actor,
                    practice=chart.practice,
                    patient=(chart, patient),
                    why=made.reasons[0],
                )
                log.info("patients.linked", practice=chart.practice.slug, pk_id=chart.pk_id)
    except IntegrityError:
        raise AlreadyLinked from None
    return made


def judged_by(record: Chart | Patient) -> tuple[Person | None, str]:
    """What the rules look at on one side: a link that they make stands on it."""
    return record.person, record.rupa_patient_id if isinstance(record, Chart) else ""


def agreed(chart: Chart, patient: Patient) -> Agreed:
    """What stands on both sides now, hashed: a later change on one of them is seen by it."""
    return {
        "caspio": hashed(identity_of(chart).as_person()),
        "rupa": hashed(identity_of(patient).as_person()),
    }


def hashed(person: Person) -> dict[str, str | None]:
    return {
        part: None if value is None else keyring().blind(value, f"agreed {part}").hex()
        for part, value in person.items()
    }


def settled(made: PatientLink, chart: Chart, patient: Patient) -> Agreed:
    """What stood on both sides, hashed, when they were linked or last brought to one."""
    held = made.base or {}
    if "caspio" in held:
        return held
    if held:  # from a version that kept one hash for both sides
        return {"caspio": held, "rupa": held}
    return agreed(chart, patient)


def unlink(made: PatientLink, *, actor: Actor = RULES, why: str = "") -> None:
    """Take a link back. The patient's orders leave that chart, and go to another if there is one."""
    with transaction.atomic():
        Chart.objects.select_for_update(no_key=True).get(pk=made.chart_id)
        Patient.objects.select_for_update(no_key=True).get(pk=made.patient_id)
        PatientLink.objects.filter(pk=made.pk).delete()
        record("link.break", actor=actor, practice=made.practice, patient=(made.chart, made.patient), why=why)
        refile_orders(Order.objects.filter(patient=made.patient))
    log.warning("patients.unlinked", practice=made.practice.slug)


def link_of(record: Chart | Patient) -> PatientLink | None:
    side = "chart" if isinstance(record, Chart) else "patient"
    return PatientLink.objects.select_related("chart", "patient").filter(**{side: record}).first()


# -- by the rules, without a person ------------------------------------------------------------------------------


def link_chart(chart: Chart) -> PatientLink | None:
    """The link of a row, made now if the rules allow it from what the mirror knows."""
    return _at_second_glance(chart, link_chart_as_read)


def link_chart_as_read(chart: Chart) -> PatientLink | None:
    """As `link_chart`, for somebody who has more to do with the row as it was read. Raises Overtaken."""
    made = link_of(chart)
    if made is not None or not chart.present or chart.erased_at:
        return made
    verdict = judge(chart)
    if verdict.finding is not Finding.LINK or verdict.patient is None:
        return None
    return _made(chart, verdict.patient, verdict.reasons)


def link_patient(patient: Patient) -> PatientLink | None:
    """The link of a patient at Rupa, made now if the rules allow it; its row is then told."""
    return _at_second_glance(patient, _link_patient_as_read)


def _link_patient_as_read(patient: Patient) -> PatientLink | None:
    made = link_of(patient)
    if made is not None or patient.erased_at:
        return made
    verdict, chart = judge_back(patient)
    if verdict.finding is not Finding.LINK or chart is None:
        return None
    made = _made(chart, patient, verdict.reasons)
    if made is not None:
        queue_sync(chart)
    return made


def _at_second_glance(record: S, deed: Callable[[S], PatientLink | None]) -> PatientLink | None:
    """Judge once more, as it is by now, what was changed meanwhile; after that it is for the change's own job."""
    for _ in range(2):
        try:
            return deed(record)
        except Overtaken:
            record.refresh_from_db()
    return None


def _made(chart: Chart, patient: Patient, reasons: Iterable[str]) -> PatientLink | None:
    if BY_ID in reasons:
        _leave_row_without_id(patient, chart)
    try:
        return link(chart, patient, reasons)
    except AlreadyLinked:  # somebody else linked one of the two meanwhile
        made = link_of(patient)
        return made if made is not None and made.chart_id == chart.pk else None


def _leave_row_without_id(patient: Patient, chart: Chart) -> None:
    """An id that somebody wrote into a row weighs more than the likeness by which another row was linked."""
    made = link_of(patient)
    if made is not None and made.chart_id != chart.pk and made.chart.rupa_patient_id != patient.external_id:
        unlink(made)


def link_waiting(practice: Practice, email_index: bytes) -> None:
    """Try whoever has this e-mail and no link yet, at Rupa and in Caspio: a row no longer stands in their way."""
    for patient in Patient.objects.filter(practice=practice, link__isnull=True, email_index=email_index):
        link_patient(patient)
    asked = ReviewCase.objects.filter(
        kind=CaseKind.IDENTITY, state=CaseState.OPEN, patient=None, reopened=False
    )
    rows = Chart.objects.filter(practice=practice, present=True, email_index=email_index, link__isnull=True)
    for chart in rows.filter(pk__in=asked.values("chart")):
        queue_sync(chart)


def ask_about(patient: Patient) -> None:
    """No row is surely this patient of Rupa: a person is asked, beside the row in doubt or to choose a row."""
    verdict, chart = judge_back(patient)
    if verdict.finding is Finding.REVIEW and chart is not None and link_of(chart) is None:
        ours = judge(chart)
        if ours.finding is Finding.REVIEW and ours.decision is not None:
            open_case(chart, ours.decision)
            queue_sync(chart)
    if not is_asked_about(patient):
        open_case_without_row(patient, match_back_of(patient))


def contradiction(made: PatientLink, *, other_row: bool = False) -> str:
    """Why what the two sides say by now ends their link; empty where it holds.

    `other_row`: another row has taken over the chart's key. An import of the same patients does that to each of
    them; but a key that was given to somebody else takes nobody's results along.
    """
    written = made.chart.rupa_patient_id
    if written != made.patient.external_id if written else BY_ID in made.reasons:
        return OTHER_ID
    if is_overwritten(made):
        return OVERWRITTEN
    return REUSED_KEY if other_row and not written and not _reads_as_settled(made) else ""


def is_overwritten(made: PatientLink) -> bool:
    """Whether one side became somebody else since the two were settled: another birthday and first name at once.

    A new surname, or a mistake that was corrected, is a change of the same patient. This is a record typed over with
    the next patient, whose particulars must not reach the former one at Rupa, nor the former one's results them.
    """
    chart, patient = made.chart, made.patient
    if patient.person is None or not contradicts(chart, patient):
        return False
    before, now = settled(made, chart, patient), agreed(chart, patient)
    differently = are_called_differently(chart, patient)
    return any(
        (
            (differently and _changed(before, now, side, "first_name"))
            or (side == "caspio" and was_renamed(before))
        )
        and (_changed(before, now, side, "birthday") or _changed(before, now, side, "last_name"))
        for side in now
    )


def _changed(before: Agreed, now: Agreed, side: str, part: str) -> bool:
    return now[side][part] != before[side].get(part)


def was_renamed(before: Agreed) -> bool:
    """Whether another first name was sent to Rupa lately: somebody may be typing over the row cell by cell."""
    at = before.get("renamed", {}).get("at")
    return at is not None and timezone.now() - datetime.fromisoformat(at) < ONE_BY_ONE


def _reads_as_settled(made: PatientLink) -> bool:
    before, now = settled(made, made.chart, made.patient), agreed(made.chart, made.patient)
    return not any(_changed(before, now, "caspio", part) for part in ("first_name", "last_name", "birthday"))


def why_unlinked(patient: Patient) -> str:
    """What a person is to do so that this patient's orders can be filed."""
    by_id = Chart.objects.filter(practice=patient.practice, present=True, rupa_patient_id=patient.external_id)
    if not by_id:
        return UNLINKED
    return ON_SEVERAL if len(by_id) > 1 else ON_ANOTHER


# -- what follows ------------------------------------------------------------------------------------------------


def is_connected(practice: Practice) -> bool:
    return Connection.objects.filter(practice=practice, peer="rupa", state=ConnectionState.ACTIVE).exists()


def queue_sync(chart: Chart) -> None:
    """Have the row brought to its outcome and told of it; where Rupa is not connected, when it is."""
    queue_sync_of_each(chart.practice, [chart])


def queue_sync_of_each(practice: Practice, charts: Sequence[Chart]) -> None:
    """As `queue_sync` for rows of one practice, in two statements."""
    wanted = [one.pk for one in charts if one.erased_at is None]
    if not wanted:
        return
    if is_connected(practice):
        _defer_syncs(practice, wanted)
    else:
        leave_without_outcome(wanted)


def leave_without_outcome(keys: Sequence[UUID]) -> None:
    """What rows say now has none yet: a sweep, or a message about the row, has them brought to one."""
    Chart.objects.filter(pk__in=keys).update(sync_status="")


def queue_syncs(practice: Practice, charts: QuerySet[Chart]) -> None:
    """As `queue_sync` for rows without an outcome, in a few statements; not for those whose job waits or runs."""
    wanted = list(charts.filter(erased_at=None).values_list("pk", flat=True))
    if wanted and is_connected(practice):
        under_way = taken_locks([_lock(practice, key) for key in wanted])
        _defer_syncs(practice, [key for key in wanted if _lock(practice, key) not in under_way])


def _defer_syncs(practice: Practice, keys: Sequence[UUID]) -> None:
    jobs.sync_chart.defer_many([(_lock(practice, key), {"chart_id": str(key)}) for key in keys])


def sync_lock(chart: Chart) -> str:
    return _lock(chart.practice, chart.pk)


def _lock(practice: Practice, chart_id: UUID) -> str:
    return f"{practice.slug}:sync:{chart_id}"


def follow_patient(patient: Patient) -> None:
    """Who a patient at Rupa is has changed there: the row that they are linked with may have to follow."""
    made = link_of(patient)
    if made is None:
        return
    if made.base is None and patient.person is not None:  # linked by an id before anything else was known
        if contradicts(made.chart, patient):
            unlink(made)
        else:
            PatientLink.objects.filter(pk=made.pk).update(base=agreed(made.chart, patient))
    elif is_overwritten(made):
        unlink(made, why=OVERWRITTEN)
    queue_sync(made.chart)
