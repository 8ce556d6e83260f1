"""Replacing the deployment's key: everything is found, replaced, counted; killed and resumed beside traffic."""

from __future__ import annotations

import base64
import json
import threading
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import connection, transaction
from typer.testing import CliRunner

from bench import rotation as bench
from bench import service
from labbridge.accounts.adapters import MfaAdapter
from labbridge.accounts.sessions import SessionStore
from labbridge.cli import app
from labbridge.inbox.models import Event
from labbridge.mirror.models import Chart
from labbridge.practices.models import Practice
from labbridge.trust import key_check, keys, rotation
from labbridge.trust.envelope import data_keys
from labbridge.trust.models import AuditEntry
from tests.people import somebody

pytestmark = pytest.mark.django_db(transaction=True)

OLD, NEW = b"o" * 32, b"n" * 32


class Ring:
    """Which keys the deployment holds."""

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    def __call__(self, *held: bytes) -> None:
        self.settings.ENCRYPTION_KEYS = list(held)
        keys.keyring.cache_clear()
        data_keys.forget()


@pytest.fixture
def ring(settings: Any) -> Any:
    change = Ring(settings)
    change(OLD)
    yield change
    keys.keyring.cache_clear()
    data_keys.forget()


@pytest.fixture
def sealed(ring: Ring) -> None:
    """Something of every kind, sealed by the old key."""
    from allauth.mfa.models import Authenticator

    practice = Practice.objects.create(slug="willow", name="Willow")
    Chart.objects.create(practice=practice, key="P-1", person={"first_name": "Testa"})
    for number in range(5):
        Event.objects.create(peer="rupa", external_id=f"e{number}", type="t", subject="s", body=b"body")
    store = SessionStore()
    store["step"] = "kept"
    store.save()
    secret = MfaAdapter().encrypt("a secret of the app")
    Authenticator.objects.create(user=somebody(), type="totp", data={"secret": secret})


def everything_opens() -> None:
    from allauth.mfa.models import Authenticator

    data_keys.forget()
    assert {event.body for event in Event.objects.all()} == {b"body"}
    assert Chart.objects.get().person == {"first_name": "Testa"}
    (session,) = Session.objects.all()
    assert SessionStore().decode(session.session_data) == {"step": "kept"}
    assert MfaAdapter().decrypt(Authenticator.objects.get().data["secret"]) == "a secret of the app"


def test_after_a_rotation_the_old_key_can_go(ring: Ring, sealed: None):
    hashed = keys.keyring().blind("testa@patients.example", "email")
    ring(NEW, OLD)
    assert rotation.remaining() > 0
    seen: list[tuple[int, int]] = []
    done = rotation.rotate(lambda now, total: seen.append((now, total)))
    assert rotation.remaining() == 0
    assert seen[0] == (0, done)
    assert seen[-1] == (done, done)
    ring(NEW)
    everything_opens()
    assert keys.keyring().blind("testa@patients.example", "email") == hashed
    assert rotation.rotate() == 0


def test_the_proof_counts_every_table_and_key(ring: Ring, sealed: None):
    old, found = keys.key_id(OLD).hex(), rotation.counts()
    assert found["inbox_event.body"] == {old: 5}
    assert found["mirror_chart.person"] == {"data key": 1}
    assert found["trust_datakey.wrapped"][old] >= 1
    assert found["sessions"] == {old: 1}
    assert found["second factors"] == {old: 1}


def test_every_sealed_column_of_every_model_is_known():
    """A new sealed field takes part by itself."""
    known = {one.name for one in rotation.columns()}
    assert {"inbox_event.body", "mirror_storedfile.content", "practices_connection.credentials"} <= known
    assert "trust_datakey.wrapped" in known


def test_rows_in_use_are_passed_by_and_come_in_the_next_round(
    ring: Ring, sealed: None, monkeypatch: pytest.MonkeyPatch
):
    """Nobody waits for the rotation in a circle: it never waits for a row."""
    ring(NEW, OLD)
    held, go = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            Event.objects.select_for_update().get(external_id="e2")
            held.set()
            go.wait(60)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(60)
    monkeypatch.setattr(rotation.time, "sleep", lambda _seconds: (go.set(), thread.join(60)))
    rotation.rotate()
    assert rotation.remaining() == 0


def test_rows_that_stay_in_use_end_the_rotation_and_are_counted(
    ring: Ring, sealed: None, monkeypatch: pytest.MonkeyPatch
):
    ring(NEW, OLD)
    monkeypatch.setattr(rotation, "_old_rows", lambda *_: [])
    monkeypatch.setattr(rotation, "PAUSE", 0)
    monkeypatch.setattr(rotation, "ROUNDS", 3)
    rotation.rotate()
    assert rotation.remaining() > 0
    done = CliRunner().invoke(app, ["keys", "rotate"])
    assert done.exit_code == 1
    assert "Run this again" in done.output


def test_the_command_shows_proves_and_is_recorded(ring: Ring, sealed: None):
    ring(NEW, OLD)
    dry = json.loads(CliRunner().invoke(app, ["keys", "rotate", "--dry-run", "--json"]).stdout)
    assert dry["would_replace"] == dry["remaining"] > 0
    done = CliRunner().invoke(app, ["keys", "rotate", "--json"])
    shown = json.loads(done.stdout)
    assert (done.exit_code, shown["remaining"], shown["replaced"]) == (0, 0, dry["would_replace"])
    entry = AuditEntry.objects.get(action="keys.rotate")
    assert (entry.count, entry.detail["key"]) == (shown["replaced"], keys.key_id(NEW).hex())
    status = CliRunner().invoke(app, ["keys", "status"])
    assert status.exit_code == 0
    assert "No value needs the older encryption keys" in status.stdout
    for key in (OLD, NEW):
        assert base64.b64encode(key).decode() not in done.stdout + status.stdout


def test_what_can_go_wrong_with_keys_is_said_before_it_does(ring: Ring, sealed: None, deployment: Any):
    def said() -> str:
        return " ".join(f"{one.severity} {one.sentence}" for one in key_check.findings(rotation.counts()))

    assert "If LABBRIDGE_ENCRYPTION_KEYS is lost" in said()
    ring(NEW, OLD)
    assert "warning" in said()
    assert "still sealed by an older key" in said()
    ring(NEW)  # taken away too early
    assert "problem" in said()
    assert "does not hold" in said()
    assert "search hashes cannot be opened" in said()
    assert CliRunner().invoke(app, ["keys", "status"]).exit_code == 1
    deployment(encryption_keys=[])
    assert "lies in the data directory" in said()


@pytest.mark.crash
def test_killed_half_way_and_resumed_while_events_arrive():
    """The short form of `python -m bench rotation`, with real processes and a real SIGKILL."""
    count = 2_000
    with service.scratch() as folder, service.database(folder):
        found = bench.measure(folder, count)
    assert found["remaining"] == 0
    assert found["held"] == [keys.key_id(NEW).hex()]
    assert 0 < found["replaced"] < count
    assert found["stored"] > 0
    assert found["opened"] == found["kept"] == count + found["stored"]
