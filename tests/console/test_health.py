"""`/healthz`, `/readyz`, `/metrics`: what machines that watch are told."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from labbridge.database import DatabaseProblem
from labbridge.engine.models import Pulse
from labbridge.engine.rescue import PULSE
from labbridge.handlers.jobs import learn_practitioners
from labbridge.inbox.models import Event

pytestmark = pytest.mark.django_db


def beat(seconds_ago: float = 0) -> None:
    Pulse.objects.update_or_create(
        name=PULSE, defaults={"at": timezone.now() - timedelta(seconds=seconds_ago)}
    )


def test_alive_needs_no_database(client, monkeypatch):
    monkeypatch.setattr("labbridge.engine.queue.due", lambda: 1 / 0)
    answer = client.get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"alive\n")


def test_ready_with_a_worker_that_looks_out(client):
    beat()
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "events_pending": 0, "jobs_pending": 0, "cases_open": 0}


@pytest.mark.parametrize("silence", [None, 61])
def test_not_ready_without_a_worker(client, silence):
    if silence is not None:
        beat(silence)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["status"] == "no worker"


def test_what_is_pending_is_counted(client):
    beat()
    for number, state in enumerate(["received", "received", "handled", "waiting", "quarantined", "dead"]):
        Event.objects.create(
            peer="rupa", external_id=f"evt_{number}", type="t", subject="s", body=b"", state=state
        )
    learn_practitioners.defer(lock="a", connection_id="1")
    learn_practitioners.defer(lock="b", at=timezone.now() + timedelta(hours=1), connection_id="1")
    found = client.get("/readyz").json()
    assert (found["events_pending"], found["jobs_pending"]) == (2, 1)


@pytest.mark.parametrize(
    "error", [OperationalError("PLANTED"), InterfaceError("PLANTED"), DatabaseProblem("It does not run.")]
)
def test_not_ready_without_a_database(client, monkeypatch, error):
    def fail() -> bool:
        raise error

    monkeypatch.setattr("labbridge.console.health.rescue_alive", fail)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {
        "status": "no database",
        "events_pending": None,
        "jobs_pending": None,
        "cases_open": None,
    }


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_only_reading_is_possible(client, path):
    assert client.post(path).status_code == 405


# -- metrics ---------------------------------------------------------------------------------------------


def test_metrics_are_for_loopback(client):
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert b"labbridge_deliveries_total" in answer.content
    assert answer["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize("address", ["10.1.2.3", "2001:db8::1", "", "nonsense"])
def test_metrics_are_not_for_others(client, address):
    assert client.get("/metrics", REMOTE_ADDR=address).status_code == 403


def test_a_proxy_on_loopback_is_no_loopback(client):
    assert client.get("/metrics", headers={"X-Forwarded-For": "10.1.2.3"}).status_code == 403


@pytest.mark.parametrize(
    ("shown", "status"), [("Bearer right", 200), ("Bearer wrong", 403), ("", 403), ("é", 403)]
)
def test_metrics_by_token(client, deployment, shown, status):
    deployment(metrics_token="right")
    answer = client.get("/metrics", REMOTE_ADDR="10.1.2.3", headers={"Authorization": shown})
    assert answer.status_code == status


def test_no_token_set_opens_nothing(client):
    headers = {"Authorization": "Bearer "}
    assert client.get("/metrics", REMOTE_ADDR="10.1.2.3", headers=headers).status_code == 403
