"""From the patient's page in Caspio to Rupa's checkout and back, and the questions that only a person answers."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from .conftest import Demo, assert_accessible, reload_until, shoot, sign_in

pytestmark = pytest.mark.browser

TEST = "DUTCH Complete"
BUTTON = {390: "P-1009", 1440: "P-1010"}
TABLE = {390: "P-1011", 1440: "P-1012"}
KEYS = {390: "P-1013", 1440: "P-1014"}


def for_width(page: Page, keys: dict[int, str]) -> str:
    assert page.viewport_size
    return keys[page.viewport_size["width"]]


def test_from_the_datapage_through_the_directory_to_checkout_and_back(page: Page, demo: Demo) -> None:
    """One sign-in, and two clicks to the checkout: the button of the record and the button of the order."""
    key = for_width(page, BUTTON)
    page.goto(f"{demo.caspio}/patients/{key}")
    page.get_by_role("link", name="Order labs").click()
    page.get_by_label("Email").fill(demo.user)  # the practice's own directory asks
    page.get_by_label("Password").fill(demo.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Order labs")).to_be_visible()
    expect(page.get_by_text(key)).to_be_visible()
    shoot(page, "order-from-datapage")
    page.get_by_role("button", name="Continue to Rupa's checkout").click()
    expect(page).to_have_url(re.compile(rf"{demo.rupa}/app/orders/ord_"))
    order = page.url.rsplit("/", 1)[-1]
    assert_accessible(page)
    page.get_by_role("searchbox").fill(TEST)
    page.get_by_role("button", name="Search").click()
    page.get_by_role("button", name=f"Add {TEST}", exact=True).click()
    page.get_by_role("button", name="Submit order").click()
    page.get_by_role("link", name="Back to your application").click()
    expect(page.get_by_role("heading", name="Back from Rupa")).to_be_visible()
    shoot(page, "order-returned")
    assert_accessible(page)
    page.get_by_role("link", name="Back to the patient in Caspio").click()
    expect(page).to_have_url(f"{demo.caspio}/patients/{key}")
    reload_until(page, page.get_by_role("link", name=order))


def test_a_row_of_the_request_table_gets_a_checkout(page: Page, demo: Demo) -> None:
    key = for_width(page, TABLE)
    known = {test["name"]: test["id"] for test in demo.state()["lab_tests"]}
    page.goto(f"{demo.caspio}/patients/{key}")
    page.get_by_label("Test IDs").fill(known[TEST])
    page.get_by_label("Practitioner's e-mail").fill(demo.user)
    page.get_by_role("button", name="Request labs").click()
    checkout = page.get_by_role("link", name="Open checkout")
    reload_until(page, checkout)
    shoot(page, "request-table")
    checkout.click()
    expect(page).to_have_url(re.compile(rf"{demo.rupa}/app/orders/ord_"))
    expect(page.get_by_role("button", name=f"Remove {TEST}")).to_be_visible()
    page.get_by_role("button", name="Cancel order").click()


def test_a_match_is_decided_and_undone(page: Page, demo: Demo) -> None:
    """Two clicks from Today decide it."""
    sign_in(page, demo)
    decide = page.get_by_role("link", name="Decide: Chart P-1019")
    expect(decide).to_be_visible()
    decide.click()
    expect(page.get_by_role("heading", name="Is this the same person?")).to_be_visible()
    expect(page.get_by_text("Birthday differs by one digit")).to_be_visible()
    page.get_by_role("button", name="Same person: link them").click()
    expect(page.get_by_role("status")).to_contain_text("Chart P-1019: linked")
    expect(page.get_by_text("Linked: the same person").first).to_be_visible()
    shoot(page, "match-decided")
    assert_accessible(page)
    page.goto(f"{demo.caspio}/patients/P-1019")
    reload_until(page, page.get_by_text("linked", exact=True))

    page.goto(f"{demo.console}/cases?decided")
    page.locator(".picks a").first.click()
    page.get_by_role("link", name="Undo…", exact=True).click()
    prove_again(page, demo)
    shoot(page, "match-undo")
    assert_accessible(page)
    page.get_by_label("Reason").fill("The birthday is another one after all.")
    page.get_by_role("button", name="Undo it").click()
    expect(page.get_by_role("status")).to_contain_text("Undone.")
    expect(page.get_by_role("button", name="Same person: link them")).to_be_visible()
    page.goto(f"{demo.caspio}/patients/P-1019")
    reload_until(page, page.get_by_text("review", exact=True))


def prove_again(page: Page, demo: Demo) -> None:
    """Undoing is a grave act: after five minutes the password is asked again."""
    page.wait_for_load_state()
    if page.get_by_role("heading", name="Confirm").count():
        page.get_by_label("Password").fill(demo.password)
        page.get_by_role("button").last.click()


def tab_to(page: Page, wanted: Locator, at_most: int = 60) -> None:
    """Press the tabulator until it is there, as somebody without a mouse does."""
    for _ in range(at_most):
        if wanted.evaluate("one => one === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{wanted} cannot be reached with the tabulator")


def test_an_order_with_the_keyboard_alone(page: Page, demo: Demo) -> None:
    sign_in(page, demo)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert_accessible(page)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()

    page.goto(f"{demo.console}/order/willow?patient={for_width(page, KEYS)}")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("dutch complete")
    page.keyboard.press("Enter")
    add = page.get_by_role("link", name=f"Add {TEST}")
    add.wait_for()
    tab_to(page, add)
    page.keyboard.press("Enter")
    page.get_by_role("link", name=f"Remove {TEST}").wait_for()
    tab_to(page, page.get_by_role("button", name="Continue to Rupa's checkout"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name=f"Remove {TEST}")).to_be_visible()
    tab_to(page, page.get_by_role("button", name="Submit order"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("The order is submitted")


def test_keys_can_be_switched_off(page: Page, demo: Demo) -> None:
    sign_in(page, demo)
    page.keyboard.press("?")
    page.get_by_role("checkbox").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("m")
    page.keyboard.press("?")
    expect(page.get_by_role("heading", name="Today")).to_be_visible()
    expect(page.get_by_role("dialog")).to_be_hidden()
