"""One analyte over time: what may be shown in one line, in which unit, and where its marks stand on the drawing.

Readings are one analyte by their LOINC code, else by name and units. Units are turned into each other only where that
is arithmetic (mg/dL and g/L); between mass and moles stands the substance's weight, so those are shown apart.
"""

from __future__ import annotations

import re
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from labbridge.console.readings import Reading

WIDTH, HEIGHT = 640, 180
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 12, 28

_PREFIX = {"": 0, "d": -1, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15}
_UNIT = re.compile(r"([munpf]?)(g|mol)/(d|m|u)?l")
_NUMBER = r"([+-]?[0-9]+(?:\.[0-9]+)?)"
_BETWEEN = re.compile(rf"\s*{_NUMBER}\s*(?:-|\u2013|to)\s*{_NUMBER}\s*")
_BELOW = re.compile(rf"\s*(?:<=?|≤|up to)\s*{_NUMBER}\s*", re.IGNORECASE)
_ABOVE = re.compile(rf"\s*(?:>=?|≥)\s*{_NUMBER}\s*")


def scale_of(units: str) -> tuple[str, int] | None:
    """What is measured per litre (`g`, `mol`) and its power of ten; None for every unit that is not surely such."""
    plain = units.strip().replace("µ", "u").replace("μ", "u").replace("mcg", "ug").replace(" ", "")
    found = _UNIT.fullmatch(plain.lower()) if plain != plain.upper() else None
    if found is None:
        return None
    prefix, what, volume = found.groups()
    return what, _PREFIX[prefix] - _PREFIX[volume or ""]


def factor(units: str, into: str) -> Decimal | None:
    """By what a number in `units` is multiplied to be one in `into`; None when they are not surely the same thing."""
    if units.strip() == into.strip():
        return Decimal(1)
    ours, theirs = scale_of(units), scale_of(into)
    if ours is None or theirs is None or ours[0] != theirs[0]:
        return None
    return Decimal(1).scaleb(ours[1] - theirs[1])


def range_of(text: str) -> tuple[Decimal | None, Decimal | None]:
    """Lower and upper end of a reference range; both None when it says something else."""
    try:
        if found := _BETWEEN.fullmatch(text):
            low, high = Decimal(found[1]), Decimal(found[2])
            return (low, high) if low <= high else (None, None)
        if found := _BELOW.fullmatch(text):
            return None, Decimal(found[1])
        if found := _ABOVE.fullmatch(text):
            return Decimal(found[1]), None
    except InvalidOperation:
        pass
    return None, None


@dataclass(frozen=True)
class Seen:
    """A reading and the order that it came with."""

    reading: Reading
    order_id: uuid.UUID
    order_key: str

    @property
    def order_address(self) -> str:
        return _order_address(self.order_id)


@lru_cache(maxsize=256)
def _order_address(order_id: uuid.UUID) -> str:
    """Of one order stand many values."""
    return reverse("order-page", args=[order_id])


@dataclass(frozen=True)
class Point:
    seen: Seen
    on: date
    value: Decimal  # in the unit of its trend
    low: Decimal | None
    high: Decimal | None
    converted: bool
    x: int = 0
    y: int = 0

    @property
    def day(self) -> str:
        return f"{self.on:%b} {self.on.day}, {self.on.year}"


@dataclass(frozen=True)
class Band:
    """The range that the newest reading came with, as a stretch of the drawing."""

    y: int
    height: int


@dataclass(frozen=True)
class Tick:
    at: int
    text: str


@dataclass(frozen=True)
class Trend:
    name: str
    units: str
    points: tuple[Point, ...]  # oldest first
    band: Band | None
    ups: tuple[Tick, ...]
    days: tuple[Tick, ...]

    @property
    def line(self) -> str:
        return " ".join(f"{one.x},{one.y}" for one in self.points)

    @property
    def marks(self) -> SafeString:
        shown = ((one.seen.reading.tone or "plain", one.x, one.y) for one in self.points)
        return format_html_join("", '<circle class="{}" cx="{}" cy="{}" r="5"/>', shown)

    @property
    def words(self) -> str:
        """What the drawing says, for those who do not see it."""
        first, last = self.points[0], self.points[-1]
        ends = f"from {shown(first.value)} to {shown(last.value)} {self.units}"
        said = f"{self.name}: {len(self.points)} values, {ends}."
        return " ".join(said.split())


def trends(seen: Iterable[Seen]) -> list[Trend]:
    """Every analyte that was measured at least twice, by name."""
    groups: dict[tuple[str, str], list[Seen]] = defaultdict(list)
    for one in seen:
        if one.reading.number is not None and one.reading.observed_on is not None:
            groups[_kind(one.reading)].append(one)
    lines = [_trend(found) for group in groups.values() for found in _alike(group) if len(found) > 1]
    return sorted(lines, key=lambda one: (one.name.casefold(), one.units))


def _kind(reading: Reading) -> tuple[str, str]:
    if reading.loinc:
        return "loinc", reading.loinc
    return "name", f"{' '.join(reading.analyte.casefold().split())} in {reading.units.strip()}"


def _alike(group: Sequence[Seen]) -> Iterable[list[Seen]]:
    """Parts whose units can be turned into each other; a unit that stands apart stays apart."""
    parts: list[list[Seen]] = []
    for one in sorted(group, key=lambda one: one.reading.observed_on or date.min, reverse=True):
        home = next(
            (part for part in parts if factor(one.reading.units, part[0].reading.units) is not None), None
        )
        if home is None:
            parts.append([one])
        else:
            home.append(one)
    return parts


def _trend(found: Sequence[Seen]) -> Trend:
    """`found` is newest first: its unit, name and range are those of the drawing."""
    newest = found[0].reading
    points = [point for one in reversed(found) if (point := _point(one, newest.units)) is not None]
    low, high = points[-1].low, points[-1].high
    values = [one.value for one in points]
    bottom, top = _span([*values, *(end for end in (low, high) if end is not None)])

    def y(value: Decimal) -> int:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * float((top - value) / (top - bottom)))

    first, last = points[0].on, points[-1].on
    days = max((last - first).days, 1)

    def x(day: date) -> int:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (day - first).days / days)

    placed = tuple(
        Point(one.seen, one.on, one.value, one.low, one.high, one.converted, x(one.on), y(one.value))
        for one in points
    )
    band = None
    if low is not None or high is not None:
        upper, lower = y(high if high is not None else top), y(low if low is not None else bottom)
        band = Band(upper, max(lower - upper, 1))
    ends = [first] if first == last else [first, last]
    return Trend(
        newest.analyte, newest.units, placed, band, tuple(Tick(y(value), shown(value)) for value in (bottom, top)),
        tuple(Tick(x(day), f"{day:%b} {day.day}, {day.year}") for day in ends),
    )  # fmt: skip


def _point(seen: Seen, into: str) -> Point | None:
    reading, by = seen.reading, factor(seen.reading.units, into)
    if by is None or reading.number is None or reading.observed_on is None:
        return None
    low, high = (None if end is None else end * by for end in range_of(reading.range))
    return Point(seen, reading.observed_on, reading.number * by, low, high, by != 1)


def _span(values: Sequence[Decimal]) -> tuple[Decimal, Decimal]:
    """From below the least to above the greatest, so that no mark stands on the edge."""
    least, greatest = min(values), max(values)
    room = (greatest - least) / 10 or abs(greatest) / 10 or Decimal(1)
    return least - room, greatest + room


def shown(value: Decimal) -> str:
    """Four digits are what a drawing can tell."""
    return f"{float(value):.4g}"
