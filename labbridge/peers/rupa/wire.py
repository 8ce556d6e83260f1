"""Takes single values off the wire: one parser per kind of value, and a reader that never fails.

Three things are told apart: an attribute that is absent, one that is null, and one that is there but
cannot be read. Only what was understood counts as present, so that half a snapshot erases nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from labbridge.peers.rupa.jsonapi import Json, JsonObject, Resource

T = TypeVar("T")
Parser = Callable[[Json], T]


class UnfitError(ValueError):
    """The value is of another kind than the attribute should be."""


MAX_TEXT = 20_000  #: characters of an ordinary attribute
_AMOUNT = re.compile(r"[+-]?[0-9]{1,12}(\.[0-9]{1,8})?")
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?\s*([Zz]|[+-]\d\d:?\d\d)?", re.ASCII
)


def text(value: Json) -> str:
    """Text that PostgreSQL and UTF-8 can hold: no NUL, no half of a surrogate pair."""
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise UnfitError("not a text")
    return clean(value)


def clean(value: str) -> str:
    return value.replace("\x00", "").encode("utf-8", "replace").decode()


def words(value: Json) -> str:
    """Text, or a plain value that the peer may send in its place (rupa-api.md 5.1 has such doubts)."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | Decimal) else text(value)


def flag(value: Json) -> bool:
    if isinstance(value, bool):
        return value
    raise UnfitError("not true or false")


def whole_number(value: Json) -> int:
    if isinstance(value, bool):
        raise UnfitError("not a number")
    number = amount(value)
    if number != int(number) or abs(number) > 1_000_000:
        raise UnfitError("not a whole number")
    return int(number)


def amount(value: Json) -> Decimal:
    """A number, or a number in a string, exactly as written (rupa-api.md 5.12): never through a float."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise UnfitError("not an amount")
    if isinstance(value, Decimal) and abs(value.adjusted()) > 20:  # 1e999999999 is a gigabyte of zeros
        raise UnfitError("not an amount")
    written = value.strip() if isinstance(value, str) else format(Decimal(value), "f")
    if not _AMOUNT.fullmatch(written):
        raise UnfitError("not an amount")
    return Decimal(written)


def moment(value: Json) -> datetime:
    """ISO 8601 with an offset or Z and 0 to 9 digits of a second (rupa-api.md 5.11), as UTC.

    A time without an offset is refused: which day it means could not be known.
    """
    found = _TIME.fullmatch(value.strip()) if isinstance(value, str) and len(value) < 60 else None
    if found is None or found[4] is None:
        raise UnfitError("not a time with an offset")
    fraction = (found[3] or "").ljust(6, "0")[:6]
    offset = "+00:00" if found[4] in "Zz" else found[4]
    return datetime.fromisoformat(f"{found[1]}T{found[2]}.{fraction}{offset}").astimezone(UTC)


def day(value: Json) -> date:
    """`YYYY-MM-DD`, or the day of a time written that way, unshifted: a birthday has no zone."""
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T.*)?", value.strip()):
        raise UnfitError("not a day")
    return date.fromisoformat(value.strip()[:10])


def file_value(value: Json) -> str:
    """A result file's place or content, however long; objects with an address inside are opened."""
    if isinstance(value, Mapping):
        value = next((value[key] for key in ("url", "href", "file") if isinstance(value.get(key), str)), None)
    if not isinstance(value, str):
        raise UnfitError("not a file")
    return clean(value)


def texts(value: Json) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise UnfitError("not a list")
    return tuple(text(one) for one in value)


def free_json(value: Json) -> dict[str, Any]:  # Any: metadata is any JSON object (rupa-api.md 5.6)
    """A JSON object that can be written again: decimals become floats, which is all JSON promised."""
    if not isinstance(value, Mapping):
        raise UnfitError("not an object")
    return {clean(str(key)): _free(one) for key, one in value.items()}


def _free(value: Json) -> Json:
    if isinstance(value, Mapping):
        return free_json(value)
    if isinstance(value, list):
        return [_free(one) for one in value]
    if isinstance(value, Decimal):
        return float(value) if abs(value.adjusted()) < 300 else str(value)
    return clean(value) if isinstance(value, str) else value


class AttributeReader:
    """Collects what a snapshot takes from one resource, under our names."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self.values: dict[str, Any] = {}  # Any: of each parser's own kind; pydantic checks them after us
        self._present: set[str] = set()
        self._unreadable: list[str] = []

    def take(
        self, ours: str, parser: Parser[Any], *theirs: str, source: JsonObject | None = None
    ) -> None:  # Any: a row of a table of fields names its own parser
        """Read into `ours` the first of `theirs` that holds something, else the null that is there."""
        attributes = self.resource.attributes if source is None else source
        found = [attributes[name] for name in theirs if name in attributes]
        if found:
            self._read(ours, parser, next((value for value in found if value is not None), None))

    def _read(self, ours: str, parser: Parser[Any], value: Json) -> None:
        try:
            self.values[ours] = None if value is None else parser(value)
        except (ValueError, OverflowError, RecursionError, InvalidOperation):
            self._unreadable.append(ours)
        else:
            self._present.add(ours)

    def state(self, ours: str, value: object) -> None:
        """A value that the document states outside of its attributes."""
        self.values[ours] = value
        self._present.add(ours)

    def relate(self, ours: str, *theirs: str) -> None:
        """The id at the other end of the first to-one relationship that is stated."""
        for name in theirs:
            if self.resource.says(name):
                ref = self.resource.ref(name)
                self.state(ours, None if ref is None else ref.id)
                return

    def finish(self) -> dict[str, Any]:
        """All that a snapshot is made of. Any: pydantic checks it."""
        return {
            **self.values,
            "id": self.resource.id,
            "present": frozenset(self._present),
            "unreadable_fields": tuple(self._unreadable),
        }
