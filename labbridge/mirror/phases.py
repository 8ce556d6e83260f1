"""The coarse phase and payment state of an order, from dates first, then from words (rupa-api.md 6); is it late?"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Protocol

from labbridge.mirror.models import LabTest, Order, Phase

#: An order is under way: it may become late.
OPEN_PHASES = frozenset({Phase.AWAITING_PAYMENT, Phase.IN_PROGRESS, Phase.PARTIAL_RESULTS})

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
#: Words that a status may be made of and be kept in the clear for good. Anything else a peer might write there, even
#: a name by mistake, is not: the history has `OTHER_STATUS` for it, and the sealed event has the literal.
_PLAIN = (
    "a all approved at authorization authorisation awaiting been by cancel canceled cancelled collected complete "
    "completed delivered denied director draft failed for from in is kit lab laboratory labs not of on order ordered "
    "paid partial partially patient payment pending physician practitioner processing progress ready received refund "
    "refunded rejected requires result results review sample samples sent shipped signature submitted test tests the "
    "to transit unpaid upcoming waiting with"
)
PLAIN_WORDS = frozenset(_PLAIN.split())
OTHER_STATUS = "another status"

#: Payment_Status of design.md 6.6.7, the further along the later.
PAYMENTS = ("not_due", "awaiting_patient", "practitioner_pays", "paid", "refunded", "canceled")
PRACTITIONER_WORDS = ("practitioner", "provider", "clinic", "practice")

#: Every Payment_Status of design.md 6.6.7.
PAYMENT_WORDS = frozenset({*PAYMENTS, "unknown"})


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


def plain_status(status: str) -> str:
    """The status when it is made of words that statuses are made of, else `OTHER_STATUS`; "" stays."""
    known = all(word in PLAIN_WORDS for word in re.findall(r"[^\W_]+", status.lower()))
    return " ".join(status.split()) if known else OTHER_STATUS


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


def who_pays(payer: str) -> str:
    """`patient`, `practitioner`, or `unknown`: Rupa documents the word "patient" only (rupa-api.md 5.13)."""
    said = payer.strip().lower()
    if any(word in said for word in PRACTITIONER_WORDS):
        return "practitioner"
    return "patient" if said == "patient" else "unknown"


def promised_days(test: LabTest) -> int | None:
    """By the catalogue's own figures: at the lab, and twice the longest shipping (kit out, sample back)."""
    return None if test.turnaround_days is None else test.turnaround_days + 2 * (test.shipping_days_max or 0)


def expected_by(order: Order, lab_tests: Iterable[LabTest | None]) -> datetime | None:
    """When the slowest test should be back by the catalogue's own figures; unknown when any has none."""
    start, days = order.paid_at or order.submitted_at, 0
    for test in (known := list(lab_tests)):
        promised = promised_days(test) if test is not None else None
        if promised is None:
            return None
        days = max(days, promised)
    return start + timedelta(days=days) if start and known else None


def is_overdue(order: Order, expected: datetime | None, now: datetime) -> bool:
    return order.phase in OPEN_PHASES and not order.is_demo and expected is not None and expected < now
