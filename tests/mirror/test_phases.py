from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from labbridge.mirror.models import Phase
from labbridge.mirror.phases import payment_of, phase_by_words, phase_of

DAY = datetime(2031, 2, 3, tzinfo=UTC)


@dataclass
class Dates:
    status: str = ""
    payer: str = ""
    submitted_at: datetime | None = None
    paid_at: datetime | None = None
    completed_at: datetime | None = None
    canceled_at: datetime | None = None


@pytest.mark.parametrize(
    ("order", "received", "phase"),
    [
        (Dates(status="Draft"), [None], Phase.DRAFT),
        (Dates(status="Pending Payment", submitted_at=DAY), [None], Phase.AWAITING_PAYMENT),
        (Dates(status="Something Else", submitted_at=DAY), [None], Phase.AWAITING_PAYMENT),
        (Dates(status="In Progress", submitted_at=DAY), [None], Phase.IN_PROGRESS),
        (Dates(status="Pending Payment", submitted_at=DAY, paid_at=DAY), [None], Phase.IN_PROGRESS),
        (Dates(submitted_at=DAY, paid_at=DAY), [DAY, None], Phase.PARTIAL_RESULTS),
        (Dates(submitted_at=DAY, paid_at=DAY), [DAY, DAY], Phase.COMPLETE),
        (Dates(status="In Progress", paid_at=DAY, completed_at=DAY), [DAY, None], Phase.COMPLETE),
        (Dates(status="Complete", canceled_at=DAY, completed_at=DAY), [DAY], Phase.CANCELED),
        (Dates(status="Canceled", paid_at=DAY), [None], Phase.CANCELED),
        (Dates(status="Cancelled by patient", submitted_at=DAY), [None], Phase.CANCELED),
        (Dates(status="Frobnicated"), [None], Phase.UNKNOWN),
        (Dates(), [], Phase.UNKNOWN),
    ],
)
def test_dates_come_before_words(order: Dates, received: list[datetime | None], phase: Phase) -> None:
    assert phase_of(order, received) is phase


def test_words_are_found_in_any_case() -> None:
    assert phase_by_words("PARTIAL results received") is Phase.PARTIAL_RESULTS
    assert phase_by_words("Results Received") is Phase.COMPLETE


@pytest.mark.parametrize(
    ("order", "phase", "state"),
    [
        (Dates(status="Draft"), Phase.DRAFT, "not_due"),
        (Dates(submitted_at=DAY, payer="patient"), Phase.AWAITING_PAYMENT, "awaiting_patient"),
        (Dates(submitted_at=DAY, payer="practitioner"), Phase.AWAITING_PAYMENT, "practitioner_pays"),
        (Dates(submitted_at=DAY, payer="Clinic"), Phase.IN_PROGRESS, "practitioner_pays"),
        (Dates(submitted_at=DAY, paid_at=DAY, payer="practitioner"), Phase.IN_PROGRESS, "paid"),
        (Dates(paid_at=DAY), Phase.COMPLETE, "paid"),
        (Dates(paid_at=DAY, canceled_at=DAY), Phase.CANCELED, "canceled"),
        (Dates(status="Refunded", paid_at=DAY, canceled_at=DAY), Phase.CANCELED, "refunded"),
        (Dates(payer="patient", submitted_at=DAY), Phase.IN_PROGRESS, "unknown"),
        (Dates(), Phase.UNKNOWN, "unknown"),
    ],
)
def test_payment_states(order: Dates, phase: Phase, state: str) -> None:
    assert payment_of(order, phase) == state
