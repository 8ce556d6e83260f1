"""The labs web app by plain HTTP: opening, editing, submitting, paying (rupa-api.md 6 and 10)."""

import re

import pytest

URL = "https://ehr.example/rupa/return/8f2?a=1&b=2"


@pytest.fixture
def intent(caller):
    body = {"return_url": URL, "patient": caller.patient(), "lab_tests": caller.tests("DUTCH Complete")}
    return caller.flat("/order-intents/", body | {"metadata": {"ehr_request": "req_41"}}).json


@pytest.fixture
def page(caller, intent):
    opened = caller.http.get(intent["redirect_url"].removeprefix("http://localhost"))
    assert opened.status_code == 303
    return opened.location


def order_of(caller):
    return caller.get("/orders").json["data"][0]


def post(caller, path, **form):
    return caller.http.post(path, data=form, follow_redirects=True)


def test_opening_the_checkout_makes_the_order_once(caller, intent, page):
    order = order_of(caller)
    assert order["relationships"]["order_intent"]["data"]["id"] == intent["id"]
    assert order["attributes"]["date_submitted"] is None
    assert order["attributes"]["metadata"] == {"ehr_request": "req_41"}
    shown = caller.get(f"/order-intents/{intent['id']}").json["data"]["relationships"]
    assert shown["order"]["data"] == {"type": "order", "id": order["id"]}
    again = caller.http.get(f"/checkout/{intent['id']}")
    assert again.location == page
    assert len(caller.get("/orders").json["data"]) == 1


def test_nothing_exists_before_the_visit(caller, intent):
    assert caller.get("/orders").json["data"] == []
    assert caller.get(f"/order-intents/{intent['id']}").json["data"]["relationships"]["order"]["data"] is None


def test_searching_adding_and_removing_tests(caller, page):
    found = caller.http.get(page, query_string={"q": "gut zoomer"}).text
    (zoomer,) = caller.tests("Gut Zoomer")
    assert f'value="{zoomer}"' in found
    with_zoomer = post(caller, f"{page}/add", lab_test=zoomer).text
    assert "Gut Zoomer" in with_zoomer
    before = order_of(caller)
    assert before["relationships"]["ordered_tests"]["meta"]["count"] == 2
    (dutch,) = re.findall(r'value="(ordts_\w+)" aria-label="Remove DUTCH Complete"', with_zoomer)
    post(caller, f"{page}/remove", ordered_test=dutch)
    after = order_of(caller)
    assert after["relationships"]["ordered_tests"]["meta"]["count"] == 1
    assert 0 < after["attributes"]["total_price"] < before["attributes"]["total_price"]


def test_submitting_leads_back_by_a_button_and_the_patient_pays(caller, page):
    submitted = post(caller, f"{page}/submit").text
    assert f'<a class="button main" href="{URL.replace("&", "&amp;")}">' in submitted
    order = order_of(caller)
    assert (order["attributes"]["status"], order["attributes"]["payer"]) == ("Pending Payment", "patient")
    assert order["attributes"]["date_submitted"]
    paid = post(caller, f"/pay/{order['id']}")
    assert "This order is paid" in paid.text
    attributes = order_of(caller)["attributes"]
    assert attributes["status"] == "In Progress"
    assert attributes["date_paid"]
    assert post(caller, f"/pay/{order['id']}").status_code == 409


def test_when_the_practitioner_pays_nothing_is_awaited(caller, page):
    post(caller, f"{page}/payer", payer="practitioner")
    post(caller, f"{page}/submit")
    attributes = order_of(caller)["attributes"]
    assert (attributes["payer"], attributes["status"]) == ("practitioner", "In Progress")
    assert attributes["date_paid"] == attributes["date_submitted"]


def test_an_add_on_needs_its_parent(caller, page):
    (addon,) = caller.tests("Insulin Add-on")
    post(caller, f"{page}/add", lab_test=addon)
    (dutch,) = re.findall(
        r'value="(ordts_\w+)" aria-label="Remove DUTCH Complete"', caller.http.get(page).text
    )
    post(caller, f"{page}/remove", ordered_test=dutch)
    refused = post(caller, f"{page}/submit")
    assert refused.status_code == 409
    assert "add its parent test too" in refused.text
    assert order_of(caller)["attributes"]["date_submitted"] is None


def test_an_unavailable_test_cannot_be_added(caller, page):
    (test,) = caller.tests("DUTCH Plus")
    caller.http.post(f"/_sim/lab-tests/{test}", json={"unavailable_reason": "Out of stock"})
    assert post(caller, f"{page}/add", lab_test=test).status_code == 409
    assert "Out of stock" in caller.http.get(page, query_string={"q": "dutch plus"}).text


def test_a_submitted_order_is_closed_for_editing(caller, page):
    post(caller, f"{page}/submit")
    assert post(caller, f"{page}/submit").status_code == 409
    assert post(caller, f"{page}/add", lab_test=caller.tests("Gut Zoomer")[0]).status_code == 409


def test_canceling_a_draft(caller, page):
    assert "canceled" in post(caller, f"{page}/cancel").text
    assert order_of(caller)["attributes"]["date_canceled"]


def test_pages_that_are_not_there(caller):
    for path in ("/checkout/ordin_none000", "/app/orders/ord_none000", "/pay/ord_none000"):
        assert caller.http.get(path).status_code == 404


def test_an_intent_can_expire(caller, intent):
    caller.options(intent_lifetime=60)
    caller.advance(61)
    assert caller.http.get(f"/checkout/{intent['id']}").status_code == 410
    assert caller.get("/orders").json["data"] == []


def test_every_page_says_that_it_is_a_stand_in(caller, page):
    consent = "/oauth/authorize?client_id=app_1&redirect_uri=http://localhost/&response_type=code"
    for path in ("/", page, f"/pay/{order_of(caller)['id']}", consent, "/checkout/ordin_none000"):
        assert "A stand-in, not Rupa" in caller.http.get(path).text
    assert "stand-in" in caller.http.get("/_sim/").text


def test_the_home_page_has_buttons_that_work(caller, page):
    order = order_of(caller)["id"]
    for action, status in (("submit", "Pending Payment"), ("pay", "In Progress"), ("ship", "Kit Shipped")):
        assert f"/_sim/orders/{order}/{action}" in caller.http.get("/").text
        pressed = caller.http.post(
            f"/_sim/orders/{order}/{action}", data={"from": "page"}, follow_redirects=True
        )
        assert pressed.status_code == 200
        assert order_of(caller)["attributes"]["status"] == status
    refused = caller.http.post(f"/_sim/orders/{order}/pay", data={"from": "page"}, follow_redirects=True)
    assert "awaits no payment" in refused.text
