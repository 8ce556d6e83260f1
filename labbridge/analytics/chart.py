"""What a chart shows, as figures of a drawing: for SVG on a page and for paper alike.

A chart and its table say the same: both are made of one answer. No colour speaks alone: what is compared is hatched,
percentiles have shapes of their own, and every figure stands there in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Literal

from labbridge.analytics.answers import Answer, Behind, Cell, Column, Kind

#: A chart of more bars than this is no picture any more; the table has them all.
MOST_BARS = 15
LONGEST_LABEL = 44
SHAPES = ("circle", "square", "diamond", "cross")
SPOKEN = {
    "p50": "half within",
    "p90": "nine in ten within",
    "p95": "19 in 20 within",
    "p99": "99 in 100 within",
}
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


PictureKind = Literal["bars", "columns", "spread", "change"]


@dataclass(frozen=True)
class Picture:
    """Which columns of an answer are drawn, and how."""

    kind: PictureKind
    label: str
    value: str
    title: str
    before: str = ""  # a second, hatched bar
    before_title: str = ""
    marks: tuple[str, ...] = ()  # columns of a spread


@dataclass(frozen=True)
class Mark:
    shape: str
    share: float  # of the width, 0 to 1
    text: str


@dataclass(frozen=True)
class Bar:
    label: str
    short: str
    text: str  # the value
    words: str  # all that the bar says
    share: float  # of the width, 0 to 1
    before: float | None
    marks: tuple[Mark, ...]
    behind: Behind
    start: float = 0.0  # where the bar begins: bars of change grow from the middle


@dataclass(frozen=True)
class Chart:
    picture: Picture
    bars: tuple[Bar, ...]
    left_out: int
    top: str  # what the whole width, or height, stands for
    words: str

    @property
    def legend(self) -> tuple[tuple[str, str], ...]:
        """What each drawing stands for: a shape's name and its meaning."""
        if self.picture.kind == "spread":
            marks = zip(SHAPES, self.picture.marks, strict=False)
            return tuple((shape, SPOKEN[name]) for shape, name in marks)
        if self.picture.before:
            return ("solid", self.picture.title.lower()), ("hatched", self.picture.before_title)
        return ()


def draw(answer: Answer, picture: Picture, most_bars: int = MOST_BARS) -> Chart | None:
    """None when there is nothing to draw: no row, or none with a figure."""
    columns = {column.name: (place, column) for place, column in enumerate(answer.columns)}
    if picture.before not in columns:  # what is not shared is not drawn
        picture = replace(picture, before="", before_title="")
    rows = list(enumerate(answer.rows))
    known = [(place, row) for place, row in rows if _number(row[columns[picture.value][0]]) is not None]
    if picture.kind == "change":
        known = [one for one in known if _number(one[1][columns[picture.value][0]])]
        known.sort(key=lambda one: -abs(_number(one[1][columns[picture.value][0]]) or 0))
    shown = rows if picture.kind == "columns" else known[:most_bars]  # a month without a figure is a gap
    names = [picture.value, *((picture.before,) if picture.before else ()), *picture.marks]
    figures = [_number(row[columns[name][0]]) or 0 for _, row in shown for name in names]
    most = max((abs(figure) for figure in figures), default=0)
    if not shown or not most:
        return None
    behind = answer.behind.get(picture.value, ())
    bars = tuple(
        _bar(row, columns, picture, most, behind[place] if behind else {}) for place, row in shown
    )  # fmt: skip
    kind = columns[picture.value][1].kind
    top = said(round(most, 2) if kind == "money" else most, kind)
    spoken = [bar for bar in bars if bar.text != said(None, kind)]
    words = f"{answer.title}. {picture.title}: " + "; ".join(bar.words for bar in spoken[:3])
    words += f"; and {len(known) - 3} more." if len(known) > 3 else "."
    return Chart(picture, bars, max(len(known) - len(shown), 0), top, words)


Columns = dict[str, tuple[int, Column]]


def _bar(row: Sequence[Cell], columns: Columns, picture: Picture, most: float, behind: Behind) -> Bar:
    def told(name: str) -> str:
        place, column = columns[name]
        return said(row[place], column.kind)

    place, column = columns[picture.label]
    label = said(row[place], column.kind)
    value = _number(row[columns[picture.value][0]]) or 0
    marks = tuple(
        Mark(shape, number / most, told(name))
        for shape, name in zip(SHAPES, picture.marks, strict=False)
        if (number := _number(row[columns[name][0]])) is not None
    )  # fmt: skip
    before = _number(row[columns[picture.before][0]]) if picture.before else None
    if picture.marks:
        known = [(name, told(name)) for name in picture.marks if _number(row[columns[name][0]]) is not None]
        words = f"{label}: " + ", ".join(f"{SPOKEN[name]} {text} days" for name, text in known)
    else:
        words = f"{label}: {told(picture.value)}"
    if before is not None:
        words += f", {picture.before_title} {told(picture.before)}"
    share = abs(value) / most
    start = 0.0
    if picture.kind == "change":
        share /= 2
        start = 0.5 if value > 0 else 0.5 - share
    short = label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 1].rstrip()}…"
    if picture.kind == "columns":
        short = MONTHS[int(label[5:7]) - 1]
    text = " / ".join(mark.text for mark in marks) + " days" if marks else told(picture.value)
    return Bar(
        label, short, text, words, share, before / most if before is not None else None, marks, behind, start,
    )  # fmt: skip


def _number(cell: Cell) -> float | None:
    return float(cell) if isinstance(cell, int | float | Decimal) else None


def said(cell: Cell, kind: Kind) -> str:  # noqa: PLR0911  # a table of kinds
    """A cell as people read it."""
    if cell is None:
        return "—"
    match kind:
        case "share":
            return f"{float(str(cell)):.0%}"
        case "money":
            return f"${cell:,.2f}"
        case "count":
            return f"{cell:,}"
        case "change":
            return f"{cell:+,}" if cell else "0"
        case "day":
            return cell.isoformat() if isinstance(cell, date) else str(cell)
        case _:
            return f"{cell:g}" if isinstance(cell, float) else str(cell)
