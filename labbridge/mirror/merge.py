"""Merging what a peer showed into the mirror: only what is newer, only what was stated.

Merging is a function of (mirror, snapshot): done twice, or in another order, it ends in the same state. Each
function runs inside the caller's transaction and returns whether anything that Caspio should hold has changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, cast

from django.db import models

from labbridge.mirror.models import (
    LabCompany,
    LabTest,
    Order,
    OrderedTest,
    Patient,
    ResultSource,
    SourceState,
)
from labbridge.mirror.person import indexes, person_of
from labbridge.mirror.phases import phase_of
from labbridge.peers.rupa.types import (
    LabCompanySnapshot,
    LabTestSnapshot,
    OrderedTestSnapshot,
    OrderSnapshot,
    PatientSnapshot,
)
from labbridge.practices.models import Practice
from labbridge.trust.keys import keyring

ORDER_FIELDS = {  # ours in the mirror: theirs in the snapshot
    "status": "status",
    "payer": "payer",
    "total_price": "total_price",
    "notes_to_patient": "notes_to_patient",
    "submitted_at": "submitted_at",
    "paid_at": "paid_at",
    "checked_out_at": "patient_checkout_at",
    "completed_at": "completed_at",
    "canceled_at": "canceled_at",
    "is_demo": "is_demo",
    "practitioner_id_external": "practitioner_id",
    "order_intent_id": "order_intent_id",
}
LAB_TEST_FIELDS = (
    "name", "category", "price", "turnaround_days", "shipping_days_min", "shipping_days_max", "is_addon", "url",
    "sample_report_url", "unavailable_reason",
)  # fmt: skip


def merge_order(
    practice: Practice, snapshot: OrderSnapshot, as_of: datetime, *, look_again: bool = False
) -> tuple[Order, bool]:
    """Merge one order with its tests. Locks the order's row until the transaction ends.

    `look_again`: have the result files taken even where nothing about them seems to have changed.
    """
    order, created = Order.objects.get_or_create(practice=practice, external_id=snapshot.id)
    order = Order.objects.select_for_update().get(pk=order.pk)
    newer = order.as_of is None or as_of >= order.as_of
    changed = created
    if newer:
        changed |= _assign(order, snapshot, ORDER_FIELDS)
        changed |= _assign_patient(order, snapshot)
        changed |= _assign_request(order, snapshot)
        order.as_of = as_of
    changed |= _merge_tests(order, snapshot, as_of, newer=newer, look_again=look_again)
    received = order.ordered_tests.filter(removed=False).values_list("results_received_at", flat=True)
    phase = phase_of(order, received)
    changed |= phase != order.phase
    order.phase = phase
    if changed:
        order.revision += 1
    order.save()
    return order, changed


def _assign(target: models.Model, snapshot: Any, pairs: dict[str, str]) -> bool:
    """Copy what the snapshot states. Text fields keep "" for null: they mark absence that way."""
    changed = False
    for ours, theirs in pairs.items():
        if theirs not in snapshot.present:
            continue
        value = getattr(snapshot, theirs)
        field = cast("models.Field[Any, Any]", target._meta.get_field(ours))
        if value is None and not field.null:
            value = field.get_default()
        if isinstance(field, models.CharField) and isinstance(value, str) and field.max_length:
            value = value[: field.max_length]
        if getattr(target, ours) != value:
            setattr(target, ours, value)
            changed = True
    return changed


def _assign_patient(order: Order, snapshot: OrderSnapshot) -> bool:
    if not snapshot.patient_id:
        return False
    patient, _ = Patient.objects.get_or_create(practice=order.practice, external_id=snapshot.patient_id)
    changed = order.patient_id != patient.pk
    order.patient = patient
    return changed


def _assign_request(order: Order, snapshot: OrderSnapshot) -> bool:
    """Our own mark in the intent's metadata tells which request this order came from."""
    request = (snapshot.metadata or {}).get("labbridge_request")
    if not isinstance(request, str) or not request or order.request_id:
        return False
    order.request_id, order.source = request[:255], "caspio"
    return True


def _merge_tests(
    order: Order, snapshot: OrderSnapshot, as_of: datetime, *, newer: bool, look_again: bool
) -> bool:
    known = {test.external_id: test for test in order.ordered_tests.all()}
    changed = False
    for shown in snapshot.ordered_tests:
        test = known.pop(shown.id, None)
        if test is None:
            test = OrderedTest(practice=order.practice, order=order, external_id=shown.id)
            changed = True
        changed |= _merge_test(test, shown, as_of)
        _keep_source(test, shown, as_of, look_again=look_again)
    if newer and "ordered_tests" in snapshot.present:
        for test in known.values():  # all were named, so the rest was taken off the order
            changed |= _set_removed(test)
    return changed


def _set_removed(test: OrderedTest) -> bool:
    if test.removed:
        return False
    test.removed = True
    test.save(update_fields=["removed"])
    return True


def _merge_test(test: OrderedTest, shown: OrderedTestSnapshot, as_of: datetime) -> bool:
    changed = False
    if test.as_of is None or as_of >= test.as_of:
        changed = _assign(
            test, shown, {"lab_test_id_external": "lab_test_id", "results_received_at": "results_received_at"}
        )
        changed |= test.removed
        test.removed = False
        test.as_of = as_of
    test.save()
    return changed


def _keep_source(test: OrderedTest, shown: OrderedTestSnapshot, as_of: datetime, *, look_again: bool) -> None:
    """Remember what was said about the files, so that each version can be taken, even one that is heard of late.

    Addresses carry signatures that change with each answer, so a source is known by its address without the query
    and by the lab's date. A result may also change under an unchanged address: `look_again` has it taken anew.
    """
    files = {"pdf": shown.results_pdf, "hl7": shown.results_hl7}
    if not any(files.values()):
        return
    source, created = ResultSource.objects.get_or_create(
        ordered_test=test,
        fingerprint=_fingerprint(shown, files),
        defaults={
            "files": files, "received_at": shown.results_received_at, "as_of": as_of, "latest_as_of": as_of,
        },
    )  # fmt: skip
    if created:
        return
    source.as_of = min(source.as_of, as_of)
    if as_of > source.latest_as_of:
        source.files, source.latest_as_of = files, as_of
        if look_again or source.state == SourceState.GONE:
            source.state, source.reason = SourceState.PENDING, ""
    source.save()


def _fingerprint(shown: OrderedTestSnapshot, files: dict[str, str | None]) -> bytes:
    parts = [
        (value or "").split("?")[0] if (value or "").startswith("http") else value or ""
        for value in files.values()
    ]
    received = shown.results_received_at.isoformat() if shown.results_received_at else ""
    return keyring().blind("\0".join([received, *parts]), "result source")


def merge_patient(practice: Practice, snapshot: PatientSnapshot, as_of: datetime) -> tuple[Patient, bool]:
    """Merge a patient's own resource. Returns whether who they are has changed."""
    patient, _ = Patient.objects.get_or_create(practice=practice, external_id=snapshot.id)
    patient = Patient.objects.select_for_update().get(pk=patient.pk)
    if patient.as_of is not None and as_of < patient.as_of:
        return patient, False
    person = {**(patient.person or {}), **person_of(snapshot, snapshot.present)}
    changed = person != patient.person
    patient.person = person
    patient.email_index, patient.birthday_index = indexes(person)
    patient.as_of = as_of
    patient.save()
    return patient, changed


def merge_company(
    practice: Practice, snapshot: LabCompanySnapshot, as_of: datetime
) -> tuple[LabCompany, bool]:
    company, created = LabCompany.objects.select_for_update().get_or_create(
        practice=practice, external_id=snapshot.id
    )
    if company.as_of is not None and as_of < company.as_of:
        return company, False
    changed = _assign(company, snapshot, {"name": "name", "short_name": "short_name"})
    company.as_of = as_of
    company.save()
    if changed:
        LabTest.objects.filter(practice=practice, lab_company_id_external=company.external_id).update(
            lab_company_name=company.name
        )
    return company, changed or created


def merge_lab_test(practice: Practice, snapshot: LabTestSnapshot, as_of: datetime) -> tuple[LabTest, bool]:
    test, created = LabTest.objects.select_for_update().get_or_create(
        practice=practice, external_id=snapshot.id
    )
    if test.as_of is not None and as_of < test.as_of:
        return test, False
    changed = created | fill_lab_test(test, snapshot)
    if test.lab_company_id_external and (not test.lab_company_name or "lab_company_id" in snapshot.present):
        name = _company_name(practice, snapshot, test.lab_company_id_external)
        changed |= name != test.lab_company_name
        test.lab_company_name = name
    test.as_of = as_of
    test.save()
    return test, changed


def fill_lab_test(test: LabTest, snapshot: LabTestSnapshot) -> bool:
    """Copy what the snapshot states, without saving."""
    changed = _assign(test, snapshot, {name: name for name in LAB_TEST_FIELDS})
    changed |= _assign(
        test, snapshot, {"lab_company_id_external": "lab_company_id", "parent_id_external": "parent_test_id"}
    )
    if snapshot.present & {"disabled", "unavailable_reason"}:
        reason = snapshot.unavailable_reason or snapshot.disabled_reason or ""
        changed |= (test.available, test.unavailable_reason) != (snapshot.available, reason[:500])
        test.available, test.unavailable_reason = snapshot.available, reason[:500]
    changed |= test.retired
    test.retired = False
    return changed


def _company_name(practice: Practice, snapshot: LabTestSnapshot, company_id: str) -> str:
    if snapshot.lab_company is not None and snapshot.lab_company.name:
        return snapshot.lab_company.name[:255]
    known = LabCompany.objects.filter(practice=practice, external_id=company_id).first()
    return known.name if known else ""


def lab_tests_missing(order: Order) -> list[str]:
    """Ids of this order's tests that nobody has read yet. One that Rupa does not know is not asked for again."""
    wanted = set(
        order.ordered_tests.exclude(lab_test_id_external="").values_list("lab_test_id_external", flat=True)
    )
    read = LabTest.objects.filter(practice=order.practice, external_id__in=wanted, as_of__isnull=False)
    return sorted(wanted - set(read.values_list("external_id", flat=True)))


def included_lab_tests(snapshot: OrderSnapshot) -> Iterable[LabTestSnapshot]:
    return (test.lab_test for test in snapshot.ordered_tests if test.lab_test is not None)
