from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from labbridge.filing.rows import (
    OrderRows,
    Row,
    lab_company_row,
    lab_test_row,
    money,
    value_text,
    wall_clock,
)
from labbridge.mirror.models import (
    LabCompany,
    LabTest,
    Order,
    OrderedTest,
    Patient,
    Phase,
    Result,
    ResultState,
    ResultValue,
)
from labbridge.mirror.results import store_file
from labbridge.practices.config import PracticeConfig, parse
from labbridge.practices.models import Practice
from tests.world import PRACTICE_TOML

PACIFIC = ZoneInfo("America/Los_Angeles")
NOON = datetime(2031, 7, 3, 19, tzinfo=UTC)


def config(**rupa: str) -> PracticeConfig:
    read = parse(PRACTICE_TOML.format(caspio="https://c0abc123.caspio.com", rate=5, refresh_token="t"))
    return read.model_copy(update={"rupa": read.rupa.model_copy(update={"price_unit": "unknown", **rupa})})


# -- moments and money -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "written"),
    [
        (None, None),
        (datetime(2031, 1, 3, 19, 30, 0, 900_000, tzinfo=UTC), "2031-01-03T11:30:00"),
        (datetime(2031, 7, 3, 19, tzinfo=UTC), "2031-07-03T12:00:00"),
        (datetime(2031, 3, 9, 9, 59, 59, tzinfo=UTC), "2031-03-09T01:59:59"),  # spring forward
        (datetime(2031, 3, 9, 10, tzinfo=UTC), "2031-03-09T03:00:00"),
        (datetime(2031, 11, 2, 8, 30, tzinfo=UTC), "2031-11-02T01:30:00"),  # fall back: the hour comes twice
        (datetime(2031, 11, 2, 9, 30, tzinfo=UTC), "2031-11-02T01:30:00"),
        (datetime(1, 1, 1, tzinfo=UTC), None),
    ],
)
def test_dates_are_the_practices_wall_clock(moment: datetime | None, written: str | None) -> None:
    assert wall_clock(moment, PACIFIC) == written


@pytest.mark.parametrize(
    ("unit", "amount", "shown"),
    [
        ("unknown", Decimal(309), None),
        ("dollars", Decimal("309.50"), Decimal("309.50")),
        ("cents", Decimal(30950), Decimal("309.50")),
        ("dollars", None, None),
    ],
)
def test_money_of_an_unknown_unit_is_hidden(unit: str, amount: Decimal | None, shown: Decimal | None) -> None:
    assert money(amount, unit) == shown


@pytest.mark.parametrize(
    ("reading", "text"),
    [
        ({"text": "2.5", "status": "F"}, "2.5"),
        ({"text": "", "status": "X"}, "not obtained"),
        ({"text": None, "status": "I"}, "pending"),
        (
            {"text": "", "status": "X", "comments": ["Clotted.", "Please send again."]},
            "Clotted.\nPlease send again.",
        ),
        ({"text": "", "status": "F"}, "-"),
        ({"text": ""}, "-"),
        ({"text": "9.9", "status": "W"}, "withdrawn by the lab"),
        ({"text": "9.9", "status": "D", "comments": ["Mistake."]}, "deleted by the lab"),
        ({"text": "2.5", "comments": ["Fasting."]}, "2.5"),
    ],
)
def test_a_value_always_has_a_text(reading: dict[str, Any], text: str) -> None:
    assert value_text(reading) == text


# -- an order's rows ---------------------------------------------------------------------------------------


@pytest.fixture
def order(willow: Practice) -> Order:
    patient = Patient.objects.create(practice=willow, external_id="pat_1")
    return Order.objects.create(
        practice=willow, external_id="ord_1", patient=patient, total_price=Decimal(309)
    )


def add_test(order: Order, key: str = "ordts_1", **more: Any) -> OrderedTest:
    values: dict[str, Any] = {"lab_test_id_external": "labts_1", **more}
    return OrderedTest.objects.create(practice=order.practice, order=order, external_id=key, **values)


def add_result(test: OrderedTest, version: int = 1, pdf: bytes | None = b"%PDF-", **more: Any) -> Result:
    stored = store_file(test.practice, pdf, "pdf") if pdf else None
    return Result.objects.create(
        ordered_test=test, version=version, as_of=NOON, received_at=NOON, pdf=stored, **more
    )


def rows(order: Order, patient_key: str = "P-1", **rupa: str) -> dict[str, Row]:
    return {row.key: row for row in OrderRows(order, config(**rupa), patient_key, "Ada Testwood, MD").all()}


def test_an_order_alone(order: Order) -> None:
    order.phase, order.submitted_at, order.payer = Phase.AWAITING_PAYMENT, NOON, "patient"
    row = rows(order)["ord_1"]
    assert row.table == "lab_orders"
    assert row.values["Submitted_At"] == "2031-07-03T12:00:00"
    assert (row.values["Payment_Status"], row.values["Total_Price"]) == ("awaiting_patient", None)
    assert (row.values["Tests_Total"], row.values["Expected_By"], row.values["Overdue"]) == (0, None, False)
    assert rows(order, price_unit="cents")["ord_1"].values["Total_Price"] == Decimal("3.09")


def test_a_pdf_and_its_values(order: Order) -> None:
    LabTest.objects.create(
        practice=order.practice, external_id="labts_1", name="Panel", lab_company_name="Lab"
    )
    result = add_result(add_test(order, results_received_at=NOON))
    reading = {
        "text": "2.5",
        "number": "2.50",
        "units": "mIU/L",
        "reference_range": "1-4",
        "flag": "N",
        "status": "F",
    }
    ResultValue.objects.create(
        result=result, number=1, analyte="TSH", loinc="3016-3", reading=reading, observed_at=NOON
    )
    ResultValue.objects.create(
        result=result, number=2, analyte="T4", reading={"text": ""}, observed_text="2031-02-01T08:15:00"
    )
    found = rows(order)
    assert found["ordts_1"].values["Result_State"] == ResultState.RESULTED
    assert found["ordts_1"].values["Test_Name"] == "Panel"
    filed = found["ordts_1-v1"]
    assert (filed.values["Version"], filed.values["Amended"], filed.values["Has_Values"]) == (1, False, True)
    assert filed.attachment is not None
    assert filed.attachment.load() == b"%PDF-"
    assert filed.attachment.filename == f"ordts_1-v1-{filed.attachment.sha256[:12]}.pdf"
    assert filed.initial["Review_Status"] == "unreviewed"
    first, second = found["ordts_1-v1-1"].values, found["ordts_1-v1-2"].values
    assert (first["Value_Text"], first["Value_Number"], first["Flag"]) == ("2.5", Decimal("2.50"), "N")
    assert first["Observed_At"] == "2031-07-03T12:00:00"
    assert (second["Value_Text"], second["Value_Number"], second["Observed_At"]) == (
        "-",
        None,
        "2031-02-01T08:15:00",
    )
    assert found["ord_1"].values["Tests_Resulted"] == 1


def test_a_value_that_the_lab_took_back_shows_no_number(order: Order) -> None:
    result = add_result(add_test(order))
    reading = {"text": "9", "number": "9", "flag": "HH", "status": "W"}
    ResultValue.objects.create(result=result, number=1, analyte="TSH", reading=reading)
    values = rows(order)["ordts_1-v1-1"].values
    assert (values["Value_Text"], values["Value_Number"], values["Flag"]) == (
        "withdrawn by the lab",
        None,
        None,
    )


@pytest.mark.parametrize(
    ("test", "results", "state"),
    [
        ({}, [], ResultState.NONE),
        ({"results_received_at": NOON}, [], ResultState.FILE_PENDING),
        ({}, [{}], ResultState.RESULTED),
        ({}, [{}, {}], ResultState.AMENDED),
        ({"results_received_at": NOON}, [{"pdf": None, "superseded": True}], ResultState.FILE_PENDING),
        ({}, [{"pdf": None, "superseded": True}, {}], ResultState.AMENDED),
        ({"problem": "The file is not a PDF."}, [{}], ResultState.PROBLEM),
        ({}, [{"withheld": True}], ResultState.PROBLEM),
    ],
)
def test_result_states(
    order: Order, test: dict[str, Any], results: list[dict[str, Any]], state: ResultState
) -> None:
    held = add_test(order, **test)
    for version, result in enumerate(results, start=1):
        add_result(held, version, **{"pdf": b"%PDF-" + str(version).encode(), **result})
    assert rows(order)["ordts_1"].values["Result_State"] == state


def test_a_version_without_a_file_says_so_by_its_fields(order: Order) -> None:
    test = add_test(order)
    add_result(test, 1, pdf=None, superseded=True)
    add_result(test, 2)
    found = rows(order)
    assert found["ordts_1-v1"].attachment is None
    assert (found["ordts_1-v1"].values["Pdf_Sha256"], found["ordts_1-v2"].values["Amended"]) == ("", True)
    assert found["ordts_1"].values["Latest_Version"] == 2


def test_what_names_another_patient_is_in_nobodys_chart(order: Order) -> None:
    test = add_test(order)
    add_result(test, 1)
    ResultValue.objects.create(
        result=add_result(test, 2, withheld=True), number=1, analyte="T", reading={"text": "1"}
    )
    found = rows(order)
    assert (found["ordts_1-v1"].values["Patient_Key"], found["ordts_1-v1"].create) == ("P-1", True)
    for key in ("ordts_1-v2", "ordts_1-v2-1"):
        assert (found[key].values["Patient_Key"], found[key].create) == ("", False)
    assert found["ordts_1"].values["Latest_Version"] == 1
    assert found["ord_1"].values["Tests_Resulted"] == 1


def test_a_test_taken_off_is_not_planned_unless_it_has_a_result(order: Order) -> None:
    add_test(order, "a", removed=True)
    add_result(add_test(order, "b", removed=True))
    found = rows(order)
    assert set(found) == {"ord_1", "b", "b-v1"}
    assert found["ord_1"].values["Tests_Total"] == 1


def test_when_an_order_is_due_and_overdue(order: Order) -> None:
    catalog = {"practice": order.practice, "name": "Panel"}
    LabTest.objects.create(external_id="labts_1", turnaround_days=10, shipping_days_max=3, **catalog)
    LabTest.objects.create(external_id="labts_2", turnaround_days=20, **catalog)
    add_test(order, "a")
    add_test(order, "b", lab_test_id_external="labts_2")
    order.phase, order.submitted_at, order.paid_at = Phase.IN_PROGRESS, NOON, NOON + timedelta(days=1)
    values = rows(order)["ord_1"].values
    assert (values["Expected_By"], values["Overdue"]) == ("2031-07-24T12:00:00", False)
    order.paid_at = timezone.now() - timedelta(days=60)
    assert rows(order)["ord_1"].values["Overdue"] is True
    order.is_demo = True
    assert rows(order)["ord_1"].values["Overdue"] is False
    order.is_demo, order.phase = False, Phase.COMPLETE
    assert rows(order)["ord_1"].values["Overdue"] is False
    add_test(order, "c", lab_test_id_external="labts_unknown")
    assert rows(order)["ord_1"].values["Expected_By"] is None


def test_an_order_without_a_patient_has_no_id(willow: Practice) -> None:
    order = Order.objects.create(practice=willow, external_id="ord_1")
    assert rows(order)["ord_1"].values["Rupa_Patient_ID"] == ""


def test_long_names_are_cut(order: Order) -> None:
    LabTest.objects.create(practice=order.practice, external_id="labts_1", name="n" * 500)
    add_test(order)
    assert rows(order)["ordts_1"].values["Test_Name"] == "n" * 254 + "…"


# -- the catalogue -----------------------------------------------------------------------------------------


def test_a_retired_test_is_not_available(willow: Practice) -> None:
    test = LabTest(practice=willow, external_id="labts_1", name="Panel", price=Decimal(10), retired=True)
    row = lab_test_row(test, config(price_unit="dollars"))
    assert (row.values["Retired"], row.values["Available"], row.values["Price"]) == (True, False, Decimal(10))
    test.retired, test.is_addon, test.parent_id_external = False, True, "labts_0"
    row = lab_test_row(test, config())
    assert (row.values["Available"], row.values["Is_Addon"], row.values["Parent_Test_ID"]) == (
        True,
        True,
        "labts_0",
    )
    assert row.values["Price"] is None


def test_a_company(willow: Practice) -> None:
    row = lab_company_row(LabCompany(practice=willow, external_id="labco_1", name="Lab", short_name="L"))
    assert (row.table, row.key, row.values) == (
        "lab_companies",
        "labco_1",
        {"Name": "Lab", "Short_Name": "L"},
    )
