"""Every figure computed a second time: in plain Python, over the raw rows, by other means than the SQL."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from labbridge.analytics import money, orders, repeats, turnaround
from labbridge.analytics.answers import Period
from labbridge.analytics.chart import Picture, draw
from labbridge.analytics.facts import refresh
from labbridge.analytics.models import TestFact
from labbridge.mirror.models import LabCompany, LabTest, Order, Patient, Phase
from labbridge.practices.models import Practice, Practitioner
from tests.analytics.conftest import LABS, NOW, TESTS, put

ZONE = ZoneInfo("America/Los_Angeles")
TODAY = NOW.astimezone(ZONE).date()
PERIOD = Period(TODAY - timedelta(days=119), TODAY - timedelta(days=20))


def on(moment: datetime | None) -> date | None:
    return moment.astimezone(ZONE).date() if moment else None


def counted(practice: Practice, period: Period) -> list[Order]:
    """The orders of the period by the rules of the design: no demo, no draft."""
    found = Order.objects.filter(practice=practice, is_demo=False).exclude(phase=Phase.DRAFT)
    return [
        order
        for order in found.prefetch_related("ordered_tests__results")
        if period.first <= (on(order.submitted_at) or on(order.first_seen_at)) <= period.last  # type: ignore[operator]
    ]


def lab_of(_practice: Practice, key: str) -> str:
    return LABS[TESTS[key]] if key in TESTS else orders.UNKNOWN_LAB


@pytest.fixture(params=[1, 2])
def drawn(request: pytest.FixtureRequest, many: Callable[[int, int], Practice]) -> Practice:
    practice = many(request.param, 200)
    assert refresh(practice) == 200
    return practice


def test_orders_by(drawn: Practice) -> None:
    for by in ("practitioner", "source", "month", "lab"):
        check_orders(drawn, by)


def who(order: Order) -> str:
    """Rupa's id decides who it is; two of the same name are told apart by it, and a name alone is somebody too."""
    known = dict(Practitioner.objects.values_list("external_id", "name"))
    key = order.practitioner_id_external
    if not key:
        return order.practitioner_name or orders.UNKNOWN_PRACTITIONER
    return known.get(key) or f"Dr Invented ({key})"


def check_orders(drawn: Practice, by: orders.Dimension) -> None:

    def labels(order: Order) -> set[str]:
        if by == "lab":
            return {lab_of(drawn, test.lab_test_id_external) for test in order.ordered_tests.all()}
        if by == "source":
            return {order.source}
        if by == "month":
            return {f"{on(order.submitted_at) or on(order.first_seen_at):%Y-%m}"}
        return {who(order)}

    expected: dict[str, Counter[str]] = defaultdict(Counter)
    for order in counted(drawn, PERIOD):
        for label in labels(order):
            tests = [
                test for test in order.ordered_tests.all()
                if by != "lab" or lab_of(drawn, test.lab_test_id_external) == label
            ]  # fmt: skip
            ended = order.phase == Phase.CANCELED and (
                by != "lab" or any(test.results_received_at is None for test in tests)
            )
            expected[label].update(orders=1, tests=len(tests), canceled=int(ended))
    found = {row[by]: row for row in orders.orders_by(drawn, PERIOD, by).as_dicts()}
    assert set(found) == set(expected)
    for label, counts in expected.items():
        assert [found[label][name] for name in ("orders", "tests", "canceled")] == [
            counts[name] for name in ("orders", "tests", "canceled")
        ]
    if by != "month":
        before = Counter(label for order in counted(drawn, PERIOD.before()) for label in labels(order))
        assert {label: row["before"] for label, row in found.items()} == {
            label: before[label] for label in found
        }


def test_months_are_compared_with_those_a_year_before(practice: Practice) -> None:
    for number, day in enumerate(["2030-02-10", "2030-02-20", "2030-03-30", "2031-02-05", "2031-03-02"]):
        at = datetime.fromisoformat(f"{day}T12:00:00+00:00")
        put(practice, number, [("labts_0", None)], submitted_at=at, paid_at=at, total_price=10000)
    refresh(practice)
    period = Period(date(2031, 2, 1), date(2031, 3, 15))
    found = orders.orders_by(practice, period, "month").as_dicts()
    assert [(row["month"], row["orders"], row["before"]) for row in found] == [
        ("2031-02", 1, 2),
        ("2031-03", 1, 0),
    ]
    paid = money.revenue(practice, period, "month").as_dicts()
    assert [(row["month"], row["amount"], row["before"]) for row in paid] == [
        ("2031-02", Decimal(100), Decimal(200)), ("2031-03", Decimal(100), None),
    ]  # fmt: skip


def test_popular_tests(drawn: Practice) -> None:
    now = Counter(t.lab_test_id_external for o in counted(drawn, PERIOD) for t in o.ordered_tests.all())
    before = Counter(
        t.lab_test_id_external for o in counted(drawn, PERIOD.before()) for t in o.ordered_tests.all()
    )
    LabTest.objects.filter(external_id="labts_6").update(retired=True)
    found = {row["lab_test_key"]: row for row in orders.popular_tests(drawn, PERIOD).as_dicts()}
    assert {key for key, row in found.items() if row["state"] == "retired"} == {"labts_6"}
    assert found["labts_gone"]["lab"] == orders.UNKNOWN_LAB, "the catalogue never had it, or has it no more"
    assert {key: (row["tests"], row["before"]) for key, row in found.items()} == {
        key: (now[key], before[key]) for key in {*now, *before}
    }
    assert all(row["change"] == row["tests"] - row["before"] for row in found.values())  # type: ignore[operator]


def waits(practice: Practice, period: Period) -> dict[str, list[tuple[int, bool]]]:
    """Days and whether a result ended them, by test."""
    found: dict[str, list[tuple[int, bool]]] = defaultdict(list)
    for order in counted(practice, period):
        begun = on(order.paid_at)
        if begun is None and order.phase in {"in_progress", "partial_results", "complete"}:
            begun = on(order.submitted_at)
        if begun is None:
            continue
        for test in order.ordered_tests.all():
            received = [one.received_at for one in test.results.all() if one.received_at]
            first = on(min(received)) if received else on(test.results_received_at)
            end = first or (on(order.canceled_at) if order.phase == Phase.CANCELED else None) or TODAY
            if order.phase == Phase.COMPLETE and first is None:
                end = on(order.completed_at) or begun
            if order.phase == Phase.CANCELED and first is None and order.canceled_at is None:
                end = begun
            if (end - begun).days >= 0:
                found[test.lab_test_id_external].append(((end - begun).days, first is not None))
    return found


def test_turnaround_agrees_with_a_survival_library(drawn: Practice) -> None:
    found = {
        row["lab_test_key"]: row for row in turnaround.turnaround(drawn, PERIOD, TODAY, "test").as_dicts()
    }
    expected = waits(drawn, PERIOD)
    assert set(found) == set(expected)
    check_waits(found, expected)
    by_lab: dict[str, list[tuple[int, bool]]] = defaultdict(list)
    for key, durations in expected.items():
        by_lab[lab_of(drawn, key)] += durations
    labs = {row["lab"]: row for row in turnaround.turnaround(drawn, PERIOD, TODAY, "lab").as_dicts()}
    assert set(labs) == set(by_lab)
    check_waits(labs, by_lab)


def test_a_test_without_a_result_ends_with_its_order(practice: Practice) -> None:
    """Rupa calls the order complete: nobody waits any longer, and the patient did not have that test."""
    patient = Patient.objects.create(practice=practice, external_id="pat_1", person={})
    practice.config["analytics"] = {"repeat_months": {"labts_1": 1}}
    practice.save()
    paid, came, done = (datetime(2031, 3, number, 20, tzinfo=UTC) for number in (1, 11, 20))
    before = paid - timedelta(days=100)
    put(
        practice,
        1,
        [("labts_1", before + timedelta(days=9))],
        submitted_at=before,
        paid_at=before,
        patient=patient,
    )
    given = {"submitted_at": paid, "paid_at": paid, "completed_at": done, "patient": patient}
    put(practice, 2, [("labts_0", came), ("labts_1", None)], **given)
    refresh(practice)
    (fact,) = TestFact.objects.filter(resulted_on=None)
    assert (fact.ended_on, fact.open) == (on(done), False)
    assert waits(practice, PERIOD)["labts_1"] == [(19, False)]
    assert turnaround.usual(practice, PERIOD, TODAY).by_test["labts_1"].cut_short == {19: 1}
    (due,) = repeats.repeats_due(practice, TODAY).as_dicts()
    assert (due["patients"], due["waiting"], due["due"]) == (1, 0, 1)
    assert not TestFact.objects.filter(lab_ended=True).exists(), "it was not canceled"


def check_waits(found: dict[Any, dict[str, Any]], expected: dict[str, list[tuple[int, bool]]]) -> None:
    from scipy.stats import CensoredData, ecdf

    for key, durations in expected.items():
        done = [days for days, resulted in durations if resulted]
        still = [days for days, resulted in durations if not resulted]
        assert (found[key]["results"], found[key]["open"]) == (len(done), len(still))
        if len(done) < 5:
            assert found[key]["remark"] == "too few"
            continue
        survival = ecdf(CensoredData(uncensored=done, right=still)).sf
        for name, part in turnaround.PERCENTILES.items():
            reached = [
                days for days, left in zip(survival.quantiles, survival.probabilities, strict=True)
                if left <= 1 - part + 1e-9
            ]  # fmt: skip
            assert found[key][name] == (min(reached) if reached else None)


def test_revenue(drawn: Practice) -> None:
    for by in ("month", "lab", "practitioner", "payer"):
        check_revenue(drawn, by)


def check_revenue(drawn: Practice, by: money.By) -> None:
    expected: dict[str, list[Decimal]] = defaultdict(list)
    counts: Counter[str] = Counter()
    before: dict[str, Decimal] = defaultdict(Decimal)
    found_orders = Order.objects.filter(practice=drawn, is_demo=False).exclude(phase=Phase.DRAFT)
    for order in found_orders.prefetch_related("ordered_tests"):
        ours = "practitioner" in order.payer and order.paid_at is None
        when = on(order.paid_at) or on(order.submitted_at) or on(order.first_seen_at)
        if order.phase == Phase.CANCELED or not (order.paid_at or ours) or when is None:
            continue
        if not PERIOD.before().first <= when <= PERIOD.last:
            continue
        labs = {lab_of(drawn, test.lab_test_id_external) for test in order.ordered_tests.all()}
        label = {
            "month": f"{when:%Y-%m}",
            "lab": money.SEVERAL_LABS if len(labs - {orders.UNKNOWN_LAB}) > 1
            else max(labs - {orders.UNKNOWN_LAB}, default=orders.UNKNOWN_LAB),
            "practitioner": who(order),
            "payer": {"patient": "Patient", "practitioner": "Practice", "": "Payer not known"}[order.payer],
        }[by]  # fmt: skip
        if when < PERIOD.first:
            before[label] += (order.total_price or Decimal(0)) / 100
            continue
        counts[label] += 1
        if order.total_price:
            expected[label].append(order.total_price / 100)
    found = {row[by]: row for row in money.revenue(drawn, PERIOD, by).as_dicts()}
    assert {label: row["orders"] for label, row in found.items()} == counts
    assert {label: row["priced"] for label, row in found.items()} == {
        label: len(expected[label]) for label in counts
    }, "a price of nothing is none"
    assert {label: row["amount"] for label, row in found.items() if row["amount"] is not None} == {
        label: sum(amounts) for label, amounts in expected.items() if amounts
    }
    if by != "month":
        assert {label: row["before"] or 0 for label, row in found.items()} == {
            label: before.get(label, 0) for label in found
        }


def test_amounts_are_hidden_while_the_unit_is_unknown(drawn: Practice) -> None:
    drawn.config["rupa"]["price_unit"] = "unknown"
    answer = money.revenue(drawn, PERIOD, "payer")
    assert {row["amount"] for row in answer.as_dicts()} == {None}
    assert money.HIDDEN in answer.notes


def test_open_tests_are_expected_by_what_is_usual(practice: Practice) -> None:
    for number, days in enumerate([4, 5, 6, 7, 8, 9, 10, 11, 12, 13]):
        paid = NOW - timedelta(days=60)
        put(practice, number, [("labts_0", paid + timedelta(days=days))], submitted_at=paid, paid_at=paid)
    late, young = NOW - timedelta(days=20), NOW - timedelta(days=2)
    put(practice, 100, [("labts_0", None)], submitted_at=late, paid_at=late)
    put(practice, 101, [("labts_0", None), ("labts_1", None)], submitted_at=young, paid_at=young)
    put(practice, 102, [("labts_0", None)], submitted_at=young)  # not paid: no lab is at work
    refresh(practice)
    found = {row["ordered_test"]: row for row in turnaround.open_tests(practice, TODAY).as_dicts()}
    assert set(found) == {"ordts_100_0", "ordts_101_0", "ordts_101_1"}
    assert found["ordts_100_0"]["state"] == "overdue"
    assert found["ordts_101_0"]["state"] == ""
    assert found["ordts_101_0"]["basis"] == "this test"
    assert found["ordts_101_1"]["basis"] == "the catalogue"
    assert found["ordts_101_1"]["expected_on"] == on(young) + timedelta(days=14)  # type: ignore[operator]


def test_one_order_only_is_too_few(practice: Practice) -> None:
    paid = NOW - timedelta(days=30)
    put(practice, 1, [("labts_0", paid + timedelta(days=5))], submitted_at=paid, paid_at=paid)
    refresh(practice)
    (row,) = turnaround.turnaround(
        practice, Period(TODAY - timedelta(days=60), TODAY), TODAY, "lab"
    ).as_dicts()
    assert (row["p50"], row["remark"]) == (None, "too few")


def test_the_sample_has_what_goes_wrong(drawn: Practice) -> None:
    """Or the second computations would agree about nothing."""
    all_orders = list(Order.objects.prefetch_related("ordered_tests"))
    assert any(
        order.phase == Phase.CANCELED and any(test.results_received_at for test in order.ordered_tests.all())
        for order in all_orders
    ), "canceled after a result"
    assert any(order.paid_at and order.payer == "practitioner" for order in all_orders), (
        "paid by the practice"
    )
    assert {None, Decimal(0)} < {order.total_price for order in all_orders}, (
        "no price, and a price of nothing"
    )
    assert any(order.submitted_at is None for order in all_orders), "no date"
    assert any(order.is_demo for order in all_orders)
    assert turnaround.turnaround(drawn, PERIOD, TODAY, "lab").own, "a clock that ran backwards"
    assert any(
        test.lab_test_id_external not in TESTS for order in all_orders for test in order.ordered_tests.all()
    ), "a test that the catalogue does not have"


def test_who_paid_is_told_by_rupas_word_and_never_by_a_date(practice: Practice) -> None:
    for number, payer in enumerate(["patient", "Patient ", "practitioner", "The Clinic", "", "insurer"]):
        put(
            practice,
            number,
            [("labts_0", NOW)],
            submitted_at=NOW,
            paid_at=NOW,
            payer=payer,
            total_price=10000,
        )
    refresh(practice)
    period = Period(TODAY - timedelta(days=1), TODAY + timedelta(days=1))
    found = {row["payer"]: row["amount"] for row in money.revenue(practice, period, "payer").as_dicts()}
    assert found == {"Patient": Decimal(200), "Practice": Decimal(200), "Payer not known": Decimal(200)}
    (asked,) = money.abandoned(practice, period, TODAY).as_dicts()
    assert (asked["asked"], asked["paid"]) == (4, 4), "what the practice paid was not for the patient to pay"


def test_a_month_without_orders_is_a_gap_and_not_left_out(practice: Practice) -> None:
    for number, day in enumerate(["2030-11-10", "2031-02-05"]):
        at = datetime.fromisoformat(f"{day}T12:00:00+00:00")
        put(
            practice,
            number,
            [("labts_0", None)],
            submitted_at=at,
            paid_at=at,
            total_price=10000,
            payer="patient",
        )
    refresh(practice)
    period = Period(date(2030, 10, 1), date(2031, 3, 31))
    months = ["2030-11", "2030-12", "2031-01", "2031-02"]
    found = orders.orders_by(practice, period, "month").as_dicts()
    assert [(row["month"], row["orders"]) for row in found] == list(zip(months, (1, 0, 0, 1), strict=True))
    paid = money.revenue(practice, period, "month")
    amounts = (Decimal(100), None, None, Decimal(100))
    assert [(row["month"], row["amount"]) for row in paid.as_dicts()] == list(
        zip(months, amounts, strict=True)
    )
    assert [row["month"] for row in money.abandoned(practice, period, TODAY).as_dicts()] == months
    chart = draw(paid, Picture("columns", "month", "amount", "Dollars"))
    assert chart is not None
    assert [(bar.label, bar.share) for bar in chart.bars] == list(zip(months, (1, 0, 0, 1), strict=True))
    assert "2030-12" not in chart.words


def test_a_renamed_lab_keeps_its_figures(practice: Practice) -> None:
    put(practice, 1, [("labts_0", NOW)], submitted_at=NOW, paid_at=NOW, payer="patient", total_price=10000)
    refresh(practice)
    period = Period(TODAY - timedelta(days=1), TODAY + timedelta(days=1))
    LabCompany.objects.filter(external_id="co_1").update(name="Renamed Invented Lab")
    assert refresh(practice) == 0
    assert [row[:2] for row in orders.orders_by(practice, period, "lab").rows] == [
        ("Renamed Invented Lab", 1)
    ]
    assert [row[:2] for row in money.revenue(practice, period, "lab").rows] == [("Renamed Invented Lab", 1)]
    assert turnaround.turnaround(practice, period, TODAY, "lab").rows[0][:2] == ("Renamed Invented Lab", 1)
    assert orders.popular_tests(practice, period).rows[0][1] == "Renamed Invented Lab"
