"""Jobs of workers that died are given back, a killer among them ends as dead, and the look-out is watched."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from labbridge.engine import queue, rescue
from labbridge.engine.jobs import task
from labbridge.engine.models import Pulse
from labbridge.engine.rescue import Rescuer, rescue_alive, rescue_stalled_jobs
from labbridge.engine.retry import RetryPolicy
from labbridge.engine.worker import HEARTBEAT_SECONDS

pytestmark = pytest.mark.django_db(transaction=True)

POLICY = RetryPolicy(first=timedelta(seconds=2), give_up_after=timedelta(seconds=30), jitter=0)
dead: list[tuple[str, int]] = []


def _dead(reason: str, number: int) -> None:
    if number == 666:
        raise LookupError("nobody to tell")
    dead.append((reason, number))


@task("tests_rescued", policy=POLICY, on_dead=_dead)
def do(number: int) -> None:
    raise AssertionError(f"{number} is only rescued here")


def worker(silent_for: float) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - make_interval(secs => %s)) "
            "RETURNING id",
            [silent_for],
        )
        return int(cursor.fetchone()[0])


def running(number: int, worker_id: int | None, attempts: int = 0) -> None:
    do.defer(lock=f"lock {number}", number=number)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s, attempts = %s "
            "WHERE args->>'number' = %s",
            [worker_id, attempts, str(number)],
        )


def state(number: int) -> tuple[str, int, float]:
    """Status, attempts, and seconds until it may run again."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT status::text, attempts, coalesce(extract(epoch FROM scheduled_at - now()), 0) "
            "FROM procrastinate_jobs WHERE args->>'number' = %s",
            [str(number)],
        )
        status, attempts, wait = cursor.fetchone()
        return status, attempts, float(wait)


@pytest.fixture(autouse=True)
def _fresh():
    dead.clear()


def test_jobs_of_a_silent_worker_run_again_at_once():
    running(1, worker(silent_for=60))
    assert rescue_stalled_jobs() == 1
    status, attempts, wait = state(1)
    assert (status, attempts) == ("todo", 1)
    assert wait <= 0


def test_jobs_of_a_worker_whose_row_is_gone_run_again():
    running(1, None)
    assert rescue_stalled_jobs() == 1
    assert state(1)[0] == "todo"


def test_jobs_of_a_living_worker_are_left_alone():
    running(1, worker(silent_for=1))
    assert rescue_stalled_jobs() == 0
    assert state(1)[0] == "doing"


def test_a_job_that_keeps_killing_rests_so_that_others_get_on():
    running(1, worker(silent_for=60), attempts=2)
    rescue_stalled_jobs()
    status, _, wait = state(1)
    assert status == "todo"
    assert 1 < wait <= rescue.LONGEST_REST.total_seconds()


def test_a_job_that_kills_each_worker_ends_as_dead_and_says_so():
    running(1, worker(silent_for=60), attempts=POLICY.attempts - 1)
    rescue_stalled_jobs()
    assert state(1)[0] == "failed"
    assert dead == [("Its worker died each time it was tried.", 1)]


def test_a_death_that_cannot_be_told_does_not_keep_others_from_rescue():
    gone = worker(silent_for=60)
    running(666, gone, attempts=POLICY.attempts - 1)
    running(2, gone)
    assert rescue_stalled_jobs() == 2
    assert state(666)[0] == "failed"
    assert state(2)[0] == "todo"


def test_a_task_that_nobody_knows_any_more_is_given_back():
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args, status) "
            "VALUES ('default', 'gone', '{\"number\": 9}', 'doing')"
        )
    assert rescue_stalled_jobs() == 1
    assert state(9)[0] == "todo"


def test_what_rests_because_its_worker_died_is_told_apart_from_what_failed():
    running(1, worker(silent_for=60), attempts=2)
    assert not queue.orphaned("lock 1", rescue.LONGEST_REST), "it still runs"
    rescue_stalled_jobs()
    assert queue.orphaned("lock 1", rescue.LONGEST_REST)
    assert not queue.orphaned("lock 2", rescue.LONGEST_REST)
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM procrastinate_jobs WHERE args->>'number' = '1'")
        queue.note_failure(cursor.fetchone()[0], "The peer is away.", surprise=False)
    assert not queue.orphaned("lock 1", rescue.LONGEST_REST)


def test_the_rescued_job_is_really_run_again(run_jobs):
    ran: list[int] = []

    @task("tests_rescued_and_run", policy=POLICY)
    def run_it(number: int) -> None:
        ran.append(number)

    run_it.defer(lock="a", number=5)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = 'doing'")
    run_jobs()
    assert ran == []
    rescue_stalled_jobs()
    run_jobs()
    assert ran == [5]


def test_a_dead_worker_is_noticed_within_a_minute_and_a_living_one_may_miss_a_sign_of_life():
    assert timedelta(minutes=1) > rescue.STALLED_AFTER + rescue.INTERVAL
    assert timedelta(seconds=3 * HEARTBEAT_SECONDS) < rescue.STALLED_AFTER


# -- the look-out itself ---------------------------------------------------------------------------------


def test_a_rescue_by_a_command_is_no_sign_of_a_worker():
    rescue_stalled_jobs()
    assert not rescue_alive()


def test_the_look_out_shows_that_it_is_alive_and_ends_when_asked():
    rescuer = Rescuer()
    rescuer.start()
    wait_until(rescue_alive)
    rescuer.stop()
    assert not rescuer.is_alive()
    Pulse.objects.update(at=timezone.now() - timedelta(minutes=2))
    assert not rescue_alive()


def test_the_look_out_survives_whatever_happens(monkeypatch):
    calls: list[int] = []

    def fail() -> int:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("Testa Sampleperson")
        return 0

    monkeypatch.setattr(rescue, "rescue_stalled_jobs", fail)
    monkeypatch.setattr(rescue, "INTERVAL", timedelta(milliseconds=20))
    rescuer = Rescuer()
    rescuer.start()
    wait_until(rescue_alive)
    rescuer.stop()
    assert len(calls) > 1


def wait_until(true, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)
