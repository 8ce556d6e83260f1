"""Rupa's list of orders compared with the mirror: what is missing or another is found first, and taken afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import structlog
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from labbridge.database.deadlocks import outliving_deadlocks
from labbridge.handlers.orders import take_snapshot
from labbridge.mirror.merge import Contradiction, read_at, without_query
from labbridge.mirror.models import KEY, Order, Phase, ResultSource, SourceState
from labbridge.mirror.phases import OPEN_PHASES
from labbridge.peers.errors import ConnectionEnded, NotFound
from labbridge.peers.lab import LabPeer
from labbridge.peers.rupa.types import OrderSnapshot
from labbridge.practices.clients import NotConnected, lab, rupa_connections, why_not_connected
from labbridge.practices.models import Connection, Practice
from labbridge.reconcile.depth import Depth
from labbridge.reconcile.files import FileChecks
from labbridge.reconcile.models import Kind, Listed, Repair, Sweep, Verdict
from labbridge.trust.keys import keyring

log = structlog.get_logger()

Progress = Callable[[int], None]

#: Orders that we did not hold are kept in memory until all is compared, but not more of them than this.
HELD_BACK = 1000
UNUSABLE = "Its id is longer than any that Rupa is known to use. Look at the order in Rupa, and tell us."
UNTOLD = (
    "Rupa lists orders without their tests, so results whose events were lost cannot be seen. Ask Rupa to allow "
    "`include` for this application."
)


@dataclass(frozen=True)
class Change:
    """An order that Rupa lists and that we do not hold so."""

    snapshot: OrderSnapshot = field(repr=False)
    as_of: datetime
    kind: Kind | None  # None: only particulars beside the order may be newer, such as its patient's
    amended: tuple[str, ...] = ()  # tests whose file is another one under an unchanged date
    fingerprint: bytes = field(default=b"", repr=False)


class OrderList:
    """One reading of the orders that a practice's connections see."""

    def __init__(self, practice: Practice, depth: Depth, sweep: Sweep | None) -> None:
        """Without a `sweep` nothing is kept: a dry run."""
        self.practice, self.depth, self.sweep = practice, depth, sweep
        self.began = timezone.now()
        self.counts: Counter[str] = Counter(read=0, missed=0, changed=0, amended=0, unchanged=0)
        self.taken_back = 0  # changes that are no progress: of these a mass is suspicious
        self.changes: list[Change] = []
        self.listed_before = self._present().count()
        self.gone = 0  # listed before and no more: after a whole reading only
        self.whole = True  # until a list was left before its end
        self.left: list[str] = []
        self.files = FileChecks(practice, depth)
        self._known = dict(Order.objects.filter(practice=practice).values_list("external_id", "as_of"))
        self._unfetched = set(
            _without_file(practice, depth).values_list("ordered_test__order__external_id", flat=True)
        )
        self._fresh: list[Change] = []
        self._seen: set[str] = set()

    @property
    def held(self) -> int:
        return len(self._known)

    # -- comparing -----------------------------------------------------------------------------------------------

    def read(self, progress: Progress = lambda _read: None) -> None:
        """Read and compare. Changes nothing in the mirror, unless there is more that is new than may be held back.

        Raises:
            PeerError: Rupa is away.
            NotConnected: no connection can be used.

        """
        connections = rupa_connections(self.practice)
        if not connections:
            raise NotConnected(why_not_connected(self.practice))
        ended: ConnectionEnded | None = None
        for connection in connections:
            try:
                self._read(connection, progress)
            except ConnectionEnded as error:  # the others go on: of one clinic they see the same
                ended, self.whole = error, False
                self.left.append(
                    f"The connection {connection.account} has ended: run `labbridge rupa connect`."
                )
        if ended is not None and len(self.left) == len(connections):
            raise ended
        if self.whole:
            named = self._present().values_list("external_id", flat=True)
            self.gone = sum(1 for one in named.iterator() if one not in self._seen)

    def _present(self) -> QuerySet[Listed]:
        return Listed.objects.filter(practice=self.practice, present=True)

    def _read(self, connection: Connection, progress: Progress) -> None:
        with lab(connection, "sweep") as client:
            for page in client.order_pages():
                news = self._take_page([one for one in page if one.id not in self._seen], client)
                progress(self.counts["read"])
                if not news and not self.depth.whole_list and client.sorts_orders:
                    self.whole = False  # known ground: what is older was compared before
                    return

    def _take_page(self, page: Sequence[OrderSnapshot], client: LabPeer) -> bool:
        """Compare one page. Returns whether any of it was news."""
        ids, now = [one.id for one in page], client.now()
        listed = {
            row.external_id: row for row in Listed.objects.filter(practice=self.practice, external_id__in=ids)
        }
        orders = {
            one.external_id: one for one in Order.objects.filter(practice=self.practice, external_id__in=ids)
        }
        rows, before = [], len(self.changes)
        for snapshot in page:
            self._seen |= {snapshot.id, snapshot.id[:255]}
            self.counts["read"] += 1
            order = orders.get(snapshot.id)
            rows.append(self._compare(snapshot, order, listed.get(snapshot.id), client, now))
        news = len(self.changes) > before
        if self.sweep is not None:
            _keep(rows)
            self.files.keep()
            self._take_at_once()
        self._fresh.clear()
        return news

    def _take_at_once(self) -> None:
        """What changes no order that we hold need not wait until all is compared."""
        for change in self._fresh:
            self._take(change)
        if self._new_held() > HELD_BACK:
            self._apply(Kind.ORDER_MISSED)

    def _new_held(self) -> int:
        return sum(1 for change in self.changes if change.kind == Kind.ORDER_MISSED)

    def _compare(
        self, snapshot: OrderSnapshot, order: Order | None, row: Listed | None, client: LabPeer, now: datetime
    ) -> Listed:
        noted = Listed(practice=self.practice, external_id=snapshot.id[:255], listed_at=self.began)
        if not 0 < len(snapshot.id) <= KEY:
            noted.verdict, noted.reason = Verdict.REJECTED, UNUSABLE
            return noted
        mark = fingerprint(snapshot)
        if order is not None and self._is_known(order, row, mark):
            amended = self.files.amended(snapshot.ordered_tests, client)
            kind = Kind.RESULT_AMENDED if amended else None
            noted.fingerprint, noted.revision = mark, order.revision
            if kind is None:
                self.counts["unchanged"] += 1
                return noted
        else:
            snapshot = self._whole(snapshot, order, client)
            amended = self.files.amended(snapshot.ordered_tests, client) if order is not None else []
            kind = self._difference(snapshot, order, self._age(snapshot, now), noted)
            kind = kind or (Kind.RESULT_AMENDED if amended else None)
        self._note(Change(snapshot, self._age(snapshot, now), kind, tuple(amended), mark), noted)
        return noted

    def _note(self, change: Change, noted: Listed) -> None:
        if noted.verdict == Verdict.REVIEW:
            self.counts["contradicted"] += 1
        elif change.kind is None:
            self.counts["unchanged"] += 1
            self._fresh.append(change)
        else:
            self.counts[_COUNTED[change.kind]] += 1
            self.changes.append(change)

    def _age(self, snapshot: OrderSnapshot, now: datetime) -> datetime:
        return read_at(now, self._known.get(snapshot.id))

    def _is_known(self, order: Order, row: Listed | None, mark: bytes) -> bool:
        """The list says of it what it said when it was found to be as we hold it, and ours has not moved since."""
        return (
            row is not None
            and row.fingerprint is not None
            and bytes(row.fingerprint) == mark
            and row.revision == order.revision
            and row.verdict == Verdict.TAKEN
            and order.external_id not in self._unfetched
        )

    def _whole(self, snapshot: OrderSnapshot, order: Order | None, client: LabPeer) -> OrderSnapshot:
        """A list that does not tell of the tests of its orders (`include` refused) is completed order by order."""
        if _tells_tests(snapshot):
            return snapshot
        if order is None or order.phase in OPEN_PHASES or self._thorough:
            try:
                read = client.order(snapshot.id)
            except NotFound:
                return snapshot
            if read.id == snapshot.id and _tells_tests(read):
                return read
        self.whole = False
        if UNTOLD not in self.left:
            self.left.append(UNTOLD)
        return snapshot

    @property
    def _thorough(self) -> bool:
        return self.depth.from_start

    def _difference(
        self, snapshot: OrderSnapshot, order: Order | None, as_of: datetime, noted: Listed
    ) -> Kind | None:
        """Whether taking the snapshot would change anything: it is taken, looked at, and taken back."""
        if order is None:
            return Kind.ORDER_MISSED
        try:
            with transaction.atomic():
                before, held = (order.revision, _sources(order)), Standing.of(order)
                taken = take_snapshot(self.practice, snapshot, as_of)
                differs = (taken.revision, _sources(taken)) != before
                self.taken_back += Standing.of(taken).takes_back(held)
                transaction.set_rollback(True)
        except Contradiction as contradiction:
            noted.verdict, noted.reason = Verdict.REVIEW, str(contradiction)[:300]
            return None
        return Kind.ORDER_CHANGED if differs else None

    # -- repairing -----------------------------------------------------------------------------------------------

    def apply(self) -> None:
        """Take over what was found, each order in a transaction of its own, like an event."""
        if self.gone:
            self._present().filter(listed_at__lt=self.began).update(present=False)
        self._apply()

    def _apply(self, only: Kind | None = None) -> None:
        rest: list[Change] = []
        for change in self.changes:
            if only is None or change.kind == only:
                self._take(change)
            else:
                rest.append(change)
        self.changes = rest

    def _take(self, change: Change) -> None:
        listed = Listed.objects.filter(practice=self.practice, external_id=change.snapshot.id)

        @transaction.atomic
        def take() -> None:
            order = take_snapshot(
                self.practice, change.snapshot, change.as_of, look_again=bool(change.amended)
            )
            listed.update(
                fingerprint=change.fingerprint, revision=order.revision, verdict=Verdict.TAKEN, reason=""
            )
            for kind, subject in _repairs(change):
                Repair.objects.get_or_create(sweep=self.sweep, kind=kind, subject=subject)

        try:
            outliving_deadlocks(take)
        except Contradiction as contradiction:  # this order is left as it is; the others are taken
            log.warning("reconcile.contradiction", practice=self.practice.slug, reason=str(contradiction))
            listed.update(verdict=Verdict.REVIEW, reason=str(contradiction)[:300], fingerprint=None)
            self.counts["contradicted"] += 1


_COUNTED = {Kind.ORDER_MISSED: "missed", Kind.ORDER_CHANGED: "changed", Kind.RESULT_AMENDED: "amended"}


def _repairs(change: Change) -> list[tuple[Kind, str]]:
    amended = [(Kind.RESULT_AMENDED, test) for test in change.amended]
    if change.kind in {Kind.ORDER_MISSED, Kind.ORDER_CHANGED}:
        return [(change.kind, change.snapshot.id), *amended]
    return amended


def _without_file(practice: Practice, depth: Depth) -> QuerySet[ResultSource]:
    """What could not be had so far is tried again when it is listed; what was refused, when a person asks."""
    had = [SourceState.TAKEN] if depth.from_start else [SourceState.TAKEN, SourceState.REFUSED]
    return ResultSource.objects.filter(ordered_test__practice=practice).exclude(state__in=had)


def _tells_tests(snapshot: OrderSnapshot) -> bool:
    return "ordered_tests" in snapshot.present and all(test.present for test in snapshot.ordered_tests)


@dataclass(frozen=True)
class Standing:
    """What an order has come to. After an outage many orders move on at once, which is no reason to stop."""

    patient: UUID | None
    tests: int
    phase: str

    @classmethod
    def of(cls, order: Order) -> Standing:
        return cls(order.patient_id, order.ordered_tests.filter(removed=False).count(), order.phase)

    def takes_back(self, held: Standing) -> bool:
        """Another patient, fewer tests, canceled, or a phase behind the one that was held."""
        steps = list(Phase)
        behind = Phase.UNKNOWN not in {self.phase, held.phase} and (
            steps.index(Phase(self.phase)) < steps.index(Phase(held.phase))
        )
        another = held.patient is not None and self.patient != held.patient
        canceled = self.phase == Phase.CANCELED != held.phase
        return another or self.tests < held.tests or canceled or behind


def _sources(order: Order) -> int:
    return ResultSource.objects.filter(ordered_test__order=order).count()


def _keep(rows: list[Listed]) -> None:
    once = {row.external_id: row for row in rows}
    Listed.objects.bulk_create(
        once.values(),
        update_conflicts=True,
        unique_fields=["practice", "external_id"],
        update_fields=["present", "verdict", "reason", "fingerprint", "revision", "listed_at"],
    )


def fingerprint(snapshot: OrderSnapshot) -> bytes:
    """A keyed hash of all that a list says of an order, without what changes with each answer."""
    said: dict[str, Any] = snapshot.model_dump(mode="json")  # any: JSON
    said["present"] = sorted(snapshot.present)
    if snapshot.patient is not None:
        said["patient"]["present"] = sorted(snapshot.patient.present)
    for test, shown in zip(said["ordered_tests"], snapshot.ordered_tests, strict=True):
        test["present"] = sorted(shown.present)
        test["results_pdf"] = without_query(shown.results_pdf)
        test["results_hl7"] = without_query(shown.results_hl7)
        test["requisition"] = without_query(shown.requisition)
        test.pop("lab_test")  # the catalogue has a comparison of its own
    return keyring().blind(orjson.dumps(said, option=orjson.OPT_SORT_KEYS).decode(), "listed order")
