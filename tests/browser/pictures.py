"""The pictures of docs/datapages.md and docs/recipes: their steps, before the demo's simulators (`make pictures`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
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
