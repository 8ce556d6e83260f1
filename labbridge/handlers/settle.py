"""Bringing an order to rest: which job it needs next, at most one of each kind at a time.

The `…_queued` flags on the order collapse many changes into one job. They are set in the transaction that defers
the job, cleared when it starts, and set again when it is to be retried, so that a job waiting for its next
attempt stands for all that happens meanwhile. (The engine's own queueing lock cannot do that: a retry that meets
a newer job with the same lock violates it and leaves the job running for ever; docs/decisions.md.)
"""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from labbridge.handlers import jobs
from labbridge.mirror.merge import lab_tests_missing
from labbridge.mirror.models import Order, Phase, ResultSource, SourceState

POLL_WAITS = (
    *(timedelta(minutes=minutes) for minutes in (5, 15, 30, 60, 120, 240, 480)),
    *(timedelta(days=1),) * 60,
)


def lock(order: Order, kind: str) -> str:
    return f"{order.practice.slug}:{kind}:{order.pk}"


def settle(order: Order) -> None:
    """Queue what this order needs. Call inside the transaction that changed it, with its row locked."""
    if needs_pull(order):
        queue_pull(order)
    elif order.revision > order.filed_revision:
        queue_filing(order)


def needs_pull(order: Order) -> bool:
    """Whether something that the order speaks of is not in the mirror yet."""
    unread = order.patient is not None and order.patient.person is None
    return unread or has_pending_sources(order) or bool(lab_tests_missing(order))


def has_pending_sources(order: Order) -> bool:
    return ResultSource.objects.filter(ordered_test__order=order, state=SourceState.PENDING).exists()


def queue_pull(order: Order) -> None:
    if not order.pull_queued:
        order.pull_queued = True
        order.save(update_fields=["pull_queued"])
        jobs.pull_order.defer(lock=lock(order, "pull"), order_id=str(order.pk))


def queue_filing(order: Order) -> None:
    if not order.filing_queued:
        order.filing_queued = True
        order.save(update_fields=["filing_queued"])
        jobs.file_order.defer(lock=lock(order, "file"), order_id=str(order.pk))


def refile(order: Order) -> None:
    """Compare and file once more, whatever the ledger of revisions says."""
    order.revision += 1
    order.save(update_fields=["revision"])
    queue_filing(order)


def queue_poll(order: Order) -> None:
    """A date without a file is normal: look again later, ever more rarely (rupa-api.md 8)."""
    if order.poll_queued or order.phase == Phase.CANCELED:
        return
    awaited = [test for test in order.ordered_tests.filter(removed=False, results_received_at__isnull=False)
               if not test.sources.exists() and not test.results.exists()]  # fmt: skip
    polls = min((test.polls for test in awaited), default=len(POLL_WAITS))
    if polls >= len(POLL_WAITS):
        return
    order.poll_queued = True
    order.save(update_fields=["poll_queued"])
    for test in awaited:
        test.polls += 1
        test.save(update_fields=["polls"])
    jobs.poll_order.defer(
        lock=lock(order, "poll"), at=timezone.now() + POLL_WAITS[polls], order_id=str(order.pk)
    )
