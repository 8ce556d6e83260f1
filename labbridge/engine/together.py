"""Doing several jobs of one task at once, in one transaction: small work is mostly statements and commits.

A job that runs takes others of its task along that are due: those that wait behind its own lock, and those of other
locks. They are not started but held by their rows, and deleted in the transaction that does their work, so a worker
that dies loses nothing and leaves nothing behind: they are simply still there.

Whatever goes wrong, everything is rolled back and each job runs alone, where failing is its own affair; a job that
has failed before, or whose worker died, always runs alone. After a worker's death nobody takes anybody along for a
while, so that a job which kills its workers is found by itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import structlog
from django.db import close_old_connections, connection, transaction
from django.utils import timezone
from procrastinate.jobs import Job

from labbridge.database.statements import fetch
from labbridge.engine.models import Pulse

log = structlog.get_logger()

#: Does the work of all these jobs, given their ids, within the transaction that is open. False: better one by one.
Together = Callable[[Sequence[dict[str, Any]]], bool]

LOCKS = 15  #: other locks whose first job comes along
BEHIND = 15  #: jobs behind each lock that come along
APART = timedelta(seconds=60)  #: after a worker's death
PULSE = "apart"
REMEMBERED = 10_000

# What the engine itself would start next of this task, in its own order: see procrastinate_fetch_job_v2. A job that
# is running has its lock, so nobody else starts what waits behind it; the same holds for a first one whose row is
# held here.
_DUE = """
       job.status = 'todo' AND job.task_name = %(task)s AND job.attempts = 0
       AND (job.scheduled_at IS NULL OR job.scheduled_at <= now()) AND NOT job.id = ANY(%(alone)s::bigint[])
"""
_TAKE = f"""
WITH first AS MATERIALIZED (
    SELECT job.id, job.lock FROM procrastinate_jobs job
     WHERE {_DUE} AND job.lock IS NOT NULL AND NOT EXISTS (
         SELECT FROM procrastinate_jobs other WHERE other.lock = job.lock
            AND (other.status = 'doing' OR (other.status = 'todo' AND other.id < job.id)))
     ORDER BY job.priority DESC, job.id LIMIT %(locks)s
       FOR UPDATE OF job SKIP LOCKED
), behind AS (
    SELECT following.id
      FROM (SELECT id, lock FROM first UNION ALL SELECT %(id)s, %(lock)s) AS ahead CROSS JOIN LATERAL (
        SELECT job.id FROM procrastinate_jobs job
         WHERE {_DUE} AND job.lock = ahead.lock AND job.id > ahead.id
         ORDER BY job.id LIMIT %(behind)s) AS following
)
SELECT id, args FROM procrastinate_jobs
 WHERE id IN (SELECT id FROM first UNION ALL SELECT id FROM behind)
   AND NOT EXISTS (SELECT FROM engine_pulse WHERE name = %(pulse)s AND at > now() - %(apart)s)
 ORDER BY id
"""  # noqa: S608  # our own constant

_alone: set[int] = set()  # jobs that went wrong together with others, in this process


def done_together(together: Together, job: Job, ids: dict[str, Any]) -> bool:
    """Do this job with others. False: nothing was done, and it is to run alone."""
    if job.attempts or job.id is None or job.lock is None or job.id in _alone:
        _alone.discard(job.id or 0)
        return False
    taken: list[int] = []
    try:
        with transaction.atomic():
            others = _take(job)
            taken = [number for number, _ in others]
            done = bool(taken) and together([ids, *(args for _, args in others)])
            if done:
                with connection.cursor() as cursor:
                    cursor.execute("DELETE FROM procrastinate_jobs WHERE id = ANY(%s)", [taken])
    except Exception as error:  # noqa: BLE001  # whatever it was, its text may hold PHI, and alone it is met again
        log.warning("engine.apart", count=len(taken), exception_type=type(error).__name__)
        done = False
        close_old_connections()
    if not done:
        _part(taken)
    return done


def _take(job: Job) -> list[tuple[int, dict[str, Any]]]:
    values: dict[str, Any] = {  # any: values of SQL
        "task": job.task_name, "id": job.id, "lock": job.lock, "alone": list(_alone), "pulse": PULSE, "apart": APART,
        "locks": LOCKS, "behind": BEHIND,
    }  # fmt: skip
    return [(number, json.loads(args)) for number, args in fetch(_TAKE, values)]


def _part(taken: Sequence[int]) -> None:
    if len(_alone) > REMEMBERED:
        _alone.clear()
    _alone.update(taken)


def keep_apart() -> None:
    """A worker died: for a while each job runs alone, so that only the one that killed it is charged for the next."""
    Pulse.objects.update_or_create(name=PULSE, defaults={"at": timezone.now()})
