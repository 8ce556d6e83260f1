"""Waiting until what a command queued has come to rest, with or without a running service."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from django.db import DatabaseError, connection
from django.db.models import F, Q, QuerySet

from labbridge.engine import queue
from labbridge.engine.rescue import LONGEST_REST, rescue_stalled_jobs
from labbridge.engine.worker import run_until_idle
from labbridge.mirror.models import Chart, Order
from labbridge.practices.models import Practice

Progress = Callable[[int, int], None]


def settle_practice(practice: Practice, progress: Progress = lambda _done, _total: None) -> dict[str, int]:
    """Run this practice's due jobs here (a running worker takes its share) until none is left.

    Returns how many orders are filed and how many wait for a person, a peer or a link.
    """
    with _Watch(practice, progress):
        while under_way(practice):
            run_until_idle()
            if under_way(practice):  # another worker is at it, or died at it
                rescue_stalled_jobs()
                time.sleep(0.1)
    waiting = _unsettled(practice).count()
    return {"filed": Order.objects.filter(practice=practice).count() - waiting, "waiting": waiting}


def under_way(practice: Practice) -> bool:
    """Whether work of this practice is due, or only rests because its worker died: nothing else holds it up."""
    lock = f"{practice.slug}:"
    return bool(queue.due(lock)) or queue.orphaned(lock, LONGEST_REST)


class _Watch(threading.Thread):
    """Tells how far it has come while the jobs run, which for a large import may take hours."""

    EVERY = 1.0  # seconds

    def __init__(self, practice: Practice, progress: Progress) -> None:
        super().__init__(name="settling", daemon=True)
        self._practice, self._progress, self._done = practice, progress, threading.Event()
        self._total = self._open()

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *_error: object) -> None:
        self._done.set()
        self.join()
        self._tell()

    def run(self) -> None:
        while not self._done.wait(self.EVERY):
            try:
                self._tell()
            except DatabaseError:
                continue  # the jobs say so themselves
            finally:
                connection.close()

    def _tell(self) -> None:
        left = self._open()
        self._total = max(self._total, left)
        self._progress(self._total - left, self._total)

    def _open(self) -> int:
        rows = Chart.objects.filter(practice=self._practice, present=True, sync_status="")
        return _unsettled(self._practice).count() + rows.count()


def _unsettled(practice: Practice) -> QuerySet[Order]:
    behind = Q(filed_revision__lt=F("revision"))
    return Order.objects.filter(practice=practice).filter(behind | ~Q(pull_problem=""))


def waiting_reasons(slug: str) -> list[str]:
    """The distinct sentences of what waits."""
    orders = Order.objects.filter(practice__slug=slug)
    filing = orders.exclude(filing_problem="").values_list("filing_problem", flat=True).distinct()
    pulling = orders.exclude(pull_problem="").values_list("pull_problem", flat=True).distinct()
    rows = Chart.objects.filter(practice__slug=slug, present=True).exclude(sync_problem="")
    return sorted({*filing, *pulling, *rows.values_list("sync_problem", flat=True).distinct()})
