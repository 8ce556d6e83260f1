"""DataPages of an app builder: what the server fills in, and what it lets through."""

from __future__ import annotations

import re
from typing import Any

from labbridge.simulators import caspio


def made(app: Any, **fields: str) -> str:
    from werkzeug.test import Client

    browser = Client(app)
    page = {"name": "Page", "kind": "details", "source": "Patients", **fields}
    assert browser.post("/datapages", data=page).status_code == 303
    listed = browser.get("/datapages").get_data(as_text=True)
    return listed.rsplit('href="/dp/', 1)[1].split('"', 1)[0]


def test_values_are_filled_in_when_the_page_has_loaded(tmp_path: Any) -> None:
    from werkzeug.test import Client

    app = caspio.create_app(tmp_path / "c.sqlite", client_id="c", client_secret="s", deliver=False)
    try:
        caspio.seed_practice(app.account, 1)
        browser = Client(app)
        key = made(app, found_by="Patient_ID", block="<b>[@field:Patient_ID]</b>[@field:Nothing]")
        shown = browser.get(f"/dp/{key}/content?Patient_ID=P-1001").get_data(as_text=True)
        assert shown == "<b>P-1001</b>[@field:Nothing]"
        assert "No records" in browser.get(f"/dp/{key}/content?Patient_ID=' OR 1=1").get_data(as_text=True)
        page = browser.get(f"/dp/{key}?Patient_ID=P-1001")
        assert "script-src 'self';" in page.headers["Content-Security-Policy"]
        assert "P-1001" not in page.get_data(as_text=True), "it comes by AJAX"
    finally:
        app.close()


def test_a_form_makes_a_row_and_leads_on(tmp_path: Any) -> None:
    from werkzeug.test import Client

    app = caspio.create_app(tmp_path / "c.sqlite", client_id="c", client_secret="s", deliver=False)
    try:
        caspio.seed_practice(app.account, 0)
        browser = Client(app)
        answer = made(app, name="Answer", found_by="Patient_ID", block="[@field:Last_Name]")
        elements = "Patient_ID = [@key]\nLast_Name"
        form = made(app, name="Form", kind="form", elements=elements, next_page=answer)
        shown = browser.get(f'/dp/{form}/content?key=P-7"').get_data(as_text=True)
        assert 'name="InsertRecordPatient_ID" value="P-7&#34;"' in shown
        posted = browser.post(
            f"/dp/{form}", data={"InsertRecordPatient_ID": "P-7", "InsertRecordLast_Name": "Seven"}
        )
        assert posted.headers["Location"] == f"/dp/{answer}?Patient_ID=P-7"
        assert app.dump()["Patients"][0]["Last_Name"] == "Seven"
    finally:
        app.close()


def test_a_tabular_report_has_columns_and_its_own_order(tmp_path: Any) -> None:
    from werkzeug.test import Client

    app = caspio.create_app(tmp_path / "c.sqlite", client_id="c", client_secret="s", deliver=False)
    try:
        caspio.seed_practice(app.account, 2)
        browser = Client(app)
        for order, first in (("ASC", "P-1001"), ("DESC", "P-1002")):
            key = made(app, name=order, kind="table", elements=f"Patient_ID {order}\nLast_Name")
            shown = browser.get(f"/dp/{key}/content").get_data(as_text=True)
            assert '<th scope="col">Last Name</th>' in shown
            assert re.findall(r"<td>(P-\d+)</td>", shown)[0] == first
        key = made(app, name="None", kind="table", elements="Patient_ID", filter="Patient_ID = 'P-0'")
        assert "No records" in browser.get(f"/dp/{key}/content").get_data(as_text=True)
    finally:
        app.close()
