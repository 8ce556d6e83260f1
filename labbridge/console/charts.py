"""A chart as SVG of any width: shares of it in percent, heights in pixels, so that text keeps its size.

The templates only write down what stands here; no style is written into the page (the content policy forbids it).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from urllib.parse import urlencode

from django.urls import reverse

from labbridge.analytics.answers import Answer, Behind
from labbridge.analytics.chart import Bar, Chart, Mark, Picture, draw
from labbridge.practices.models import Practice

ROW = 46  #: pixels for each bar with its label
PLOT_TOP, PLOT = 18, 150  #: of columns
NARROW = 12  #: so many columns fit a phone; more scroll
FEWEST = 6  #: columns that a drawing has room for: one month alone is no wall
SLOT = 30  #: pixels for a column that scrolls: wide enough to be hit by a finger


def percent(share: float) -> str:
    return f"{100 * share:.2f}%"


@dataclass(frozen=True)
class Shape:
    """One bar, or column, of the drawing. Positions are pixels (numbers) or shares of the width (percent)."""

    bar: Bar
    address: str
    x: str
    y: int
    width: str
    height: int
    before_x: str
    before_y: int
    before_width: str
    before_height: int
    line_x: str = ""
    line_end: str = ""
    marks: tuple[tuple[Mark, str], ...] = ()
    hit_x: str = "0"
    hit_y: int = 0
    hit_width: str = "100%"
    middle: str = ""
    text_y: int = 0  # of a column's figure: above both of its bars
    label: str = ""
    year: str = ""


@dataclass(frozen=True)
class Drawing:
    chart: Chart
    number: int  # among the drawings of a page: patterns are told apart by it
    shapes: tuple[Shape, ...]
    width: str
    height: int
    row: int
    with_values: bool = True

    @property
    def kind(self) -> str:
        return self.chart.picture.kind


def address_of(behind: Behind, practice: Practice, *, several: bool) -> str:
    """The pipeline's list of these orders; empty when there is none."""
    if not behind:
        return ""
    return (
        f"{reverse('pipeline')}?{urlencode({**({'practice': practice.slug} if several else {}), **behind})}"
    )


def drawing(
    answer: Answer, picture: Picture, number: int, practice: Practice, *, several: bool
) -> Drawing | None:
    chart = draw(answer, picture)
    if chart is None:
        return None
    addresses = [address_of(bar.behind, practice, several=several) for bar in chart.bars]
    if picture.kind == "columns":
        return _columns(chart, number, addresses)
    shapes = tuple(
        _row(bar, place, address)
        for place, (bar, address) in enumerate(zip(chart.bars, addresses, strict=True))
    )
    return Drawing(chart, number, shapes, "100%", ROW * len(shapes), ROW)


def _row(bar: Bar, place: int, address: str) -> Shape:
    top = place * ROW
    marks = tuple((mark, percent(0.01 + 0.97 * mark.share)) for mark in bar.marks)
    return Shape(
        bar, address, x=percent(bar.start), y=top + 20, width=percent(bar.share), height=12,
        before_x="0", before_y=top + 33, before_width=percent(bar.before or 0), before_height=6,
        line_x=marks[0][1] if marks else "", line_end=marks[-1][1] if marks else "", marks=marks, hit_y=top,
    )  # fmt: skip


def _columns(chart: Chart, number: int, addresses: list[str]) -> Drawing:
    count = len(chart.bars)
    slot, compared = 1 / max(count, FEWEST), any(bar.before for bar in chart.bars)
    longest = max(len(bar.text) for bar in chart.bars)
    every = ceil(count / 60)  # five years are the most that can be labelled month by month
    shapes = []
    for place, (bar, address) in enumerate(zip(chart.bars, addresses, strict=True)):
        left, tall, was = place * slot, round(PLOT * bar.share), round(PLOT * (bar.before or 0))
        shapes.append(Shape(
            bar, address, x=percent(left + slot * 0.15), y=PLOT_TOP + PLOT - tall,
            width=percent(slot * (0.42 if compared else 0.7)), height=tall,
            before_x=percent(left + slot * 0.6), before_y=PLOT_TOP + PLOT - was, before_width=percent(slot * 0.25),
            before_height=was, hit_x=percent(left), hit_width=percent(slot), middle=percent(left + slot / 2),
            text_y=PLOT_TOP + PLOT - max(tall, was) - 4,
            label=bar.short if place % every == 0 else "",
            year=bar.label[:4] if place == 0 or bar.label.endswith("-01") else "",
        ))  # fmt: skip
    width = "100%" if count <= NARROW else str(SLOT * count)
    return Drawing(chart, number, tuple(shapes), width, PLOT_TOP + PLOT + 34, PLOT_TOP + PLOT, longest <= 4)
