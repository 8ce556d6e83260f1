"""Which practice an event belongs to: by practitioner, then patient, then known order or intent (rupa-api.md 7)."""

from __future__ import annotations

from collections.abc import Sequence

from labbridge.mirror.models import Order, Patient
from labbridge.peers.rupa.types import OrderSnapshot
from labbridge.practices.models import Practice, Practitioner


def practices_of_orders(snapshots: Sequence[OrderSnapshot]) -> list[Practice | None]:
    """As `practice_of_order` for each, with one look at who works where."""
    named = {external_id for snapshot in snapshots for external_id in snapshot.practitioner_ids}
    known = {
        one.external_id: one.practice
        for one in Practitioner.objects.select_related("practice").filter(external_id__in=named)
    }
    practices = {practice.pk: practice for practice in known.values()}  # one object for each
    return [
        next((practices[known[one].pk] for one in snapshot.practitioner_ids if one in known), None)
        or _practice_known(snapshot)
        for snapshot in snapshots
    ]


def practice_of_order(snapshot: OrderSnapshot) -> Practice | None:
    return practices_of_orders([snapshot])[0]


def _practice_known(snapshot: OrderSnapshot) -> Practice | None:
    known_by_order = Order.objects.select_related("practice").filter(external_id=snapshot.id)
    known_by_patient = Patient.objects.select_related("practice").filter(
        external_id=snapshot.patient_id or ""
    )
    known_by_intent = Order.objects.select_related("practice").filter(
        order_intent_id=snapshot.order_intent_id or "-"
    )
    for known in (known_by_patient, known_by_order, known_by_intent):
        practices = {row.practice for row in known[:3]}
        if len(practices) == 1:
            return practices.pop()
    return None
