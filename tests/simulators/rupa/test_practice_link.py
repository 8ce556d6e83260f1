"""`/order-for/{key}`: the practice's link, for a patient whom the practice's own pages know."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

NORA = {
    "Patient_ID": "P-1",
    "First_Name": "Nora",
    "Last_Name": "Exampleson",
    "Email": "NORA@patients.example",
}
NEW = {
    "Patient_ID": "P-2",
    "First_Name": "Fabula",
    "Last_Name": "Specimen",
    "Email": "fabula@patients.example",
    "Date_of_Birth": "1990-02-03T00:00:00",
    "Phone": "(202) 555-0199",
}


@pytest.fixture
def practice():
    """The practice's stand-in: it knows its patients, whatever `rows` holds."""
    rows = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps({"Patients": rows}).encode()
            self.send_response(200 if self.path == "/_sim/dump" else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", rows
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def click(caller, practice):
    url, rows = practice
    caller.options(practice_url=url)

    def clicked(row):
        rows[:] = [row]
        return caller.http.get(f"/order-for/{row['Patient_ID']}")

    return clicked


def patients(caller):
    return {one["id"]: one["attributes"] for one in caller.get("/patients").json["data"]}


def test_a_patient_of_that_email_is_found_and_the_way_leads_to_checkout_and_back(caller, click, practice):
    before = patients(caller)
    answer = click(NORA)
    assert answer.status_code == 303
    page = caller.http.get(answer.location.removeprefix("http://localhost"), follow_redirects=True).text
    assert "nora@patients.example" in page
    assert "No tests yet" in page
    (intent,) = caller.get("/order-intents").json["data"]
    assert intent["attributes"]["return_url"] == f"{practice[0]}/patients/P-1"
    assert patients(caller) == before


def test_the_rupa_id_of_the_row_is_stronger_than_its_email(caller, click):
    nora, milo = caller.get("/patients").json["data"][:2]
    click({**NORA, "Rupa_Patient_ID": milo["id"]})
    (intent,) = caller.get("/order-intents").json["data"]
    assert intent["relationships"]["patient"]["data"]["id"] == milo["id"] != nora["id"]


def test_a_new_patient_is_made_with_what_the_row_holds(caller, click):
    before = patients(caller)
    assert click(NEW).status_code == 303
    (made,) = [patient for key, patient in patients(caller).items() if key not in before]
    assert (made["email"], made["birthday"]) == ("fabula@patients.example", "1990-02-03")
    assert made["phone_number"] == "+12025550199"


def test_no_patient_data_stands_in_the_addresses(click):
    assert "fabula" not in click(NEW).location.lower()


def test_a_row_without_an_email_gets_a_page_that_says_so(caller, click, practice):
    answer = click({**NEW, "Email": ""})
    assert answer.status_code == 422
    assert "Email: This field" in answer.text
    assert f'href="{practice[0]}/patients/P-2"' in answer.text
    assert caller.get("/order-intents").json["data"] == []


def test_an_unknown_patient_and_an_absent_practice_are_said(caller, practice):
    url, _rows = practice
    assert caller.http.get("/order-for/P-1").status_code == 404
    caller.options(practice_url=url)
    answer = caller.http.get("/order-for/P-1")
    assert answer.status_code == 404
    assert "has no patient P-1" in answer.text
    caller.options(practice_url="http://127.0.0.1:9")
    assert caller.http.get("/order-for/P-1").status_code == 502
