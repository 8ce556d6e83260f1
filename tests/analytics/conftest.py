"""A practice with invented orders: each is drawn by a seed and put straight into the mirror."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from labbridge.mirror.models import LabCompany, LabTest, Order, OrderedTest, Result
from labbridge.mirror.phases import phase_of
from labbridge.practices.models import Practice, Practitioner

NOW = datetime(2031, 6, 15, 20, 0, tzinfo=UTC)
LABS = {"co_1": "Alpha Invented Lab", "co_2": "Beta Invented Lab", "co_3": "Gamma Invented Lab"}
TESTS = {f"labts_{number}": f"co_{number % 3 + 1}" for number in range(7)}


@pytest.fixture
def practice(db: None) -> Practice:
    config = {
        "practice": {"slug": "willow", "name": "Willow", "time_zone": "America/Los_Angeles"},
        "caspio": {
            "url": "https://c0abc123.caspio.com", "client_id": "c", "client_secret": "s",
            "patients": {"first_name": "F", "last_name": "L", "email": "E", "birthday": "B"},
        },
        "rupa": {"price_unit": "cents"},
    }  # fmt: skip
    made = Practice.objects.create(
        slug="willow", name="Willow", time_zone="America/Los_Angeles", config=config
    )
    for key, name in LABS.items():
        LabCompany.objects.create(practice=made, external_id=key, name=name)
    for key, company in TESTS.items():
        LabTest.objects.create(
            practice=made, external_id=key, name=f"Test {key}", lab_company_id_external=company,
            lab_company_name=LABS[company], turnaround_days=10, shipping_days_max=2,
        )  # fmt: skip
    return made


Tests = list[tuple[str, datetime | None]]


def put(practice: Practice, number: int, tests: Tests, **fields: Any) -> Order:
    """One order with its tests, phase as the mirror would say it."""
    return put_all(practice, [(number, tests, fields)])[0]


def put_all(practice: Practice, drawn: list[tuple[int, Tests, dict[str, Any]]]) -> list[Order]:
    orders, ordered_tests, results = [], [], []
    for number, tests, fields in drawn:
        order = Order(**{
            "practice": practice, "external_id": f"ord_{number}", "revision": 1, "first_seen_at": NOW, **fields,
        })  # fmt: skip
        order.phase = phase_of(order, [received for _, received in tests])
        orders.append(order)
        for place, (key, received) in enumerate(tests):
            test = OrderedTest(
                practice=practice, order=order, external_id=f"ordts_{number}_{place}", lab_test_id_external=key,
                results_received_at=received,
            )  # fmt: skip
            ordered_tests.append(test)
            if received is not None:
                given = {"as_of": received, "received_at": received}
                results.append(Result(practice=practice, ordered_test=test, version=1, **given))
    Order.objects.bulk_create(orders)
    OrderedTest.objects.bulk_create(ordered_tests)
    Result.objects.bulk_create(results)
    return orders


@pytest.fixture
def many(practice: Practice) -> Callable[[int, int], Practice]:
    """`many(seed, count)`: orders of every sort, gaps and oddities included."""

    def draw(seed: int, count: int) -> Practice:
        dice = random.Random(seed)
        rupa_people = [f"pra_{number}" for number in range(4)]
        for key in rupa_people[:2]:
            _practitioner(practice, key)
        drawn: list[tuple[int, Tests, dict[str, Any]]] = []
        for number in range(count):
            submitted = NOW - timedelta(days=dice.randint(0, 200), minutes=dice.randint(0, 1440))
            paid = submitted + timedelta(hours=dice.randint(0, 200)) if dice.random() < 0.8 else None
            paid = None if paid and paid > NOW else paid
            canceled = submitted + timedelta(days=dice.randint(1, 30)) if dice.random() < 0.08 else None
            canceled = None if canceled and canceled > NOW else canceled
            tests: list[tuple[str, datetime | None]] = []
            for key in dice.sample([*TESTS, "labts_gone"], dice.randint(1, 3)):
                result = (paid or submitted) + timedelta(hours=dice.randint(-30, 900))
                in_time = result <= NOW and (
                    canceled is None or result <= canceled
                )  # canceled after a result too
                got = paid is not None and in_time and dice.random() < 0.9
                tests.append((key, result if got else None))
            drawn.append((number, tests, {
                "submitted_at": submitted if dice.random() < 0.95 else None, "paid_at": paid, "canceled_at": canceled,
                "is_demo": dice.random() < 0.05, "source": dice.choice(["caspio", "rupa", "ehr:Healthie"]),
                "status": "Draft" if dice.random() < 0.02 else "",
                "payer": dice.choice(["patient", "practitioner", ""]),
                "practitioner_id_external": dice.choice([*rupa_people, ""]),
                "practitioner_name": dice.choice(["", "Dr Invented"]),
                "total_price": dice.choice([None, 0, 12900, 45050]), "first_seen_at": submitted,
            }))  # fmt: skip
        put_all(practice, drawn)
        return practice

    return draw


def _practitioner(practice: Practice, key: str) -> None:
    from labbridge.practices.models import Connection

    connection = Connection.objects.filter(practice=practice).first() or Connection.objects.create(
        practice=practice, peer="rupa", account="a@x.example"
    )
    Practitioner.objects.create(
        practice=practice, connection=connection, external_id=key, name=f"Dr {key.title()}"
    )
