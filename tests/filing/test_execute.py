"""Filing against the Caspio stand-in over real HTTP: what is sent, what is not, and what a lost answer leads to."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from labbridge.filing.execute import Filer, FilingProblem, changed_only
from labbridge.filing.models import FiledRow, RowState
from labbridge.filing.rows import REMOVED, UNREVIEWED, Attachment, FileRemoved, Row
from labbridge.peers.caspio import Caspio
from labbridge.peers.caspio import where as q
from labbridge.peers.errors import OutcomeUnknown, RateLimited, Unavailable
from labbridge.practices.apply import config_of
from labbridge.practices.models import Practice
from labbridge.simulators.caspio import design

pytestmark = pytest.mark.django_db

GROUP = "order:test"
PDF = b"%PDF-1.7 invented"


@pytest.fixture
def file(willow: Practice, client: Caspio, caspio_sim: Any) -> Callable[..., list[str]]:
    def run(*rows: Row, group: str = GROUP, **how: Any) -> list[str]:
        """File these rows and tell the calls that it took."""
        caspio_sim.forget_requests()
        Filer(willow, config_of(willow), client).file(rows, group, **how)
        return calls(caspio_sim)

    return run


def calls(caspio_sim: Any) -> list[str]:
    return [f"{one['method']} {one['path'].rpartition('/tables/')[2]}" for one in caspio_sim.requests()]


def order(key: str = "ord_1", **values: Any) -> Row:
    return Row(
        "lab_orders",
        key,
        {"Patient_Key": "P-1", "Phase": "draft", "Is_Demo": False, "Tests_Total": 1, **values},
    )


def result(content: bytes = PDF, key: str = "t-v1", **values: Any) -> Row:
    sha256 = hashlib.sha256(content).hexdigest()
    attachment = Attachment("Result_PDF", sha256, f"{key}-{sha256[:12]}.pdf", lambda: content)
    held = {"Patient_Key": "P-1", "Version": 1, "Pdf_Sha256": sha256, **values}
    return Row("lab_results", key, held, attachment, dict(UNREVIEWED))


def row_of(caspio_sim: Any, table: str = "Lab_Orders") -> dict[str, Any]:
    (row,) = caspio_sim.tables()[table]
    found: dict[str, Any] = row
    return found


def drop_field(caspio_sim: Any, table: str, field: str) -> None:
    found = design.find_table(caspio_sim.app.account.store, table)
    design.drop_field(caspio_sim.app.account.store, found, found.field(field))


# -- one write per row that changes ------------------------------------------------------------------------


def test_new_changed_and_unchanged(file: Any, caspio_sim: Any) -> None:
    assert file(order()) == ["POST Lab_Orders/records"]
    assert file(order()) == []
    assert file(order(Phase="complete")) == ["PUT Lab_Orders/records"]
    held = row_of(caspio_sim)
    assert (held["Rupa_Order_ID"], held["Phase"], held["Patient_Key"]) == ("ord_1", "complete", "P-1")
    assert held["Synced_At"]


def test_only_changed_fields_are_sent(file: Any, client: Caspio, caspio_sim: Any) -> None:
    file(order())
    client.table("Lab_Orders").update(q.field("Rupa_Order_ID") == "ord_1", {"Payer": "kept"})
    file(order(Phase="complete"))
    assert row_of(caspio_sim)["Payer"] == "kept"


def test_a_file_follows_its_row_once(file: Any, caspio_sim: Any) -> None:
    assert file(result()) == ["POST Lab_Results/records", "PUT Lab_Results/attachments/Result_PDF/1"]
    assert file(result()) == []
    held = row_of(caspio_sim, "Lab_Results")
    assert held["Result_PDF"]["sha256"] == held["Pdf_Sha256"] == hashlib.sha256(PDF).hexdigest()
    assert held["Review_Status"] == "unreviewed"


def test_another_file_under_the_same_key_resets_the_review(
    file: Any, client: Caspio, caspio_sim: Any
) -> None:
    file(result())
    reviewed = {"Review_Status": "reviewed", "Reviewed_By": "Ada", "Reviewed_At": "2031-02-03T10:00:00"}
    client.table("Lab_Results").update(q.field("Result_Key") == "t-v1", reviewed)
    file(result(Patient_Key="P-2"))
    assert row_of(caspio_sim, "Lab_Results")["Review_Status"] == "reviewed"
    assert file(result(b"%PDF-1.7 other")) == [
        "PUT Lab_Results/records",
        "PUT Lab_Results/attachments/Result_PDF/1",
    ]
    held = row_of(caspio_sim, "Lab_Results")
    assert (held["Review_Status"], held["Reviewed_By"], held["Reviewed_At"]) == ("unreviewed", "", None)
    assert held["Result_PDF"]["sha256"] == held["Pdf_Sha256"]


def test_what_would_cost_a_call_is_known_beforehand(file: Any, willow: Practice) -> None:
    file(order("a"), order("b"))
    changed = changed_only(willow, [order("a"), order("b", Phase="complete"), order("c")], GROUP)
    assert [row.key for row in changed] == ["b", "c"]


def test_rows_of_no_group_are_found_by_their_keys(file: Any, caspio_sim: Any) -> None:
    file(order("a"), order("b"), group="")
    assert file(order("a"), group="") == []
    assert (
        len(caspio_sim.tables()["Lab_Orders"]) == 2
    )  # leaving one out of a plan without a group removes nothing


# -- rows that are no longer planned -----------------------------------------------------------------------


def test_a_row_that_is_no_longer_planned_is_taken_away(file: Any, caspio_sim: Any) -> None:
    file(order("a"), order("b"))
    assert file(order("a")) == ["DELETE Lab_Orders/records"]
    assert row_of(caspio_sim)["Rupa_Order_ID"] == "a"
    assert file(order("a")) == []
    assert file(order("a"), order("b")) == ["POST Lab_Orders/records"]


def test_rows_of_other_groups_are_left_alone(file: Any, caspio_sim: Any) -> None:
    file(order("a"), group="order:1")
    file(order("b"), group="order:2")
    assert len(caspio_sim.tables()["Lab_Orders"]) == 2


def test_a_removal_whose_answer_was_lost_is_done_once_more(file: Any, caspio_sim: Any) -> None:
    file(order("a"), order("b"))
    caspio_sim.fault("error_after", match={"method": "DELETE"}, times=1)
    with pytest.raises(OutcomeUnknown):
        file(order("a"))
    assert file(order("a")) == ["DELETE Lab_Orders/records"]
    assert not FiledRow.objects.filter(key="b").exists()


def test_without_a_chart_no_row_is_made_and_known_ones_are_kept_up_to_date(
    file: Any, caspio_sim: Any
) -> None:
    assert file(order(), create=False) == []
    file(order())
    assert file(order(Patient_Key=""), create=False) == ["PUT Lab_Orders/records"]
    assert row_of(caspio_sim)["Patient_Key"] == ""
    assert file(order(Patient_Key=""), replace(order("b"), create=False)) == []


def test_a_row_that_is_not_to_be_made_anew_is_let_go(file: Any, client: Caspio, caspio_sim: Any) -> None:
    file(order())
    client.table("Lab_Orders").delete(q.field("Rupa_Order_ID") == "ord_1")
    assert file(order(Phase="complete"), create=False) == ["PUT Lab_Orders/records"]
    assert file(order(Phase="complete"), create=False) == []
    assert not FiledRow.objects.exists()
    assert caspio_sim.tables()["Lab_Orders"] == []


# -- rows that are not as the ledger says ------------------------------------------------------------------


def test_a_row_deleted_in_caspio_comes_back_with_its_file(file: Any, client: Caspio, caspio_sim: Any) -> None:
    file(result())
    client.table("Lab_Results").delete(q.field("Result_Key") == "t-v1")
    assert file(result(Patient_Key="P-2")) == [
        "PUT Lab_Results/records",
        "POST Lab_Results/records",
        "PUT Lab_Results/attachments/Result_PDF/2",
    ]
    held = row_of(caspio_sim, "Lab_Results")
    assert (held["Patient_Key"], held["Version"], held["Result_PDF"]["size"]) == ("P-2", 1, len(PDF))
    assert FiledRow.objects.get().recreated == 1


def test_a_row_deleted_before_its_file_came(file: Any, client: Caspio, caspio_sim: Any) -> None:
    caspio_sim.fault("unavailable", match={"path": "attachments"}, times=9)
    with pytest.raises(OutcomeUnknown):
        file(result())
    caspio_sim.heal()
    client.table("Lab_Results").delete(q.field("Result_Key") == "t-v1")
    file(result())
    assert row_of(caspio_sim, "Lab_Results")["Result_PDF"]["size"] == len(PDF)


def test_a_row_that_the_ledger_does_not_know_is_adopted(file: Any, client: Caspio, caspio_sim: Any) -> None:
    file(result())
    FiledRow.objects.all().delete()  # as after the loss of our database
    assert file(result(Patient_Key="P-2")) == [
        "POST Lab_Results/records",
        "GET Lab_Results/records",
        "PUT Lab_Results/records",
        "GET Lab_Results/attachments/Result_PDF/fileInfo",
    ]
    assert row_of(caspio_sim, "Lab_Results")["Patient_Key"] == "P-2"
    assert file(result(Patient_Key="P-2")) == []


def test_an_adopted_row_without_its_file_gets_it(file: Any, client: Caspio, caspio_sim: Any) -> None:
    client.table("Lab_Results").insert({"Result_Key": "t-v1"})
    file(result())
    assert row_of(caspio_sim, "Lab_Results")["Result_PDF"]["size"] == len(PDF)


# -- lost answers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["error_after", "reset_after", "garbage"])
def test_an_insert_whose_answer_was_lost_is_looked_up(file: Any, caspio_sim: Any, fault: str) -> None:
    caspio_sim.fault(fault, match={"method": "POST", "path": "records"}, times=1)
    with pytest.raises(OutcomeUnknown):
        file(order())
    assert FiledRow.objects.get().state == RowState.UNKNOWN
    assert file(order())[0] == "GET Lab_Orders/records"
    assert row_of(caspio_sim)["Phase"] == "draft"
    assert file(order()) == []


def test_an_insert_that_was_not_done_is_done_after_the_look(file: Any, caspio_sim: Any) -> None:
    caspio_sim.fault("error_before", match={"method": "POST", "path": "records"}, times=1)
    with pytest.raises(OutcomeUnknown):
        file(order())
    assert file(order()) == ["GET Lab_Orders/records", "POST Lab_Orders/records"]


def test_an_update_whose_answer_was_lost_is_looked_up(file: Any, caspio_sim: Any) -> None:
    file(order())
    caspio_sim.fault("error_after", match={"method": "PUT"}, times=1)
    with pytest.raises(OutcomeUnknown):
        file(order(Phase="complete"))
    assert file(order(Phase="complete")) == ["GET Lab_Orders/records"]


def test_an_update_that_was_not_done_is_done_after_the_look(file: Any, caspio_sim: Any) -> None:
    file(order())
    caspio_sim.fault("error_before", match={"method": "PUT"}, times=1)
    with pytest.raises(OutcomeUnknown):
        file(order(Phase="complete"))
    assert file(order(Phase="complete")) == ["GET Lab_Orders/records", "PUT Lab_Orders/records"]
    assert row_of(caspio_sim)["Phase"] == "complete"


def test_an_upload_whose_answer_was_lost_is_not_sent_twice(file: Any, caspio_sim: Any) -> None:
    caspio_sim.fault("error_after", match={"method": "PUT", "path": "attachments"}, times=1)
    with pytest.raises(OutcomeUnknown):
        file(result())
    assert file(result()) == ["GET Lab_Results/attachments/Result_PDF/fileInfo"]
    assert file(result()) == []


def test_an_upload_that_did_not_arrive_is_sent_again(file: Any, caspio_sim: Any) -> None:
    caspio_sim.fault("error_before", match={"method": "PUT", "path": "attachments"}, times=1)
    with pytest.raises(OutcomeUnknown):
        file(result())
    assert file(result())[-1] == "PUT Lab_Results/attachments/Result_PDF/1"
    assert row_of(caspio_sim, "Lab_Results")["Result_PDF"]["size"] == len(PDF)


def test_a_version_that_lost_its_place_takes_its_file_along(file: Any, caspio_sim: Any) -> None:
    """An older version without a PDF is heard of late: the newer one's file leaves the first place."""
    file(result())
    older = replace(result(Pdf_Sha256=""), attachment=None)
    taken_off = ["PUT Lab_Results/records", "DELETE Lab_Results/attachments/Result_PDF"]
    caspio_sim.fault("error_after", match={"method": "DELETE"}, times=1)
    with pytest.raises(OutcomeUnknown):
        file(older)
    assert calls(caspio_sim) == taken_off
    assert file(older) == taken_off[1:]
    assert row_of(caspio_sim, "Lab_Results")["Result_PDF"] is None
    assert file(older) == []


def test_a_lost_upload_is_not_forgotten_when_the_former_file_is_wanted_again(
    file: Any, caspio_sim: Any
) -> None:
    file(result())
    caspio_sim.fault("error_after", match={"method": "PUT", "path": "attachments"}, times=1)
    with pytest.raises(OutcomeUnknown):
        file(result(PDF + b"other"))
    file(result())
    assert row_of(caspio_sim, "Lab_Results")["Result_PDF"]["sha256"] == hashlib.sha256(PDF).hexdigest()


@pytest.mark.parametrize("state", [RowState.INTENDED, RowState.UNKNOWN])
def test_a_process_that_died_before_or_after_the_call(file: Any, state: RowState) -> None:
    file(order("a"), order("b"))
    FiledRow.objects.filter(key="a").update(state=state)
    FiledRow.objects.filter(key="b").update(state=state, fields={})
    assert file(order("a"), order("b")) == ["GET Lab_Orders/records"] * 2


def test_a_lost_row_that_is_not_to_be_made_anew_is_let_go(file: Any, willow: Practice) -> None:
    FiledRow.objects.create(
        practice=willow,
        table="lab_orders",
        key="ord_1",
        group=GROUP,
        state=RowState.UNKNOWN,
        intended={"Phase": "x"},
    )
    assert file(order(), create=False) == ["GET Lab_Orders/records"]
    assert not FiledRow.objects.exists()


def test_a_call_that_wrote_nothing_leaves_the_ledger_as_it_was(file: Any, caspio_sim: Any) -> None:
    caspio_sim.fault("rate_limit", match={"path": "records"}, retry_after=60)
    with pytest.raises(RateLimited) as raised:
        file(order())
    assert raised.value.retry_after == 60
    assert not FiledRow.objects.exists()
    caspio_sim.heal()
    file(order())
    caspio_sim.fault("rate_limit", match={"path": "records"}, retry_after=60)
    with pytest.raises(RateLimited):
        file(order(Phase="complete"))
    caspio_sim.heal()
    assert file(order(Phase="complete")) == ["PUT Lab_Orders/records"]


def test_a_look_up_that_fails_leaves_the_doubt(file: Any, caspio_sim: Any) -> None:
    file(order())
    FiledRow.objects.update(state=RowState.UNKNOWN)
    caspio_sim.fault("unavailable")
    with pytest.raises(Unavailable):
        file(order())
    assert FiledRow.objects.get().state == RowState.UNKNOWN


# -- refusals ----------------------------------------------------------------------------------------------


def refused(file: Any, *rows: Row) -> FilingProblem:
    with pytest.raises(FilingProblem) as raised:
        file(*rows)
    return raised.value


def test_a_missing_table_is_named_and_costs_one_call(
    file: Any, client: Caspio, willow: Practice, caspio_sim: Any
) -> None:
    config = config_of(willow)
    tables = config.caspio.tables.model_copy(update={"lab_orders": "Nowhere"})
    elsewhere = config.model_copy(update={"caspio": config.caspio.model_copy(update={"tables": tables})})
    caspio_sim.forget_requests()
    with pytest.raises(FilingProblem, match=r"no table Nowhere.*labbridge provision") as raised:
        Filer(willow, elsewhere, client).file([order("a"), order("b"), result()], GROUP)
    assert raised.value.whole_table
    assert len([one for one in calls(caspio_sim) if "Nowhere" in one]) == 1
    assert row_of(caspio_sim, "Lab_Results")["Result_Key"] == "t-v1"


def test_a_missing_field_is_named(file: Any, caspio_sim: Any) -> None:
    drop_field(caspio_sim, "Lab_Orders", "Phase")
    problem = refused(file, order())
    assert "no field Phase in the table Lab_Orders" in problem.sentence
    assert "labbridge provision" in problem.sentence


def test_a_missing_attachment_field_is_named_and_makes_no_second_row(file: Any, caspio_sim: Any) -> None:
    drop_field(caspio_sim, "Lab_Results", "Result_PDF")
    assert "Result_PDF" in refused(file, result()).sentence
    refused(file, result())
    assert len(caspio_sim.tables()["Lab_Results"]) == 1


def test_one_refused_row_does_not_hold_the_others(file: Any, caspio_sim: Any) -> None:
    problem = refused(file, order("a"), order("b", Tests_Total="many"), order("c"))
    assert "Tests_Total" in problem.sentence
    assert "many" not in problem.sentence
    assert not problem.whole_table
    assert {row["Rupa_Order_ID"] for row in caspio_sim.tables()["Lab_Orders"]} == {"a", "c"}
    assert not FiledRow.objects.filter(key="b").exists()


def test_a_file_that_retention_removed_does_not_hold_the_others(file: Any, caspio_sim: Any) -> None:
    """Its row is made anew in Caspio, where somebody had deleted it; the newest result comes after it in the plan."""

    def removed() -> bytes:
        raise FileRemoved(REMOVED)

    old = result(key="a-v1")
    assert old.attachment is not None
    old = replace(old, attachment=replace(old.attachment, load=removed))
    problem = refused(file, old, result(b"%PDF-1.7 the newest", key="b-v1"))
    assert problem.sentence == REMOVED
    filed = {row["Result_Key"]: row["Result_PDF"] for row in caspio_sim.tables()["Lab_Results"]}
    assert filed["b-v1"]
    assert not filed["a-v1"]


def test_a_refused_change_is_tried_again_until_it_is_mended(file: Any) -> None:
    file(order())
    refused(file, order(Tests_Total="many"))
    assert file(order(Tests_Total=2)) == ["PUT Lab_Orders/records"]


def test_another_unique_field_is_explained(file: Any, client: Caspio, caspio_sim: Any) -> None:
    found = design.find_table(caspio_sim.app.account.store, "Lab_Orders")
    design.change_field(
        caspio_sim.app.account.store,
        found,
        found.field("Payer"),
        {"Name": "Payer", "Type": "STRING", "Unique": True},
    )
    problem = refused(file, order("a", Payer="patient"), order("b", Payer="patient"))
    assert "Only Rupa_Order_ID may be a unique field" in problem.sentence
    assert "b" in problem.sentence


@pytest.mark.parametrize("fault", ["", "reset_after"])
def test_a_key_that_differs_only_in_capitals_is_another_row(file: Any, caspio_sim: Any, fault: str) -> None:
    file(result(key="ordts_AbC-v1"), group="order:1")
    before = caspio_sim.tables()
    other = result(PDF + b"other", key="ordts_abC-v1", Patient_Key="P-2")
    if fault:
        caspio_sim.fault(fault, match={"method": "POST", "path": "records"}, times=1)
        with pytest.raises(OutcomeUnknown):
            file(other)
    for _ in range(2):  # and the same when it is tried again
        problem = refused(file, other)
        assert "differs from ordts_abC-v1 only in capitals" in problem.sentence
    file()  # nothing of the group is planned any more
    assert caspio_sim.tables() == before
    assert FiledRow.objects.get().key == "ordts_AbC-v1"


def test_blanks_at_a_keys_end_are_no_other_row(file: Any, client: Caspio, caspio_sim: Any) -> None:
    client.table("Lab_Orders").insert({"Rupa_Order_ID": "ord_1 "})
    file(order())
    assert row_of(caspio_sim)["Phase"] == "draft"


def test_a_file_that_is_too_large_for_caspio_is_explained(file: Any, caspio_sim: Any) -> None:
    caspio_sim.app.account.options = replace(caspio_sim.app.account.options, max_upload_bytes=5)
    assert "too large" in refused(file, result()).sentence


def test_a_permission_that_is_missing_is_explained(file: Any, caspio_sim: Any, monkeypatch: Any) -> None:
    from labbridge.peers.caspio.table import Table
    from labbridge.peers.errors import Forbidden

    def forbidden(*_: Any, **__: Any) -> None:
        raise Forbidden("caspio", "insert Lab_Orders", status=403)

    monkeypatch.setattr(Table, "insert", forbidden)
    problem = refused(file, order("a"), order("b"))
    assert "permission" in problem.sentence
    assert problem.whole_table


def test_caspio_telling_no_key_is_asked_for_it(file: Any, caspio_sim: Any, monkeypatch: Any) -> None:
    from labbridge.peers.caspio.table import Table

    insert = Table.insert
    monkeypatch.setattr(Table, "insert", lambda *given: insert(*given) and {})
    assert file(result()) == [
        "POST Lab_Results/records",
        "GET Lab_Results/records",
        "PUT Lab_Results/attachments/Result_PDF/1",
    ]
