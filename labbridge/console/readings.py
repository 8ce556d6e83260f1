"""What the lab measured, as a page shows it: value, units, range, flag in words, and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from labbridge.filing.rows import value_text
from labbridge.mirror.models import Result, ResultValue
from labbridge.mirror.results import CRITICAL, WITHDRAWN

#: HL7 table 0078, as people say it.
FLAGS = {
    "N": "normal", "H": "high", "L": "low", "HH": "critically high", "LL": "critically low", "A": "abnormal",
    "AA": "critically abnormal",
}  # fmt: skip


@dataclass(frozen=True)
class Reading:
    analyte: str
    loinc: str
    text: str
    number: Decimal | None
    units: str
    range: str
    flag: str
    tone: str  # harm, wait, or nothing
    observed_on: date | None

    @property
    def flag_words(self) -> str:
        return FLAGS.get(self.flag, self.flag)


def readings(result: Result) -> tuple[Reading, ...]:
    """The values of one version, in the lab's order. Its values are prefetched."""
    return tuple(_reading(result, value) for value in result.values.all())


def _reading(result: Result, value: ResultValue) -> Reading:
    value.result = result  # opened by the key of the same person: no query for each
    read: dict[str, Any] = value.reading
    withdrawn = read.get("status") in WITHDRAWN
    flag = "" if withdrawn else str(read.get("flag") or "")
    tone = "harm" if flag in CRITICAL else "wait" if flag and flag != "N" else ""
    return Reading(
        value.analyte, value.loinc, value_text(read), None if withdrawn else _number(read.get("number")),
        str(read.get("units") or ""), str(read.get("reference_range") or ""), flag, tone, _day(result, value),
    )  # fmt: skip


def _number(text: object) -> Decimal | None:
    try:
        number = Decimal(str(text))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _day(result: Result, value: ResultValue) -> date | None:
    """When it was observed, else when the result came in."""
    zone = result.ordered_test.order.practice.zone
    if value.observed_text:
        try:
            return datetime.fromisoformat(value.observed_text).date()
        except ValueError:
            return None
    moment = value.observed_at or result.received_at or result.found_at
    return moment.astimezone(zone).date()
