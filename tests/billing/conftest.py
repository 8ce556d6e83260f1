"""An order that is paid, complete and matched with a chart: all that a superbill needs but what staff enter."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from labbridge.mirror.models import Chart, LabTest, Order, OrderedTest, Patient, PatientLink
from labbridge.mirror.phases import phase_of
from labbridge.practices.apply import apply
from labbridge.practices.config import parse
from labbridge.practices.models import Connection, Practice, Practitioner
from tests.world import PRACTICE_TOML

NPI = "1234567893"
PERSON = {
    "first_name": "Inventia", "last_name": "Paperwright", "email": "inventia@x.example", "birthday": "1980-02-03",
    "street": "1 Nowhere Lane", "city": "Inventon", "state": "OR", "zipcode": "97299",
}  # fmt: skip
BILLING = """npi = "1234567893"

[billing]
address = "12 Invented Road, Inventon, OR 97299"
phone = "(503) 555-0100"
tax_id = "12-3456789"
"""


@pytest.fixture
def willow() -> Practice:
    """Applied and not connected: nothing here calls a peer."""
    toml = PRACTICE_TOML.format(caspio="https://c0abc123.caspio.com", rate=5, refresh_token="given") + BILLING
    made = apply(parse(toml)).practice
    connection = Connection.objects.get(practice=made, peer="rupa")
    Connection.objects.filter(pk=connection.pk).update(external_id="pra_ada")
    for key, name in (("pra_ada", "Ada Willow, ND"), ("pra_bo", "Bo Willow, MD")):
        Practitioner.objects.create(practice=made, connection=connection, external_id=key, name=name)
    tests = (
        ("labts_gut", "GI Invented", "Diagnostic Solutions Laboratory"),
        ("labts_dutch", "Hormones Invented", "Lab B"),
    )
    for key, test, lab in tests:
        LabTest.objects.create(
            practice=made, external_id=key, name=test, lab_company_name=lab, price=Decimal(399)
        )
    return made


@pytest.fixture
def order_of(willow: Practice) -> Callable[..., Order]:
    def made(number: int = 1, tests: tuple[str, ...] = ("labts_gut", "labts_dutch"), **more: Any) -> Order:
        patient = Patient.objects.create(practice=willow, external_id=f"pat_{number}", person=PERSON)
        chart = Chart.objects.create(practice=willow, key=f"P-{number}", person=PERSON)
        PatientLink.objects.create(practice=willow, chart=chart, patient=patient)
        order = Order(**{
            "practice": willow, "patient": patient, "external_id": f"ord_{number}", "payer": "patient",
            "practitioner_id_external": "pra_ada", "total_price": Decimal("648.50"), "revision": 1,
            "submitted_at": datetime(2025, 5, 1, 17, 0, tzinfo=UTC),
            "paid_at": datetime(2025, 5, 2, 6, 30, tzinfo=UTC),
            "completed_at": datetime(2025, 5, 20, 17, 0, tzinfo=UTC), **more,
        })  # fmt: skip
        order.phase = phase_of(order, [])
        order.save()
        for place, key in enumerate(tests, start=1):
            OrderedTest.objects.create(
                practice=willow, order=order, external_id=f"ordts_{number}{place}", lab_test_id_external=key
            )
        return order

    return made
