"""Sweeps: what was lost, deleted or edited is found and set right by filing; what is right costs no write."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from labbridge.catalog.filing import file_catalog
from labbridge.catalog.sync import pull_catalog
from labbridge.filing.models import FiledRow
from labbridge.handlers import jobs
from labbridge.handlers.patients import request_lock
from labbridge.inbox.models import Event, EventState
from labbridge.mirror.models import Order, RowTouch
from labbridge.peers.caspio.table import Table
from labbridge.practices.models import CallCount, Practice
from labbridge.reconcile.depth import ASKED, DAILY, FULL, HOURLY
from labbridge.reconcile.models import Listed, Repair, Sweep
from labbridge.reconcile.requests import RequestComparison
from labbridge.reconcile.sweep import look
from labbridge.simulators.caspio import design

pytestmark = pytest.mark.django_db(transaction=True)

PDF_TEST = "DUTCH Complete"
LAB_TABLES = ("Lab_Orders", "Lab_Order_Tests", "Lab_Results")


@pytest.fixture
def filed(practice: Practice, rupa_sim: Any, add_patient: Any, deliver_all: Any, run_jobs: Any) -> str:
    """One order with its result, all in Caspio as it should be."""
    order: str = rupa_sim.order(add_patient(1)["id"], PDF_TEST)
    rupa_sim.act(order, "result")
    deliver_all()
    run_jobs()
    return order


def change_row(caspio_sim: Any, table: str, **values: Any) -> None:
    """As somebody does it by hand in Caspio: every row of the table."""
    from labbridge.simulators.caspio import design, records

    account = caspio_sim.app.account
    found = design.find_table(account.store, table)
    for row in caspio_sim.tables()[table]:
        records.update(account, found, f"PK_ID={row['PK_ID']}", values, source=None)


def delete_rows(caspio_sim: Any, table: str) -> None:
    from labbridge.simulators.caspio import design, records

    records.delete(
        caspio_sim.app.account, design.find_table(caspio_sim.app.account.store, table), "PK_ID>0", source=None
    )


def writes(caspio_sim: Any) -> list[dict[str, Any]]:
    return [one for one in caspio_sim.requests() if one["method"] != "GET" and "oauth" not in one["path"]]


def test_what_is_right_needs_no_repair_and_no_write(filed: str, sweep: Any, caspio_sim: Any) -> None:
    caspio_sim.forget_requests()
    report = sweep()
    assert report.all_right, report.summary()
    assert writes(caspio_sim) == []
    entry = report.entry
    assert [entry[name] for name in ("listed", "held", "filed", "in_review", "rejected")] == [1, 1, 1, 0, 0]
    assert (entry["repaired"], entry["difference"]) == (0, 0)
    assert entry["results"]["filed"] == 1
    assert sweep().counts["unchanged"] == 1


def test_orders_and_results_whose_events_never_came(
    practice: Practice, rupa_sim: Any, caspio_sim: Any, add_patient: Any, sweep: Any
) -> None:
    patient = add_patient(1)
    order = rupa_sim.order(patient["id"], PDF_TEST)
    report = sweep()
    assert (report.counts["missed"], report.entry["repaired"], report.entry["difference"]) == (1, 1, 0)
    rupa_sim.act(order, "result")
    report = sweep()
    assert (report.counts["changed"], report.entry["repairs"]) == (1, {"order_changed": 1})
    tables = caspio_sim.tables()
    assert tables["Lab_Orders"][0]["Phase"] == "complete"
    assert tables["Lab_Results"][0]["Result_PDF"]["size"] > 0
    assert report.all_right, report.summary()
    assert sweep().entry["repaired"] == 0


def test_a_dry_run_writes_nothing_anywhere(
    practice: Practice, filed: str, rupa_sim: Any, caspio_sim: Any, add_patient: Any
) -> None:
    rupa_sim.order(add_patient(2)["id"], PDF_TEST)
    delete_rows(caspio_sim, "Lab_Order_Tests")
    caspio_sim.forget_requests()
    before = list(FiledRow.objects.order_by("pk").values())
    report = look(practice, ASKED)
    assert any(line.startswith("order_missed ord_") for line in report.differences)
    assert any(line.startswith("row_deleted lab_order_tests:") for line in report.differences)
    assert writes(caspio_sim) == []
    assert list(FiledRow.objects.order_by("pk").values()) == before
    assert Order.objects.count() == 1
    assert not any(model.objects.exists() for model in (Listed, Sweep, Repair))


def test_a_dry_run_of_what_is_right_tells_of_no_difference(practice: Practice, filed: str) -> None:
    report = look(practice, ASKED)
    assert (report.differences, report.left, report.stopped) == ([], [], False)


def test_deleted_rows_come_back_as_they_were(filed: str, sweep: Any, caspio_sim: Any) -> None:
    before = caspio_sim.tables()
    for table in LAB_TABLES:
        delete_rows(caspio_sim, table)
    report = sweep()
    assert report.entry["repairs"] == {"row_deleted": 3}
    assert report.all_right, report.summary()
    after = caspio_sim.tables()
    for table in LAB_TABLES:
        assert [_content(row) for row in after[table]] == [_content(row) for row in before[table]]


def _content(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in {"PK_ID", "Synced_At"}}


def test_an_edited_row_is_set_right_with_one_write(filed: str, sweep: Any, caspio_sim: Any) -> None:
    change_row(caspio_sim, "Lab_Results", Patient_Key="P-999", Test_Name="Another")
    caspio_sim.forget_requests()
    report = sweep()
    assert report.entry["repairs"] == {"row_edited": 1}
    (row,) = caspio_sim.tables()["Lab_Results"]
    assert (row["Patient_Key"], row["Test_Name"]) == ("P-1", PDF_TEST)
    assert len(writes(caspio_sim)) == 1


def test_what_the_practice_owns_is_no_difference(filed: str, sweep: Any, caspio_sim: Any) -> None:
    change_row(
        caspio_sim,
        "Lab_Results",
        Review_Status="reviewed",
        Reviewed_By="Ada",
        Reviewed_At="2026-01-05T10:00:00",
    )
    caspio_sim.add("Lab_Orders", {"Rupa_Order_ID": "made by hand", "Phase": "draft"})
    assert sweep().entry["repaired"] == 0
    (row,) = caspio_sim.tables()["Lab_Results"]
    assert row["Review_Status"] == "reviewed"


def test_a_changed_key_is_restored_and_no_second_row_is_made(filed: str, sweep: Any, caspio_sim: Any) -> None:
    change_row(caspio_sim, "Lab_Orders", Rupa_Order_ID="ord_other")
    assert sweep().entry["repairs"] == {"row_edited": 1}
    (row,) = caspio_sim.tables()["Lab_Orders"]
    assert row["Rupa_Order_ID"] == filed


def test_a_file_that_was_taken_away_comes_back(filed: str, sweep: Any, caspio_sim: Any) -> None:
    (row,) = caspio_sim.tables()["Lab_Results"]
    with caspio_sim.app.account.store.transaction() as db:
        db.execute("DELETE FROM attachments WHERE pk = ?", (row["PK_ID"],))
    assert sweep().entry["repairs"] == {"file_gone": 1}
    assert caspio_sim.tables()["Lab_Results"][0]["Result_PDF"] == row["Result_PDF"]


class TestMovedRows:
    """Results whose rows have other PK_IDs than those that they were filed under: files are sent by PK_ID."""

    @pytest.fixture
    def two(self, filed: str, rupa_sim: Any, deliver_all: Any, run_jobs: Any) -> None:
        patient = Order.objects.values_list("patient__external_id", flat=True).get(external_id=filed)
        other = rupa_sim.order(patient, PDF_TEST)
        rupa_sim.act(other, "result")
        deliver_all()
        run_jobs()

    @pytest.mark.parametrize(
        ("files", "per_page"), [("gone", 1), ("with their rows", 1000), ("with the former rows", 1000)]
    )
    def test_a_restored_table_counts_anew(
        self, two: None, sweep: Any, caspio_sim: Any, monkeypatch: Any, files: str, per_page: int
    ) -> None:
        monkeypatch.setattr(Table, "MAX_PAGE_SIZE", per_page)
        monkeypatch.setitem(Table.iterate.__kwdefaults__, "page_size", per_page)
        before = reports(caspio_sim)
        store = caspio_sim.app.account.store
        with store.transaction() as db:
            exchange(db, design.find_table(store, "Lab_Results").rows, "PK_ID")
            if files == "gone":
                db.execute("DELETE FROM attachments")
            elif files == "with their rows":
                exchange(db, "attachments", "pk")
        caspio_sim.forget_requests()
        assert sweep(force=True).entry["repairs"] == {"row_edited": 2}
        assert reports(caspio_sim) == before
        assert len(writes(caspio_sim)) == (0 if files == "with their rows" else 2)
        held = dict(FiledRow.objects.filter(table="lab_results").values_list("key", "pk_id"))
        assert held == {row["Result_Key"]: row["PK_ID"] for row in caspio_sim.tables()["Lab_Results"]}
        assert sweep().entry["repaired"] == 0

    def test_an_imported_row_gets_its_file(self, two: None, sweep: Any, caspio_sim: Any) -> None:
        before, rows = reports(caspio_sim), caspio_sim.tables()["Lab_Results"]
        delete_rows(caspio_sim, "Lab_Results")
        own = {"PK_ID", "Result_PDF"}
        caspio_sim.add(
            "Lab_Results", *({name: row[name] for name in row if name not in own} for row in reversed(rows))
        )
        assert sweep(force=True).entry["repairs"] == {"row_edited": 2}
        assert reports(caspio_sim) == before


def reports(caspio_sim: Any) -> dict[str, Any]:
    """Each result's file, by the result."""
    found = {row["Result_Key"]: row["Result_PDF"] for row in caspio_sim.tables()["Lab_Results"]}
    assert all(one and one["name"].startswith(key) for key, one in found.items()), found
    return found


def exchange(db: Any, table: str, column: str) -> None:
    """The first key becomes the last one."""
    first, last = db.execute(f"SELECT MIN({column}), MAX({column}) FROM {table}").fetchone()
    db.execute(f"UPDATE {table} SET {column} = -{column}")
    db.execute(f"UPDATE {table} SET {column} = {column} + {first + last}")


def test_an_amended_file_behind_the_same_address_and_date(
    filed: str, sweep: Any, caspio_sim: Any, rupa_sim: Any, deliver_all: Any, run_jobs: Any
) -> None:
    """Only its hash tells: nothing that Rupa lists has changed."""
    replace_file(rupa_sim)
    assert sweep(HOURLY).entry["repaired"] == 0, "by the hour no file is fetched"
    report = sweep()
    assert report.entry["repairs"] == {"result_amended": 1}
    versions = caspio_sim.tables()["Lab_Results"]
    assert [row["Version"] for row in versions] == [1, 2]
    assert versions[1]["Amended"]
    assert sweep(FULL).entry["repaired"] == 0


def replace_file(rupa_sim: Any) -> None:
    """Put another PDF behind the one address that the order shows."""
    from labbridge.simulators.rupa import result_pdf, results
    from labbridge.simulators.rupa.orders import ordered_tests

    world = rupa_sim.app.world
    with world.store.transaction():
        (order,) = world.store.many("order")
        (test,) = ordered_tests(world, order)
        content = result_pdf.render(results.report(world, order, test, 2))
        world.store.add_file(test["pdf"], "application/pdf", content)


def test_an_amended_result_that_no_event_told_of(
    filed: str, sweep: Any, caspio_sim: Any, rupa_sim: Any
) -> None:
    rupa_sim.act(filed, "amend", keep_received_date=True)
    assert sweep().entry["repaired"] == 1
    assert [row["Version"] for row in caspio_sim.tables()["Lab_Results"]] == [1, 2]


def test_patients_that_an_import_brought_are_linked(
    practice: Practice, rupa_sim: Any, caspio_sim: Any, sweep: Any
) -> None:
    stranger = rupa_sim.patient(1)
    rupa_sim.order(stranger["id"], PDF_TEST)
    report = sweep()
    assert (report.entry["in_review"], report.entry["difference"], report.all_right) == (1, 0, False)
    caspio_sim.add("Patients", {"Patient_ID": "P-1", "Rupa_Patient_ID": stranger["id"]})
    report = sweep()
    assert (report.counts["patients_new"], report.entry["in_review"], report.entry["filed"]) == (1, 0, 1)
    assert caspio_sim.tables()["Lab_Orders"][0]["Patient_Key"] == "P-1"


def test_events_and_orders_that_no_job_stands_for(
    practice: Practice,
    rupa_sim: Any,
    caspio_sim: Any,
    add_patient: Any,
    deliver_all: Any,
    sweep: Any,
    monkeypatch: Any,
) -> None:
    from labbridge.reconcile import stuck

    monkeypatch.setattr(stuck, "SETTLED", stuck.timedelta(0))
    rupa_sim.order(add_patient(1)["id"], PDF_TEST)
    count = deliver_all()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")
    RowTouch.objects.create(practice=practice, pk_id=77, queued=True)
    report = sweep()
    assert report.entry["repairs"]["event_stuck"] == count
    assert report.entry["repairs"]["job_missing"] == 1
    assert not RowTouch.objects.filter(queued=True).exists()
    assert set(Event.objects.values_list("state", flat=True)) == {EventState.HANDLED}
    assert report.all_right, report.summary()


def test_a_request_whose_message_was_missed_is_read_and_answered(
    practice: Practice, caspio_sim: Any, sweep: Any
) -> None:
    caspio_sim.add("Lab_Order_Requests", {"Patient_Key": "P-none", "Test_IDs": "x"})
    (row,) = caspio_sim.tables()["Lab_Order_Requests"]
    assert f"request_missed row:{row['PK_ID']}" in look(practice, ASKED).differences
    report = sweep()
    assert (report.counts["requests_missed"], report.entry["repairs"]) == (1, {"request_missed": 1})
    (row,) = caspio_sim.tables()["Lab_Order_Requests"]
    assert row["Request_Status"]
    assert row["Message"]
    report = sweep()
    assert (report.counts["requests_missed"], report.entry["repairs"]) == (0, {})


def test_a_request_whose_message_has_come_meanwhile_is_no_repair(practice: Practice, caspio_sim: Any) -> None:
    caspio_sim.add("Lab_Order_Requests", {"Patient_Key": "P-none", "Test_IDs": "x"})
    found = RequestComparison(practice)
    found.read()
    (pk_id,) = found.unanswered
    jobs.answer_request_row.defer(
        lock=request_lock(practice, pk_id), practice_id=str(practice.pk), pk_id=pk_id
    )
    assert found.waiting() == []


def test_an_order_whose_filing_had_given_up_is_filed_and_its_events_come_to_rest(
    practice: Practice,
    filed: str,
    rupa_sim: Any,
    caspio_sim: Any,
    deliver_all: Any,
    run_jobs: Any,
    sweep: Any,
) -> None:
    Order.objects.update(revision=99, filing_problem="Caspio was away.")
    Event.objects.update(state=EventState.DEAD, reason="Caspio was away.")
    report = sweep()
    assert (report.entry["filed"], report.entry["repaired"]) == (1, 0)
    assert set(Event.objects.values_list("state", flat=True)) == {EventState.HANDLED}


def test_calls_are_bounded_and_metered(
    practice: Practice, filed: str, sweep: Any, caspio_sim: Any, rupa_sim: Any
) -> None:
    sweep()
    caspio_sim.forget_requests()
    rupa_sim.forget_requests()
    report = sweep(HOURLY)
    made = [one for one in [*caspio_sim.requests(), *rupa_sim.requests()] if "oauth" not in one["path"]]
    assert report.counts["calls"] == len(made) == 5, (
        "one page each of requests, patients, orders and filed rows, and whether the result was reviewed in Caspio"
    )
    assert CallCount.objects.filter(purpose="sweep").exists()


def test_shares_of_rows_cover_all_tables_in_turn(filed: str, sweep: Any, caspio_sim: Any) -> None:
    delete_rows(caspio_sim, "Lab_Results")
    repaired = sum(sweep(HOURLY).entry["repaired"] for _ in range(6))
    assert repaired == 1


def test_open_orders_are_compared_whole_each_day(
    practice: Practice,
    rupa_sim: Any,
    caspio_sim: Any,
    add_patient: Any,
    deliver_all: Any,
    run_jobs: Any,
    sweep: Any,
) -> None:
    rupa_sim.order(add_patient(1)["id"], PDF_TEST)
    deliver_all()
    run_jobs()
    sweep()
    delete_rows(caspio_sim, "Lab_Order_Tests")
    change_row(caspio_sim, "Lab_Orders", Phase="complete")
    assert sweep(DAILY).entry["repairs"] == {"row_deleted": 1, "row_edited": 1}


def test_an_awaited_file_is_looked_for_again_though_its_job_is_gone(
    practice: Practice, rupa_sim: Any, add_patient: Any, sweep: Any
) -> None:
    order = rupa_sim.order(add_patient(1)["id"], PDF_TEST)
    rupa_sim.act(order, "late-file")
    entry = sweep().entry
    assert (entry["filed"], entry["results"]["awaiting_file"], entry["difference"]) == (1, 1, 0)
    assert Order.objects.get().poll_queued
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")
    assert sweep().entry["repairs"] == {"job_missing": 1}
    assert sweep().entry["repaired"] == 0


def test_rows_of_the_catalogue_come_back_too(practice: Practice, sweep: Any, caspio_sim: Any) -> None:
    pull_catalog(practice)
    file_catalog(practice)
    before = caspio_sim.tables()["Lab_Companies"]
    change_row(caspio_sim, "Lab_Companies", Name="Another")
    report = sweep(force=True)
    assert report.entry["repairs"] == {"row_edited": len(before)}
    assert [_content(row) for row in caspio_sim.tables()["Lab_Companies"]] == [
        _content(row) for row in before
    ]


def test_a_patients_table_that_cannot_be_read_keeps_nothing_else_back(
    practice: Practice, filed: str, sweep: Any, caspio_sim: Any
) -> None:
    delete_rows(caspio_sim, "Lab_Orders")
    config = {**practice.config, "caspio": {**practice.config["caspio"]}}
    config["caspio"]["patients"] = {**config["caspio"]["patients"], "phone": "No_Such_Field"}
    Practice.objects.update(config=config)
    practice.refresh_from_db()
    report = sweep()
    assert "The patients table cannot be read" in report.left[0]
    assert (report.entry["repairs"], report.entry["filed"]) == ({"row_deleted": 1}, 1)
