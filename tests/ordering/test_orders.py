"""Orders that came from requests: recognised though nobody comes back, also by an earlier checkout."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from labbridge.handlers.intents import expire, look_after
from labbridge.handlers.order_requests import Asker, Edited, again, ask, contents, take
from labbridge.mirror.models import Chart, Order, Patient, PatientLink
from labbridge.ordering.models import Door, OrderRequest, RequestState
from labbridge.reconcile.orders import pull_orders

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ready(chart: Chart, test_id: Any) -> OrderRequest:
    wanted = contents("P-1", test_ids=[test_id("DUTCH Complete")])
    request = ask(chart.practice, "R-1", wanted, Asker(Door.API))
    assert request.state == RequestState.READY
    return request


def fresh(request: OrderRequest) -> OrderRequest:
    request.refresh_from_db()
    return request


def test_a_sweep_finds_what_no_event_told(
    ready: OrderRequest, check_out: Any, submit: Any, run_jobs: Any, caspio_sim: Any
) -> None:
    order = check_out(ready.intent_id)
    submit(order)
    pull_orders(ready.practice)
    run_jobs()
    assert (fresh(ready).state, ready.order_external_id) == (RequestState.ORDERED, order)
    (filed,) = caspio_sim.tables()["Lab_Orders"]
    assert (filed["Request_ID"], filed["Order_Source"]) == ("R-1", "caspio")


def test_without_metadata_the_intent_tells(
    ready: OrderRequest, check_out: Any, submit: Any, deliver: Any, rupa_sim: Any
) -> None:
    """Where the metadata stands in an event is not documented (rupa-api.md 7); perhaps it is nowhere."""
    order = check_out(ready.intent_id)
    submit(order)
    for body in rupa_sim.events():
        event = json.loads(body)
        event["data"]["object"]["attributes"].pop("metadata", None)
        assert "labbridge_mark" not in json.dumps(event)
        assert deliver(event).status_code == 200
    from labbridge.engine.worker import run_until_idle

    run_until_idle()
    assert (fresh(ready).state, ready.order_external_id) == (RequestState.ORDERED, order)
    assert Order.objects.get().request_id == "R-1"


def test_an_order_with_a_foreign_mark_is_not_ours(
    ready: OrderRequest, rupa_sim: Any, deliver_all: Any, run_jobs: Any
) -> None:
    patient = Patient.objects.get(link__chart=ready.chart).external_id
    rupa_sim.order(patient, metadata={"labbridge_mark": "0197-not-a-mark"})
    theirs = rupa_sim.order(patient, metadata={"ehr_request": "req_41"})
    deliver_all()
    run_jobs()
    assert (fresh(ready).state, ready.order_external_id) == (RequestState.READY, "")
    assert set(Order.objects.values_list("source", flat=True)) == {"rupa"}, (
        "what nobody has told is not guessed"
    )
    ready.practice.config["ordering"] = {"ehr": {"oakchart": "ehr_request"}}
    ready.practice.save()
    deliver_all()
    pull_orders(ready.practice)
    run_jobs()
    assert Order.objects.get(external_id=theirs).source == "ehr:oakchart"


def test_canceled_before_and_after_it_was_submitted(
    chart: Chart, test_id: Any, check_out: Any, submit: Any, deliver_all: Any, run_jobs: Any
) -> None:
    wanted = contents("P-1", test_ids=[test_id("DUTCH Complete")])
    draft = ask(chart.practice, "R-1", wanted, Asker(Door.API))
    submit(check_out(draft.intent_id), "cancel")
    sent = ask(chart.practice, "R-2", wanted, Asker(Door.API))
    order = check_out(sent.intent_id)
    submit(order)
    submit(order, "cancel")
    deliver_all()
    run_jobs()
    assert (fresh(draft).state, draft.checkout) == (RequestState.EXPIRED, "")
    assert "Ask again" in draft.message
    assert (fresh(sent).state, sent.message) == (RequestState.ORDERED, "The order was canceled at Rupa.")
    renewed = again(draft)
    assert (renewed.state, renewed.order_external_id) == (RequestState.READY, "")
    deliver_all()
    run_jobs()
    assert fresh(renewed).state == RequestState.READY, (
        "the canceled draft does not take the new checkout away"
    )


def test_an_expired_checkout_that_was_used_after_all(
    ready: OrderRequest, check_out: Any, submit: Any, run_jobs: Any, deliver_all: Any
) -> None:
    old = timezone.now() - timedelta(days=4)
    OrderRequest.objects.update(intent_at=old)
    order = check_out(ready.intent_id)
    expire(str(ready.pk))
    assert (fresh(ready).state, ready.order_external_id) == (RequestState.READY, order), (
        "it was begun: not unused"
    )
    submit(order)
    deliver_all()
    run_jobs()
    assert fresh(ready).state == RequestState.ORDERED


def test_an_order_by_the_checkout_that_was_replaced(
    ready: OrderRequest, check_out: Any, submit: Any, run_jobs: Any, deliver_all: Any, intents: Any
) -> None:
    """It is taken for the request's order; a second one is told, and told no more once it is canceled."""
    first = ready.intent_id
    OrderRequest.objects.update(intent_at=timezone.now() - timedelta(days=4))
    expire(str(ready.pk))
    assert fresh(ready).state == RequestState.EXPIRED
    second = again(ready)
    assert second.intent_id != first

    by_first = check_out(first)
    deliver_all()
    run_jobs()
    assert (fresh(second).state, second.order_external_id) == (RequestState.READY, ""), "begun is not ordered"
    submit(by_first)
    deliver_all()
    run_jobs()
    assert (fresh(second).state, second.order_external_id) == (RequestState.ORDERED, by_first)
    assert "earlier checkout" in second.message
    assert second.checkout == "", "the newer checkout is put away"

    by_second = check_out(second.intent_id)
    submit(by_second)
    deliver_all()
    run_jobs()
    assert (fresh(second).order_external_id, second.other_order_id) == (by_first, by_second)
    assert f"Two orders came from this request: {by_first} and {by_second}" in second.message
    assert {order.request_id for order in Order.objects.all()} == {"R-1"}

    submit(by_second, "cancel")
    deliver_all()
    run_jobs()
    assert (fresh(second).other_order_id, second.state) == ("", RequestState.ORDERED)
    assert "Two orders" not in second.message
    assert len(intents()) == 2


def test_the_order_is_quicker_than_rupas_answer(
    chart: Chart,
    test_id: Any,
    rupa_sim: Any,
    intents: Any,
    check_out: Any,
    submit: Any,
    deliver_all: Any,
    run_jobs: Any,
) -> None:
    rupa_sim.fault("error_after", match={"method": "POST", "path": "order"}, times=1)
    wanted = contents("P-1", test_ids=[test_id("DUTCH Complete")])
    request = ask(chart.practice, "R-1", wanted, Asker(Door.API))
    assert request.state == RequestState.RECEIVED
    order = check_out(intents()[0]["id"])
    submit(order)
    deliver_all()
    run_jobs(waiting=True)
    assert (fresh(request).state, request.order_external_id) == (RequestState.ORDERED, order)
    assert len(intents()) == 1


def test_a_link_that_is_undone_takes_its_checkouts_away(ready: OrderRequest) -> None:
    look_after()
    assert fresh(ready).checkout
    PatientLink.objects.all().delete()
    look_after()
    assert (fresh(ready).state, ready.checkout) == (RequestState.RECEIVED, "")
    assert "decided anew" in ready.message


def test_a_request_whose_process_died_goes_on_by_itself(
    chart: Chart, test_id: Any, run_jobs: Any, intents: Any
) -> None:
    wanted = contents("P-1", test_ids=[test_id("DUTCH Complete")])
    request = take(chart.practice, "R-1", wanted, Asker(Door.BUTTON))
    look_after()
    run_jobs()
    assert intents() == [], "perhaps its process is still at it"
    OrderRequest.objects.update(created_at=timezone.now() - timedelta(minutes=5))
    look_after()
    run_jobs()
    assert fresh(request).state == RequestState.READY
    assert len(intents()) == 1


def test_the_machines_door_is_idempotent_by_key(
    chart: Chart, test_id: Any, intents: Any, add_patient: Any
) -> None:
    add_patient(2)
    dutch = test_id("DUTCH Complete")
    wanted = contents("P-1", test_ids=[dutch], practitioner_email="ada@willow.example")
    first = ask(chart.practice, "key-1", wanted, Asker(Door.API, "keragon"))
    same = ask(chart.practice, "key-1", wanted, Asker(Door.API, "keragon"))
    assert (first.pk, first.checkout) == (same.pk, same.checkout)
    for other in (
        contents("P-2", test_ids=[dutch]),
        contents("P-1", test_ids=[dutch, test_id("OmegaCheck")]),
    ):
        with pytest.raises(Edited):
            ask(chart.practice, "key-1", other, Asker(Door.API))
    with pytest.raises(Edited):
        ask(chart.practice, "key-1", wanted, Asker(Door.BUTTON))
    assert len(intents()) == 1
