"""Waiting until what a command queued has come to rest, with or without a running service."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.db.models import F, Q, QuerySet

from labbridge.engine import queue
from labbridge.engine.rescue import rescue_stalled_jobs
from labbridge.engine.worker import run_until_idle
from labbridge.mirror.models import Order
from labbridge.practices.models import Practice

Progress = Callable[[int, int], None]


def settle_practice(practice: Practice, progress: Progress = lambda _done, _total: None) -> dict[str, int]:
    """Run this practice's due jobs here (a running worker takes its share) until none is left.

    Returns how many orders are filed and how many wait for a person, a peer or a link.
    """
    total = _unsettled(practice).count()
    jobs = f"{practice.slug}:"
    while queue.due(jobs):
        run_until_idle()
        progress(total - _unsettled(practice).count(), total)
        if queue.due(jobs):  # another worker is at it, or died at it
            rescue_stalled_jobs()
            time.sleep(0.1)
    waiting = _unsettled(practice).count()
    return {"filed": Order.objects.filter(practice=practice).count() - waiting, "waiting": waiting}


def _unsettled(practice: Practice) -> QuerySet[Order]:
    behind = Q(filed_revision__lt=F("revision"))
    return Order.objects.filter(practice=practice).filter(behind | ~Q(pull_problem=""))


def waiting_reasons(slug: str) -> list[str]:
    """The distinct sentences of what waits."""
    orders = Order.objects.filter(practice__slug=slug)
    filing = orders.exclude(filing_problem="").values_list("filing_problem", flat=True).distinct()
    pulling = orders.exclude(pull_problem="").values_list("pull_problem", flat=True).distinct()
    return sorted({*filing, *pulling})
