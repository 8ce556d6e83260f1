"""One order intent per request, whatever happens on the way."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from labbridge.catalog.sync import pull_catalog
from labbridge.handlers.charts import read_charts
from labbridge.mirror.models import Chart, LabTest
from labbridge.ordering.choice import CannotOrder
from labbridge.ordering.models import Door, OrderRequest, RequestState
from labbridge.ordering.start import start
from labbridge.peers.errors import PeerError
from labbridge.practices.clients import caspio
from labbridge.practices.models import Practice

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def chart(practice: Practice, add_patient: Any, run_jobs: Any) -> Chart:
    practice.config["sync"]["patients"] = "full"
    practice.save()
    add_patient(1)
    with caspio(practice, "test") as client:
        read_charts(practice, client)
    run_jobs()
    pull_catalog(practice)
    return Chart.objects.get(key="P-1")


def request_for(chart: Chart, *names: str, **more: Any) -> OrderRequest:
    tests = [LabTest.objects.get(practice=chart.practice, name=name).external_id for name in names]
    values = {
        "practice": chart.practice,
        "key": "R-1",
        "door": Door.BUTTON,
        "chart": chart,
        "test_ids": tests,
    }
    return OrderRequest.objects.create(**{**values, **more})


def intents(rupa_sim: Any) -> list[dict[str, Any]]:
    return list(rupa_sim.call("GET", "/_sim/state")["order_intents"])


def test_a_request_gets_a_checkout_address(chart: Chart, rupa_sim: Any) -> None:
    ready = start(request_for(chart, "DUTCH Complete"))
    assert ready.state == RequestState.READY
    assert ready.checkout_url is not None
    assert "/checkout/" in ready.checkout_url
    (made,) = intents(rupa_sim)
    assert made["metadata"]["labbridge_request"] == "R-1"
    assert "P-1" not in str(made["return_url"])
    assert start(ready).intent_id == made["id"], "asked again it is the same"
    assert len(intents(rupa_sim)) == 1


@pytest.mark.parametrize("kind", ["error_after", "reset_after"])
def test_a_lost_answer_makes_no_second_intent(kind: str, chart: Chart, rupa_sim: Any) -> None:
    request = request_for(chart, "DUTCH Complete")
    rupa_sim.fault(kind, match={"method": "POST", "path": "order"}, times=1)
    with pytest.raises(PeerError):
        start(request)
    assert len(intents(rupa_sim)) == 1
    ready = start(request)
    assert ready.intent_id == intents(rupa_sim)[0]["id"]
    assert len(intents(rupa_sim)) == 1


def test_a_failure_before_the_peer_acted_is_tried_again(chart: Chart, rupa_sim: Any) -> None:
    request = request_for(chart, "DUTCH Complete")
    rupa_sim.fault("error_before", match={"method": "POST", "path": "order"}, times=1)
    with pytest.raises(PeerError):
        start(request)
    start(request)
    assert len(intents(rupa_sim)) == 1


def test_two_clicks_at_once_make_one_intent(chart: Chart, rupa_sim: Any) -> None:
    request = request_for(chart, "DUTCH Complete")

    def click(_number: int) -> str:
        try:
            return start(OrderRequest.objects.get(pk=request.pk)).intent_id
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(click, range(4)))
    assert len(found) == 1
    assert len(intents(rupa_sim)) == 1


def test_an_unused_intent_that_is_too_old_is_replaced(chart: Chart, rupa_sim: Any) -> None:
    first = start(request_for(chart, "DUTCH Complete"))
    OrderRequest.objects.update(intent_at=timezone.now() - timedelta(days=4))
    second = start(first)
    assert (second.attempts, len(intents(rupa_sim))) == (2, 2)
    assert len({one["id"] for one in intents(rupa_sim)}) == 2


@pytest.mark.parametrize(
    ("change", "word"),
    [({"retired": True}, "no longer"), ({"available": False, "unavailable_reason": "recall"}, "recall")],
)
def test_what_cannot_be_ordered_is_said(
    change: dict[str, Any], word: str, chart: Chart, rupa_sim: Any
) -> None:
    request = request_for(chart, "DUTCH Complete")
    LabTest.objects.filter(name="DUTCH Complete").update(**change)
    with pytest.raises(CannotOrder, match=word):
        start(request)
    assert intents(rupa_sim) == []


def test_an_add_on_needs_its_parent(chart: Chart) -> None:
    addon = LabTest.objects.filter(is_addon=True, available=True).exclude(parent_id_external="").first()
    assert addon is not None
    request = request_for(chart, test_ids=[addon.external_id])
    with pytest.raises(CannotOrder, match="add-on"):
        start(request)


def test_a_patient_who_is_gone_cannot_be_ordered_for(chart: Chart) -> None:
    request = request_for(chart, "DUTCH Complete")
    Chart.objects.update(present=False)
    with pytest.raises(CannotOrder, match="no such patient"):
        start(request)
