"""A generator whose answers are known before anything is computed: every question is asked."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from labbridge.analytics.answers import Period
from labbridge.analytics.facts import refresh
from labbridge.analytics.questions import QUESTIONS
from labbridge.mirror.models import Order, Patient
from labbridge.practices.models import Practice
from tests.analytics.conftest import put_all

ZONE = ZoneInfo("America/Los_Angeles")
TODAY = datetime(2031, 6, 15, 12, tzinfo=ZONE)
MAY = Period(datetime(2031, 5, 1, tzinfo=ZONE).date(), datetime(2031, 5, 31, tzinfo=ZONE).date())
SIZE = 20  #: orders of each kind


@pytest.fixture
def drawn(practice: Practice) -> Practice:
    """Of each kind SIZE orders, one minute after midnight of a day in the practice's zone,.

    A: one test of lab 1, paid two days later, results after 1 to SIZE days. B: one test of lab 2, the practice pays,
    no result yet. C: asked for payment, not paid. D: canceled five days after it was ordered. E: a demo.
    """
    practice.config["analytics"] = {"repeat_months": {"labts_0": 1}, "abandoned_days": 30}
    rows: list[tuple[int, Any, dict[str, Any]]] = []
    for number in range(SIZE):
        at = datetime(2031, 5, 1, 0, 1, tzinfo=ZONE)
        paid = at + timedelta(days=2)
        common = {
            "submitted_at": at,
            "total_price": 10000,
            "practitioner_id_external": "pra_9",
            "payer": "patient",
        }
        kinds: list[tuple[Any, dict[str, Any]]] = [
            ([("labts_0", paid + timedelta(days=number + 1))], {"paid_at": paid, "source": "caspio"}),
            ([("labts_1", None)], {"payer": "practitioner", "paid_at": None, "status": "In progress"}),
            ([("labts_2", None)], {}),
            ([("labts_2", None)], {"canceled_at": at + timedelta(days=5)}),
            ([("labts_2", None)], {"is_demo": True, "paid_at": paid}),
        ]
        rows += [
            (number * 10 + place, tests, {**common, **more}) for place, (tests, more) in enumerate(kinds)
        ]
    orders = put_all(practice, rows)
    patients = [Patient(practice=practice, external_id=f"pat_{number}", person={}) for number in range(SIZE)]
    Patient.objects.bulk_create(patients)
    for place, order in enumerate(orders):
        order.patient = patients[place // 5]
    Order.objects.bulk_update(orders, ["patient"])
    assert refresh(practice) == 5 * SIZE
    return practice


def told(practice: Practice, name: str) -> list[dict[str, Any]]:
    return QUESTIONS[name].ask(practice, MAY, TODAY.date()).as_dicts()


def column(practice: Practice, name: str, label: str, *columns: str) -> dict[Any, Any]:
    found = told(practice, name)
    return {
        row[label]: row[columns[0]] if len(columns) == 1 else tuple(row[one] for one in columns)
        for row in found
    }


@pytest.mark.django_db
def test_every_question_gives_what_was_put_in(drawn: Practice) -> None:
    n = SIZE
    assert column(drawn, "totals", "what", "now") == {
        "Orders": 4 * n, "Ordered tests": 4 * n, "Canceled orders": n, "Paid orders": 2 * n,
        "Results that arrived": n,
    }  # fmt: skip
    assert column(drawn, "orders-by-month", "month", "orders", "canceled") == {"2031-05": (4 * n, n)}
    labs = {"Alpha Invented Lab": (n, 0), "Beta Invented Lab": (n, 0), "Gamma Invented Lab": (2 * n, n)}
    assert column(drawn, "orders-by-lab", "lab", "orders", "canceled") == labs
    assert list(column(drawn, "orders-by-practitioner", "practitioner", "orders").values()) == [4 * n]
    assert column(drawn, "orders-by-source", "source", "orders") == {"caspio": n, "rupa": 3 * n}
    assert column(drawn, "tests", "test", "tests") == {
        "Test labts_0": n, "Test labts_1": n, "Test labts_2": 2 * n,
    }  # fmt: skip
    # A has 1 to 20 days, one each: half by the 10th, nine in ten by the 18th, then 19 and 20.
    figures = ("results", "open", "p50", "p90", "p95", "p99")
    waits = column(drawn, "turnaround-by-lab", "lab", *figures)
    assert waits["Alpha Invented Lab"] == (n, 0, 10, 18, 19, 20)
    assert waits["Beta Invented Lab"] == (0, n, None, None, None, None)
    assert column(drawn, "turnaround-by-test", "test", *figures)["Test labts_0"] == (n, 0, 10, 18, 19, 20)
    steps = column(drawn, "funnel", "step", "reached", "waiting", "lost", "p50")
    # Of those with days: A paid after 2; C waits for 45; D was lost after 5. A third of 60 were paid: no median.
    assert steps["Ordered, until paid"] == (2 * n, n, n, None)
    # A needs 1 to 20 days and B waits for 45: half of all 40 have a result by the longest of A.
    assert steps["Paid, until the first result"] == (n, n, 0, 20)
    assert steps["First result, until all results"] == (n, 0, 0, 0)
    # Of lab 2 nothing is usual, so the catalogue's 10 days and twice 2 of shipping tell: long past.
    assert column(drawn, "open-tests", "lab", "open", "late") == {"Beta Invented Lab": (n, n)}
    # Results of the 4th to the 23rd of May; a month later, on the 15th of June, those up to the 15th are due.
    assert column(drawn, "due-again", "test", "patients", "due", "soon") == {"Test labts_0": (n, 12, 8)}
    assert column(drawn, "unpaid", "age", "orders", "amount")["31 to 90 days"] == (n, Decimal(100 * n))
    asked = ("asked", "paid", "waiting", "abandoned", "canceled", "amount")
    assert column(drawn, "abandoned", "month", *asked) == {"2031-05": (3 * n, n, 0, n, n, Decimal(100 * n))}
    money = Decimal(100 * n)
    assert column(drawn, "revenue-by-month", "month", "amount") == {"2031-05": 2 * money}
    assert column(drawn, "revenue-by-lab", "lab", "amount") == {
        "Alpha Invented Lab": money, "Beta Invented Lab": money,
    }  # fmt: skip
    assert list(column(drawn, "revenue-by-practitioner", "practitioner", "amount").values()) == [2 * money]
    assert column(drawn, "revenue-by-payer", "payer", "amount") == {"Patient": money, "Practice": money}
    assert column(drawn, "value", "what", "entries")["All entries that nobody typed"] == 0, (
        "nothing was filed"
    )
    assert set(QUESTIONS) == ASKED


ASKED = {
    "totals", "orders-by-month", "orders-by-lab", "orders-by-practitioner", "orders-by-source", "tests",
    "turnaround-by-lab", "turnaround-by-test", "funnel", "open-tests", "due-again", "value", "unpaid", "abandoned",
    "revenue-by-month", "revenue-by-lab", "revenue-by-practitioner", "revenue-by-payer",
}  # fmt: skip
