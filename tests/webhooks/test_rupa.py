"""`POST /webhooks/rupa`: every answer of design.md 6.4, what is stored, and what never is."""

from __future__ import annotations

import json
import logging
import time
from typing import Any

import pytest
from django.db import DataError, InterfaceError, OperationalError, connection
from prometheus_client import REGISTRY

from labbridge.database import DatabaseProblem
from labbridge.inbox.models import Event, EventState
from labbridge.settings import MAX_WEBHOOK_BYTES
from labbridge.webhooks import views
from tests.conftest import SIGNING_SECRET, signature

pytestmark = pytest.mark.django_db(transaction=True)

BODY: dict[str, Any] = {
    "id": "evt_1",
    "type": "order.updated",
    "created_at": "2026-05-01T10:00:00Z",
    "data": {"object": {"type": "order", "id": "ord_1", "attributes": {}}, "included": []},
}


def raw(**changed: Any) -> bytes:
    return json.dumps({**BODY, **changed}).encode()


def jobs() -> list[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT lock, args->>'event_id' FROM procrastinate_jobs WHERE task_name = 'handle_event'"
        )
        return [(lock, event_id) for lock, event_id in cursor.fetchall()]


def counted(outcome: str) -> float:
    labels = {"peer": "rupa", "outcome": outcome}
    return REGISTRY.get_sample_value("labbridge_deliveries_total", labels) or 0.0


@pytest.fixture
def refused(deliver, capfd):
    """Deliver what must be refused: the status, nothing stored, counted once, logged without its words."""

    def check(status: int, reason: str, body: bytes, **headers: Any) -> None:
        before = counted(reason)
        answer = deliver(body, **headers)
        assert answer.status_code == status
        assert answer.content == b""
        assert not Event.objects.exists()
        assert jobs() == []
        assert counted(reason) == before + 1
        out, err = capfd.readouterr()
        line = next(json.loads(one) for one in out.splitlines() if "webhooks." in one)
        assert (line["reason"], line["status"]) == (reason, status)
        assert "PLANTED" not in out + err

    return check


# -- accepted --------------------------------------------------------------------------------------------


def test_a_signed_event_is_kept_with_its_job(deliver):
    assert deliver(BODY).status_code == 200
    event = Event.objects.get()
    assert (event.peer, event.external_id, event.type, event.subject) == (
        "rupa",
        "evt_1",
        "order.updated",
        "order:ord_1",
    )
    assert event.body == json.dumps(BODY).encode()
    assert event.occurred_at.isoformat() == "2026-05-01T10:00:00+00:00"
    assert (event.state, event.deliveries, event.practice) == (EventState.RECEIVED, 1, None)
    assert jobs() == [("rupa:order:ord_1", str(event.pk))]


def test_a_repeated_delivery_is_answered_the_same_and_only_counted(deliver):
    before = counted("recorded"), counted("repeated")
    assert [deliver(BODY).status_code for _ in range(3)] == [200, 200, 200]
    assert Event.objects.get().deliveries == 3
    assert len(jobs()) == 1
    assert (counted("recorded"), counted("repeated")) == (before[0] + 1, before[1] + 2)


def test_an_unknown_type_is_kept_and_answered_200(deliver, run_jobs):
    assert deliver(raw(type="moon.rose", data={"object": {"type": "moon", "id": "m1"}})).status_code == 200
    run_jobs()
    event = Event.objects.get()
    assert (event.type, event.state) == ("moon.rose", EventState.HANDLED)
    assert "moon.rose" in event.reason


def test_an_event_without_an_id_is_known_by_its_bytes(deliver):
    body = raw(id=None)
    assert [deliver(body).status_code, deliver(body).status_code] == [200, 200]
    assert deliver(raw(id=None, created_at="2026-05-02T10:00:00Z")).status_code == 200
    assert sorted(Event.objects.values_list("deliveries", flat=True)) == [1, 2]
    assert all(event.external_id.startswith("sha256:") for event in Event.objects.all())


@pytest.mark.parametrize("rotating", [["whsec_new", SIGNING_SECRET], [SIGNING_SECRET, "whsec_new"]])
def test_while_a_secret_rotates_both_are_good(deliver, deployment, rotating):
    deployment(rupa_webhook_signing_secret=rotating)
    assert deliver(BODY).status_code == 200
    body = raw(id="evt_2")
    assert deliver(body, **{"Rupa-Signature": signature(body, "whsec_new")}).status_code == 200


def test_one_header_may_carry_a_signature_for_each_secret(deliver):
    body = raw()
    both = signature(body, "whsec_other") + "," + signature(body).split(",")[1]
    assert deliver(body, **{"Rupa-Signature": both}).status_code == 200


def test_exactly_the_largest_size_is_taken(deliver):
    filler = MAX_WEBHOOK_BYTES - len(raw(pad=""))
    body = raw(pad="x" * filler)
    assert len(body) == MAX_WEBHOOK_BYTES
    assert deliver(body).status_code == 200


# -- refused ---------------------------------------------------------------------------------------------


def test_without_a_signature(refused):
    refused(401, "signature_missing", raw(note="PLANTED"), **{"Rupa-Signature": ""})


@pytest.mark.parametrize("header", ["PLANTED", "t=1", "v1=00", "t=x,v1=00", "t=1,t=2,v1=00", "é"])
def test_with_a_malformed_signature(refused, header):
    refused(401, "signature_malformed", raw(), **{"Rupa-Signature": header})


def test_with_a_signature_by_somebody_else(refused):
    body = raw()
    refused(401, "signature_mismatch", body, **{"Rupa-Signature": signature(body, "whsec_other")})


def test_with_a_signature_of_another_body(refused):
    refused(401, "signature_mismatch", raw(note="PLANTED"), **{"Rupa-Signature": signature(raw())})


@pytest.mark.parametrize("age", [-301, 301, 86_400])
def test_with_a_stale_signature_or_one_from_the_future(refused, age):
    body = raw()
    refused(401, "signature_stale", body, **{"Rupa-Signature": signature(body, at=time.time() - age)})


@pytest.mark.parametrize("secrets", [[], [""]])
def test_with_no_secret_known_nothing_is_open(refused, deployment, secrets):
    deployment(rupa_webhook_signing_secret=secrets)
    body = raw()
    refused(401, "signature_mismatch", body, **{"Rupa-Signature": signature(body, "")})


@pytest.mark.parametrize("body", [b"", b"PLANTED", b"[]", b'"PLANTED"', b"\xff\xfe", b"[" * 100_000, b"nan"])
def test_signed_but_unreadable(refused, body):
    refused(400, "unreadable", body)


def test_too_large_by_its_header_before_anything_is_read(refused, client):
    before = counted("too_large")
    answer = client.generic("POST", "/webhooks/rupa", b"{}", CONTENT_LENGTH=str(MAX_WEBHOOK_BYTES + 1))
    assert answer.status_code == 413
    assert counted("too_large") == before + 1


def test_too_large_by_its_body_before_its_signature_is_looked_at(refused):
    refused(413, "too_large", b"x" * (MAX_WEBHOOK_BYTES + 1), **{"Rupa-Signature": ""})


def test_a_length_that_is_no_number(client):
    answer = client.generic("POST", "/webhooks/rupa", b"{}", CONTENT_LENGTH="many")
    assert answer.status_code == 400


@pytest.mark.parametrize("method", ["get", "put", "delete", "options"])
def test_other_methods_are_not_for_this_address(client, method):
    assert getattr(client, method)("/webhooks/rupa").status_code == 405


# -- storing ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [OperationalError("PLANTED"), InterfaceError("PLANTED"), DataError("PLANTED"), DatabaseProblem("No.")],
)
def test_503_only_when_it_could_not_be_stored(deliver, monkeypatch, capfd, error):
    def fail(*_: object, **__: object) -> None:
        raise error

    before = counted("not_stored")
    with monkeypatch.context() as patch:
        patch.setattr(views, "record", fail)
        assert deliver(BODY).status_code == 503
    assert counted("not_stored") == before + 1
    assert not Event.objects.exists()
    out, err = capfd.readouterr()
    assert "webhooks.not_stored" in out
    assert "PLANTED" not in out + err
    assert deliver(BODY).status_code == 200


def test_event_and_job_are_both_kept_or_neither(deliver):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE procrastinate_jobs RENAME TO away")
    try:
        assert deliver(BODY).status_code == 503
        assert not Event.objects.exists()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO procrastinate_jobs")
    assert deliver(BODY).status_code == 200
    assert len(jobs()) == Event.objects.count() == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"type": "order.\0updated"},
        {"id": "evt\0"},
        {"id": "e" * 5000},
        {"type": "t" * 5000},
        {"data": {"object": {"type": "order\0", "id": "ord\0"}}},
        {"data": {"object": {"type": "order", "id": "o" * 5000}}},
        {"type": "\ud800"},
    ],
)
def test_odd_words_of_a_peer_do_not_make_it_send_for_ever(deliver, changed):
    assert deliver(raw(**changed)).status_code in {200, 400}


# -- routing ---------------------------------------------------------------------------------------------


def test_an_order_of_nobody_is_quarantined_and_replayed_once_the_practice_exists(
    deliver_all, run_jobs, rupa_sim, add_patient, request, caspio_sim
):
    patient = add_patient(1)
    order = rupa_sim.order(patient["id"])
    deliver_all()
    run_jobs()
    states = Event.objects.filter(type="order.updated").values_list("state", flat=True)
    assert set(states) == {EventState.QUARANTINED}
    assert "rupa connect" in Event.objects.first().reason
    request.getfixturevalue("practice")  # the practice is made and learns its practitioners
    run_jobs()
    assert set(Event.objects.values_list("state", flat=True)) == {EventState.HANDLED}
    assert [row["Rupa_Order_ID"] for row in caspio_sim.tables()["Lab_Orders"]] == [order]


def test_the_body_is_not_readable_in_the_database(deliver):
    deliver(raw(note="PLANTED Sampleperson"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT inbox_event::text, body FROM inbox_event")
        ((text, body),) = cursor.fetchall()
    assert "PLANTED" not in text
    assert b"PLANTED" not in bytes(body)


def test_logs_name_ids_only(deliver, capfd):
    logging.getLogger("django.request").error("PLANTED")
    deliver(raw(note="PLANTED Sampleperson"))
    out, err = capfd.readouterr()
    assert "inbox.recorded" in out
    assert "PLANTED" not in out + err
