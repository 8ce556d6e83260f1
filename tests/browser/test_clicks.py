"""What people do most, counted in clicks from Today on the demo's data (issue 5): typing and reading are free."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterator

import httpx2
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from labbridge.demo.day import Day
from labbridge.demo.stage import STRANGER, Stage

from .conftest import Demo, assert_accessible, shoot, sign_in

pytestmark = pytest.mark.browser

DAY = 86_400.0


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """One window: each task is done once."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(20_000)
    yield context
    context.close()


class Hand:
    """Clicks, and counts them."""

    def __init__(self, page: Page, demo: Demo) -> None:
        self.clicks, self.page = 0, page
        sign_in(page, demo)
        expect(page.get_by_role("heading", name="Today")).to_be_visible()

    def click(self, wanted: Locator) -> None:
        self.clicks += 1
        wanted.click()


@pytest.fixture
def hand(page: Page, demo: Demo) -> Hand:
    return Hand(page, demo)


def settle(demo: Demo) -> None:
    """Wait until Rupa has told everything and the service has done it."""
    with Stage(demo.caspio, demo.rupa) as stage:
        day, deadline = Day(stage), time.monotonic() + 60
        while not (day.delivered() and stage.idle(demo.console)):
            assert time.monotonic() < deadline
            time.sleep(0.2)


def test_a_patients_newest_result_in_three(hand: Hand, page: Page) -> None:
    hand.click(page.get_by_role("navigation", name="Main").get_by_role("link", name="Pipeline"))
    page.get_by_role("searchbox").fill("P-1001")
    hand.click(page.get_by_role("button", name="Find"))
    hand.click(page.get_by_role("link", name="Newest result"))
    expect(page.get_by_role("heading", name="DUTCH Complete")).to_be_in_viewport()
    expect(page.get_by_text("14 values", exact=True)).to_be_visible()
    assert hand.clicks <= 3


def test_a_result_is_marked_reviewed_in_two(hand: Hand, page: Page) -> None:
    hand.click(page.get_by_role("link", name="Review it").last)
    hand.click(page.get_by_role("button", name="Mark reviewed"))
    expect(page.get_by_role("button", name="Take the review back")).to_be_visible()
    assert hand.clicks <= 2
    page.get_by_role("button", name="Take the review back").click()  # the other tests find it as it was


def test_an_unmatched_result_is_resolved_in_three(page: Page, demo: Demo) -> None:
    """Of somebody who was in no chart: their row was made, with another e-mail, and a person says whose it is."""
    row = {"Patient_ID": "P-1900", "First_Name": STRANGER["first_name"], "Last_Name": STRANGER["last_name"],
           "Email": "solo@elsewhere.example"}  # fmt: skip
    with Stage(demo.caspio, demo.rupa) as stage:
        stage.caspio("POST", "/_sim/import", {"table": "Patients", "rows": [row]})
    hand = Hand(page, demo)
    hand.click(page.get_by_role("link", name="Decide: Rupa patient"))
    page.get_by_label("Key of the row in Caspio").fill("P-1900")
    hand.click(page.get_by_role("button", name="Link with the one chosen"))
    expect(page.get_by_role("status").first).to_contain_text("linked")
    assert hand.clicks <= 3


def test_why_an_order_is_late_in_two(page: Page, demo: Demo) -> None:
    with Stage(demo.caspio, demo.rupa) as stage:
        state = stage.rupa("GET", "/_sim/state")
        test = next(one["id"] for one in state["lab_tests"] if one["name"] == "DUTCH Complete")
        patient = next(one["id"] for one in state["patients"] if one["email"].endswith(".8@example.org"))
        stage.rupa("POST", "/_sim/clock", {"advance": -90 * DAY})  # ordered and paid three months ago
        try:
            late = stage.rupa("POST", "/_sim/orders", {"patient": patient, "lab_tests": [test]})["id"]
            stage.rupa("POST", f"/_sim/orders/{late}/pay", {})
        finally:
            stage.rupa("POST", "/_sim/clock", {"advance": 90 * DAY})
    settle(demo)
    hand = Hand(page, demo)
    hand.click(page.get_by_role("link", name=f"See why: Order {late}"))
    why = page.get_by_text("Why this is late")
    expect(why).to_be_visible()
    expect(page.get_by_text("Missing: DUTCH Complete")).to_be_visible()
    assert hand.clicks <= 2
    assert_accessible(page)
    shoot(page, "order-late")


def test_all_events_of_one_failure_are_replayed_in_three(page: Page, demo: Demo) -> None:
    """Two events of a clinic that nobody here knows."""
    secret = json.loads((demo.folder / "demo.json").read_text())["secrets"]["webhooks"]
    with Stage(demo.caspio, demo.rupa) as stage:
        listed = stage.rupa("GET", "/_sim/events")
    sample = httpx2.get(f"{demo.rupa}/_sim/events/{listed[0]['id']}").text
    for number in (1, 2):
        body = sample.replace(listed[0]["id"], f"evt_nobody{number}")
        for known in ("pra_", "pat_", "ord_", "cli_"):
            body = body.replace(known, f"{known}nobody{number}")
        moment = str(int(time.time()))
        proof = hmac.new(secret.encode(), f"{moment}.{body}".encode(), hashlib.sha256).hexdigest()
        headers = {"Rupa-Signature": f"t={moment},v1={proof}", "Content-Type": "application/json"}
        assert httpx2.post(f"{demo.console}/webhooks/rupa", content=body, headers=headers).status_code == 200
    settle(demo)
    hand = Hand(page, demo)
    hand.click(page.get_by_role("link", name="Replay: 2 events of Rupa"))
    hand.click(page.get_by_role("button", name="Replay all 2"))
    expect(page.get_by_role("status").first).to_be_visible()
    assert hand.clicks <= 3
