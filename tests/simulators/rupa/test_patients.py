"""Patients: making, changing, and the rule of one e-mail, one patient in a clinic (rupa-api.md 5.3)."""

import pytest

from labbridge.simulators.rupa import practitioner_id

ZOE = {
    "first_name": "Zoe",
    "last_name": "Samplewoman",
    "email": "zoe@patients.example",
    "birthday": "1984-02-29",
    "phone_number": "+12025550101",
    "gender": "F",
    "shipping_address": {"street": "1 Test St", "city": "Sampletown", "state": "CA", "zipcode": "94100"},
}


def create(caller, **attributes):
    return caller.write("POST", "/patients/", {"type": "patient", "attributes": ZOE | attributes})


def intent(caller, **data):
    body = {"return_url": "https://ehr.example/", "patient_data": ZOE | data}
    answer = caller.flat("/order-intents/", body)
    assert answer.status_code == 201, answer.text
    shown = caller.get(f"/order-intents/{answer.json['id']}/").json["data"]
    return shown["relationships"]["patient"]["data"]["id"]


def test_a_made_patient_is_listed_with_all_it_was_given(caller):
    made = create(caller)
    assert made.status_code == 201
    patient = caller.get(f"/patients/{made.json['data']['id']}/").json["data"]
    assert ZOE.items() <= patient["attributes"].items()
    assert patient["relationships"]["practitioner"]["data"]["id"] == practitioner_id("Ada")
    found = caller.get("/patients?filter[search]=zoe samplewoman").json["data"]
    assert [one["id"] for one in found] == [patient["id"]]
    assert caller.get("/patients?filter[email]=ZOE@patients.example").json["data"] == found


@pytest.mark.parametrize(
    ("wrong", "pointer", "detail"),
    [
        ({"email": "zoe"}, "email", "Enter a valid email address."),
        ({"first_name": ""}, "first_name", "This field may not be blank."),
        ({"birthday": "02/29/1984"}, "birthday", "Date has wrong format"),
        ({"birthday": "1985-02-29"}, "birthday", "Date has wrong format"),
        ({"phone_number": "202-555-0101"}, "phone_number", "The phone number entered is not valid."),
        ({"shipping_address": {"zip": "94100"}}, "shipping_address", "Expected street"),
    ],
)
def test_a_wrong_field_is_pointed_at(caller, wrong, pointer, detail):
    answer = create(caller, **wrong)
    assert answer.status_code == 400
    (error,) = answer.json["errors"]
    assert error["source"]["pointer"] == f"/data/attributes/{pointer}"
    assert error["detail"].startswith(detail)
    assert not caller.get("/patients?filter[search]=zoe").json["data"]


def test_missing_fields_are_all_told_at_once(caller):
    answer = caller.write("POST", "/patients", {"type": "patient", "attributes": {"first_name": "Zoe"}})
    pointers = {error["source"]["pointer"] for error in answer.json["errors"]}
    assert pointers == {"/data/attributes/last_name", "/data/attributes/email"}


def test_a_second_patient_of_the_same_email_is_refused_used_or_made(caller):
    first = create(caller).json["data"]["id"]
    refused = create(caller, email="Zoe@Patients.example")
    assert refused.status_code == 400
    assert refused.json["errors"][0]["source"]["pointer"] == "/data/attributes/email"
    caller.options(duplicate_email="use_existing")
    used = create(caller, first_name="Other")
    assert (used.status_code, used.json["data"]["id"]) == (200, first)
    caller.options(duplicate_email="create")
    assert create(caller).json["data"]["id"] != first


def test_changing_a_patient(caller):
    patient = create(caller).json["data"]["id"]
    document = {"type": "patient", "id": patient, "attributes": {"phone_number": "+12025550199"}}
    changed = caller.write("PATCH", f"/patients/{patient}/", document)
    assert changed.status_code == 200
    attributes = caller.get(f"/patients/{patient}").json["data"]["attributes"]
    assert attributes["phone_number"] == "+12025550199"
    assert attributes["birthday"] == ZOE["birthday"]
    taken = document | {"attributes": {"email": "nora@patients.example"}}
    assert caller.write("PATCH", f"/patients/{patient}/", taken).status_code == 400


def test_wrong_documents(caller):
    assert caller.write("POST", "/patients", {"type": "order", "attributes": ZOE}).status_code == 409
    patient = caller.patient()
    wrong_id = {"type": "patient", "id": "pat_other00", "attributes": {}}
    assert caller.write("PATCH", f"/patients/{patient}", wrong_id).status_code == 409
    broken = caller.http.post(
        "/patients", data="{", headers=caller.headers | {"Content-Type": "application/vnd.api+json"}
    )
    assert (broken.status_code, broken.json["errors"][0]["code"]) == (400, "parse_error")
    form = caller.http.post("/patients", data={"a": "b"}, headers=caller.headers)
    assert form.status_code == 415


def test_the_patient_endpoint_can_be_missing(caller):
    caller.options(patient_endpoint=False)
    assert create(caller).status_code == 405
    assert caller.get("/patients").status_code == 200


def test_an_intent_uses_the_patient_of_that_email_and_changes_nothing_of_it(caller):
    first = intent(caller)
    assert intent(caller, first_name="Spouse", email="ZOE@patients.example") == first
    assert caller.get(f"/patients/{first}").json["data"]["attributes"]["first_name"] == "Zoe"
    assert intent(caller, email="other@patients.example") != first


def test_the_same_email_in_two_clinics_is_two_patients(sim, caller, caller_of):
    found = [
        one.get("/patients?filter[email]=household@willow.example").json["data"]
        for one in (caller, caller_of(sim, "Dara"))
    ]
    assert [len(patients) for patients in found] == [1, 1]
    assert found[0][0]["id"] != found[1][0]["id"]


def test_seeded_patients_are_as_given_even_against_the_rule(caller):
    rows = [
        ZOE | {"id": "pat_Zoe0001"},
        ZOE | {"first_name": "Twin", "practitioner": practitioner_id("Bruno")},
    ]
    made = caller.http.post("/_sim/patients", json=rows)
    assert made.status_code == 201
    found = caller.get("/patients?filter[email]=zoe@patients.example").json["data"]
    assert [one["attributes"]["first_name"] for one in found] == ["Zoe", "Twin"]
    assert found[0]["id"] == "pat_Zoe0001"
    unknown = caller.http.post("/_sim/patients", json=ZOE | {"practitioner": "pra_none000"})
    assert unknown.status_code == 400
