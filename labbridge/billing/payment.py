"""Who pays for an order, and whether they have, from Rupa's dates and payer alone (mirror/phases.py)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db.models import Q

from labbridge.mirror.models import Order, Phase
from labbridge.mirror.phases import PRACTITIONER_WORDS, payment_of, who_pays
from labbridge.practices.models import Practice

REFUNDED = Q(status__icontains="refund")
PRACTITIONER = Q()
for _word in PRACTITIONER_WORDS:
    PRACTITIONER |= Q(payer__icontains=_word)
_LIVING = ~REFUNDED & ~Q(phase=Phase.CANCELED)

#: Payment_Status as a condition: what `mirror.phases.payment_of` says, for those that a person asks for.
PAYMENTS: dict[str, Q] = {
    "awaiting_patient": Q(phase=Phase.AWAITING_PAYMENT, paid_at=None) & _LIVING & ~PRACTITIONER,
    "paid": Q(paid_at__isnull=False) & _LIVING,
    "practitioner_pays": Q(paid_at=None) & _LIVING & PRACTITIONER,
    "refunded": REFUNDED,
}


def payment(order: Order) -> str:
    """Payment_Status of design.md 6.6.7."""
    return payment_of(order, Phase(order.phase))


def payer(order: Order) -> str:
    """`patient`, `practitioner`, or `unknown`."""
    return who_pays(order.payer)


def proof(order: Order) -> list[tuple[str, datetime]]:
    """The dates by which Rupa shows what became of the money, oldest first."""
    dates = (
        ("submitted", order.submitted_at), ("paid", order.paid_at), ("canceled", order.canceled_at),
    )  # fmt: skip
    return sorted(((what, at) for what, at in dates if at is not None), key=lambda one: one[1])


def awaiting_payment(practice: Practice | None = None, *, before: datetime) -> Iterator[Order]:
    """Orders that the patient was asked to pay for before a moment and has not, oldest first. No demo orders.

    Of one practice, or of all.
    """
    asked = Order.objects.filter(phase=Phase.AWAITING_PAYMENT, is_demo=False, submitted_at__lt=before)
    if practice is not None:
        asked = asked.filter(practice=practice)
    oldest = asked.select_related("practice").order_by("submitted_at", "external_id")
    for order in oldest.iterator(chunk_size=200):
        if payment(order) == "awaiting_patient":
            yield order
