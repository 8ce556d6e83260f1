"""Reads HL7 v2 results (ORU^R01) into values: analyte, value, units, range, flag, LOINC, comments.

Structure comes from the `hl7` library; escapes and times are read in `hl7_text.py`, because the library
logs and quotes what it cannot read, and that is PHI. Nothing in here logs, no error quotes the message.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import TypeVar

import hl7

from labbridge.mirror.hl7_text import Hl7Unreadable, Marks, Segment, Zone, at, read_time

__all__ = ["EmbeddedDocument", "Hl7Unreadable", "ObservedValue", "OruReport", "Pid", "read_oru"]

MAX_CHARS = 30_000_000
MAX_SEGMENTS = 50_000
MAX_COMMENT = 20_000  #: characters of one OBX's comments

FLAGS = {
    # HL7 table 0078 as Lab_Result_Values keeps it, and words that labs write in its place.
    **{flag: flag for flag in ("N", "H", "L", "HH", "LL", "A", "AA")},
    "NORMAL": "N", "HIGH": "H", "LOW": "L", "ABNORMAL": "A",
    "CRITICAL HIGH": "HH", "CRITICAL LOW": "LL", "PANIC HIGH": "HH", "PANIC LOW": "LL",
}  # fmt: skip

EMBEDDED = "[embedded document]"
ELSEWHERE = "[document kept elsewhere]"
LOINC_SYSTEMS = frozenset({"LN", "LOINC"})  # table 0396; LOINC is a common mistake
TEXT_TYPES = frozenset({"TX", "FT"})
CODED_TYPES = frozenset({"CE", "CWE", "CNE", "CF"})
NUMBER_TYPES = frozenset({"NM", "ST", ""})  #: others may look like numbers, as dates do

_NUMBER = re.compile(r"[+-]?([0-9]{1,20}(\.[0-9]{0,15})?|\.[0-9]{1,15})")
_SEGMENT = re.compile(r"[A-Z][A-Z0-9]{2}")
_BASE64_PDF = re.compile(r"JVBER[A-Za-z0-9+/=\s]{200,}")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pid:
    """Whose results they are, by the lab. All empty when the message does not say."""

    ids: tuple[str, ...] = field(default=(), repr=False)
    last: str = field(default="", repr=False)
    first: str = field(default="", repr=False)
    birthday: date | None = field(default=None, repr=False)
    sex: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class EmbeddedDocument:
    """A file inside an OBX. `content` is None when it could not be unpacked."""

    number: int
    kind: str  #: such as "PDF", as the lab wrote it
    content: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class ObservedValue:
    """One OBX. `number` counts OBX through the whole text from 1: set ids start anew with every OBR.

    `value_number` is set only for plain numbers: "<5", ">100", ranges and titers stay text. `flag` is one
    of table 0078's `N H L HH LL A AA` or None, `flag_text` what the lab wrote. `observed_at` is naive when
    `zone` is "none"; "message" means the zone of MSH-7, which HL7 makes the default.
    """

    number: int
    set_id: str
    sub_id: str
    panel: str
    analyte: str
    code: str
    loinc: str | None
    value_type: str
    value_text: str = field(repr=False)
    value_number: Decimal | None = field(repr=False)
    units: str
    reference_range: str = field(repr=False)
    flag: str | None = field(repr=False)
    flag_text: str = field(repr=False)
    observed_at: datetime | None
    zone: Zone
    status: str  #: table 0085: F final, C corrected, P preliminary, X cannot be obtained
    comments: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class OruReport:
    """All that one text held. `placer_ids` and `filler_ids` are OBR-2 and 3: sender's and lab's order."""

    patient: Pid
    values: tuple[ObservedValue, ...]
    comments: tuple[str, ...] = field(default=(), repr=False)  #: of the patient and of the panels
    documents: tuple[EmbeddedDocument, ...] = ()
    placer_ids: tuple[str, ...] = ()
    filler_ids: tuple[str, ...] = ()
    control_ids: tuple[str, ...] = ()
    sent_at: datetime | None = None


def read_oru(text: str) -> OruReport:
    """Read one message, or a batch about one patient. Raises Hl7Unreadable, and nothing else.

    Segments may end in CR, LF or both. Text that holds results of different patients is refused whole.
    """
    if len(text) > MAX_CHARS:
        raise Hl7Unreadable("The HL7 text is too long.")
    reports = [_read_message(message) for message in _messages(_clean(text))]
    if not reports:
        raise Hl7Unreadable("The text is not an HL7 message.")
    return _join(reports)


# Whole text -> messages


def _clean(text: str) -> str:
    """Without what no database keeps (NUL, half surrogates) and without MLLP's frame."""
    text = text.encode("utf-8", "replace").decode().replace("\x00", "")
    return text.strip("\ufeff\x0b\x1c\r\n\t ").replace("\r\n", "\r").replace("\n", "\r")


def _messages(text: str) -> list[str]:
    """Split at MSH; batch headers and trailers are envelopes only."""
    lines = [line for line in text.split("\r") if line.strip()]
    if len(lines) > MAX_SEGMENTS:
        raise Hl7Unreadable("The HL7 text has too many segments.")
    messages: list[list[str]] = []
    for line in lines:
        name = line.lstrip()[:3]
        if name == "MSH":
            messages.append([line.lstrip()])
        elif name in ("FHS", "BHS", "BTS", "FTS"):
            continue
        elif not messages:
            raise Hl7Unreadable("The text is not an HL7 message.")
        else:
            _add_line(messages[-1], line)
    return ["\r".join(lines) for lines in messages]


def _add_line(message: list[str], line: str) -> None:
    """A segment, or the rest of a text that a lab broke without escaping."""
    separator = message[0][3:4]
    if _SEGMENT.fullmatch(line[:3]) and line[3:4] in (separator, ""):
        message.append(line)
    elif len(message) > 1:
        escape = message[0][6:7]
        message[-1] += f"{escape}.br{escape}{line}"


# One message


def _read_message(text: str) -> OruReport:
    marks = Marks.of(text)
    try:
        message = hl7.parse(text)
    except Exception:  # noqa: BLE001 - the library promises no kind of error
        message = None  # left behind, not chained: its errors quote the text
    if message is None:
        raise Hl7Unreadable("The HL7 message cannot be taken apart.")
    segments = [Segment(found, marks) for found in message]
    header = segments[0]
    if header.text(9, 1) not in ("ORU", ""):
        raise Hl7Unreadable("The HL7 message is not a result (ORU).")
    return _Reader(header).read(segments[1:])


class _Reader:
    """Walks the segments of one message once; notes belong to what stood before them."""

    def __init__(self, header: Segment) -> None:
        self._control_id = header.text(10)
        self._sent_at, _ = read_time(header.text(7), None)
        self._default_zone = self._sent_at.tzinfo if self._sent_at is not None else None
        self._patients: list[Pid] = []
        self._values: list[ObservedValue] = []
        self._documents: list[EmbeddedDocument] = []
        self._comments: list[str] = []
        self._panels: list[Segment] = []
        self._note_is_for_value = False

    def read(self, segments: Sequence[Segment]) -> OruReport:
        for segment in segments:
            if segment.name == "PID":
                self._patients.append(_pid(segment))
                self._note_is_for_value = False
            elif segment.name == "OBR":
                self._panels.append(segment)
                self._note_is_for_value = False
            elif segment.name == "OBX":
                self._add_value(segment)
                self._note_is_for_value = True
            elif segment.name == "NTE":
                self._add_note(segment.whole(3))
        return OruReport(
            patient=_one_patient(self._patients),
            values=tuple(self._values),
            comments=tuple(self._comments),
            documents=tuple(self._documents),
            placer_ids=_distinct(panel.text(2) for panel in self._panels),
            filler_ids=_distinct(panel.text(3) for panel in self._panels),
            control_ids=_distinct([self._control_id]),
            sent_at=self._sent_at,
        )

    def _add_note(self, note: str) -> None:
        if not note:
            return
        if not self._note_is_for_value:
            self._comments.append(note)
            return
        last = self._values[-1]
        if sum(map(len, last.comments)) < MAX_COMMENT:
            self._values[-1] = replace(last, comments=(*last.comments, note[:MAX_COMMENT]))

    def _add_value(self, obx: Segment) -> None:
        number = len(self._values) + 1
        value_type = obx.text(2).upper()
        text, amount, document = _value(obx, value_type, number)
        if document is not None:
            self._documents.append(document)
        panel = self._panels[-1] if self._panels else None
        observed_at, zone = read_time(obx.text(14), self._default_zone)
        if observed_at is None and panel is not None:
            observed_at, zone = read_time(panel.text(7), self._default_zone)
        code, name, loinc = _identifier(obx)
        flag, flag_text = _flag(obx)
        self._values.append(
            ObservedValue(
                number=number,
                set_id=obx.text(1),
                sub_id=obx.text(4),
                panel="" if panel is None else panel.text(4, 2) or panel.text(4),
                analyte=name or code,
                code=code,
                loinc=loinc,
                value_type=value_type,
                value_text=text,
                value_number=amount,
                units=obx.text(6) or obx.text(6, 2),
                reference_range=obx.whole(7),
                flag=flag,
                flag_text=flag_text,
                observed_at=observed_at,
                zone=zone,
                status=obx.text(11).upper(),
            )
        )


def _pid(pid: Segment) -> Pid:
    ids = [at(pid.components(one), 1) for number in (2, 3, 4) for one in pid.repetitions(number)]
    born, _ = read_time(pid.text(7)[:8], None)
    return Pid(
        ids=_distinct(ids),
        last=pid.text(5, 1),
        first=pid.text(5, 2),
        birthday=born.date() if born is not None and len(pid.text(7)) >= 8 else None,
        sex=pid.text(8).upper(),
    )


def _identifier(obx: Segment) -> tuple[str, str, str | None]:
    """Code, name and LOINC from OBX-3, whose second triplet is an alternate identifier."""
    repetitions = obx.repetitions(3)
    parts = obx.components(repetitions[0]) if repetitions else []
    first, second = [at(parts, n) for n in (1, 2, 3)], [at(parts, n) for n in (4, 5, 6)]
    loinc = next(
        (code for code, _, system in (first, second) if system.upper() in LOINC_SYSTEMS and code), None
    )
    return first[0] or second[0], first[1] or second[1], loinc


def _flag(obx: Segment) -> tuple[str | None, str]:
    """OBX-8 may repeat ("H~A"): the first that table 0078 knows is the flag."""
    written = [at(obx.components(one), 1) for one in obx.repetitions(8)]
    known = (FLAGS.get(one.upper()) for one in written)
    return next((one for one in known if one is not None), None), " ".join(filter(None, written))


# Values


def _value(obx: Segment, value_type: str, number: int) -> tuple[str, Decimal | None, EmbeddedDocument | None]:
    """Text, number and embedded document of OBX-5."""
    repetitions = obx.repetitions(5)
    if value_type in ("ED", "RP"):
        return _document(obx, value_type, repetitions, number)
    if value_type in CODED_TYPES:
        return "; ".join(filter(None, (_coded(obx, one) for one in repetitions))), None, None
    if value_type == "SN":
        return _structured(obx, repetitions)
    whole = obx.whole(5)
    if whole == '""':  # HL7's way to say "delete what you had"
        whole = ""
    if found := _BASE64_PDF.fullmatch(whole):
        return EMBEDDED, None, EmbeddedDocument(number, "PDF", _unpack(found[0], "BASE64"))
    amount = _number(whole) if value_type in NUMBER_TYPES else None
    return whole, amount, None


def _document(
    obx: Segment, value_type: str, repetitions: Sequence[object], number: int
) -> tuple[str, Decimal | None, EmbeddedDocument | None]:
    """ED: source^type^subtype^encoding^data. RP only points to a place."""
    if value_type == "RP" or not repetitions:
        return ELSEWHERE if repetitions else "", None, None
    parts = obx.components(repetitions[0])
    kind = (at(parts, 3) or at(parts, 2) or "document")[:60]
    return EMBEDDED, None, EmbeddedDocument(number, kind, _unpack(at(parts, 5), at(parts, 4)))


def _coded(obx: Segment, repetition: object) -> str:
    """A coded value's words: its text, the alternate's, the original text, else the bare code."""
    parts = obx.components(repetition)
    return at(parts, 2) or at(parts, 5) or at(parts, 9) or at(parts, 1) or at(parts, 4)


def _structured(obx: Segment, repetitions: Sequence[object]) -> tuple[str, Decimal | None, None]:
    """SN: comparator^number^separator^number, such as ^1^:^128, >^100, ^5."""
    texts = ["".join(obx.components(one)[:4]) for one in repetitions]
    parts = obx.components(repetitions[0]) if repetitions else []
    plain = len(repetitions) == 1 and at(parts, 1) in ("", "=") and not at(parts, 3) and not at(parts, 4)
    return "; ".join(texts), _number(at(parts, 2)) if plain else None, None


def _number(text: str) -> Decimal | None:
    """A plain number. A comma may mean thousands or a decimal, so it stays text; so does 1E5."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def _unpack(data: str, encoding: str) -> bytes | None:
    try:
        if encoding.upper() == "HEX":
            return bytes.fromhex(data)
        if encoding.upper() in ("BASE64", ""):
            packed = re.sub(r"\s+", "", data).rstrip("=")
            return base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True) or None
    except ValueError:
        return None
    return data.encode() if data else None  # encoding A: the text itself


def _distinct(found: Iterator[T] | Sequence[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(one for one in found if one))


# Several messages, one patient


def _join(reports: Sequence[OruReport]) -> OruReport:
    """One report of all; values are counted on."""
    values: list[ObservedValue] = []
    documents: list[EmbeddedDocument] = []
    for report in reports:
        before = len(values)
        values += [replace(one, number=one.number + before) for one in report.values]
        documents += [replace(one, number=one.number + before) for one in report.documents]
    return OruReport(
        patient=_one_patient([report.patient for report in reports]),
        values=tuple(values),
        comments=tuple(comment for report in reports for comment in report.comments),
        documents=tuple(documents),
        placer_ids=_distinct([key for report in reports for key in report.placer_ids]),
        filler_ids=_distinct([key for report in reports for key in report.filler_ids]),
        control_ids=_distinct([key for report in reports for key in report.control_ids]),
        sent_at=reports[0].sent_at,
    )


def _one_patient(patients: Sequence[Pid]) -> Pid:
    """The patient that all agree on. Raises Hl7Unreadable when two cannot be one."""
    known = [patient for patient in patients if patient != Pid()]
    for other in known[1:]:
        if _differ(known[0], other):
            raise Hl7Unreadable("The HL7 text holds results of more than one patient.", several=True)
    return known[0] if known else Pid()


def _differ(one: Pid, other: Pid) -> bool:
    names = ((one.last, other.last), (one.first, other.first), (one.sex, other.sex))
    return (
        any(a and b and a.casefold() != b.casefold() for a, b in names)
        or bool(one.birthday and other.birthday and one.birthday != other.birthday)
        or bool(one.ids and other.ids and not set(one.ids) & set(other.ids))
    )
