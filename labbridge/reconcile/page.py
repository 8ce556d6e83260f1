"""One day of the completeness ledger as one page, for the compliance file."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from fpdf import FPDF
from fpdf.enums import XPos, YPos

from labbridge.reconcile.models import LedgerEntry

LINES = 8  #: ids or reasons of one kind that the page names; the entry itself holds more

KIND_WORDS = {
    "order_missed": "orders that had not arrived",
    "order_changed": "orders whose newest state had not arrived",
    "result_amended": "results amended under an unchanged date",
    "row_deleted": "rows deleted in Caspio",
    "row_edited": "rows changed in Caspio",
    "file_gone": "files removed in Caspio",
    "job_missing": "work that no job stood for",
    "request_missed": "requests for labs that had not arrived",
    "event_stuck": "events that no job stood for",
}


def page_of(practice_name: str, entry: LedgerEntry, findings: list[str]) -> bytes:
    """The page as a PDF. `findings` are what verifying the chain found wrong."""
    page = _Page(practice_name, entry)
    page.fill_in(findings)
    return bytes(page.output())


class _Page(FPDF):
    def __init__(self, practice_name: str, entry: LedgerEntry) -> None:
        super().__init__(format="letter")
        self.practice_name, self.entry = practice_name, entry
        self.body: dict[str, Any] = entry.body  # any: JSON
        self.set_title(_latin(f"Completeness ledger, {practice_name}, {self.body['date']}"))
        self.set_lang("en-US")
        self.set_margins(20, 18, 20)
        self.set_auto_page_break(auto=False)  # one page: what does not fit is counted, not shown
        self.set_draw_color(170)
        self.set_line_width(0.15)

    def fill_in(self, findings: list[str]) -> None:
        self.add_page()
        self._head()
        self._figures()
        self._verdict()
        self._repairs()
        self._reasons("In review: a person must decide", self.body["in_review_because"])
        self._reasons("Rejected, with the reason", self.body["rejected_because"])
        self._proof(findings)

    # -- parts -------------------------------------------------------------------------------------------------

    def _head(self) -> None:
        day = date.fromisoformat(self.body["date"])
        self._text("Completeness ledger", size=20, style="B", height=10)
        self._text(self.practice_name, size=13, height=7)
        self._text(
            f"{day:%A}, {day.day} {day:%B %Y}, counted at {_clock(self.body['at'])}.", size=10, grey=True
        )
        self.ln(4)

    def _figures(self) -> None:
        results = self.body["results"]
        rows = [
            ("", "Orders", "Results"),
            ("Listed by Rupa", self.body["listed"], results["listed"]),
            ("Held by Labbridge", self.body["held"], results["held"]),
            ("Filed in Caspio", self.body["filed"], results["filed"]),
            ("In review by a person", self.body["in_review"], results["in_review"]),
            ("Rejected with a reason", self.body["rejected"], results["rejected"]),
            ("Difference", self.body["difference"], results["difference"]),
        ]
        for number, row in enumerate(rows):
            strong = number in (0, len(rows) - 1)
            self.set_font("Helvetica", "B" if strong else "", 11)
            self.cell(90, 8, row[0], border="B")
            self.cell(42, 8, str(row[1]), border="B", align="R")
            self.cell(42, 8, str(row[2]), border="B", align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(4)

    def _verdict(self) -> None:
        missing = self.body["difference"]
        if missing:
            self._text(f"{missing} of Rupa's orders are not accounted for:", style="B")
            self._list([f"{one['id']}: {one['why']}" for one in self.body["differences"]], missing)
        else:
            self._text(
                "Every order that Rupa lists is filed, in review, or rejected with a reason.", style="B"
            )
        if self.body.get("ended"):
            self._text(
                "The practice has ended its connection to Rupa: nothing was compared, and this counts what Rupa "
                "listed last.", grey=True,
            )  # fmt: skip
        elif not self.body["sweep"]["listed_whole"]:
            self._text(
                "Rupa's list was read to known ground; older orders as they were listed last.", grey=True
            )
        for sentence in self.body["sweep"]["left"][:LINES]:
            self._text(f"Left for a person: {sentence}")
        self.ln(3)

    def _repairs(self) -> None:
        repaired = self.body["repaired"]
        self._text(f"Repaired by this comparison: {repaired}", style="B")
        self._list([f"{KIND_WORDS.get(kind, kind)}: {count}" for kind, count in self.body["repairs"].items()])
        self.ln(3)

    def _reasons(self, title: str, reasons: list[dict[str, Any]]) -> None:
        if not reasons:
            return
        self._text(title, style="B")
        self._list([f"{one['count']}: {one['why']} ({_some(one['ids'])})" for one in reasons], len(reasons))
        self.ln(3)

    def _proof(self, findings: list[str]) -> None:
        self.set_y(-64)
        self.line(self.l_margin, self.get_y(), self.w - self.r_margin, self.get_y())
        self.ln(3)
        whole = "The ledger's chain was verified when this page was made: it is whole."
        self._text(whole if not findings else f"THE LEDGER IS NOT WHOLE. {findings[0]}", style="B", size=9)
        for name, value in (
            ("Entry", f"{self.entry.chain}, number {self.entry.seq}"),
            ("Hash", self.entry.digest),
            ("Previous", self.entry.previous),
            ("Key", f"{self.entry.key} (Ed25519)"),
            ("Signature", self.entry.signature),
        ):
            self.set_font("Helvetica", "", 8)
            self.cell(20, 4.5, name)
            self.set_font("Courier", "", 7.5)
            self.multi_cell(0, 4.5, _latin(value), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self._text(
            "Check it with `labbridge ledger verify`, or with nothing of Labbridge by docs/audit-format.md. "
            "This page holds no patient data.",
            size=8, grey=True,
        )  # fmt: skip

    # -- words -------------------------------------------------------------------------------------------------

    def _text(
        self, text: str, *, size: float = 10, style: str = "", height: float = 5, grey: bool = False
    ) -> None:
        if self._is_full():
            return
        self.set_font("Helvetica", style, size)
        self.set_text_color(100 if grey else 0)
        self.multi_cell(0, height, _latin(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.set_text_color(0)

    def _list(self, lines: list[str], total: int | None = None) -> None:
        for line in lines[:LINES]:
            self._text(f"-  {line}", size=9)
        more = (total if total is not None else len(lines)) - min(len(lines), LINES)
        if more > 0:
            self._text(f"and {more} more: `labbridge ledger show --json` names them", size=9, grey=True)

    def _is_full(self) -> bool:
        """Whether the next line would run into the proof at the foot of the page."""
        return self.h - 84 < self.get_y() < self.h - 64


def _clock(moment: str) -> str:
    return f"{datetime.fromisoformat(moment):%H:%M} UTC"


def _some(ids: list[str]) -> str:
    return ", ".join(ids[:5]) + (" …" if len(ids) > 5 else "")


def _latin(text: str) -> str:
    """What the built-in fonts can draw."""
    return text.replace("…", "...").replace("`", "").encode("latin-1", "replace").decode("latin-1")
