"""Merging what a peer showed into the mirror: only what is newer, only what was stated.

Merging is a function of (mirror, snapshot): done twice, or in another order, it ends in the same state. Each
function runs inside the caller's transaction and returns whether anything that Caspio should hold has changed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

from django.db import models

from labbridge.mirror.models import (
    Order,
    OrderedTest,
    Patient,
    Phase,
    ResultSource,
    SourceState,
)
from labbridge.mirror.person import PARTS, Person, indexes, person_of
from labbridge.mirror.phases import phase_by_words, phase_of
from labbridge.mirror.results import refold
from labbridge.peers.rupa.types import (
    OrderedTestSnapshot,
    OrderSnapshot,
    PatientSnapshot,
)
from labbridge.practices.models import Practice
from labbridge.trust.keys import keyring

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

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


class Contradiction(Exception):
    """Two snapshots of the peer's cannot both be true. The text is a sentence for a person, without data."""


def merge_order(
    practice: Practice, snapshot: OrderSnapshot, as_of: datetime, *, look_again: bool = False
) -> tuple[Order, bool]:
    """Merge one order with its tests. Locks the order's row until the transaction ends.

    `look_again`: have the result files taken even where nothing about them seems to have changed.

    Raises:
        Contradiction: one of its tests belongs to another order.

    """
    order, created = Order.objects.get_or_create(practice=practice, external_id=snapshot.id)
    order = (
        Order.objects.select_related("practice", "patient").select_for_update(of=("self",)).get(pk=order.pk)
    )
    changed = created | _merge_fields(order, snapshot, ORDER_FIELDS, as_of)
    changed |= _merge_patient_of(order, snapshot, as_of)
    changed |= _merge_request(order, snapshot, as_of)
    changed |= _merge_tests(order, snapshot, as_of, look_again=look_again)
    order.as_of = max(order.as_of or as_of, as_of)
    phase = phase_of(order, _results_received(order))
    changed |= phase != order.phase
    order.phase = phase
    if changed:
        order.revision += 1
    order.save()
    return order, changed


# Newest wins, field by field: each keeps the age of the snapshot that stated it (`clock`), so that what one
# snapshot leaves out comes from the newest that did state it, in whatever order they were heard.


def age_of(as_of: datetime) -> int:
    """A moment as a whole number, exact to the microsecond as the peer writes it."""
    return (as_of - EPOCH) // timedelta(microseconds=1)


def _merge_fields(target: Order | OrderedTest, snapshot: Any, pairs: dict[str, str], as_of: datetime) -> bool:
    changed = False
    for ours, theirs in pairs.items():
        if theirs in snapshot.present:
            value = fitting(target, ours, getattr(snapshot, theirs))
            changed |= _merge_value(target, ours, value, as_of)
    return changed


def _merge_value(target: Order | OrderedTest, name: str, value: Any, as_of: datetime) -> bool:
    """Take a value over unless a newer one is held. Returns whether it was another."""
    held = getattr(target, name)
    if not wins(target.clock, name, as_of, value, held):
        return False
    target.clock[name] = age_of(as_of)
    setattr(target, name, value)
    return bool(held != value)


def wins(clock: dict[str, int], name: str, as_of: datetime, value: Any, held: Any) -> bool:
    """Whether a value is newer than what is held. Of one age the further along wins, whichever came first."""
    known, age = clock.get(name), age_of(as_of)
    if known is None or age != known:
        return known is None or age > known
    return _progress(name, value) > _progress(name, held)


def _progress(name: str, value: Any) -> tuple[bool, int, str]:
    """Orders two values that claim the same moment: something before nothing, later states before earlier ones."""
    steps = list(Phase)
    step = steps.index(phase_by_words(value)) if name == "status" else 0
    return (value not in (None, ""), step if step != steps.index(Phase.UNKNOWN) else -1, str(value))


def fitting(target: models.Model, name: str, value: Any) -> Any:
    """A value as its column keeps it. Text columns keep "" for null: they mark absence that way."""
    field = cast("models.Field[Any, Any]", target._meta.get_field(name))
    if value is None:
        return None if field.null else field.get_default()
    if isinstance(field, models.CharField) and isinstance(value, str) and field.max_length:
        return value[: field.max_length]
    if isinstance(field, models.DecimalField) and isinstance(value, Decimal):
        return _fitting_amount(field, value)
    return value


def _fitting_amount(field: models.DecimalField[Any, Any], value: Decimal) -> Decimal | None:
    """To the digits that the column holds; an amount beyond it is none that anybody could pay."""
    whole_digits = (field.max_digits or 0) - (field.decimal_places or 0)
    if abs(value) >= 10**whole_digits:
        return None
    return value.quantize(Decimal(1).scaleb(-(field.decimal_places or 0)))


def _merge_patient_of(order: Order, snapshot: OrderSnapshot, as_of: datetime) -> bool:
    if not snapshot.patient_id:
        return False
    held = order.patient.external_id if order.patient else ""
    if not wins(order.clock, "patient", as_of, snapshot.patient_id, held):
        return False
    order.clock["patient"] = age_of(as_of)
    if held == snapshot.patient_id:
        return False
    order.patient, _ = Patient.objects.get_or_create(practice=order.practice, external_id=snapshot.patient_id)
    return True


def _merge_request(order: Order, snapshot: OrderSnapshot, as_of: datetime) -> bool:
    """Our own mark in the intent's metadata tells which request this order came from."""
    request = (snapshot.metadata or {}).get("labbridge_request")
    if not isinstance(request, str) or not request:
        return False
    order.source = "caspio"
    return _merge_value(order, "request_id", request[:255], as_of)


def _results_received(order: Order) -> list[datetime | None]:
    """The lab's date of each test; and one that is missing while not all of the tests are known."""
    received = list(order.ordered_tests.filter(removed=False).values_list("results_received_at", flat=True))
    return received if "ordered_tests" in order.clock else [*received, None]


# -- ordered tests -------------------------------------------------------------------------------------------


def _merge_tests(order: Order, snapshot: OrderSnapshot, as_of: datetime, *, look_again: bool) -> bool:
    held = {test.external_id: test for test in order.ordered_tests.all()}
    _refuse_tests_of_others(order, {shown.id for shown in snapshot.ordered_tests} - held.keys())
    changed = False
    for shown in snapshot.ordered_tests:
        test = held.get(shown.id)
        if test is None:
            test = OrderedTest(practice=order.practice, order=order, external_id=shown.id)
            held[shown.id], changed = test, True
        changed |= _merge_test(test, shown, as_of)
        changed |= _keep_source(test, shown, as_of, look_again=look_again)
    if "ordered_tests" in snapshot.present and not (snapshot.canceled_at and not snapshot.ordered_tests):
        order.clock["ordered_tests"] = max(order.clock.get("ordered_tests", 0), age_of(as_of))
    for test in held.values():
        changed |= _mark_removed(test, order.clock.get("ordered_tests", 0))
    return changed


def _refuse_tests_of_others(order: Order, new: set[str]) -> None:
    if not new:
        return
    others = OrderedTest.objects.filter(practice=order.practice, external_id__in=new).select_related("order")
    for test in others:
        raise Contradiction(
            f"Rupa shows the test {test.external_id} in two orders, {test.order.external_id} and "
            f"{order.external_id}. Look at both in Rupa; nothing of this event was taken over."
        )


def _merge_test(test: OrderedTest, shown: OrderedTestSnapshot, as_of: datetime) -> bool:
    pairs = {"lab_test_id_external": "lab_test_id", "results_received_at": "results_received_at"}
    changed = _merge_fields(test, shown, pairs, as_of)
    test.as_of = max(test.as_of or as_of, as_of)
    test.save()
    return changed


def _mark_removed(test: OrderedTest, listed: int) -> bool:
    """Taken off the order: a newer snapshot named all of its tests, and this one was not among them."""
    removed = test.as_of is not None and age_of(test.as_of) < listed
    if test.removed == removed:
        return False
    test.removed = removed
    test.save(update_fields=["removed"])
    return True


def _keep_source(test: OrderedTest, shown: OrderedTestSnapshot, as_of: datetime, *, look_again: bool) -> bool:
    """Remember what was said about the files, so that each version can be taken, even one that is heard of late.

    Addresses carry signatures that change with each answer, so a source is known by its address without the query
    and by the lab's date. A result may also change under an unchanged address: `look_again` has it taken anew.
    What could not be had is tried again whenever it is shown again. Returns whether versions have changed.
    """
    files = {"pdf": shown.results_pdf, "hl7": shown.results_hl7}
    if not any(files.values()):
        return False
    source, created = ResultSource.objects.get_or_create(
        ordered_test=test,
        fingerprint=_fingerprint(shown, files),
        defaults={
            "files": files, "received_at": shown.results_received_at, "as_of": as_of, "latest_as_of": as_of,
        },
    )  # fmt: skip
    if created:
        return False
    span = (source.as_of, source.latest_as_of)
    source.as_of = min(source.as_of, as_of)
    newest = as_of >= source.latest_as_of
    if newest:
        source.files, source.latest_as_of = files, as_of
    if (look_again and newest) or source.state in {SourceState.GONE, SourceState.REFUSED}:
        source.state, source.reason = SourceState.PENDING, ""
    source.save()
    return span != (source.as_of, source.latest_as_of) and refold(test)


def _fingerprint(shown: OrderedTestSnapshot, files: dict[str, str | None]) -> bytes:
    parts = [
        (value or "").split("?")[0] if (value or "").startswith("http") else value or ""
        for value in files.values()
    ]
    received = shown.results_received_at.isoformat() if shown.results_received_at else ""
    return keyring().blind("\0".join([received, *parts]), "result source")


def merge_patient(
    practice: Practice, snapshot: PatientSnapshot, as_of: datetime, *, whole: bool = False
) -> tuple[Patient, bool]:
    """Merge a patient's own resource. Returns whether who they are has changed.

    `whole`: it was read from the patient's own address, so what it does not state is not to be had.
    """
    patient, _ = Patient.objects.get_or_create(practice=practice, external_id=snapshot.id)
    patient = Patient.objects.select_for_update().get(pk=patient.pk)
    held: Person = patient.person or {}
    person = {**dict.fromkeys(PARTS if whole else ()), **held}
    for part, value in person_of(snapshot, snapshot.present).items():
        if wins(patient.clock, part, as_of, value, held.get(part)):
            patient.clock[part] = age_of(as_of)
            person[part] = value
    changed = person != patient.person
    if changed:
        patient.lookup_keys = None  # found by other keys from now on
    patient.person = person
    patient.email_index, patient.birthday_index = indexes(person)
    patient.as_of = max(patient.as_of or as_of, as_of)
    patient.save()
    return patient, changed
