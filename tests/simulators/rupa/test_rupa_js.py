"""The calls of rupa-js 0.1.2 exactly as rupa-api.md section 9 describes them."""

import pytest
from werkzeug.test import Client

ORIGIN = "https://app.caspio.example"
FULL = {
    "return_url": "https://ehr.example/",
    "patient_data": {
        "first_name": "Ada",
        "last_name": "Sample",
        "email": "ada@patients.example",
        "phone_number": "+12025550101",
        "birthday": "1990-12-20",
        "gender": "F",
        "shipping_address": {"street": "1 Test St", "city": "Sampletown", "state": "CA", "zipcode": "94100"},
    },
    "metadata": {"test": "data"},
}


@pytest.fixture
def http(sim):
    return Client(sim)


def new_key(http, **raw):
    return http.post("/_sim/publishable-keys", json=raw).json["publishable_key"]


def create(http, key, payload):
    """What `rupa.orderIntents.create(payload)` puts on the wire."""
    headers = {
        "Content-Type": "application/json",
        "Authorization": f"Bearer {key}",
        "X-Rupa-User-Agent": "RupaJS/0.1.2",
        "Origin": ORIGIN,
    }
    return http.post("/order-intents/", json=payload, headers=headers)


def test_the_browser_is_allowed_to_ask(http):
    answer = http.options(
        "/order-intents/",
        headers={
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type,x-rupa-user-agent",
        },
    )
    assert answer.status_code in (200, 204)
    assert answer.headers["Access-Control-Allow-Origin"] in ("*", ORIGIN)
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    allowed = {name.strip().lower() for name in answer.headers["Access-Control-Allow-Headers"].split(",")}
    assert {"authorization", "content-type", "x-rupa-user-agent"} <= allowed


def test_an_intent_is_made_and_its_address_opens_the_checkout(http):
    (test,) = [t["id"] for t in http.get("/_sim/state").json["lab_tests"] if t["name"] == "DUTCH Complete"]
    answer = create(http, new_key(http), FULL | {"lab_tests": [test]})
    assert answer.status_code in (200, 201)  # the library takes exactly these
    assert set(answer.json) == {"id", "redirect_url"}
    assert answer.headers["Access-Control-Allow-Origin"] in ("*", ORIGIN)
    page = http.get(answer.json["redirect_url"].removeprefix("http://localhost"), follow_redirects=True)
    assert "DUTCH Complete" in page.text


def test_the_smallest_payload_will_do(http):
    small = {name: FULL["patient_data"][name] for name in ("first_name", "last_name", "email")}
    answer = create(http, new_key(http), {"return_url": "http://localhost:8001", "patient_data": small})
    assert answer.status_code == 201


def test_an_unknown_key_is_not_authenticated(http):
    answer = create(http, "pk_7bf3fca6e384960013f0cceae7c519ec86ec1646", FULL)
    assert answer.status_code == 401
    assert answer.json == {"code": "RupaNotAuthenticatedError", "message": "Not authenticated."}


def test_an_expired_key_is_denied_and_a_fresh_one_works(http):
    old = new_key(http, lifetime=60)
    http.post("/_sim/clock", json={"advance": 61})
    answer = create(http, old, FULL)
    assert answer.status_code == 403
    assert answer.json == {"code": "RupaPermissionDeniedError", "message": "Permission denied."}
    assert answer.headers["Access-Control-Allow-Origin"] in ("*", ORIGIN)  # else the library sees nothing
    assert create(http, new_key(http), FULL).status_code == 201


def test_wrong_fields_are_named(http):
    wrong = FULL | {"patient_data": FULL["patient_data"] | {"email": "ada"}}
    del wrong["return_url"]
    answer = create(http, new_key(http), wrong)
    assert answer.status_code == 400
    assert answer.json == {
        "code": "RupaValidationError",
        "message": "Invalid request, please check the `fields` for more information.",
        "fields": {
            "return_url": ["This field is required."],
            "patient_data": {"email": ["Enter a valid email address."]},
        },
    }


def test_an_empty_payload(http):
    answer = create(http, new_key(http), {})
    assert set(answer.json["fields"]) == {"return_url", "patient_data"}


def test_a_publishable_key_reaches_nothing_but_order_intents(http):
    key = new_key(http)
    for path in ("/patients", "/orders", "/order-intents"):
        assert http.get(path, headers={"Authorization": f"Bearer {key}"}).status_code == 403


def test_a_key_is_minted_with_an_access_token(caller):
    flat = caller.flat("/publishable-keys/", {})
    assert flat.status_code == 201
    assert flat.json["expires_in"] == 36_000
    key = flat.json["publishable_key"]
    assert key.startswith("pk_")
    assert len(bytes.fromhex(key.removeprefix("pk_"))) == 20
    assert create(caller.http, key, FULL).status_code == 201
    document = caller.http.post("/publishable-keys", headers=caller.headers).json["data"]
    assert document["type"] == "publishable_key"
    assert document["attributes"]["publishable_key"].startswith("pk_")
