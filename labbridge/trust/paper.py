"""Reports on paper: a title, some facts, a table or sections, page numbers. Letter size, printable in grey."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from fpdf import FPDF, FontFace
from fpdf.enums import TableBordersLayout, VAlign, XPos, YPos

#: The fonts that every reader has know Latin-1 only. Other letters are printed as the plain ones that they are made
#: of; what has none is printed as "?", never dropped (`unprintable` tells).
ENCODING, LATIN_1 = "latin-1", 256
PLAINER = str.maketrans({
    "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": "-", "\u2212": "-",
    "\u2018": "'", "\u2019": "'", "\u02bc": "'", "\u201c": '"', "\u201d": '"', "\u2026": "...", "\u2022": "-",
    "\u2264": "<=", "\u2265": ">=", "\u03bc": "\u00b5", "\u03b1": "alpha", "\u03b2": "beta", "\u03b3": "gamma",
    "\u03b4": "delta", "\u03c9": "omega", "\u0141": "L", "\u0142": "l", "\u0110": "D", "\u0111": "d", "\u0131": "i",
    "\u0152": "OE", "\u0153": "oe",
})  # fmt: skip


BOLD, RULE = FontFace(emphasis="BOLD"), 150  #: of headings and totals; the grey of the lines between rows


class Column(NamedTuple):
    title: str
    width: int  # relative
    align: str = "LEFT"


class _Sheet(FPDF):
    def __init__(self, title: str, at: datetime, *, landscape: bool) -> None:
        super().__init__(format="letter", orientation="landscape" if landscape else "portrait")
        self.title_line = plain(title)
        self.set_title(self.title_line)
        self.set_creator("Labbridge")
        self.set_creation_date(at)
        self.set_lang("en-US")
        self.set_auto_page_break(auto=True, margin=18)

    def footer(self) -> None:
        self.set_y(-12)
        self.set_font("Helvetica", size=8)
        self.cell(0, 5, f"{self.title_line} - page {self.page_no()} of {{nb}}")


def report(
    title: str,
    facts: Sequence[tuple[str, str]],
    columns: Sequence[Column],
    rows: Iterable[Sequence[str]],
    *,
    at: datetime,
    notes: Sequence[str] = (),
    landscape: bool = False,
    total: bool = False,
) -> bytes:
    """A PDF. `at` is when it was drawn; `notes` are sentences below the table; `total`: its last row is one."""
    sheet = _begin(title, facts, at, landscape=landscape)
    sheet.ln(4)
    _table(sheet, columns, list(rows), total=total)
    _notes(sheet, notes, size=9)
    return bytes(sheet.output())


@dataclass(frozen=True)
class Section:
    """A heading, what it tells, a drawing, a table and sentences below it."""

    title: str
    tells: str
    columns: Sequence[Column] = ()
    rows: Sequence[Sequence[str]] = ()
    notes: Sequence[str] = ()
    picture_height: float = 0.0  # millimetres, so that it stays on one page with its heading
    picture: Callable[[FPDF, float], None] | None = None  # draws from the height that it is given


HEADING, LINE, NOTE = 18.0, 5.7, 7.0  #: millimetres that a heading with its sentence, a row, and a note need
WHOLE_PAGE = 240.0


def lines_beside(picture_height: float, notes: int) -> int:
    """Rows of a table that still fit on one page with such pictures and so many notes; a few at least."""
    return max(5, int((WHOLE_PAGE - HEADING - picture_height - NOTE * notes) / LINE) - 2)


def booklet(
    title: str, facts: Sequence[tuple[str, str]], sections: Sequence[Section], *, at: datetime
) -> bytes:
    """A PDF of several sections, each with its drawing and the table that says the same."""
    sheet = _begin(title, facts, at, landscape=False)
    for section in sections:
        sheet.ln(6)
        beginning = HEADING + max(section.picture_height, 14.0)
        whole = beginning + LINE * (len(section.rows) + 2) + NOTE * len(section.notes)
        if sheet.will_page_break(whole if whole <= WHOLE_PAGE else beginning):
            sheet.add_page()
        _section(sheet, section)
    return bytes(sheet.output())


def _section(sheet: _Sheet, section: Section) -> None:
    sheet.start_section(plain(section.title))
    sheet.set_font("Helvetica", "B", 12)
    sheet.cell(0, 7, plain(section.title), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    sheet.set_font("Helvetica", size=9)
    sheet.multi_cell(0, 4.5, plain(section.tells), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    sheet.ln(2)
    if section.picture:
        top = sheet.get_y()
        section.picture(sheet, top)
        sheet.set_y(top + section.picture_height + 2)
    if section.rows:
        _table(sheet, section.columns, section.rows)
    _notes(sheet, section.notes, size=8)


def _begin(title: str, facts: Sequence[tuple[str, str]], at: datetime, *, landscape: bool) -> _Sheet:
    sheet = _Sheet(title, at, landscape=landscape)
    sheet.add_page()
    sheet.set_font("Helvetica", "B", 15)
    sheet.cell(0, 10, plain(title), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    sheet.set_font("Helvetica", size=10)
    for name, value in facts:
        sheet.multi_cell(0, 5.5, plain(f"{name}: {value}"), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    return sheet


def _table(
    sheet: _Sheet, columns: Sequence[Column], rows: Sequence[Sequence[str]], *, total: bool = False
) -> None:
    sheet.set_font("Helvetica", size=8)
    sheet.set_draw_color(RULE)
    sheet.set_line_width(0.15)
    with sheet.table(
        col_widths=tuple(column.width for column in columns),
        borders_layout=TableBordersLayout.HORIZONTAL_LINES,
        headings_style=BOLD,
        line_height=3.9,
        padding=(0.9, 1),
        v_align=VAlign.T,
        text_align=tuple(column.align for column in columns),
    ) as table:
        table.row([plain(column.title) for column in columns])
        for place, row in enumerate(rows, start=1):
            style = BOLD if total and place == len(rows) else None
            table.row([plain(cell) for cell in row], style=style)
    sheet.set_draw_color(0)


def _notes(sheet: _Sheet, notes: Sequence[str], *, size: int) -> None:
    sheet.set_font("Helvetica", size=size)
    for note in notes:
        sheet.ln(2)
        sheet.multi_cell(0, size * 0.55, plain(note), new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def plain(text: str) -> str:
    return _plainer(text).encode(ENCODING, "replace").decode(ENCODING)


def unprintable(text: str) -> bool:
    """Whether some of it would be printed as "?"."""
    try:
        _plainer(text).encode(ENCODING)
    except UnicodeEncodeError:
        return True
    return False


def _plainer(text: str) -> str:
    composed = unicodedata.normalize("NFC", text).translate(PLAINER)
    return "".join(one if ord(one) < LATIN_1 else _without_marks(one) for one in composed)


def _without_marks(letter: str) -> str:
    """The letter alone, as e for an e with a hook; itself where it is not made of a plainer one."""
    parts = (one for one in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(one))
    return "".join(parts).translate(PLAINER)
