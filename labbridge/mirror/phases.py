"""The coarse phase and payment state of an order: from dates first, then from words (rupa-api.md 6)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from labbridge.mirror.models import Phase

#: The peer's words, lower case, in the order in which they are looked for inside a status.
WORDS: tuple[tuple[str, Phase], ...] = (
    ("cancel", Phase.CANCELED),
    ("refund", Phase.CANCELED),
    ("denied", Phase.CANCELED),
    ("draft", Phase.DRAFT),
    ("partial", Phase.PARTIAL_RESULTS),
    ("pending payment", Phase.AWAITING_PAYMENT),
    ("awaiting payment", Phase.AWAITING_PAYMENT),
    ("unpaid", Phase.AWAITING_PAYMENT),
    ("complete", Phase.COMPLETE),
    ("results received", Phase.COMPLETE),
    ("results ready", Phase.COMPLETE),
    ("in progress", Phase.IN_PROGRESS),
    ("processing", Phase.IN_PROGRESS),
    ("shipped", Phase.IN_PROGRESS),
    ("sample", Phase.IN_PROGRESS),
    ("payment received", Phase.IN_PROGRESS),
)
PRACTITIONER_WORDS = ("practitioner", "provider", "clinic", "practice")


class Dated(Protocol):
    """What an order is judged by."""

    status: str
    payer: str
    submitted_at: datetime | None
    paid_at: datetime | None
    completed_at: datetime | None
    canceled_at: datetime | None


def phase_of(order: Dated, results_received: Iterable[datetime | None]) -> Phase:
    """The phase by dates: canceled, completed, any result, paid, submitted; else by words; else unknown.

    An order all of whose tests have results is complete even while the peer has not dated its completion.
    """
    received = list(results_received)
    if order.canceled_at:
        return Phase.CANCELED
    if order.completed_at or (received and all(received)):
        return Phase.COMPLETE
    if any(received):
        return Phase.PARTIAL_RESULTS
    if order.paid_at:
        return _unless_canceled(order.status, Phase.IN_PROGRESS)
    if order.submitted_at:
        return _submitted(order)
    return phase_by_words(order.status)


def phase_by_words(status: str) -> Phase:
    lowered = status.lower()
    return next((phase for word, phase in WORDS if word in lowered), Phase.UNKNOWN)


def _unless_canceled(status: str, phase: Phase) -> Phase:
    """A cancellation that the peer has not dated still is one."""
    return Phase.CANCELED if phase_by_words(status) is Phase.CANCELED else phase


def _submitted(order: Dated) -> Phase:
    by_words = phase_by_words(order.status)
    if by_words in {Phase.CANCELED, Phase.IN_PROGRESS, Phase.COMPLETE, Phase.PARTIAL_RESULTS}:
        return by_words
    return Phase.AWAITING_PAYMENT


def payment_of(order: Dated, phase: Phase) -> str:  # noqa: PLR0911  # a table of cases, in order
    """Payment_Status of design.md 6.6.7."""
    if "refund" in order.status.lower():
        return "refunded"
    if phase is Phase.CANCELED:
        return "canceled"
    payer = order.payer.lower()
    if order.paid_at:
        return "paid"
    if any(word in payer for word in PRACTITIONER_WORDS):
        return "practitioner_pays"
    if not order.submitted_at and phase is Phase.DRAFT:
        return "not_due"
    if phase is Phase.AWAITING_PAYMENT:
        return "awaiting_patient"
    return "unknown"
