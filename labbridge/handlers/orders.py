"""Orders: `order.updated` and `order.new_result`, and the same snapshots when they were read from Rupa's list."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from labbridge.handlers.ordered import note_order
from labbridge.handlers.routing import practices_of_orders
from labbridge.handlers.rupa_patients import note_changed
from labbridge.handlers.settle import Standing, needs_pull, outcome, settle_all
from labbridge.inbox.models import Event, EventState
from labbridge.mirror.lab_tests import included_lab_tests, merge_lab_test
from labbridge.mirror.merge import Contradiction, OpenOrders, merge_patient
from labbridge.mirror.models import KEY, Order
from labbridge.peers.rupa.events import ORDER_NEW_RESULT, EventEnvelope
from labbridge.peers.rupa.types import OrderSnapshot
from labbridge.practices.models import Practice

UNREADABLE = "The event does not hold an order that can be read. It is kept; look at the order in Rupa."
ERASED_ORDER = "The contents of this order were erased here: Caspio keeps its rows as they are."
UNROUTABLE = (
    "No connected practice has this order's practitioner, patient or order. Connect the practice with "
    "`labbridge rupa connect`, then replay."
)


def subject_of(external_id: str) -> str:
    return f"order:{external_id}"


def on_order(event: Event, envelope: EventEnvelope) -> None:
    """Merge the order as it was at the event; a new result has its files looked at again."""
    try:
        with transaction.atomic():
            on_orders([(event, envelope)])
    except Contradiction as contradiction:
        event.settle(EventState.QUARANTINED, str(contradiction))


def on_orders(events: Sequence[tuple[Event, EventEnvelope]]) -> None:
    """The same for several events, oldest first, of any orders and practices. Inside a transaction.

    Raises:
        Contradiction: of one of them; nothing of the others may stay then.

    """
    told = [(event, envelope, _readable(envelope.order)) for event, envelope in events]
    routed = iter(practices_of_orders([one for event, _, one in told if one and not event.practice]))
    sightings: dict[Practice, list[Sighting]] = defaultdict(list)
    for event, envelope, snapshot in told:
        if snapshot is None:
            event.settle(EventState.QUARANTINED, UNREADABLE)
            continue
        practice = event.practice or next(routed)
        if practice is None:
            event.settle(EventState.QUARANTINED, UNROUTABLE)
            continue
        as_of, look_again = envelope.created_at or event.received_at, event.type == ORDER_NEW_RESULT
        sightings[practice].append(Sighting(snapshot, as_of, look_again=look_again, event=event))
    for practice in sorted(sightings, key=lambda one: one.pk):
        take_snapshots(practice, sightings[practice])


def _readable(snapshot: OrderSnapshot | None) -> OrderSnapshot | None:
    return snapshot if snapshot is not None and 0 < len(snapshot.id) <= KEY else None


@dataclass(frozen=True)
class Sighting:
    """An order as the peer showed it at one moment, and the event that told of it."""

    snapshot: OrderSnapshot = field(repr=False)
    as_of: datetime
    look_again: bool = False
    event: Event | None = None


def take_snapshot(
    practice: Practice, snapshot: OrderSnapshot, as_of: datetime, *, look_again: bool = False
) -> Order:
    """Merge a snapshot with all it includes and queue what the order then needs. Inside a transaction."""
    return take_snapshots(practice, [Sighting(snapshot, as_of, look_again=look_again)])[0]


def take_snapshots(practice: Practice, sightings: Sequence[Sighting]) -> list[Order]:
    """The same for several, oldest first. Returns the order of each.

    Rows are locked in one order everywhere: patients, lab tests, orders, each kind by its keys.
    """
    for one in sorted(sightings, key=lambda one: (one.snapshot.patient and one.snapshot.patient.id) or ""):
        if one.snapshot.patient is not None:
            patient, changed = merge_patient(practice, one.snapshot.patient, one.as_of)
            if changed:
                note_changed(patient)
    included = [(test, one.as_of) for one in sightings for test in included_lab_tests(one.snapshot)]
    for lab_test, as_of in sorted(included, key=lambda shown: shown[0].id):
        if "name" in lab_test.present:
            merge_lab_test(practice, lab_test, as_of)
    opened = OpenOrders(practice, [one.snapshot for one in sightings])
    orders = [_merged(opened, one) for one in sightings]
    opened.save()
    for order, one in zip(orders, sightings, strict=True):
        if order.pk in opened.changed or one.snapshot.metadata:
            note_order(order, one.snapshot.metadata)
    standing = settle_all({order.pk: order for order in orders if not order.erased_at}.values())
    _note_merged(
        [(one.event, order) for one, order in zip(sightings, orders, strict=True) if one.event], standing
    )
    return orders


def _merged(opened: OpenOrders, one: Sighting) -> Order:
    event_id = one.event.pk if one.event is not None else None
    return opened.merge(one.snapshot, one.as_of, look_again=one.look_again, event_id=event_id)


def _note_merged(merged: Sequence[tuple[Event, Order]], standing: Mapping[UUID, Standing]) -> None:
    """What is known of each event now; one statement for all of which the same is to be said."""
    now = timezone.now()
    alike: dict[tuple[UUID, str, EventState, str, datetime | None], list[UUID]] = defaultdict(list)
    for event, order in merged:
        state, reason = EventState.RECEIVED, ""
        settled_at: datetime | None = None
        subject = subject_of(order.external_id)
        if order.erased_at:
            state, reason, settled_at = EventState.HANDLED, ERASED_ORDER, now
            event.body, event.emptied_at = b"", now
            event.save(update_fields=["body", "emptied_at"])
        elif at_rest(order, standing[order.pk]):
            (state, reason), settled_at = outcome(standing[order.pk]), now
        moved = "" if event.subject == subject else subject
        alike[order.practice.pk, moved, state, reason, settled_at].append(event.pk)
    for (practice_id, moved, state, reason, settled_at), keys in alike.items():
        values: dict[str, object] = {
            "practice_id": practice_id, "merged_at": now, "state": state, "reason": reason, "settled_at": settled_at,
            **({"subject": moved} if moved else {}),
        }  # fmt: skip
        Event.objects.filter(pk__in=keys).update(**values)


def at_rest(order: Order, standing: Standing) -> bool:
    """Whether Caspio already holds all that the mirror knows of this order."""
    filed = order.revision == order.filed_revision and not order.filing_queued
    return filed and not needs_pull(order, standing)
