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
from django.utils import timezone
from procrastinate.contrib.django import app

from labbridge.engine import worker
from labbridge.engine.jobs import bulk, every, hasten, task
from labbridge.engine.queue import due
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


def test_an_import_keeps_nothing_waiting_that_happens_meanwhile():
    with bulk():
        do.defer_many([(f"row:{number}", {"number": number}) for number in (1, 2)])
        do.defer(lock="row:3", number=3)
    do.defer(lock="order", number=4)
    do.defer_many([("another", {"number": 5}), ("row:1", {"number": 6})])
    worker.run_until_idle(concurrency=1)
    assert done == [4, 5, 6, 1, 2, 3]


def test_what_a_job_of_an_import_asks_for_gives_way_too(monkeypatch):
    def lead(number: int) -> None:
        done.append(number)
        if number == 1:
            do.defer(lock="a", number=2)
            with bulk():
                do.defer(lock="b", number=3)
        if number == 4:
            do.defer(lock="c", number=5)
            do.defer(lock="d", number=6)

    monkeypatch.setitem(globals(), "deed", lead)
    with bulk():
        do.defer(lock="1", number=4)
    do.defer(lock="1", number=1)
    worker.run_until_idle(concurrency=1)
    assert done == [1, 2, 4, 3, 5, 6]


def test_what_an_import_has_queued_does_not_give_way_once_it_is_asked_for_now():
    with bulk():
        do.defer_many([(f"row:{number}", {"number": number}) for number in (1, 2, 3)])
        hasten(["row:1"])
    do.defer(lock="order", number=4)
    hasten(["row:3", "nobody's"])
    worker.run_until_idle(concurrency=1)
    assert done == [3, 4, 1, 2]


def test_what_looks_after_all_others_does_not_stand_behind_them():
    watch = task("tests_watched", policy=RetryPolicy())(lambda: done.append(0))
    every("0 0 1 1 *")(watch)
    do.defer_many([(str(number), {"number": number}) for number in (1, 2)])
    app.configure_task("tests_watched_by_clock").defer(timestamp=0)
    worker.run_until_idle(concurrency=1)
    assert done == [0, 1, 2]


def test_a_bulk_job_behind_a_later_attempt_is_not_due():
    with bulk():
        do.defer(lock="row:1", number=1)
    do.defer(lock="row:1", at=timezone.now() + timedelta(hours=1), number=2)
    assert due() == 0, "it would run for ever in search of it"
    worker.run_until_idle()
    assert done == []
