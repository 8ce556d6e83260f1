"""What is queued: counts for `/readyz`, dead jobs for people, and bringing forward what waits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.db import connection


def due() -> int:
    """Jobs that are running or could run now; schedules and waiting retries do not count (design.md 6.6.4)."""
    return _number(
        "SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing' "
        "OR (status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now()))"
    )


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
