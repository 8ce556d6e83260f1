"""`/healthz`, `/readyz`, `/metrics`: what machines that watch are told."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from labbridge.alerts.observe import found, observe
from labbridge.backup.models import Backup
from labbridge.database import DatabaseProblem
from labbridge.engine.models import Pulse
from labbridge.engine.rescue import PULSE
from labbridge.handlers.jobs import learn_practitioners
from labbridge.inbox.models import Event
from labbridge.mirror.models import CaseState, Chart, ReviewCase
from labbridge.practices.models import CallCount, Connection, Practice
from labbridge.practices.quota import SharedMeter

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
    assert answer.json() == {
        "status": "ready", "events_pending": 0, "jobs_pending": 0, "cases_open": 0, "backup_age_seconds": None,
    }  # fmt: skip


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
    ready = client.get("/readyz").json()
    assert (ready["events_pending"], ready["jobs_pending"]) == (2, 1)


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
        "backup_age_seconds": None,
    }


def test_open_questions_are_counted(client):
    beat()
    practice = Practice.objects.create(slug="willow", name="Willow", time_zone="UTC")
    for state in CaseState:
        chart = Chart.objects.create(practice=practice, key=f"P-{state}")
        ReviewCase.objects.create(practice=practice, chart=chart, state=state)
    assert client.get("/readyz").json()["cases_open"] == 1


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


def samples(client) -> dict[str, float]:
    text = client.get("/metrics").content.decode()
    lines = (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, value in lines}


def test_metrics_of_what_stands_in_the_database(client):
    now = timezone.now()
    for number, state in enumerate(["received", "received", "handled", "dead"]):
        Event.objects.create(
            peer="rupa", external_id=f"evt_{number}", type="t", subject="s", body=b"", state=state
        )
    learn_practitioners.defer(lock="a", connection_id="1")
    willow = Practice.objects.create(slug="willow", name="Willow")
    today = now.astimezone(willow.zone).date()
    CallCount.objects.create(account="caspio:c1.caspio.com", purpose="filing", day=today, calls=3)
    CallCount.objects.create(account="caspio:c2.caspio.com", purpose="filing", day=today, calls=4)
    missing = found("ledger_difference", practice_id=willow.pk, day=now.date(), count=5)
    observe([found("jobs_dead", count=1), missing], [], now)
    Backup.objects.create(made_at=now, size=77, seconds=1)
    held = samples(client)
    assert held['labbridge_events{state="received"}'] == 2
    assert held['labbridge_events{state="dead"}'] == 1
    assert 'labbridge_events{state="handled"}' not in held
    assert held['labbridge_jobs{state="waiting"}'] == held["labbridge_jobs_due"] == 1
    assert held['labbridge_jobs{state="dead"}'] == 0
    assert held['labbridge_calls_today{peer="caspio",purpose="filing"}'] == 7
    assert held['labbridge_alerts{severity="critical",state="open"}'] == 2
    assert held['labbridge_ledger_difference{practice="willow"}'] == 5
    assert held["labbridge_backup_bytes"] == 77
    assert client.get("/readyz").json()["backup_age_seconds"] in range(60)


def test_calls_of_today_are_those_of_the_practices_day(client):
    now = timezone.now()
    zones = ["Pacific/Kiritimati", "Etc/GMT+12"]  # at any moment one of them has another day than UTC
    zone = next(one for one in zones if now.astimezone(ZoneInfo(one)).date() != now.date())
    practice = Practice.objects.create(slug="willow", name="Willow", time_zone=zone)
    Connection.objects.create(practice=practice, peer="caspio", account="c1.caspio.com")
    Connection.objects.create(practice=practice, peer="rupa", account="ada@willow.example")
    for account in ("caspio:c1.caspio.com", "rupa"):
        SharedMeter(account, practice.zone).count("filing", 3)
        CallCount.objects.create(account=account, purpose="filing", day=now.date(), calls=50)
    held = samples(client)
    assert held['labbridge_calls_today{peer="caspio",purpose="filing"}'] == 3
    assert held['labbridge_calls_today{peer="rupa",purpose="filing"}'] == 3
    # Rupa's account is everybody's: until the last practice's day has ended, that one is told.
    other = next(one for one in zones if one != zone)
    birch = Practice.objects.create(slug="birch", name="Birch", time_zone=other)
    SharedMeter("rupa", birch.zone).count("filing", 4)
    earliest = min(now.astimezone(one.zone).date() for one in (practice, birch))
    rows = CallCount.objects.get(account="rupa", purpose="filing", day=earliest)
    held = samples(client)
    assert held['labbridge_calls_today{peer="rupa",purpose="filing"}'] == rows.calls
    assert held['labbridge_calls_today{peer="caspio",purpose="filing"}'] == 3


def test_metrics_cost_the_same_however_much_there_is(client, django_assert_max_num_queries):
    for number in range(50):
        Event.objects.create(peer="rupa", external_id=f"evt_{number}", type="t", subject="s", body=b"")
        observe([found("jobs_rescued", count=1, subject=f"x{number}")], [], timezone.now())
    with django_assert_max_num_queries(8):
        client.get("/metrics")


def test_metrics_without_a_database(client, monkeypatch):
    def down() -> bytes:
        raise OperationalError

    monkeypatch.setattr("labbridge.console.health.figures", down)
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert b"python_info" in answer.content
