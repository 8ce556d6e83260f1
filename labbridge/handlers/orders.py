"""Orders: `order.updated` and `order.new_result`, and the same snapshots when they were read from Rupa's list."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from labbridge.handlers.routing import practice_of_order
from labbridge.handlers.settle import needs_pull, outcome, refile_withheld, settle
from labbridge.inbox.models import Event, EventState
from labbridge.mirror.lab_tests import included_lab_tests, merge_lab_test
from labbridge.mirror.merge import Contradiction, merge_order, merge_patient
from labbridge.mirror.models import KEY, Order
from labbridge.peers.rupa.events import ORDER_NEW_RESULT, EventEnvelope
from labbridge.peers.rupa.types import OrderSnapshot
from labbridge.practices.models import Practice

UNREADABLE = "The event does not hold an order that can be read. It is kept; look at the order in Rupa."
UNROUTABLE = (
    "No connected practice has this order's practitioner, patient or order. Connect the practice with "
    "`labbridge rupa connect`, then replay."
)


def subject_of(external_id: str) -> str:
    return f"order:{external_id}"


def on_order(event: Event, envelope: EventEnvelope) -> None:
    """Merge the order as it was at the event; a new result has its files looked at again."""
    snapshot = envelope.order
    if snapshot is None or not 0 < len(snapshot.id) <= KEY:
        event.settle(EventState.QUARANTINED, UNREADABLE)
        return
    practice = event.practice or practice_of_order(snapshot)
    if practice is None:
        event.settle(EventState.QUARANTINED, UNROUTABLE)
        return
    as_of = envelope.created_at or event.received_at
    try:
        with transaction.atomic():
            order = take_snapshot(practice, snapshot, as_of, look_again=event.type == ORDER_NEW_RESULT)
            _note_merged(event, order)
    except Contradiction as contradiction:
        event.settle(EventState.QUARANTINED, str(contradiction))


def _note_merged(event: Event, order: Order) -> None:
    event.practice, event.merged_at = order.practice, timezone.now()
    event.subject, event.state, event.reason = subject_of(order.external_id), EventState.RECEIVED, ""
    if at_rest(order):
        (event.state, event.reason), event.settled_at = outcome(order), event.merged_at
    event.save(update_fields=["practice", "merged_at", "reason", "state", "settled_at", "subject"])


def take_snapshot(
    practice: Practice, snapshot: OrderSnapshot, as_of: datetime, *, look_again: bool = False
) -> Order:
    """Merge a snapshot with all it includes and queue what the order then needs. Inside a transaction."""
    if snapshot.patient is not None:
        patient, changed = merge_patient(practice, snapshot.patient, as_of)
        if changed:
            refile_withheld(patient)
    for lab_test in included_lab_tests(snapshot):
        if "name" in lab_test.present:
            merge_lab_test(practice, lab_test, as_of)
    order, _ = merge_order(practice, snapshot, as_of, look_again=look_again)
    settle(order)
    return order


def at_rest(order: Order) -> bool:
    """Whether Caspio already holds all that the mirror knows of this order."""
    return order.revision == order.filed_revision and not order.filing_queued and not needs_pull(order)
