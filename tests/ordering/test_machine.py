"""The third door and patient sync, through the machine API with its generated client, against the simulators."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from labbridge.handlers.erasure import erase
from labbridge.handlers.intents import read_intent
from labbridge.handover import keys
from labbridge.mirror.models import Chart
from labbridge.mirror.pseudonyms import sides_named
from labbridge.ordering.models import OrderRequest
from labbridge.trust.models import AuditEntry
from tests.handover.machine import OPERATOR, connect

# isort: split
from labbridge_client.api.order_requests import create_order_request, get_order_request
from labbridge_client.api.patients import get_patient, look_up_patient, sync_patient
from labbridge_client.models.order_wish import OrderWish
from labbridge_client.models.patient_question import PatientQuestion

pytestmark = pytest.mark.django_db(transaction=True)

KEY = "one-thing-to-do"


@pytest.fixture
def machine(chart: Chart) -> Iterator[Any]:
    scopes = ["orders:place", "patients:read", "patients:sync"]
    made = keys.make(chart.practice, "emr bridge", scopes, actor=OPERATOR, phi_class="phi", in_house=True)
    with connect(made.secret) as client:
        yield client


def test_labs_are_asked_for_once(machine: Any, test_id: Any, intents: Any):
    wish = OrderWish(patient_key="P-1", test_ids=[test_id("DUTCH Complete")])
    first = create_order_request.sync_detailed(client=machine, body=wish, idempotency_key=KEY)
    assert (first.status_code, first.parsed.state) == (201, "ready")
    assert first.parsed.checkout_url
    again = create_order_request.sync_detailed(client=machine, body=wish, idempotency_key=KEY)
    assert again.content == first.content
    other = OrderWish(patient_key="P-1", test_ids=[test_id("OmegaCheck")])
    refused = create_order_request.sync_detailed(client=machine, body=other, idempotency_key=KEY)
    assert (refused.status_code, refused.parsed.code) == (422, "key_reused")
    assert len(intents()) == 1
    shown = get_order_request.sync(first.parsed.id, client=machine)
    assert (shown.state, shown.checkout_url) == ("ready", first.parsed.checkout_url)
    (entry,) = AuditEntry.objects.filter(action="order.request")
    assert (entry.actor_kind, entry.actor_name, entry.detail["door"]) == ("key", "emr bridge", "api")


def test_a_repeat_is_named_for_programs_too(
    machine: Any, test_id: Any, check_out: Any, submit: Any, intents: Any, run_jobs: Any
):
    dutch = test_id("DUTCH Complete")
    wish = OrderWish(patient_key="P-1", test_ids=[dutch, test_id("OmegaCheck")])
    first = create_order_request.sync(client=machine, body=wish, idempotency_key=KEY)
    assert first.open_already == []
    waiting = create_order_request.sync(client=machine, body=wish, idempotency_key=KEY + "2")
    assert [(one.test_id, one.rupa_order_id) for one in waiting.open_already] == [
        (wish.test_ids[0], None), (wish.test_ids[1], None),
    ]  # fmt: skip
    assert "another checkout" in waiting.message
    order = check_out(intents()[0]["id"])
    submit(order)
    request = OrderRequest.objects.get(pk=first.id)
    read_intent(request)
    run_jobs()
    alone = OrderWish(patient_key="P-1", test_ids=[dutch])
    repeat = create_order_request.sync(client=machine, body=alone, idempotency_key=KEY + "3")
    assert [(one.test_id, one.rupa_order_id, one.order_source) for one in repeat.open_already] == [
        (dutch, order, "caspio")
    ]
    assert get_order_request.sync(repeat.id, client=machine).open_already == repeat.open_already


def test_a_wish_that_cannot_be_granted_says_what_to_mend(machine: Any, intents: Any):
    wish = OrderWish(patient_key="P-99", test_ids=["test_x"])
    said = create_order_request.sync(client=machine, body=wish, idempotency_key=KEY)
    assert said.state == "failed"
    assert "no patient with this key" in said.message
    assert intents() == []


def test_while_rupa_is_away_the_request_is_kept(machine: Any, test_id: Any, rupa_sim: Any, run_jobs: Any):
    wish = OrderWish(patient_key="P-1", test_ids=[test_id("DUTCH Complete")])
    rupa_sim.fault("unavailable")
    said = create_order_request.sync(client=machine, body=wish, idempotency_key=KEY)
    assert (said.state, said.waits_for) == ("received", "peer")
    rupa_sim.heal()
    run_jobs(waiting=True)
    assert get_order_request.sync(said.id, client=machine).state == "ready"


def test_an_erased_patients_answer_is_gone(machine: Any, test_id: Any, chart: Chart):
    wish = OrderWish(patient_key="P-1", test_ids=[test_id("DUTCH Complete")])
    assert (
        create_order_request.sync_detailed(client=machine, body=wish, idempotency_key=KEY).status_code == 201
    )
    erase(chart.practice, sides_named("P-1", "willow"), actor=OPERATOR, why="asked for by the patient")
    again = create_order_request.sync_detailed(client=machine, body=wish, idempotency_key=KEY)
    assert (again.status_code, again.parsed.code) == (410, "removed")
    assert OrderRequest.objects.count() == 1


def test_a_patient_is_brought_to_rupa_now(
    machine: Any, practice: Any, caspio_sim: Any, add_patient: Any, run_jobs: Any
):
    found = look_up_patient.sync(client=machine, body=PatientQuestion(patient_key="P-1"))
    assert found.linked is True
    started = sync_patient.sync_detailed(found.id, client=machine, idempotency_key=KEY)
    assert (started.status_code, started.parsed.queued) == (202, True)
    run_jobs()
    assert get_patient.sync(found.id, client=machine).sync_status in {"linked", "created"}
    assert AuditEntry.objects.get(action="sync.run", actor_kind="key").actor_name == "emr bridge"
