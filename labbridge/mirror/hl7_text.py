"""The letters of HL7 v2: separators, fields, escapes, times. What they mean is read in `hl7.py`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Literal

Zone = Literal["given", "message", "none"]

_TIME = re.compile(
    r"([0-9]{4})([0-9]{2})?([0-9]{2})?([0-9]{2})?([0-9]{2})?([0-9]{2})?(\.[0-9]+)?([+-][0-9]{4})?"
)
_ESCAPED = (
    r"(F|S|T|R|E|H|N|\.[a-z]{2}[+-]?[0-9]{0,4}"
    r"|[Xx](?:[0-9A-Fa-f]{2}){1,2000}|[CM][0-9A-F]{4,6}|Z[0-9A-Za-z]{0,40})"
)


class Hl7Unreadable(ValueError):
    """The text is no result that can be read. `reason` is a sentence without data.

    `several`: it can be read, but is about more than one patient.
    """

    def __init__(self, reason: str, *, several: bool = False) -> None:
        self.reason, self.several = reason, several
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Marks:
    """The separators that MSH declares."""

    field: str
    component: str
    repetition: str
    escape: str
    subcomponent: str

    @classmethod
    def of(cls, message: str) -> Marks:
        """Raises Hl7Unreadable unless there are five different signs: others cannot be told apart later."""
        mark = message[3:4]
        signs = message[4:].split(mark, 1)[0] if mark else ""
        if len(signs) == 3:  # without subcomponents, as old senders are
            signs += "&"
        declared = (mark + signs)[:5]
        if len(set(declared)) != 5 or any(sign.isalnum() or sign.isspace() for sign in declared):
            raise Hl7Unreadable("The HL7 header does not declare its separators.")
        return cls(*declared)


class Segment:
    """Reads the fields of one parsed segment by HL7's numbers; what is not there is empty."""

    def __init__(self, raw: Sequence[object], marks: Marks) -> None:
        self._raw = raw
        self._marks = marks
        self.name = str(raw[0]) if raw else ""

    def repetitions(self, number: int) -> list[object]:
        """One field's repetitions, still escaped, for `components`."""
        found = self._raw[number] if number < len(self._raw) else ""
        parts = list(found) if isinstance(found, list) else [found]
        return parts if any(map(str, parts)) else []

    def components(self, repetition: object) -> list[str]:
        """Unescaped; of subcomponents the first."""
        parts = repetition if isinstance(repetition, list) else [repetition]
        return [self._plain(part[0] if isinstance(part, list) and part else part) for part in parts]

    def text(self, number: int, component: int = 1) -> str:
        """One component of a field's first repetition."""
        repetitions = self.repetitions(number)
        return at(self.components(repetitions[0]), component) if repetitions else ""

    def whole(self, number: int) -> str:
        """All of a field as text: some labs do not escape the separators in their free texts."""
        return "\n".join(self._plain(part) for part in self.repetitions(number)).strip()

    def _plain(self, escaped: object) -> str:
        return unescape(str(escaped), self._marks).strip()


def at(parts: Sequence[str], number: int) -> str:
    """The part with HL7's number, empty when there is none."""
    return parts[number - 1] if number <= len(parts) else ""


def unescape(text: str, marks: Marks) -> str:
    """Escape sequences as what they stand for; highlighting is dropped, what is none stays as it is."""
    if marks.escape not in text:
        return text
    signs = {
        "F": marks.field,
        "S": marks.component,
        "T": marks.subcomponent,
        "R": marks.repetition,
        "E": marks.escape,
    }
    mark = re.escape(marks.escape)
    return re.sub(mark + _ESCAPED + mark, lambda found: _meaning(found[1], signs), text)


def _meaning(code: str, signs: dict[str, str]) -> str:
    if code in signs:
        return signs[code]
    if code.startswith((".br", ".sp", ".ce")):
        return "\n"
    if code.startswith((".in", ".ti", ".sk")):
        return " "
    return _from_bytes(bytes.fromhex(code[1:])) if code[0] in "Xx" else ""


def _from_bytes(packed: bytes) -> str:
    """Bytes of the message's character set: UTF-8 where they fit, else Windows' Latin."""
    try:
        text = packed.decode()
    except UnicodeDecodeError:
        text = packed.decode("cp1252", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")


def read_time(text: str, default: tzinfo | None) -> tuple[datetime | None, Zone]:
    """YYYY[MM[DD[HH[MM[SS[.S]]]]]][+ZZZZ]. A day without an hour never takes the message's zone."""
    found = _TIME.fullmatch(text)
    if found is None:
        return None, "none"
    year, month, day, hour, minute, second = (int(found[n]) if found[n] else 0 for n in range(1, 7))
    micro = int((found[7] or ".")[1:7].ljust(6, "0"))
    try:
        offset = _offset(found[8])
        moment = datetime(year, month or 1, day or 1, hour, minute, second, micro, offset)
        if offset is not None:
            moment.astimezone(UTC)  # the ends of the calendar do not survive a zone
    except (ValueError, OverflowError):
        return None, "none"
    if offset is not None:
        return moment, "given"
    if found[4] and default is not None:
        return moment.replace(tzinfo=default), "message"
    return moment, "none"


def _offset(text: str | None) -> timezone | None:
    if text is None:
        return None
    size = timedelta(hours=int(text[1:3]), minutes=int(text[3:5]))
    return timezone(-size if text[0] == "-" else size)
