"""Month by month: orders, tests, payments and amounts, as a whole and at each lab company."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple

from labbridge.analytics.money import dollars
from labbridge.analytics.orders import UNKNOWN_LAB, lab_names
from labbridge.database.statements import fetch
from labbridge.practices.apply import config_of
from labbridge.practices.models import Practice

ALL_LABS = "All labs"

# Orders fall into the month in which they are counted, payments into the month of the payment, as in `revenue`.
# Days are grouped first, since they are far quicker to group than the text of their months.
_COUNTED = """
SELECT to_char(day, 'YYYY-MM'), lab, sum(orders)::bigint, sum(tests)::bigint, sum(canceled)::bigint
FROM ({by_day}) d GROUP BY 1, 2
"""
_PAID = """
SELECT to_char(day, 'YYYY-MM'), lab, sum(paid)::bigint, sum(priced)::bigint, sum(amount)
FROM ({by_day}) d GROUP BY 1, 2
"""
_QUESTIONS = (
    _COUNTED.format(by_day="""
SELECT counted_on AS day, NULL AS lab, count(*) AS orders, sum(tests) AS tests,
       count(*) FILTER (WHERE phase = 'canceled') AS canceled
FROM analytics_orderfact WHERE practice_id = %(practice)s AND counts GROUP BY 1"""),
    _COUNTED.format(by_day="""
SELECT counted_on AS day, lab, count(*) FILTER (WHERE leads) AS orders, count(*) AS tests,
       count(*) FILTER (WHERE lab_ended) AS canceled
FROM analytics_testfact WHERE practice_id = %(practice)s AND counts GROUP BY 1, 2"""),
    _PAID.format(by_day="""
SELECT revenue_on AS day, NULL AS lab, count(*) AS paid, count(*) FILTER (WHERE price > 0) AS priced,
       sum(price) FILTER (WHERE price > 0) AS amount
FROM analytics_orderfact WHERE practice_id = %(practice)s AND counts AND revenue_on IS NOT NULL GROUP BY 1"""),
    _PAID.format(by_day="""
SELECT o.revenue_on AS day, t.lab, count(*) AS paid, count(*) FILTER (WHERE o.price > 0 AND o.labs = 1) AS priced,
       sum(o.price) FILTER (WHERE o.price > 0 AND o.labs = 1) AS amount
FROM analytics_testfact t JOIN analytics_orderfact o ON o.order_id = t.order_id
WHERE t.practice_id = %(practice)s AND t.counts AND t.leads AND o.revenue_on IS NOT NULL GROUP BY 1, 2"""),
)  # fmt: skip


class Month(NamedTuple):
    """One month at one lab company, or, with `lab_id` None, of the practice as a whole."""

    month: str
    lab_id: str | None
    lab: str
    orders: int = 0  # one with tests of two labs counts once at each
    tests: int = 0
    canceled: int = 0
    paid: int = 0  # by the month of the payment, whoever paid
    priced: int = 0  # of those, with an amount that can be told: at a lab, orders that are wholly its own
    amount: Decimal | None = None  # dollars; None while the price unit is unknown


def months(practice: Practice) -> list[Month]:
    """Every month that has an order or a payment, in order; first the whole, then each lab."""
    values = {"practice": practice.pk}
    unit = config_of(practice).rupa.price_unit
    names = lab_names(practice)
    # By month and lab; a lab of None is the practice as a whole.
    counted: dict[tuple[str, str | None], tuple[Any, ...]] = {}  # any: what SQL gives
    paid: dict[tuple[str, str | None], tuple[Any, ...]] = {}
    for sql, kept in zip(_QUESTIONS, (counted, counted, paid, paid), strict=True):
        for month, lab, *figures in fetch(sql, values):
            kept[month, lab] = tuple(figures)
    found = []
    for month, lab_id in sorted(counted.keys() | paid.keys(), key=_in_order):
        orders, tests, canceled = counted.get((month, lab_id), (0, 0, 0))
        paid_orders, priced, amount = paid.get((month, lab_id), (0, 0, None))
        name = ALL_LABS if lab_id is None else names.get(lab_id, UNKNOWN_LAB)
        found.append(Month(
            month, lab_id, name, orders, tests, canceled, paid_orders, priced, dollars(amount, unit),
        ))  # fmt: skip
    return found


def _in_order(key: tuple[str, str | None]) -> tuple[str, bool, str]:
    return key[0], key[1] is not None, key[1] or ""
