"""Every question that analytics answers, in order: for the console, the monthly report and the measurements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial

from labbridge.analytics import funnel, money, orders, repeats, turnaround
from labbridge.analytics.answers import Answer, Period
from labbridge.analytics.chart import Picture
from labbridge.analytics.value import value
from labbridge.practices.models import Practice

Ask = Callable[[Practice, Period, date], Answer]


@dataclass(frozen=True)
class Question:
    name: str  # in addresses
    title: str
    tells: str  # what the chart means, for people
    ask: Ask
    pictures: tuple[Picture, ...]
    #: The column by which small cells are known. Empty: the cells add up to each other, and cannot be shared.
    size: str = ""
    within: str = ""  # the column by which rows belong together, whose sums another question tells
    money: bool = False
    timeless: bool = False  # how things stand today, whatever the period
    yearly: bool = False  # the monthly report shows twelve months of it: one month alone tells little


def _orders_by(by: orders.Dimension, title: str, tells: str) -> Question:
    return Question(
        f"orders-by-{by}", title, tells, lambda practice, period, _today: orders.orders_by(practice, period, by),
        (_compared(by, "orders", "Orders"),), size="orders", yearly=by == "month",
    )  # fmt: skip


def _revenue(by: money.By, title: str) -> Question:
    return Question(
        f"revenue-by-{by}", title, REVENUE, lambda practice, period, _today: money.revenue(practice, period, by),
        (_compared(by, "amount", "Dollars"),), size="orders", money=True, yearly=by == "month",
    )  # fmt: skip


def _compared(by: str, value: str, title: str) -> Picture:
    if by == "month":
        return Picture("columns", by, value, title, before="before", before_title="a year before")
    return Picture("bars", by, value, title, before="before", before_title="the period before")


REVENUE = (
    "Dollars of orders that were paid, on the day of payment. "
    "Orders without a price are counted, but are not in the amount."
)
TURNAROUND = (
    "Days from payment to the first result: half of the tests had one by the circle, nine in ten by the square. "
    "Tests still open count as longer waits, so a mark may not be reached yet."
)
FUNNEL = "How many orders came to each step, how many wait there, and how long a step takes."
OPEN = "Tests that have no result yet. Late are those that wait longer than nine in ten of their kind did."
DUE = "For each test with an interval: patients whose newest result is older than it."
VALUE = "What nobody had to type, and the minutes of staff time that this stands for."
UNPAID = "Orders that wait for the patient's payment today, by how long they have waited."
ABANDONED = "Orders that the patient was to pay and has not, long after they were made."

_MARKS = tuple(turnaround.PERCENTILES)
_ALL = (
    Question(
        "totals", "The period at a glance", "The most important counts, beside those of the period before.",
        lambda practice, period, _today: funnel.totals(practice, period),
        (_compared("what", "now", "This period"),), size="now",
    ),
    _orders_by("month", "Orders by month", "How many orders were submitted in each month."),
    _orders_by("lab", "Orders by lab company", "How many orders have at least one test of the lab."),
    _orders_by("practitioner", "Orders by practitioner", "Who ordered how much."),
    _orders_by("source", "Where orders come from", "Where they were begun: in Caspio, at Rupa, or in another EHR."),
    Question(
        "tests", "Tests by popularity", "How often each test was ordered, and how that changed.",
        lambda practice, period, _today: orders.popular_tests(practice, period),
        (_compared("test", "tests", "Ordered"),
         Picture("change", "test", "change", "More or less often than in the period before")),
        size="tests", within="lab",
    ),
    Question(
        "turnaround-by-lab", "Turnaround by lab company", TURNAROUND, partial(turnaround.turnaround, by="lab"),
        (Picture("spread", "lab", "p50", "Days", marks=_MARKS),), size="results", yearly=True,
    ),
    Question(
        "turnaround-by-test", "Turnaround by test", TURNAROUND, partial(turnaround.turnaround, by="test"),
        (Picture("spread", "test", "p50", "Days", marks=_MARKS),), size="results", within="lab", yearly=True,
    ),
    Question(
        "funnel", "Where time is lost", FUNNEL, funnel.funnel,
        (Picture("bars", "step", "reached", "Orders that came so far"),
         Picture("bars", "step", "waiting", "Orders that wait here"),
         Picture("spread", "step", "p50", "Days that the step takes", marks=("p50", "p90"))), yearly=True,
    ),
    Question(
        "open-tests", "Open tests", OPEN, lambda practice, _period, today: turnaround.open_by_lab(practice, today),
        (Picture("bars", "lab", "open", "Open tests", before="late", before_title="of them late"),),
        size="open", timeless=True,
    ),
    Question(
        "due-again", "Tests due again", DUE, lambda practice, _period, today: repeats.repeats_due(practice, today),
        (Picture("bars", "test", "due", "Patients for whom it is due now"),), size="patients", timeless=True,
    ),
    Question(
        "value", "What the integration saved", VALUE, lambda practice, period, _today: value(practice, period),
        (Picture("bars", "what", "entries", "Entries that nobody typed"),),
    ),
    Question(
        "unpaid", "Unpaid orders", UNPAID, lambda practice, _period, today: money.unpaid_by_age(practice, today),
        (Picture("bars", "age", "orders", "Orders"),), money=True, timeless=True,
    ),
    Question(
        "abandoned", "Abandoned orders", ABANDONED, money.abandoned,
        (Picture("columns", "month", "abandoned", "Abandoned orders"),), money=True, yearly=True,
    ),
    _revenue("month", "Revenue by month"),
    _revenue("lab", "Revenue by lab company"),
    _revenue("practitioner", "Revenue by practitioner"),
    _revenue("payer", "Revenue by payer"),
)  # fmt: skip
QUESTIONS: dict[str, Question] = {one.name: one for one in _ALL}
