"""How many orders and tests: by lab company, practitioner, source and month; which tests, and how that changes."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Any, Literal, NamedTuple

from labbridge.analytics import behind
from labbridge.analytics.answers import Answer, Behind, Cell, Column, Period, months_before, share
from labbridge.database.statements import fetch
from labbridge.practices.models import Practice

UNKNOWN_LAB = "Lab not known"
UNKNOWN_PRACTITIONER = "Practitioner not known"

Dimension = Literal["lab", "practitioner", "source", "month"]
TITLES: dict[Dimension, str] = {
    "lab": "Lab company", "practitioner": "Practitioner", "source": "Where ordered", "month": "Month",
}  # fmt: skip

#: What an order is counted by: its key and its name. An order with tests of two labs counts once at each.
_BY: dict[Dimension, str] = {
    "source": "o.source, o.source",
    "month": "o.counted_on, ''",
    "practitioner": "o.practitioner_key, o.practitioner_name",
}

_ORDERS = """
SELECT {by}, count(*), sum(o.tests), count(*) FILTER (WHERE o.phase = 'canceled')
FROM analytics_orderfact o
WHERE o.practice_id = %(practice)s AND o.counts
  AND (o.counted_on BETWEEN %(first)s AND %(last)s OR o.counted_on BETWEEN %(from)s AND %(until)s)
GROUP BY 1, 2
"""

_BY_LAB = """
SELECT lab, '', count(*) FILTER (WHERE leads), count(*), count(*) FILTER (WHERE lab_ended)
FROM analytics_testfact
WHERE practice_id = %(practice)s AND counts AND counted_on BETWEEN %(first)s AND %(last)s
GROUP BY 1
"""

_PEOPLE = """
SELECT external_id, name FROM practices_practitioner WHERE practice_id = %s AND name <> ''
"""

_TESTS = """
SELECT t.lab_test_key, l.name, l.lab_company_id_external, l.lab_company_name, l.retired, t.now, t.before
FROM (
  SELECT lab_test_key, count(*) FILTER (WHERE counted_on >= %(first)s) AS now,
         count(*) FILTER (WHERE counted_on < %(first)s) AS before
  FROM analytics_testfact
  WHERE practice_id = %(practice)s AND counts AND counted_on BETWEEN %(before)s AND %(last)s
  GROUP BY 1) t
LEFT JOIN mirror_labtest l ON l.practice_id = %(practice)s AND l.external_id = t.lab_test_key
"""


_LABS = """
SELECT external_id, name FROM mirror_labcompany WHERE practice_id = %(practice)s AND name <> ''
"""
_LABS_BY_TESTS = """
SELECT lab_company_id_external, max(lab_company_name) FROM mirror_labtest
WHERE practice_id = %(practice)s AND lab_company_name <> '' GROUP BY 1
"""


class Group(NamedTuple):
    """One lab company, practitioner, source or month: how the pipeline's address says it, and how people do."""

    key: str
    label: str


def lab_names(practice: Practice) -> dict[str, str]:
    """Names by Rupa's id of the lab company: its own, else as its tests call it."""
    values = {"practice": practice.pk}
    by_tests = {key: name for key, name in fetch(_LABS_BY_TESTS, values) if key}
    return by_tests | dict(fetch(_LABS, values))


def named(found: Iterable[tuple[str, str]], nameless: str) -> dict[str, str]:
    """Labels by key. Those without a name are told apart by their key, as are two of the same name."""
    given = {key: name or (f"{nameless} ({key})" if key else nameless) for key, name in found}
    often = Counter(given.values())
    return {key: f"{label} ({key})" if often[label] > 1 and key else label for key, label in given.items()}


def person_key(key: str, name: str) -> str:
    """As `behind.PRACTITIONER` says it."""
    if key or not name:
        return key or behind.UNKNOWN
    return f"name:{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def people(practice: Practice, found: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Labels of practitioners by `person_key`, of pairs of Rupa's id and the name on an order."""
    known: dict[str, str] = dict(fetch(_PEOPLE, [practice.pk]))
    names: dict[str, str] = {}
    for key, name in sorted(found):
        names[person_key(key, name)] = known.get(key) or name or names.get(person_key(key, name), "")
    unknown = names.pop(behind.UNKNOWN, None)
    labels = {key: label.replace(f" ({key})", "") if key.startswith("name:") else label
              for key, label in named(names.items(), UNKNOWN_PRACTITIONER).items()}  # fmt: skip
    return labels | ({behind.UNKNOWN: UNKNOWN_PRACTITIONER} if unknown is not None else {})


def _values(practice: Practice, period: Period) -> dict[str, Any]:
    return {"practice": practice.pk, "first": period.first, "last": period.last}


def orders_by(practice: Practice, period: Period, by: Dimension) -> Answer:
    """Orders and ordered tests by one dimension, the most first (months in order), and the period before."""
    now, before = (
        _grouped(practice, rows, by) for rows in _counted(practice, period, _compared(period, by), by)
    )
    if by == "month":
        now = {
            Group(key, key): now.get(Group(key, key), (0, 0, 0))
            for key in every_month(one.key for one in now)
        }
    whole = sum(row[0] for row in now.values())
    groups = sorted(now) if by == "month" else sorted(now, key=lambda one: (-now[one][0], one.label))
    earlier = {a_year_later(one.key) if by == "month" else one.key: row[0] for one, row in before.items()}
    columns = (
        Column(by, TITLES[by], "month" if by == "month" else "text"),
        Column("orders", "Orders"), Column("tests", "Tests", shared=False),
        Column("canceled", "Canceled", of="orders"), Column("share", "Share of orders", "share", of="orders"),
        Column("before", "Orders a year before" if by == "month" else "Orders in the period before"),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = [
        (one.label, *now[one], share(now[one][0], whole), earlier.get(one.key, 0)) for one in groups
    ]
    notes = ("An order with tests of several labs counts once at each of them.",) if by == "lab" else ()
    shown = [_behind(one, period, by) for one in groups]
    return Answer(f"Orders by {TITLES[by].lower()}", columns, rows, notes, {"orders": shown})


def _behind(group: Group, period: Period, by: Dimension) -> Behind:
    if by == "month":
        return behind.words("ordered", month(group.key, within=period))
    return behind.words("ordered", period, **{by: group.key or behind.UNKNOWN})


def month(key: str, *, within: Period) -> Period:
    """The days of a month, `2026-05`, that lie within a period."""
    first = date.fromisoformat(f"{key}-01")
    last = months_before(first, -1) - timedelta(days=1)
    return Period(max(first, within.first), min(last, within.last))


def every_month(keys: Iterable[str]) -> list[str]:
    """From the first to the last of these, those between them too: a month without orders is a gap, not left out."""
    known = sorted(keys)
    found = known[:1]
    while found and found[-1] != known[-1]:
        found.append(f"{months_before(date.fromisoformat(f'{found[-1]}-01'), -1):%Y-%m}")
    return found


def _compared(period: Period, by: Dimension) -> Period:
    if by != "month":
        return period.before()
    first, last = (a_year_before(day) for day in (period.first, period.last))
    return Period(first, max(first, last))


def a_year_before(day: date) -> date:
    return day.replace(year=day.year - 1, day=28 if (day.month, day.day) == (2, 29) else day.day)


def a_year_later(key: str) -> str:
    return f"{int(key[:4]) + 1:04d}{key[4:]}"


Rows = list[tuple[Any, ...]]  # any: what SQL gives


def _counted(practice: Practice, period: Period, before: Period, by: Dimension) -> Iterator[Rows]:
    """Of both periods. Those of months are counted by day and in one go, since they overlap."""
    if by == "month":
        both = {"from": before.first, "until": before.last}
        found = fetch(_ORDERS.format(by=_BY[by]), {**_values(practice, period), **both})
        for one in (period, before):
            yield [row for row in found if one.first <= row[0] <= one.last]
        return
    sql = _BY_LAB if by == "lab" else _ORDERS.format(by=_BY[by])
    for one in (period, before):
        yield fetch(sql, {**_values(practice, one), "from": one.first, "until": one.last})


def _grouped(practice: Practice, found: Rows, by: Dimension) -> dict[Group, tuple[int, int, int]]:
    if by == "practitioner":
        labels = people(practice, [(key, name) for key, name, *_ in found])
        found = [(person_key(key, name), *row) for key, name, *row in found]
        found = [(key, labels[key], *row) for key, *row in found]
    elif by == "lab":
        names = lab_names(practice)
        labels = named([(key, names.get(key, "")) for key, *_ in found], UNKNOWN_LAB)
        found = [(key, labels[key], *row) for key, _, *row in found]
    elif by == "month":  # days are far quicker to group than the text of their months
        found = [(f"{day:%Y-%m}", f"{day:%Y-%m}", *row) for day, _, *row in found]
    counted: dict[Group, tuple[int, int, int]] = {}
    for key, label, *row in found:
        orders, tests, canceled = counted.get(Group(key, label), (0, 0, 0))
        counted[Group(key, label)] = orders + int(row[0]), tests + int(row[1]), canceled + int(row[2])
    return counted


def popular_tests(practice: Practice, period: Period) -> Answer:
    """Each test that was ordered in the period or the one before, the most ordered first, and its trend."""
    found = fetch(_TESTS, {**_values(practice, period), "before": period.before().first})
    names = lab_names(practice)
    rows: list[tuple[Cell, ...]] = [
        (name or key, names.get(lab_id or "") or lab or UNKNOWN_LAB, now, before, now - before,
         (bool(retired) and "retired") or "", key)
        for key, name, lab_id, lab, retired, now, before in found
    ]  # fmt: skip
    rows.sort(key=lambda row: (-int(str(row[2])), str(row[0])))
    columns = (
        Column("test", "Test", "text"), Column("lab", "Lab company", "text"), Column("tests", "Ordered"),
        Column("before", "In the period before"), Column("change", "Change", "change", of="before"),
        Column("state", "State", "text"), Column("lab_test_key", "Rupa's id", "key"),
    )  # fmt: skip
    shown = [behind.words("ordered", period, test=str(row[6])) for row in rows]
    return Answer("Tests by popularity", columns, rows, (), {"tests": shown})
