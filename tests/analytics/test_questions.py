"""Unpaid, abandoned, funnel, open and due again, computed a second time; and the orders behind every figure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.db.models import BooleanField
from django.db.models.expressions import RawSQL
from hypothesis import given
from hypothesis import strategies as st

from labbridge.analytics import funnel, money, repeats, turnaround
from labbridge.analytics.answers import Period
from labbridge.analytics.behind import Asked, condition, due_until
from labbridge.analytics.chart import draw
from labbridge.analytics.facts import hear_late, refresh
from labbridge.analytics.models import OrderFact
from labbridge.analytics.questions import QUESTIONS
from labbridge.analytics.sharing import shared
from labbridge.mirror.models import LabTest, Order, OrderMoment, Patient, Phase
from labbridge.mirror.phases import payment_of
from labbridge.practices.models import Practice
from tests.analytics.conftest import NOW, put
from tests.analytics.test_figures import PERIOD, TODAY, counted, on

EVER = Period(date(2000, 1, 1), date(2099, 12, 31))
INTERVALS = {"labts_0": 3, "labts_1": 6, "labts_2": 1}


@pytest.fixture(params=[3])
def drawn(request: pytest.FixtureRequest, many: Callable[[int, int], Practice]) -> Practice:
    practice = many(request.param, 220)
    practice.config["analytics"] = {"repeat_months": INTERVALS, "abandoned_days": 30}
    patients = [Patient(practice=practice, external_id=f"pat_{number}", person={}) for number in range(30)]
    Patient.objects.bulk_create(patients)
    orders = list(Order.objects.order_by("external_id"))
    for number, order in enumerate(orders):
        order.patient = patients[number % 30] if number % 7 else None
    Order.objects.bulk_update(orders, ["patient"])
    refresh(practice)
    with (
        connection.cursor() as cursor
    ):  # without figures about the tables, some lists are planned to take minutes
        cursor.execute("ANALYZE mirror_order, mirror_orderedtest, analytics_orderfact, analytics_testfact")
    return practice


def orders_behind(practice: Practice, shown: Any) -> list[Order]:
    given = {**shown}
    for name in ("since", "until"):
        if name in given:
            given[name] = date.fromisoformat(given[name])
    months = practice.config["analytics"]["repeat_months"]
    sql, values = condition(Asked(**given), [practice.pk], TODAY, months)
    return list(Order.objects.filter(RawSQL(sql, values, output_field=BooleanField())))


#: Figures that count orders, so that exactly so many orders stand behind each.
OF_ORDERS = {
    ("totals", "now"), ("orders-by-month", "orders"), ("orders-by-lab", "orders"),
    ("orders-by-practitioner", "orders"),
    ("orders-by-source", "orders"), ("funnel", "reached"), ("funnel", "waiting"), ("due-again", "due"),
    ("unpaid", "orders"), ("abandoned", "abandoned"), ("revenue-by-month", "orders"), ("revenue-by-lab", "orders"),
    ("revenue-by-practitioner", "orders"),
}  # fmt: skip


def test_exactly_so_many_orders_stand_behind_each_bar(drawn: Practice) -> None:
    seen = set()
    for question in QUESTIONS.values():
        answer = question.ask(drawn, PERIOD, TODAY)
        for column, shown in answer.behind.items():
            assert len(shown) == len(answer.rows)
            for row, behind in zip(answer.as_dicts(), shown, strict=True):
                if not behind:
                    continue
                found = orders_behind(drawn, behind)
                if (question.name, column) in OF_ORDERS:
                    assert len(found) == row[column], (question.name, column, row)
                    seen.add((question.name, column))
                elif column != "amount":  # tests and days: there is an order behind each that is not nothing
                    assert bool(found) == bool(
                        row["results" if "results" in row else column] or row.get("open")
                    )
    assert seen == OF_ORDERS


def test_the_orders_behind_tests_have_that_test(drawn: Practice) -> None:
    answer = QUESTIONS["tests"].ask(drawn, PERIOD, TODAY)
    for row, shown in zip(answer.as_dicts(), answer.behind["tests"], strict=True):
        expected = {
            order.external_id for order in counted(drawn, PERIOD)
            if row["lab_test_key"] in {test.lab_test_id_external for test in order.ordered_tests.all()}
        }  # fmt: skip
        assert {order.external_id for order in orders_behind(drawn, shown)} == expected


def test_nothing_of_another_practice_stands_behind(drawn: Practice) -> None:
    other = Practice.objects.create(slug="birch", name="Birch", time_zone="UTC", config={})
    sql, values = condition(Asked("ordered", *(PERIOD.first, PERIOD.last)), [other.pk], TODAY, {})
    assert not Order.objects.filter(RawSQL(sql, values, output_field=BooleanField())).exists()


def test_unpaid_by_age(drawn: Practice) -> None:
    expected: Counter[str] = Counter()
    amounts: dict[str, Decimal] = defaultdict(Decimal)
    for order in counted(drawn, EVER):
        if payment_of(order, Phase(order.phase)) != "awaiting_patient":
            continue
        waited = (TODAY - (on(order.submitted_at) or on(order.first_seen_at))).days  # type: ignore[operator]
        label = next(
            f"{start} to {end} days" if end else f"more than {start - 1} days"
            for start, end in reversed(money.AGES) if waited >= start
        )  # fmt: skip
        expected[label] += 1
        amounts[label] += (order.total_price or Decimal(0)) / 100
    found = {row["age"]: row for row in money.unpaid_by_age(drawn, TODAY).as_dicts()}
    assert {age: row["orders"] for age, row in found.items() if row["orders"]} == expected
    assert {age: row["amount"] or 0 for age, row in found.items()} == {
        age: amounts.get(age, 0) for age in found
    }


def test_abandoned(drawn: Practice) -> None:
    expected: dict[str, Counter[str]] = defaultdict(Counter)
    for order in counted(drawn, PERIOD):
        day = on(order.submitted_at) or on(order.first_seen_at)
        state = payment_of(order, Phase(order.phase))
        assert day is not None
        if state == "paid":
            word = "" if "practitioner" in order.payer else "paid"
        elif state == "awaiting_patient":
            word = "abandoned" if (TODAY - day).days > 30 else "waiting"
        elif state == "canceled" and order.paid_at is None and "practitioner" not in order.payer:
            word = "canceled"
        else:
            word = ""
        expected[f"{day:%Y-%m}"].update([word, *(["asked"] if word else [])])
    found = money.abandoned(drawn, PERIOD, TODAY).as_dicts()
    assert {row["month"] for row in found} == set(expected)
    for row in found:
        counts = expected[str(row["month"])]
        names = ("asked", "paid", "waiting", "abandoned", "canceled")
        assert [row[name] for name in names] == [counts[name] for name in names]


def test_the_funnel(drawn: Practice) -> None:
    from scipy.stats import CensoredData, ecdf

    reached: Counter[str] = Counter()
    waiting: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    done: dict[str, list[int]] = defaultdict(list)
    still: dict[str, list[int]] = defaultdict(list)
    for order in counted(drawn, PERIOD):
        tests = list(order.ordered_tests.all())
        received = [on(test.results_received_at) for test in tests if test.results_received_at]
        first = min(received, default=None)  # type: ignore[type-var]
        last = max(received) if received and len(received) == len(tests) else None  # type: ignore[type-var]
        finished = on(order.completed_at) or last
        began, paid = on(order.submitted_at), on(order.paid_at)
        under_way = order.phase in {"in_progress", "partial_results", "complete"}
        pays = payment_of(order, Phase(order.phase)) == "practitioner_pays"
        steps = {
            "paid": (True, bool(paid or pays or first or finished or under_way), began, paid),
            "first": (
                bool(paid or pays or first or finished or under_way),
                bool(first or finished),
                paid or began,
                first,
            ),
            "all": (bool(first or finished), bool(finished), first, finished),
        }
        canceled = on(order.canceled_at)
        for name, (came, went, start, end) in steps.items():
            if not came:
                continue
            state = reached if went else lost if order.phase == Phase.CANCELED else waiting
            state[name] += 1
            until = end if went else canceled if order.phase == Phase.CANCELED else TODAY
            if start and until and (until - start).days >= 0:
                (done if went else still)[name].append((until - start).days)
    found = funnel.funnel(drawn, PERIOD, TODAY).as_dicts()
    by_step = {row["step"]: row for row in found}
    assert found[0]["reached"] == len(counted(drawn, PERIOD))
    for name, label in funnel.STEPS.items():
        row = by_step[label]
        assert (row["reached"], row["waiting"], row["lost"]) == (reached[name], waiting[name], lost[name])
        survival = ecdf(CensoredData(uncensored=done[name], right=still[name])).sf
        for column, part in (("p50", 0.5), ("p90", 0.9)):
            days = [
                int(day) for day, left in zip(survival.quantiles, survival.probabilities, strict=True)
                if left <= 1 - part + 1e-9
            ]  # fmt: skip
            assert row[column] == (min(days) if days else None), (name, column)
    for label in funnel.TOLD.values():
        assert by_step[label]["reached"] is None
        assert by_step[label]["p50"] is None
        assert by_step[label]["remark"] == "unknown: Rupa did not tell"


def test_the_funnel_knows_of_kits_and_samples_only_what_a_status_said(practice: Practice) -> None:
    start = NOW - timedelta(days=60)
    for number in range(8):
        result = start + timedelta(days=20 + number)
        (order,) = [put(practice, number, [("labts_0", result)], submitted_at=start, paid_at=start)]
        said = {"In Progress": 1, "Awaiting sample": 3, "Sample shipped": 4}
        if number < 6:
            said |= {"Kit Shipped": 2 + number, "kit shipped": 9 + number, "Sample Received": 10 + number}
        for value, days in said.items():
            at = start + timedelta(days=days)
            OrderMoment.objects.create(
                practice=practice, order=order, what="status", value=value, step=0, at=at
            )
    refresh(practice)
    found = {row["step"]: row for row in funnel.funnel(practice, EVER, TODAY).as_dicts()}
    got = [
        (found[label]["p50"], found[label]["p90"], found[label]["remark"]) for label in funnel.TOLD.values()
    ]
    # Kits after 2 to 7 days, samples 8 days after each, results 10 days after that; of two nothing was told.
    assert got == [(4, 7, "told of 6 in 8"), (8, 8, "told of 6 in 8"), (10, 10, "told of 6 in 8")]


def test_a_status_that_was_told_late_counts_after_the_night(practice: Practice) -> None:
    start = NOW - timedelta(days=60)
    order = put(practice, 1, [("labts_0", NOW)], submitted_at=start, paid_at=start)
    put(practice, 2, [("labts_0", NOW)], submitted_at=start, paid_at=start)
    refresh(practice)
    for value, days in (("Kit Shipped", 5), ("Sample Received", 9), ("kit shipped", 3), ("In Progress", 1)):
        OrderMoment.objects.create(
            practice=practice,
            order=order,
            what="status",
            value=value,
            step=0,
            at=start + timedelta(days=days),
        )
        assert refresh(practice) == 0, "its order did not change"
    assert (hear_late(practice), refresh(practice)) == (1, 1)
    fact = OrderFact.objects.get(order=order)
    assert (fact.kit_on, fact.sample_on) == (on(start + timedelta(days=3)), on(start + timedelta(days=9)))
    assert (hear_late(practice), refresh(practice)) == (0, 0)


def test_totals(drawn: Practice) -> None:
    found = {row["what"]: row for row in funnel.totals(drawn, PERIOD).as_dicts()}
    for column, period in (("now", PERIOD), ("before", PERIOD.before())):
        orders = counted(drawn, period)
        assert found["Orders"][column] == len(orders)
        assert found["Ordered tests"][column] == sum(order.ordered_tests.count() for order in orders)
        assert found["Canceled orders"][column] == sum(order.phase == Phase.CANCELED for order in orders)
        assert found["Paid orders"][column] == sum(
            payment_of(order, Phase(order.phase)) in {"paid", "practitioner_pays"}
            and period.first
            <= (on(order.paid_at) or on(order.submitted_at) or on(order.first_seen_at))
            <= period.last  # type: ignore[operator]
            for order in counted(drawn, EVER)
        )
        assert found["Results that arrived"][column] == sum(
            test.results_received_at is not None and period.first <= on(test.results_received_at) <= period.last  # type: ignore[operator]
            for order in counted(drawn, EVER) for test in order.ordered_tests.all()
        )  # fmt: skip


def test_open_tests_by_lab_are_the_open_tests(drawn: Practice) -> None:
    names = ("open", "late", "week", "later", "unknown")
    seen: Counter[str] = Counter()
    for promised in (10, None):
        LabTest.objects.filter(external_id__in=["labts_0", "labts_3"]).update(turnaround_days=promised)
        expected: dict[object, Counter[str]] = defaultdict(Counter)
        for row in turnaround.open_tests(drawn, TODAY).as_dicts():
            by: Any = row["expected_on"]
            state = "unknown" if by is None else "week" if by <= TODAY + timedelta(days=7) else "later"
            expected[row["lab"]].update(["open", "late" if row["state"] else state])
        found = turnaround.open_by_lab(drawn, TODAY).as_dicts()
        assert {row["lab"]: tuple(row[name] for name in names) for row in found} == {
            lab: tuple(counts[name] for name in names) for lab, counts in expected.items()
        }
        for counts in expected.values():
            seen.update(counts)
    assert set(seen) >= {"open", "late", "week"}


def test_due_again(drawn: Practice) -> None:
    newest: dict[tuple[object, str], tuple[date, Any, Order]] = {}
    times: Counter[tuple[object, str]] = Counter()
    for order in counted(drawn, EVER):
        day = on(order.submitted_at) or on(order.first_seen_at)
        for test in order.ordered_tests.all():
            first = on(test.results_received_at)
            if order.patient_id is None or (order.phase == Phase.CANCELED and first is None):
                continue
            key = (order.patient_id, test.lab_test_id_external)
            times[key] += 1
            if key not in newest or day > newest[key][0]:  # type: ignore[operator]
                newest[key] = (day, first, order)  # type: ignore[assignment]
    found = {row["test"]: row for row in repeats.repeats_due(drawn, TODAY).as_dicts()}
    assert set(found) == {f"Test {key}" for key in INTERVALS}
    for test, months in INTERVALS.items():
        mine = [(key, what) for key, what in newest.items() if key[1] == test]
        due = sum(1 for _, (_, got, _) in mine if got and _later(got, months) <= TODAY)
        soon = sum(
            1 for _, (_, got, _) in mine if got and TODAY < _later(got, months) <= TODAY + timedelta(days=30)
        )
        row = found[f"Test {test}"]
        assert (row["patients"], row["waiting"], row["due"], row["soon"]) == (
            len(mine), sum(1 for _, (_, got, _) in mine if not got), due, soon,
        )  # fmt: skip
        assert row["again"] == sum(times[key] > 1 for key, _ in mine)


@given(st.dates(date(1990, 1, 1), date(2090, 12, 31)), st.integers(1, 120), st.integers(-3, 34))
def test_a_result_is_due_by_its_last_day_as_by_its_months(today: date, months: int, near: int) -> None:
    day = due_until(today, months) + timedelta(days=near)
    assert (_later(day, months) <= today) == (near <= 0)


def _later(day: date, months: int) -> date:
    """As PostgreSQL adds months: the end of a shorter month stands for the days that it lacks."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    for last in (day.day, 30, 29, 28):
        try:
            return date(year, month + 1, min(day.day, last))
        except ValueError:
            continue
    raise AssertionError


def test_a_test_that_was_ordered_again_is_not_due(practice: Practice) -> None:
    practice.config["analytics"] = {"repeat_months": {"labts_0": 3}}
    patient = Patient.objects.create(practice=practice, external_id="pat_1", person={})
    old, young = NOW - timedelta(days=200), NOW - timedelta(days=5)
    put(practice, 1, [("labts_0", old)], submitted_at=old, paid_at=old, patient=patient)
    refresh(practice)
    assert [row["due"] for row in repeats.repeats_due(practice, TODAY).as_dicts()] == [1]
    put(practice, 2, [("labts_0", None)], submitted_at=young, paid_at=young, patient=patient)
    refresh(practice)
    (row,) = repeats.repeats_due(practice, TODAY).as_dicts()
    assert (row["due"], row["waiting"], row["again"]) == (0, 1, 1)


def test_without_intervals_it_says_so(practice: Practice) -> None:
    answer = repeats.repeats_due(practice, TODAY)
    assert answer.rows == []
    assert answer.notes[0] == repeats.NO_INTERVAL


def test_nothing_at_all_is_no_error(practice: Practice) -> None:
    for question in QUESTIONS.values():
        answer = question.ask(practice, PERIOD, TODAY)
        for picture in question.pictures:
            assert draw(answer, picture) is None or answer.rows


def test_a_chart_says_what_its_table_says(drawn: Practice) -> None:
    for question in QUESTIONS.values():
        answer = question.ask(drawn, PERIOD, TODAY)
        for picture in question.pictures:
            chart = draw(answer, picture)
            if chart is None:
                continue
            cells = {str(row[picture.label]): row for row in answer.as_dicts()}
            assert next(bar for bar in chart.bars if bar.text != "—").words in chart.words
            for bar in chart.bars:
                value = cells[bar.label][picture.value]
                if value is None:
                    assert (picture.kind, bar.share, bar.text) == ("columns", 0, "—")
                    continue
                assert 0 <= bar.start <= bar.start + bar.share <= 1.0001
                if picture.kind in {"bars", "columns"}:
                    shown = Decimal(bar.text.replace(",", "").replace("$", ""))
                    assert shown == value
                assert [mark.text for mark in bar.marks] == [
                    str(cells[bar.label][name])
                    for name in picture.marks
                    if cells[bar.label][name] is not None
                ]


def test_every_question_that_may_be_shared_says_by_which_column(drawn: Practice) -> None:
    for question in QUESTIONS.values():
        answer = question.ask(drawn, PERIOD, TODAY)
        if question.size:
            assert question.size in {column.name for column in answer.columns}
            leaves = shared(answer, question.size, question.within)
            for row in leaves.rows:
                for column, cell in zip(leaves.columns, row, strict=True):
                    if column.kind == "count" and isinstance(cell, int):
                        assert cell <= 0 or cell >= 11, (question.name, column.name)
