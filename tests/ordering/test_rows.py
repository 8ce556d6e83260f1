"""The second door: rows that a DataPage writes, answered on the row."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from labbridge.handlers.intents import look_after
from labbridge.handlers.request_rows import read_request_row
from labbridge.mirror.models import Chart, LabTest
from labbridge.ordering.models import OrderRequest, RequestState
from labbridge.practices.models import Connection, ConnectionState, Practice

pytestmark = pytest.mark.django_db(transaction=True)

READY = "ready"


def test_a_row_gets_its_checkout_through_the_webhook(
    chart: Chart, caspio_sim: Any, client: Any, run_jobs: Any, test_id: Any, intents: Any, check_out: Any,
    submit: Any, deliver_all: Any,
) -> None:  # fmt: skip
    """End to end: the DataPage's form, Caspio's webhook, the checkout, the order; nobody comes back."""
    dutch = test_id("DUTCH Complete")
    form = {"Test_IDs": dutch, "Practitioner_Email": "ada@willow.example"}
    assert caspio_sim.http.post("/patients/P-1/request", data=form).status_code == 303
    with caspio_sim.app.account.store.transaction() as db:
        (payload,) = db.execute("SELECT payload FROM messages ORDER BY id DESC LIMIT 1").fetchone()
    assert (
        client.post("/webhooks/caspio/willow", bytes(payload), content_type="application/json").status_code
        == 200
    )
    caspio_sim.forget_requests()
    run_jobs()
    (row,) = caspio_sim.tables()["Lab_Order_Requests"]
    (intent,) = intents()
    assert (row["Request_Status"], row["Message"]) == (READY, "")
    assert row["Checkout_Url"] == intent["checkout_url"]
    assert [one["method"] for one in caspio_sim.requests()] == ["GET", "PUT"], "one reading, one answer"

    order = check_out(intent["id"])
    deliver_all()
    run_jobs()
    (row,) = caspio_sim.tables()["Lab_Order_Requests"]
    assert (row["Request_Status"], row["Rupa_Order_ID"]) == (READY, order)
    assert "not submitted" in row["Message"]
    submit(order)
    deliver_all()
    run_jobs()
    (row,) = caspio_sim.tables()["Lab_Order_Requests"]
    assert (row["Request_Status"], row["Rupa_Order_ID"]) == ("ordered", order)
    assert row["Checkout_Url"] in ("", None), "nobody orders twice with it"
    (filed,) = caspio_sim.tables()["Lab_Orders"]
    assert (filed["Request_ID"], filed["Order_Source"]) == (row["Request_ID"], "caspio")


def test_reading_a_row_again_asks_for_nothing(
    chart: Chart, row: Any, row_of: Any, test_id: Any, intents: Any, caspio_sim: Any
) -> None:
    pk_id = row(Test_IDs=test_id("DUTCH Complete"))
    read_request_row(chart.practice, pk_id)
    before = row_of(pk_id)
    caspio_sim.forget_requests()
    read_request_row(chart.practice, pk_id)
    assert row_of(pk_id) == before
    assert len(intents()) == 1
    assert [one["method"] for one in caspio_sim.requests()] == ["GET"]


def test_what_is_wrong_with_a_row_is_said_on_it_and_mending_it_goes_on(
    chart: Chart, row: Any, row_of: Any, edit: Any, test_id: Any, intents: Any
) -> None:
    dutch, addon = test_id("DUTCH Complete"), LabTest.objects.filter(is_addon=True, available=True).first()
    assert addon is not None
    gone = LabTest.objects.exclude(name="DUTCH Complete").filter(available=True, is_addon=False).first()
    assert gone is not None
    LabTest.objects.filter(pk=gone.pk).update(available=False, unavailable_reason="a recall")
    cases = [
        ({"Test_IDs": "labts_nowhere"}, "has no test labts_nowhere"),
        ({"Test_IDs": addon.external_id}, "add-on"),
        ({"Test_IDs": gone.external_id}, "a recall"),
        ({"Protocol_ID": "PR-none"}, "protocol PR-none has no tests"),
        ({"Patient_Key": "P-999"}, "no patient with this key"),
        ({"Patient_Key": None}, "no patient with this key"),
        ({"Test_IDs": ",".join(f"t{number}" for number in range(101))}, "More than 100"),
    ]
    for fields, words in cases:
        pk_id = row(**fields)
        read_request_row(chart.practice, pk_id)
        answered = row_of(pk_id)
        assert (answered["Request_Status"], answered["Checkout_Url"]) == ("failed", ""), fields
        assert words in answered["Message"]
        assert "Sampleperson" not in answered["Message"]
    assert intents() == []
    edit(pk_id, Test_IDs=dutch)
    read_request_row(chart.practice, pk_id)
    assert (row_of(pk_id)["Request_Status"], row_of(pk_id)["Message"]) == (READY, "")
    assert len(intents()) == 1


def test_a_protocol_and_more_tests(
    chart: Chart, row: Any, row_of: Any, caspio_sim: Any, intents: Any, test_id: Any
) -> None:
    first, second = test_id("DUTCH Complete"), test_id("OmegaCheck")
    caspio_sim.add("Lab_Protocols", {"Protocol_ID": "PR-1", "Name": "Hormones"})
    caspio_sim.add(
        "Lab_Protocol_Tests", {"Protocol_Test_ID": "PT-1", "Protocol_ID": "PR-1", "Rupa_Lab_Test_ID": first}
    )
    read_request_row(chart.practice, row(Protocol_ID="PR-1", Test_IDs=f" {second},{first}, ,"))
    assert intents()[0]["lab_tests"] == [first, second]


def test_a_row_edited_after_it_was_answered(
    chart: Chart, row: Any, row_of: Any, edit: Any, test_id: Any, intents: Any, add_patient: Any,
    check_out: Any, submit: Any, deliver_all: Any, run_jobs: Any,
) -> None:  # fmt: skip
    """A checkout for one patient must never stand on another one's row."""
    add_patient(2)
    dutch = test_id("DUTCH Complete")
    pk_id = row(Test_IDs=dutch)
    read_request_row(chart.practice, pk_id)
    ready = row_of(pk_id)
    edit(pk_id, Patient_Key="P-2")
    read_request_row(chart.practice, pk_id)
    edited = row_of(pk_id)
    assert (edited["Request_Status"], edited["Checkout_Url"]) == ("failed", "")
    assert "changed after its checkout" in edited["Message"]
    edit(pk_id, Patient_Key="P-1")
    read_request_row(chart.practice, pk_id)
    assert row_of(pk_id) == ready, "put back as it was, the checkout shows again"
    (intent,) = intents()

    order = check_out(intent["id"])
    submit(order)
    edit(pk_id, Test_IDs="labts_other")
    deliver_all()
    run_jobs()
    ordered = row_of(pk_id)
    assert (ordered["Request_Status"], ordered["Rupa_Order_ID"]) == ("ordered", order)
    assert "changed after it had been ordered" in ordered["Message"]
    assert len(intents()) == 1


def test_a_row_edited_while_an_answer_was_lost(
    chart: Chart,
    row: Any,
    row_of: Any,
    edit: Any,
    test_id: Any,
    intents: Any,
    add_patient: Any,
    rupa_sim: Any,
) -> None:
    add_patient(2)
    pk_id = row(Test_IDs=test_id("DUTCH Complete"))
    rupa_sim.fault("error_after", match={"method": "POST", "path": "order"}, times=1)
    read_request_row(chart.practice, pk_id)
    assert (row_of(pk_id)["Request_Status"], len(intents())) == ("received", 1)
    edit(pk_id, Patient_Key="P-2")
    read_request_row(chart.practice, pk_id)
    assert row_of(pk_id)["Request_Status"] == "failed"
    assert row_of(pk_id)["Checkout_Url"] == ""
    assert len(intents()) == 1


def test_a_deleted_row_is_let_go(chart: Chart, row: Any, caspio_sim: Any, test_id: Any) -> None:
    from labbridge.simulators.caspio import design, records

    pk_id = row(Test_IDs=test_id("DUTCH Complete"))
    read_request_row(chart.practice, pk_id)
    account = caspio_sim.app.account
    table = design.find_table(account.store, "Lab_Order_Requests")
    records.delete(account, table, f"PK_ID={pk_id}", source="Datasheet")
    read_request_row(chart.practice, pk_id)
    request = OrderRequest.objects.get()
    assert (request.state, request.checkout) == (RequestState.EXPIRED, "")
    assert "deleted" in request.message


def test_rows_that_share_or_lack_a_request_id(
    practice: Practice, caspio_sim: Any, chart: Chart, test_id: Any
) -> None:
    """Where the practice keeps Request_ID as a text, anything may stand in it."""
    from labbridge.handlers.request_rows import _answer_to

    dutch = test_id("DUTCH Complete")
    said = _answer_to(practice, {"PK_ID": 1, "Request_ID": " ", "Patient_Key": "P-1"})
    assert isinstance(said, dict)
    assert "no Request_ID" in said["Message"]
    first = _answer_to(practice, {"PK_ID": 1, "Request_ID": "A", "Patient_Key": "P-1", "Test_IDs": dutch})
    assert isinstance(first, OrderRequest)
    doubled = _answer_to(practice, {"PK_ID": 2, "Request_ID": "A", "Patient_Key": "P-1", "Test_IDs": dutch})
    assert isinstance(doubled, dict)
    assert "same Request_ID" in doubled["Message"]
    renamed = _answer_to(practice, {"PK_ID": 1, "Request_ID": "B", "Patient_Key": "P-1", "Test_IDs": dutch})
    assert isinstance(renamed, dict), "a new name does not make a second intent from one row"
    assert OrderRequest.objects.count() == 1


def test_rupa_away_and_back(
    chart: Chart, row: Any, row_of: Any, test_id: Any, rupa_sim: Any, run_jobs: Any, intents: Any
) -> None:
    rupa_sim.fault("unavailable")
    pk_id = row(Test_IDs=test_id("DUTCH Complete"))
    read_request_row(chart.practice, pk_id)
    assert row_of(pk_id)["Request_Status"] == "received"
    assert "cannot be reached" in row_of(pk_id)["Message"]
    run_jobs()
    assert row_of(pk_id)["Request_Status"] == "received"
    rupa_sim.heal()
    run_jobs(waiting=True)
    assert (row_of(pk_id)["Request_Status"], row_of(pk_id)["Message"]) == (READY, "")
    assert len(intents()) == 1


def test_what_waits_for_people_goes_on_by_itself(
    chart: Chart, row: Any, row_of: Any, test_id: Any, run_jobs: Any, intents: Any
) -> None:
    dutch = test_id("DUTCH Complete")
    named = row(Test_IDs=dutch, Practitioner_Email="bruno@willow.example")
    read_request_row(chart.practice, named)
    assert row_of(named)["Request_Status"] == "received"
    assert "No practitioner with this e-mail" in row_of(named)["Message"]
    Connection.objects.filter(peer="rupa").update(state=ConnectionState.RECONNECT)
    unconnected = row(Test_IDs=dutch)
    read_request_row(chart.practice, unconnected)
    assert "Nobody of the practice is connected" in row_of(unconnected)["Message"]
    look_after()
    run_jobs()
    assert intents() == []
    Connection.objects.filter(peer="rupa").update(
        state=ConnectionState.ACTIVE, account="bruno@willow.example"
    )
    look_after()
    run_jobs()
    assert row_of(named)["Request_Status"] == row_of(unconnected)["Request_Status"] == READY
    assert len(intents()) == 2


def test_the_same_test_twice_is_warned_of(
    chart: Chart, row: Any, row_of: Any, test_id: Any, check_out: Any, submit: Any, intents: Any, deliver_all: Any,
    run_jobs: Any,
) -> None:  # fmt: skip
    dutch = test_id("DUTCH Complete")
    read_request_row(chart.practice, row(Test_IDs=dutch))
    second = row(Test_IDs=dutch)
    read_request_row(chart.practice, second)
    assert row_of(second)["Request_Status"] == READY
    assert "stands in another checkout" in row_of(second)["Message"]
    order = check_out(intents()[0]["id"])
    submit(order)
    deliver_all()
    run_jobs()
    third = row(Test_IDs=dutch)
    read_request_row(chart.practice, third)
    assert f"open for this patient already, in order {order}" in row_of(third)["Message"]


def test_an_unused_checkout_expires_and_is_replaced_when_asked_for(
    chart: Chart, row: Any, row_of: Any, edit: Any, test_id: Any, run_jobs: Any, intents: Any
) -> None:
    pk_id = row(Test_IDs=test_id("DUTCH Complete"))
    read_request_row(chart.practice, pk_id)
    OrderRequest.objects.update(intent_at=timezone.now() - timedelta(days=4), tried_at=None)
    look_after()
    run_jobs()
    expired = row_of(pk_id)
    assert (expired["Request_Status"], expired["Checkout_Url"]) == ("expired", "")
    assert "empty Request_Status" in expired["Message"]
    read_request_row(chart.practice, pk_id)
    assert len(intents()) == 1, "an edit of something else asks for nothing"
    edit(pk_id, Request_Status="")
    read_request_row(chart.practice, pk_id)
    renewed = row_of(pk_id)
    assert renewed["Request_Status"] == READY
    assert "replaced" in renewed["Message"]
    assert len(intents()) == 2
