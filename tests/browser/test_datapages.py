"""The app builder's how-to (docs/datapages.md), step by step: DataPages made of printed snippets."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from .conftest import Demo, assert_accessible, reload_until, shoot, sign_in

pytestmark = pytest.mark.browser

PATIENTS = {390: "P-1001", 1440: "P-1002"}
TEST = "DUTCH Complete"


def build(page: Page, demo: Demo, name: str, kind: str, table: str, **fields: str) -> str:
    """Make a DataPage as the app builder does. Returns its address."""
    page.goto(f"{demo.caspio}/datapages")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Kind").select_option(kind)
    page.get_by_label("Table", exact=True).select_option(table)
    labels = {
        "found_by": "Found by",
        "filter": "Filter",
        "block": "HTML Block",
        "elements": "Elements of a form",
    }
    for field, label in labels.items():
        page.get_by_label(label).fill(fields.get(field, ""))
    if "next_page" in fields:
        page.get_by_label("After submitting").select_option(label=fields["next_page"])
    shoot(page, f"datapage-{kind}-{table}".lower())
    page.get_by_role("button", name="Save").click()
    made = page.get_by_role("row", name=name).get_by_role("link", name="/dp/").get_attribute("href")
    assert made
    return demo.caspio + made


def patient_of(page: Page) -> str:
    assert page.viewport_size
    return PATIENTS[page.viewport_size["width"]]


def test_the_button(page: Page, demo: Demo) -> None:
    """Works when the page renders again by AJAX, under a strict policy, and tells the key and nothing else."""
    key = patient_of(page)
    block = demo.snippet("button")
    address = build(page, demo, f"Button {key}", "details", "Patients", found_by="Patient_ID", block=block)
    page.goto(f"{address}?Patient_ID={key}")
    button = page.get_by_role("link", name="Order labs")
    for _ in range(2):
        expect(button).to_have_attribute("href", re.compile(rf"/order/willow\?patient={key}&"))
        page.get_by_role("button", name="Load again").click()
    expect(button).to_have_attribute("href", re.compile("/order/"))
    asked = parse_qs(urlsplit(str(button.get_attribute("href"))).query)
    assert asked == {"patient": [key], "back": [address]}
    shoot(page, "datapage-button")
    page.goto(f"{address}?Patient_ID=P-none")
    expect(page.get_by_text("No records found")).to_be_visible()

    sign_in(page, demo)
    page.goto(f"{address}?Patient_ID={key}")
    button.click()
    expect(page.get_by_role("heading", name="For this patient", exact=True)).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text(key)
    shoot(page, "datapage-button-order")


def test_the_request_form(page: Page, demo: Demo) -> None:
    key = patient_of(page)
    test_id = next(one["id"] for one in demo.state()["lab_tests"] if one["name"] == TEST)
    answer = f"Answer {key}"
    block = demo.snippet("request")
    build(page, demo, answer, "details", "Lab_Order_Requests", found_by="Request_ID", block=block)
    elements = (
        "Patient_Key = [@Patient_ID]\nPractitioner_Email = ada@willow.example\nRequested_At = now\nTest_IDs"
    )
    form = build(
        page, demo, f"Request {key}", "form", "Lab_Order_Requests", elements=elements, next_page=answer
    )
    page.goto(f"{form}?Patient_ID={key}")
    page.get_by_label("Test IDs").fill(test_id)
    shoot(page, "datapage-request-form")
    page.get_by_role("button", name="Submit").click()
    expect(page).to_have_url(re.compile("Request_ID="))
    checkout = page.get_by_role("link", name="Continue to Rupa's checkout")
    reload_until(page, checkout)
    expect(page.get_by_role("status")).to_contain_text("ready")
    shoot(page, "datapage-request-answer")
    checkout.click()
    expect(page).to_have_url(re.compile(rf"{demo.rupa}/app/orders/ord_"))
    page.get_by_role("button", name="Submit order").click()
    expect(page.get_by_role("status")).to_contain_text("The patient is asked to pay")

    pending = build(
        page, demo, f"Pending {key}", "report", "Lab_Orders", block=demo.snippet("pending"),
        filter="Phase <> 'complete' AND Phase <> 'canceled' AND Is_Demo = 0",
    )  # fmt: skip
    page.goto(pending)
    reload_until(page, page.get_by_text(f"Patient {key}"))
    expect(page.get_by_text("Pending Payment").first).to_be_visible()
    shoot(page, "datapage-pending")


def test_the_results_page(page: Page, demo: Demo) -> None:
    """Of the order that the test before has made for this patient."""
    key = patient_of(page)
    tables = page.request.get(f"{demo.caspio}/_sim/dump").json()
    (asked,) = [row for row in tables["Lab_Order_Requests"] if row["Patient_Key"] == key]
    order = asked["Rupa_Order_ID"]
    (filed,) = [row for row in tables["Lab_Orders"] if row["Rupa_Order_ID"] == order]
    assert (filed["Patient_Key"], filed["Request_ID"]) == (key, asked["Request_ID"])
    for action in ("pay", "result"):
        assert page.request.post(f"{demo.rupa}/_sim/orders/{order}/{action}", data={}).ok
    (test,) = [row for row in tables["Lab_Order_Tests"] if row["Rupa_Order_ID"] == order]
    block = demo.snippet("results")
    address = build(page, demo, f"Result {key}", "details", "Lab_Results", found_by="Result_Key", block=block)
    page.goto(f"{address}?Result_Key={test['Rupa_Ordered_Test_ID']}-v1")
    report = page.get_by_role("link", name="Open the report (PDF)")
    reload_until(page, report.and_(page.locator('a:not([href=""])')))  # the row comes first, then its file
    expect(page.get_by_role("heading", name=TEST)).to_be_visible()
    content = page.request.get(demo.caspio + str(report.get_attribute("href"))).body()
    assert content.startswith(b"%PDF-")
    shoot(page, "datapage-result")


def test_rupa_js(page: Page, demo: Demo) -> None:
    """The documented calls of rupa-js, made by a stand-in: a key, an intent, the order button."""
    key = patient_of(page)
    sign_in(page, demo)
    page.goto(f"{demo.console}/embed/willow/rupa-js?patient={key}")
    before = {one["id"] for one in demo.state()["order_intents"]}
    page.get_by_role("checkbox").first.check()
    page.get_by_role("button", name="Ask Rupa for an order intent").click()
    expect(page.get_by_role("status")).to_contain_text("is ready")
    shoot(page, "rupa-js")
    assert_accessible(page)
    (made,) = [one for one in demo.state()["order_intents"] if one["id"] not in before]
    assert len(made["lab_tests"]) == 1
    page.get_by_role("link", name="Order with Rupa").click()
    expect(page).to_have_url(re.compile(rf"{demo.rupa}/app/orders/ord_"))
