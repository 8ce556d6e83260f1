"""Where Rupa offers no patient creation, the first order brings the patient; the right one, and never two of them."""

from __future__ import annotations

from typing import Any

import pytest

from labbridge.catalog.sync import pull_catalog
from labbridge.handlers.charts import read_charts
from labbridge.handlers.intents import look_after
from labbridge.handlers.order_requests import Asker, ask, contents
from labbridge.mirror.models import Chart, LabTest, Order, Patient, PatientLink, ReviewCase
from labbridge.ordering.models import Door, OrderRequest, RequestState
from labbridge.practices.clients import caspio
from labbridge.practices.models import Practice
from tests.conftest import person

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def closed(full: Practice, rupa_sim: Any) -> Practice:
    """Rupa answers 405 to a new patient."""
    rupa_sim.options(patient_endpoint=False)
    pull_catalog(full)
    return full


@pytest.fixture
def newcomer(closed: Practice, caspio_sim: Any, run_jobs: Any) -> Any:
    def add(number: int, **changed: Any) -> Chart:
        known = person(number)
        row = {
            "Patient_ID": f"P-{number}", "First_Name": known["first_name"], "Last_Name": known["last_name"],
            "Email": known["email"], "Date_of_Birth": f"{known['birthday']}T00:00:00", **changed,
        }  # fmt: skip
        caspio_sim.add("Patients", row)
        with caspio(closed, "test") as client:
            read_charts(closed, client)
        run_jobs()
        return Chart.objects.get(key=f"P-{number}")

    return add


def order_for(chart: Chart, key: str = "R-1") -> OrderRequest:
    tests = [LabTest.objects.get(practice=chart.practice, name="DUTCH Complete").external_id]
    return ask(chart.practice, key, contents(chart.key, test_ids=tests), Asker(Door.API))


def patients(rupa_sim: Any, number: int) -> list[dict[str, Any]]:
    wanted = person(number)["email"]
    return [one for one in rupa_sim.call("GET", "/_sim/state")["patients"] if one["email"] == wanted]


def row_of(caspio_sim: Any, number: int) -> dict[str, Any]:
    return next(one for one in caspio_sim.tables()["Patients"] if one["Patient_ID"] == f"P-{number}")


def test_the_first_order_brings_the_patient_and_its_event_links_them(
    newcomer: Any,
    rupa_sim: Any,
    caspio_sim: Any,
    check_out: Any,
    submit: Any,
    deliver_all: Any,
    run_jobs: Any,
) -> None:
    chart = newcomer(1)
    assert row_of(caspio_sim, 1)["Rupa_Sync_Status"] == "waiting"
    assert patients(rupa_sim, 1) == []
    ready = order_for(chart)
    assert (ready.state, ready.message) == (RequestState.READY, "")
    (made,) = patients(rupa_sim, 1)
    assert made["birthday"] == person(1)["birthday"]
    assert order_for(chart).intent_id == ready.intent_id, "asked again it brings nobody again"

    order = check_out(ready.intent_id)
    submit(order)
    deliver_all()
    run_jobs()
    link = PatientLink.objects.get(chart=chart)
    assert link.patient.external_id == made["id"]
    assert row_of(caspio_sim, 1)["Rupa_Patient_ID"] == made["id"]
    assert row_of(caspio_sim, 1)["Rupa_Sync_Status"] == "linked"
    (filed,) = caspio_sim.tables()["Lab_Orders"]
    assert (filed["Patient_Key"], filed["Rupa_Order_ID"]) == ("P-1", order)
    assert len(patients(rupa_sim, 1)) == 1
    assert not ReviewCase.objects.exists()


def test_the_mark_links_even_where_the_match_would_ask(
    newcomer: Any, check_out: Any, deliver_all: Any, run_jobs: Any, rupa_sim: Any
) -> None:
    """The patient's e-mail is in doubt by now, but the order says where it came from."""
    chart = newcomer(1)
    ready = order_for(chart)
    check_out(ready.intent_id)
    chart.person = {**chart.person, "email": "changed@patients.example"}
    chart.save(update_fields=["person"])
    deliver_all()
    run_jobs()
    link = PatientLink.objects.get(chart=chart)
    assert "with the order" in link.reasons[0]


def test_somebody_else_with_that_email_is_a_question_for_a_person(
    newcomer: Any,
    rupa_sim: Any,
    caspio_sim: Any,
    check_out: Any,
    submit: Any,
    deliver_all: Any,
    run_jobs: Any,
) -> None:
    """Between our look and our order somebody was made at Rupa, and Rupa has taken them for the new one."""
    chart = newcomer(1)
    chart.practice.refresh_from_db()
    rupa_sim.patient(
        1, first_name="Otherone", last_name="Elsewhere", birthday="1950-01-01"
    )  # unseen: read moments ago
    ready = order_for(chart)
    if ready.state == RequestState.READY:
        order = check_out(ready.intent_id)
        submit(order)
        deliver_all()
        run_jobs()
        assert caspio_sim.tables()["Lab_Orders"] == [], "not into a chart that is in doubt"
    assert not PatientLink.objects.filter(chart=chart).exists()
    assert len(patients(rupa_sim, 1)) == 1
    assert ReviewCase.objects.filter(chart=chart, state="open").exists()
    assert row_of(caspio_sim, 1)["Rupa_Sync_Status"] == "review"


def test_two_rows_with_one_email_are_never_both_sent(newcomer: Any, rupa_sim: Any) -> None:
    first = newcomer(1)
    ready = order_for(first)
    assert ready.state == RequestState.READY
    second = newcomer(2, Email=person(1)["email"])
    refused = order_for(second, "R-2")
    assert (refused.state, refused.checkout) == (RequestState.RECEIVED, "")
    assert refused.message
    assert len(patients(rupa_sim, 1)) == 1


def test_a_row_that_cannot_be_sent_says_where_to_look_and_goes_on_when_corrected(
    newcomer: Any, caspio_sim: Any, run_jobs: Any
) -> None:
    chart = newcomer(3, Email="no address")
    waits = order_for(chart)
    assert waits.state == RequestState.RECEIVED
    assert "Rupa_Sync_Message" in waits.message
    look_after()
    run_jobs()
    from labbridge.simulators.caspio import design, records

    account = caspio_sim.app.account
    table = design.find_table(account.store, "Patients")
    email = {"Email": person(3)["email"]}
    records.update(account, table, f"PK_ID={chart.pk_id}", email, source="Datasheet")
    with caspio(chart.practice, "test") as client:
        read_charts(chart.practice, client)
    run_jobs()
    look_after()
    run_jobs()
    waits.refresh_from_db()
    assert waits.state == RequestState.READY


def test_a_patient_in_review_waits_for_the_decision(
    chart: Chart, test_id: Any, run_jobs: Any, intents: Any
) -> None:
    patient = Patient.objects.get(link__chart=chart)
    PatientLink.objects.all().delete()
    case = ReviewCase.objects.create(practice=chart.practice, chart=chart, patient=patient, actions=["link"])
    wanted = contents("P-1", test_ids=[test_id("DUTCH Complete")])
    waits = ask(chart.practice, "R-1", wanted, Asker(Door.API))
    assert (waits.state, waits.checkout) == (RequestState.RECEIVED, "")
    assert "Decide the open match" in waits.message
    look_after()
    run_jobs()
    assert intents() == []
    from labbridge.handlers.cases import decide

    decide(case, "link", by="ada@willow.example")
    look_after()
    run_jobs()
    waits.refresh_from_db()
    assert waits.state == RequestState.READY


def test_where_patients_are_only_linked_rupas_own_list_is_looked_through(
    full: Practice, add_patient: Any, intents: Any
) -> None:
    full.config["sync"]["patients"] = "link"
    full.save()
    add_patient(1)
    with caspio(full, "test") as client:
        read_charts(full, client)
    pull_catalog(full)
    assert not PatientLink.objects.exists(), "nobody has read Rupa's list of patients yet"
    assert order_for(Chart.objects.get(key="P-1")).state == RequestState.READY
    assert len(intents()) == 1


def test_an_order_that_rupa_put_under_another_rows_patient_is_not_filed(
    newcomer: Any,
    rupa_sim: Any,
    caspio_sim: Any,
    check_out: Any,
    submit: Any,
    deliver_all: Any,
    run_jobs: Any,
) -> None:
    """Asked for from one row, and at Rupa it is the patient of another: neither chart is the right one unasked."""
    chart, other = newcomer(1), newcomer(2)
    ready = order_for(chart)
    order = check_out(ready.intent_id)
    submit(order)
    (made,) = patients(rupa_sim, 1)
    patient, _ = Patient.objects.get_or_create(practice=chart.practice, external_id=made["id"])
    # A link that was made when the two were alike: `base` says that both had been read.
    agreed: dict[str, Any] = {"caspio": {}, "rupa": {}}
    PatientLink.objects.create(practice=chart.practice, chart=other, patient=patient, base=agreed)
    deliver_all()
    run_jobs()
    assert caspio_sim.tables()["Lab_Orders"] == []
    held = Order.objects.get(external_id=order)
    assert "under the patient of another row" in held.filing_problem
    assert "Sampleperson" not in held.filing_problem
    submit(order, "cancel")
    deliver_all()
    run_jobs()
    (filed,) = caspio_sim.tables()["Lab_Orders"]
    assert (filed["Phase"], filed["Patient_Key"]) == ("canceled", "P-2"), (
        "as Rupa has it, once it harms nobody"
    )
