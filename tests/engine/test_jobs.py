"""Jobs run by the real worker: attempts, scrubbing, locks, death."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import InternalError, OperationalError, connection, transaction
from django.utils import timezone

from labbridge.engine import jobs, queue
from labbridge.engine.jobs import JobFailed, NotYet, task
from labbridge.engine.models import Failure
from labbridge.engine.retry import RetryPolicy
from labbridge.peers.errors import Unavailable
from labbridge.trust.keys import CannotOpen
from tests.world import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

PLANTED = "Testa Sampleperson, testa@patients.example"
QUICK = RetryPolicy(first=timedelta(seconds=1), give_up_after=timedelta(minutes=5), surprises=3, jitter=0)

deed: Callable[[int], None] = lambda _number: None  # noqa: E731  # what the task does now; each test sets it
told: list[tuple[str, str, int]] = []
tell: Callable[[], None] = lambda: None  # noqa: E731


def _retry(reason: str, number: int) -> None:
    told.append(("retry", reason, number))
    tell()


def _dead(reason: str, number: int) -> None:
    told.append(("dead", reason, number))
    tell()


@task("tests_deed", policy=QUICK, on_retry=_retry, on_dead=_dead)
def do(number: int) -> None:
    deed(number)


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch):
    told.clear()
    monkeypatch.setitem(globals(), "tell", lambda: None)


@pytest.fixture
def doing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int], None]], None]:
    return lambda function: monkeypatch.setitem(globals(), "deed", function)


def raising(error: BaseException) -> Callable[[int], None]:
    def fail(_number: int) -> None:
        raise error

    return fail


def rows() -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, status::text, attempts, lock, scheduled_at FROM procrastinate_jobs "
            "WHERE task_name NOT LIKE 'tick%%' ORDER BY id",  # the clock's own
            [],
        )
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def everything_stored() -> str:
    """Every row of every table of the engine, as text."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relname LIKE 'procrastinate%' AND relkind = 'r'")
        found = []
        for (name,) in cursor.fetchall():
            cursor.execute(f"SELECT row.*::text FROM {name} row")
            found += [str(row) for row in cursor.fetchall()]
    return "\n".join(found)


# -- deferring -------------------------------------------------------------------------------------------


def test_a_job_runs_and_leaves_nothing_behind(doing, run_jobs):
    done: list[int] = []
    doing(done.append)
    do.defer(lock="a", number=7)
    run_jobs()
    assert done == [7]
    assert rows() == []


def test_a_task_may_be_called_here_and_now(doing):
    done: list[int] = []
    doing(done.append)
    do(number=3)
    assert done == [3]


def test_a_job_is_kept_with_its_transaction_or_not_at_all():
    with transaction.atomic():
        do.defer(lock="a", number=1)
        assert len(rows()) == 1
        transaction.set_rollback(True)
    assert rows() == []


def test_a_database_that_refuses_is_djangos_own_error():
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    with pytest.raises(InternalError, match="read-only"):
        do.defer(lock="a", number=1)
    connection.close()


def test_a_scheduled_job_waits_for_its_time(doing, run_jobs):
    done: list[int] = []
    doing(done.append)
    do.defer(lock="a", at=timezone.now() + timedelta(hours=1), number=1)
    assert queue.due("a") == 0
    assert [row["status"] for row in rows()] == ["todo"]
    run_jobs()
    assert done == []
    run_jobs(waiting=True)
    assert done == [1]


# -- attempts --------------------------------------------------------------------------------------------


def test_what_must_wait_is_told_and_tried_again_after_the_time_asked(doing, run_jobs):
    doing(raising(NotYet("Not connected.", retry_after=120)))
    do.defer(lock="a", number=1)
    run_jobs()
    (row,) = rows()
    assert (row["status"], row["attempts"]) == ("todo", 1)
    assert timedelta(seconds=110) < row["scheduled_at"] - timezone.now() <= timedelta(seconds=121)
    assert told == [("retry", "Not connected.", 1)]


def test_a_peer_that_is_away_is_tried_again_and_the_reason_says_what_to_do(doing, run_jobs):
    doing(raising(Unavailable("caspio", "insert Lab_Orders", status=503)))
    do.defer(lock="a", number=1)
    run_jobs()
    assert told == [("retry", "caspio: insert Lab_Orders: Unavailable, status 503. " + Unavailable.advice, 1)]
    doing(lambda _number: None)
    run_jobs(waiting=True)
    assert rows() == []


def test_a_surprise_is_tried_a_few_times_and_then_dead(doing, run_jobs):
    doing(raising(KeyError(PLANTED)))
    do.defer(lock="a", number=1)
    run_jobs(waiting=True)
    (row,) = rows()
    assert (row["status"], row["attempts"]) == ("failed", QUICK.surprises)
    assert [kind for kind, _, _ in told] == ["retry", "retry", "dead"]
    assert told[-1][1].startswith("An error that nobody foresaw (KeyError in ")
    (job,) = queue.failed()
    assert (job.task, job.ids, job.attempts, job.state) == ("tests_deed", {"number": 1}, 3, "dead")
    assert job.reason == told[-1][1]


def test_a_surprise_after_many_foreseen_failures_is_only_the_first(doing, run_jobs):
    doing(raising(NotYet("Not yet.")))
    do.defer(lock="a", number=1)
    run_jobs(waiting=True, rounds=QUICK.surprises)
    doing(raising(KeyError(PLANTED)))
    run_jobs(waiting=True, rounds=1)
    assert told[-1][0] == "retry"
    run_jobs(waiting=True)
    assert rows()[0]["status"] == "failed"
    surprised = [kind for kind, reason, _ in told if "KeyError" in reason]
    assert surprised == ["retry", "retry", "dead"]


def test_why_a_job_failed_is_forgotten_when_it_has_succeeded(doing, run_jobs):
    doing(raising(NotYet("Not yet.")))
    do.defer(lock="a", number=1)
    run_jobs()
    (job,) = queue.failed()
    assert (job.state, job.reason) == ("waiting", "Not yet.")
    doing(lambda _number: None)
    run_jobs(waiting=True)
    queue.forget_failures()
    assert not Failure.objects.exists()


def test_a_dead_job_is_tried_again_when_a_person_wants_it(doing, run_jobs):
    done: list[int] = []
    doing(raising(JobFailed("No such thing.", retry=False)))
    do.defer(lock="a", number=1)
    run_jobs()
    doing(done.append)
    (job,) = queue.failed()
    assert queue.replay([job.id]) == 1
    run_jobs()
    assert (done, rows(), queue.failed()) == ([1], [], [])


def test_attempts_end_when_the_policy_says(doing, run_jobs):
    doing(raising(NotYet("Not yet.")))
    do.defer(lock="a", number=1)
    run_jobs(waiting=True, rounds=40)
    (row,) = rows()
    assert (row["status"], row["attempts"]) == ("failed", QUICK.attempts)
    assert told[-1] == ("dead", "Not yet.", 1)
    assert sum(kind == "dead" for kind, _, _ in told) == 1


def test_what_waiting_does_not_mend_is_dead_at_once(doing, run_jobs):
    doing(raising(JobFailed("No such thing.", retry=False)))
    do.defer(lock="a", number=1)
    run_jobs()
    assert rows()[0]["status"] == "failed"
    assert told == [("dead", "No such thing.", 1)]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OperationalError(PLANTED), "The database was away for a moment."),
        (CannotOpen("A key is missing."), "A key is missing."),
    ],
)
def test_what_is_not_the_jobs_fault_is_no_surprise(doing, run_jobs, error, reason):
    doing(raising(error))
    do.defer(lock="a", number=1)
    run_jobs(waiting=True, rounds=QUICK.surprises + 1)
    assert rows()[0]["status"] == "todo"
    assert set(told) == {("retry", reason, 1)}


def test_people_who_cannot_be_told_do_not_stop_the_job(doing, run_jobs, monkeypatch, capfd):
    monkeypatch.setitem(globals(), "tell", lambda: raising(LookupError(PLANTED))(0))
    doing(raising(NotYet("Not yet.")))
    do.defer(lock="a", number=1)
    run_jobs()
    (row,) = rows()
    assert (row["status"], row["attempts"]) == ("todo", 1)
    assert row["scheduled_at"] > timezone.now(), "it would be tried again at once, for ever"
    assert PLANTED not in "".join(capfd.readouterr())


def test_what_is_told_is_undone_whole_when_it_fails_half_way(doing, run_jobs, monkeypatch):
    from labbridge.engine.models import Pulse

    def half() -> None:
        Pulse.objects.create(name="half")
        raise LookupError

    monkeypatch.setitem(globals(), "tell", half)
    doing(raising(NotYet("Not yet.")))
    do.defer(lock="a", number=1)
    run_jobs()
    assert not Pulse.objects.filter(name="half").exists()


# -- no PHI ----------------------------------------------------------------------------------------------


def test_an_exceptions_words_are_nowhere(doing, run_jobs, capfd):
    def fail(_number: int) -> None:
        try:
            int(PLANTED)
        except ValueError as error:
            raise RuntimeError(PLANTED, {"name": PLANTED}) from error

    doing(fail)
    do.defer(lock="a", number=1)
    run_jobs(waiting=True)
    assert [kind for kind, _, _ in told][-1] == "dead"
    out, err = capfd.readouterr()
    assert "engine.job_dead" in out
    for place in (out, err, everything_stored(), repr(told)):
        assert "Testa" not in place
        assert "patients.example" not in place


def test_where_an_error_came_from_is_a_module_and_a_line_of_ours():
    from labbridge.practices.config import ConfigProblem, parse

    with pytest.raises(ConfigProblem) as caught:
        parse("nonsense")
    assert jobs.where(caught.value).startswith("labbridge.practices.config:")
    assert jobs.where(ValueError(PLANTED)) == "?"


# -- locks -----------------------------------------------------------------------------------------------


def test_jobs_of_one_lock_run_one_by_one_in_their_order(doing, run_jobs):
    running, order, together = [], [], []

    def work(number: int) -> None:
        running.append(number)
        together.append(len(running))
        time.sleep(0.02)
        order.append(number)
        running.remove(number)

    doing(work)
    for number in range(6):
        do.defer(lock="one", number=number)
    run_jobs()
    assert order == list(range(6))
    assert max(together) == 1


def test_jobs_of_other_locks_run_side_by_side(doing, run_jobs):
    meeting = threading.Barrier(3, timeout=10)
    doing(lambda _number: meeting.wait() and None)
    for number in range(3):
        do.defer(lock=f"lock {number}", number=number)
    run_jobs()
    assert rows() == []


def test_a_poisoned_job_does_not_block_its_lock_for_ever(doing, run_jobs):
    done: list[int] = []

    def work(number: int) -> None:
        if number == 1:
            raise RuntimeError
        done.append(number)

    doing(work)
    do.defer(lock="one", number=1)
    do.defer(lock="one", number=2)
    do.defer(lock="other", number=3)
    run_jobs()
    assert done == [3], "2 waits for its turn while 1 is tried again"
    assert queue.due("one") == 0, "what waits behind a later attempt is not due"
    run_jobs(waiting=True)
    assert done == [3, 2]
    assert [row["status"] for row in rows()] == ["failed"]


def test_what_waits_can_be_brought_forward_by_its_lock(doing, run_jobs):
    doing(raising(NotYet("Not connected.", retry_after=3600)))
    do.defer(lock="willow:file:1", number=1)
    do.defer(lock="aspen:file:1", number=2)
    run_jobs()
    assert queue.bring_forward("willow:") == 1
    assert queue.due("willow:") == 1
    assert queue.due("aspen:") == 0


# -- the worker ------------------------------------------------------------------------------------------


def test_running_until_idle_also_runs_what_jobs_defer(doing, run_jobs):
    done: list[int] = []

    def work(number: int) -> None:
        done.append(number)
        if number < 4:
            do.defer(lock=f"lock {number % 2}", number=number + 1)

    doing(work)
    do.defer(lock="start", number=0)
    run_jobs()
    assert done == [0, 1, 2, 3, 4]


def test_running_until_idle_leaves_alone_what_another_worker_is_at(doing, run_jobs):
    do.defer(lock="one", number=1)
    do.defer(lock="one", number=2)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = 'doing' WHERE args->>'number' = '1'")
    run_jobs()
    assert [row["status"] for row in rows()] == ["doing", "todo"]
    assert queue.due("one") == 2


def test_a_worker_leaves_no_connection_behind(doing, run_jobs):
    doing(lambda _number: connection.ensure_connection())
    for number in range(8):
        do.defer(lock=str(number), number=number)
    run_jobs()

    def connected() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
            return int(cursor.fetchone()[0])

    wait_for(lambda: connected() == 1, "the end of the worker's connections")


def test_a_command_leaves_the_clock_to_the_service(doing, run_jobs):
    doing(lambda _number: None)
    do.defer(lock="a", number=1)
    run_jobs()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_periodic_defers")
        assert cursor.fetchone()[0] == 0


def test_many_jobs_run_side_by_side_when_asked(doing):
    from labbridge.engine.worker import run_until_idle

    meeting = threading.Barrier(12, timeout=20)
    doing(lambda _number: meeting.wait() and None)
    for number in range(12):
        do.defer(lock=str(number), number=number)
    run_until_idle(concurrency=12)
    assert rows() == []


def test_a_task_that_a_newer_version_no_longer_has_keeps_its_job(run_jobs):
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args, lock) "
            "VALUES ('default', 'gone', '{}', 'a')"
        )
    run_jobs()
    assert [row["status"] for row in rows()] == ["failed"]
    assert [job.task for job in queue.failed()] == ["gone"]
