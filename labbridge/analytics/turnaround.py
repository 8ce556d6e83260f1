"""How long labs take, by lab and by test, from payment to the first result; and when each open test is expected."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal

from labbridge.analytics.answers import Answer, Behind, Cell, Column, Period, fetch
from labbridge.analytics.behind import UNKNOWN, words
from labbridge.analytics.orders import UNKNOWN_LAB, lab_names, named
from labbridge.analytics.survival import TOO_FEW, Waits
from labbridge.practices.models import Practice

PERCENTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
#: How far back the usual turnaround is taken from when a test is expected.
USUAL = timedelta(days=365)

# A row for each test or lab: one for each of its days would be some hundred thousand.
_HISTOGRAM = """
SELECT key, resulted, array_agg(days), array_agg(count) FROM (
  SELECT {by} AS key, coalesce(resulted_on, ended_on, %(today)s) - started_on AS days,
         resulted_on IS NOT NULL AS resulted, count(*)
  FROM analytics_testfact
  WHERE practice_id = %(practice)s AND counts AND counted_on BETWEEN %(first)s AND %(last)s
    AND started_on IS NOT NULL
  GROUP BY 1, 2, 3) waits
GROUP BY 1, 2
"""

_NAMES = """
SELECT l.external_id, coalesce(nullif(l.name, ''), l.external_id), l.lab_company_id_external,
       coalesce(nullif(c.name, ''), nullif(l.lab_company_name, ''), %s),
       l.turnaround_days + 2 * coalesce(l.shipping_days_max, 0)
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

_OPEN_SINCE = """
SELECT lab, lab_test_key, started_on, count(*) FROM analytics_testfact
WHERE practice_id = %(practice)s AND open GROUP BY 1, 2, 3
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
class Usual:
    """What is usual by test and by lab, by their ids."""

    by_test: dict[str, Waits]
    by_lab: dict[str, Waits]
    names: dict[str, Named]
    _told: dict[tuple[str, float], tuple[int | None, str]] = field(default_factory=dict, compare=False)

    def name(self, key: str) -> Named:
        return self.names.get(key) or _nameless(key)

    def expected(self, key: str, share: float) -> tuple[int | None, str]:
        """Days until this share of such tests has a result, and what that is taken from. Found once for each."""
        if (key, share) not in self._told:
            self._told[key, share] = self._expected(key, share)
        return self._told[key, share]

    def _expected(self, key: str, share: float) -> tuple[int | None, str]:
        named = self.name(key)
        for waits, basis in (
            (self.by_test.get(key), "this test"),
            (self.by_lab.get(named.lab_key), "this lab"),
        ):
            days = waits.percentile(share) if waits else None
            if days is not None:
                return days, basis
        return named.promised, "the catalogue" if named.promised is not None else "nothing known"


def _names(practice: Practice) -> dict[str, Named]:
    found = fetch(_NAMES, [UNKNOWN_LAB, practice.pk])
    return {key: Named(test, lab_key, lab, days) for key, test, lab_key, lab, days in found}


def usual(practice: Practice, period: Period, today: date) -> Usual:
    """The waits of the period's tests, as they stand today."""
    names = _names(practice)
    by_test, _ = _waits(practice, period, today, "test")
    counted: dict[str, tuple[Counter[int], Counter[int]]] = defaultdict(lambda: (Counter(), Counter()))
    for key, waits in by_test.items():
        resulted, cut_short = counted[names[key].lab_key if key in names else ""]
        resulted.update(waits.resulted)
        cut_short.update(waits.cut_short)
    return Usual(by_test, {lab: Waits(*both) for lab, both in counted.items()}, names)


def _waits(
    practice: Practice, period: Period, today: date, by: Literal["lab", "test"]
) -> tuple[dict[str, Waits], int]:
    """The waits by lab or test, and how many are left out since their end is dated before their start."""
    backwards = 0
    counted: dict[str, tuple[dict[int, int], dict[int, int]]] = defaultdict(lambda: ({}, {}))
    values = {"practice": practice.pk, "first": period.first, "last": period.last, "today": today}
    column = "lab" if by == "lab" else "lab_test_key"
    for key, resulted, days, counts in fetch(_HISTOGRAM.format(by=column), values):
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
        *(Column(name, f"{name} days", "days") for name in PERCENTILES), Column("remark", "Remark", "text"),
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
        expected, late_from, basis = _awaited(known, key, started)
        overdue = "overdue" if late_from is not None and late_from < today else ""
        rows.append((order, ordered_test, test.test, test.lab, started, expected, late_from, basis, overdue))
    columns = (
        Column("order", "Order", "key", shared=False), Column("ordered_test", "Ordered test", "key", shared=False),
        Column("test", "Test", "text"), Column("lab", "Lab company", "text"), Column("started_on", "Since", "day"),
        Column("expected_on", "Expected by", "day"), Column("late_from", "Late after", "day"),
        Column("basis", "Judged by", "text"), Column("state", "State", "text"),
    )  # fmt: skip
    return Answer(
        "Open tests", columns, rows, ("Expected by: half of such tests have a result. Late: nine in ten.",)
    )


def _awaited(known: Usual, key: str, started: date) -> tuple[date | None, date | None, str]:
    """By when half, and after when nine in ten, of such tests have a result; what that is taken from."""
    (likely, basis), (late, _) = known.expected(key, 0.5), known.expected(key, 0.9)
    expected = started + timedelta(days=likely) if likely is not None else None
    late_from = started + timedelta(days=max(late, likely or 0)) if late is not None else None
    return expected, late_from, basis


def open_by_lab(practice: Practice, today: date) -> Answer:
    """Tests without a result by lab company: late ones, those expected within a week or later, and unknown."""
    known = usual(practice, Period(today - USUAL, today), today)
    labs = named([(key, name) for key, name in lab_names(practice).items()], UNKNOWN_LAB)
    counted: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0, 0])
    for lab, key, started, count in fetch(_OPEN_SINCE, {"practice": practice.pk}):
        expected, late_from, _ = _awaited(known, key, started)
        row = counted[lab]
        row[0] += count
        row[_state(expected, late_from, today)] += count
    keys = sorted(counted, key=lambda key: (-counted[key][0], labs.get(key, "")))
    rows: list[tuple[Cell, ...]] = [
        (labs.get(key, f"{UNKNOWN_LAB} ({key})" if key else UNKNOWN_LAB), *counted[key]) for key in keys
    ]
    columns = (
        Column("lab", "Lab company", "text"), Column("open", "Open tests"), Column("late", "Late", of="open"),
        Column("week", "Expected within a week", shared=False), Column("later", "Expected later", shared=False),
        Column("unknown", "Nothing known", shared=False),
    )  # fmt: skip
    notes = (
        "Expected: half of such tests have a result by then. Late: nine in ten have one, and this has not.",
    )
    shown = [words("open", lab=key or UNKNOWN) for key in keys]
    return Answer("Open tests by lab company", columns, rows, notes, {"open": shown})


def _state(expected: date | None, late_from: date | None, today: date) -> int:
    """The place of such a test in a row of `open_by_lab`."""
    if late_from is not None and late_from < today:
        return 1
    if expected is None:
        return 4
    return 2 if expected <= today + timedelta(days=7) else 3
