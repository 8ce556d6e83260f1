"""How one order stands, in words: why it is not in Caspio yet, what is paid, when its open tests are expected."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from uuid import UUID

from django.urls import reverse
from django.utils import timezone

from labbridge.analytics.answers import Period
from labbridge.analytics.turnaround import USUAL, Usual, usual
from labbridge.filing.rows import money
from labbridge.handlers.links import why_unlinked
from labbridge.mirror.models import CaseState, LabTest, Order, OrderedTest, PatientLink, Phase, ReviewCase
from labbridge.mirror.phases import OPEN_PHASES, expected_by, is_overdue, payment_of, promised_days
from labbridge.practices.apply import config_of
from labbridge.practices.models import Practice

ERASED = "This patient's data was erased here. What Caspio holds of the order stays as it is."
NAMELESS = "Rupa's order names no patient. It is filed when it does: look at it in Rupa."
UNDER_WAY = "It is being filed now."
PULLING = "It is being read from Rupa now, and filed after that."
LEFT = "No job stands for it. File it again."


@dataclass(frozen=True)
class NotFiled:
    """Why an order, or a part of it, is not in Caspio: one sentence, and where to go about it."""

    sentence: str
    action: str = ""
    address: str = ""


def why_not_filed(order: Order, link: PatientLink | None, tests: list[OrderedTest]) -> NotFiled | None:  # noqa: PLR0911  # a table of cases, in the order in which they hold an order up
    """None when Caspio holds all that is known of the order."""
    if order.erased_at:
        return NotFiled(ERASED)
    if order.patient is None:
        return NotFiled(order.filing_problem or NAMELESS)
    if link is None:
        return _unlinked(order)
    if order.filing_problem or order.pull_problem:
        return NotFiled(order.filing_problem or order.pull_problem)
    problem = next((test.problem for test in tests if test.problem), "")
    if problem:
        return NotFiled(problem)
    if order.pull_queued:
        return NotFiled(PULLING)
    if order.filing_queued:
        return NotFiled(UNDER_WAY)
    return NotFiled(LEFT) if order.revision > order.filed_revision or order.filed_at is None else None


def _unlinked(order: Order) -> NotFiled:
    if order.patient is None:
        return NotFiled(NAMELESS)
    case = ReviewCase.objects.filter(patient=order.patient, state=CaseState.OPEN).first()
    sentence = order.filing_problem or why_unlinked(order.patient)
    if case is None:
        return NotFiled(sentence)
    return NotFiled(sentence, "Decide who this is", reverse("case", args=[case.pk]))


@dataclass(frozen=True)
class Late:
    """Why an order is late: what was expected when and by what figures, and what to do."""

    test: str
    lab_days: int
    ship_days: int
    began: datetime
    paid: bool  # whether the days count from the payment; else from the submission
    expected: datetime
    waits_for: tuple[str, ...]


def why_late(order: Order, tests: list[OrderedTest], known: dict[str, LabTest], now: datetime) -> Late | None:
    """By the same figures as Today and the pipeline; None while it is not late, or nobody can say."""
    open_tests = [one for one in tests if not one.removed]
    figures = [known.get(one.lab_test_id_external) for one in open_tests]
    by = expected_by(order, figures)
    start = order.paid_at or order.submitted_at
    if start is None or by is None or not is_overdue(order, by, now):
        return None
    slowest = max(filter(None, figures), key=lambda one: promised_days(one) or 0)
    missing = tuple(
        found.name if (found := known.get(one.lab_test_id_external)) and found.name else one.external_id
        for one in open_tests
        if one.results_received_at is None
    )
    return Late(slowest.name, slowest.turnaround_days or 0, slowest.shipping_days_max or 0, start,
                order.paid_at is not None, by, missing)  # fmt: skip


@dataclass(frozen=True)
class Payment:
    state: str
    payer: str
    paid_at: datetime | None
    price: Decimal | None
    unit_known: bool


def payment(order: Order, *, with_price: bool) -> Payment:
    unit = config_of(order.practice).rupa.price_unit if with_price else "unknown"
    price = money(order.total_price, unit)
    state = payment_of(order, Phase(order.phase))
    return Payment(state, order.payer, order.paid_at, price, unit != "unknown")


@dataclass(frozen=True)
class Expected:
    """By when half of such tests have a result, and nine in ten; what that is taken from."""

    by: date | None
    late_after: date | None
    basis: str
    overdue: bool


def expected(order: Order, test: OrderedTest, today: date) -> Expected | None:
    """None for a test that waits for nothing."""
    start = order.paid_at or order.submitted_at
    if order.phase not in OPEN_PHASES or order.is_demo or start is None or test.results_received_at:
        return None
    known = _usual(order.practice_id, timezone.now().replace(minute=0, second=0, microsecond=0))
    began = start.astimezone(order.practice.zone).date()
    usually = known.expected(test.lab_test_id_external)
    by = None if usually.likely is None else began + timedelta(days=usually.likely)
    late_after = None if usually.late is None else began + timedelta(days=usually.late)
    return Expected(by, late_after, usually.basis, late_after is not None and late_after < today)


@lru_cache(maxsize=64)
def _usual(practice_id: UUID, hour: datetime) -> Usual:
    """Counted once an hour for each practice: over a million orders it takes longer than a page may."""
    practice = Practice.objects.get(pk=practice_id)
    today = hour.astimezone(practice.zone).date()
    return usual(practice, Period(today - USUAL, today), today)
