"""What an order was said to be, moment by moment: only ever added to, and no matter in which order it was heard.

Each snapshot tells moments by itself alone, whatever is held: its status at its own age, the phases and payments
that its dates name at those dates, and where it stands at its age. Rows are the union of what all snapshots told,
each once; what came before what is worked out when they are read (`OrderChange`). So a late event adds the state that
was, and never makes one up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from labbridge.mirror.models import Order, OrderMoment, Phase, What
from labbridge.mirror.phases import PAYMENTS, payment_of, phase_by_words, phase_of, plain_status
from labbridge.peers.rupa.types import OrderSnapshot

DATES = ("submitted_at", "paid_at", "completed_at", "canceled_at")


@dataclass(frozen=True)
class Moment:
    what: What
    value: str
    at: datetime
    ordered_test: str = ""  # its id at the peer

    @property
    def step(self) -> int:
        """Orders moments of one time: the further along is the later one."""
        return step_of(self.what, self.value)


def step_of(what: str, value: str) -> int:
    if what == What.PAYMENT:
        return PAYMENTS.index(value) if value in PAYMENTS else -1
    if what == What.RESULT:
        return 0
    phase = phase_by_words(value) if what == What.STATUS else Phase(value)
    return -1 if phase is Phase.UNKNOWN else list(Phase).index(phase)


@dataclass
class _Stood:
    """An order as its dates show it at one of them."""

    status: str = ""
    payer: str = ""
    submitted_at: datetime | None = None
    paid_at: datetime | None = None
    completed_at: datetime | None = None
    canceled_at: datetime | None = None


def told(order: Order, snapshot: OrderSnapshot, as_of: datetime) -> set[Moment]:
    """What a snapshot told, once it was merged."""
    moments = set(moments_of(snapshot, as_of))
    if not is_whole(snapshot) and order.as_of == as_of:  # the newest, completed by what was known
        moments |= set(_standing(order, Phase(order.phase), as_of))
    return moments


class Telling(NamedTuple):
    """What one event told of an order; without an event it was read."""

    order: Order
    moments: set[Moment]
    event_id: UUID | None


def record(tellings: Iterable[Telling], tests: Mapping[str, UUID]) -> None:
    """Keep what snapshots told, oldest first; `tests` are ours by the peer's keys. Told again, it adds nothing."""
    width = OrderMoment.VALUE
    rows = [
        OrderMoment(
            practice_id=order.practice_id, order=order, ordered_test_id=tests.get(one.ordered_test),
            what=one.what, value=one.value[:width], step=one.step, at=one.at, event_id=event_id,
        )
        for order, moments, event_id in tellings
        for one in sorted(moments, key=lambda one: (one.at, one.what, one.step, one.value))
    ]  # fmt: skip
    if rows:
        OrderMoment.objects.bulk_create(rows, ignore_conflicts=True)


def is_whole(snapshot: OrderSnapshot) -> bool:
    """Whether it says by itself where the order stands: all that phase and payment are judged by."""
    tests = all("results_received_at" in test.present for test in snapshot.ordered_tests)
    return tests and {"status", "payer", "ordered_tests", *DATES} <= snapshot.present


def moments_of(snapshot: OrderSnapshot, as_of: datetime) -> Iterator[Moment]:
    """What one snapshot tells by itself. Nothing is dated after the snapshot's own age."""
    if "status" in snapshot.present:
        yield Moment(What.STATUS, plain_status(snapshot.status or ""), as_of)
    for test in snapshot.ordered_tests:
        if test.results_received_at is not None:
            received = test.results_received_at.astimezone(UTC)
            yield Moment(What.RESULT, received.isoformat(), min(received, as_of), test.id)
    yield from _by_dates(snapshot, as_of)
    if is_whole(snapshot):
        received_by = [test.results_received_at for test in snapshot.ordered_tests]
        stood = _stood(snapshot, None, status=snapshot.status or "")
        yield from _standing(stood, phase_of(stood, received_by), as_of)


def _by_dates(snapshot: OrderSnapshot, as_of: datetime) -> Iterator[Moment]:
    received = [test.results_received_at for test in snapshot.ordered_tests]
    unknown = [] if is_whole(snapshot) else [None]
    dated = [date for name in DATES if (date := getattr(snapshot, name)) is not None]
    for date in sorted({*dated, *(one for one in received if one is not None)}):
        stood = _stood(snapshot, date)
        by_then = [one if one is not None and one <= date else None for one in received]
        for moment in _standing(stood, phase_of(stood, [*by_then, *unknown]), min(date, as_of)):
            # Who pays may not have been said: then nobody knows whether the patient was asked.
            if (
                moment.what != What.PAYMENT
                or moment.value in {"paid", "canceled"}
                or "payer" in snapshot.present
            ):
                yield moment


def _stood(snapshot: OrderSnapshot, until: datetime | None, *, status: str = "") -> _Stood:
    dates: dict[str, Any] = {name: getattr(snapshot, name) for name in DATES}  # any: keywords
    known = {
        name: date for name, date in dates.items() if date is not None and (until is None or date <= until)
    }
    return _Stood(status=status, payer=snapshot.payer or "", **known)


def _standing(
    stood: Any, phase: Phase, at: datetime
) -> Iterable[Moment]:  # any: whatever has an order's dates
    """Where it stood. What nobody knew is not told."""
    payment = payment_of(stood, phase)
    if phase is not Phase.UNKNOWN:
        yield Moment(What.PHASE, phase, at)
    if payment != "unknown":
        yield Moment(What.PAYMENT, payment, at)
