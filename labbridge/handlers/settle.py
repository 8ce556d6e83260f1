"""Bringing an order to rest: which job it needs next, at most one of each kind at a time.

The `…_queued` flags on the order collapse many changes into one job. They are set in the transaction that defers
the job, cleared when it starts, and set again when it is to be retried, so that a job waiting for its next
attempt stands for all that happens meanwhile. (The engine's own queueing lock cannot do that: a retry that meets
a newer job with the same lock violates it and leaves the job running for ever; docs/decisions.md.)
"""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone

from labbridge.handlers import jobs
from labbridge.inbox.models import EventState
from labbridge.mirror.lab_tests import lab_tests_missing
from labbridge.mirror.models import Order, OrderedTest, Patient, Phase, Result, ResultSource, SourceState

SUPERSEDED_SAID = (
    "Filed. A version that was replaced before its file could be fetched stands there without a file."
)

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
        if not order.pull_problem:
            return  # filing follows the pull, in one go
    if order.revision > order.filed_revision:
        queue_filing(order)


def unread(order: Order) -> bool:
    """Whether something that the order speaks of is not in the mirror yet."""
    if order.patient is not None and order.patient.unread:
        return True
    return has_pending_sources(order) or bool(lab_tests_missing(order))


def needs_pull(order: Order) -> bool:
    """Whether to ask Rupa. While a result is withheld that includes its patient, who may have been corrected."""
    return unread(order) or has_withheld(order)


def has_pending_sources(order: Order) -> bool:
    return ResultSource.objects.filter(ordered_test__order=order, state=SourceState.PENDING).exists()


def has_withheld(order: Order) -> bool:
    return Result.objects.filter(ordered_test__order=order, withheld=True).exists()


def outcome(order: Order) -> tuple[EventState, str]:
    """What an event has come to once its order is filed: handled, unless a person must look at a result first."""
    tests = order.ordered_tests.filter(Q(removed=False) | Q(results__isnull=False)).exclude(problem="")
    problem = tests.order_by("external_id").values_list("problem", flat=True).first()
    if problem:
        return EventState.WAITING, problem
    superseded = Result.objects.filter(ordered_test__order=order, superseded=True).exists()
    return EventState.HANDLED, SUPERSEDED_SAID if superseded else ""


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


def refile_orders(orders: QuerySet[Order]) -> None:
    """The same for several, locked in one order everywhere so that no two wait for each other."""
    locked = orders.select_related("practice").select_for_update(of=("self",)).order_by("pk")
    for order in locked:
        refile(order)


def refile_withheld(patient: Patient) -> None:
    """Who the patient is has changed, here or there: perhaps a withheld result is theirs after all."""
    withheld = Result.objects.filter(ordered_test__order__patient=patient, withheld=True)
    refile_orders(Order.objects.filter(pk__in=withheld.values("ordered_test__order")))


def queue_poll(order: Order) -> None:
    """A date without a file is normal: look again later, ever more rarely (rupa-api.md 8)."""
    if order.poll_queued or order.phase == Phase.CANCELED:
        return
    awaited = [test for test in order.ordered_tests.filter(removed=False, results_received_at__isnull=False)
               if _awaits_file(test)]  # fmt: skip
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


def _awaits_file(test: OrderedTest) -> bool:
    """No file yet, and none that is under way or was refused: its address was never shown, or is over."""
    underway = test.sources.exclude(state=SourceState.GONE)
    return not underway.exists() and not test.results.filter(superseded=False).exists()
