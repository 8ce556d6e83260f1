"""Waking the workers: one notification for many jobs, sent after the commit.

The engine's own trigger notifies inside each transaction that defers a job, and PostgreSQL lets such transactions
commit one at a time only, each with its own flush to the disk: that alone cost intake two fifths of its rate
(docs/performance.md). Migration 0002 silences it. A ring that is lost costs a second, because workers also look by
themselves (worker.py).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.db import Error, connection

PAUSE = 0.02  #: seconds between two notifications of one process
REST = 0.25  #: seconds without a ring after which the bell gives its connection back

# The worker reads nothing from it but its type. Nobody waits for this commit to reach the disk.
_NOTIFY = """
SELECT set_config('synchronous_commit', 'off', true),
       pg_notify('procrastinate_any_queue_v1', '{"type": "job_inserted", "job_id": 0}')
"""


def ring() -> None:
    """A job was committed: have it picked up at once. Costs nothing where a bell hangs, else one statement."""
    bell = _hanging
    if bell is None:
        _notify()
    else:
        bell.wanted.set()


@contextmanager
def hung() -> Iterator[None]:
    """For a process that lives on: a thread of its own notifies, once for all rings of a moment."""
    global _hanging  # noqa: PLW0603  # one bell for a process, as one event loop or one signal handler
    if _hanging is not None:
        yield
        return
    bell = _hanging = _Bell()
    bell.start()
    try:
        yield
    finally:
        _hanging = None
        bell.stop()


class _Bell(threading.Thread):
    def __init__(self) -> None:
        super().__init__(name="bell", daemon=True)
        self.wanted = threading.Event()
        self._ended = False

    def stop(self) -> None:
        self._ended = True
        self.wanted.set()
        self.join(timeout=5)

    def run(self) -> None:
        while not self._ended:
            if not self.wanted.wait(REST):
                connection.close()
                self.wanted.wait()
            self.wanted.clear()
            _notify()
            time.sleep(PAUSE)
        connection.close()


def _notify() -> None:
    with suppress(Error):  # the job is stored, and a worker that can reach the database will look for it
        try:
            with connection.cursor() as cursor:
                cursor.execute(_NOTIFY)
        except Error:
            if not connection.in_atomic_block:
                connection.close()
            raise


_hanging: _Bell | None = None
