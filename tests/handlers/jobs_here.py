"""Running queued jobs in the test's own thread, where a crash can be placed between any two statements."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

from labbridge.handlers import jobs


class Crash(BaseException):
    """The process died here."""


@contextmanager
def dying_at(statement: int | None) -> Iterator[None]:
    """Die before the n-th statement that the database is asked; never without a number."""
    count = 0

    def counted(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal count
        count += 1
        if count == statement:
            raise Crash
        return execute(sql, params, many, context)

    with connection.execute_wrapper(counted):
        yield


def run_jobs_here(*, dies_at: int | None = None, most: int = 300) -> int:
    """Run jobs, also those that wait for their next attempt, oldest first; each that fails stays for the next call.

    Returns how many ended well. `dies_at` kills the run once, before that statement.
    """
    tried: set[int] = set()
    done = 0
    try:
        with dying_at(dies_at):
            while len(tried) < most and (job := _next(tried)) is not None:
                tried.add(job[0])
                done += _run(*job)
    except Crash:
        connection.close()  # its locks fall, its transaction is undone
    return done


def _next(tried: set[int]) -> tuple[int, str, dict[str, Any]] | None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, task_name, args FROM procrastinate_jobs WHERE status = 'todo' AND NOT id = ANY(%s) "
            "ORDER BY id LIMIT 1",
            [list(tried)],
        )
        found = cursor.fetchone()
    if found is None:
        return None
    job_id, task, args = found
    return job_id, task, json.loads(args) if isinstance(args, str) else args


def _run(job_id: int, task: str, args: dict[str, Any]) -> int:
    try:
        getattr(jobs, task).function(**args)
    except Exception:  # noqa: BLE001  # as the engine does: whatever it was, the job is tried again
        if task == "pull_chart":
            jobs._touch_again("", **args)
        return 0
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs WHERE id = %s", [job_id])
    return 1


def queued(task: str) -> list[dict[str, Any]]:
    """What the jobs of a task that wait are about."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT args FROM procrastinate_jobs WHERE task_name = %s AND status = 'todo'", [task])
        return [json.loads(args) for (args,) in cursor.fetchall()]
