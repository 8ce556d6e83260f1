"""What Caspio should hold for an order or the catalogue, built from the mirror. No calls, no writes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Prefetch
from django.utils import timezone

from labbridge.filing.tables import ATTACHMENT, TABLES, Value, fit
from labbridge.mirror.models import (
    LabCompany,
    LabTest,
    Order,
    OrderedTest,
    Phase,
    Result,
    ResultState,
    ResultValue,
    StoredFile,
)
from labbridge.mirror.phases import expected_by, is_overdue, payment_of
from labbridge.mirror.results import WITHDRAWN
from labbridge.practices.config import PracticeConfig

#: When a row is new or its file is another one, its review starts anew.
UNREVIEWED: dict[str, Value] = {"Review_Status": "unreviewed", "Reviewed_By": "", "Reviewed_At": None}


def review_values(result: Result, zone: ZoneInfo) -> dict[str, Value]:
    """A result's review as Caspio has it: what a new row begins with, and what is written when it is said here."""
    if result.reviewed_at is None:
        return dict(UNREVIEWED)
    spec, at = TABLES["lab_results"], wall_clock(result.reviewed_at, zone)
    by = fit(spec.field("Reviewed_By"), result.reviewed_by)
    return {"Review_Status": "reviewed", "Reviewed_By": by, "Reviewed_At": at}


#: HL7 table 0085, where it says more than that there is a value.
STATUS_WORDS = {
    "X": "not obtained", "I": "pending", "N": "not asked for", "O": "not measured", "P": "preliminary",
    "S": "partial", "R": "not verified", "D": "deleted by the lab", "W": "withdrawn by the lab",
}  # fmt: skip


@dataclass(frozen=True)
class Attachment:
    field: str
    sha256: str
    filename: str  # holds the content hash, so that a look at Caspio proves which file is there
    load: Callable[[], bytes] = dataclasses.field(repr=False, compare=False)


@dataclass(frozen=True)
class Row:
    """One row as it should be: `values` by Caspio field, without the unique field, the attachment and Synced_At."""

    table: str
    key: str
    values: dict[str, Value] = dataclasses.field(repr=False)
    attachment: Attachment | None = None
    #: Written when the row is new or its file is another one, and otherwise left to the practice.
    initial: dict[str, Value] = dataclasses.field(default_factory=dict, repr=False)
    create: bool = True  # False: brought up to date where it stands already, and not made anew


def wall_clock(moment: datetime | None, zone: ZoneInfo) -> str | None:
    """A moment as Caspio takes it: naive, in the practice's zone, to the second (design.md 6.5)."""
    if moment is None:
        return None
    try:
        return moment.astimezone(zone).replace(tzinfo=None, microsecond=0).isoformat()
    except OverflowError:  # the ends of the calendar do not survive a zone
        return None


def money(amount: Decimal | None, unit: str) -> Decimal | None:
    """An amount in dollars, or nothing while the peer's unit is unknown (rupa-api.md 5.12)."""
    if amount is None or unit == "unknown":
        return None
    return amount / 100 if unit == "cents" else amount


def _row(
    table: str,
    key: str,
    values: dict[str, object],
    attachment: Attachment | None = None,
    initial: dict[str, Value] | None = None,
    *,
    create: bool = True,
) -> Row:
    spec = TABLES[table]
    fit(spec.field(spec.unique), key)
    fitted = {name: fit(spec.field(name), value) for name, value in values.items()}
    return Row(table, key, fitted, attachment, initial or {}, create)


class OrderRows:
    """The rows of one order, for one practice's settings."""

    def __init__(
        self,
        order: Order,
        config: PracticeConfig,
        patient_key: str,
        practitioner_name: str,
        *,
        with_results: bool = True,
    ) -> None:
        """`with_results`: whether the order has any."""
        self.order, self.config, self.patient_key = order, config, patient_key
        self.practitioner_name = practitioner_name
        self.zone = config.zone
        pdfs = Prefetch("results__pdf", StoredFile.objects.defer("content"))
        held = ("results__values", pdfs) if with_results else (Prefetch("results", Result.objects.none()),)
        tests = order.ordered_tests.prefetch_related(*held).order_by("external_id")
        self.tests = [test for test in tests if _is_on_order(test)]
        wanted = {test.lab_test_id_external for test in self.tests}
        known = LabTest.objects.filter(practice=order.practice, external_id__in=wanted)
        self.lab_tests = {test.external_id: test for test in known}

    def all(self) -> list[Row]:
        rows = [self._order()]
        for test in self.tests:
            results = list(test.results.all())
            rows.append(self._test(test, results))
            for result in results:
                rows.extend(self._result(test, result))
        return rows

    def _time(self, moment: datetime | None) -> str | None:
        return wall_clock(moment, self.zone)

    def _order(self) -> Row:
        order = self.order
        expected = expected_by(order, [self.lab_tests.get(test.lab_test_id_external) for test in self.tests])
        values: dict[str, object] = {
            "Patient_Key": self.patient_key,
            "Rupa_Patient_ID": order.patient.external_id if order.patient else "",
            "Practitioner_Name": self.practitioner_name,
            "Rupa_Status": order.status,
            "Phase": order.phase,
            "Payment_Status": payment_of(order, Phase(order.phase)),
            "Payer": order.payer,
            "Total_Price": money(order.total_price, self.config.rupa.price_unit),
            "Submitted_At": self._time(order.submitted_at),
            "Paid_At": self._time(order.paid_at),
            "Completed_At": self._time(order.completed_at),
            "Canceled_At": self._time(order.canceled_at),
            "Tests_Total": len(self.tests),
            "Tests_Resulted": sum(1 for test in self.tests if _has_file(test)),
            "Expected_By": self._time(expected),
            "Overdue": is_overdue(order, expected, timezone.now()),
            "Order_Source": order.source,
            "Request_ID": order.request_id,
            "Is_Demo": order.is_demo,
            **billing_words(order),
        }
        return _row("lab_orders", order.external_id, values)

    def _names(self, test: OrderedTest) -> dict[str, object]:
        known = self.lab_tests.get(test.lab_test_id_external)
        return {
            "Test_Name": known.name if known else "",
            "Lab_Company_Name": known.lab_company_name if known else "",
        }

    def _test(self, test: OrderedTest, results: list[Result]) -> Row:
        values: dict[str, object] = {
            "Rupa_Order_ID": self.order.external_id,
            "Patient_Key": self.patient_key,
            "Rupa_Lab_Test_ID": test.lab_test_id_external,
            **self._names(test),
            "Result_State": result_state(test, results),
            "Results_Received_At": self._time(test.results_received_at),
            "Latest_Version": max(
                (result.version for result in results if not result.withheld), default=None
            ),
        }
        return _row("lab_order_tests", test.external_id, values)

    def _result(self, test: OrderedTest, result: Result) -> Iterable[Row]:
        """One version and its values. What names another patient is in nobody's chart until a person decides."""
        key = f"{test.external_id}-v{result.version}"
        patient_key = "" if result.withheld else self.patient_key
        values = list(result.values.all())
        fields: dict[str, object] = {
            "Rupa_Order_ID": self.order.external_id,
            "Rupa_Ordered_Test_ID": test.external_id,
            "Patient_Key": patient_key,
            **self._names(test),
            "Version": result.version,
            "Amended": result.version > 1,
            "Received_At": self._time(result.received_at),
            "Pdf_Sha256": result.pdf.sha256 if result.pdf else "",
            "Has_Values": bool(values),
        }
        create = not result.withheld
        review = review_values(result, self.zone)
        yield _row("lab_results", key, fields, _attachment(key, result), review, create=create)
        for value in values:
            yield self._value(key, value, patient_key, create=create)

    def _value(self, result_key: str, value: ResultValue, patient_key: str, *, create: bool) -> Row:
        reading = value.reading
        withdrawn = reading.get("status") in WITHDRAWN
        number = None if withdrawn else reading.get("number")
        fields: dict[str, object] = {
            "Result_Key": result_key,
            "Patient_Key": patient_key,
            "Analyte": value.analyte,
            "Loinc": value.loinc,
            "Value_Text": value_text(reading),
            "Value_Number": Decimal(number) if number is not None else None,
            "Units": reading.get("units"),
            "Reference_Range": reading.get("reference_range"),
            "Flag": None if withdrawn else reading.get("flag"),
            "Observed_At": value.observed_text or self._time(value.observed_at),
        }
        return _row("lab_result_values", f"{result_key}-{value.number}", fields, create=create)


def value_text(reading: dict[str, Any]) -> str:  # any: one reading as the mirror keeps it
    """What the lab says, never empty: the value, else the lab's comment, else the word for its status."""
    status = reading.get("status") or ""
    if status in WITHDRAWN:  # a value that the lab took back is not shown
        return STATUS_WORDS[status]
    comments = "\n".join(reading.get("comments") or ())
    return reading.get("text") or comments or STATUS_WORDS.get(status, "-")


def billing_words(order: Order) -> dict[str, object]:
    """Those that were said: a word never becomes none again, and orders without one cost no write."""
    words = {
        "Superbill_Status": order.superbill_status,
        "HSA_FSA_Status": order.hsa_fsa_status,
        "Payment_Plan_Status": order.payment_plan_status,
    }
    return {name: word for name, word in words.items() if word}


def _is_on_order(test: OrderedTest) -> bool:
    """A test that was taken off at checkout leaves Caspio again, unless it has a result: that is never taken away."""
    return not test.removed or bool(test.results.all())


def _has_file(test: OrderedTest) -> bool:
    return any(result.pdf_id or result.hl7_id for result in test.results.all() if not result.withheld)


REMOVED = (
    "Our copy of this result's file was removed, as the practice's retention policy says. Fetch the file from Rupa "
    "and attach it to the row in Caspio."
)


class FileRemoved(Exception):
    """A file is wanted again whose copy retention removed."""


def _attachment(key: str, result: Result) -> Attachment | None:
    stored = result.pdf
    if stored is None:
        return None
    file_id = stored.pk

    def load() -> bytes:
        held = type(stored).objects.get(pk=file_id)
        if held.emptied_at:
            raise FileRemoved(REMOVED)
        content: bytes = held.content
        return content

    return Attachment(ATTACHMENT, stored.sha256, f"{key}-{stored.sha256[:12]}.pdf", load)


def result_state(test: OrderedTest, results: list[Result]) -> ResultState:
    """Result_State of design.md 6.6.7, from what is held of one test."""
    if test.problem or any(result.withheld for result in results):
        return ResultState.PROBLEM
    held = [result for result in results if result.pdf_id or result.hl7_id]
    if held:
        return ResultState.AMENDED if len(results) > 1 else ResultState.RESULTED
    return ResultState.FILE_PENDING if test.results_received_at else ResultState.NONE


def lab_test_row(test: LabTest, config: PracticeConfig) -> Row:
    values: dict[str, object] = {
        "Name": test.name,
        "Rupa_Lab_Company_ID": test.lab_company_id_external,
        "Lab_Company_Name": test.lab_company_name,
        "Category": test.category,
        "Price": money(test.price, config.rupa.price_unit),
        "Turnaround_Days": test.turnaround_days,
        "Shipping_Days_Min": test.shipping_days_min,
        "Shipping_Days_Max": test.shipping_days_max,
        "Is_Addon": test.is_addon,
        "Parent_Test_ID": test.parent_id_external,
        "Available": test.available and not test.retired,
        "Unavailable_Reason": test.unavailable_reason,
        "Url": test.url,
        "Sample_Report_Url": test.sample_report_url,
        "Retired": test.retired,
    }
    return _row("lab_tests", test.external_id, values)


def lab_company_row(company: LabCompany) -> Row:
    return _row(
        "lab_companies", company.external_id, {"Name": company.name, "Short_Name": company.short_name}
    )
