"""The summary tables in Caspio: figures as plain Python counts them, and no call when nothing changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from labbridge.analytics.answers import Period
from labbridge.analytics.facts import refresh
from labbridge.analytics.monthly import months
from labbridge.analytics.summaries import summary_rows
from labbridge.analytics.value import value
from labbridge.mirror.models import LabCompany, Order, Phase, Result, ResultValue
from labbridge.mirror.phases import payment_of
from labbridge.practices.models import Practice
from labbridge.trust.audit import job, record
from tests.analytics.conftest import LABS, NOW, TESTS, put

ZONE = ZoneInfo("America/Los_Angeles")


def counting(practice: Practice) -> list[Order]:
    found = Order.objects.filter(practice=practice, is_demo=False).exclude(phase=Phase.DRAFT)
    return list(found.prefetch_related("ordered_tests__results"))


def month_of(*moments: Any) -> str:
    return f"{next(moment for moment in moments if moment).astimezone(ZONE):%Y-%m}"


@pytest.mark.django_db
@pytest.mark.parametrize("seed", [3, 4])
def test_every_month_as_plain_python_counts_it(many: Callable[[int, int], Practice], seed: int) -> None:
    practice = many(seed, 150)
    refresh(practice)
    expected: dict[tuple[str, str | None], list[Any]] = defaultdict(lambda: [0, 0, 0, 0, 0, None])

    def pay(key: tuple[str, str | None], amount: Decimal | None) -> None:
        expected[key][3] += 1
        if amount:
            expected[key][4] += 1
            expected[key][5] = (expected[key][5] or 0) + amount / 100  # the fixture's unit is cents

    for order in counting(practice):
        tests = list(order.ordered_tests.all())
        at = month_of(order.submitted_at, order.first_seen_at)
        paid = payment_of(order, Phase(order.phase)) in {"paid", "practitioner_pays"}
        paid_at = month_of(order.paid_at, order.submitted_at, order.first_seen_at)
        canceled = order.phase == Phase.CANCELED
        expected[at, None][0] += 1
        expected[at, None][1] += len(tests)
        expected[at, None][2] += canceled
        if paid:
            pay((paid_at, None), order.total_price)
        labs = {TESTS.get(test.lab_test_id_external, "") for test in tests}
        for lab in labs:
            mine = [test for test in tests if TESTS.get(test.lab_test_id_external, "") == lab]
            expected[at, lab][0] += 1
            expected[at, lab][1] += len(mine)
            expected[at, lab][2] += canceled and any(test.results_received_at is None for test in mine)
            if paid:
                pay((paid_at, lab), order.total_price if len(labs) == 1 else None)
    found = {(one.month, one.lab_id): list(one[3:]) for one in months(practice)}
    assert found == expected
    assert {one.lab for one in months(practice) if one.lab_id} <= set(LABS.values())


@pytest.mark.django_db
def test_amounts_stay_out_while_the_unit_is_unknown(many: Callable[[int, int], Practice]) -> None:
    practice = many(3, 60)
    practice.config["rupa"]["price_unit"] = "unknown"
    refresh(practice)
    found = months(practice)
    assert sum(one.priced for one in found) > 0
    assert {one.amount for one in found} == {None}


@pytest.mark.django_db
def test_turnaround_rows_are_keyed_by_ids_and_say_too_few(practice: Practice) -> None:
    for number in range(6):
        paid = NOW - timedelta(days=30)
        put(
            practice,
            number,
            [("labts_0", paid + timedelta(days=number + 1))],
            submitted_at=paid,
            paid_at=paid,
        )
    put(practice, 7, [("labts_3", None)], submitted_at=NOW, paid_at=NOW)
    put(practice, 8, [("labts_gone", None)], submitted_at=NOW, paid_at=NOW)
    refresh(practice)
    rows = {row.key: row.values for row in summary_rows(practice, NOW.astimezone(ZONE).date())}
    # Six waits of 1 to 6 days: the third is the first by which half have come, the sixth the first for nine in ten.
    quick = rows["test:labts_0"]
    assert (quick["Results"], quick["Still_Open"], quick["P50_Days"], quick["P90_Days"]) == (6, 0, 3, 6)
    assert (quick["Remark"], quick["Test_Name"], quick["Rupa_Lab_Company_ID"]) == ("", "Test labts_0", "co_1")
    # labts_3 is of the same lab, and its open test waits for 0 days: shorter than any that ended.
    assert (rows["lab:co_1"]["Results"], rows["lab:co_1"]["Still_Open"]) == (6, 1)
    assert (rows["test:labts_3"]["P50_Days"], rows["test:labts_3"]["Remark"]) == (None, "too few")
    assert (rows["lab:unknown"]["Lab_Company_Name"], rows["lab:unknown"]["Still_Open"]) == (
        "Lab not known",
        1,
    )
    LabCompany.objects.filter(external_id="co_1").update(name="Renamed Invented Lab")
    renamed = {row.key: row.values for row in summary_rows(practice, NOW.astimezone(ZONE).date())}
    assert renamed.keys() == rows.keys()
    assert renamed["lab:co_1"]["Lab_Company_Name"] == "Renamed Invented Lab"


@pytest.mark.django_db
def test_the_value_of_the_integration(practice: Practice) -> None:
    today = timezone.now().astimezone(ZONE).date()
    moment = timezone.now()
    for number, more in enumerate([{}, {}, {"is_demo": True}, {"filed_at": None}]):
        put(practice, number, [("labts_0", moment)], **{"submitted_at": moment, "filed_at": moment, **more})
    for result in Result.objects.all():
        ResultValue.objects.create(result=result, number=1, analyte="Invented", reading={})
    refresh(practice)
    for _ in range(3):
        record("patient.create", actor=job("sync_chart"), practice=practice)
    record("patient.create", actor=job("sync_chart"), practice="oak")
    practice.config["analytics"] = {"order_minutes": 2, "result_minutes": 1.5, "hour_cost": 50}
    answer = value(practice, Period(today, today))
    assert [row[:4] for row in answer.rows] == [
        ("Patients created at Rupa", 3, 9, 15), ("Orders filed in Caspio", 2, 4, 4),
        ("Ordered tests filed in Caspio", 2, 0, 0), ("Results filed in Caspio", 2, 3, 3),
        ("Result values filed in Caspio", 2, 0, 0), ("All entries that nobody typed", 11, 16, 22),
    ]  # fmt: skip
    assert "3 to 5 minutes for each new patient, 2 for an order, 1.5 for a result" in answer.notes[0]
    assert answer.notes[-1] == "At $50.00 for an hour of staff time: $13.33 to $18.33."
    tomorrow = Period(today + timedelta(days=1), today + timedelta(days=1))
    assert value(practice, tomorrow).rows[-1][1:] == (0, 0, 0)
