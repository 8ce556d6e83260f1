"""A sweep: compare a practice with both peers, stop where too much would change, repair, and write the ledger.

It compares first and changes nothing; then it repairs by the handlers and the filing that live events use; then it
waits until that is filed and counts. Each of the three may die and be done again: what was repaired is no difference
any more, and the repairs themselves are kept with what they repaired, in one transaction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import structlog
from django.db import IntegrityError, transaction
from django.db.models import Sum
from django.utils import timezone

from labbridge.engine.locks import try_exclusive
from labbridge.filing.execute import FilingProblem
from labbridge.practices.apply import config_of
from labbridge.practices.clients import caspio_connection, has_ended
from labbridge.practices.config import SyncPart
from labbridge.practices.models import CallCount, Practice
from labbridge.reconcile.depth import Depth, deeper
from labbridge.reconcile.ledger import ENDED, anchor, shown, write_entry
from labbridge.reconcile.listing import OrderList
from labbridge.reconcile.models import Kind, Sweep, SweepState
from labbridge.reconcile.patients import PatientComparison
from labbridge.reconcile.requests import RequestComparison
from labbridge.reconcile.rows import RowComparison
from labbridge.reconcile.settling import waiting_reasons
from labbridge.reconcile.stuck import (
    free_events,
    free_orders,
    free_polls,
    free_rows,
    orders_without_job,
    rest_events,
    stuck_events,
)
from labbridge.trust import audit

log = structlog.get_logger()

NAMED = 5  #: orders of a difference that the summary names; the ledger's entry names more
KEPT = timedelta(days=90)  #: how long the working notes of sweeps are kept; the ledger itself stays

Progress = Callable[[str, int], None]


class Busy(Exception):
    """Another sweep of the practice is under way."""


@dataclass
class Report:
    """What a sweep came to."""

    practice: Practice
    counts: Counter[str] = field(default_factory=Counter)
    left: list[str] = field(default_factory=list)  # sentences: what is left for a person
    differences: list[str] = field(default_factory=list)  # a dry run: what would be repaired, by id
    entry: dict[str, Any] | None = None  # any: the ledger's entry as `ledger show` gives it

    def summary(self) -> dict[str, Any]:
        """As `sweep --json` prints it."""
        figures = {name: self.entry[name] for name in _FIGURES} if self.entry else {}
        more: dict[str, Any] = {"stopped": self.stopped, "left": self.left}
        if self.differences:
            more["differences"] = self.differences
        return {"practice": self.practice.slug, **self.counts, **figures, **more}

    @property
    def stopped(self) -> bool:
        """Whether it changed nothing, since too much would have changed."""
        return bool(self.counts["stopped"])

    @property
    def all_right(self) -> bool:
        entry = self.entry or {}
        return not self.left and not entry.get("difference") and not entry.get("in_review")


_FIGURES = ("listed", "held", "filed", "in_review", "rejected", "repaired", "difference")


# -- comparing ---------------------------------------------------------------------------------------------------


@dataclass
class Comparison:
    """Everything one sweep read, before anything is changed."""

    patients: PatientComparison
    orders: OrderList
    rows: RowComparison
    requests: RequestComparison

    @classmethod
    def of(cls, practice: Practice, depth: Depth, sweep: Sweep | None) -> Comparison:
        return cls(
            PatientComparison(practice),
            OrderList(practice, depth, sweep),
            RowComparison(practice, depth),
            RequestComparison(practice),
        )

    def read(self, progress: Progress) -> None:
        """Raises PeerError: a peer is away. Raises NotConnected."""
        self.requests.read()  # long before it is applied: a message that is on its way arrives meanwhile
        self.patients.read()
        progress("patients read", self.patients.counts["patients_read"])
        self.orders.read(lambda read: progress("orders read", read))
        self.rows.read()
        progress("rows compared", self.rows.rows)

    @property
    def counts(self) -> Counter[str]:
        files = {"files_compared": self.orders.files.compared, "files_unread": self.orders.files.unread}
        return Counter({**self.orders.counts, **files, **self.patients.counts, **self.rows.counts})

    @property
    def left(self) -> list[str]:
        return [*self.requests.left, *self.patients.left, *self.orders.left, *self.rows.left]

    def too_much(self, sync: SyncPart) -> list[str]:
        """Sentences for each kind of which too much would change at once. New or moved on is none."""
        patients, orders = self.patients.compared, self.orders
        candidates = [
            ("patients in Caspio", patients.changed + patients.gone, patients.held),
            ("orders at Rupa", orders.taken_back + orders.counts["amended"], orders.held),
            ("orders that Rupa listed before", orders.gone, orders.listed_before),
            ("rows that Labbridge filed", len(self.rows.differences), self.rows.rows),
        ]
        return [
            f"{changed} of {held} {what} have changed or gone, which is more than {sync.brake_share:.0%}. Nothing "
            "was changed. Look at them; if this is right, run `labbridge sweep --force`."
            for what, changed, held in candidates
            if sync.is_too_much(changed, held)
        ]

    def differences(self) -> list[str]:
        """Ids of all that would be repaired."""
        orders = [f"{change.kind} {change.snapshot.id}" for change in self.orders.changes]
        requests = [f"{Kind.REQUEST_MISSED} row:{pk_id}" for pk_id in self.requests.waiting()]
        return orders + requests + [f"{one.kind} {one.subject}" for one in self.rows.differences.values()]


# -- a dry run ---------------------------------------------------------------------------------------------------


def look(practice: Practice, depth: Depth, progress: Progress = lambda _what, _count: None) -> Report:
    """Compare and say what would be done; nothing is written, here or at a peer. Raises PeerError, NotConnected."""
    if has_ended(practice):
        return Report(practice, Counter(ENDED))
    comparison = Comparison.of(practice, depth, None)
    comparison.read(progress)
    report = Report(practice, comparison.counts, comparison.left)
    report.counts["events_stuck"] = len(stuck_events(practice))
    report.counts["jobs_missing"] = sum(1 for _ in orders_without_job(practice))
    report.differences = comparison.differences()
    too_much = comparison.too_much(config_of(practice).sync)
    report.left += too_much
    report.counts["stopped"] = int(bool(too_much))
    return report


# -- a sweep in steps, each of which may be done again -----------------------------------------------------------


class Sweeping:
    """One sweep of one practice. The caller holds its lock (`alone`)."""

    def __init__(
        self, practice: Practice, depth: Depth, *, force: bool = False, actor: audit.Actor | None = None
    ) -> None:
        self.practice, self.force, self.actor = practice, force, actor or audit.job("sweep_practice")
        self.sweep = _opened(practice, depth)
        self.depth = deeper(self.sweep.depth, depth)
        self.report = Report(practice, Counter(self.sweep.counts), list(self.sweep.left))

    @property
    def settling(self) -> bool:
        return self.sweep.state == SweepState.SETTLING

    def free_events(self) -> int:
        """First of all, events that no job stands for: what they tell need not be found by comparing."""
        return free_events(self.sweep)

    def repair(self, progress: Progress = lambda _what, _count: None) -> None:
        """Compare, and repair unless too much would change. Raises PeerError, NotConnected: nothing is lost.

        A practice that has ended its connections on purpose has nothing to compare with, and its rows in Caspio are
        its own to change from then on: the ledger counts what Rupa listed last.
        """
        if has_ended(self.practice):
            self.report = Report(self.practice, Counter(ENDED))
        else:
            self._compare_and_repair(progress)
        self.sweep.counts, self.sweep.left = dict(self.report.counts), self.report.left
        self.sweep.depth, self.sweep.state = self.depth.name, SweepState.SETTLING
        self.sweep.repaired_at = timezone.now()
        self.sweep.save()

    def _compare_and_repair(self, progress: Progress) -> None:
        before = self._calls()
        comparison = Comparison.of(self.practice, self.depth, self.sweep)
        comparison.read(progress)
        self.report = Report(self.practice, comparison.counts, comparison.left)
        too_much = [] if self.force else comparison.too_much(config_of(self.practice).sync)
        self.report.left += too_much
        self.report.counts["stopped"] = int(bool(too_much))
        if not too_much:
            self._apply(comparison)
        self.report.counts["calls"] = self._calls() - before
        self.report.counts["for_a_person"] = len(self.report.left)
        self.sweep.listed_whole = comparison.orders.whole

    def _apply(self, comparison: Comparison) -> None:
        comparison.patients.apply()
        comparison.orders.apply()
        self.report.counts["requests_missed"] = comparison.requests.apply(self.sweep)
        try:
            comparison.rows.apply(self.sweep)
        except FilingProblem as problem:
            self.report.left.append(problem.sentence)
        self.report.counts["jobs_missing"] = sum(
            free(self.sweep) for free in (free_orders, free_polls, free_rows)
        )

    def finish(self) -> Report:
        """When all is filed or waits: count, sign, anchor."""
        rest_events(self.practice)
        entry = write_entry(self.sweep)
        self.report.entry = shown(entry)
        named = entry.body["differences"][:NAMED]
        self.report.left += [f"Order {one['id']} is not filed. {one['why']}" for one in named]
        problem = anchor(self.practice)
        if problem:
            self.report.left.append(problem)
            self.report.counts["for_a_person"] += 1
            self.sweep.counts = dict(self.report.counts)
        self.report.counts["events_stuck"] = entry.body["repairs"].get("event_stuck", 0)
        self.sweep.state, self.sweep.finished_at = SweepState.DONE, timezone.now()
        with transaction.atomic():
            self.sweep.save()
            self._audit(entry.body["repaired"])
            Sweep.objects.filter(practice=self.practice, finished_at__lt=timezone.now() - KEPT).delete()
        log.info("reconcile.swept", practice=self.practice.slug, counts=dict(self.report.counts))
        return self.report

    def _audit(self, repaired: int) -> None:
        subject = f"sweep:{self.sweep.pk}"
        audit.record("sweep.run", actor=self.actor, practice=self.practice, subject=subject)
        if repaired:
            audit.record(
                "sweep.repair", actor=self.actor, practice=self.practice, subject=subject, count=repaired
            )

    def _calls(self) -> int:
        """Calls that sweeps have made to either peer, by the meter of calls."""
        accounts = ["rupa", f"caspio:{caspio_connection(self.practice).account}"]
        made = CallCount.objects.filter(account__in=accounts, purpose="sweep")
        return int(made.aggregate(calls=Sum("calls"))["calls"] or 0)


def alone(practice: Practice) -> Any:  # any: the context manager of try_exclusive
    """The lock under which a practice is swept; yields whether it could be had."""
    return try_exclusive(f"sweep:{practice.pk}")


def _opened(practice: Practice, depth: Depth) -> Sweep:
    """The sweep that was begun and died, or a new one."""
    begun = Sweep.objects.filter(practice=practice).exclude(state=SweepState.DONE).first()
    if begun is not None:
        return begun
    try:
        with transaction.atomic():
            return Sweep.objects.create(practice=practice, depth=depth.name)
    except IntegrityError:  # somebody was quicker, without the lock
        raise Busy from None


def reasons(practice: Practice) -> list[str]:
    """Why orders of a practice wait, for people."""
    return waiting_reasons(practice.slug)
