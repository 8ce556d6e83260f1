"""Orders from Rupa's events to the practice's Caspio tables, through real jobs and both stand-ins."""

from __future__ import annotations

import hashlib
import json
import random
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from labbridge.filing.execute import Filer
from labbridge.filing.provision import provision
from labbridge.handlers import filing, settle
from labbridge.handlers.connections import replay
from labbridge.handlers.links import UNLINKED
from labbridge.inbox.models import Event, EventState
from labbridge.mirror.models import Order, OrderedTest, Patient, Result, ResultSource, SourceState
from labbridge.mirror.results import OTHER_PATIENT
from labbridge.practices.models import Connection, Practice
from labbridge.simulators.caspio import design

pytestmark = pytest.mark.django_db(transaction=True)

PDF_TEST, OTHER_TEST = "DUTCH Complete", "DUTCH Plus"


@pytest.fixture
def work(deliver_all: Callable[[], int], run_jobs: Callable[..., None]) -> Callable[..., None]:
    def do(**how: Any) -> None:
        """Deliver all that has happened at Rupa, and let the jobs run."""
        deliver_all()
        run_jobs(**how)

    return do


def one(caspio_sim: Any, table: str) -> dict[str, Any]:
    (row,) = caspio_sim.tables()[table]
    found: dict[str, Any] = row
    return found


def states() -> Counter[str]:
    return Counter(Event.objects.filter(peer="rupa").values_list("state", flat=True))


def reasons(state: EventState) -> set[str]:
    return set(Event.objects.filter(state=state).values_list("reason", flat=True))


def content(caspio_sim: Any) -> dict[str, list[dict[str, Any]]]:
    """What Caspio holds, without what differs from run to run."""
    tables = {name: rows for name, rows in caspio_sim.tables().items() if name.startswith("Lab_")}
    return {
        name: sorted(
            ({key: value for key, value in row.items() if key not in {"PK_ID", "Synced_At"}} for row in rows),
            key=json.dumps,
        )
        for name, rows in tables.items()
    }


def change_patient(rupa_sim: Any, patient: str, **parts: str) -> None:
    store = rupa_sim.app.world.store
    with store.transaction():
        store.save("patient", {**store.need("patient", patient), **parts})


def test_a_result_that_comes_while_the_rows_are_made_is_not_filed_before_it_was_looked_at(
    practice: Any, rupa_sim: Any, caspio_sim: Any, add_patient: Any, work: Any, monkeypatch: Any
) -> None:
    order = rupa_sim.order(add_patient(1)["id"], PDF_TEST)
    rupa_sim.act(order, "result")
    work()

    def take() -> None:
        """As the job does that takes files, at that moment: a report about somebody else."""
        with transaction.atomic():
            held = Order.objects.select_for_update().get()
            Result.objects.create(
                ordered_test=held.ordered_tests.get(), version=2, as_of=timezone.now(),
                named={"first_name": "Benno", "last_name": "Elsewhere", "birthday": "1931-05-06"},
            )  # fmt: skip
        connection.close()

    taking = threading.Thread(target=take)

    def meanwhile(order: Order) -> str:
        taking.start()
        taking.join(1)
        return named(order)

    named = filing.practitioner_name
    monkeypatch.setattr(filing, "practitioner_name", meanwhile)
    filing.file_now(Order.objects.select_related("practice", "patient").get())
    taking.join(30)
    assert [one["Version"] for one in caspio_sim.tables()["Lab_Results"]] == [1]
    monkeypatch.undo()
    filing.file_now(Order.objects.select_related("practice", "patient").get())
    assert Result.objects.get(version=2).withheld
    assert [one["Version"] for one in caspio_sim.tables()["Lab_Results"]] == [1]


# -- the happy way -----------------------------------------------------------------------------------------


def test_a_whole_life(practice: Any, rupa_sim: Any, caspio_sim: Any, add_patient: Any, work: Any) -> None:
    patient = add_patient(1)
    order = rupa_sim.order(patient["id"], PDF_TEST, paid=False)
    work()
    row = one(caspio_sim, "Lab_Orders")
    assert (row["Phase"], row["Payment_Status"], row["Patient_Key"]) == (
        "awaiting_payment",
        "awaiting_patient",
        "P-1",
    )
    assert one(caspio_sim, "Lab_Order_Tests")["Result_State"] == "none"
    rupa_sim.act(order, "pay")
    rupa_sim.act(order, "result")
    work()
    row, result = one(caspio_sim, "Lab_Orders"), one(caspio_sim, "Lab_Results")
    assert (row["Phase"], row["Tests_Resulted"], row["Tests_Total"]) == ("complete", 1, 1)
    assert result["Result_PDF"]["sha256"] == result["Pdf_Sha256"]
    assert states() == {"handled": Event.objects.count()}
    caspio_sim.forget_requests()
    work()
    assert caspio_sim.requests() == [], "a repeated delivery costs no call"


def test_calls_of_a_life_are_one_write_for_each_row_that_changes(
    practice: Any, rupa_sim: Any, caspio_sim: Any, add_patient: Any, work: Any
) -> None:
    patient = add_patient(1)
    first = rupa_sim.order(patient["id"], PDF_TEST)
    work()
    assert Order.objects.get(external_id=first).filed_revision
    caspio_sim.forget_requests()
    order = rupa_sim.order(patient["id"], PDF_TEST, paid=False)
    work()
    rupa_sim.act(order, "pay")
    work()
    rupa_sim.act(order, "result")
    work()
    calls = Counter(
        f"{call['method']} {call['path'].rpartition('/tables/')[2]}" for call in caspio_sim.requests()
    )
    assert calls == {
        "POST Lab_Orders/records": 1,
        "POST Lab_Order_Tests/records": 1,
        "PUT Lab_Orders/records": 2,
        "PUT Lab_Order_Tests/records": 1,
        "POST Lab_Results/records": 1,
        "PUT Lab_Results/attachments/Result_PDF/1": 1,
    }


def test_any_order_and_any_repetition_ends_alike(
    practice: Any, rupa_sim: Any, caspio_sim: Any, add_patient: Any, deliver: Any, run_jobs: Any, work: Any
) -> None:
    patient = add_patient(1)
    order = rupa_sim.order(patient["id"], PDF_TEST, OTHER_TEST)
    rupa_sim.act(order, "result", index=0, files="pdf+hl7")
    rupa_sim.act(order, "amend", index=0)
    rupa_sim.act(order, "result", index=1)
    bodies = rupa_sim.events()
    shuffled = bodies * 3
    random.Random(7).shuffle(shuffled)
    for body in shuffled:
        deliver(body)
        run_jobs()
    ended = content(caspio_sim)
    assert [row["Version"] for row in ended["Lab_Results"] if row["Test_Name"] == PDF_TEST] == [1, 2]
    work(waiting=True)
    assert content(caspio_sim) == ended
    assert states() == {"handled": len(bodies)}
    assert len(ended["Lab_Orders"]) == 1


# -- waiting for a link --------------------------------------------------------------------------------------


def test_an_order_waits_for_its_patient_and_is_filed_when_the_id_stands_in_caspio(
    practice: Any, rupa_sim: Any, caspio_sim: Any, work: Any, run_jobs: Any, add_patient: Any
) -> None:
    add_patient(2)
    stranger = rupa_sim.patient(1)
    order = rupa_sim.order(stranger["id"], PDF_TEST)
    work()
    assert content(caspio_sim)["Lab_Orders"] == []
    assert reasons(EventState.WAITING) == {UNLINKED}
    assert Order.objects.get().filing_problem == UNLINKED
    caspio_sim.add(
        "Patients", {"Patient_ID": "P-1", "Rupa_Patient_ID": stranger["id"], "Last_Name": "Unlike"}
    )
    rupa_sim.act(order, "ship")
    work()
    assert one(caspio_sim, "Lab_Orders")["Patient_Key"] == "P-1"
    assert set(states()) == {"handled"}
    assert Order.objects.get().filing_problem == ""


def test_an_order_that_names_no_patient_says_so(
    practice: Any, caspio_sim: Any, deliver: Any, run_jobs: Any
) -> None:
    body = {
        "id": "evt_1",
        "type": "order.updated",
        "created_at": "2031-02-03T10:00:00-08:00",
        "data": {"object": {"type": "order", "id": "ord_1", "attributes": {"status": "Draft"}, "relationships": {
            "patients_practitioner": {"data": {"type": "practitioner", "id": practitioner_of(practice)}}}}},
    }  # fmt: skip
    deliver(body)
    run_jobs()
    assert reasons(EventState.WAITING) == {filing.NAMELESS}


def practitioner_of(practice: Practice) -> str:
    return str(practice.practitioners.values_list("external_id", flat=True).first())


def test_an_id_that_moves_to_another_row_takes_the_orders_along(
    practice: Any, rupa_sim: Any, caspio_sim: Any, add_patient: Any, work: Any, run_jobs: Any
) -> None:
    from labbridge.handlers.charts import read_chart
    from labbridge.practices.clients import caspio

    patient = rupa_sim.patient(1)
    keys = caspio_sim.add(
        "Patients", {"Patient_ID": "P-1", "Rupa_Patient_ID": patient["id"]}, {"Patient_ID": "P-2"}
    )
    order = rupa_sim.order(patient["id"], PDF_TEST)
    rupa_sim.act(order, "result")
    work()
    assert one(caspio_sim, "Lab_Results")["Patient_Key"] == "P-1"
    with caspio(practice, "test") as client:
        from labbridge.peers.caspio import where as q

        client.table("Patients").update(q.field("PK_ID") == keys[0], {"Rupa_Patient_ID": ""})
        read_chart(practice, client, keys[0])
        run_jobs()
        tables = caspio_sim.tables()
        assert {
            tables[name][0]["Patient_Key"] for name in ("Lab_Orders", "Lab_Order_Tests", "Lab_Results")
        } == {""}
        client.table("Patients").update(q.field("PK_ID") == keys[1], {"Rupa_Patient_ID": patient["id"]})
        read_chart(practice, client, keys[1])
    run_jobs()
    tables = caspio_sim.tables()
    assert {tables[name][0]["Patient_Key"] for name in ("Lab_Orders", "Lab_Order_Tests", "Lab_Results")} == {
        "P-2"
    }


def test_the_patient_of_an_order_may_change_at_rupa(
    practice: Any, rupa_sim: Any, caspio_sim: Any, add_patient: Any, deliver: Any, run_jobs: Any
) -> None:
    first, second = add_patient(1), add_patient(2)
    rupa_sim.order(first["id"], PDF_TEST)
    bodies = rupa_sim.events()
    for body in bodies:
        deliver(body)
    run_jobs()
    assert one(caspio_sim, "Lab_Orders")["Patient_Key"] == "P-1"
    moved = json.loads(bodies[-1].replace(first["id"].encode(), second["id"].encode()))
    moved |= {"id": "evt_moved", "created_at": timezone.now().isoformat()}
    deliver(moved)
    run_jobs()
    assert {one(caspio_sim, name)["Patient_Key"] for name in ("Lab_Orders", "Lab_Order_Tests")} == {"P-2"}
    deliver(bodies[-1] + b" ")  # older news
    run_jobs()
    assert one(caspio_sim, "Lab_Orders")["Patient_Key"] == "P-2"


def test_a_practice_may_keep_no_rupa_id_in_its_patients_table(
    practice: Any, rupa_sim: Any, caspio_sim: Any, add_patient: Any, work: Any
) -> None:
    patients = {**practice.config["caspio"]["patients"], "rupa_patient_id": ""}
    Practice.objects.update(
        config={**practice.config, "caspio": {**practice.config["caspio"], "patients": patients}}
    )
    store = caspio_sim.app.account.store
    table = design.find_table(store, "Patients")
    design.drop_field(store, table, table.field("Rupa_Patient_ID"))
    rupa_sim.order(add_patient(1)["id"], PDF_TEST)
    work()
    assert one(caspio_sim, "Lab_Orders")["Patient_Key"] == "P-1"


# -- results -------------------------------------------------------------------------------------------------


def test_a_report_about_somebody_else_waits_until_rupa_is_corrected(
    practice: Any, rupa_sim: Any, caspio_sim: Any, add_patient: Any, work: Any, run_jobs: Any
) -> None:
    patient = add_patient(1)
    order = rupa_sim.order(patient["id"], PDF_TEST)
    change_patient(rupa_sim, patient["id"], birthday="1999-09-09")
    rupa_sim.act(order, "result", files="pdf+hl7")
    change_patient(rupa_sim, patient["id"], birthday=patient["birthday"])
    work()
    assert content(caspio_sim)["Lab_Results"] == content(caspio_sim)["Lab_Result_Values"] == []
    assert one(caspio_sim, "Lab_Order_Tests")["Result_State"] == "problem"
    assert reasons(EventState.WAITING) == {OTHER_PATIENT[:300]}
    # The lab was right: both records are corrected. Rupa's correction is seen when the row's change is sent there.
    change_patient(rupa_sim, patient["id"], birthday="1999-09-09")
    from labbridge.handlers.charts import read_chart
    from labbridge.peers.caspio import where as q
    from labbridge.practices.clients import caspio

    with caspio(practice, "test") as client:
        where = q.field("PK_ID") == patient["pk_id"]
        client.table("Patients").update(where, {"Date_of_Birth": "1999-09-09T00:00:00"})
        read_chart(practice, client, patient["pk_id"])
    run_jobs()
    replay(Event.objects.filter(type="order.new_result").latest("received_at").pk)
    run_jobs()
    assert one(caspio_sim, "Lab_Results")["Patient_Key"] == "P-1"
    assert content(caspio_sim)["Lab_Result_Values"]
    assert set(states()) == {"handled"}


def test_a_file_that_is_refused_is_a_problem_until_a_good_one_comes(
    practice: Any, rupa_sim: Any, caspio_sim: Any, add_patient: Any, work: Any
) -> None:
    order = rupa_sim.order(add_patient(1)["id"], PDF_TEST)
    rupa_sim.options(file_content="empty")
    rupa_sim.act(order, "result")
    work()
    assert one(caspio_sim, "Lab_Order_Tests")["Result_State"] == "problem"
    problem = OrderedTest.objects.get().problem
    assert problem
    assert reasons(EventState.WAITING) == {problem}
    rupa_sim.options(file_content="file")
    rupa_sim.act(order, "amend")
    work()
    assert one(caspio_sim, "Lab_Order_Tests")["Result_State"] == "resulted"
    assert set(states()) == {"handled"}


def test_a_refused_file_is_asked_for_again_by_a_replay(
    practice: Any, rupa_sim: Any, caspio_sim: Any, add_patient: Any, work: Any, run_jobs: Any
) -> None:
    order = rupa_sim.order(add_patient(1)["id"], PDF_TEST)
    rupa_sim.options(file_content="empty")
    rupa_sim.act(order, "result")
    work()
    rupa_sim.options(file_content="file")
    replay(Event.objects.filter(type="order.new_result").get().pk)
    run_jobs()
    assert one(caspio_sim, "Lab_Order_Tests")["Result_State"] == "resulted"
    assert set(states()) == {"handled"}


def test_a_date_without_a_file_is_shown_and_polled(
    practice: Any, rupa_sim: Any, caspio_sim: Any, add_patient: Any, work: Any, run_jobs: Any
) -> None:
    order = rupa_sim.order(add_patient(1)["id"], PDF_TEST)
    rupa_sim.act(order, "late-file")
    work()
    assert one(caspio_sim, "Lab_Order_Tests")["Result_State"] == "received_file_pending"
    rupa_sim.act(order, "late-file", silent=True)
    run_jobs(waiting=True, rounds=2)
    assert one(caspio_sim, "Lab_Order_Tests")["Result_State"] == "resulted"


def test_an_address_that_is_over_is_asked_for_anew(
    practice: Any, rupa_sim: Any, caspio_sim: Any, add_patient: Any, work: Any
) -> None:
    rupa_sim.options(file_url_lifetime=0.001)
    order = rupa_sim.order(add_patient(1)["id"], PDF_TEST)
    rupa_sim.act(order, "result")
    rupa_sim.events()
    rupa_sim.options(file_url_lifetime=900)
    work()
    assert one(caspio_sim, "Lab_Order_Tests")["Result_State"] == "resulted"


def test_a_file_that_cannot_be_had_is_polled_and_never_given_up_silently(
    practice: Any, rupa_sim: Any, caspio_sim: Any, add_patient: Any, work: Any, run_jobs: Any
) -> None:
    rupa_sim.options(file_url_lifetime=0)
    order = rupa_sim.order(add_patient(1)["id"], PDF_TEST)
    rupa_sim.act(order, "result")
    work()
    assert one(caspio_sim, "Lab_Order_Tests")["Result_State"] == "received_file_pending"
    assert ResultSource.objects.get().state == SourceState.GONE
    assert Order.objects.get().poll_queued
    rupa_sim.options(file_url_lifetime=900)
    run_jobs(waiting=True, rounds=2)
    assert one(caspio_sim, "Lab_Order_Tests")["Result_State"] == "resulted"


def test_a_version_that_was_replaced_unseen_is_recorded_and_said(
    practice: Any, rupa_sim: Any, caspio_sim: Any, add_patient: Any, deliver: Any, run_jobs: Any
) -> None:
    rupa_sim.options(file_url_lifetime=0)
    order = rupa_sim.order(add_patient(1)["id"], PDF_TEST)
    rupa_sim.act(order, "result")
    rupa_sim.act(order, "amend")
    bodies = rupa_sim.events()
    rupa_sim.options(file_url_lifetime=900)
    for body in bodies:
        deliver(body)
    run_jobs()
    first, second = content(caspio_sim)["Lab_Results"]
    assert (first["Result_PDF"], first["Pdf_Sha256"], first["Version"]) == (None, "", 1)
    assert (second["Amended"], second["Version"]) == (True, 2)
    assert second["Result_PDF"]
    assert Result.objects.get(version=1).superseded
    assert settle.SUPERSEDED_SAID in reasons(EventState.HANDLED)


def test_amended_under_the_same_date(
    practice: Any, rupa_sim: Any, caspio_sim: Any, add_patient: Any, work: Any
) -> None:
    order = rupa_sim.order(add_patient(1)["id"], PDF_TEST)
    rupa_sim.act(order, "result")
    work()
    rupa_sim.act(order, "amend", keep_received_date=True)
    work()
    versions = content(caspio_sim)["Lab_Results"]
    assert [row["Version"] for row in versions] == [1, 2]
    assert len({row["Pdf_Sha256"] for row in versions}) == 2
    assert one(caspio_sim, "Lab_Order_Tests")["Result_State"] == "amended"


def test_values_alone_and_a_pdf_that_completes_them(
    practice: Any, rupa_sim: Any, caspio_sim: Any, add_patient: Any, work: Any
) -> None:
    order = rupa_sim.order(add_patient(1)["id"], PDF_TEST)
    rupa_sim.act(order, "result", files="hl7")
    work()
    result = one(caspio_sim, "Lab_Results")
    assert (result["Result_PDF"], result["Has_Values"]) == (None, True)
    assert all(row["Value_Text"] for row in content(caspio_sim)["Lab_Result_Values"])


# -- tests and orders that go ----------------------------------------------------------------------------------


def test_a_test_taken_off_leaves_caspio(
    practice: Any, rupa_sim: Any, caspio_sim: Any, add_patient: Any, work: Any
) -> None:
    from labbridge.simulators.rupa import orders

    order = rupa_sim.order(add_patient(1)["id"], PDF_TEST, OTHER_TEST, paid=False, submitted=False)
    work()
    assert {row["Test_Name"] for row in content(caspio_sim)["Lab_Order_Tests"]} == {PDF_TEST, OTHER_TEST}
    world = rupa_sim.app.world
    with world.store.transaction():
        held = world.store.need("order", order)
        orders.remove_test(world, held, held["ordered_tests"][0])
    work()
    assert len(content(caspio_sim)["Lab_Order_Tests"]) == 1
    assert one(caspio_sim, "Lab_Orders")["Tests_Total"] == 1


def test_a_canceled_order_changes_its_own_row_only(
    practice: Any, rupa_sim: Any, caspio_sim: Any, add_patient: Any, work: Any
) -> None:
    order = rupa_sim.order(add_patient(1)["id"], PDF_TEST, OTHER_TEST)
    rupa_sim.act(order, "result", index=0)
    work()
    before = content(caspio_sim)
    rupa_sim.act(order, "cancel")
    work()
    after = content(caspio_sim)
    assert (after["Lab_Orders"][0]["Phase"], after["Lab_Orders"][0]["Payment_Status"]) == (
        "canceled",
        "canceled",
    )
    assert {name: rows for name, rows in after.items() if name != "Lab_Orders"} == {
        name: rows for name, rows in before.items() if name != "Lab_Orders"
    }


def test_a_demo_order_is_filed_and_marked(
    practice: Any, rupa_sim: Any, caspio_sim: Any, add_patient: Any, work: Any
) -> None:
    rupa_sim.order(add_patient(1)["id"], PDF_TEST, is_demo=True)
    work()
    assert one(caspio_sim, "Lab_Orders")["Is_Demo"] is True


# -- when peers fail ----------------------------------------------------------------------------------------------


def test_rupa_away_holds_no_status_back(
    practice: Any, rupa_sim: Any, caspio_sim: Any, add_patient: Any, work: Any, run_jobs: Any
) -> None:
    add_patient(1)
    patient = add_patient(1, Patient_ID="P-9", Email="", Rupa_Patient_ID="")
    caspio_sim.add("Patients", {"Patient_ID": "P-7", "Rupa_Patient_ID": patient["id"]})
    order = rupa_sim.order(patient["id"], PDF_TEST)
    rupa_sim.act(order, "result")
    Connection.objects.filter(peer="rupa").update(state="reconnect")
    work()
    assert one(caspio_sim, "Lab_Orders")["Patient_Key"] == "P-7"
    assert one(caspio_sim, "Lab_Order_Tests")["Test_Name"] == ""
    assert set(states()) == {"received"}
    assert "labbridge rupa connect" in Order.objects.get().pull_problem
    rupa_sim.act(order, "status", status="Something New")
    work()
    assert one(caspio_sim, "Lab_Orders")["Rupa_Status"] == "Something New", (
        "status is filed while the pull waits"
    )
    Connection.objects.filter(peer="rupa").update(state="active")
    run_jobs(waiting=True, rounds=2)
    assert one(caspio_sim, "Lab_Order_Tests")["Result_State"] == "resulted"
    assert set(states()) == {"handled"}
    assert Order.objects.get().pull_problem == ""


def test_a_missing_field_in_caspio_is_named_and_mended(
    practice: Any, rupa_sim: Any, caspio_sim: Any, add_patient: Any, work: Any, run_jobs: Any
) -> None:
    store = caspio_sim.app.account.store
    table = design.find_table(store, "Lab_Order_Tests")
    design.drop_field(store, table, table.field("Result_State"))
    rupa_sim.order(add_patient(1)["id"], PDF_TEST)
    work()
    sentence = "Caspio has no field Result_State in the table Lab_Order_Tests."
    assert Order.objects.get().filing_problem.startswith(sentence)
    assert one(caspio_sim, "Lab_Orders")["Phase"] == "in_progress", "the other tables go on"
    assert set(states()) == {"received"}
    assert all(reason.startswith(sentence) for reason in reasons(EventState.RECEIVED))
    provision(practice)
    run_jobs(waiting=True, rounds=2)
    assert one(caspio_sim, "Lab_Order_Tests")["Result_State"] == "none"
    assert (set(states()), Order.objects.get().filing_problem) == ({"handled"}, "")


def test_an_event_merged_while_its_order_is_filed_is_not_settled_by_that_filing(
    practice: Any,
    rupa_sim: Any,
    caspio_sim: Any,
    add_patient: Any,
    deliver: Any,
    run_jobs: Any,
    monkeypatch: Any,
) -> None:
    order = rupa_sim.order(add_patient(1)["id"], PDF_TEST)
    for body in rupa_sim.events():
        deliver(body)
    rupa_sim.act(order, "status", status="Later")
    late = rupa_sim.events()[-1]
    filed = Filer.file
    seen: list[str] = []

    def file_with_news(self: Filer, *given: Any, **how: Any) -> Any:
        if not seen:
            seen.append("once")
            deliver(late)
            from labbridge.handlers.jobs import handle_event

            handle_event(event_id=str(Event.objects.latest("received_at").pk))
            result = filed(self, *given, **how)
            monkeypatch.setattr(filing, "_settle_events", lambda held: seen.append("settled"))
            return result
        monkeypatch.undo()
        return filed(self, *given, **how)

    monkeypatch.setattr(Filer, "file", file_with_news)
    run_jobs()
    assert seen == ["once"]
    assert one(caspio_sim, "Lab_Orders")["Rupa_Status"] == "Later"
    assert set(states()) == {"handled"}


def test_an_event_that_contradicts_another_order_is_kept_apart(
    practice: Any, rupa_sim: Any, caspio_sim: Any, add_patient: Any, deliver: Any, run_jobs: Any, work: Any
) -> None:
    order = rupa_sim.order(add_patient(1)["id"], PDF_TEST)
    work()
    other = json.loads(rupa_sim.events()[-1].replace(order.encode(), b"ord_other"))
    deliver({**other, "id": "evt_other"})
    run_jobs()
    (reason,) = reasons(EventState.QUARANTINED)
    assert "in two orders" in reason
    assert len(content(caspio_sim)["Lab_Orders"]) == 1


def test_an_event_without_a_readable_order_is_quarantined(practice: Any, deliver: Any, run_jobs: Any) -> None:
    deliver({"id": "e1", "type": "order.updated", "data": {"object": {"type": "order", "id": "o" * 65}}})
    deliver({"id": "e2", "type": "order.updated", "data": {}})
    deliver({"id": "e3", "type": "order.updated", "data": {"object": {"type": "order", "id": "ord_1"}}})
    deliver({"id": "e4", "type": "some.thing", "data": {}})
    run_jobs()
    found = dict(Event.objects.values_list("external_id", "state"))
    assert found == {"e1": "quarantined", "e2": "quarantined", "e3": "quarantined", "e4": "handled"}


def test_who_a_patient_is_is_read_when_the_event_told_only_half(
    practice: Any, rupa_sim: Any, caspio_sim: Any, add_patient: Any, deliver: Any, run_jobs: Any
) -> None:
    patient = add_patient(1)
    rupa_sim.order(patient["id"], PDF_TEST)
    body = json.loads(rupa_sim.events()[-1])
    half = {"type": "patient", "id": patient["id"], "attributes": {"first_name": patient["first_name"]}}
    body["data"]["included"].append(half)
    deliver(body)
    run_jobs()
    assert one(caspio_sim, "Lab_Orders")["Patient_Key"] == "P-1"
    assert not Patient.objects.get().unread


def test_a_patient_that_rupa_does_not_know_waits_for_the_id(
    practice: Any, rupa_sim: Any, caspio_sim: Any, add_patient: Any, deliver: Any, run_jobs: Any
) -> None:
    patient = add_patient(1)
    rupa_sim.order(patient["id"], PDF_TEST)
    body = rupa_sim.events()[-1].replace(patient["id"].encode(), b"pat_gone")
    deliver(body)
    run_jobs()
    assert reasons(EventState.WAITING) == {UNLINKED}
    assert not Patient.objects.get().unread


def test_a_stored_pdf_is_byte_for_byte_what_rupa_served(
    practice: Any, rupa_sim: Any, caspio_sim: Any, add_patient: Any, work: Any
) -> None:
    order = rupa_sim.order(add_patient(1)["id"], PDF_TEST)
    told = rupa_sim.act(order, "result")
    work()
    assert one(caspio_sim, "Lab_Results")["Pdf_Sha256"] == told["tests"][0]["versions"][0]["pdf"]["sha256"]
    with transaction.atomic():
        stored = bytes(Result.objects.get().pdf.content)  # type: ignore[union-attr]  # there is one
    assert hashlib.sha256(stored).hexdigest() == told["tests"][0]["versions"][0]["pdf"]["sha256"]
