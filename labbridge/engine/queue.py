"""What is queued: counts for `/readyz`, dead jobs for people, and bringing forward what waits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.db import connection

#: A job is held back by an earlier one of its lock; the engine takes them in the order of their ids.
_DUE = """
  job.status = 'todo' AND (job.scheduled_at IS NULL OR job.scheduled_at <= now()) AND NOT EXISTS (
    SELECT 1 FROM procrastinate_jobs earlier WHERE earlier.lock = job.lock AND earlier.id < job.id
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


def waiting() -> int:
    return _number("SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo' AND scheduled_at > now()")


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
class DeadJob:
    id: int
    task: str
    ids: dict[str, Any]
    attempts: int


def dead() -> list[DeadJob]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, task_name, args, attempts FROM procrastinate_jobs WHERE status = 'failed' ORDER BY id"
        )
        return [
            DeadJob(job_id, task, json.loads(ids), attempts)
            for job_id, task, ids, attempts in cursor.fetchall()
        ]


def _number(statement: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        (number,) = cursor.fetchone()
        return int(number)
