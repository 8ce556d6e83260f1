"""The worker that lives on: it ends when asked, finishes what runs, and outlives trouble with its database."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection

from labbridge.engine import worker
from labbridge.engine.jobs import task
from labbridge.engine.retry import RetryPolicy

pytestmark = pytest.mark.django_db(transaction=True)

done: list[int] = []
deed: Callable[[int], None] = done.append


@task("tests_lived", policy=RetryPolicy(first=timedelta(milliseconds=50)))
def do(number: int) -> None:
    deed(number)


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch):
    done.clear()
    monkeypatch.setattr(worker, "PAUSE_SECONDS", 0.05)


def run_until(ended: Callable[[], bool], seconds: float = 20) -> None:
    """The worker in this thread, as a process would run it; SIGTERM when `ended`."""

    def watch() -> None:
        end = time.monotonic() + seconds
        while not ended() and time.monotonic() < end:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    watcher = threading.Thread(target=watch)
    watcher.start()
    worker.run(2)
    watcher.join()


def test_it_runs_jobs_and_ends_when_asked():
    do.defer(lock="a", number=1)
    run_until(lambda: done == [1])
    assert done == [1]


def test_it_finishes_what_runs_before_it_ends(monkeypatch):
    started = threading.Event()

    def slow(number: int) -> None:
        started.set()
        time.sleep(0.5)
        done.append(number)

    monkeypatch.setitem(globals(), "deed", slow)
    do.defer(lock="a", number=1)
    run_until(started.is_set)
    assert done == [1]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'tests_lived'")
        assert cursor.fetchone()[0] == 0


def test_a_worker_that_cannot_write_a_jobs_end_is_replaced(monkeypatch):
    def vanish(number: int) -> None:
        done.append(number)
        if number == 1:
            with connection.cursor() as cursor:
                cursor.execute("DELETE FROM procrastinate_jobs WHERE args->>'number' = '1'")

    monkeypatch.setitem(globals(), "deed", vanish)
    do.defer(lock="a", number=1)
    workers: list[int] = []

    def ended() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT max(id) FROM procrastinate_workers")
            (newest,) = cursor.fetchone()
        connection.close()
        if newest and newest not in workers:
            workers.append(newest)
        return len(workers) > 1

    run_until(ended)
    assert len(workers) > 1


def test_it_outlives_the_loss_of_every_connection():
    lost: list[int] = []

    def ended() -> bool:
        if not lost:
            with connection.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM procrastinate_workers")
                if cursor.fetchone()[0]:
                    cursor.execute(
                        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )
                    lost.append(1)
                    do.defer(lock="a", number=2)
            connection.close()
        return done == [2]

    connection.close()
    run_until(ended)
    assert done == [2]
