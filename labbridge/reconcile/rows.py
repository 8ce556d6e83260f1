"""Rows that we filed and somebody changed or deleted in Caspio: found by pages, set right by filing as always."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from labbridge.catalog.filing import file_catalog
from labbridge.engine.locks import try_exclusive
from labbridge.filing.compare import (
    Compared,
    Difference,
    compare_known,
    compare_page,
    filed_fields,
    missing_files,
    note,
    restore_key,
)
from labbridge.filing.models import FiledRow
from labbridge.filing.refusals import refusal
from labbridge.filing.tables import TABLES
from labbridge.handlers.reviews import FIELDS as REVIEW_FIELDS
from labbridge.handlers.reviews import REVIEWED, Said, learn, said_in_caspio
from labbridge.handlers.schedule import with_order
from labbridge.handlers.settle import refile
from labbridge.mirror.models import Order
from labbridge.mirror.phases import OPEN_PHASES
from labbridge.mirror.reviews import to_review
from labbridge.peers.caspio import Caspio, Row
from labbridge.peers.caspio import where as q
from labbridge.peers.caspio.table import Table
from labbridge.peers.errors import Forbidden, NotFound, Rejected
from labbridge.practices.apply import config_of
from labbridge.practices.clients import caspio
from labbridge.practices.models import Practice
from labbridge.reconcile.depth import Depth
from labbridge.reconcile.models import Repair, RowRound, Sweep

WEEK = timedelta(days=7)
HASTE = 1.25  #: the week's share is read with this much to spare
ORDERS_AT_ONCE = 500
REVIEWS = 500  #: results that wait for a review and are asked for in one call
BY_ORDER = ("lab_orders", "lab_order_tests", "lab_results")  # tables whose rows name their order


@dataclass
class RowComparison:
    """One reading of the rows that Labbridge filed for a practice."""

    practice: Practice
    depth: Depth
    rows: int = 0
    pages: int = 0
    left: list[str] = field(default_factory=list)
    differences: dict[UUID, Difference] = field(default_factory=dict)
    reviews: list[Said] = field(default_factory=list)  # made in Caspio by the practice
    _reached: dict[str, tuple[int, datetime | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.config = config_of(self.practice)
        self._names: dict[str, str] = self.config.caspio.tables.model_dump()
        self._budget = self._pages_allowed()

    @property
    def counts(self) -> Counter[str]:
        kinds = Counter(one.kind for one in self.differences.values())
        return Counter({
            "rows_compared": self.rows,
            "rows_edited": kinds["row_edited"],
            "rows_deleted": kinds["row_deleted"],
            "files_gone": kinds["file_gone"],
        })  # fmt: skip

    # -- comparing -----------------------------------------------------------------------------------------------

    def read(self) -> None:
        """Read a share of each table, or all, and every open order's rows. Changes nothing. Raises PeerError."""
        with caspio(self.practice, "sweep") as client:
            for word in self._words():
                if self._budget <= 0:
                    break
                self._try(word, partial(self._read_pages, word, client.table(self._names[word])))
            if self.depth.open_rows and self._is_partial():
                self._read_open(client)
            results = "lab_results"
            if results in self._words() and results not in self._reached:
                self._try(results, partial(self._read_reviews, client.table(self._names[results])))

    def _words(self) -> list[str]:
        """Tables with rows of ours, those first whose end was reached longest ago."""
        filed = set(
            FiledRow.objects.filter(practice=self.practice).values_list("table", flat=True).distinct()
        )
        whole_at = dict(RowRound.objects.filter(practice=self.practice).values_list("table", "whole_at"))
        never = datetime.min.replace(tzinfo=self.practice.zone)
        owned = [word for word, spec in TABLES.items() if spec.owned and word in filed]
        return sorted(owned, key=lambda word: whole_at.get(word) or never)

    def _pages_allowed(self) -> float:
        if self.depth.row_pages is None:
            return math.inf
        if self.depth.row_pages:
            return self.depth.row_pages
        rows = FiledRow.objects.filter(practice=self.practice).count()
        sweeps = WEEK / timedelta(minutes=self.config.sync.sweep_minutes)
        return math.ceil(HASTE * (rows / Table.MAX_PAGE_SIZE + len(TABLES)) / max(1, sweeps))

    def _try(self, word: str, read: Callable[[], None]) -> None:
        try:
            read()
        except (NotFound, Forbidden, Rejected) as error:
            self.left.append(refusal(self._names[word], TABLES[word], "any", error))

    def _read_pages(self, word: str, table: Table) -> None:
        after, select = self._start(word), self._select(word)
        pages, last = table.iterate(select=select, after=after), False
        while not last and self._budget > 0:
            began = timezone.now()
            page = next(pages, [])
            last = len(page) < Table.MAX_PAGE_SIZE
            self._spend()
            self._add(compare_page(self.practice, word, page, after=after, last=last, began=began))
            if word == "lab_results":
                self._add_files(table, page, began)
                self.reviews += said_in_caspio(self.practice, page, began=began)
            after = page[-1]["PK_ID"] if page else after
            self._reached[word] = (0, timezone.now()) if last else (after, None)

    def _select(self, word: str) -> list[str]:
        more = REVIEW_FIELDS if word == "lab_results" else ()
        return [TABLES[word].unique, *filed_fields(self.practice, word), *more]

    def _read_reviews(self, table: Table) -> None:
        """Whether the practice has reviewed in Caspio what nobody has here, without waiting for its page."""
        waiting = [str(one) for one in to_review([self.practice]).select_related("ordered_test")[:REVIEWS]]
        if waiting:
            began = timezone.now()
            reviewed = (q.field("Result_Key").is_in(waiting)) & (q.field("Review_Status") == REVIEWED)
            rows = table.all(select=["Result_Key", *REVIEW_FIELDS], where=reviewed)
            self.reviews += said_in_caspio(self.practice, rows, began=began)

    def _start(self, word: str) -> int:
        if self.depth.from_start:
            return 0
        reached = RowRound.objects.filter(practice=self.practice, table=word).first()
        return reached.after if reached else 0

    def _is_partial(self) -> bool:
        return any(self._start(word) or self._reached.get(word, (1, None))[0] for word in self._words())

    def _read_open(self, client: Caspio) -> None:
        opened = Order.objects.filter(practice=self.practice, phase__in=OPEN_PHASES)
        orders = list(opened.values_list("pk", "external_id").order_by("pk"))
        for batch in _batches(orders, ORDERS_AT_ONCE):
            for word in BY_ORDER:
                self._try(word, partial(self._read_known, word, client, batch))

    def _read_known(self, word: str, client: Caspio, orders: Sequence[tuple[UUID, str]]) -> None:
        began, table = timezone.now(), client.table(self._names[word])
        rows = table.all(
            select=self._select(word), where=q.field("Rupa_Order_ID").is_in([key for _, key in orders])
        )
        groups = [f"order:{order_id}" for order_id, _ in orders]
        self._add(compare_known(self.practice, word, groups, rows, began=began))
        if word == "lab_results":
            self.reviews += said_in_caspio(self.practice, rows, began=began)

    def _spend(self) -> None:
        self._budget, self.pages = self._budget - 1, self.pages + 1

    def _add(self, compared: Compared) -> None:
        self.rows += compared.rows
        for one in compared.differences:
            held = self.differences.get(one.ledger.pk)
            if held is not None and held.moved_to is not None:
                continue  # it was found, and is missing at its old place only
            self.differences[one.ledger.pk] = one

    def _add_files(self, table: Table, page: Sequence[Row], began: datetime) -> None:
        self._spend()
        for one in missing_files(self.practice, table, page, began=began):
            self.differences.setdefault(one.ledger.pk, one)

    # -- repairing -----------------------------------------------------------------------------------------------

    def apply(self, sweep: Sweep) -> None:
        """Note what Caspio really holds and queue the filing of what differs. Raises PeerError, FilingProblem."""
        orders: dict[UUID, list[Difference]] = {}
        catalog: list[Difference] = []
        for one in self.differences.values():
            kind, _, order_id = one.ledger.group.partition(":")
            (orders.setdefault(UUID(order_id), []) if kind == "order" else catalog).append(one)
        learn(self.practice, self.reviews)
        self._restore_keys()
        for key, differences in orders.items():
            _repair_order(sweep, key, differences)
        if sum(_repair(sweep, one) for one in catalog):  # all of them, then the filing
            file_catalog(self.practice)
        self._keep_reached()

    def _restore_keys(self) -> None:
        renamed = [one for one in self.differences.values() if one.renamed]
        if renamed:
            with caspio(self.practice, "filing") as client:
                for one in renamed:
                    restore_key(client.table(self._names[one.ledger.table]), one)

    def _keep_reached(self) -> None:
        for word, (after, whole_at) in self._reached.items():
            known, _ = RowRound.objects.get_or_create(practice=self.practice, table=word)
            known.after, known.whole_at = after, whole_at or known.whole_at
            known.save()


def _repair_order(sweep: Sweep, order_id: UUID, differences: Sequence[Difference]) -> None:
    with try_exclusive(f"file:{order_id}") as free:
        if not free:  # it is being filed: what differs then is found by the next sweep
            return
        with transaction.atomic():
            if sum(_repair(sweep, one) for one in differences):
                with_order(order_id, refile)


def _repair(sweep: Sweep, difference: Difference) -> bool:
    with transaction.atomic():
        noted = note(difference)
        if noted:
            Repair.objects.get_or_create(sweep=sweep, kind=difference.kind, subject=difference.subject)
        return noted


def _batches(orders: Sequence[tuple[UUID, str]], size: int) -> Iterator[Sequence[tuple[UUID, str]]]:
    for start in range(0, len(orders), size):
        yield orders[start : start + size]
