"""Health: what is wrong and what to do, whose it is, and nothing of another practice."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from labbridge.accounts.models import Membership
from labbridge.accounts.roles import Role
from labbridge.alerts.models import Alert
from labbridge.backup.models import Backup
from labbridge.practices.models import CallCount, Connection, Practice
from labbridge.reconcile.ledger import anchor, write_entry
from labbridge.reconcile.models import LedgerEntry, Sweep
from labbridge.trust.models import AuditEntry
from tests.people import member, sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def willow() -> Practice:
    return Practice.objects.create(slug="willow", name="Willow", time_zone="America/Los_Angeles")


@pytest.fixture
def owner(client: Client, willow: Practice) -> Client:
    sign_in(client, member(willow))
    return client


def text(answer: Any) -> str:
    assert answer.status_code == 200, answer.status_code
    return str(answer.content.decode())


def alert(practice: Practice | None, rule: str = "jobs_dead", **params: Any) -> Alert:
    now, params = timezone.now(), params or {"count": 3}
    return Alert.objects.create(
        practice=practice,
        rule=rule,
        params=params or {"count": 3},
        first_seen=now - timedelta(hours=2),
        last_seen=now,
    )


def test_an_empty_practice_says_what_is_missing(owner: Client) -> None:
    shown = text(owner.get("/health"))
    for sentence in (
        "No alert is open.",
        "Nothing is connected yet.",
        "No backup was made yet.",
        "No worker gives",
    ):
        assert sentence in shown


def test_alerts_with_their_action_are_acknowledged_and_resolved(owner: Client, willow: Practice) -> None:
    held = alert(willow)
    assert "Jobs that were given up: 3." in text(owner.get("/health"))
    assert "Noted that you are at it." in text(
        owner.post(f"/health/alerts/{held.pk}", {"answer": "acknowledge"}, follow=True)
    )
    held.refresh_from_db()
    assert (held.state, held.acknowledged_by) == ("acknowledged", "owner@willow.example")
    owner.post(f"/health/alerts/{held.pk}", {"answer": "resolve"})
    held.refresh_from_db()
    assert held.state == "resolved"
    assert "over already" in text(owner.post(f"/health/alerts/{held.pk}", {"answer": "resolve"}, follow=True))
    kept = AuditEntry.objects.filter(action__startswith="alert.").values_list("action", "subject")
    assert list(kept) == [("alert.acknowledge", f"alert:{held.pk}"), ("alert.resolve", f"alert:{held.pk}")]


def test_the_service_and_other_practices_are_not_a_practices_business(owner: Client) -> None:
    birch = Practice.objects.create(slug="birch", name="Birch")
    theirs, service = alert(birch), alert(None, "jobs_dead")
    Connection.objects.create(practice=birch, peer="rupa", account="bea@birch.example", problem="Theirs.")
    Backup.objects.create(made_at=timezone.now(), size=1, seconds=1)
    shown = text(owner.get("/health"))
    assert "No alert is open." in shown
    assert "birch" not in shown
    assert 'id="backups"' not in shown
    for one in (theirs, service):
        assert owner.post(f"/health/alerts/{one.pk}", {"answer": "resolve"}).status_code == 404


def test_a_broken_connection_leads_to_its_mending(owner: Client, willow: Practice) -> None:
    Connection.objects.create(
        practice=willow, peer="rupa", account="ada@willow.example", state="reconnect", problem="It ended."
    )
    shown = text(owner.get("/health"))
    assert "It ended." in shown
    assert 'href="/rupa/connect/willow"' in shown


def test_the_auditor_reads_and_answers_nothing(client: Client, willow: Practice) -> None:
    sign_in(client, member(willow, Role.AUDITOR))
    held = alert(willow)
    shown = text(client.get("/health"))
    assert "Jobs that were given up" in shown
    assert "Resolve" not in shown
    assert "Check everything" not in shown
    assert client.post(f"/health/alerts/{held.pk}", {"answer": "resolve"}).status_code == 403


def test_calls_by_purpose_and_the_months_forecast(owner: Client, willow: Practice) -> None:
    Connection.objects.create(practice=willow, peer="caspio", account="c0abc.caspio.com")
    today = timezone.now().astimezone(willow.zone).date()
    for purpose, calls in (("filing", 70), ("sweep", 7)):
        CallCount.objects.create(account="caspio:c0abc.caspio.com", purpose=purpose, day=today, calls=calls)
    CallCount.objects.create(account="caspio:other.caspio.com", purpose="theirs", day=today, calls=9)
    shown = text(owner.get("/health"))
    assert shown.index("Orders and results</th>") < shown.index("Comparison</th>")
    assert '<td data-label="This month">70</td>' in shown
    assert "Theirs" not in shown


def test_an_account_that_two_practices_share_counts_for_both(client: Client, willow: Practice) -> None:
    aspen = Practice.objects.create(slug="aspen", name="Aspen", time_zone="America/Los_Angeles")
    person = member(willow)
    Membership.objects.create(user=person, practice=aspen, role=Role.OWNER)
    sign_in(client, person)
    for practice in (willow, aspen):
        Connection.objects.create(practice=practice, peer="caspio", account="c0abc.caspio.com")
    today = timezone.now().astimezone(willow.zone).date()
    CallCount.objects.create(account="caspio:c0abc.caspio.com", purpose="filing", day=today, calls=70)
    assert '<span class="soft">Aspen, Willow</span>' in text(client.get("/health"))


@pytest.mark.django_db(transaction=True)
def test_the_ledgers_last_days_and_whether_it_is_whole(
    owner: Client, willow: Practice, settings: Any, tmp_path: Path
) -> None:
    settings.ANCHOR_PATH = tmp_path / "anchors.jsonl"
    sweep = Sweep.objects.create(practice=willow, depth="hourly", state="done", finished_at=timezone.now())
    for _ in range(2):
        write_entry(sweep)
    anchor(willow)
    shown = text(owner.get("/health?verify"))
    assert shown.count('data-label="Listed at Rupa"') == 1, "one line a day"
    assert "The ledger is whole" in shown
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE reconcile_ledgerentry DISABLE TRIGGER USER")
        cursor.execute("UPDATE reconcile_ledgerentry SET body = body || '{\"filed\": 99}' WHERE seq = 1")
        cursor.execute("ALTER TABLE reconcile_ledgerentry ENABLE TRIGGER USER")
    assert "The ledger is whole" not in text(owner.get("/health?verify"))


@pytest.mark.django_db(transaction=True)
def test_the_number_of_queries_is_constant(owner: Client, willow: Practice) -> None:
    sweep = Sweep.objects.create(practice=willow, depth="hourly", state="done", finished_at=timezone.now())
    alert(willow)
    owner.get("/health")
    with CaptureQueriesContext(connection) as few:
        owner.get("/health")
    for number in range(20):
        Connection.objects.create(practice=willow, peer="rupa", account=f"p{number}@willow.example")
        alert(
            willow, "peer_silent", peer="rupa", since="2026-05-01T10:00:00+00:00", gap=3600 + number
        ).delete()
        write_entry(sweep)
    with CaptureQueriesContext(connection) as many:
        owner.get("/health")
    assert len(many) == len(few)
    assert LedgerEntry.objects.count() == 20


@pytest.mark.django_db(transaction=True)
def test_checking_asks_the_peers(client: Client, practice: Practice) -> None:
    sign_in(client, member(practice, Role.ADMINISTRATOR))
    shown = text(client.post("/health/check"))
    assert "The account answers and the token is good." in shown
    assert "Rupa answers for" in shown
