"""The only words that may stand in an alert: each parameter has a kind, and each kind a narrow shape.

There is no kind for free text. What does not fit its kind raises `NotAWord` where the finding is made, so that a
patient's name can be neither stored in an alert nor sent by one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Any

Param = int | str
Params = dict[str, Param]  #: as stored: JSON numbers and text


class NotAWord(Exception):
    """A parameter does not fit its kind. The text names rule and parameter, never the value."""


class Kind(StrEnum):
    COUNT = "count"  #: a whole number
    SPAN = "span"  #: whole seconds
    MOMENT = "moment"
    DAY = "day"
    PEER = "peer"
    ID = "id"  #: a key of ours, or of a peer's record: one word without blanks
    TABLE = "table"  #: a table of Caspio
    LAB = "lab"  #: the catalogue's name of a lab company, which the caller has looked up there


PEERS = {"rupa": "Rupa", "caspio": "Caspio"}
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,80}", re.ASCII)
_TABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}", re.ASCII)
LONGEST_LAB = 80


def _moment(value: Any) -> str:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise TypeError
    return value.astimezone(UTC).isoformat(timespec="seconds")


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    return value


def _span(value: Any) -> int:
    if not isinstance(value, timedelta):
        raise TypeError
    return int(value.total_seconds())


def _day(value: Any) -> str:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise TypeError
    return value.isoformat()


def _peer(value: Any) -> str:
    if value not in PEERS:
        raise TypeError
    return str(value)


def _like(pattern: re.Pattern[str]) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise TypeError
        return value

    return check


class LabName(str):
    """A name that stands in the catalogue of lab companies: what a `LAB` word must be made of."""

    __slots__ = ()


def _lab(value: Any) -> str:
    if not isinstance(value, LabName):
        raise TypeError
    plain = "".join(letter if letter.isalnum() or letter in " .,&'()-/+" else " " for letter in value)
    return (
        " ".join(plain.split())[:LONGEST_LAB] or "a lab without a name"
    )  # chat systems read <, @ and * as commands


# any: these are what finds out what a value is
_CHECKS: dict[Kind, Callable[[Any], Param]] = {
    Kind.COUNT: _whole,
    Kind.SPAN: _span,
    Kind.MOMENT: _moment,
    Kind.DAY: _day,
    Kind.PEER: _peer,
    Kind.ID: _like(_ID),
    Kind.TABLE: _like(_TABLE),
    Kind.LAB: _lab,
}


def checked(kinds: Mapping[str, Kind], values: Mapping[str, Any], rule: str) -> Params:
    """The values as they are stored. Raises NotAWord."""
    if kinds.keys() != values.keys():
        raise NotAWord(f"{rule} takes {', '.join(sorted(kinds)) or 'nothing'}")
    stored: Params = {}
    for name, kind in kinds.items():
        try:
            stored[name] = _CHECKS[kind](values[name])
        except TypeError:
            raise NotAWord(f"{name} of {rule} is no {kind.value}") from None
    return stored


def spoken(kinds: Mapping[str, Kind], params: Mapping[str, Param], zone: tzinfo) -> dict[str, str]:
    """The stored values as people read them, times in `zone`."""
    return {name: _spoken(kinds[name], params[name], zone) for name in kinds}


def _spoken(kind: Kind, value: Param, zone: tzinfo) -> str:
    if kind is Kind.SPAN:
        return span_words(int(value))
    if kind is Kind.MOMENT:
        return datetime.fromisoformat(str(value)).astimezone(zone).strftime("%Y-%m-%d %H:%M")
    if kind is Kind.PEER:
        return PEERS[str(value)]
    return f"{value:,}" if kind is Kind.COUNT else str(value)


def span_words(seconds: int) -> str:
    """`90` -> "1.5 minutes"; one unit, at most one decimal."""
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.1f}".removesuffix(".0") + f" {unit}"
    return f"{seconds} seconds"
