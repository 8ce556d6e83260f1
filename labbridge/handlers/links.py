"""The link between a row of Caspio's patients table and a patient at Rupa.

Until the matching of its own issue is built, a link is made in two ways only: the Rupa patient id already stands
in Caspio, or e-mail and birthday are both equal and nobody else has them. Everything else waits for a person.
"""

from __future__ import annotations

import structlog
from django.db import IntegrityError, transaction

from labbridge.handlers.settle import refile_orders
from labbridge.mirror.models import Chart, Order, Patient, PatientLink
from labbridge.mirror.person import birthdays_differ, first_names_differ, names_differ
from labbridge.practices.apply import config_of
from labbridge.practices.models import Practice

log = structlog.get_logger()

BY_ID = "The Rupa patient id stands on this patient's row in Caspio."
BY_PARTICULARS = "E-mail and birthday are both equal, and no other patient has them."
UNLINKED = (
    "No patient in Caspio has this order's Rupa patient id, nor the same e-mail and birthday. Put the Rupa patient "
    "id on the right patient's row in Caspio; the order is then filed by itself."
)
ON_SEVERAL = (
    "Several patients in Caspio have this order's Rupa patient id. Leave it on the right one's row only; the order "
    "is then filed by itself."
)
ON_ANOTHER = (
    "The patient in Caspio who has this order's Rupa patient id has another birthday and another name than the one "
    "at Rupa. Move the id to the right patient's row, or correct the row; the order is then filed by itself."
)


def link_chart(chart: Chart) -> None:
    """A row is new or changed: perhaps patients at Rupa were waiting for it."""
    patients = Patient.objects.filter(practice=chart.practice)
    if chart.rupa_patient_id:
        for patient in patients.filter(external_id=chart.rupa_patient_id):
            _leave_row_without_id(patient)
            link_patient(patient)
    elif chart.email_index is not None:
        link_waiting(chart.practice, bytes(chart.email_index))


def link_waiting(practice: Practice, email_index: bytes) -> None:
    """Try the patients at Rupa who have this e-mail and no link yet."""
    waiting = Patient.objects.filter(practice=practice, link__isnull=True, email_index=email_index)
    for patient in waiting:
        link_patient(patient)


def _leave_row_without_id(patient: Patient) -> None:
    """An id that somebody wrote into a row weighs more than the likeness by which another row was linked."""
    link = PatientLink.objects.select_related("chart", "patient").filter(patient=patient).first()
    if link is not None and link.chart.rupa_patient_id != patient.external_id:
        unlink(link)


def is_contradicted(link: PatientLink) -> bool:
    """Whether the row says by now that it is another patient at Rupa, or no longer that it is this one."""
    written = link.chart.rupa_patient_id
    return written != link.patient.external_id if written else BY_ID in link.reasons


def unlink(link: PatientLink) -> None:
    """Take a link back. The patient's orders leave that chart, and go to another if there is one."""
    link.delete()
    log.warning("patients.unlinked", practice=link.practice.slug)
    refile_orders(Order.objects.filter(patient=link.patient))


def link_patient(patient: Patient) -> PatientLink | None:
    """The link of a patient at Rupa, made now if the rule allows it."""
    link = _link_of(patient)
    if link is not None:
        return link
    chart, reason = find_chart(patient)
    if chart is None:
        return None
    try:
        with transaction.atomic():
            link = PatientLink.objects.create(
                practice=patient.practice, chart=chart, patient=patient, reasons=[reason]
            )
            refile_orders(Order.objects.filter(patient=patient))
    except IntegrityError:  # somebody else linked one of the two meanwhile
        return _link_of(patient)
    log.info("patients.linked", practice=patient.practice.slug, reason=reason)
    return link


def _link_of(patient: Patient) -> PatientLink | None:
    return PatientLink.objects.select_related("chart").filter(patient=patient).first()


def find_chart(patient: Patient) -> tuple[Chart | None, str]:
    """The one row that is this patient beyond doubt, and why; none when there is any doubt."""
    charts = Chart.objects.filter(practice=patient.practice, present=True)
    by_id = list(charts.filter(rupa_patient_id=patient.external_id)[:2])
    if by_id:
        clear = len(by_id) == 1 and not _taken(by_id[0]) and not _is_somebody_else(patient, by_id[0])
        return (by_id[0], BY_ID) if clear else (None, "")
    if patient.email_index is None or patient.birthday_index is None or not _table_is_known(patient):
        return None, ""
    same = list(charts.filter(email_index=patient.email_index, birthday_index=patient.birthday_index)[:2])
    if len(same) != 1 or _taken(same[0]) or same[0].rupa_patient_id:
        return None, ""  # twins, doubles, or a row that belongs to another patient at Rupa
    others = Patient.objects.filter(
        practice=patient.practice, email_index=patient.email_index, birthday_index=patient.birthday_index
    )
    if others.exclude(pk=patient.pk).exists() or _may_be_twins(patient, same[0]):
        return None, ""
    return same[0], BY_PARTICULARS


def _table_is_known(patient: Patient) -> bool:
    """That nobody else is alike can be said only once all rows have been read."""
    return Practice.objects.filter(pk=patient.practice_id, charts_read_at__isnull=False).exists()


def why_unlinked(patient: Patient) -> str:
    """What a person is to do so that this patient's orders can be filed."""
    by_id = Chart.objects.filter(practice=patient.practice, present=True, rupa_patient_id=patient.external_id)
    if not by_id:
        return UNLINKED
    return ON_SEVERAL if len(by_id) > 1 else ON_ANOTHER


def _is_somebody_else(patient: Patient, chart: Chart) -> bool:
    """An id may have been written into the wrong row: one that has nothing in common with the patient at Rupa."""
    person = patient.person or {}
    return birthdays_differ(person, chart.person) and names_differ(person, chart.person)


def _may_be_twins(patient: Patient, chart: Chart) -> bool:
    """Twins share their parents' e-mail and their birthday; only one of them may be in Caspio."""
    confirmed = config_of(patient.practice).sync.confirm
    return "name" in confirmed and first_names_differ(patient.person or {}, chart.person)


def _taken(chart: Chart) -> bool:
    return PatientLink.objects.filter(chart=chart).exists()
