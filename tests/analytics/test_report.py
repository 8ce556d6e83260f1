"""The monthly report on paper: a question whose table would not fit beside its charts is cut, not spilled."""

from __future__ import annotations

import io
from datetime import UTC, datetime

from pypdf import PdfReader

from labbridge.analytics.report import monthly_report
from labbridge.practices.models import Practice
from tests.analytics.conftest import Tests, put


def test_two_charts_and_their_table_stay_on_one_page(practice: Practice) -> None:
    """Tests by popularity: with fifteen rows four of them stood alone on a page of their own."""
    at = datetime(2031, 5, 10, 20, tzinfo=UTC)
    for number in range(11):
        tests: Tests = [(f"labts_new_{n}", None) for n in range(22 - number)]
        put(practice, number, tests, submitted_at=at, paid_at=at)
    drawn = monthly_report(practice, "2031-05", datetime(2031, 6, 15, 20, tzinfo=UTC))
    pages = [page.extract_text() for page in PdfReader(io.BytesIO(drawn)).pages]
    (page,) = [text for text in pages if "Tests by popularity (" in text]
    assert "more rows: the console has them all." in page
    assert page.count("labts_new_") >= 10 + 10 + 5, "both charts and the rows of the table"
