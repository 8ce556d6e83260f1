"""Waiting until what a command queued has come to rest, with or without a running service."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.db import connection
from django.db.models import F, Q, QuerySet

from labbridge.engine.worker import run_until_idle
from labbridge.mirror.models import Order
from labbridge.practices.models import Practice

Progress = Callable[[int, int], None]


def settle_practice(practice: Practice, progress: Progress = lambda _done, _total: None) -> dict[str, int]:
    """Run this practice's due jobs here (a running worker takes its share) until none is left.

    Returns how many orders are filed and how many wait for a person, a peer or a link.
    """
    total = _unsettled(practice).count()
    while _due(practice):
        run_until_idle()
        progress(total - _unsettled(practice).count(), total)
        if _due(practice):  # another worker is at it
            time.sleep(0.1)
    waiting = _unsettled(practice).count()
    return {"filed": Order.objects.filter(practice=practice).count() - waiting, "waiting": waiting}


def _unsettled(practice: Practice) -> QuerySet[Order]:
    behind = Q(filed_revision__lt=F("revision"))
    return Order.objects.filter(practice=practice).filter(behind | ~Q(pull_problem=""))


def _due(practice: Practice) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM procrastinate_jobs WHERE starts_with(lock, %s) AND (status = 'doing' "
            "OR (status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now()))))",
            [f"{practice.slug}:"],
        )
        return bool(cursor.fetchone()[0])


def waiting_reasons(slug: str) -> list[str]:
    """The distinct sentences of what waits."""
    orders = Order.objects.filter(practice__slug=slug)
    filing = orders.exclude(filing_problem="").values_list("filing_problem", flat=True).distinct()
    pulling = orders.exclude(pull_problem="").values_list("pull_problem", flat=True).distinct()
    return sorted({*filing, *pulling})
