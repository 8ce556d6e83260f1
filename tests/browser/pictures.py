"""The pictures of docs/datapages.md, docs/analytics.md and docs/recipes, taken from the demo (`make pictures`)."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.handover.receiver import Connector

from .conftest import ROOT, SCHEMES, WIDTHS, Demo, assert_accessible, reload_until, shoot, sign_in

FOLDER = ROOT / "docs" / "pictures"
COLOURS = 48  # enough for pages, and a tenth of the size
PATIENT, ANOTHER = "P-1015", "P-1016"
TEST = "DUTCH Complete"
#: Of the months before this one, orders of each test.
EARLIER = ((2, 2, 0), (3, 2, 1), (3, 3, 1), (5, 3, 1), (4, 5, 2))
TESTS = (TEST, "GI-MAP (GI Microbial Assay Plus)", "Organic Acids Test (OAT)")
MONTHLY = (
    "Month DESC", "Orders", "Tests", "Canceled", "Paid_Orders", "Paid_With_Price", "Amount",
)  # fmt: skip
BY_LAB = ("Month DESC", "Lab_Company_Name ASC", "Orders", "Tests", "Paid_Orders", "Amount")
WAITS = ("Results DESC", "Test_Name", "Lab_Company_Name", "Still_Open", "P50_Days", "P90_Days", "Remark")


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context(viewport={"width": 860, "height": 620}, reduced_motion="reduce")
    context.set_default_timeout(30_000)
    yield context
    context.close()


def keep(page: Page, name: str, part: str = "main", folder: Path = FOLDER) -> None:
    """A picture of the page's content, small enough for a repository."""
    taken = Image.open(BytesIO(page.locator(part).first.screenshot()))
    path = folder / f"{name}.png"
    folder.mkdir(exist_ok=True)
    taken.convert("RGB").quantize(COLOURS).save(path, optimize=True)
    assert path.stat().st_size < 60_000, path


def paste(page: Page, demo: Demo, kind: str, table: str, where: str = "") -> None:
    """Paste what `labbridge snippet` prints into a DataPage's HTML block."""
    page.goto(f"{demo.caspio}/html-block")
    page.get_by_label("Table").select_option(table)
    page.get_by_label("Filter").fill(where)
    page.get_by_label("HTML", exact=True).fill(demo.snippet(kind))
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("heading", name="As the DataPage shows it")).to_be_visible()


def test_the_steps_of_the_how_to(page: Page, demo: Demo) -> None:
    paste(page, demo, "button", "Patients", f"Patient_ID = '{PATIENT}'")
    expect(page.get_by_role("link", name="Order labs")).to_have_attribute("href", re.compile("/order/willow"))
    keep(page, "button-paste")
    page.get_by_role("link", name="Order labs").click()
    expect(page.get_by_role("heading", name=re.compile("Sign in to"))).to_be_visible()
    keep(page, "button-sign-in")
    page.get_by_label("Email").fill(demo.user)
    page.get_by_label("Password").fill(demo.password)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("searchbox").fill(TEST)
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name=f"Add {TEST}").click()
    page.get_by_role("link", name=f"Remove {TEST}").wait_for()
    keep(page, "button-order")
    page.get_by_role("button", name="Continue to Rupa's checkout").click()
    page.get_by_role("button", name="Submit order").wait_for()
    keep(page, "button-checkout")
    page.get_by_role("button", name="Submit order").click()
    page.get_by_role("link", name="Back to your application").click()
    keep(page, "button-back")

    page.goto(f"{demo.caspio}/patients/{ANOTHER}")
    known = {test["name"]: test["id"] for test in demo.state()["lab_tests"]}
    page.get_by_label("Test IDs").fill(known[TEST])
    page.get_by_label("Practitioner's e-mail").fill(demo.user)
    keep(page, "request-form", ".order")
    page.get_by_role("button", name="Request labs").click()
    reload_until(page, page.get_by_role("link", name="Open checkout"))
    paste(page, demo, "request", "Lab_Order_Requests", f"Patient_Key = '{ANOTHER}'")
    expect(page.get_by_role("link", name="Continue to Rupa's checkout")).to_be_visible()
    keep(page, "request-answer")

    paste(page, demo, "pending", "Lab_Orders", "Phase <> 'complete' AND Phase <> 'canceled' AND Is_Demo = 0")
    keep(page, "pending")
    paste(page, demo, "results", "Lab_Results", "Patient_Key = 'P-1001'")
    keep(page, "results")
    page.goto(f"{demo.caspio}/patients/P-1001")
    page.get_by_role("link", name=TEST).first.click()
    page.locator("object").evaluate("one => one.remove()")  # the browser's own viewer is no page of ours
    keep(page, "results-page")
    assert sum(path.stat().st_size for path in Path(FOLDER).glob("*.png")) < 400_000


def test_reports_from_the_summary_tables(page: Page, demo: Demo) -> None:
    """docs/analytics.md: five earlier months are played at Rupa, filed, and shown by DataPages on the two tables."""
    play_earlier_months(page, demo)
    assert demo.command("sync", "summaries")
    for name, title, table, scope, columns in (
        ("months", "Labs by month", "Lab_Analytics_Monthly", "all", MONTHLY),
        ("labs", "Labs by company", "Lab_Analytics_Monthly", "lab", BY_LAB),
        ("turnaround", "How long labs take", "Lab_Turnaround", "test", WAITS),
    ):
        page.goto(f"{demo.caspio}/datapages")
        page.get_by_label("Name", exact=True).fill(title)
        page.get_by_label("Kind").select_option("table")
        page.get_by_label("Table", exact=True).select_option(table)
        page.get_by_label("Filter").fill(f"Scope = '{scope}'")
        page.get_by_label("Elements of a form").fill("\n".join(columns))
        if name == "months":
            page.get_by_label("Elements of a form").blur()
            keep(page, "summary-build", "form")
        page.get_by_role("button", name="Save").click()
        page.get_by_role("row", name=title).get_by_role("link", name="/dp/").click()
        expect(
            page.get_by_role("columnheader", name="Month" if "Month" in columns[0] else "Results")
        ).to_be_visible()
        keep(page, f"summary-{name}")
    assert sum(path.stat().st_size for path in Path(FOLDER).glob("summary-*.png")) < 200_000


def play_earlier_months(page: Page, demo: Demo) -> None:
    """Orders that were paid a day later and had their results after one to three weeks."""
    state, asked = demo.state(), page.request
    tests = {one["name"]: one["id"] for one in state["lab_tests"]}
    emails = {
        row["Patient_ID"]: row["Email"] for row in asked.get(f"{demo.caspio}/_sim/dump").json()["Patients"]
    }
    known = {one["email"]: one["id"] for one in state["patients"]}
    people = [known[email] for key, email in sorted(emails.items()) if email in known][2:12]
    number = 0
    for back, counts in enumerate(reversed(EARLIER), start=1):
        for name, count in zip(TESTS, counts, strict=True):
            for _ in range(count):
                number += 1
                at = datetime.now(UTC) - timedelta(days=30 * back + number % 7)
                body = {"patient": people[number % len(people)], "lab_tests": [tests[name]], "at": moment(at)}
                made = asked.post(f"{demo.rupa}/_sim/orders", data=body).json()
                does(page, demo, made["id"], "pay", at + timedelta(days=1))
                if number % 9:
                    does(page, demo, made["id"], "result", at + timedelta(days=8 + number % 5 * 3))
    deadline = time.monotonic() + 300
    while any(
        one["status"] not in {"delivered", "not_sent"} for one in asked.get(f"{demo.rupa}/_sim/events").json()
    ):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    while asked.get(f"{demo.console}/readyz").json()["jobs_pending"]:
        assert time.monotonic() < deadline
        time.sleep(0.5)


def does(page: Page, demo: Demo, order: str, action: str, at: datetime) -> None:
    assert page.request.post(f"{demo.rupa}/_sim/orders/{order}/{action}", data={"at": moment(at)}).ok


def moment(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def test_the_console_side_of_the_recipes(page: Page, demo: Demo, tmp_path: Path) -> None:
    """A connector that listens on this machine stands for Keragon's: what is sent and shown is invented."""
    document, recipes = tmp_path / "baa.pdf", ROOT / "docs" / "recipes"
    document.write_bytes(b"%PDF-1.4 invented")
    connector = Connector()
    try:
        demo.command(
            "baa", "add", "Keragon", str(document), "--signed", "2026-10-01", "--expires", "2027-09-30"
        )
        kinds = ("--kind", "result.filed", "--kind", "order.phase_changed")
        demo.command("feed", "add", "keragon", connector.url, *kinds, "--class", "phi", "--baa", "Keragon")
        demo.command("feed", "add", "slack note", connector.url, "--kind", "result.filed")
        sign_in(page, demo)
        page.goto(f"{demo.console}/feeds")
        page.get_by_role("link", name="keragon").click()
        page.get_by_role("button", name="Send a test").click()
        expect(page.get_by_text("It took the test")).to_be_visible()
        page.goto(page.url)
        page.locator("summary").filter(has_text="result.filed").click()
        looks(page, "feed")
        page.set_viewport_size({"width": 860, "height": 620})
        keep(page, "feed-fields", "section[aria-labelledby=like]", recipes)
        page.locator("summary").filter(has_text="result.filed").click()
        keep(page, "feed", folder=recipes)
        page.goto(f"{demo.console}/feeds")
        looks(page, "feeds")
        page.set_viewport_size({"width": 860, "height": 620})
        keep(page, "feeds", folder=recipes)
        for address, name in (("add", "feed-add"), ("agreements", "agreement-add")):
            page.goto(f"{demo.console}/feeds/{address}")
            looks(page, name)
    finally:
        connector.close()


def looks(page: Page, name: str) -> None:
    for width, height in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": height})
        shoot(page, name)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            assert_accessible(page)
    page.emulate_media(color_scheme="light")
