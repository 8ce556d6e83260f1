"""One order intent per request, whatever happens on the way."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from labbridge.mirror.models import Chart, LabTest, Patient, PatientLink
from labbridge.ordering.choice import CannotOrder
from labbridge.ordering.models import Door, FormerIntent, OrderRequest, RequestState
from labbridge.ordering.start import MustWait, connection_of, start
from labbridge.peers.errors import OutcomeUnknown, PeerError
from labbridge.peers.rupa.client import Rupa

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_request_gets_a_checkout_address(request_for: Any, intents: Any) -> None:
    ready = start(request_for())
    assert ready.state == RequestState.READY
    assert "/checkout/" in ready.checkout
    (made,) = intents()
    assert made["metadata"]["labbridge_request"] == "R-1"
    assert made["metadata"]["labbridge_mark"] == str(ready.mark)
    assert "P-1" not in str(made["return_url"])
    assert start(ready).intent_id == made["id"], "asked again it is the same"
    assert len(intents()) == 1


@pytest.mark.parametrize("kind", ["error_after", "reset_after"])
def test_a_lost_answer_makes_no_second_intent(
    kind: str, request_for: Any, intents: Any, rupa_sim: Any
) -> None:
    request = request_for()
    rupa_sim.fault(kind, match={"method": "POST", "path": "order"}, times=1)
    with pytest.raises(PeerError):
        start(request)
    assert len(intents()) == 1
    ready = start(request)
    assert ready.intent_id == intents()[0]["id"]
    assert len(intents()) == 1


def test_an_answer_that_never_comes(
    request_for: Any, intents: Any, rupa_sim: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience = {**(Rupa.__init__.__kwdefaults__ or {}), "timeout": 1.0}
    monkeypatch.setattr(Rupa.__init__, "__kwdefaults__", patience)  # a test need not wait for half a minute
    request = request_for()
    rupa_sim.fault("hang_after", match={"method": "POST", "path": "order"}, times=1, seconds=3)
    with pytest.raises(OutcomeUnknown):
        start(request)
    for _ in range(20):  # the simulator is slow to make it: our listing may miss it at first
        try:
            ready = start(request)
        except OutcomeUnknown:
            time.sleep(0.5)
            continue
        break
    (made,) = intents()
    assert ready.intent_id == made["id"]


def test_a_failure_that_was_answered_is_tried_again_at_once(
    request_for: Any, intents: Any, rupa_sim: Any
) -> None:
    request = request_for()
    rupa_sim.fault("error_before", match={"method": "POST", "path": "order"}, times=1)
    with pytest.raises(PeerError):
        start(request)
    start(request)
    assert len(intents()) == 1


def test_after_a_broken_connection_nothing_is_asked_before_the_doubt_is_over(
    request_for: Any, intents: Any, rupa_sim: Any
) -> None:
    """The creation may still be under way at Rupa when our listing does not show it yet."""
    request = request_for()
    rupa_sim.fault("reset_before", match={"method": "POST", "path": "order"}, times=1)
    with pytest.raises(PeerError):
        start(request)
    with pytest.raises(OutcomeUnknown) as doubt:
        start(request)
    assert 0 < (doubt.value.retry_after or 0) <= 60
    assert intents() == []
    OrderRequest.objects.update(in_doubt_until=timezone.now())
    start(request)
    assert len(intents()) == 1


def test_two_clicks_at_once_make_one_intent(request_for: Any, intents: Any) -> None:
    request = request_for()

    def click(_number: int) -> str:
        try:
            return start(OrderRequest.objects.get(pk=request.pk)).intent_id
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(click, range(4)))
    assert len(found) == 1
    assert len(intents()) == 1


CLICK = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "labbridge.settings"
import django
django.setup()
from labbridge.ordering.models import OrderRequest
from labbridge.ordering.start import start
request = OrderRequest.objects.get(pk=sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
print(start(request).intent_id)
"""


def test_two_processes_at_once_make_one_intent(request_for: Any, intents: Any, rupa_sim: Any) -> None:
    request = request_for()
    known = connection.get_connection_params()
    database = f"postgresql://{known['user']}@/{known['dbname']}?host={known['host']}"
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("LABBRIDGE_", "DJANGO_"))}
    keys = base64.b64encode(b"a key for tests and nothing else").decode()
    env = {
        **clean, "LABBRIDGE_DATABASE_URL": database, "LABBRIDGE_ENCRYPTION_KEYS": keys,
        "LABBRIDGE_DATA_DIR": str(settings.DEPLOYMENT.data_dir), "LABBRIDGE_ALLOW_HTTP_PEERS": "1",
        "LABBRIDGE_PUBLIC_URL": "http://127.0.0.1:8000", "LABBRIDGE_RUPA_API_URL": rupa_sim.url,
        "LABBRIDGE_RUPA_AUTHORIZE_URL": f"{rupa_sim.url}/oauth/authorize",
        "LABBRIDGE_RUPA_TOKEN_URL": f"{rupa_sim.url}/oauth/token", "LABBRIDGE_RUPA_CLIENT_ID": "app_tests",
        "LABBRIDGE_RUPA_CLIENT_SECRET": "secret of the tests",
    }  # fmt: skip
    command = [sys.executable, "-c", CLICK, str(request.pk)]
    root = Path(__file__).parents[2]
    clicks = [
        subprocess.Popen(
            command,
            env=env,
            cwd=root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for one in clicks:
        assert one.stdout
        assert one.stdout.readline() == "ready\n", one.communicate(timeout=60)[1]
    for one in clicks:
        assert one.stdin
        one.stdin.write("now\n")
        one.stdin.flush()
    said = [one.communicate(timeout=120) for one in clicks]
    assert len({out for out, _ in said}) == 1, said
    (made,) = intents()
    assert said[0][0].strip() == made["id"]


def test_an_unused_intent_that_is_too_old_is_replaced_visibly(request_for: Any, intents: Any) -> None:
    first = start(request_for())
    OrderRequest.objects.update(intent_at=timezone.now() - timedelta(days=4))
    second = start(first)
    assert (second.attempts, len(intents())) == (2, 2)
    assert "replaced" in second.message
    assert {one["metadata"]["labbridge_mark"] for one in intents()} == {
        str(second.mark), str(FormerIntent.objects.get().mark),
    }  # fmt: skip


def test_a_checkout_for_somebody_else_is_never_handed_out(
    request_for: Any, intents: Any, rupa_sim: Any, chart: Chart
) -> None:
    """The match was undone and made anew: between two tries, and while an answer was lost."""
    ready = start(request_for())
    other = Patient.objects.create(practice=chart.practice, external_id=rupa_sim.patient(2)["id"])
    PatientLink.objects.update(patient=other)
    again = start(ready)
    assert (len(intents()), again.rupa_patient_id) == (2, other.external_id)

    lost = request_for(key="R-2")
    rupa_sim.fault("error_after", match={"method": "POST", "path": "order"}, times=1)
    with pytest.raises(PeerError):
        start(lost)
    PatientLink.objects.all().delete()
    with pytest.raises(MustWait):
        start(lost)
    lost.refresh_from_db()
    assert lost.checkout == ""
    assert FormerIntent.objects.filter(request=lost).exists()


@pytest.mark.parametrize(
    ("change", "word"),
    [({"retired": True}, "no longer"), ({"available": False, "unavailable_reason": "recall"}, "recall")],
)
def test_what_cannot_be_ordered_is_said(
    change: dict[str, Any], word: str, request_for: Any, intents: Any
) -> None:
    request = request_for()
    LabTest.objects.filter(name="DUTCH Complete").update(**change)
    with pytest.raises(CannotOrder, match=word):
        start(request)
    assert intents() == []


def test_an_add_on_needs_its_parent(request_for: Any) -> None:
    request = request_for()
    addon = LabTest.objects.filter(is_addon=True, available=True).exclude(parent_id_external="").first()
    assert addon is not None
    OrderRequest.objects.update(chosen_ids=[addon.external_id])
    with pytest.raises(CannotOrder, match="add-on"):
        start(request)
    OrderRequest.objects.update(chosen_ids=[addon.external_id, addon.parent_id_external])
    assert start(request).state == RequestState.READY


def test_a_patient_who_is_gone_cannot_be_ordered_for(request_for: Any) -> None:
    request = request_for()
    Chart.objects.update(present=False)
    with pytest.raises(CannotOrder, match="no such patient"):
        start(request)


def test_who_orders(full: Any) -> None:
    """Who was named orders, and nobody in their place; a signed-in person may order with the only connection."""
    assert connection_of(full, "ADA@willow.example ", named=True).account == "ada@willow.example"
    assert connection_of(full, "desk@willow.example").account == "ada@willow.example"
    with pytest.raises(MustWait, match="No practitioner with this e-mail"):
        connection_of(full, "bruno@willow.example", named=True)


def test_an_address_that_no_browser_should_follow_is_refused(request_for: Any, rupa_sim: Any) -> None:
    rupa_sim.options(app_url="javascript:alert(1)")
    with pytest.raises(CannotOrder, match="no checkout address"):
        start(request_for(door=Door.TABLE))
