"""Revenue: of orders whose price is known, in dollars, once the practice has said what Rupa's figures mean."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Literal, NamedTuple

from labbridge.analytics.answers import Answer, Behind, Cell, Column, Period, share
from labbridge.analytics.behind import SEVERAL, UNKNOWN, words
from labbridge.analytics.orders import (
    UNKNOWN_LAB,
    a_year_before,
    a_year_later,
    every_month,
    lab_names,
    month,
    named,
    people,
    person_key,
)
from labbridge.database.statements import fetch
from labbridge.filing.rows import money
from labbridge.mirror.phases import who_pays
from labbridge.practices.apply import config_of
from labbridge.practices.models import Practice

SEVERAL_LABS = "Several labs"
HIDDEN = "Amounts stay hidden until the price unit is set: compare one known catalogue price, set [rupa] price_unit."

By = Literal["month", "lab", "practitioner", "payer"]

TITLES: dict[By, str] = {
    "month": "Month", "lab": "Lab company", "practitioner": "Practitioner", "payer": "Payer",
}  # fmt: skip
#: By Rupa's own word (`who_pays`): that an order is dated as paid does not tell who paid.
PAYERS = {"practitioner": "Practice", "patient": "Patient", "unknown": "Payer not known"}

#: Key and name, for each way to divide but by month.
_BY: dict[By, str] = {
    "practitioner": "o.practitioner_key, o.practitioner_name",
    "payer": "o.payer, ''",
    "lab": "o.lab, ''",
}

_REVENUE = """
SELECT {by}, o.revenue_on >= %(first)s, count(*), count(o.price) FILTER (WHERE o.price > 0),
       sum(o.price) FILTER (WHERE o.price > 0)
FROM analytics_orderfact o
WHERE o.practice_id = %(practice)s AND o.counts AND o.revenue_on BETWEEN %(before)s AND %(last)s
GROUP BY 1, 2, 3
"""
# Days are far quicker to group than the text of their months.
_REVENUE_DAYS = """
SELECT revenue_on, count(*), count(price) FILTER (WHERE price > 0), sum(price) FILTER (WHERE price > 0)
FROM analytics_orderfact
WHERE practice_id = %(practice)s AND counts
  AND (revenue_on BETWEEN %(first)s AND %(last)s OR revenue_on BETWEEN %(from)s AND %(until)s)
GROUP BY 1
"""

#: By days of waiting, from and to.
AGES = ((0, 3), (4, 7), (8, 14), (15, 30), (31, 90), (91, None))
_AGES = """
SELECT %(today)s - counted_on AS age, count(*), count(price) FILTER (WHERE price > 0),
       sum(price) FILTER (WHERE price > 0)
FROM analytics_orderfact WHERE practice_id = %(practice)s AND counts AND payment = 'awaiting_patient' GROUP BY 1
"""

_ASKED = """
SELECT to_char(counted_on, 'YYYY-MM'), payer, count(*) FILTER (WHERE payment = 'paid'),
       count(*) FILTER (WHERE payment = 'awaiting_patient' AND counted_on > %(abandoned)s),
       count(*) FILTER (WHERE payment = 'awaiting_patient' AND counted_on <= %(abandoned)s),
       count(*) FILTER (WHERE payment = 'canceled' AND paid_on IS NULL),
       sum(price) FILTER (WHERE payment = 'awaiting_patient' AND counted_on <= %(abandoned)s AND price > 0)
FROM analytics_orderfact
WHERE practice_id = %(practice)s AND counts AND counted_on BETWEEN %(first)s AND %(last)s GROUP BY 1, 2
"""


def revenue(practice: Practice, period: Period, by: By) -> Answer:
    """Paid orders by the day of payment. Amounts in dollars; None while the unit is unknown."""
    if by == "month":
        now, earlier = _by_month(practice, period)
        labels = {key: key for key in now}
    else:
        now, labels, earlier = _sums(practice, by, period, period.before().first)
    unit = config_of(practice).rupa.price_unit
    rows: list[tuple[Cell, ...]] = []
    ranked = sorted(now, key=lambda key: (-(now[key].amount or 0), labels[key]))
    keys = every_month(now) if by == "month" else ranked
    for key in keys:
        one, other = now.get(key, NOTHING), earlier.get(key, NOTHING)
        rows.append(
            (
                labels.get(key, key),
                one.orders,
                one.priced,
                dollars(one.amount, unit),
                dollars(other.amount, unit),
            )
        )
    unpriced = sum(one.orders - one.priced for one in now.values())
    notes = [HIDDEN] if unit == "unknown" else []
    own = (f"{unpriced} paid orders carry no price and are not in the amounts.",) if unpriced else ()
    notes += own
    if by == "lab":
        notes.append("Rupa prices an order as a whole; orders at several labs are shown by themselves.")
    columns = (
        Column(by, TITLES[by], "month" if by == "month" else "text"),
        Column("orders", "Paid orders"), Column("priced", "With a price", of="orders"),
        Column("amount", "Amount", "money", of="priced"),
        # Nothing here tells of how many orders it is.
        Column("before", "A year before" if by == "month" else "In the period before", "money", shared=False),
    )  # fmt: skip
    shown = [_behind(key, period, by) for key in keys]
    behind = {"amount": shown, "orders": shown} if by != "payer" else {}
    return Answer(f"Revenue by {by}", columns, rows, tuple(notes), behind, own)


class Sum(NamedTuple):
    """Paid orders, those of them with a price, and what these add up to, as the peer gives it."""

    orders: int
    priced: int
    amount: Decimal | None

    def plus(self, orders: int, priced: int, amount: Decimal | None) -> Sum:
        return Sum(
            self.orders + orders, self.priced + priced,
            self.amount if amount is None else (self.amount or Decimal(0)) + amount,
        )  # fmt: skip


NOTHING = Sum(0, 0, None)


Sums = dict[str, Sum]


def _sums(practice: Practice, by: By, period: Period, before: date) -> tuple[Sums, dict[str, str], Sums]:
    """What was paid in the period, by key; the keys' labels; and what was paid from `before` until it began."""
    values = {"practice": practice.pk, "first": period.first, "last": period.last, "before": before}
    found = fetch(_REVENUE.format(by=_BY[by]), values)
    now: Sums = {}
    earlier: Sums = {}
    for key, name, is_now, *figures in found:
        told = person_key(key, name) if by == "practitioner" else who_pays(key) if by == "payer" else key
        part = now if is_now else earlier
        part[told] = part.get(told, NOTHING).plus(*figures)
    return now, _labels(practice, by, [(key, name) for key, name, *_ in found]), earlier


def _by_month(practice: Practice, period: Period) -> tuple[Sums, Sums]:
    """By month, and by month a year later what was paid on the same days a year before: these may lie within it."""
    first, last = a_year_before(period.first), a_year_before(period.last)
    then = Period(first, max(first, last))
    values = {"practice": practice.pk, "first": period.first, "last": period.last,
              "from": then.first, "until": then.last}  # fmt: skip
    now: Sums = {}
    earlier: Sums = {}
    for day, *figures in fetch(_REVENUE_DAYS, values):
        key = f"{day:%Y-%m}"
        if period.first <= day <= period.last:
            now[key] = now.get(key, NOTHING).plus(*figures)
        if then.first <= day <= then.last:
            earlier[a_year_later(key)] = earlier.get(a_year_later(key), NOTHING).plus(*figures)
    return now, earlier


def _labels(practice: Practice, by: By, found: list[tuple[str, str]]) -> dict[str, str]:
    if by == "practitioner":
        return people(practice, found)
    if by == "lab":
        names = lab_names(practice)
        names[SEVERAL] = SEVERAL_LABS
        return named(
            [(key, names.get(key, "")) for key in dict.fromkeys(key for key, _ in found)], UNKNOWN_LAB
        )
    return PAYERS


def _behind(key: str, period: Period, by: By) -> Behind:
    if by == "month":
        return words("paid", month(key, within=period))
    return words("paid", period, **{by: key or UNKNOWN})


def unpaid_by_age(practice: Practice, today: date) -> Answer:
    """Orders that wait for the patient's payment now, by how long they have waited."""
    unit = config_of(practice).rupa.price_unit
    found = fetch(_AGES, {"practice": practice.pk, "today": today})
    rows: list[tuple[Cell, ...]] = []
    shown: list[Behind] = []
    for start, end in AGES:
        one = NOTHING
        for age, *figures in found:
            if (age >= start or start == 0) and (
                end is None or age <= end
            ):  # a date to come has waited no day yet
                one = one.plus(*figures)
        label = f"{start} to {end} days" if end is not None else f"more than {start - 1} days"
        rows.append((label, one.orders, one.priced, dollars(one.amount, unit)))
        first = date.min if end is None else today - timedelta(days=end)
        shown.append(
            words("unpaid", Period(first, date.max if start == 0 else today - timedelta(days=start)))
        )
    columns = (
        Column("age", "Waiting for", "text"), Column("orders", "Orders"), Column("priced", "With a price"),
        Column("amount", "Amount", "money"),
    )  # fmt: skip
    notes = ["From the day of submission, else from the day on which the order was first seen here."]
    return Answer("Orders awaiting payment", columns, rows,
                  tuple([*notes, HIDDEN] if unit == "unknown" else notes), {"orders": shown})  # fmt: skip


class Asked(NamedTuple):
    """What became of orders that the patient was to pay, and the price of those abandoned, as the peer gives it."""

    paid: int
    waiting: int
    left: int
    canceled: int
    amount: Decimal | None

    def plus(
        self, paid: int, waiting: int, left: int, canceled: int, amount: Decimal | None, *, by_practice: bool
    ) -> Asked:
        """With more of them. What the practice paid, or was to pay and canceled, nobody asked the patient for."""
        return Asked(
            self.paid + (0 if by_practice else paid), self.waiting + waiting, self.left + left,
            self.canceled + (0 if by_practice else canceled),
            self.amount if amount is None else (self.amount or Decimal(0)) + amount,
        )  # fmt: skip


NOBODY = Asked(0, 0, 0, 0, None)


def abandoned(practice: Practice, period: Period, today: date) -> Answer:
    """Orders that the patient was to pay, by the month in which they were ordered, and what became of them."""
    config = config_of(practice)
    days, unit = config.analytics.abandoned_days, config.rupa.price_unit
    limit = today - timedelta(days=days + 1)
    values = {"practice": practice.pk, "first": period.first, "last": period.last, "abandoned": limit}
    rows: list[tuple[Cell, ...]] = []
    shown: list[Behind] = []
    found: dict[str, Asked] = {}
    for key, payer, *figures in fetch(_ASKED, values):
        found[key] = found.get(key, NOBODY).plus(*figures, by_practice=who_pays(payer) == "practitioner")
    for key in every_month(found):
        paid, waiting, left, canceled, amount = found.get(key, NOBODY)
        asked = paid + waiting + left + canceled
        rows.append((key, asked, paid, waiting, left, canceled, share(left, asked), dollars(amount, unit)))
        part = month(key, within=period)
        shown.append(
            words("unpaid", Period(part.first, min(part.last, limit))) if part.first <= limit else {}
        )
    columns = (
        Column("month", "Month", "month"), Column("asked", "To be paid"), Column("paid", "Paid"),
        Column("waiting", "Waiting"), Column("abandoned", "Abandoned"), Column("canceled", "Canceled unpaid"),
        Column("share", "Share abandoned", "share"), Column("amount", "Amount abandoned", "money"),
    )  # fmt: skip
    notes = [
        f"Abandoned: neither paid nor canceled more than {days} days after submission ([analytics] abandoned_days).",
        "Rupa has no such word: an order may still be paid, and then it counts as paid.",
        "Not counted: what the practice pays, what was refunded, and where Rupa tells nothing about payment.",
    ]
    return Answer("Unpaid and abandoned orders", columns, rows,
                  tuple([*notes, HIDDEN] if unit == "unknown" else notes), {"abandoned": shown})  # fmt: skip


def dollars(amount: Decimal | None, unit: str) -> Decimal | None:
    """As filing writes it (filing/rows.py): nothing while the unit is unknown, and no invented zero."""
    found = money(amount, unit)
    return None if found is None else found.quantize(Decimal("0.01"))
