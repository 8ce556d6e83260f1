"""Rescue of stalled jobs, and the numbers that show how the engine does.

A worker that was killed leaves its jobs marked as running. Every worker process looks for such jobs every ten
seconds and gives them back; that this look-out itself is alive is read from its `Pulse` by `/readyz`.
"""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import Any

import structlog
from django.db import connection, transaction
from django.utils import timezone

from labbridge.engine import tally
from labbridge.engine.jobs import registered, tell
from labbridge.engine.models import Pulse
from labbridge.engine.queue import forget_failures, note_failure
from labbridge.engine.together import keep_apart

log = structlog.get_logger()

INTERVAL = timedelta(seconds=10)
STALLED_AFTER = timedelta(seconds=25)  #: workers give a sign of life every 5 seconds (worker.py)
LONGEST_REST = timedelta(minutes=1)  #: between attempts of a job that kills its workers, for the others' sake
PULSE = "rescue"
PULSE_LATE_AFTER = timedelta(seconds=60)

KILLER = "Its worker died each time it was tried."

_STALLED = """
SELECT job.id, job.task_name, job.args, job.attempts
  FROM procrastinate_jobs job LEFT JOIN procrastinate_workers worker ON worker.id = job.worker_id
 WHERE job.status = 'doing'
   AND (worker.id IS NULL OR worker.last_heartbeat < now() - make_interval(secs => %s))
   FOR UPDATE OF job SKIP LOCKED
"""


def rescue_stalled_jobs() -> int:
    """Give the jobs of dead workers back. Returns how many."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_STALLED, [STALLED_AFTER.total_seconds()])
        stalled = cursor.fetchall()
        for job_id, task_name, args, attempts in stalled:
            _give_back(cursor, job_id, task_name, json.loads(args), attempts)
        if stalled:
            tally.add("rescued", len(stalled))
            keep_apart()
    if stalled:
        log.warning("engine.rescued", count=len(stalled))
    return len(stalled)


def _give_back(cursor: Any, job_id: int, task_name: str, args: dict[str, Any], attempts: int) -> None:
    known = registered(task_name)
    if attempts + 1 >= known.policy.attempts:  # a job that kills each worker that takes it
        cursor.execute("SELECT procrastinate_finish_job_v1(%s, 'failed', false)", [job_id])
        note_failure(job_id, KILLER, surprise=True)
        if known.on_dead is not None:
            tell(known.on_dead, KILLER, args)
        return
    rest = min(known.policy.wait(attempts + 1), LONGEST_REST) if attempts else timedelta(0)
    cursor.execute(
        "SELECT procrastinate_retry_job_v2(%s, now() + make_interval(secs => %s), NULL, NULL, NULL)",
        [job_id, rest.total_seconds()],
    )


def rescue_alive() -> bool:
    pulse = Pulse.objects.filter(name=PULSE).first()
    return pulse is not None and timezone.now() - pulse.at < PULSE_LATE_AFTER


class Rescuer(threading.Thread):
    """Looks out until stopped. A failing database is waited for, never a reason to end."""

    def __init__(self) -> None:
        super().__init__(name="rescuer", daemon=True)
        self._stop_asked = threading.Event()

    def stop(self) -> None:
        self._stop_asked.set()
        self.join(timeout=10)

    def run(self) -> None:
        while True:
            try:
                rescue_stalled_jobs()
                forget_failures()
                Pulse.objects.update_or_create(name=PULSE, defaults={"at": timezone.now()})
            except Exception as error:  # noqa: BLE001  # whatever it was, the look-out goes on
                log.error("engine.rescue_failed", exception_type=type(error).__name__)  # noqa: TRY400  # no traceback: it may quote data
                connection.close()
            if self._stop_asked.wait(INTERVAL.total_seconds()):
                connection.close()
                return
