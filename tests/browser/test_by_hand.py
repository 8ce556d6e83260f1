"""The demo played by hand: from the patient's page to the result in the chart, and what the console shows."""

from __future__ import annotations

import hashlib
import re

import pytest
from playwright.sync_api import Locator, Page, expect

from .conftest import Demo, Watch, enter, enter_code, look, reload_until, shoot, sign_in

pytestmark = pytest.mark.browser

TEST = "DUTCH Complete"
PATIENTS = {390: "P-1003", 1440: "P-1004"}


def patient_of(page: Page) -> str:
    assert page.viewport_size
    return PATIENTS[page.viewport_size["width"]]


def state(page: Page, words: str) -> Locator:
    return page.get_by_role("main").get_by_text(words, exact=True)


def test_order_check_out_pay_and_find_the_result_in_the_chart(page: Page, demo: Demo) -> None:
    key = patient_of(page)
    page.goto(demo.caspio)
    shoot(page, "practice-patients")
    page.get_by_role("link", name=key).click()
    shoot(page, "practice-patient")

    page.get_by_role("link", name="Order at Rupa (simulated)").click()
    expect(page).to_have_url(re.compile(rf"{demo.rupa}/app/orders/ord_"))
    order = page.url.rsplit("/", 1)[-1]
    page.get_by_role("searchbox").fill(TEST)
    page.get_by_role("button", name="Search").click()
    page.get_by_role("button", name=f"Add {TEST}", exact=True).click()
    shoot(page, "rupa-checkout")
    page.get_by_role("button", name="Submit order").click()
    expect(page.get_by_role("status")).to_contain_text("The patient is asked to pay")
    shoot(page, "rupa-submitted")

    page.get_by_role("link", name="Back to your application").click()
    expect(page).to_have_url(f"{demo.caspio}/patients/{key}")
    in_chart = page.get_by_role("link", name=order)
    reload_until(page, in_chart)
    in_chart.click()
    at_caspio = page.url
    reload_until(page, state(page, "awaiting payment"))

    page.goto(f"{demo.rupa}/pay/{order}")
    shoot(page, "rupa-pay")
    page.get_by_role("button", name="Pay").click()
    expect(page.get_by_role("status")).to_contain_text("paid")
    page.goto(at_caspio)
    reload_until(page, state(page, "in progress"))
    reload_until(page, state(page, "paid"))

    page.goto(demo.rupa)
    shoot(page, "rupa-home")
    page.get_by_role("button", name=f"Next result, order {order}").click()
    page.goto(at_caspio)
    reload_until(page, state(page, "complete"))
    reload_until(page, page.get_by_role("link", name=TEST))
    shoot(page, "practice-order")
    page.get_by_role("link", name=TEST).click()
    shoot(page, "practice-result")
    link = page.get_by_role("link", name="Open the report (PDF)")
    reload_until(page, link)
    report = link.get_attribute("href")
    assert report
    content = page.request.get(demo.caspio + report).body()
    assert content.startswith(b"%PDF-")
    (made,) = [one for one in demo.state()["orders"] if one["id"] == order]
    assert hashlib.sha256(content).hexdigest() == made["tests"][0]["versions"][0]["pdf"]["sha256"]


def test_sign_in_and_see_the_order_in_the_console(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.console}/")
    look(page, "console-sign-in")
    enter(page, demo.user, "not the password")
    expect(page.get_by_role("alert")).to_be_visible()
    look(page, "console-sign-in-refused")
    enter(page, demo.user, demo.password)
    look(page, "console-second-step")
    if demo.user not in demo.cookies:
        enter_code(page)
        demo.keep(page, demo.user)
    sign_in(page, demo)
    newest = demo.state()["orders"][-1]["id"]
    expect(page.get_by_role("rowheader", name=newest)).to_be_visible()


def test_connect_a_practitioner_through_rupas_consent_page(page: Page, demo: Demo, watch: Watch) -> None:
    sign_in(page, demo)
    page.goto(f"{demo.console}/rupa/connect/willow")
    look(page, "console-connect")
    page.get_by_role("button", name="Go to Rupa").click()
    shoot(page, "rupa-consent")
    page.get_by_role("button", name="Deny").click()
    expect(page.get_by_role("heading", name="Not connected")).to_be_visible()
    look(page, "console-denied")
    watch.forgive("status of 400")


def test_consent_ends_at_a_page_that_says_so(page: Page, demo: Demo) -> None:
    sign_in(page, demo)
    page.goto(f"{demo.console}/rupa/connect/willow")
    page.get_by_role("button", name="Go to Rupa").click()
    page.get_by_role("radio", name="Bruno Sampleton, ND").check()
    page.get_by_role("button", name="Accept").click()
    expect(page.get_by_role("heading", name="Connected")).to_be_visible()
    assert "code=" not in page.url
    look(page, "console-connected")


#: The simulators' other pages: address, what its heading says, and something that stands on it.
OTHERS = {
    "practice-orders": ("caspio", "/orders", "Lab orders", "ord_"),
    "practice-catalog": ("caspio", "/catalog", "Lab tests", TEST),
    "practice-browse": ("caspio", "/browse", "Tables", "Lab_Orders"),
    "practice-new-patient": ("caspio", "/patients/new", "New patient", "Date of birth"),
    "practice-controls": ("caspio", "/_sim/", "Caspio simulator", "Misbehaviour"),
    "rupa-controls": ("rupa", "/_sim/", "Rupa Health simulator", "Misbehaviour"),
}


def test_everything_else_that_a_person_can_open(page: Page, demo: Demo, watch: Watch) -> None:
    peers = {"caspio": demo.caspio, "rupa": demo.rupa}
    for name, (peer, address, heading, words) in OTHERS.items():
        answer = page.goto(peers[peer] + address)
        assert answer
        assert answer.status == 200, address
        expect(page.get_by_role("heading", level=1)).to_contain_text(heading)
        expect(page.get_by_role("main")).to_contain_text(words)
        shoot(page, name)
        watch.assert_quiet()
