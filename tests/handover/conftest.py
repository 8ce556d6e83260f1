"""Two practices, keys for them, and the generated client, which talks to the whole service in this process.

- `willow`, `birch`: practices without peers.
- `key(practice, *scopes, phi="phi", **more)`: a key's text; all scopes of its class when none is given.
- `api(text)`: the generated client with that key.
- `things(practice)`: one of everything, in the mirror; ids by the names that addresses have.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.utils import timezone

from labbridge.handover import keys
from labbridge.handover.keys import SCOPES
from labbridge.mirror.models import (
    Chart,
    LabCompany,
    LabTest,
    Order,
    OrderedTest,
    Patient,
    PatientLink,
    Result,
    ResultValue,
    ReviewCase,
    StoredFile,
)
from labbridge.ordering.models import OrderRequest
from labbridge.practices.config import parse
from labbridge.practices.models import Practice
from labbridge.reconcile.models import LedgerEntry
from tests.handover.machine import OPERATOR, AuthenticatedClient, connect
from tests.world import PRACTICE_TOML

PDF = b"%PDF-1.4\nan invented report\n%%EOF\n"


def _practice(slug: str) -> Practice:
    text = PRACTICE_TOML.format(caspio="https://c0abc123.caspio.com", rate=5, refresh_token="t")
    config = parse(text.replace('slug = "willow"', f'slug = "{slug}"')).model_dump(mode="json")
    return Practice.objects.create(slug=slug, name=slug.title(), config=config)


@pytest.fixture
def willow() -> Practice:
    return _practice("willow")


@pytest.fixture
def birch() -> Practice:
    return _practice("birch")


@pytest.fixture
def key() -> Callable[..., str]:
    def make(practice: Practice, *scopes: str, phi: str = "phi", **more: Any) -> str:
        chosen = scopes or [name for name, one in SCOPES.items() if phi == "phi" or not one.phi]
        name = more.pop("name", f"tests {uuid.uuid4().hex[:8]}")
        return keys.make(
            practice, name, chosen, actor=OPERATOR, phi_class=phi, in_house=phi == "phi", **more
        ).secret

    return make


@pytest.fixture(autouse=True)
def _no_memory(request: pytest.FixtureRequest) -> None:
    """Calls without a key that one test made are not counted against the next."""
    if request.node.get_closest_marker("django_db"):
        request.getfixturevalue("db")
        cache.clear()


@pytest.fixture(autouse=True)
def _connections_stay() -> Iterator[None]:
    """As Django's own test client has it: the end of a request does not end the test's transaction."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def api() -> Iterator[Callable[[str], AuthenticatedClient]]:
    made: list[AuthenticatedClient] = []

    def client(text: str) -> AuthenticatedClient:
        made.append(connect(text))
        return made[-1]

    yield client
    for one in made:
        one.get_httpx_client().close()


@pytest.fixture
def things() -> Callable[[Practice], dict[str, Any]]:
    return things_of


def things_of(practice: Practice) -> dict[str, Any]:
    mark = practice.slug
    company = LabCompany.objects.create(practice=practice, external_id=f"lab_{mark}", name="Sample Labs")
    lab_test = LabTest.objects.create(
        practice=practice, external_id=f"test_{mark}", name="DUTCH Complete", price="399.00"
    )
    chart = Chart.objects.create(practice=practice, key=f"P-{mark}", person={"first_name": f"Testa{mark}"})
    patient = Patient.objects.create(
        practice=practice, external_id=f"pat_{mark}", person={"first_name": "Testa"}
    )
    PatientLink.objects.create(
        practice=practice, chart=chart, patient=patient, reasons=["E-mail and birthday agree."]
    )
    order = Order.objects.create(
        practice=practice, external_id=f"ord_{mark}", patient=patient, phase="complete", status="Completed",
        practitioner_name="Ada Sampledoctor", notes_to_patient=f"a note for {mark}", submitted_at=timezone.now(),
        total_price="399.00",
    )  # fmt: skip
    test = OrderedTest.objects.create(
        practice=practice, order=order, external_id=f"ot_{mark}", lab_test_id_external=lab_test.external_id
    )
    pdf = StoredFile(
        practice=practice, sha256=hashlib.sha256(PDF + mark.encode()).hexdigest(), kind="pdf", size=len(PDF),
        content=PDF,
    )  # fmt: skip
    pdf.save()
    result = Result.objects.create(ordered_test=test, version=1, as_of=timezone.now(), pdf=pdf)
    reading = {"text": "5.4", "number": "5.4", "units": "ng/mL", "reference_range": "3-9", "flag": "N"}
    ResultValue.objects.create(result=result, number=1, analyte="Cortisol", reading=reading)
    wanted = OrderRequest.objects.create(
        practice=practice,
        key=f"R-{mark}",
        door="api",
        chart=chart,
        patient_key=chart.key,
        test_ids=["test_x"],
    )
    case = ReviewCase.objects.create(
        practice=practice, chart=chart, patient=patient, candidates=[patient.external_id],
        reasons=[{"words": "The birthdays differ.", "weight": 0, "field": "rule"}],
        actions=["ask_patient", "not_the_same"], ways_out=[],
    )  # fmt: skip
    today = timezone.now().date()
    body = {
        "date": str(today), "practice": mark, "listed": 1, "held": 1, "filed": 1, "in_review": 0,
        "rejected": 0, "repaired": 0, "difference": 0,
    }  # fmt: skip
    ledger = LedgerEntry.objects.create(
        practice=practice, seq=1, chain=f"ledger:{mark}", date=today, previous="0" * 64, body=body,
        digest="1" * 64, key="2" * 16, signature="3" * 100,
    )  # fmt: skip
    return {
        "lab_company_id": company.pk, "lab_test_id": lab_test.pk, "patient_id": chart.pk, "order_id": order.pk,
        "ordered_test_id": test.pk, "result_id": result.pk, "request_id": wanted.pk, "case_id": case.pk,
        "seq": ledger.seq, "alert_id": _alert(practice).pk,
    }  # fmt: skip


def _alert(practice: Practice) -> Any:
    from labbridge.alerts.models import Alert

    now = timezone.now()
    return Alert.objects.create(
        practice=practice, rule="peer_silent", params={"peer": "rupa", "since": now.isoformat(), "gap": 3600},
        first_seen=now, last_seen=now,
    )  # fmt: skip


@pytest.fixture
def connector() -> Iterator[Any]:
    """A universal HTTP connector that receives letters: `.arrived`, `.effects`, `.answer`."""
    from tests.handover.receiver import Connector

    one = Connector()
    yield one
    one.close()
