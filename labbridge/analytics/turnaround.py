"""How long labs take, by lab and by test, from payment to the first result; and when each open test is expected."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from typing import Literal

from labbridge.analytics.answers import Answer, Behind, Cell, Column, Period, fetch_in_order
from labbridge.analytics.behind import UNKNOWN, words
from labbridge.analytics.orders import UNKNOWN_LAB, lab_names, named
from labbridge.analytics.survival import TOO_FEW, Waits
from labbridge.database.statements import fetch
from labbridge.practices.models import Practice

PERCENTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
TITLES = {"p50": "Median days", "p90": "Nine in ten, days", "p95": "19 in 20, days", "p99": "99 in 100, days"}
#: How far back the usual turnaround is taken from when a test is expected.
USUAL = timedelta(days=365)
SHARES = (0.5, 0.9)  #: of such tests: when one is likely, and after when it is late
WEEK = timedelta(days=7)

# A row for each test or lab: one for each of its days would be some hundred thousand. With a result, by the days that
# are kept with the facts, as the index `test_fact_waits` has them in order; without one, until it ended or today.
_HISTOGRAM = """
SELECT key, true, array_agg(waited), array_agg(count) FROM (
  SELECT {by} AS key, waited, count(*)
  FROM analytics_testfact
  WHERE practice_id = %(practice)s AND waited IS NOT NULL AND counted_on BETWEEN %(first)s AND %(last)s
  GROUP BY 1, 2) waits
GROUP BY 1
UNION ALL
SELECT key, false, array_agg(days), array_agg(count) FROM (
  SELECT {by} AS key, coalesce(ended_on, %(today)s) - started_on AS days, count(*)
  FROM analytics_testfact
  WHERE practice_id = %(practice)s AND counts AND started_on IS NOT NULL AND resulted_on IS NULL
    AND counted_on BETWEEN %(first)s AND %(last)s
  GROUP BY 1, 2) waits
GROUP BY 1
"""

_NAMES = """
SELECT l.external_id, coalesce(nullif(l.name, ''), l.external_id), l.lab_company_id_external,
       coalesce(nullif(c.name, ''), nullif(l.lab_company_name, ''), %s),
       least(l.turnaround_days::bigint + 2 * coalesce(l.shipping_days_max, 0)::bigint, 36500)
FROM mirror_labtest l
LEFT JOIN mirror_labcompany c ON c.practice_id = l.practice_id AND c.external_id = l.lab_company_id_external
WHERE l.practice_id = %s
"""

# Names are looked up one by one: joined, both tables would be read whole for the few tests that are open.
_OPEN = """
SELECT (SELECT external_id FROM mirror_order WHERE id = t.order_id),
       (SELECT external_id FROM mirror_orderedtest WHERE id = t.ordered_test_id), t.lab_test_key, t.started_on
FROM analytics_testfact t WHERE t.practice_id = %(practice)s AND t.open
ORDER BY t.started_on, 1, 2
"""

# Each test comes with the days before which one was begun that is late, and until which one that is expected within a
# week; without days nothing is known of it.
_OPEN_BY_LAB = """
SELECT t.lab, count(*), count(*) FILTER (WHERE t.started_on < k.late),
       count(*) FILTER (WHERE (t.started_on < k.late) IS NOT TRUE AND t.started_on <= k.week),
       count(*) FILTER (WHERE (t.started_on < k.late) IS NOT TRUE AND t.started_on > k.week)
FROM analytics_testfact t
LEFT JOIN unnest(%(keys)s::text[], %(late)s::date[], %(week)s::date[]) k (key, late, week) ON k.key = t.lab_test_key
WHERE t.practice_id = %(practice)s AND t.open GROUP BY 1
"""
_OPEN_TESTS = """
SELECT DISTINCT lab_test_key FROM analytics_testfact WHERE practice_id = %(practice)s AND open
"""


@dataclass(frozen=True)
class Named:
    """A test of the catalogue: its name, its lab, and the days that the catalogue itself promises."""

    test: str
    lab_key: str
    lab: str
    promised: int | None


def _nameless(key: str) -> Named:
    return Named(key, "", UNKNOWN_LAB, None)


@dataclass(frozen=True)
class Expected:
    """Days until half, and nine in ten, of such tests have a result; what the first is taken from."""

    likely: int | None
    late: int | None
    basis: str

    def __post_init__(self) -> None:
        if self.late is not None and self.likely is not None:  # each may be taken from something else
            object.__setattr__(self, "late", max(self.late, self.likely))


@dataclass(frozen=True)
class Usual:
    """What is usual by test and by lab, by their ids."""

    by_test: dict[str, Waits]
    names: dict[str, Named]
    _told: dict[str, Expected] = field(default_factory=dict, compare=False)

    def name(self, key: str) -> Named:
        return self.names.get(key) or _nameless(key)

    @cached_property
    def by_lab(self) -> dict[str, Waits]:
        counted: dict[str, tuple[Counter[int], Counter[int]]] = defaultdict(lambda: (Counter(), Counter()))
        for key, waits in self.by_test.items():
            resulted, cut_short = counted[self.name(key).lab_key]
            resulted.update(waits.resulted)
            cut_short.update(waits.cut_short)
        return {lab: Waits(*both) for lab, both in counted.items()}

    def expected(self, key: str) -> Expected:
        """By the test itself, else by its lab, else by the catalogue. Found once for each."""
        if key not in self._told:
            self._told[key] = self._expected(key)
        return self._told[key]

    def _expected(self, key: str) -> Expected:
        named, own = self.name(key), self.by_test.get(key)
        likely, late = own.percentiles(SHARES) if own else (None, None)
        basis = "this test"
        if likely is None or late is None:
            others = self.by_lab.get(named.lab_key)
            usual_likely, usual_late = others.percentiles(SHARES) if others else (None, None)
            if likely is None:
                likely, basis = usual_likely, "this lab"
            late = usual_late if late is None else late
        if likely is None:
            likely, basis = named.promised, "nothing known" if named.promised is None else "the catalogue"
        return Expected(likely, named.promised if late is None else late, basis)


def _names(practice: Practice) -> dict[str, Named]:
    found = fetch(_NAMES, [UNKNOWN_LAB, practice.pk])
    return {key: Named(test, lab_key, lab, days) for key, test, lab_key, lab, days in found}


def usual(practice: Practice, period: Period, today: date) -> Usual:
    """The waits of the period's tests, as they stand today."""
    by_test, _ = _waits(practice, period, today, "test")
    return Usual(by_test, _names(practice))


def _waits(
    practice: Practice, period: Period, today: date, by: Literal["lab", "test"]
) -> tuple[dict[str, Waits], int]:
    """The waits by lab or test, and how many are left out since their end is dated before their start."""
    backwards = 0
    counted: dict[str, tuple[dict[int, int], dict[int, int]]] = defaultdict(lambda: ({}, {}))
    values = {"practice": practice.pk, "first": period.first, "last": period.last, "today": today}
    column = "lab" if by == "lab" else "lab_test_key"
    for key, resulted, days, counts in fetch_in_order(_HISTOGRAM.format(by=column), values):
        known = {day: count for day, count in zip(days, counts, strict=True) if day >= 0}
        backwards += sum(counts) - sum(known.values())  # a clock ran backwards, at a lab or at Rupa
        if known:
            counted[key][0 if resulted else 1].update(known)
    return {key: Waits(*both) for key, both in counted.items()}, backwards


def turnaround(practice: Practice, period: Period, today: date, by: Literal["lab", "test"]) -> Answer:
    """n, open, and days to the first result at p50, p90, p95, p99, open orders counted (survival.py)."""
    groups, backwards = _waits(practice, period, today, by)
    names = _names(practice) if by == "test" else {}
    labs = named([(key, name) for key, name in lab_names(practice).items()], UNKNOWN_LAB)
    lines: list[tuple[tuple[Cell, ...], Behind]] = []
    for key, waits in groups.items():
        test = names.get(key) or _nameless(key)
        label: tuple[Cell, ...] = (
            (labs.get(key, f"{UNKNOWN_LAB} ({key})" if key else UNKNOWN_LAB),) if by == "lab"
            else (test.test, test.lab, key)
        )  # fmt: skip
        figures = waits.percentiles(list(PERCENTILES.values()))
        row = (*label, waits.results, waits.open, *figures, "too few" if waits.results < TOO_FEW else "")
        lines.append((row, words("timed", period, **{by: key or UNKNOWN})))
    size = 1 if by == "lab" else 3
    lines.sort(key=lambda line: (-int(str(line[0][size])), str(line[0][0])))
    rows, shown = [row for row, _ in lines], [behind for _, behind in lines]
    by_lab = (Column("lab", "Lab company", "text"),)
    by_test = (Column("test", "Test", "text"), *by_lab, Column("lab_test_key", "Rupa's id", "key"))
    columns = (
        *(by_lab if by == "lab" else by_test), Column("results", "Results"), Column("open", "Still open"),
        *(Column(name, title, "days") for name, title in TITLES.items()), Column("remark", "Remark", "text"),
    )  # fmt: skip
    notes = [
        "Days from payment (else submission) to the first result. Tests still open count as longer waits."
    ]
    own: tuple[str, ...] = ()
    if backwards:
        own = (f"{backwards} tests whose result is dated before their payment are left out.",)
    return Answer(f"Turnaround by {'lab company' if by == 'lab' else 'test'}", columns, rows, (*notes, *own),
                  dict.fromkeys(("results", "open", *PERCENTILES), shown), own)  # fmt: skip


def open_tests(practice: Practice, today: date) -> Answer:
    """Every open test with the day by which half, and nine in ten, of its kind have a result."""
    known = usual(practice, Period(today - USUAL, today), today)
    rows: list[tuple[Cell, ...]] = []
    for order, ordered_test, key, started in fetch(_OPEN, {"practice": practice.pk}):
        test = known.name(key)
        usually = known.expected(key)
        likely = None if usually.likely is None else started + timedelta(days=usually.likely)
        late_from = None if usually.late is None else started + timedelta(days=usually.late)
        overdue = "overdue" if late_from is not None and late_from < today else ""
        rows.append((
            order, ordered_test, test.test, test.lab, started, likely, late_from, usually.basis, overdue,
        ))  # fmt: skip
    columns = (
        Column("order", "Order", "key", shared=False), Column("ordered_test", "Ordered test", "key", shared=False),
        Column("test", "Test", "text"), Column("lab", "Lab company", "text"), Column("started_on", "Since", "day"),
        Column("expected_on", "Expected by", "day"), Column("late_from", "Late after", "day"),
        Column("basis", "Judged by", "text"), Column("state", "State", "text"),
    )  # fmt: skip
    return Answer(
        "Open tests", columns, rows, ("Expected by: half of such tests have a result. Late: nine in ten.",)
    )


def open_by_lab(practice: Practice, today: date) -> Answer:
    """Tests without a result by lab company: late ones, those expected within a week or later, and unknown."""
    known = usual(practice, Period(today - USUAL, today), today)
    labs = named([(key, name) for key, name in lab_names(practice).items()], UNKNOWN_LAB)
    keys = [row[0] for row in fetch(_OPEN_TESTS, {"practice": practice.pk})]
    expected = [known.expected(key) for key in keys]
    found = fetch(_OPEN_BY_LAB, {
        "practice": practice.pk, "keys": keys,
        "late": [None if one.late is None else today - timedelta(days=one.late) for one in expected],
        "week": [None if one.likely is None else today + WEEK - timedelta(days=one.likely) for one in expected],
    })  # fmt: skip
    found.sort(key=lambda row: (-row[1], labs.get(row[0], "")))
    rows: list[tuple[Cell, ...]] = [
        (labs.get(key, f"{UNKNOWN_LAB} ({key})" if key else UNKNOWN_LAB), whole, *parts, whole - sum(parts))
        for key, whole, *parts in found
    ]
    columns = (
        Column("lab", "Lab company", "text"), Column("open", "Open tests"), Column("late", "Late", of="open"),
        Column("week", "Expected within a week", shared=False), Column("later", "Expected later", shared=False),
        Column("unknown", "Nothing known", shared=False),
    )  # fmt: skip
    notes = (
        "Expected: half of such tests have a result by then. Late: nine in ten have one, and this has not.",
    )
    shown = [words("open", lab=key or UNKNOWN) for key, *_ in found]
    return Answer("Open tests by lab company", columns, rows, notes, {"open": shown})
