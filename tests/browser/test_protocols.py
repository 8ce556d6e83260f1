"""A protocol built in the browser until it stands in Caspio, changed on both sides at once, and a word of billing."""

from __future__ import annotations

import httpx2
import pytest
from playwright.sync_api import Page, expect

from .conftest import Demo, assert_accessible, reload_until, shoot, sign_in

pytestmark = pytest.mark.browser

TEST, OTHER = "DUTCH Complete", "OmegaCheck"


def protocols(demo: Demo) -> dict[str, dict[str, object]]:
    rows = httpx2.get(f"{demo.caspio}/_sim/dump").json()["Lab_Protocols"]
    return {row["Name"]: row for row in rows}


def add(page: Page, name: str) -> None:
    page.get_by_role("searchbox").fill(name)
    page.keyboard.press("Enter")
    page.get_by_role("button", name=f"Add {name}", exact=True).click()


def test_a_protocol_from_the_builder_to_caspio_and_back(page: Page, demo: Demo) -> None:
    """At both widths, so each has a protocol of its own."""
    assert page.viewport_size
    name = f"Sleep {page.viewport_size['width']}"
    sign_in(page, demo)
    page.goto(f"{demo.console}/protocols")
    page.get_by_role("link", name="Build a protocol").click()
    page.get_by_label("Name", exact=True).fill(name)
    add(page, TEST)
    add(page, OTHER)
    page.get_by_role("button", name=f"Remove {OTHER}").click()
    expect(page.get_by_label("Name", exact=True)).to_have_value(name)
    page.get_by_role("button", name="Save").click()
    in_caspio = page.get_by_text("What ada@willow.example made of it is being written to Caspio.")
    while in_caspio.count():
        page.wait_for_timeout(200)
        page.reload()
    assert name in protocols(demo)

    page.get_by_role("link", name="Edit").click()
    add(page, OTHER)
    key = protocols(demo)[name]["Protocol_ID"]
    row = {"Protocol_Test_ID": f"theirs-{name}", "Protocol_ID": key, "Rupa_Lab_Test_ID": "labts_theirs"}
    httpx2.post(f"{demo.caspio}/_sim/import", json={"table": "Lab_Protocol_Tests", "rows": [row]})
    page.get_by_role("button", name="Save").click()
    reload_until(page, page.get_by_text("It was changed in Caspio while it was being edited here."))
    assert_accessible(page)
    shoot(page, "protocol-conflict")
    page.get_by_role("button", name="Leave it as it is in Caspio").click()
    expect(page.get_by_text("Caspio's protocol stands.")).to_be_visible()

    page.get_by_label("Key of the patient's row in Caspio").fill("P-1005")
    page.get_by_role("button", name="Choose the tests").click()
    expect(page.get_by_role("link", name=f"Remove {TEST}")).to_be_visible()


def test_a_word_of_billing(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "biller")
    page.goto(f"{demo.console}/billing?show=all")
    page.get_by_role("row").filter(has_text="paid").get_by_role("link").last.click()
    plan = page.get_by_role("region", name="Physician services fee")
    plan.get_by_text("Record", exact=True).click()
    word = "not_charged" if plan.get_by_role("option", name="not charged").count() else "charged"
    plan.get_by_label("What").select_option(word)
    plan.get_by_role("button", name="Record it").click()
    expect(page.get_by_text("Recorded.")).to_be_visible()
    expect(page.get_by_role("region", name="Who said what")).to_contain_text("Physician services fee")
    assert_accessible(page)
    shoot(page, "billing-said")
