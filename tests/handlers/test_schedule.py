from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone
from procrastinate.contrib.django import app

from labbridge.engine.jobs import BULK, NOW, bulk
from labbridge.handlers import schedule, settle
from labbridge.mirror.models import Chart, Order, Patient, PatientLink
from labbridge.practices.models import Practice
from labbridge.reconcile.stuck import orders_without_job
from tests.handlers.jobs_here import queued

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def order(practice: Practice) -> Order:
    """Of a patient who has a chart."""
    patient = Patient.objects.create(practice=practice, external_id="pat_clock")
    chart = Chart.objects.create(practice=practice, key="P-9")
    PatientLink.objects.create(practice=practice, chart=chart, patient=patient, reasons=["Decided."])
    return Order.objects.create(
        practice=practice, external_id="ord_clock", patient=patient, phase="in_progress", revision=1
    )


def test_the_ticks_are_registered_with_the_engine() -> None:
    assert {("tick_by_clock", ""), ("index_names_by_clock", "")} <= set(app.periodic_registry.periodic_tasks)


def test_a_catalogue_older_than_a_day_is_read_again(practice: Practice) -> None:
    Practice.objects.update(catalog_read_at=timezone.now() - timedelta(hours=25))
    schedule.tick()
    assert queued("sync_catalog") == [{"practice_id": str(practice.pk)}]


@pytest.mark.parametrize("read_at", [None, timezone.now() - timedelta(hours=23)])
def test_a_fresh_catalogue_or_none_is_left_alone(practice: Practice, read_at: Any) -> None:
    Practice.objects.update(catalog_read_at=read_at)
    schedule.tick()
    assert queued("sync_catalog") == []


def test_the_daily_catalogue_reaches_caspio(practice: Practice, caspio_sim: Any) -> None:
    Practice.objects.update(catalog_read_at=timezone.now() - timedelta(hours=25))
    schedule.sync_catalog(practice_id=str(practice.pk))
    assert len(caspio_sim.app.dump()["Lab_Tests"]) > 300
    writes = len([call for call in caspio_sim.requests() if call["method"] != "GET"])
    schedule.sync_catalog(practice_id=str(practice.pk))  # another tick's job, right after
    assert len([call for call in caspio_sim.requests() if call["method"] != "GET"]) == writes


def test_open_orders_are_looked_over_once_a_day(order: Order) -> None:
    Order.objects.update(filed_revision=1, filed_at=timezone.now() - timedelta(hours=25))
    assert schedule.look_over_open_orders() == 1
    assert queued("file_order") == [{"order_id": str(order.pk)}]
    assert schedule.look_over_open_orders() == 0, "one job stands for all"


def test_an_open_order_that_cannot_be_filed_is_not_looked_over_at_each_tick(order: Order) -> None:
    """It is not filed, so it would be a day old at each of them, and each time Caspio is asked for its patient."""
    Order.objects.update(filed_revision=1, filed_at=timezone.now() - timedelta(hours=25))
    PatientLink.objects.all().delete()
    assert schedule.look_over_open_orders() == 0


def test_what_was_erased_is_left_alone_for_good(order: Order) -> None:
    long_ago = timezone.now() - timedelta(hours=25)
    Order.objects.update(filed_revision=0, filed_at=long_ago, erased_at=timezone.now())
    assert schedule.look_over_open_orders() == 0
    assert schedule.pick_up_left_behind() == 0
    assert list(orders_without_job(order.practice)) == []


def test_finished_orders_are_not_looked_over(order: Order) -> None:
    Order.objects.update(phase="complete", filed_revision=1, filed_at=timezone.now() - timedelta(hours=25))
    assert schedule.look_over_open_orders() == 0


@pytest.mark.parametrize("flag", ["filing_queued", "pull_queued"])
def test_a_flag_without_a_job_is_picked_up(order: Order, flag: str) -> None:
    Order.objects.update(**{flag: True}, first_seen_at=timezone.now() - timedelta(hours=2))
    assert schedule.pick_up_left_behind() == 1
    assert queued("file_order" if flag == "filing_queued" else "pull_order") == [{"order_id": str(order.pk)}]
    assert schedule.pick_up_left_behind() == 0, "now a job stands for it"


def test_unfiled_work_without_a_flag_is_picked_up(order: Order) -> None:
    Order.objects.update(first_seen_at=timezone.now() - timedelta(hours=2))
    assert schedule.pick_up_left_behind() == 1
    assert queued("file_order") == [{"order_id": str(order.pk)}]


def test_what_a_backfill_has_queued_goes_first_once_something_happens_to_it(order: Order) -> None:
    def priorities() -> list[int]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT priority FROM procrastinate_jobs WHERE task_name = 'file_order'")
            return [row[0] for row in cursor.fetchall()]

    with transaction.atomic(), bulk():
        settle.queue_filing(order)
        settle.queue_filing(order)
    assert priorities() == [BULK]
    with transaction.atomic():
        settle.queue_filing(order)
    assert priorities() == [NOW]


def test_an_order_that_waits_for_a_person_is_not_left_behind(order: Order) -> None:
    Order.objects.update(filing_problem="No patient.", first_seen_at=timezone.now() - timedelta(hours=2))
    assert schedule.pick_up_left_behind() == 0
