"""Jobs that are done together: all of them or none, and whatever goes wrong is met alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from labbridge.engine import together
from labbridge.engine.jobs import task
from labbridge.engine.models import Tally
from labbridge.engine.retry import RetryPolicy
from labbridge.engine.together import keep_apart
from labbridge.engine.worker import run_until_idle

pytestmark = pytest.mark.django_db(transaction=True)

POLICY = RetryPolicy(first=timedelta(hours=1), give_up_after=timedelta(hours=3), surprises=2, jitter=0)
done: list[int] = []  # alone
batches: list[list[int]] = []
dead: list[int] = []
poison: set[int] = set()
willing = True


def _together(jobs: Sequence[dict[str, Any]]) -> bool:
    numbers = [int(ids["number"]) for ids in jobs]
    batches.append(numbers)
    Tally.objects.bulk_create(Tally(name=f"did {number}", hour="2026-01-01T00:00Z") for number in numbers)
    if poison & set(numbers):
        raise LookupError("of Testa Sampleperson")
    return willing


@task(
    "tests_together", policy=POLICY, on_dead=lambda _reason, number: dead.append(number), together=_together
)
def do(number: int) -> None:
    if number in poison:
        raise LookupError("of Testa Sampleperson")
    done.append(number)


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    for kept in (done, batches, dead, poison, together._alone):
        kept.clear()
    monkeypatch.setitem(globals(), "willing", True)


def left() -> list[tuple[int, int]]:
    """Number and attempts of the jobs that are still there."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT (args->>'number')::int, attempts FROM procrastinate_jobs ORDER BY id")
        return cursor.fetchall()


def defer(*numbers: int, lock: Callable[[int], str] = lambda number: f"lock {number % 3}") -> None:
    do.defer_many([(lock(number), {"number": number}) for number in numbers])


def recorded() -> int:
    return Tally.objects.filter(name__startswith="did ").count()


def test_what_is_due_is_done_at_once_and_in_order():
    defer(*range(9))
    run_until_idle(1)
    assert [sorted(batch) for batch in batches] == [list(range(9))]
    assert [n for n in batches[0] if n % 3 == 1] == [1, 4, 7]
    assert (done, left(), recorded()) == ([], [], 9)


def test_one_job_by_itself_is_done_alone():
    defer(1)
    run_until_idle(1)
    assert (done, batches, left()) == ([1], [], [])


def test_what_waits_for_its_time_or_belongs_to_another_task_is_left():
    defer(0, 1)
    do.defer(lock="lock 7", at=timezone.now() + timedelta(hours=1), number=7)
    run_until_idle(1)
    assert (batches, left()) == ([[0, 1]], [(7, 0)])


def test_a_poisonous_one_takes_nobody_with_it():
    poison.add(4)
    defer(*range(9))
    run_until_idle(1)
    assert sorted(done) == [0, 1, 2, 3, 5, 6, 8]
    assert left() == [(4, 1), (7, 0)]  # the line stops where it failed, and only there
    assert recorded() == 0  # what they had done together was taken back


def test_one_that_failed_before_is_never_taken_along():
    poison.add(4)
    defer(*range(6))
    run_until_idle(1)
    batches.clear()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET scheduled_at = now()")
    defer(10, 11)
    run_until_idle(1)
    assert all(4 not in batch for batch in batches)
    assert dead == [4]


def test_after_a_workers_death_everybody_is_alone_for_a_while():
    keep_apart()
    defer(*range(4))
    run_until_idle(1)
    assert (sorted(done), batches) == ([0, 1, 2, 3], [])


def test_together_may_say_no(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(globals(), "willing", False)
    defer(*range(4))
    run_until_idle(1)
    assert (sorted(done), left()) == ([0, 1, 2, 3], [])


def test_jobs_that_another_worker_holds_are_not_waited_for():
    defer(0, 1, 2)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = 'doing' WHERE args->>'number' = '1'")
    defer(4)  # behind it
    run_until_idle(1)
    assert (batches, left()) == ([[0, 2]], [(1, 0), (4, 0)])
