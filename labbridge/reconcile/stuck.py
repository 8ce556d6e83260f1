"""Work that no job stands for: events that were kept, orders that are not filed, rows that wait to be read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from labbridge.engine.queue import has_job, ids_with_job
from labbridge.handlers import jobs
from labbridge.handlers.orders import at_rest, subject_of
from labbridge.handlers.patients import tell_rows
from labbridge.handlers.schedule import queue_again, with_order
from labbridge.handlers.settle import lock, needs_pull, outcome, queue_poll, queue_pull, standing_of
from labbridge.inbox.models import Event, EventState
from labbridge.mirror.models import Order, RowTouch
from labbridge.practices.models import Practice
from labbridge.reconcile.models import Kind, Repair, Sweep

#: An event and its job are committed together; what was committed while we looked is younger than this.
SETTLED = timedelta(seconds=5)


def stuck_events(practice: Practice) -> list[Event]:
    """Events of this practice, or not routed yet, that were kept and that no job will handle."""
    before = timezone.now() - SETTLED
    alive = ids_with_job("handle_event", "event_id")  # first: a job that ends meanwhile has merged its event
    kept = Event.objects.filter(state=EventState.RECEIVED, merged_at=None, received_at__lt=before)
    found = kept.filter(Q(practice=practice) | Q(practice=None)).defer("body")
    return [event for event in found if str(event.pk) not in alive]


def free_events(sweep: Sweep) -> int:
    """Give stuck events their job back. Returns how many."""
    found = stuck_events(sweep.practice)
    for event in found:
        with transaction.atomic():
            Repair.objects.get_or_create(sweep=sweep, kind=Kind.EVENT_STUCK, subject=str(event.pk))
            jobs.handle_event.defer(lock=f"{event.peer}:{event.subject}", event_id=str(event.pk))
    return len(found)


def orders_without_job(practice: Practice) -> Iterator[Order]:
    """Linked orders that are not filed, or wait to be read or filed, with no job for it. One without a link waits."""
    behind = Q(filed_revision__lt=F("revision")) & Q(patient__link__isnull=False)
    flagged = Q(filing_queued=True) | Q(pull_queued=True) | ~Q(pull_problem="")
    for order in (
        Order.objects.filter(behind | flagged, practice=practice, erased_at=None)
        .select_related("practice")
        .iterator()
    ):
        if not has_job(lock(order, "file")) and not has_job(lock(order, "pull")):
            yield order


def free_orders(sweep: Sweep) -> int:
    """Queue what those orders need. Returns how many. Those whose job had given up are tried again, and no repair."""
    freed = 0
    for order in list(orders_without_job(sweep.practice)):
        with transaction.atomic():
            if not with_order(order.pk, _queue):
                continue
            freed += 1
            if not order.filing_problem and not order.pull_problem:
                Repair.objects.get_or_create(sweep=sweep, kind=Kind.JOB_MISSING, subject=order.external_id)
    return freed


def give_jobs(practice: Practice) -> None:
    """For a practice that came with its work and without its jobs. In the transaction that brought it.

    Rows that messages of Caspio had named were noted for jobs (`RowTouch`), which stayed: those messages are handled
    anew, else they would stay open for ever.
    """
    noted = Event.objects.filter(practice=practice, peer="caspio", state=EventState.RECEIVED)
    noted.update(merged_at=None)
    for event in stuck_events(practice):
        jobs.handle_event.defer(lock=f"{event.peer}:{event.subject}", event_id=str(event.pk))
    for order in list(orders_without_job(practice)):
        with_order(order.pk, _queue)
    for order in list(Order.objects.filter(practice=practice, poll_queued=True)):
        with_order(order.pk, _poll)


def _queue(order: Order) -> bool:
    if order.pull_problem and not order.pull_queued and needs_pull(order, standing_of(order)):
        queue_pull(order)
        return True
    return queue_again(order)


def free_polls(sweep: Sweep) -> int:
    """Orders that wait for a lab's file, and that no job will look at again."""
    freed = 0
    for order in Order.objects.filter(practice=sweep.practice, poll_queued=True).select_related("practice"):
        if not has_job(lock(order, "poll")):
            with transaction.atomic():
                with_order(order.pk, _poll)
                Repair.objects.get_or_create(sweep=sweep, kind=Kind.JOB_MISSING, subject=order.external_id)
            freed += 1
    return freed


def _poll(order: Order) -> None:
    order.poll_queued = False
    order.save(update_fields=["poll_queued"])
    queue_poll(order)


def free_rows(sweep: Sweep) -> int:
    """Rows of the patients table that events named and no job will read: the whole table was just read instead."""
    practice, freed = sweep.practice, 0
    for touch in RowTouch.objects.filter(practice=practice, queued=True):
        if not has_job(f"{practice.slug}:chart:{touch.pk_id}"):
            with transaction.atomic():
                RowTouch.objects.filter(pk=touch.pk).update(queued=False)
                tell_rows(str(practice.pk), touch.pk_id, EventState.HANDLED)
                Repair.objects.get_or_create(sweep=sweep, kind=Kind.JOB_MISSING, subject=f"row:{touch.pk_id}")
            freed += 1
    return freed


def rest_events(practice: Practice) -> int:
    """Events whose order has come to rest by another way, such as this sweep, come to rest with it."""
    merged = Event.objects.filter(
        practice=practice, merged_at__isnull=False, state__in=[EventState.RECEIVED, EventState.DEAD],
        subject__startswith="order:",
    )  # fmt: skip
    rested = 0
    for subject in set(merged.values_list("subject", flat=True)):
        external_id = subject.removeprefix(subject_of(""))
        with transaction.atomic():
            order = (
                Order.objects.select_for_update().filter(practice=practice, external_id=external_id).first()
            )
            if order is not None and at_rest(order, standing := standing_of(order)):
                state, reason = outcome(standing)
                of_it = merged.filter(subject=subject)
                rested += of_it.update(state=state, reason=reason, settled_at=timezone.now())
    return rested
