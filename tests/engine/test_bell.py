"""Waking workers: after the commit, once for many jobs, and never at the cost of a job."""

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection, transaction
from procrastinate.jobs import Job
from procrastinate.manager import JobManager

from labbridge.engine import bell, worker
from labbridge.engine.jobs import task
from labbridge.engine.retry import OWN

pytestmark = pytest.mark.django_db(transaction=True)


@task("bell_test", policy=OWN)
def nothing(number: int) -> None:
    """Only ever deferred."""


@task("chained_test", policy=OWN)
def chained(number: int) -> None:
    """One of eight behind one lock."""
    ran.append(number)
    if number == 7:
        all_ran.set()


ran: list[int] = []
all_ran = threading.Event()


@pytest.fixture
def listener() -> Iterator[psycopg.Connection]:
    connection.ensure_connection()
    with psycopg.connect(connection.connection.info.dsn, autocommit=True) as listening:
        listening.execute("LISTEN procrastinate_any_queue_v1")
        yield listening


def heard(listening: psycopg.Connection, seconds: float = 0.4) -> int:
    return len(list(listening.notifies(timeout=seconds)))


def test_a_deferred_job_is_told_of_after_its_commit_only(listener: psycopg.Connection) -> None:
    with transaction.atomic():
        nothing.defer(lock="one", number=1)
        assert heard(listener, 0.1) == 0
    assert heard(listener) == 1


def test_a_job_for_later_wakes_nobody(listener: psycopg.Connection) -> None:
    from django.utils import timezone

    nothing.defer(lock="one", at=timezone.now(), number=1)
    assert heard(listener) == 0


def test_a_hanging_bell_tells_of_many_jobs_at_once(listener: psycopg.Connection) -> None:
    with bell.hung():
        for number in range(50):
            nothing.defer(lock=f"{number}", number=number)
        assert 1 <= heard(listener) < 25


def test_a_hanging_bell_gives_its_connection_back(listener: psycopg.Connection) -> None:
    with bell.hung():
        bell.ring()
        assert heard(listener) == 1
        deadline = time.monotonic() + 10
        while _notifying() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert _notifying() == 0
    assert not [thread for thread in threading.enumerate() if thread.name == "bell"]


def _notifying() -> int:
    """Connections whose last statement was the bell's."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND query LIKE '%pg_notify%' AND pid <> pg_backend_pid()"
        )
        return int(cursor.fetchone()[0])


def test_a_bell_that_cannot_ring_costs_no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bell, "_NOTIFY", "SELECT no_such_function()")
    nothing.defer(lock="one", number=1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_jobs")
        assert cursor.fetchone()[0] == 1


def test_a_job_that_cannot_be_stored_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labbridge.engine.jobs._DEFER_ONE", "no_such_function(%s, %s, %s, %s, %s)")
    with pytest.raises(Exception, match="no_such_function") as problem:
        nothing.defer(lock="one", number=1)
    assert not isinstance(problem.value, OperationalError)


def test_jobs_behind_one_lock_follow_without_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of a job frees the next, which nothing but the worker itself can notice."""
    assert _chain(monkeypatch) == list(range(8))


def test_a_job_freed_while_the_worker_looks_is_not_left_to_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The look found nothing, and before its answer is here, what it would have found has come."""
    look = JobManager.fetch_job

    async def answered_late(self: JobManager, *args: Any, **kwargs: Any) -> Job | None:
        job = await look(self, *args, **kwargs)
        if job is None:
            await asyncio.sleep(0.2)
        return job

    monkeypatch.setattr(JobManager, "fetch_job", answered_late)
    assert _chain(monkeypatch) == list(range(8))


def _chain(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What a worker that never looks by itself runs, in 20 seconds, of eight jobs behind one lock."""
    monkeypatch.setattr(worker, "LOOK_SECONDS", 3600.0)
    ran.clear()
    all_ran.clear()
    for number in range(8):
        chained.defer(lock="the same", number=number)

    async def work() -> None:
        running = asyncio.create_task(worker._run(4))
        with ThreadPoolExecutor(1) as waiting:
            await asyncio.get_running_loop().run_in_executor(waiting, all_ran.wait, 20)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(work())
    return list(ran)
