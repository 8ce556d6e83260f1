"""What we take from Rupa, under our names; Rupa's own spelling ends in this file (rupa-api.md 5).

Every snapshot says in `present` which of its fields the peer stated, null included: a field that is not
in `present` is unknown and must not erase what is held. Fields that could not be read are named in
`unreadable_fields`. Texts that may be patient data do not show in a `repr`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Self, TypedDict

from pydantic import BaseModel, ConfigDict, Field

from labbridge.peers.rupa import wire
from labbridge.peers.rupa.jsonapi import Document, Json, JsonObject, Resource, as_object
from labbridge.peers.rupa.wire import AttributeReader, Parser

Row = tuple[str, Parser[Any], tuple[str, ...]]  # ours, parser, theirs. Any: each row has its own kind


class Snapshot(BaseModel):
    """One resource as the peer showed it at one moment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    present: frozenset[str] = frozenset()
    unreadable_fields: tuple[str, ...] = ()


PRACTITIONER: Sequence[Row] = (
    ("first_name", wire.text, ("first_name",)),
    ("last_name", wire.text, ("last_name",)),
    ("full_name", wire.text, ("titled_full_name",)),
    ("email", wire.text, ("email",)),
    ("npi", wire.words, ("npi",)),
    ("credential", wire.words, ("primary_practitioner_type",)),
    ("ordering_authorization_status", wire.words, ("ordering_authorization_status",)),
    ("verification_status", wire.words, ("verification_status",)),
    ("updated_at", wire.moment, ("updated_at",)),
)


class PractitionerSnapshot(Snapshot):
    """rupa-api.md 5.1: all second-hand; e-mail and NPI may never come."""

    first_name: str | None = None
    last_name: str | None = None
    full_name: str | None = None
    email: str | None = Field(default=None, repr=False)
    npi: str | None = None
    credential: str | None = None
    ordering_authorization_status: str | None = None
    verification_status: str | None = None
    updated_at: datetime | None = None
    clinic_id: str | None = None

    @classmethod
    def read(cls, resource: Resource) -> Self:
        reader = _read(resource, PRACTITIONER)
        reader.relate("clinic_id", "clinic")
        return cls(**reader.finish())


PATIENT: Sequence[Row] = (
    ("first_name", wire.text, ("first_name",)),
    ("last_name", wire.text, ("last_name",)),
    ("email", wire.text, ("email",)),
    ("phone", wire.words, ("phone_number",)),
    ("birthday", wire.day, ("birthday",)),
    ("gender", wire.text, ("gender",)),
    ("created_at", wire.moment, ("created_at",)),
)
ADDRESS: Sequence[Row] = (
    ("street", wire.words, ("street",)),
    ("city", wire.text, ("city",)),
    ("state", wire.text, ("state",)),
    ("zipcode", wire.words, ("zipcode",)),
)


class PatientSnapshot(Snapshot):
    """rupa-api.md 5.3. The shipping address is spread out: absent as a whole means all four are absent."""

    first_name: str | None = Field(default=None, repr=False)
    last_name: str | None = Field(default=None, repr=False)
    email: str | None = Field(default=None, repr=False)
    phone: str | None = Field(default=None, repr=False)
    birthday: date | None = Field(default=None, repr=False)
    gender: str | None = Field(default=None, repr=False)
    street: str | None = Field(default=None, repr=False)
    city: str | None = Field(default=None, repr=False)
    state: str | None = Field(default=None, repr=False)
    zipcode: str | None = Field(default=None, repr=False)
    created_at: datetime | None = None
    practitioner_id: str | None = None
    clinic_id: str | None = None

    @classmethod
    def read(cls, resource: Resource) -> Self:
        reader = _read(resource, PATIENT)
        if "shipping_address" in resource.attributes:
            address = resource.attributes["shipping_address"]
            source = {theirs: None for _, _, (theirs,) in ADDRESS} if address is None else as_object(address)
            _take(reader, ADDRESS, source)
        reader.relate("practitioner_id", "practitioner")
        reader.relate("clinic_id", "clinic")
        return cls(**reader.finish())


class PatientData(TypedDict, total=False):
    """A patient to write: a key left out is left alone at Rupa, None clears it."""

    first_name: str | None
    last_name: str | None
    email: str | None
    phone: str | None  #: E.164 (rupa-api.md 5.3)
    birthday: date | None
    gender: str | None
    street: str | None
    city: str | None
    state: str | None
    zipcode: str | None


def patient_attributes(data: PatientData) -> dict[str, Json]:
    """A patient in Rupa's words."""
    values: JsonObject = dict(data)
    wired = {theirs[0]: values[ours] for ours, _, theirs in PATIENT if ours in values}
    if isinstance(birthday := wired.get("birthday"), date):
        wired["birthday"] = birthday.isoformat()[:10]
    address = {theirs[0]: values[ours] for ours, _, theirs in ADDRESS if ours in values}
    if address:
        wired["shipping_address"] = None if set(address.values()) == {None} else address
    return wired


LAB_COMPANY: Sequence[Row] = (
    ("name", wire.text, ("name",)),
    ("short_name", wire.text, ("short_name",)),
    ("key", wire.words, ("key",)),
    ("additional_fees", wire.words, ("additional_fees",)),
    ("about_url", wire.text, ("about_url",)),
)


class LabCompanySnapshot(Snapshot):
    """rupa-api.md 5.4."""

    name: str | None = None
    short_name: str | None = None
    key: str | None = None
    additional_fees: str | None = None
    about_url: str | None = None

    @classmethod
    def read(cls, resource: Resource) -> Self:
        return cls(**_read(resource, LAB_COMPANY).finish())


LAB_TEST: Sequence[Row] = (
    ("name", wire.text, ("name",)),
    ("category", wire.words, ("category", "test_type")),
    ("url", wire.text, ("url",)),
    ("details", wire.text, ("details",)),
    ("price", wire.amount, ("rupa_price", "price")),
    ("turnaround_days", wire.whole_number, ("estimated_days_for_results", "turnaround_days")),
    ("shipping_days_min", wire.whole_number, ("shipping_days_min",)),
    ("shipping_days_max", wire.whole_number, ("shipping_days_max",)),
    ("is_addon", wire.flag, ("is_addon",)),
    ("sample_report_url", wire.text, ("sample_report_url",)),
    ("unavailable_reason", wire.text, ("unavailable_reason",)),
    ("disabled", wire.flag, ("disabled",)),
    ("disabled_reason", wire.text, ("disabled_reason",)),
)


class LabTestSnapshot(Snapshot):
    """rupa-api.md 5.5. `price` is in the unit of the practice's `price_unit`, which may be unknown."""

    name: str | None = None
    category: str | None = None
    url: str | None = None
    details: str | None = None
    price: Decimal | None = None
    turnaround_days: int | None = None
    shipping_days_min: int | None = None
    shipping_days_max: int | None = None
    is_addon: bool | None = None
    parent_test_id: str | None = None
    sample_report_url: str | None = None
    unavailable_reason: str | None = None
    disabled: bool | None = None
    disabled_reason: str | None = None
    lab_company_id: str | None = None
    lab_company: LabCompanySnapshot | None = None

    @property
    def available(self) -> bool:
        return not self.disabled and not self.unavailable_reason

    @classmethod
    def read(cls, resource: Resource) -> Self:
        reader = _read(resource, LAB_TEST)
        reader.relate("lab_company_id", "lab_company")
        reader.relate("parent_test_id", "parent")
        company = resource.one("lab_company")
        if company is not None and not company.named_only:
            reader.values["lab_company"] = LabCompanySnapshot.read(company)
        return cls(**reader.finish())


ORDERED_TEST: Sequence[Row] = (
    ("results_received_at", wire.moment, ("date_results_received_from_lab",)),
    ("results_pdf", wire.file_value, ("results_pdf",)),
    ("results_hl7", wire.file_value, ("results_hl7",)),
    ("requisition", wire.file_value, ("requisition",)),
)


class OrderedTestSnapshot(Snapshot):
    """rupa-api.md 5.8. The files are as sent: an address or the content itself, see `files.classify`."""

    lab_test_id: str | None = None
    results_received_at: datetime | None = None
    results_pdf: str | None = Field(default=None, repr=False)
    results_hl7: str | None = Field(default=None, repr=False)
    requisition: str | None = Field(default=None, repr=False)
    lab_test: LabTestSnapshot | None = None

    @classmethod
    def read(cls, resource: Resource) -> Self:
        reader = _read(resource, ORDERED_TEST)
        reader.relate("lab_test_id", "lab_test")
        lab_test = resource.one("lab_test")
        if lab_test is not None and not lab_test.named_only:
            reader.values["lab_test"] = LabTestSnapshot.read(lab_test)
        return cls(**reader.finish())


ORDER: Sequence[Row] = (
    ("status", wire.text, ("status",)),
    ("payer", wire.text, ("payer",)),
    ("total_price", wire.amount, ("total_price",)),
    ("notes_to_patient", wire.text, ("notes_to_patient",)),
    ("submitted_at", wire.moment, ("date_submitted",)),
    ("paid_at", wire.moment, ("date_paid",)),
    ("patient_checkout_at", wire.moment, ("date_patient_checkout",)),
    ("completed_at", wire.moment, ("date_completed",)),
    ("canceled_at", wire.moment, ("date_canceled",)),
    ("created_at", wire.moment, ("created_at", "date_created")),
    ("is_demo", wire.flag, ("is_demo",)),
    ("metadata", wire.free_json, ("metadata",)),
)


class OrderSnapshot(Snapshot):
    """rupa-api.md 5.7. `status` and `payer` are Rupa's literals, kept as they are.

    `ordered_tests` is in `present` only when the peer named all of them (`meta.count` agrees); a test
    that was named without its attributes has an empty `present` of its own.
    """

    status: str | None = None
    payer: str | None = None
    total_price: Decimal | None = None
    notes_to_patient: str | None = Field(default=None, repr=False)
    submitted_at: datetime | None = None
    paid_at: datetime | None = None
    patient_checkout_at: datetime | None = None
    completed_at: datetime | None = None
    canceled_at: datetime | None = None
    created_at: datetime | None = None
    is_demo: bool | None = None
    metadata: dict[str, Any] | None = Field(default=None, repr=False)  # Any: free JSON, see free_json
    patient_id: str | None = None
    practitioner_id: str | None = None  #: `patients_practitioner`
    signing_practitioner_id: str | None = None
    order_intent_id: str | None = None
    ordered_tests: tuple[OrderedTestSnapshot, ...] = ()
    patient: PatientSnapshot | None = None

    @property
    def practitioner_ids(self) -> tuple[str, ...]:
        """Whose order it may be, most telling first (rupa-api.md 7)."""
        return tuple(key for key in (self.practitioner_id, self.signing_practitioner_id) if key)

    @classmethod
    def read(cls, resource: Resource, *, metadata: Json = None) -> Self:
        """`metadata` is what stood elsewhere in the event; the order's own wins."""
        reader = _read(resource, ORDER)
        reader.relate("patient_id", "patient")
        reader.relate("practitioner_id", "patients_practitioner", "practitioner")
        reader.relate("signing_practitioner_id", "signing_practitioner")
        reader.relate("order_intent_id", "order_intent")
        if reader.values.get("metadata") is None and (found := _metadata(resource, metadata)) is not None:
            reader.take("metadata", wire.free_json, "metadata", source={"metadata": found})
        _take_tests(reader)
        patient = resource.one("patient")
        if patient is not None and not patient.named_only:
            reader.values["patient"] = PatientSnapshot.read(patient)
        return cls(**reader.finish())


def _metadata(order: Resource, elsewhere: Json) -> Json:
    intent = order.one("order_intent")
    return elsewhere if intent is None else intent.attributes.get("metadata", elsewhere)


def _take_tests(reader: AttributeReader) -> None:
    order = reader.resource
    if not order.says("ordered_tests"):
        included = [one for ref, one in order.included.items() if ref.type == "ordered_test"]
        reader.values["ordered_tests"] = _ordered_tests(included)
        return
    tests = _ordered_tests(order.many("ordered_tests"))
    if order.count("ordered_tests") in (None, len(tests)):
        reader.state("ordered_tests", tests)
    else:
        reader.values["ordered_tests"] = tests


def _ordered_tests(resources: Iterable[Resource]) -> tuple[OrderedTestSnapshot, ...]:
    return tuple(OrderedTestSnapshot.read(resource) for resource in resources)


ORDER_INTENT: Sequence[Row] = (
    # 2.2: the server's docs say checkout_url, rupa-js says redirect_url.
    ("checkout_url", wire.text, ("checkout_url", "redirect_url")),
    ("return_url", wire.text, ("return_url",)),
    ("total_price", wire.amount, ("total_price",)),
    ("icd10_codes", wire.texts, ("icd10_codes",)),
    ("metadata", wire.free_json, ("metadata",)),
)


class OrderIntentSnapshot(Snapshot):
    """rupa-api.md 5.6: a cart that becomes an order when the practitioner opens `checkout_url`."""

    checkout_url: str | None = Field(default=None, repr=False)
    return_url: str | None = Field(default=None, repr=False)
    total_price: Decimal | None = None
    icd10_codes: tuple[str, ...] | None = None
    metadata: dict[str, Any] | None = Field(default=None, repr=False)  # Any: free JSON, see free_json
    patient_id: str | None = None
    lab_test_ids: tuple[str, ...] = ()
    order_id: str | None = None

    @classmethod
    def read(cls, resource: Resource) -> Self:
        reader = _read(resource, ORDER_INTENT)
        reader.relate("patient_id", "patient")
        reader.relate("order_id", "order")
        if resource.says("lab_tests"):
            reader.state("lab_test_ids", tuple(ref.id for ref in resource.refs("lab_tests")))
        return cls(**reader.finish())

    @classmethod
    def read_answer(cls, document: Document) -> Self | None:
        """The intent in either wire format (rupa-api.md 2.2); None when there is none."""
        if document.data is not None:
            return cls.read(document.data)
        flat = Resource.parse(
            {"type": "order_intent", "id": document.raw.get("id"), "attributes": document.raw}, {}
        )
        return None if flat is None else cls.read(flat)


class OrderIntentData(TypedDict, total=False):
    """An order intent to create: `return_url`, and one of `patient_id` and `patient`."""

    return_url: str
    metadata: dict[str, Any]  # Any: free JSON; only opaque ids of ours (rupa-api.md 10)
    patient_id: str | None
    patient: PatientData | None
    lab_test_ids: Sequence[str]


def intent_flat(data: OrderIntentData) -> dict[str, Json]:
    """As rupa-js sends it: `patient` and `lab_tests` at top level (rupa-api.md 5.6)."""
    body: dict[str, Json] = {"return_url": data["return_url"]}
    if data.get("patient_id"):
        body["patient"] = data["patient_id"]
    elif patient := data.get("patient"):
        body["patient_data"] = patient_attributes(patient)
    if tests := data.get("lab_test_ids"):
        body["lab_tests"] = list(tests)
    if metadata := data.get("metadata"):
        body["metadata"] = metadata
    return body


def intent_document(data: OrderIntentData) -> dict[str, Json]:
    """The same as a JSON:API document."""
    attributes = intent_flat(data)
    patient, tests = attributes.pop("patient", None), attributes.pop("lab_tests", None)
    relationships: dict[str, Json] = {}
    if patient:
        relationships["patient"] = {"data": {"type": "patient", "id": patient}}
    if tests:
        relationships["lab_tests"] = {"data": [{"type": "lab_test", "id": key} for key in tests]}
    resource = {"type": "order_intent", "attributes": attributes, "relationships": relationships}
    return {"data": {key: value for key, value in resource.items() if value}}


def _read(resource: Resource, rows: Sequence[Row]) -> AttributeReader:
    reader = AttributeReader(resource)
    _take(reader, rows)
    return reader


def _take(reader: AttributeReader, rows: Sequence[Row], source: JsonObject | None = None) -> None:
    for ours, parser, theirs in rows:
        reader.take(ours, parser, *theirs, source=source)
