"""Every list asks the database the same number of questions, whether it has three rows or thirty."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from labbridge.accounts import middleware
from labbridge.accounts.roles import Role
from labbridge.handover.keys import make as make_key
from labbridge.inbox.models import Event, EventState
from labbridge.mirror.models import Chart, LabTest, LabTestChange, Patient, Protocol, ReviewCase
from labbridge.outbox.models import Agreement, Delivery, DeliveryState, Destination, Fact
from labbridge.practices.models import ConfigVersion, Practice
from labbridge.trust.audit import Actor
from labbridge.trust.models import LegalHold
from tests.console.things import make_order, make_patient, make_practice, make_result, text, value
from tests.people import member, sign_in

pytestmark = pytest.mark.django_db(transaction=True)

LISTS = (
    "/",
    "/pipeline",
    "/pipeline?as=board",
    "/pipeline?lab=co_1",
    "/pipeline?payment=paid",
    "/pipeline?state=overdue",
    "/pipeline?state=stuck",
    "/results",
    "/results?reviewed",
    "/cases",
    "/cases?decided",
    "/events",
    "/events?state=dead",
    "/events?state=handled",
    "/catalogue?state=all",
    "/catalogue/news",
    "/audit",
    "/health",
    "/protocols",
    "/protocols/news",
    "/billing",
    "/billing?show=attention",
    "/billing?show=all",
    "/feeds",
    "/start?step=order",
    "/settings",
    "/settings/connections",
    "/settings/alerts",
    "/settings/people",
    "/settings/keys",
    "/settings/keys/new",
    "/settings/retention",
    "/settings/history",
    "/analytics",
)
#: What front desk types: by name, beginnings of both names, birthday.
SEARCHES = ("sampleperson", "samp test", "1978-08-16")


def fill(practice: Practice, numbers: range) -> None:
    """Of everything that any list shows, one for each number."""
    now = timezone.now()
    for number in numbers:
        patient = make_patient(practice, number)
        problem = {"filing_problem": "Caspio refused it."} if number % 2 else {}
        long_ago = {"submitted_at": now - timedelta(days=60), "paid_at": now - timedelta(days=60)}
        make_order(practice, number, patient, **long_ago, **problem)
        flagged = value(f"Analyte {number}", flag="H")
        make_result(make_order(practice, number + 1000, patient, phase="complete"), flagged, value("Other"))
        make_result(
            make_order(practice, number + 2000, make_patient(practice, number + 2000), phase="complete"), flagged,
            reviewed_at=now, reviewed_by="Ada",
        )  # fmt: skip
        make_order(
            practice,
            number + 3000,
            phase="awaiting_payment",
            paid_at=None,
            submitted_at=now - timedelta(days=9),
        )
        for state in EventState:
            Event.objects.create(
                practice=practice, peer="rupa", external_id=f"evt_{number}_{state}", type="order.updated", body=b"{}",
                subject=f"order:ord_{number}", state=state, reason="" if state == "received" else f"Reason {number}.",
            )  # fmt: skip
        for state in ("open", "decided"):
            ReviewCase.objects.create(
                practice=practice, state=state, decision="link" if state == "decided" else "", decided_at=now,
                chart=Chart.objects.create(practice=practice, key=f"C-{number}-{state}"),
                patient=Patient.objects.create(practice=practice, external_id=f"pat_{number}_{state}"),
                reasons=[{"field": "rule", "words": "The birthdays differ.", "weight": 0}],
            )  # fmt: skip
        make_order(
            practice,
            number + 4000,
            patient,
            phase="canceled",
            canceled_at=now,
            hsa_fsa_status="confirmed",
        )
        around(practice, number)
        LabTest.objects.create(practice=practice, external_id=f"labts_x{number}", name=f"Test {number}")
        LabTestChange.objects.create(
            practice=practice,
            external_id=f"labts_x{number}",
            field="available",
            before="yes",
            after="no",
            at=now,
        )


def around(practice: Practice, number: int) -> None:
    """What lies beside the orders."""
    now = timezone.now()
    member(practice, Role.PRACTITIONER, f"p{number}@willow.example")
    Protocol.objects.create(
        practice=practice, external_id=f"proto_{number}", name=f"Protocol {number}",
        tests=[{"key": f"{number}-{k}", "test": f"labts_x{k}", "sort": k} for k in range(3)],
        seen_until=now - timedelta(days=9),
    )  # fmt: skip
    ConfigVersion.objects.create(
        practice=practice, number=number + 10, actor_kind="person", after=f"a = {number}"
    )
    today = now.date()
    agreement = Agreement.objects.create(
        practice=practice, party=f"Company {number}", signed_on=today - timedelta(days=1),
        expires_on=today + timedelta(days=9), sha256="5a" * 32, recorded_by="ada",
    )  # fmt: skip
    make_key(practice, f"Program {number}", ["orders:read"], actor=Actor("operator"))
    LegalHold.objects.create(practice=practice.slug, patients=["5a" * 16], why="Invented.", set_by="ada")
    destination = Destination.objects.create(
        practice=practice, name=f"Receiver {number}", host="receiver.example", url="https://receiver.example/",
        data_class="phi", agreement=agreement, secret="invented", kinds=["order.phase_changed"],
    )  # fmt: skip
    for state in DeliveryState:
        fact = Fact.objects.create(
            practice=practice, kind="order.phase_changed", about=f"order:{number}", at=now
        )
        Delivery.objects.create(
            destination=destination, fact=fact, about=fact.about, state=state, next_at=now
        )


@pytest.fixture
def owner(client: Client) -> Client:
    sign_in(client, member(make_practice(), Role.OWNER))
    return client


def counted(owner: Client) -> dict[str, int]:
    found = {}
    for address in LISTS:
        with CaptureQueriesContext(connection) as asked:
            text(owner.get(address))
        found[address] = len(asked.captured_queries)
    for words in SEARCHES:
        with CaptureQueriesContext(connection) as asked:
            assert "Sampleperson" in text(owner.post("/pipeline/search", {"words": words}))
        found[words] = len(asked.captured_queries)
    return found


def test_three_rows_or_thirty(owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "TOUCH_SECONDS", 10_000)
    practice = Practice.objects.get()
    fill(practice, range(3))
    counted(owner)  # what is asked once for each process, as the keys of its patients
    few = counted(owner)
    fill(practice, range(3, 30))
    counted(owner)
    many = counted(owner)
    # Today counts a kind only when there is more of it than it shows: one question for each kind, however many.
    assert few.pop("/") <= many.pop("/") <= 36
    assert many == few
    assert max(many.values()) <= 24
