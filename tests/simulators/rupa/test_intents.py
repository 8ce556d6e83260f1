"""Order intents in JSON:API (rupa-api.md 5.6)."""

import pytest

URL = "https://ehr.example/rupa/return/8f2"


def create(caller, attributes=None, **relationships):
    shown = {"return_url": URL, "metadata": {"ehr_request": "req_41"}} | (attributes or {})
    return caller.write(
        "POST",
        "/order-intents/",
        {"type": "order_intent", "attributes": shown, "relationships": relationships},
    )


def patient(caller):
    return {"data": {"type": "patient", "id": caller.patient()}}


def lab_tests(caller, *names):
    return {"data": [{"type": "lab_test", "id": one} for one in caller.tests(*names)]}


def test_the_documented_shape(caller):
    answer = create(caller, patient=patient(caller), lab_tests=lab_tests(caller, "DUTCH Complete"))
    assert answer.status_code == 201
    data = answer.json["data"]
    assert data["type"] == "order_intent"
    assert data["id"].startswith("ordin_")
    attributes = data["attributes"]
    assert attributes["checkout_url"] == f"http://localhost/checkout/{data['id']}"
    assert attributes["return_url"] == URL
    assert attributes["metadata"] == {"ehr_request": "req_41"}
    assert attributes["icd10_codes"] == []
    assert attributes["total_price"] > 0
    relations = data["relationships"]
    assert relations["patient"] == patient(caller)
    assert relations["lab_tests"] == lab_tests(caller, "DUTCH Complete") | {"meta": {"count": 1}}
    assert relations["line_items"] == {"data": [], "meta": {"count": 0}}
    assert relations["order"] == {"data": None}
    assert caller.get(f"/order-intents/{data['id']}").json["data"] == data
    assert [one["id"] for one in caller.get("/order-intents").json["data"]] == [data["id"]]


def test_the_web_app_can_have_an_address_of_its_own(caller):
    caller.options(app_url="https://labs.example")
    made = create(caller, patient=patient(caller)).json["data"]
    assert made["attributes"]["checkout_url"] == f"https://labs.example/checkout/{made['id']}"


@pytest.mark.parametrize(
    ("attributes", "relationships", "pointer"),
    [
        ({"return_url": None}, {}, "/data/attributes/return_url"),
        ({"return_url": "javascript:alert(1)"}, {}, "/data/attributes/return_url"),
        ({"metadata": ["x"]}, {}, "/data/attributes/metadata"),
        ({}, {"patient": {"data": {"type": "patient", "id": "pat_none000"}}}, "/data/relationships/patient"),
        (
            {},
            {"lab_tests": {"data": [{"type": "lab_test", "id": "labts_none000"}]}},
            "/data/relationships/lab_tests",
        ),
    ],
)
def test_what_is_wrong_is_pointed_at(caller, attributes, relationships, pointer):
    answer = create(caller, attributes, **({"patient": patient(caller)} | relationships))
    assert answer.status_code == 400
    assert [error["source"]["pointer"] for error in answer.json["errors"]] == [pointer]
    assert caller.get("/order-intents").json["data"] == []


def test_someone_must_be_the_patient(caller):
    answer = create(caller)
    assert answer.status_code == 400
    assert answer.json["errors"][0]["source"]["pointer"] == "/data/attributes/patient_data"


def test_another_clinics_patient_does_not_exist_here(sim, caller, caller_of):
    theirs = caller_of(sim, "Dara").patient()
    answer = create(caller, patient={"data": {"type": "patient", "id": theirs}})
    assert answer.json["errors"][0]["source"]["pointer"] == "/data/relationships/patient"


def test_disabled_tests_are_refused(caller):
    (test,) = caller.tests("DUTCH Plus")
    caller.http.post(f"/_sim/lab-tests/{test}", json={"disabled_reason": "Discontinued"})
    answer = create(caller, patient=patient(caller), lab_tests=lab_tests(caller, "DUTCH Plus"))
    assert answer.status_code == 400


def test_changing_an_intent_until_its_order_is_submitted(caller):
    intent = create(caller, patient=patient(caller), lab_tests=lab_tests(caller, "DUTCH Complete")).json[
        "data"
    ]
    path = f"/order-intents/{intent['id']}/"

    def change(**relationships):
        document = {"type": "order_intent", "id": intent["id"], "relationships": relationships}
        return caller.write("PATCH", path, document)

    caller.http.get(f"/checkout/{intent['id']}")
    changed = change(lab_tests=lab_tests(caller, "DUTCH Plus", "DUTCH Adrenal"))
    assert changed.json["data"]["relationships"]["lab_tests"]["meta"]["count"] == 2
    order = changed.json["data"]["relationships"]["order"]["data"]["id"]
    included = caller.get(f"/orders/{order}?include=ordered_tests.lab_test").json["included"]
    names = {one["attributes"]["name"] for one in included if one["type"] == "lab_test"}
    assert names == {"DUTCH Plus", "DUTCH Adrenal"}
    caller.act(order, "submit")
    assert change(lab_tests={"data": []}).status_code == 409
