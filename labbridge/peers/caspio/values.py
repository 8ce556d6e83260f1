"""Values to and from Caspio's types (caspio-api.md 3.4, 3.5). Nothing is ever cut off or rounded.

Errors name the field and never the value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from labbridge.peers.caspio.assumptions import CaspioAssumptions
from labbridge.peers.caspio.types import FieldType

Value = str | int | float | Decimal | bool | date | datetime | UUID | None
WireValue = str | int | float | bool | None

STRING_LENGTH = 255
TEXT_LENGTH = 64_000
CURRENCY_DECIMALS = 4

DEFAULTS = CaspioAssumptions()


class UnfitValueError(ValueError):
    """A value that the field would cut off, round or refuse. Holds the field's name and never the value."""

    def __init__(self, field: str, reason: str) -> None:
        self.field = field
        super().__init__(f"{field}: {reason}")


def to_wire(
    name: str, kind: FieldType, value: Value, *, zone: ZoneInfo, assumptions: CaspioAssumptions = DEFAULTS
) -> WireValue:
    """`value` as Caspio takes it in the field `name`. None clears the field.

    Aware times become the wall clock of `zone`; naive ones are that already. Raises UnfitValueError
    for what would be cut off, rounded or refused.
    """
    if value is None and kind is not FieldType.YES_NO:
        return None
    match kind:
        case FieldType.STRING | FieldType.FILE:
            return _text(name, value, STRING_LENGTH)
        case FieldType.TEXT:
            return _text(name, value, TEXT_LENGTH)
        case FieldType.DATE_TIME:
            return _time(name, value, zone)
        case FieldType.YES_NO:
            return _truth(name, value)
        case FieldType.INTEGER | FieldType.NUMBER | FieldType.CURRENCY:
            return _NUMERIC[kind](name, value, assumptions)
    raise UnfitValueError(name, f"a {kind} field cannot be written in a row")


def text_length(text: str) -> int:
    """Length as SQL Server counts it: a character beyond the basic plane is two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _text(name: str, value: Value, limit: int) -> str:
    if not isinstance(value, str | UUID):
        raise UnfitValueError(name, f"wants text, not {type(value).__name__}")
    text = str(value)
    if re.search(r"[\x00\ud800-\udfff]", text):
        raise UnfitValueError(name, "text with characters that cannot be stored")
    if text_length(text) > limit:
        raise UnfitValueError(name, f"text of {text_length(text)} characters, {limit} fit")
    return text


def _time(name: str, value: Value, zone: ZoneInfo) -> str:
    if isinstance(value, datetime):
        wall = value.astimezone(zone) if value.tzinfo else value
        return wall.replace(tzinfo=None, microsecond=0).isoformat()
    if isinstance(value, date):
        return f"{value.isoformat()}T00:00:00"
    raise UnfitValueError(name, f"wants a date or a time, not {type(value).__name__}")  # "" is refused (2.2)


def _truth(name: str, value: Value) -> bool:
    if not isinstance(value, bool):
        raise UnfitValueError(name, "wants true or false, never null")
    return value


def _integer(name: str, value: Value, assumptions: CaspioAssumptions) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise UnfitValueError(name, f"wants a whole number, not {type(value).__name__}")
    if not -assumptions.max_integer - 1 <= value <= assumptions.max_integer:
        raise UnfitValueError(name, "a whole number that is too large")
    return value


def _decimal(name: str, value: Value) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise UnfitValueError(name, f"wants a number, not {type(value).__name__}")
    exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not exact.is_finite():
        raise UnfitValueError(name, "not a finite number")
    return exact


def _number(name: str, value: Value, assumptions: CaspioAssumptions) -> int | float:
    exact = _decimal(name, value)
    digits = "".join(map(str, exact.as_tuple().digits)).rstrip("0")
    if len(digits) > assumptions.number_digits:
        raise UnfitValueError(name, f"more than {assumptions.number_digits} digits")
    if exact and not -300 < exact.adjusted() < 300:
        raise UnfitValueError(name, "a number out of reach")
    return int(exact) if exact == exact.to_integral_value() and abs(exact) < 2**53 else float(exact)


def _currency(name: str, value: Value, assumptions: CaspioAssumptions) -> int | float:
    exact = _decimal(name, value)
    if exact != round(exact, CURRENCY_DECIMALS):
        raise UnfitValueError(name, f"more than {CURRENCY_DECIMALS} decimals")
    return _number(name, value, assumptions)


_NUMERIC: dict[FieldType, Callable[[str, Value, CaspioAssumptions], int | float]] = {
    FieldType.INTEGER: _integer,
    FieldType.NUMBER: _number,
    FieldType.CURRENCY: _currency,
}


def read_time(text: str, zone: ZoneInfo) -> datetime:
    """A time that Caspio returned, aware: it has no offset and means the wall clock of `zone`.

    Also reads an offset if one is there, and the US form of file dates (caspio-api.md 2.5).
    Raises ValueError.
    """
    text = text.strip()
    try:
        if _US_TIME.fullmatch(text):
            return datetime.strptime(text, "%m/%d/%Y %I:%M:%S %p").replace(tzinfo=zone)
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("not a time as Caspio writes it") from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=zone)


_US_TIME = re.compile(r"\d{1,2}/\d{1,2}/\d{4} \d{1,2}:\d{2}:\d{2} [AP]M", re.IGNORECASE)


def read_date(text: str) -> date:
    """The day of a returned date, such as a birthday: never moved by a zone. Raises ValueError."""
    try:
        return datetime.fromisoformat(text.strip()).date()
    except ValueError:
        raise ValueError("not a date as Caspio writes it") from None


def read_number(value: Any) -> Decimal | None:  # Any: a cell
    """A number cell without the noise of binary fractions; None for null. Raises TypeError."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("not a number")
    return Decimal(repr(value))
