"""What is queued: counts for `/readyz`, dead jobs for people, and bringing forward what waits."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from django.db import connection, transaction

from labbridge.database.statements import fetch
from labbridge.engine.bell import ring

#: A job is held back by one of its lock that the engine puts before it: of a higher priority, or earlier of its own.
_DUE = """
  job.status = 'todo' AND (job.scheduled_at IS NULL OR job.scheduled_at <= now()) AND NOT EXISTS (
    SELECT 1 FROM procrastinate_jobs earlier WHERE earlier.lock = job.lock
       AND (earlier.priority > job.priority OR (earlier.priority = job.priority AND earlier.id < job.id))
       AND earlier.status = 'todo' AND earlier.scheduled_at > now())
"""
TAKEABLE = f"""
SELECT EXISTS (SELECT 1 FROM procrastinate_jobs job WHERE {_DUE} AND NOT EXISTS (
  SELECT 1 FROM procrastinate_jobs other WHERE other.lock = job.lock AND other.status = 'doing')) AS takeable
"""  # noqa: S608  # our own constant


def due(lock_prefix: str = "") -> int:
    """Jobs that are running or could run now, of the locks that start so.

    Schedules and waiting retries do not count (design.md 6.6.4), nor does what waits behind one.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM procrastinate_jobs job WHERE (job.status = 'doing' OR ({_DUE})) "  # noqa: S608  # our own constant
            "AND starts_with(coalesce(job.lock, ''), %s)",
            [lock_prefix],
        )
        return int(cursor.fetchone()[0])


def orphaned(lock_prefix: str, within: timedelta) -> bool:
    """Whether a job of the locks that start so comes again within this time whose worker died: it never failed.

    Its subject says nothing of it: the worker that died had cleared the flag and no failure set it again.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM procrastinate_jobs job WHERE status = 'todo' AND attempts > 0 "
            "AND starts_with(lock, %s) AND scheduled_at <= now() + make_interval(secs => %s) AND NOT EXISTS "
            "(SELECT 1 FROM engine_failure failure WHERE failure.job_id = job.id))",
            [lock_prefix, within.total_seconds()],
        )
        return bool(cursor.fetchone()[0])


def note_failure(job_id: int, reason: str, *, surprise: bool) -> int:
    """Remember why a job's last attempt failed. Returns how many of its failures nobody foresaw."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO engine_failure AS held (job_id, reason, surprises, at) VALUES (%s, %s, %s, now()) "
            "ON CONFLICT (job_id) DO UPDATE SET reason = excluded.reason, at = excluded.at, "
            "surprises = held.surprises + excluded.surprises RETURNING surprises",
            [job_id, reason[:300], int(surprise)],
        )
        return int(cursor.fetchone()[0])


def forget_failures() -> None:
    """Of jobs that have succeeded since."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM engine_failure failure WHERE NOT EXISTS ("
            "SELECT 1 FROM procrastinate_jobs job WHERE job.id = failure.job_id)"
        )


def taken_locks(locks: list[str]) -> set[str]:
    """Those of the locks that have a job, whether it runs or waits."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT lock FROM procrastinate_jobs WHERE status IN ('todo', 'doing') AND lock = ANY(%s)",
            [locks],
        )
        return {lock for (lock,) in cursor.fetchall()}


def has_job(lock: str) -> bool:
    """Whether a job of this lock is waiting or running."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM procrastinate_jobs WHERE lock = %s AND status IN ('todo', 'doing'))",
            [lock],
        )
        return bool(cursor.fetchone()[0])


def ids_with_job(task: str, argument: str) -> set[str]:
    """Of the jobs of a task that wait or run: what they are about."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT args ->> %s FROM procrastinate_jobs WHERE task_name = %s AND status IN ('todo', 'doing')",
            [argument, task],
        )
        return {row[0] for row in cursor.fetchall()}


def bring_forward(lock_prefix: str) -> int:
    """Let waiting jobs whose lock starts with this run now: something they waited for was mended."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE procrastinate_jobs SET scheduled_at = now() WHERE status = 'todo' AND scheduled_at > now() "
            "AND starts_with(lock, %s)",
            [lock_prefix],
        )
        return int(cursor.rowcount)


@dataclass(frozen=True)
class FailedJob:
    """A job that is dead, or waits for another attempt (`again_at`). `reason` is a sentence without data."""

    id: int
    task: str
    ids: dict[str, Any]
    attempts: int
    state: Literal["dead", "waiting"]
    reason: str
    failed_at: datetime | None
    again_at: datetime | None
    lock: str


_FAILED = """
SELECT job.id, job.task_name, job.args, job.attempts,
       CASE job.status WHEN 'failed' THEN 'dead' ELSE 'waiting' END,
       coalesce(failure.reason, ''), failure.at, CASE job.status WHEN 'todo' THEN job.scheduled_at END,
       coalesce(job.lock, '')
  FROM procrastinate_jobs job LEFT JOIN engine_failure failure ON failure.job_id = job.id
 WHERE (job.status = 'failed' OR (job.status = 'todo' AND job.attempts > 0))
   AND (%(ids)s::bigint[] IS NULL OR job.id = ANY(%(ids)s))
 ORDER BY job.id
"""


@dataclass(frozen=True)
class Job:
    """A job that waits, runs or was given up. `reason` is why its last attempt failed: a sentence without data."""

    id: int
    task: str
    state: Literal["running", "waiting", "dead"]
    attempts: int
    at: datetime | None  # when it may run next
    reason: str
    failed_at: datetime | None


_OF_LOCKS = """
SELECT job.id, job.task_name,
       CASE job.status WHEN 'doing' THEN 'running' WHEN 'failed' THEN 'dead' ELSE 'waiting' END,
       job.attempts, job.scheduled_at, coalesce(failure.reason, ''), failure.at
  FROM procrastinate_jobs job LEFT JOIN engine_failure failure ON failure.job_id = job.id
 WHERE job.lock = ANY(%s) AND job.status IN ('todo', 'doing', 'failed')
 ORDER BY job.id
"""


def jobs_of(locks: Collection[str]) -> list[Job]:
    """What is queued under these locks, oldest first, and what was given up."""
    return [Job(*row) for row in fetch(_OF_LOCKS, [list(locks)])]


def failed(job_ids: Collection[int] | None = None) -> list[FailedJob]:
    """Jobs whose last attempt failed, oldest first: all, or those of these ids."""
    found = fetch(_FAILED, {"ids": None if job_ids is None else list(job_ids)})
    return [FailedJob(row[0], row[1], json.loads(row[2]), *row[3:]) for row in found]


def replay(job_ids: Collection[int]) -> int:
    """Have failed jobs tried again now, as if for the first time. Returns how many."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE procrastinate_jobs SET status = 'todo', attempts = 0, scheduled_at = NULL, worker_id = NULL "
            "WHERE id = ANY(%s) AND (status = 'failed' OR (status = 'todo' AND attempts > 0))",
            [list(job_ids)],
        )
        count = int(cursor.rowcount)
        cursor.execute("DELETE FROM engine_failure WHERE job_id = ANY(%s)", [list(job_ids)])
        transaction.on_commit(ring)
    return count


def forget_dead(task: str, **ids: str) -> None:
    """Dead jobs whose work a new job of the same task does."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM procrastinate_jobs WHERE status = 'failed' AND task_name = %s AND args = %s::jsonb",
            [task, json.dumps(ids)],
        )


def dead_by_prefix() -> Counter[str]:
    """How many jobs were given up, by the first word of their locks: a practice's slug, for most."""
    found = fetch(
        "SELECT split_part(coalesce(lock, ''), ':', 1), count(*) FROM procrastinate_jobs "
        "WHERE status = 'failed' GROUP BY 1"
    )
    return Counter(dict(found))


def by_state() -> dict[str, int]:
    """How many jobs there are in each state of the engine's; those that ended well are deleted."""
    return dict(fetch("SELECT status, count(*) FROM procrastinate_jobs GROUP BY 1"))
