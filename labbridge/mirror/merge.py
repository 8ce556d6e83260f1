"""Merging what a peer showed into the mirror: only what is newer, only what was stated.

Merging is a function of (mirror, snapshot): done twice, or in another order, it ends in the same state. Each
function runs inside the caller's transaction and returns whether anything that Caspio should hold has changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from django.db import models
from django.db.models import Q

from labbridge.mirror.history import Telling, record, told
from labbridge.mirror.models import (
    Order,
    OrderedTest,
    Patient,
    Phase,
    ResultSource,
    SourceState,
)
from labbridge.mirror.names import index
from labbridge.mirror.person import PARTS, Person, person_of
from labbridge.mirror.phases import payment_of, phase_by_words, phase_of
from labbridge.mirror.results import refold
from labbridge.outbox.models import Kind
from labbridge.outbox.note import News, Words, note_all
from labbridge.peers.rupa.types import (
    OrderedTestSnapshot,
    OrderSnapshot,
    PatientSnapshot,
)
from labbridge.practices.models import Connection, Practice
from labbridge.trust.envelope import data_keys
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

ORDER_MERGED = [field.name for field in Order._meta.concrete_fields if not field.primary_key]
TEST_MERGED = ["lab_test_id_external", "results_received_at", "removed", "clock", "as_of"]


class Contradiction(Exception):
    """Two snapshots of the peer's cannot both be true. The text is a sentence for a person, without data."""


def merge_order(
    practice: Practice,
    snapshot: OrderSnapshot,
    as_of: datetime,
    *,
    look_again: bool = False,
    event_id: UUID | None = None,
) -> tuple[Order, bool]:
    """Merge one order with its tests. Locks the order's row until the transaction ends.

    Raises:
        Contradiction: one of its tests belongs to another order.

    """
    opened = OpenOrders(practice, [snapshot])
    order = opened.merge(snapshot, as_of, look_again=look_again, event_id=event_id)
    opened.save()
    return order, order.pk in opened.changed


class OpenOrders:
    """Orders of one practice, locked until the transaction ends, while any number of snapshots is merged into them.

    All are read at once and saved at once: one statement costs about what merging a snapshot costs.
    """

    def __init__(self, practice: Practice, snapshots: Sequence[OrderSnapshot]) -> None:
        self.practice = practice
        self.changed: set[UUID] = set()  #: orders of which Caspio should hold something else
        self._made: set[UUID] = set()
        self._orders = self._locked({snapshot.id for snapshot in snapshots})
        self._patients = self._patients_of(snapshots)
        self._tests = self._tests_of(snapshots)
        self._touched: dict[UUID, OrderedTest] = {}
        self._told: list[Telling] = []
        self._news: list[News] = []
        self._shown: list[tuple[Order, OrderedTest, OrderedTestSnapshot, datetime, bool]] = []

    def merge(
        self,
        snapshot: OrderSnapshot,
        as_of: datetime,
        *,
        look_again: bool = False,
        event_id: UUID | None = None,
    ) -> Order:
        """Merge one of the snapshots. Call `save` after the last one.

        `look_again`: have the result files taken even where nothing about them seems to have changed. `event_id`:
        what told it, for the order's history.

        Raises:
            Contradiction: one of its tests belongs to another order.

        """
        order = self._orders[snapshot.id]
        if order.erased_at:
            return order
        before = None if order.pk in self._made else _told(order)
        changed = order.pk in self._made
        self._made.discard(order.pk)
        changed |= _merge_fields(order, snapshot, ORDER_FIELDS, as_of)
        changed |= self._merge_patient_of(order, snapshot, as_of)
        changed |= _merge_request(order, snapshot, as_of)
        changed |= self._merge_tests(order, snapshot, as_of, look_again=look_again)
        order.as_of = max(order.as_of or as_of, as_of)
        phase = phase_of(order, self._results_received(order))
        changed |= phase != order.phase
        order.phase = phase
        if changed:
            self._change(order)
        self._told.append(Telling(order, told(order, snapshot, as_of), event_id))
        self._news += _changes_told(order, before)
        return order

    def save(self) -> None:
        """Store what was merged."""
        if self._touched:
            OrderedTest.objects.bulk_create(
                self._touched.values(), update_conflicts=True, unique_fields=["id"], update_fields=TEST_MERGED
            )
        for order, test, shown, as_of, look_again in self._shown:
            if _keep_source(test, shown, as_of, look_again=look_again):
                self._change(order)
        kept = [order for order in self._orders.values() if not order.erased_at]
        if kept:
            Order.objects.bulk_create(
                kept, update_conflicts=True, unique_fields=["id"], update_fields=ORDER_MERGED
            )
        record(self._told, {key: test.pk for key, test in self._tests.items()})
        note_all(self.practice.pk, self._news)

    def _change(self, order: Order) -> None:
        order.revision += 1
        self.changed.add(order.pk)

    # -- reading -----------------------------------------------------------------------------------------------

    def _locked(self, keys: set[str]) -> dict[str, Order]:
        """By the peer's keys; those that are not there yet are made. In the order of our keys, as everywhere."""
        found = self._lock(keys)
        if missing := sorted(keys - found.keys()):
            made = [Order(practice=self.practice, external_id=key) for key in missing]
            Order.objects.bulk_create(made, ignore_conflicts=True)
            found |= self._lock(set(missing))
            self._made = {order.pk for order in made}  # those of them that are there: nobody was quicker
        return found

    def _lock(self, keys: set[str]) -> dict[str, Order]:
        orders = Order.objects.filter(practice=self.practice, external_id__in=keys)
        locked = orders.select_related("patient").select_for_update(of=("self",)).order_by("pk")
        found = {order.external_id: order for order in locked}
        for order in found.values():
            order.practice = self.practice
        return found

    def _patients_of(self, snapshots: Sequence[OrderSnapshot]) -> dict[str, Patient]:
        """Whom the snapshots name, as far as their orders do not have them already."""
        wanted: set[str] = set()
        for snapshot in snapshots:
            held = self._orders[snapshot.id].patient
            if snapshot.patient_id and (held is None or held.external_id != snapshot.patient_id):
                wanted.add(snapshot.patient_id)
        known = Patient.objects.filter(practice=self.practice, external_id__in=wanted) if wanted else ()
        return {patient.external_id: patient for patient in known}

    def _tests_of(self, snapshots: Sequence[OrderSnapshot]) -> dict[str, OrderedTest]:
        """Every test that the orders have, and whatever else has the key of one that is shown."""
        shown = {test.id for snapshot in snapshots for test in snapshot.ordered_tests}
        orders = {order.pk: order for order in self._orders.values()}
        tests = OrderedTest.objects.filter(
            Q(order__in=list(orders)) | Q(practice=self.practice, external_id__in=shown)
        ).order_by("pk")
        found = {test.external_id: test for test in tests}
        for test in found.values():
            if test.order_id in orders:
                test.order = orders[test.order_id]
        return found

    # -- merging -----------------------------------------------------------------------------------------------

    def _merge_patient_of(self, order: Order, snapshot: OrderSnapshot, as_of: datetime) -> bool:
        if not snapshot.patient_id:
            return False
        held = order.patient.external_id if order.patient else ""
        if not wins(order.clock, "patient", as_of, snapshot.patient_id, held):
            return False
        order.clock["patient"] = age_of(as_of)
        if held == snapshot.patient_id:
            return False
        patient = self._patients.get(snapshot.patient_id)
        if patient is None:
            patient, _ = Patient.objects.get_or_create(
                practice=self.practice, external_id=snapshot.patient_id
            )
            self._patients[snapshot.patient_id] = patient
        order.patient = patient
        return True

    def _tests_on(self, order: Order) -> list[OrderedTest]:
        return [test for test in self._tests.values() if test.order_id == order.pk]

    def _results_received(self, order: Order) -> list[datetime | None]:
        """The lab's date of each test; and one that is missing while not all of the tests are known."""
        received = [test.results_received_at for test in self._tests_on(order) if not test.removed]
        return received if "ordered_tests" in order.clock else [*received, None]

    def _merge_tests(
        self, order: Order, snapshot: OrderSnapshot, as_of: datetime, *, look_again: bool
    ) -> bool:
        changed = False
        for shown in snapshot.ordered_tests:
            test = self._tests.get(shown.id)
            if test is None:
                test = OrderedTest(practice=self.practice, order=order, external_id=shown.id)
                self._tests[shown.id], changed = test, True
            elif test.order_id != order.pk:
                raise Contradiction(
                    f"Rupa shows the test {shown.id} in two orders, {test.order.external_id} and "
                    f"{order.external_id}. Look at both in Rupa; nothing of this event was taken over."
                )
            changed |= _merge_test(test, shown, as_of)
            self._touched[test.pk] = test
            if shown.results_pdf or shown.results_hl7:
                self._shown.append((order, test, shown, as_of, look_again))
        if "ordered_tests" in snapshot.present and not (snapshot.canceled_at and not snapshot.ordered_tests):
            order.clock["ordered_tests"] = max(order.clock.get("ordered_tests", 0), age_of(as_of))
        for test in self._tests_on(order):
            if _mark_removed(test, order.clock.get("ordered_tests", 0)):
                self._touched[test.pk], changed = test, True
        return changed


def _told(order: Order) -> tuple[str, str]:
    """What others hear of when it changes: the phase and the payment state."""
    return str(Phase(order.phase).value), payment_of(order, Phase(order.phase))


def _changes_told(order: Order, before: tuple[str, str] | None) -> Iterator[News]:
    """Noted under the order's lock, so that the facts of one order are numbered in their order."""
    now, about = _told(order), f"order:{order.pk}"
    for place, (kind, name) in enumerate(((Kind.PHASE, "phase"), (Kind.PAYMENT, "payment_status"))):
        if before is None or before[place] != now[place]:
            previous: Words = {f"previous_{name}": before[place]} if before else {}
            yield News(kind, about, {name: now[place], **previous, "demo": order.is_demo})


# Newest wins, field by field: each keeps the age of the snapshot that stated it (`clock`), so that what one
# snapshot leaves out comes from the newest that did state it, in whatever order they were heard.


def age_of(as_of: datetime) -> int:
    """A moment as a whole number, exact to the microsecond as the peer writes it."""
    return (as_of - EPOCH) // timedelta(microseconds=1)


def read_at(now: datetime, known: datetime | None) -> datetime:
    """The age of what was read after `known` had been held: never older than that.

    The peer's clock is told to the second only, so what is read just after an event would look older than it.
    """
    return now if known is None or now > known else known + timedelta(microseconds=1)


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


def _merge_request(order: Order, snapshot: OrderSnapshot, as_of: datetime) -> bool:
    """Our own mark in the intent's metadata tells which request this order came from."""
    request = (snapshot.metadata or {}).get("labbridge_request")
    if not isinstance(request, str) or not request:
        return False
    order.source = "caspio"
    return _merge_value(order, "request_id", request[:255], as_of)


# -- ordered tests -------------------------------------------------------------------------------------------


def _merge_test(test: OrderedTest, shown: OrderedTestSnapshot, as_of: datetime) -> bool:
    pairs = {"lab_test_id_external": "lab_test_id", "results_received_at": "results_received_at"}
    changed = _merge_fields(test, shown, pairs, as_of)
    test.as_of = max(test.as_of or as_of, as_of)
    return changed


def _mark_removed(test: OrderedTest, listed: int) -> bool:
    """Taken off the order: a newer snapshot named all of its tests, and this one was not among them."""
    removed = test.as_of is not None and age_of(test.as_of) < listed
    if test.removed == removed:
        return False
    test.removed = removed
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
        fingerprint=source_fingerprint(shown),
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


def source_fingerprint(shown: OrderedTestSnapshot) -> bytes:
    """What a source is known by: the lab's date, and its addresses without what changes with each answer."""
    return fingerprint(shown.results_pdf, shown.results_hl7, shown.results_received_at)


def fingerprint(pdf: str | None, hl7: str | None, received_at: datetime | None) -> bytes:
    parts = [without_query(value) for value in (pdf, hl7)]
    received = received_at.isoformat() if received_at else ""
    return keyring().blind("\0".join([received, *parts]), "result source")


def without_query(value: str | None) -> str:
    """An address without its signature; content as it is."""
    return (value or "").split("?")[0] if (value or "").startswith("http") else value or ""


def merge_patient(
    practice: Practice, snapshot: PatientSnapshot, as_of: datetime, *, whole: bool = False
) -> tuple[Patient, bool]:
    """Merge a patient's own resource. Returns whether who they are has changed.

    `whole`: it was read from the patient's own address, so what it does not state is not to be had.
    """
    patient, _ = Patient.objects.get_or_create(practice=practice, external_id=snapshot.id)
    # No key: an order of theirs may be stored meanwhile, and only looks whether they exist.
    patient = Patient.objects.select_for_update(no_key=True).get(pk=patient.pk)
    if patient.erased_at:
        return patient, False
    changed = _take_over(patient, snapshot, as_of, whole=whole)
    patient.save()
    return patient, changed


@dataclass(frozen=True)
class Shown:
    """A patient as a list has them, and how new that is."""

    snapshot: PatientSnapshot
    as_of: datetime


def merge_unchanged(practice: Practice, page: Sequence[Shown], connection: Connection) -> set[str]:
    """Merge those of a page who are held as they are shown, in three statements: only that it still holds is new.

    Returns their ids. The others are left as they were.
    """
    by_id = {one.snapshot.id: one for one in page}
    held = Patient.objects.select_for_update(no_key=True).filter(
        practice=practice, external_id__in=list(by_id), connection=connection, erased_at=None
    )
    patients = list(held.order_by("pk"))
    data_keys.prepare([one.pk for one in patients])
    shown = [(one, by_id[one.external_id]) for one in patients]
    same = [one for one, now in shown if not _take_over(one, now.snapshot, now.as_of)]
    Patient.objects.bulk_update(same, ["clock", "as_of"])
    return {one.external_id for one in same}


def _take_over(patient: Patient, snapshot: PatientSnapshot, as_of: datetime, *, whole: bool = False) -> bool:
    """What wins over what is held, noted on the record. Returns whether who they are has changed."""
    held: Person = patient.person or {}
    person = {**dict.fromkeys(PARTS if whole else ()), **held}
    for part, value in person_of(snapshot, snapshot.present).items():
        if wins(patient.clock, part, as_of, value, held.get(part)):
            patient.clock[part] = age_of(as_of)
            if person.get(part) != value:
                patient.changed[part] = age_of(as_of)
            person[part] = value
    changed = bool(person != patient.person)
    patient.person = person
    if changed:
        index(patient, person)
    patient.as_of = max(patient.as_of or as_of, as_of)
    return changed
