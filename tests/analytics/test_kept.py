"""What is kept with the facts so that a million orders are only counted follows the mirror, also over an upgrade."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from labbridge.analytics import orders, repeats
from labbridge.analytics.behind import SEVERAL
from labbridge.analytics.facts import refresh
from labbridge.analytics.models import OrderFact, ResultFact, TestFact
from labbridge.analytics.value import value
from labbridge.handlers.erasure import erase
from labbridge.mirror.models import LabTest, Order, Patient, Phase, Result, ResultValue
from labbridge.practices.models import Practice
from labbridge.trust.audit import job
from tests.analytics.conftest import NOW, TESTS, put
from tests.analytics.test_figures import PERIOD, TODAY, counted, on
from tests.analytics.test_questions import EVER

BEFORE, WITH = ("analytics", "0002_kits_and_samples"), ("analytics", "0005_ended_without_a_result")


@pytest.fixture
def dressed(many: Callable[[int, int], Practice]) -> Practice:
    """Orders of every sort, some filed, some erased, with patients, and results in versions, some withheld."""
    practice = many(5, 160)
    dice = random.Random(5)
    patients = [Patient(practice=practice, external_id=f"pat_{number}", person={}) for number in range(20)]
    Patient.objects.bulk_create(patients)
    held = list(Order.objects.order_by("external_id"))
    for order in held:
        order.patient = dice.choice([*patients, None])
        order.filed_at = NOW if dice.random() < 0.8 else None
        order.erased_at = NOW if dice.random() < 0.1 else None
    Order.objects.bulk_update(held, ["patient", "filed_at", "erased_at"])
    results = list(Result.objects.order_by("ordered_test__external_id"))
    later = [
        Result(ordered_test=one.ordered_test, version=2, as_of=NOW, received_at=one.received_at,
               practice_id=one.practice_id)
        for one in results if dice.random() < 0.3
    ]  # fmt: skip
    Result.objects.bulk_create(later)
    for one in [*results, *later]:
        one.found_at = NOW - timedelta(minutes=dice.randint(0, 200 * 1440))
        one.withheld = dice.random() < 0.1
    Result.objects.bulk_update([*results, *later], ["found_at", "withheld"])
    ResultValue.objects.bulk_create(
        ResultValue(result=one, number=number, analyte="Invented", reading={})
        for one in [*results, *later] for number in range(dice.choice([0, 1, 4]))
    )  # fmt: skip
    refresh(practice)
    return practice


def facts() -> dict[str, list[dict[str, Any]]]:
    return {
        model.__name__: list(model.objects.order_by("pk").values())
        for model in (OrderFact, TestFact, ResultFact)
    }


def test_facts_that_an_installation_has_get_what_is_new_as_if_they_were_made_anew(dressed: Practice) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    expected = facts()
    assert all(expected.values())
    MigrationExecutor(connection).migrate([BEFORE])
    assert "analytics_resultfact" not in connection.introspection.table_names()
    MigrationExecutor(connection).migrate([WITH])
    assert facts() == expected
    assert refresh(dressed) == 0


def test_what_the_integration_saved_as_plain_python_counts_it(dressed: Practice) -> None:
    for period in (PERIOD, EVER):
        filed = [order for order in counted(dressed, period) if order.filed_at]
        found = [
            one for order in counted(dressed, EVER) if order.filed_at
            for test in order.ordered_tests.all() for one in test.results.all()
            if not one.withheld and period.first <= on(one.found_at) <= period.last  # type: ignore[operator]
        ]  # fmt: skip
        rows = {str(row[0]): row[1] for row in value(dressed, period).rows}
        assert rows["Orders filed in Caspio"] == len(filed) > 0
        assert rows["Ordered tests filed in Caspio"] == sum(order.ordered_tests.count() for order in filed)
        assert rows["Results filed in Caspio"] == len(found) > 0
        assert rows["Result values filed in Caspio"] == sum(one.values.count() for one in found) > 0


def test_labs_are_those_of_the_catalogue_test_by_test(dressed: Practice) -> None:
    check_labs(TESTS)


def check_labs(catalogue: dict[str, str]) -> None:
    by_order: dict[UUID, list[TestFact]] = {}
    for test in TestFact.objects.order_by("pk"):
        by_order.setdefault(test.order_id, []).append(test)
    for fact in OrderFact.objects.all():
        tests = by_order.get(fact.pk, [])
        labs = {catalogue.get(one.lab_test_key, "") for one in tests}
        known = labs - {""}
        assert (fact.labs, fact.lab) == (len(labs), SEVERAL if len(known) > 1 else "".join(known))
        for lab in labs:
            mine = [one for one in tests if catalogue.get(one.lab_test_key, "") == lab]
            assert {one.lab for one in mine} == {lab}
            assert [one.leads for one in mine] == [True] + [False] * (len(mine) - 1)
            canceled = fact.phase == Phase.CANCELED
            assert mine[0].lab_ended == (canceled and any(one.ended_on for one in mine))


def test_a_test_that_goes_to_another_lab_takes_its_orders_along(dressed: Practice) -> None:
    with_it = set(TestFact.objects.filter(lab_test_key="labts_0").values_list("order_id", flat=True))
    newcomer = set(TestFact.objects.filter(lab_test_key="labts_gone").values_list("order_id", flat=True))
    assert with_it
    assert newcomer
    LabTest.objects.filter(external_id="labts_0").update(lab_company_id_external="co_2")
    LabTest.objects.create(practice=dressed, external_id="labts_gone", lab_company_id_external="co_3")
    assert refresh(dressed) == len(with_it | newcomer)
    assert refresh(dressed) == 0
    check_labs({**TESTS, "labts_0": "co_2", "labts_gone": "co_3"})
    labs = {row["lab"] for row in orders.orders_by(dressed, EVER, "lab").as_dicts()}
    assert orders.UNKNOWN_LAB not in labs


def test_an_order_counts_as_filed_once_it_is(practice: Practice) -> None:
    put(practice, 1, [("labts_0", NOW)], submitted_at=NOW, paid_at=NOW)
    Result.objects.update(found_at=NOW)
    refresh(practice)
    assert value(practice, EVER).rows[-1][1] == 0
    Order.objects.update(filed_at=NOW)
    assert refresh(practice) == 1
    assert [row[1] for row in value(practice, EVER).rows[1:4]] == [1, 1, 1]


def test_whose_a_test_is_and_what_it_read_go_with_the_erased_order(practice: Practice) -> None:
    practice.config["analytics"] = {"repeat_months": {"labts_0": 3}}
    patient = Patient.objects.create(practice=practice, external_id="pat_1", person={})
    old = NOW - timedelta(days=200)
    put(practice, 1, [("labts_0", old)], submitted_at=old, paid_at=old, patient=patient, filed_at=old)
    ResultValue.objects.create(result=Result.objects.get(), number=1, analyte="Invented", reading={})
    refresh(practice)
    assert TestFact.objects.get().patient_id == patient.pk
    assert ResultFact.objects.get().value_count == 1
    assert [row["due"] for row in repeats.repeats_due(practice, TODAY).as_dicts()] == [1]
    erase(practice, [patient], actor=job("test"), why="She asked for it.")
    assert refresh(practice) == 1
    assert TestFact.objects.get().patient_id is None
    assert ResultFact.objects.get().value_count == 0
    assert repeats.repeats_due(practice, TODAY).as_dicts() == []
    assert OrderFact.objects.get().phase == Phase.COMPLETE  # it was ordered all the same, and counts


def test_a_result_that_is_deleted_takes_its_fact_along(practice: Practice) -> None:
    put(practice, 1, [("labts_0", NOW)], submitted_at=NOW, filed_at=NOW)
    refresh(practice)
    assert ResultFact.objects.count() == 1
    Result.objects.all().delete()
    assert not ResultFact.objects.exists()
    OrderFact.objects.all().delete()
    assert not TestFact.objects.exists()
