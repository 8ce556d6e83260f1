"""A lab's report inside its HL7 message is the result's PDF where Rupa gives none beside it."""

from __future__ import annotations

import base64
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fpdf import FPDF

from labbridge.handlers.results import fetch
from labbridge.mirror.models import ResultSource

HEAD = (
    "MSH|^~\\&|SAMPLELAB|X|EHR|Y|20310203101500-0800||ORU^R01^ORU_R01|ctl-1|P|2.5.1\r"
    "PID|1|int-1|MR-7||Testcase^Ada||19800102|F\rOBR|1|ord_1|acc-9|P1^Invented Panel^L|||203102010815-0800\r"
    "OBX|1|NM|3016-3^TSH^LN|1|2.50|mIU/L|0.40-4.00|N|||F\r"
)
RUPA = cast(
    "Any", SimpleNamespace(max_file_size=1_000_000)
)  # nothing is fetched: the message stands in the field


def pdf(text: str) -> bytes:
    paper = FPDF()
    paper.add_page()
    paper.set_font("helvetica")
    paper.cell(text=text)
    return bytes(paper.output())


def message(*documents: bytes) -> str:
    return HEAD + "".join(
        f"OBX|{number}|ED|PDF^Report^L|1|^application^pdf^Base64^{base64.b64encode(content).decode()}||||||F\r"
        for number, content in enumerate(documents, start=2)
    )


def source(**files: str | None) -> ResultSource:
    return ResultSource(files={"pdf": None, "hl7": None, **files})


def test_the_report_inside_the_message_is_kept() -> None:
    report = pdf("Invented report")
    content = fetch(source(hl7=message(report)), RUPA)
    assert content.pdf == report
    assert content.hl7 is not None


def test_what_does_not_open_is_passed_over() -> None:
    report = pdf("The second one opens")
    assert fetch(source(hl7=message(b"%PDF-1.4 cut off", report)), RUPA).pdf == report
    assert fetch(source(hl7=message(b"%PDF-1.4 cut off")), RUPA).pdf is None


@pytest.mark.parametrize("inside", [(), (pdf("inside"),)])
def test_a_pdf_beside_the_message_counts(inside: tuple[bytes, ...]) -> None:
    beside = pdf("Beside the message")
    given = source(pdf=base64.b64encode(beside).decode(), hl7=message(*inside))
    assert fetch(given, RUPA).pdf == beside
