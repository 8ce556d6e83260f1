"""A command that waits for its practice: until nothing is due, and nothing rests only because its worker died."""

from __future__ import annotations

import pytest
from django.db import connection

from labbridge.handlers import jobs
from labbridge.mirror.models import Order
from labbridge.practices.models import Practice
from labbridge.reconcile.settling import under_way

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_job_whose_worker_died_is_waited_for_though_its_order_says_nothing(practice: Practice) -> None:
    order = Order(practice=practice, external_id="ord_1")
    assert not under_way(practice)
    jobs.pull_order.defer(lock=f"{practice.slug}:{order.external_id}:pull", order_id=str(order.pk))
    _rest(attempts=0, seconds=30)
    assert not under_way(practice), "the retry of a failure is the worker's, and a schedule is nobody's haste"
    _rest(attempts=2, seconds=30)
    assert under_way(practice), "its worker had cleared `pull_queued` before it died"
    _rest(attempts=2, seconds=3600)
    assert not under_way(practice)


def _rest(attempts: int, seconds: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE procrastinate_jobs SET attempts = %s, scheduled_at = now() + make_interval(secs => %s) "
            "WHERE task_name = 'pull_order'",
            [attempts, seconds],
        )
