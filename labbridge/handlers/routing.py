"""Which practice an event belongs to: by practitioner, then patient, then known order or intent (rupa-api.md 7)."""

from __future__ import annotations

from labbridge.mirror.models import Order, Patient
from labbridge.peers.rupa.types import OrderSnapshot
from labbridge.practices.models import Practice, Practitioner


def practice_of_order(snapshot: OrderSnapshot) -> Practice | None:
    for external_id in snapshot.practitioner_ids:
        practitioner = Practitioner.objects.select_related("practice").filter(external_id=external_id).first()
        if practitioner is not None:
            return practitioner.practice
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
