"""The practice's pages: what a person sees and does, and what it writes."""

from html.parser import HTMLParser
from io import BytesIO

import pytest
from werkzeug.test import Client

from labbridge.simulators.caspio import seed_practice
from tests.simulators.caspio.conftest import Rest

LAB_TABLES = {
    "Lab_Orders": ["Rupa_Order_ID", "Patient_Key", "Phase", "Payment_Status", "Rupa_Status"],
    "Lab_Order_Tests": ["Rupa_Ordered_Test_ID", "Rupa_Order_ID", "Test_Name", "Result_State"],
    "Lab_Result_Values": ["Value_Key", "Result_Key", "Analyte", "Value_Text", "Flag"],
    "Lab_Tests": ["Rupa_Lab_Test_ID", "Name", "Lab_Company_Name"],
    "Lab_Order_Requests": ["Request_ID", "Patient_Key", "Test_IDs", "Practitioner_Email", "Checkout_Url"],
}


class Page(HTMLParser):
    """What a test asks of a page: links, labelled inputs, text."""

    def __init__(self, html):
        super().__init__()
        self.links, self.inputs, self.labels, self.text = [], [], set(), ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag == "a":
            self.links.append(found)
        elif tag in ("input", "select", "textarea"):
            self.inputs.append(found.get("id"))
        elif tag == "label":
            self.labels.add(found["for"])

    def handle_data(self, data):
        self.text += data + " "


@pytest.fixture
def browser(sim):
    return Client(sim)


@pytest.fixture
def practice(sim, browser):
    seed_practice(sim.account, patients=3)
    return browser


@pytest.fixture
def labs(practice, sim):
    rest = Rest(sim)
    for name, fields in LAB_TABLES.items():
        made = [{"Name": f, "Type": "STRING", "Unique": n == 0} for n, f in enumerate(fields)]
        assert rest.post("/tables", {"Name": name, "Fields": made}).status_code == 201
    results = [
        {"Name": "Result_Key", "Type": "STRING", "Unique": True},
        {"Name": "Patient_Key", "Type": "STRING"},
        {"Name": "Rupa_Order_ID", "Type": "STRING"},
        {"Name": "Test_Name", "Type": "STRING"},
        {"Name": "Version", "Type": "INTEGER"},
        {"Name": "Received_At", "Type": "DATE/TIME"},
        {"Name": "Result_PDF", "Type": "ATTACHMENT"},
    ]
    assert rest.post("/tables", {"Name": "Lab_Results", "Fields": results}).status_code == 201
    rest.add("Lab_Orders", Rupa_Order_ID="ord_1", Patient_Key="P-1001", Phase="partial_results")
    rest.add("Lab_Order_Tests", Rupa_Ordered_Test_ID="t1", Rupa_Order_ID="ord_1", Test_Name="Invented panel")
    rest.add(
        "Lab_Results",
        Result_Key="t1-v1",
        Patient_Key="P-1001",
        Rupa_Order_ID="ord_1",
        Test_Name="Invented panel",
        Received_At="2026-01-31T08:15:00",
    )
    rest.add("Lab_Result_Values", Value_Key="t1-v1-1", Result_Key="t1-v1", Analyte="Imaginol", Flag="H")
    rest.add("Lab_Tests", Rupa_Lab_Test_ID="lt1", Name="Invented panel", Lab_Company_Name="Mock Labs")
    return rest


@pytest.mark.parametrize("path", ["/", "/orders", "/catalog", "/browse"])
def test_pages_are_friendly_before_there_are_tables(browser, path):
    answer = browser.get(path)
    assert answer.status_code == 200
    assert 'class="empty"' in answer.text


def test_patients_are_listed_and_searched_without_a_name_in_the_address(practice, sim):
    rows = sim.dump()["Patients"]
    page = Page(practice.get("/").text)
    assert {"/patients/P-1001", "/patients/P-1003"} <= {a.get("href") for a in page.links}
    found = Page(practice.post("/", data={"search": rows[0]["Last_Name"][:6]}).text)
    assert rows[0]["Patient_ID"] in found.text
    assert "No patients found" in practice.post("/", data={"search": "%"}).text
    assert "No patients found" in practice.post("/", data={"search": "x' OR 1=1 --"}).text


def test_the_patient_has_the_order_button_and_both_fallbacks(make):
    simulator = make(
        labbridge_url="http://127.0.0.1:8000",
        practice_slug="willow",
        rupa_order_url="http://127.0.0.1:9000/order?ref={patient}",
    )
    seed_practice(simulator.account, patients=1)
    html = Client(simulator).get("/patients/P-1001").text
    links = Page(html).links
    ours = next(a for a in links if "data-labbridge-order" in a)
    assert ours["data-patient"] == "P-1001"
    assert ours["href"] == "http://127.0.0.1:8000/order/willow?patient=P-1001"
    assert "http://127.0.0.1:9000/order?ref=P-1001" in [a.get("href") for a in links]
    assert '<script src="http://127.0.0.1:8000/embed/willow.js" defer>' in html


def test_without_labbridge_the_button_is_there_for_its_script(practice):
    html = practice.get("/patients/P-1001").text
    (ours,) = [a for a in Page(html).links if "data-labbridge-order" in a]
    assert "href" not in ours
    assert "<script" not in html


def test_a_patient_is_added_and_edited_and_rupa_fields_are_left_alone(practice, sim):
    values = {"Patient_ID": "P-9", "First_Name": "<b>Testa", "Date_of_Birth": "1990-02-03"}
    answer = practice.post("/patients/new", data={**values, "Rupa_Patient_ID": "forged"})
    assert (answer.status_code, answer.location) == (303, "/patients/P-9")
    assert "&lt;b&gt;Testa" in practice.get("/patients/P-9").text
    practice.post("/patients/P-9/edit", data={**values, "First_Name": "Fabula", "Date_of_Birth": ""})
    row = sim.dump()["Patients"][-1]
    assert (row["First_Name"], row["Date_of_Birth"], row["Rupa_Patient_ID"]) == ("Fabula", None, "")


def test_a_form_that_is_refused_shows_why_and_keeps_what_was_typed(practice):
    answer = practice.post("/patients/new", data={"Patient_ID": "P-1001", "First_Name": "Quilla"})
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert 'value="Quilla"' in answer.text


@pytest.mark.parametrize("path", ["/", "/patients/new", "/patients/P-1001/edit", "/browse/Patients/1"])
def test_every_input_has_a_label(practice, path):
    page = Page(practice.get(path).text)
    assert page.inputs
    assert set(page.inputs) <= page.labels


def test_an_order_shows_its_tests_and_states(labs):
    assert "ord_1" in labs.http.get("/orders").text
    page = Page(labs.http.get("/orders/ord_1").text)
    assert "Invented panel" in page.text
    assert "partial results" in page.text
    assert "ord_1" in labs.http.get("/patients/P-1001").text
    assert labs.http.get("/orders/nope").status_code == 404


def test_a_result_shows_values_and_the_very_report(labs):
    assert "not been filed yet" in labs.http.get("/results/t1-v1").text
    pdf = b"%PDF-1.7 invented " + bytes(range(256))
    path = "/tables/Lab_Results/attachments/Result_PDF/1"
    assert labs.upload("PUT", path, "File", (BytesIO(pdf), "r.pdf")).status_code == 204
    page = labs.http.get("/results/t1-v1").text
    assert "Imaginol" in page
    assert 'data="/results/t1-v1/report.pdf"' in page
    report = labs.http.get("/results/t1-v1/report.pdf")
    assert (report.data, report.mimetype) == (pdf, "application/pdf")


def test_the_catalogue_lists_tests(labs):
    assert "Mock Labs" in labs.http.get("/catalog").text


def test_a_request_for_labs_is_a_row(labs, sim):
    data = {"Test_IDs": "lt1", "Practitioner_Email": "ada@willow.example"}
    answer = labs.http.post("/patients/P-1001/request", data=data)
    assert answer.status_code == 303
    (row,) = sim.dump()["Lab_Order_Requests"]
    assert (row["Patient_Key"], row["Test_IDs"]) == ("P-1001", "lt1")
    assert row["Request_ID"]
    assert row["Request_ID"] in labs.http.get("/patients/P-1001").text


def test_the_datasheet_pages_edits_adds_and_deletes(practice, sim):
    seed = [{"Patient_ID": f"X-{n}"} for n in range(30)]
    practice.post("/_sim/import", json={"table": "Patients", "rows": seed})
    assert "Next page" in practice.get("/browse/Patients").text
    assert "X-29" in practice.get("/browse/Patients?page=2").text
    assert practice.post("/browse/Patients/1", data={"Patient_ID": "Z-1"}).status_code == 303
    assert practice.post("/browse/Patients/2/delete").status_code == 303
    rows = sim.dump()["Patients"]
    assert [r["Patient_ID"] for r in rows[:2]] == ["Z-1", "P-1003"]
    assert practice.get("/browse/Nope").status_code == 404
    assert practice.get("/browse/Patients/2").status_code == 404


def test_the_controls_page_counts_and_seeds(browser, sim):
    assert "Caspio simulator: c0abc123" in browser.get("/_sim/").text
    answer = browser.post("/_sim/seed", data="", content_type="application/x-www-form-urlencoded",
                          headers={"Accept": "text/html"})  # fmt: skip
    assert (answer.status_code, answer.location) == (303, "/_sim/")
    assert len(sim.dump()["Patients"]) == 25
    browser.post("/_sim/reset")
    assert sim.dump() == {}


def test_an_html_block_shows_the_rows_of_a_table(practice):
    page = {
        "table": "Patients",
        "filter": "Patient_ID = 'P-1002'",
        "html": "<b>[@field:Patient_ID]</b> [@field:No]",
    }
    shown = practice.post("/html-block", data=page).text
    assert "<b>P-1002</b> [@field:No]" in shown, "a field that the table does not have stays as it is written"
    assert shown.count('aria-label="Row ') == 1


def test_an_html_block_says_what_is_wrong_with_its_filter(practice):
    shown = practice.post("/html-block", data={"table": "Patients", "filter": "Nobody ==", "html": "x"}).text
    assert 'role="alert"' in shown
