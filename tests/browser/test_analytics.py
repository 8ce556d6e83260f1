"""Each chart in a browser: reached by the keyboard, and each bar opens the orders that it counts."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from lxml import html
from playwright.sync_api import Browser, BrowserContext, Page, expect

from labbridge.analytics.questions import QUESTIONS

from .conftest import Demo, assert_accessible, sign_in

pytestmark = pytest.mark.browser
#: Where a bar counts orders, the list behind it has as many.
COUNTS_ORDERS = re.compile(r"totals|orders-by-.*|funnel|unpaid|abandoned")


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(30_000)
    yield context
    context.close()


def rows_at(page: Page, address: str) -> int:
    """How many orders a list has, as the server renders it: the first was opened above, the others look the same."""
    answer = page.request.get(address)
    assert answer.status == 200, address
    return len(html.fromstring(answer.text()).xpath("//tbody/tr"))


def test_every_bar_of_every_chart_opens_the_orders_behind_it(page: Page, demo: Demo) -> None:
    sign_in(page, demo)
    drawn = opened = 0
    for name, question in QUESTIONS.items():
        address = f"{demo.console}/analytics/{'money' if question.money else 'question'}?show={name}"
        page.goto(address)
        expect(page.get_by_role("heading", name=question.title, level=1)).to_be_visible()
        bars = page.locator("figure.chart svg a")
        drawn += page.locator("figure.chart").count()
        told = [
            (bar.get_attribute("aria-label") or "", bar.get_attribute("href") or "") for bar in bars.all()
        ]
        if not told:
            continue
        bars.first.focus()
        assert page.evaluate("document.activeElement.getAttribute('aria-label')") == told[0][0]
        page.keyboard.press("Enter")
        expect(page.get_by_text("The orders behind a figure")).to_be_visible()
        for words, href in told if COUNTS_ORDERS.fullmatch(name) else told[:1]:
            listed = rows_at(page, demo.console + href)
            number = re.search(r": (\d+)", words)
            assert listed == int(number[1]) if number and COUNTS_ORDERS.fullmatch(name) else listed > 0, words
            opened += 1
    assert drawn >= 15
    assert opened >= 15


def test_a_question_is_narrowed_and_taken_away(page: Page, demo: Demo) -> None:
    sign_in(page, demo)
    page.keyboard.press("g")
    page.keyboard.press("y")
    expect(page.get_by_role("heading", name="The period at a glance")).to_be_visible()
    page.get_by_role("link", name="Orders by lab company").click()
    page.get_by_role("link", name="This month", exact=True).click()
    expect(page.get_by_role("link", name="This month", exact=True)).to_have_attribute("aria-current", "true")
    page.get_by_label("From").fill("2024-01-01")
    page.get_by_label("To", exact=True).fill("2024-12-31")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_text("Nothing to draw here.")).to_be_visible()
    assert "from=2024-01-01&to=2024-12-31" in page.url
    page.get_by_role("link", name="12 months", exact=True).click()
    assert_accessible(page)
    with page.expect_download() as taken:
        page.get_by_role("link", name="CSV", exact=True).click()
    assert taken.value.suggested_filename.startswith("orders-by-lab-")
    with page.expect_download() as report:
        page.get_by_role("link", name="Report of last month (PDF)").click()
    assert report.value.suggested_filename.endswith(".pdf")
