"""The orders behind a figure: the very conditions by which the figures are counted, for the pipeline's list.

What is asked for stands in the pipeline's address (console/filters.py): ids, days and words of ours, no patient data.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from labbridge.analytics.answers import Behind, Period, months_before

#: Stands for what has no id of its own.
UNKNOWN = "unknown"
SEVERAL = "several"

#: A practitioner whom Rupa names without an id is told by a hash of the name: names do not stand in addresses.
PRACTITIONER = """CASE WHEN o.practitioner_key <> '' THEN o.practitioner_key
  WHEN o.practitioner_name = '' THEN 'unknown'
  ELSE 'name:' || left(encode(sha256(convert_to(o.practitioner_name, 'UTF8')), 'hex'), 12) END"""

_ORDERED = "o.counted_on BETWEEN %(since)s AND %(until)s"
_WAITS = f"{_ORDERED} AND o.phase <> 'canceled' AND o.reached ="


class Figure(NamedTuple):
    """`order` is a condition on the order's fact `o`; `test`, when given, must hold for a test `t` of the order."""

    label: str
    order: str
    test: str = ""


FIGURES: dict[str, Figure] = {
    "ordered": Figure("Ordered", _ORDERED),
    "canceled": Figure("Canceled", f"{_ORDERED} AND o.phase = 'canceled'"),
    "paid": Figure("Paid", "o.revenue_on BETWEEN %(since)s AND %(until)s"),
    "unpaid": Figure("Awaiting the patient's payment", f"{_ORDERED} AND o.payment = 'awaiting_patient'"),
    "timed": Figure("With a test whose wait is counted", _ORDERED, "t.started_on IS NOT NULL"),
    "resulted": Figure("With a result", "true", "t.resulted_on BETWEEN %(since)s AND %(until)s"),
    "open": Figure("With an open test", "true", "t.open"),
    "reached-paid": Figure("Paid or under way", f"{_ORDERED} AND o.reached >= 1"),
    "reached-first": Figure("With a first result", f"{_ORDERED} AND o.reached >= 2"),
    "reached-all": Figure("With all results", f"{_ORDERED} AND o.reached >= 3"),
    "waits-paid": Figure("Waiting for payment", f"{_WAITS} 0"),
    "waits-first": Figure("Waiting for a first result", f"{_WAITS} 1"),
    "waits-all": Figure("Waiting for the other results", f"{_WAITS} 2"),
    "due": Figure("Whose test is due again", "o.order_id IN ({due})"),
}  # fmt: skip

#: Of a test `g` that has an interval, its orders; and each patient's newest. The index `test_fact_again` has them
#: in that order, so that nothing is sorted.
HAD = """
FROM analytics_testfact WHERE practice_id = p.practice_id AND lab_test_key = g.lab_test_key
  AND counts AND ended_on IS NULL AND patient_id IS NOT NULL
"""
NEWEST = f"""
SELECT DISTINCT ON (patient_id) order_id, resulted_on {HAD} ORDER BY patient_id, counted_on DESC, ordered_test_id
"""  # a text of ours
_DUE = f"""
SELECT n.order_id FROM unnest(%(practices)s::uuid[]) p(practice_id)
CROSS JOIN unnest(%(repeat_keys)s::text[], %(repeat_due)s::date[]) g(lab_test_key, due)
CROSS JOIN LATERAL ({NEWEST}) n WHERE n.resulted_on <= g.due
"""  # noqa: S608  # texts of ours


def due_until(today: date, months: int) -> date:
    """The last day that is at least so many months ago. The end of a shorter month stands for the days it lacks."""
    first = months_before(today, months)
    last = months_before(first, -1) - timedelta(days=1)
    if (today + timedelta(days=1)).day == 1:
        return last
    return first.replace(day=min(today.day, last.day))


_ON_TEST = "EXISTS (SELECT 1 FROM analytics_testfact t WHERE t.order_id = o.order_id AND t.counts AND "


@dataclass(frozen=True)
class Asked:
    """One figure, narrowed. Empty: not narrowed by that."""

    figure: str
    since: date = date.min
    until: date = date.max
    lab: str = ""
    test: str = ""
    practitioner: str = ""
    source: str = ""


def condition(
    asked: Asked, practices: Sequence[UUID], today: date, repeats: Mapping[str, int]
) -> tuple[str, list[Any]]:  # any: what SQL takes
    """SQL that holds for the orders (`mirror_order`) behind a figure, and its values in their places."""
    figure = FIGURES[asked.figure]
    parts = [figure.order.replace("{due}", _DUE)]
    intervals = {key: months for key, months in repeats.items() if not asked.test or key == asked.test}
    on_test = [figure.test] if figure.test else []
    if asked.lab and asked.figure == "paid":
        parts.append("o.lab = %(lab)s")
    elif asked.lab:
        on_test.append("t.lab = %(lab)s")
    if asked.test and asked.figure != "due":
        on_test.append("t.lab_test_key = %(test)s")
    if asked.practitioner:
        parts.append(f"{PRACTITIONER} = %(practitioner)s")
    if asked.source:
        parts.append("starts_with(o.source, 'ehr:')" if asked.source == "ehr" else "o.source = %(source)s")
    if on_test:
        parts.append(_ON_TEST + " AND ".join(on_test) + ")")
    sql = (
        "EXISTS (SELECT 1 FROM analytics_orderfact o WHERE o.order_id = mirror_order.id AND o.counts "  # noqa: S608  # texts of ours
        f"AND o.practice_id = ANY(%(practices)s) AND {' AND '.join(parts)})"
    )
    values = {
        "practices": list(practices), "today": today, "since": asked.since, "until": asked.until,
        "lab": "" if asked.lab == UNKNOWN else asked.lab, "test": asked.test, "practitioner": asked.practitioner,
        "source": asked.source, "repeat_keys": list(intervals),
        "repeat_due": [due_until(today, months) for months in intervals.values()],
    }  # fmt: skip
    return _NAMED.sub("%s", sql), [values[name] for name in _NAMED.findall(sql)]


_NAMED = re.compile(r"%\((\w+)\)s")  # Django's own conditions, among which this stands, count their values


def words(figure: str, period: Period | None = None, **narrowed: str) -> Behind:
    """How the pipeline's address says it."""
    days = {}
    if period and period.first > date.min:
        days["since"] = period.first.isoformat()
    if period and period.last < date.max:
        days["until"] = period.last.isoformat()
    return {"figure": figure, **days, **{name: value for name, value in narrowed.items() if value}}
