"""A protocol as the catalogue sees it: price and days of all its tests, what is wrong, what else there is, news."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from rapidfuzz import fuzz, process, utils

from labbridge.filing.protocols import Content
from labbridge.filing.rows import money
from labbridge.mirror.models import LabTest, LabTestChange, OrderedTest, Protocol, ResultValue
from labbridge.mirror.phases import promised_days
from labbridge.practices.apply import config_of
from labbridge.practices.models import Practice

RECENT = timedelta(days=31)
SUGGESTED = 3  #: tests proposed in place of one that cannot be ordered
LIKE = 70  #: of 100, how alike two names must be to be proposed
RESULTS = 20  #: of one test, the newest, whose analytes are looked at


@dataclass(frozen=True)
class Item:
    """One test of a protocol. `test` is None where the catalogue does not know it."""

    key: str
    external_id: str
    test: LabTest | None
    price: Decimal | None
    days: int | None
    problem: str = ""
    under: str = ""  # an add-on's parent in this protocol

    @property
    def name(self) -> str:
        return self.test.name if self.test and self.test.name else self.external_id


@dataclass(frozen=True)
class Whole:
    """`price` and `days` are of those tests whose are known; `priced` and `dated`: of all."""

    items: tuple[Item, ...]
    price: Decimal | None
    priced: bool
    days: int | None
    dated: bool
    unit_known: bool

    @property
    def problems(self) -> list[Item]:
        return [one for one in self.items if one.problem]


def whole(practice: Practice, content: Content) -> Whole:
    """The tests with add-ons under their parents, and price and days of all together."""
    return wholes([(practice, content)])[0]


def wholes(several: Sequence[tuple[Practice, Content]]) -> list[Whole]:
    """Of several protocols at once. One query."""
    ids = {test.test for _, content in several for test in content.tests}
    places = {practice.pk: practice for practice, _ in several}
    known: dict[UUID, dict[str, LabTest]] = {pk: {} for pk in places}
    for test in LabTest.objects.filter(practice__in=places, external_id__in=ids):
        known[test.practice_id][test.external_id] = test
    units = {
        pk: config_of(practice).rupa.price_unit if practice.config else "unknown"
        for pk, practice in places.items()
    }
    return [_whole(content, known[practice.pk], units[practice.pk]) for practice, content in several]


def _whole(content: Content, catalogue: dict[str, LabTest], unit: str) -> Whole:
    known = {test.test: catalogue[test.test] for test in content.tests if test.test in catalogue}
    items = [_item(one.key, one.test, known.get(one.test), known, unit) for one in content.tests]
    ordered = tuple(_with_add_ons(items))
    prices = [one.price for one in items if one.price is not None]
    days = [one.days for one in items if one.days is not None]
    return Whole(
        ordered, sum(prices, Decimal(0)) if prices else None, len(prices) == len(items),
        max(days, default=None), len(days) == len(items), unit != "unknown",
    )  # fmt: skip


def _item(key: str, external_id: str, test: LabTest | None, among: dict[str, LabTest], unit: str) -> Item:
    if test is None:
        return Item(key, external_id, None, None, None, "The catalogue does not know it.")
    parent = test.parent_id_external if test.is_addon else ""
    problem = ""
    if test.retired:
        problem = "It left Rupa's catalogue."
    elif not test.available:
        problem = (
            f"It cannot be ordered now{f': {test.unavailable_reason}' if test.unavailable_reason else '.'}"
        )
    elif parent and parent not in among:
        problem = "It is an add-on, and the test that it belongs to is not in this protocol."
    return Item(
        key,
        external_id,
        test,
        money(test.price, unit),
        promised_days(test),
        problem,
        parent if parent in among else "",
    )


def _with_add_ons(items: Sequence[Item]) -> Iterable[Item]:
    for one in items:
        if not one.under:
            yield one
            yield from (other for other in items if other.under == one.external_id)
    shown = {one.external_id for one in items if not one.under}
    yield from (one for one in items if one.under and one.under not in shown)  # add-ons of add-ons


# -- what could take its place ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Suggestion:
    test: LabTest
    why: str


def suggestions(practice: Practice, test: LabTest, without: Iterable[str] = ()) -> list[Suggestion]:
    """Tests that may do instead, by name, lab, category and what results of both held. Never more than a hint."""
    others = LabTest.objects.filter(
        practice=practice, available=True, retired=False, is_addon=test.is_addon
    ).exclude(name="")
    looked_at = ("external_id", "name", "lab_company_id_external", "category")
    rows = list(others.exclude(external_id__in={test.external_id, *without}).values_list(*looked_at))
    scores = process.extract(
        test.name, [name for _, name, _, _ in rows], scorer=fuzz.token_set_ratio,
        processor=utils.default_process, limit=None,
    )  # fmt: skip
    scored = []
    for name, alike, place in scores:
        external_id, _, lab, category = rows[place]
        same_lab = bool(lab) and lab == test.lab_company_id_external
        same_kind = bool(category) and category == test.category
        if alike >= LIKE or (same_lab and same_kind):
            total = alike + 15 * same_lab + 15 * same_kind
            scored.append((-total, name, external_id, same_lab, same_kind, alike))
    best = sorted(scored)[:SUGGESTED]
    known = {one.external_id: one for one in others.filter(external_id__in=[row[2] for row in best])}
    ours = _analytes(practice, test)
    found = []
    for _, _, external_id, same_lab, same_kind, alike in best:
        one = known[external_id]
        shared = len(ours & _analytes(practice, one)) if ours else 0
        reasons = [
            words
            for words, holds in (
                ("a similar name", alike >= LIKE), ("the same lab", same_lab), ("the same category", same_kind),
                (f"{shared} analytes that results of both held", shared > 0),
            )
            if holds
        ]  # fmt: skip
        found.append(Suggestion(one, ", ".join(reasons)))
    return found


def _analytes(practice: Practice, test: LabTest) -> set[str]:
    """Names of what its newest results held here. Tests are asked first: they have an index, and values are many."""
    tests = OrderedTest.objects.filter(
        practice=practice, lab_test_id_external=test.external_id, results_received_at__isnull=False
    )
    held = ResultValue.objects.filter(
        result__ordered_test__in=list(tests.order_by("-id").values_list("pk", flat=True)[:RESULTS])
    )
    return {name.casefold() for name in held.values_list("analyte", flat=True)}


# -- what the catalogue changed ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Touched:
    """Changes of the tests of one protocol, newest first."""

    protocol: Protocol
    changes: list[LabTestChange]

    @property
    def unseen(self) -> list[LabTestChange]:
        return [one for one in self.changes if one.at > self.protocol.seen_until]


def touched(practices: Iterable[Practice], now: datetime) -> list[Touched]:
    """Active protocols whose tests changed within a month. Two queries."""
    protocols = [
        one
        for one in Protocol.objects.select_related("practice").filter(
            practice__in=practices, present=True, active=True
        )
        if one.tests
    ]
    ids = {test["test"] for one in protocols for test in one.tests}
    by_test: dict[tuple[object, str], list[LabTestChange]] = {}
    changes = LabTestChange.objects.filter(
        practice__in={one.practice_id for one in protocols}, external_id__in=ids, at__gte=now - RECENT
    )
    for change in changes.order_by("-at", "-pk"):
        by_test.setdefault((change.practice_id, change.external_id), []).append(change)
    found = []
    for one in protocols:
        tests = dict.fromkeys(test["test"] for test in one.tests)
        held = [change for test in tests for change in by_test.get((one.practice_id, test), ())]
        if held:
            found.append(Touched(one, sorted(held, key=lambda change: (change.at, change.pk), reverse=True)))
    return found
