"""Bringing an order to rest: which job it needs next, at most one of each kind at a time.

The `…_queued` flags on the order collapse many changes into one job. They are set in the transaction that defers
the job, cleared when it starts, and set again when it is to be retried, so that a job waiting for its next
attempt stands for all that happens meanwhile. (The engine's own queueing lock cannot do that: a retry that meets
a newer job with the same lock violates it and leaves the job running for ever; docs/decisions.md.)
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from labbridge.database.statements import fetch
from labbridge.engine.jobs import Task, hasten
from labbridge.engine.queue import bring_forward
from labbridge.handlers import jobs
from labbridge.inbox.models import EventState
from labbridge.mirror.models import Order, OrderedTest, Patient, Phase, Result, SourceState
from labbridge.trust.envelope import data_keys

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
    settle_all([order])


def settle_all(orders: Collection[Order]) -> dict[UUID, Standing]:
    """The same for several. Returns how they stand, by their own keys."""
    data_keys.prepare([order.patient.sealed_for for order in orders if order.patient is not None])
    found = standings(orders)
    to_pull, to_file = [], []
    for order in orders:
        if needs_pull(order, found[order.pk]):
            to_pull.append(order)
            if not order.pull_problem:
                continue  # filing follows the pull, in one go
        if order.revision > order.filed_revision:
            to_file.append(order)
    _queue(to_pull, "pull_queued", jobs.pull_order, "pull")
    _queue(to_file, "filing_queued", jobs.file_order, "file")
    return found


@dataclass(frozen=True)
class Standing:
    """What an order's tests and results say of what it still needs."""

    pending: bool  # a result file was announced and not taken yet
    unnamed: bool  # nobody has read one of its tests in the catalogue
    withheld: bool  # a result names another patient
    superseded: bool  # a version could not be fetched before it was replaced
    results: bool  # it has any
    dated: bool  # the lab has reported on a test
    problem: str  # why a test's result is not in the chart
    revision: int  # of the order itself, as it is now
    patient_id: UUID | None


# One statement for what would be eight: this is asked at each merge and at each filing.
_STANDING = """
SELECT ordered.id,
       EXISTS (SELECT FROM mirror_orderedtest test JOIN mirror_resultsource source ON source.ordered_test_id = test.id
               WHERE test.order_id = ordered.id AND source.state = 'pending'),
       EXISTS (SELECT FROM mirror_orderedtest test
               WHERE test.order_id = ordered.id AND test.lab_test_id_external <> '' AND NOT EXISTS (
                 SELECT FROM mirror_labtest known WHERE known.practice_id = ordered.practice_id
                 AND known.external_id = test.lab_test_id_external AND known.as_of IS NOT NULL)),
       coalesce(held.withheld, false), coalesce(held.superseded, false), held.withheld IS NOT NULL,
       EXISTS (SELECT FROM mirror_orderedtest test
               WHERE test.order_id = ordered.id AND NOT test.removed AND test.results_received_at IS NOT NULL),
       coalesce((SELECT test.problem FROM mirror_orderedtest test
                 WHERE test.order_id = ordered.id AND test.problem <> '' AND (NOT test.removed OR EXISTS (
                   SELECT FROM mirror_result result WHERE result.ordered_test_id = test.id))
                 ORDER BY test.external_id LIMIT 1), ''),
       ordered.revision, ordered.patient_id
  FROM mirror_order ordered LEFT JOIN LATERAL (
    SELECT bool_or(result.withheld) AS withheld, bool_or(result.superseded) AS superseded
      FROM mirror_orderedtest test JOIN mirror_result result ON result.ordered_test_id = test.id
     WHERE test.order_id = ordered.id) held ON true
 WHERE ordered.id = ANY(%s)
"""


def standings(orders: Collection[Order]) -> dict[UUID, Standing]:
    """By the orders' own keys."""
    if not orders:
        return {}
    found = fetch(_STANDING, [[order.pk for order in orders]])
    return {row[0]: Standing(*row[1:]) for row in found}


def standing_of(order: Order) -> Standing:
    return standings([order])[order.pk]


def unread(order: Order, standing: Standing) -> bool:
    """Whether something that the order speaks of is not in the mirror yet."""
    if standing.pending or standing.unnamed:
        return True
    return order.patient is not None and order.patient.unread


def needs_pull(order: Order, standing: Standing) -> bool:
    """Whether to ask Rupa. While a result is withheld that includes its patient, who may have been corrected."""
    return standing.withheld or unread(order, standing)


def has_withheld(order: Order) -> bool:
    return Result.objects.filter(ordered_test__order=order, withheld=True).exists()


def outcome(standing: Standing) -> tuple[EventState, str]:
    """What an event has come to once its order is filed: handled, unless a person must look at a result first."""
    if standing.problem:
        return EventState.WAITING, standing.problem
    return EventState.HANDLED, SUPERSEDED_SAID if standing.superseded else ""


def queue_pull(order: Order) -> None:
    _queue([order], "pull_queued", jobs.pull_order, "pull")


def queue_filing(order: Order) -> None:
    _queue([order], "filing_queued", jobs.file_order, "file")


def _queue(orders: Collection[Order], flag: str, task: Task, kind: str) -> None:
    """A job for each of them that has none of this kind yet. One that a backfill has queued need give way no more."""
    wanted = [order for order in orders if not getattr(order, flag)]
    hasten([lock(order, kind) for order in orders if getattr(order, flag)])
    if not wanted:
        return
    for order in wanted:
        setattr(order, flag, True)
    Order.objects.filter(pk__in=[order.pk for order in wanted]).update(**{flag: True})
    task.defer_many([(lock(order, kind), {"order_id": str(order.pk)}) for order in wanted])


def refile(order: Order) -> None:
    """Compare and file once more, whatever the ledger of revisions says."""
    order.revision += 1
    order.save(update_fields=["revision"])
    queue_filing(order)


def refresh(order: Order) -> None:
    """Read the order from Rupa again now, though nothing asks for it. Its row is locked."""
    if not order.poll_queued:
        order.poll_queued = True
        order.save(update_fields=["poll_queued"])
        jobs.poll_order.defer(lock=lock(order, "poll"), order_id=str(order.pk))
    else:
        hasten([lock(order, "poll")])
        bring_forward(lock(order, "poll"))


def file_again(order: Order) -> None:
    """As `refile`, and at once: what waits for its next attempt is tried now. Its row is locked."""
    refile(order)
    bring_forward(lock(order, "file"))


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
