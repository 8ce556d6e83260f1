"""A practice whose peers answer at once: Caspio in the client's own process, with nothing behind it."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx2
import orjson

from tests.world import PRACTICE_TOML

PATIENTS = 1000
LAB_TESTS = 20
PRACTITIONER = "prac_bench"


def practice() -> Any:
    """The practice, connected, its patients linked and its lab tests read: a service that has run for a while."""
    from labbridge.mirror.models import Chart, LabTest, Patient, PatientLink
    from labbridge.practices.apply import apply
    from labbridge.practices.config import parse
    from labbridge.practices.models import Connection, Practitioner

    toml = PRACTICE_TOML.format(caspio="http://127.0.0.1:9", rate=100, refresh_token="given")
    made = apply(parse(toml)).practice
    now = datetime.now(UTC)
    account = Connection.objects.get(practice=made, peer="caspio")
    until = (now + timedelta(days=1)).isoformat()
    account.credentials = {**(account.credentials or {}), "access_token": "token", "expires_at": until}
    account.save()
    connection = Connection.objects.get(practice=made, peer="rupa")
    Practitioner.objects.create(
        practice=made, connection=connection, external_id=PRACTITIONER, name="Ada Example"
    )
    people = [
        Patient(practice=made, external_id=f"pat_{number}", person=_person(number), as_of=now)
        for number in range(PATIENTS)
    ]
    charts = [
        Chart(
            practice=made,
            key=f"P-{number}",
            pk_id=number + 1,
            rupa_patient_id=f"pat_{number}",
            person=_person(number),
        )
        for number in range(PATIENTS)
    ]
    Patient.objects.bulk_create(people)
    Chart.objects.bulk_create(charts)
    PatientLink.objects.bulk_create(
        PatientLink(practice=made, chart=chart, patient=patient)
        for chart, patient in zip(charts, people, strict=True)
    )
    LabTest.objects.bulk_create(
        LabTest(
            practice=made, external_id=f"lab_{number}", name=f"Test {number}", as_of=now, turnaround_days=10
        )
        for number in range(LAB_TESTS)
    )
    made.charts_read_at = now
    made.save()
    return made


def _person(number: int) -> dict[str, Any]:
    absent = dict.fromkeys(("phone", "gender", "street", "city", "state", "zipcode"))
    return {
        "first_name": f"Testa{number}",
        "last_name": f"Sampleperson{number}",
        "email": f"testa{number}@patients.example",
        "birthday": "1970-01-15",
        **absent,
    }


def answer_at_once() -> None:
    """Put the stand-in below this process's Caspio client, and take the limit off its calls, not their count."""
    from labbridge.practices import clients

    transport = httpx2.MockTransport(_caspio())
    clients.Caspio = partial(clients.Caspio, transport=transport)  # type: ignore[misc,assignment]  # a bench may
    limited = clients.SharedLimiter
    clients.SharedLimiter = lambda account, rate: limited(account, rate * 10_000)  # type: ignore[misc,assignment]


def _caspio() -> Any:
    keys = itertools.count(1)

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.method == "POST" and request.url.path.endswith("/records"):
            return _json(201, {"RecordsAffected": 1, "Result": [{"PK_ID": next(keys)}]})
        if request.method == "PUT":
            return _json(200, {"RecordsAffected": 1})
        return _json(200, {"Result": []})

    return answer


def _json(status: int, body: dict[str, Any]) -> httpx2.Response:
    return httpx2.Response(status, content=orjson.dumps(body), headers={"content-type": "application/json"})


def order_event(number: int, order: int, began: datetime) -> bytes:
    """An order with two tests, one step further with each of its events."""
    step = number // 1000
    at = (began + timedelta(milliseconds=number)).isoformat()
    tests = [f"ot_{order}_{which}" for which in (1, 2)]
    return orjson.dumps({
        "id": f"evt_{number}",
        "type": "order.updated",
        "created_at": at,
        "data": {
            "object": {
                "type": "order",
                "id": f"ord_{order}",
                "attributes": {
                    "status": f"Step {step}", "payer": "patient", "total_price": "299.00", "is_demo": False,
                    "date_submitted": began.isoformat(), "date_paid": at,
                    "date_completed": None, "date_canceled": None,
                    "notes_to_patient": None, "metadata": {},
                },
                "relationships": {
                    "patient": {"data": {"type": "patient", "id": f"pat_{order % PATIENTS}"}},
                    "patients_practitioner": {"data": {"type": "practitioner", "id": PRACTITIONER}},
                    "ordered_tests": {
                        "data": [{"type": "ordered_test", "id": test} for test in tests],
                        "meta": {"count": len(tests)},
                    },
                },
            },
            "included": [
                {
                    "type": "ordered_test",
                    "id": test,
                    "attributes": {"date_results_received_from_lab": None, "results_pdf": None, "results_hl7": None},
                    "relationships": {"lab_test": {"data": {"type": "lab_test", "id": f"lab_{order % LAB_TESTS}"}}},
                }
                for test in tests
            ],
        },
    })  # fmt: skip
