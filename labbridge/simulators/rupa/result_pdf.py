"""The PDF of a report: letterhead, patient block, table of analytes; the same bytes for the same version."""

from datetime import datetime

from fpdf import FPDF
from fpdf.enums import XPos, YPos

from labbridge.simulators.rupa.panels import Observation
from labbridge.simulators.rupa.report import Report

COLUMNS = (("Analyte", 74), ("Result", 38), ("Units", 30), ("Reference range", 32), ("Flag", 12))


class _Sheet(FPDF):
    def __init__(self, report: Report) -> None:
        super().__init__(format="letter")
        self.report = report
        self.set_creation_date(datetime.fromisoformat(report.reported_at))  # else each rendering differs
        self.set_title(_latin(f"{report.test}, report {report.accession}"))
        self.set_lang("en-US")
        self.set_auto_page_break(auto=True, margin=20)

    def header(self) -> None:
        self.set_font("Helvetica", "B", 16)
        self._line(self.report.lab, 9)
        self.set_font("Helvetica", "", 9)
        self._line("100 Example Parkway, Sampletown, ZZ 00000   CLIA 99D0000000 (invented)")
        self.line(self.l_margin, self.get_y() + 1, self.w - self.r_margin, self.get_y() + 1)
        self.ln(4)

    def footer(self) -> None:
        self.set_y(-15)
        self.set_font("Helvetica", "I", 8)
        self._line(f"Simulated report. Not a medical document.   Page {self.page_no()} of {{nb}}")

    def _line(self, text: str, height: float = 5) -> None:
        self.cell(0, height, _latin(text), new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def fill_in(self) -> None:
        report = self.report
        self.add_page()
        self.set_font("Helvetica", "B", 12)
        self._line(report.test, 7)
        if report.corrected:
            self._line(f"CORRECTED REPORT - version {report.version}, replaces all earlier versions", 6)
        self.set_font("Helvetica", "", 9)
        for left, right in self._facts():
            self.cell(95, 5, _latin(left))
            self._line(right)
        self.ln(3)
        self._table(report.observations)
        self.ln(3)
        self.set_font("Helvetica", "", 8)
        self.multi_cell(
            0, 4, "H / L outside of the reference range, HH / LL far outside, A abnormal. * corrected."
        )

    def _facts(self) -> list[tuple[str, str]]:
        report = self.report
        return [
            (f"Patient: {report.patient_last}, {report.patient_first}", f"Accession: {report.accession}"),
            (
                f"Date of birth: {report.birthday or 'not given'}   Sex: {report.gender}",
                f"Order: {report.order_id}",
            ),
            (f"Ordered by: {report.practitioner}", f"Collected: {report.collected_at[:10]}"),
            (f"Specimen: {report.specimen}", f"Reported: {report.reported_at[:16].replace('T', ' ')}"),
        ]

    def _table(self, observations: list[Observation]) -> None:
        self.set_font("Helvetica", "B", 10)
        self._line(self.report.title, 6)
        self._row([name for name, _ in COLUMNS])
        for seen in observations:
            self.set_font("Helvetica", "" if seen.flag == "N" else "B", 9)
            name = f"{seen.name} *" if seen.corrected else seen.name
            self._row(
                [name, seen.value, seen.units, seen.reference_range, "" if seen.flag == "N" else seen.flag]
            )

    def _row(self, cells: list[str]) -> None:
        if self.will_page_break(7):
            self.add_page()
        for text, (_, width) in zip(cells, COLUMNS, strict=True):
            self.cell(width, 7, _latin(text), border="B")
        self.ln(7)


def render(report: Report) -> bytes:
    sheet = _Sheet(report)
    sheet.fill_in()
    return bytes(sheet.output())


def _latin(text: str) -> str:
    """The built-in fonts hold Latin-1 only."""
    return text.encode("latin-1", "replace").decode("latin-1")
