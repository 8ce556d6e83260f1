"""The Caspio tables that Labbridge fills, field by field (design.md 6.5): what to provision, how to compare."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Context, Decimal, InvalidOperation
from typing import Literal

CaspioType = Literal[
    "STRING", "TEXT", "NUMBER", "INTEGER", "CURRENCY", "DATE/TIME", "YES/NO", "ATTACHMENT", "GUID"
]
Value = str | int | bool | Decimal | None
"""A value as Caspio takes it: dates are naive text `YYYY-MM-DDTHH:MM:SS` in the practice's zone."""

STRING_LENGTH = 255  #: caspio-api.md 3.5
TEXT_LENGTH = 64_000
NUMBER_DIGITS = 15  #: significant digits that survive (3.5)
LARGEST_EXPONENT = 15  # a currency of SQL Server's, of which Caspio's is one, ends there
EARLIEST, LATEST = "1753-01-01", "9999-12-31T23:59:59"  # what SQL Server's datetime holds


@dataclass(frozen=True)
class Field:
    name: str
    type: CaspioType = "STRING"
    unique: bool = False
    #: Other types that an existing field may have and still hold our values.
    also: tuple[CaspioType, ...] = ()


@dataclass(frozen=True)
class TableSpec:
    """`word` is the key under [caspio.tables] in practice.toml; the practice chooses the name."""

    word: str
    fields: tuple[Field, ...]
    owned: bool = True  # False: the practice writes its rows, we only answer in them or read them

    @property
    def unique(self) -> str:
        return next(field.name for field in self.fields if field.unique)

    def field(self, name: str) -> Field:
        return next(field for field in self.fields if field.name == name)


def _text(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name, also=("TEXT",)) for name in names)


def _long(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name, "TEXT", also=("STRING",)) for name in names)


def _time(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name, "DATE/TIME") for name in names)


def _yes_no(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name, "YES/NO") for name in names)


def _whole(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name, "INTEGER", also=("NUMBER",)) for name in names)


def _money(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name, "CURRENCY", also=("NUMBER",)) for name in names)


def _key(name: str) -> tuple[Field, ...]:
    return (Field(name, unique=True),)


SYNCED_AT = "Synced_At"
ATTACHMENT = "Result_PDF"

TABLES: dict[str, TableSpec] = {
    spec.word: spec
    for spec in (
        TableSpec(
            "lab_orders",
            (
                *_key("Rupa_Order_ID"),
                *_text("Patient_Key", "Rupa_Patient_ID", "Practitioner_Name", "Rupa_Status", "Phase"),
                *_text("Payment_Status", "Payer"),
                *_money("Total_Price"),
                *_time("Submitted_At", "Paid_At", "Completed_At", "Canceled_At"),
                *_whole("Tests_Total", "Tests_Resulted"),
                *_time("Expected_By"),
                *_yes_no("Overdue"),
                *_text("Order_Source", "Request_ID"),
                *_long("Rupa_Url"),
                *_text("Superbill_Status", "HSA_FSA_Status", "Payment_Plan_Status"),
                *_yes_no("Is_Demo"),
                *_time(SYNCED_AT),
            ),
        ),
        TableSpec(
            "lab_order_tests",
            (
                *_key("Rupa_Ordered_Test_ID"),
                *_text("Rupa_Order_ID", "Patient_Key", "Rupa_Lab_Test_ID", "Test_Name", "Lab_Company_Name"),
                *_text("Result_State"),
                *_time("Results_Received_At"),
                *_whole("Latest_Version"),
                *_time(SYNCED_AT),
            ),
        ),
        TableSpec(
            "lab_results",
            (
                *_key("Result_Key"),
                *_text(
                    "Rupa_Order_ID", "Rupa_Ordered_Test_ID", "Patient_Key", "Test_Name", "Lab_Company_Name"
                ),
                *_whole("Version"),
                *_yes_no("Amended"),
                *_time("Received_At"),
                Field(ATTACHMENT, "ATTACHMENT"),
                *_text("Pdf_Sha256"),
                *_yes_no("Has_Values"),
                *_text("Review_Status", "Reviewed_By"),
                *_time("Reviewed_At", SYNCED_AT),
            ),
        ),
        TableSpec(
            "lab_result_values",
            (
                *_key("Value_Key"),
                *_text("Result_Key", "Patient_Key", "Analyte", "Loinc"),
                *_long("Value_Text"),
                Field("Value_Number", "NUMBER"),
                *_text("Units", "Reference_Range", "Flag"),
                *_time("Observed_At"),
            ),
        ),
        TableSpec(
            "lab_tests",
            (
                *_key("Rupa_Lab_Test_ID"),
                *_text("Name", "Rupa_Lab_Company_ID", "Lab_Company_Name", "Category"),
                *_money("Price"),
                *_whole("Turnaround_Days", "Shipping_Days_Min", "Shipping_Days_Max"),
                *_yes_no("Is_Addon"),
                *_text("Parent_Test_ID"),
                *_yes_no("Available"),
                *_long("Unavailable_Reason", "Url", "Sample_Report_Url"),
                *_yes_no("Retired"),
                *_time(SYNCED_AT),
            ),
        ),
        TableSpec(
            "lab_companies", (*_key("Rupa_Lab_Company_ID"), *_text("Name", "Short_Name"), *_time(SYNCED_AT))
        ),
        TableSpec(
            "lab_protocols",
            (*_key("Protocol_ID"), *_text("Name"), *_yes_no("Active"), *_long("Notes")),
            owned=False,
        ),
        TableSpec(
            "lab_analytics_monthly",
            (
                *_key("Month_Key"),
                *_text("Month", "Scope", "Rupa_Lab_Company_ID", "Lab_Company_Name"),
                *_whole("Orders", "Tests", "Canceled", "Paid_Orders", "Paid_With_Price"),
                *_money("Amount"),
                *_time(SYNCED_AT),
            ),
        ),
        TableSpec(
            "lab_turnaround",
            (
                *_key("Turnaround_Key"),
                *_text("Scope", "Rupa_Lab_Company_ID", "Lab_Company_Name", "Rupa_Lab_Test_ID", "Test_Name"),
                *_whole("Results", "Still_Open", "P50_Days", "P90_Days"),
                *_text("Remark"),
                *_time(SYNCED_AT),
            ),
        ),
        TableSpec(
            "lab_protocol_tests",
            (*_key("Protocol_Test_ID"), *_text("Protocol_ID", "Rupa_Lab_Test_ID"), *_whole("Sort")),
            owned=False,
        ),
        TableSpec(
            "lab_order_requests",
            (
                Field("Request_ID", "GUID", unique=True, also=("STRING", "GUID")),
                *_text("Patient_Key", "Protocol_ID"),
                *_long("Test_IDs"),
                *_text("Practitioner_Email"),
                *_time("Requested_At"),
                *_text("Request_Status"),
                *_long("Checkout_Url"),
                *_text("Rupa_Order_ID"),
                *_long("Message"),
            ),
            owned=False,
        ),
    )
}


def fit(field: Field, value: object) -> Value:
    """Make one of our values fit a Caspio field. A text that is too long ends in "…"; a key never is cut.

    A number or a day that Caspio cannot hold is left out rather than having the whole row refused.

    Raises:
        ValueError: naming the field, never the value.

    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, datetime | date):
        raise ValueError(  # noqa: TRY004  # one error for every value that cannot be made to fit
            f"{field.name}: dates are turned into the practice's wall clock first"
        )
    if isinstance(value, int | Decimal):
        return _fit_number(field, value)
    text = str(value).replace("\x00", "")
    if field.type == "DATE/TIME":
        return text if EARLIEST <= text <= LATEST else None
    limit = TEXT_LENGTH if field.type == "TEXT" else STRING_LENGTH
    if _units(text) <= limit:
        return text
    if field.unique:
        raise ValueError(f"{field.name}: a key of {len(text)} characters does not fit")
    while _units(text) > limit - 1:
        text = text[: -max(1, (_units(text) - limit) // 2)]
    return text + "…"


_BEYOND_BASIC_PLANE = re.compile("[\U00010000-\U0010ffff]")


def _units(text: str) -> int:
    """Length as SQL Server counts it: signs beyond the basic plane, such as emoji, are two."""
    return len(text) + len(_BEYOND_BASIC_PLANE.findall(text))


def _fit_number(field: Field, value: int | Decimal) -> int | Decimal | None:
    if field.type == "INTEGER":
        return value if abs(Decimal(value)) < 2**31 else None
    number = Decimal(value)
    if not number.is_finite() or number.adjusted() >= LARGEST_EXPONENT:
        return None
    if field.type == "CURRENCY":
        return number.quantize(Decimal("0.0001"))
    return Context(prec=NUMBER_DIGITS).plus(number)


def canonical(field: Field, value: object) -> str:
    """One text for one meaning, whether we are about to write the value or Caspio returned it.

    Caspio gives "" for text never set, numbers without trailing zeros, dates without an offset and sometimes with
    fractions (caspio-api.md 2.2, 3.4).
    """
    if value is None or value == "":
        return "0" if field.type == "YES/NO" else ""
    if field.type == "YES/NO":
        return "1" if value in (True, 1, "1", "true", "True", "Yes") else "0"
    if field.type in {"NUMBER", "INTEGER", "CURRENCY"}:
        return _number(value)
    if field.type == "DATE/TIME":
        return str(value).replace(" ", "T")[:19]
    return str(value)


def _number(value: object) -> str:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return str(value)
    return format(number.normalize(), "f") if number else "0"
