"""What the machine API says, as types.

`Plain…` is what a key of the class `none` is told: a closed list of fields without a patient's id, key, name, date
finer than a month, or free text. It is a type of its own and no part of the other, so that nobody can add a field to
one and mean the other.
"""

from __future__ import annotations

import uuid
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, Field

from labbridge.alerts.models import AlertState
from labbridge.mirror.models import CaseKind, CaseState, Phase, ResultState
from labbridge.ordering.models import RequestState


class Page(BaseModel):
    next_cursor: str | None = Field(description="Where the next page begins; null on the last.")


class Plain(BaseModel):
    """The base of all that a key without patient data may be told."""


# -- catalogue ---------------------------------------------------------------------------------------------------


class LabCompany(Plain):
    id: int
    rupa_id: str
    name: str
    short_name: str


class LabCompanyPage(Page):
    items: list[LabCompany]


class LabTest(Plain):
    id: int
    rupa_id: str
    name: str
    lab_company_rupa_id: str
    lab_company_name: str
    category: str
    price: Decimal | None = Field(description="Dollars; null while the practice's price unit is unknown.")
    turnaround_days: int | None
    shipping_days_min: int | None
    shipping_days_max: int | None
    is_addon: bool
    parent_rupa_id: str
    available: bool
    unavailable_reason: str
    url: str
    sample_report_url: str
    retired: bool


class LabTestPage(Page):
    items: list[LabTest]


# -- the practice ------------------------------------------------------------------------------------------------


class ConnectionHealth(Plain):
    peer: str
    state: str
    problem: str


class Health(Plain):
    status: Literal["well", "attention"]
    practice: str
    connections: list[ConnectionHealth]
    events_pending: int
    orders_stuck: int
    cases_open: int
    alerts_open: int
    catalogue_read_at: datetime | None
    last_sweep_at: datetime | None


class LedgerRow(Plain):
    seq: int
    date: date
    practice: str
    listed: int
    held: int
    filed: int
    in_review: int
    rejected: int
    repaired: int
    difference: int
    digest: str
    previous: str
    signature: str


class LedgerPage(Page):
    items: list[LedgerRow]


class Alert(Plain):
    id: uuid.UUID
    rule: str
    severity: str
    owner: str
    state: AlertState
    sentence: str
    action: str
    first_seen: datetime
    last_seen: datetime
    resolved_at: datetime | None


class AlertPage(Page):
    items: list[Alert]


# -- orders ------------------------------------------------------------------------------------------------------


class PatientRef(BaseModel):
    """Whom it is about, by ids."""

    id: uuid.UUID | None = Field(description="Ours: of /patients. Null while they are not linked.")
    patient_key: str | None = Field(description="The key in the practice's Caspio table.")
    rupa_patient_id: str | None


class PlainOrder(Plain):
    shape: Literal["plain"] = "plain"
    id: uuid.UUID
    phase: Phase
    payment_status: str
    source: str
    is_demo: bool
    submitted_month: str | None = Field(description="YYYY-MM.")
    tests_total: int
    tests_resulted: int


class PlainOrderPage(Page):
    items: list[PlainOrder]


class Order(BaseModel):
    shape: Literal["full"] = "full"
    id: uuid.UUID
    rupa_order_id: str
    patient: PatientRef
    practitioner_name: str
    phase: Phase
    rupa_status: str
    payment_status: str
    payer: str
    total_price: Decimal | None = Field(
        description="Dollars; null while the practice's price unit is unknown."
    )
    source: str
    request_id: str
    is_demo: bool
    submitted_at: datetime | None
    paid_at: datetime | None
    completed_at: datetime | None
    canceled_at: datetime | None
    tests_total: int
    tests_resulted: int
    filed_at: datetime | None = Field(description="When Caspio was last brought up to date with it.")
    problem: str = Field(description="What keeps it from Caspio; empty when nothing does.")


class OrderPage(Page):
    items: list[Order]


class PlainOrderedTest(Plain):
    shape: Literal["plain"] = "plain"
    id: uuid.UUID
    order_id: uuid.UUID
    lab_test_id: int | None
    result_state: ResultState


class PlainOrderedTestPage(Page):
    items: list[PlainOrderedTest]


class OrderedTest(BaseModel):
    shape: Literal["full"] = "full"
    id: uuid.UUID
    order_id: uuid.UUID
    rupa_ordered_test_id: str
    lab_test_id: int | None = Field(description="Of /lab-tests; null when the catalogue does not know it.")
    test_name: str
    lab_company_name: str
    result_state: ResultState
    results_received_at: datetime | None
    removed: bool
    problem: str


class OrderedTestPage(Page):
    items: list[OrderedTest]


# -- results -----------------------------------------------------------------------------------------------------


class Result(BaseModel):
    id: uuid.UUID
    ordered_test_id: uuid.UUID
    order_id: uuid.UUID
    result_key: str
    version: int
    amended: bool
    received_at: datetime | None
    found_at: datetime
    has_file: bool
    pdf_sha256: str
    pdf_size: int | None
    has_values: bool
    withheld: bool = Field(
        description="The report names another patient: a person decides before it is given out."
    )
    superseded: bool = Field(description="Replaced at Rupa before its file could be taken.")
    problem: str


class ResultPage(Page):
    items: list[Result]


class ResultValue(BaseModel):
    number: int
    analyte: str
    loinc: str
    value_text: str
    value_number: Decimal | None
    units: str | None
    reference_range: str | None
    flag: str | None
    observed_at: datetime | None
    observed_text: str = Field(description="The lab's wall clock where it names no zone.")


class ResultValues(BaseModel):
    result_id: uuid.UUID
    items: list[ResultValue]


class FileAddress(BaseModel):
    url: str = Field(description="Needs no key. Whoever has it can open the file until it expires.")
    expires_at: datetime


# -- patients ----------------------------------------------------------------------------------------------------


class Patient(BaseModel):
    id: uuid.UUID
    patient_key: str
    present: bool = Field(description="Whether the row still stands in Caspio.")
    linked: bool
    rupa_patient_id: str | None
    linked_at: datetime | None
    linked_by: str | None
    link_reasons: list[str]
    sync_status: str
    sync_message: str
    read_at: datetime


class PatientPage(Page):
    items: list[Patient]


class PatientQuestion(BaseModel):
    """One of the two."""

    patient_key: str = Field("", max_length=255)
    rupa_patient_id: str = Field("", max_length=64)


class SyncStarted(BaseModel):
    patient_id: uuid.UUID
    queued: bool


# -- order requests ----------------------------------------------------------------------------------------------


class OrderWish(BaseModel):
    patient_key: str = Field(
        min_length=1, max_length=255, description="The key in the practice's Caspio table."
    )
    test_ids: list[str] = Field([], max_length=100, description="Rupa's ids of lab tests.")
    protocol_id: str = Field("", max_length=255)
    practitioner_email: str = Field("", max_length=255)


class OpenTest(BaseModel):
    """A test of the request that was open for the patient already when its checkout was made."""

    test_id: str
    rupa_order_id: str | None = Field(description="Null: it stands in another checkout, not used yet.")
    order_source: str | None = Field(description="Where that order was made: caspio, rupa or ehr:NAME.")


class OrderRequest(BaseModel):
    """Holds ids only, since its first answer is kept for good."""

    id: uuid.UUID
    patient_id: uuid.UUID | None
    state: RequestState
    message: str
    waits_for: str
    checkout_url: str | None
    rupa_order_id: str | None
    test_ids: list[str]
    open_already: list[OpenTest] = Field(
        [], description="Repeats to be warned of; `message` says so in words."
    )
    created_at: datetime


class OrderRequestPage(Page):
    items: list[OrderRequest]


# -- review cases ------------------------------------------------------------------------------------------------


class ReviewCase(BaseModel):
    """A question, by ids and sentences without patient data: the console shows both sides."""

    id: uuid.UUID
    kind: CaseKind
    state: CaseState
    decision: str | None
    reasons: list[str]
    actions: list[str]
    ways_out: list[str]
    patient_id: uuid.UUID | None
    rupa_patient_id: str | None
    candidates: list[str]
    fields: list[str]
    decided_by: str | None
    opened_at: datetime
    decided_at: datetime | None
    seen: str | None = Field(description="Of an open case: what is asked now. Send it with the decision.")


class ReviewCasePage(Page):
    items: list[ReviewCase]


class Decision(BaseModel):
    action: Literal[
        "link", "choose_another", "create", "not_the_same", "ask_patient", "use_caspio", "use_rupa"
    ]
    choose: str = Field(
        "", max_length=255, description="With choose_another: a Rupa patient id, or a row's key."
    )
    why: str = Field("", max_length=500)
    seen: str = Field(
        "",
        max_length=64,
        exclude_if=lambda one: not one,  # or a repeated call of before this field would be another one
        description="The case's `seen` when it was looked at: what has changed since is not decided (409).",
    )
