"""The monthly report for the owner: every question as a chart and a table, on paper.

It says how things stand when it is drawn: an order of that month that was paid since counts as paid.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

from fpdf import FPDF

from labbridge.analytics.answers import Column as Figure
from labbridge.analytics.answers import Period, months_before
from labbridge.analytics.chart import Bar, Chart, draw, said
from labbridge.analytics.facts import refresh
from labbridge.analytics.questions import QUESTIONS, Question
from labbridge.analytics.sharing import shared
from labbridge.practices.models import Practice
from labbridge.trust.paper import Column, Section, booklet, lines_beside, plain

BARS, ROWS = 10, 15  #: of each question at most; the console has all
FIRST_YEAR = 2000
YEAR = 12  #: months that the yearly questions look back over
ROW, LABEL, VALUE = 7.0, 62.0, 30.0  #: millimetres: a bar with its label, the label's and the value's width
PLOT = 38.0  #: millimetres: the height of columns
INK, PALE = (11, 92, 125), (120, 130, 140)


class NoMonth(Exception):
    """The text is no month that can be reported."""


def month_of(today: date, text: str = "") -> str:
    """A month as `2026-05`; without a text, the last one that is over.

    Raises:
        NoMonth: it is not written so, or has not begun yet.

    """
    if not text:
        return f"{months_before(today, 1):%Y-%m}"
    try:
        first = date.fromisoformat(f"{text}-01")
    except ValueError:
        raise NoMonth(f"{text[:20]!r} is no month: write it as 2026-05.") from None
    if not first.year >= FIRST_YEAR or first > today:
        raise NoMonth(f"{text} cannot be reported: it has not begun, or is before {FIRST_YEAR}.")
    return f"{first:%Y-%m}"


def days_of(month: str) -> Period:
    first = date.fromisoformat(f"{month}-01")
    return Period(first, months_before(first, -1) - timedelta(days=1))


def monthly_report(practice: Practice, month: str, now: datetime, *, sharing: bool = False) -> bytes:
    """A PDF. For sharing, without small cells, and without the questions whose cells tell each other."""
    refresh(practice)
    period, local = days_of(month), now.astimezone(practice.zone)
    asked = [one for one in QUESTIONS.values() if one.size or not sharing]
    sections = [_section(one, practice, period, local.date(), sharing=sharing) for one in asked]
    facts = [
        ("Practice", practice.name), ("Month", f"{period.first:%B %Y}"),
        ("Compared with", f"{period.before().first:%B %Y}"),
        ("Drawn", f"{local:%Y-%m-%d %H:%M} ({practice.time_zone}), as things stood then"),
    ]  # fmt: skip
    if sharing:
        left = ", ".join(one.title.lower() for one in QUESTIONS.values() if not one.size)
        facts.append(("For sharing", f"numbers of few orders are left out, and so are: {left}"))
    facts.append(("Counted", "orders without drafts and demo orders, in the practice's own calendar"))
    return booklet(f"Labs in {period.first:%B %Y}", facts, sections, at=local)


def _section(question: Question, practice: Practice, month: Period, today: date, *, sharing: bool) -> Section:
    period = Period(months_before(month.first, YEAR - 1), month.last) if question.yearly else month
    answer = question.ask(practice, period, today)
    if sharing:
        answer = shared(answer, question.size, question.within)
    charts = [chart for picture in question.pictures if (chart := draw(answer, picture, BARS))]
    heights = [_height(chart) for chart in charts]

    def picture(sheet: FPDF, top: float) -> None:
        for chart, height in zip(charts, heights, strict=True):
            _draw(sheet, chart, top)
            top += height

    days = "today" if question.timeless else f"{period.first.isoformat()} to {period.last.isoformat()}"
    shown = [place for place, column in enumerate(answer.columns) if column.kind != "key"]
    fitting = min(ROWS, lines_beside(sum(heights), len(answer.notes) + 1))
    rows = [
        [said(row[place], answer.columns[place].kind) for place in shown] for row in answer.rows[:fitting]
    ]
    more = len(answer.rows) - fitting
    notes = list(answer.notes) + ([f"And {more} more rows: the console has them all."] if more > 0 else [])
    if not rows:
        notes.insert(0, "Nothing to show.")
    columns = [_column(answer.columns[place], leading=place < 2) for place in shown]
    return Section(
        f"{question.title} ({days})", question.tells, columns, rows,
        notes, sum(heights), picture if charts else None,
    )  # fmt: skip


def _column(column: Figure, *, leading: bool) -> Column:
    """Texts that come after figures stand to the right, or they would touch them."""
    left = leading and column.kind in {"text", "month", "day"}
    return Column(column.title, 48 if column.kind == "text" else 22, "LEFT" if left else "RIGHT")


# -- drawing -------------------------------------------------------------------------------------------------


def _height(chart: Chart) -> float:
    head = 6.0 if chart.legend or chart.left_out else 5.0
    return head + (PLOT + 10.0 if chart.picture.kind == "columns" else ROW * len(chart.bars)) + 3.0


def _draw(sheet: FPDF, chart: Chart, top: float) -> None:
    sheet.set_draw_color(*INK)
    sheet.set_line_width(0.2)
    _legend(sheet, chart, top)
    if chart.picture.kind == "columns":
        _columns(sheet, chart, top + 6)
    else:
        for place, bar in enumerate(chart.bars):
            _bar(sheet, chart, bar, top + 6 + place * ROW)
    sheet.set_draw_color(0)
    sheet.set_fill_color(255)


def _legend(sheet: FPDF, chart: Chart, top: float) -> None:
    x = sheet.l_margin + sheet.c_margin  # as headings and cells stand
    sheet.set_font("Helvetica", "B", 8)
    x += _text(sheet, x, top + 3, f"{chart.picture.title}  ") + 2
    sheet.set_font("Helvetica", size=8)
    for shape, meaning in chart.legend:
        _mark(sheet, shape, x + 1.5, top + 2)
        x += 4.5
        x += _text(sheet, x, top + 3, meaning) + 5
    if chart.left_out:
        _text(sheet, x, top + 3, f"(the first {len(chart.bars)})")


def _text(sheet: FPDF, x: float, y: float, text: str) -> float:
    said_plainly = plain(text)
    sheet.text(x, y, said_plainly)
    return float(sheet.get_string_width(said_plainly))


def _bar(sheet: FPDF, chart: Chart, bar: Bar, y: float) -> None:
    left, track = sheet.l_margin + LABEL, sheet.epw - LABEL - VALUE
    sheet.set_font("Helvetica", size=8)
    _text(sheet, sheet.l_margin + sheet.c_margin, y + 3.6, _fitting(sheet, bar.label, LABEL - 3))
    sheet.set_draw_color(*PALE)
    axis = left + track / 2 if chart.picture.kind == "change" else left
    sheet.line(axis, y + 0.2, axis, y + ROW - 0.8)
    sheet.set_draw_color(*INK)
    if chart.picture.kind == "spread":
        places = [left + track * mark.share for mark in bar.marks]
        if places:
            sheet.line(places[0], y + 2.6, places[-1], y + 2.6)
        for mark, x in zip(bar.marks, places, strict=True):
            _mark(sheet, mark.shape, x, y + 2.6)
    else:
        _solid(sheet, left + track * bar.start, y + 0.8, track * bar.share, 3.4)
        if bar.before is not None:
            _hatched(sheet, left, y + 4.4, track * bar.before, 1.6)
    gap = 3.5 if chart.picture.kind == "spread" else 2.0  # the last mark may stand at the very end
    _text(sheet, left + track + gap, y + 3.6, _fitting(sheet, bar.text, VALUE - gap))


def _columns(sheet: FPDF, chart: Chart, top: float) -> None:
    slot, bottom = sheet.epw / max(len(chart.bars), 1), top + 3 + PLOT
    sheet.set_font("Helvetica", size=7)
    for place, bar in enumerate(chart.bars):
        left = sheet.l_margin + place * slot
        width = slot * (0.42 if chart.picture.before else 0.7)
        _solid(sheet, left + slot * 0.12, bottom - PLOT * bar.share, width, PLOT * bar.share)
        if bar.before is not None:
            _hatched(sheet, left + slot * 0.58, bottom - PLOT * bar.before, slot * 0.26, PLOT * bar.before)
        text, tallest = plain(bar.text.removesuffix(".00")), max(bar.share, bar.before or 0)
        for size in (7, 6):
            sheet.set_font("Helvetica", size=size)
            if sheet.get_string_width(text) < slot * 0.92:
                sheet.text(left + slot * 0.12, bottom - PLOT * tallest - 0.8, text)
                break
        sheet.set_font("Helvetica", size=7)
        sheet.text(left + slot * 0.12, bottom + 3.2, bar.short)
        if place == 0 or bar.label.endswith("-01"):
            sheet.text(left + slot * 0.12, bottom + 6.4, bar.label[:4])
    sheet.set_draw_color(*PALE)
    sheet.line(sheet.l_margin, bottom, sheet.l_margin + sheet.epw, bottom)


def _solid(sheet: FPDF, x: float, y: float, width: float, height: float) -> None:
    if width > 0 and height > 0:
        sheet.set_fill_color(*INK)
        sheet.rect(x, y, width, height, style="F")


def _hatched(sheet: FPDF, x: float, y: float, width: float, height: float) -> None:
    if width <= 0 or height <= 0:
        return
    sheet.set_draw_color(*PALE)
    with sheet.rect_clip(x, y, width, height):
        step, along = 1.2, 0.0
        while along < width + height:
            sheet.line(x + along, y, x + along - height, y + height)
            along += step
    sheet.rect(x, y, width, height)
    sheet.set_draw_color(*INK)


def _mark(sheet: FPDF, shape: str, x: float, y: float) -> None:
    """Centred there."""
    sheet.set_fill_color(*INK)
    drawn: dict[str, Callable[[], object]] = {
        "circle": lambda: sheet.ellipse(x - 1.1, y - 1.1, 2.2, 2.2, style="F"),
        "square": lambda: sheet.rect(x - 1, y - 1, 2, 2, style="F"),
        "solid": lambda: sheet.rect(x - 1.5, y - 1, 3, 2, style="F"),
        "hatched": lambda: _hatched(sheet, x - 1.5, y - 1, 3, 2),
    }
    if shape in drawn:
        drawn[shape]()
    elif shape == "diamond":
        sheet.polygon([(x, y - 1.4), (x + 1.4, y), (x, y + 1.4), (x - 1.4, y)], style="F")
    else:
        sheet.line(x - 1.1, y - 1.1, x + 1.1, y + 1.1)
        sheet.line(x - 1.1, y + 1.1, x + 1.1, y - 1.1)


def _fitting(sheet: FPDF, text: str, width: float) -> str:
    """As much of a text as fits."""
    whole = plain(text)
    if sheet.get_string_width(whole) <= width:
        return whole
    while whole and sheet.get_string_width(f"{whole}...") > width:
        whole = whole[:-1]
    return f"{whole.rstrip()}..."
