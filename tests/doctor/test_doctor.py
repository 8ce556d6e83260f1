"""Each thing that a practice can fail at: broken on purpose, then named with what mends it."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from labbridge.alerts.observe import found, observe
from labbridge.backup.models import Backup
from labbridge.doctor import deployment as checks
from labbridge.doctor.examine import _carefully
from labbridge.doctor.findings import Checked
from labbridge.doctor.sealed import sealed_values
from labbridge.engine import tally
from labbridge.engine.models import Pulse
from labbridge.engine.rescue import PULSE
from labbridge.inbox.models import Event
from labbridge.mirror.models import Chart
from labbridge.peers.caspio.types import NewField
from labbridge.practices import clocks
from labbridge.practices.clients import caspio
from labbridge.practices.models import Connection, ConnectionState, PeerClock, Practice
from tests.phi import planted
from tests.phi.needles import Search

pytestmark = pytest.mark.django_db(transaction=True)

Doctor = Callable[..., tuple[int, dict[str, list[dict[str, Any]]]]]


@pytest.fixture
def doctor(labbridge: Any) -> Doctor:
    def run(*arguments: str) -> tuple[int, dict[str, list[dict[str, Any]]]]:
        """The exit code, and what was said by check."""
        clocks._noted.clear()
        done = labbridge("doctor", "--json", *arguments)
        by_check: dict[str, list[dict[str, Any]]] = {}
        for one in json.loads(done.stdout):
            assert set(one) == {"check", "practice", "state", "sentence", "action"}
            assert one["sentence"].endswith((".", ")"))
            assert one["state"] == "ok" or one["action"], "whatever is not well says what to do"
            by_check.setdefault(one["check"], []).append(one)
        return done.exit_code, by_check

    return run


def state(one: dict[str, list[dict[str, Any]]], check: str) -> str:
    return next(item["state"] for item in one[check])


@pytest.fixture
def well(practice: Practice, deployment: Any, ear: Any) -> Practice:
    """Everything as it should be."""
    now = timezone.now()
    deployment(alert_channels=[ear.url])
    for name in (PULSE, "watch"):
        Pulse.objects.update_or_create(name=name, defaults={"at": now})
    Event.objects.create(
        peer="rupa", external_id="e", type="x", subject="order:1", body=b"{}", received_at=now
    )
    Backup.objects.create(made_at=now, size=1, seconds=1)
    return practice


def test_all_is_well(well: Practice, doctor: Doctor, labbridge: Any, caspio_sim: Any, rupa_sim: Any) -> None:
    caspio_sim.forget_requests()
    rupa_sim.forget_requests()
    code, by_check = doctor()
    assert {one["state"] for items in by_check.values() for one in items} == {"ok"}
    assert code == 0
    assert set(by_check) == {
        "settings", "disk", "database", "tables", "worker", "schedules", "jobs", "keys", "sealed values", "backup",
        "rupa deliveries", "public address", "alert channels", "caspio", "caspio tables", "caspio webhook", "rupa",
        "caspio calls", "clock",
    }  # fmt: skip
    assert {one["practice"] for one in by_check["caspio"]} == {"willow"}
    calls = caspio_sim.requests() + rupa_sim.requests()
    assert {one["method"] for one in calls if "oauth" not in one["path"]} == {"GET"}, "it reads only"
    assert len(calls) <= 25
    assert "ok    willow: caspio tables: All tables" in labbridge("doctor").stdout


def test_of_one_practice(well: Practice, doctor: Doctor, labbridge: Any) -> None:
    assert doctor("--practice", "willow")[0] == 0
    assert labbridge("doctor", "--practice", "nobody").exit_code == 2


def test_nothing_is_set_up(labbridge: Any, doctor: Doctor, deployment: Any) -> None:
    deployment(rupa_client_id="", rupa_client_secret="")
    code, by_check = doctor()
    assert code == 1
    assert [state(by_check, check) for check in ("settings", "practices", "worker")] == ["fail"] * 3
    assert [state(by_check, check) for check in ("backup", "alert channels", "rupa deliveries")] == [
        "warn"
    ] * 3
    assert "labbridge init" in by_check["practices"][0]["action"]


# -- the peers -----------------------------------------------------------------------------------------------


def test_a_peer_that_is_away_is_code_3_until_something_else_fails(
    well: Practice, doctor: Doctor, caspio_sim: Any
) -> None:
    caspio_sim.fault("unavailable")
    code, by_check = doctor()
    assert (code, state(by_check, "caspio"), state(by_check, "rupa")) == (3, "fail", "ok")
    Pulse.objects.filter(name=PULSE).delete()
    assert doctor()[0] == 1


def test_a_rupa_that_does_not_tell_whose_token_it_is(well: Practice, doctor: Doctor, rupa_sim: Any) -> None:
    rupa_sim.options(me_path="")
    code, by_check = doctor()
    assert (code, state(by_check, "rupa")) == (0, "ok")


def test_wrong_credentials(well: Practice, doctor: Doctor) -> None:
    account = Connection.objects.get(peer="caspio")
    account.credentials = {**(account.credentials or {}), "client_secret": "wrong", "access_token": "old",
                           "expires_at": "2020-01-01T00:00:00+00:00"}  # fmt: skip
    account.save()
    code, by_check = doctor()
    assert (code, state(by_check, "caspio")) == (1, "fail")


def test_tables_and_types(well: Practice, doctor: Doctor) -> None:
    with caspio(well, "test") as client:
        fields = [
            NewField(name="Rupa_Lab_Test_ID", type="STRING", unique=True),
            NewField(name="Name", type="NUMBER"),
        ]
        client.create_table("Odd_Tests", fields)
    well.config["caspio"]["tables"] |= {"lab_tests": "Odd_Tests", "lab_companies": "Odd_Companies"}
    well.save()
    code, by_check = doctor()
    assert code == 1
    wrong, missing = by_check["caspio tables"]
    assert "field Name of the table Odd_Tests is of the type NUMBER" in wrong["sentence"]
    assert "Rename or change it in Caspio" in wrong["action"]
    assert "Odd_Companies" in missing["sentence"]
    assert "labbridge provision" in missing["action"]


def test_no_patients_table(well: Practice, doctor: Doctor) -> None:
    well.config["caspio"]["patients"]["table"] = "Clients"
    well.save()
    code, by_check = doctor()
    assert (code, state(by_check, "caspio tables")) == (1, "fail")
    assert "no table Clients" in by_check["caspio tables"][0]["sentence"]


def test_the_webhook_is_gone(well: Practice, doctor: Doctor) -> None:
    with caspio(well, "test") as client:
        (hook,) = client.outgoing_webhooks()
        client.delete_webhook(hook.id)
    code, by_check = doctor()
    assert (code, state(by_check, "caspio webhook")) == (1, "fail")


@pytest.mark.parametrize("already_known", [True, False])
def test_an_authorisation_that_ended(well: Practice, doctor: Doctor, already_known: bool) -> None:
    connection = Connection.objects.get(peer="rupa")
    if already_known:
        Connection.objects.filter(pk=connection.pk).update(state=ConnectionState.RECONNECT)
    else:
        connection.credentials = {"refresh_token": "rt_unknown"}
        connection.save()
    code, by_check = doctor()
    assert (code, state(by_check, "rupa")) == (1, "fail")
    assert "labbridge rupa connect" in by_check["rupa"][0]["action"]


def test_not_connected_at_all(well: Practice, doctor: Doctor) -> None:
    well.practitioners.all().delete()
    Connection.objects.filter(peer="rupa").delete()
    assert state(doctor()[1], "rupa") == "fail"


def test_forged_deliveries_and_a_clock_that_is_off(well: Practice, doctor: Doctor) -> None:
    tally.add("refused:rupa", 3)
    assert state(doctor()[1], "rupa deliveries") == "warn"
    Event.objects.all().delete()
    assert state(doctor()[1], "rupa deliveries") == "fail"
    PeerClock.objects.update_or_create(
        peer="watch", defaults={"ahead_seconds": 400, "read_at": timezone.now()}
    )
    assert "400 seconds apart" in doctor()[1]["clock"][0]["sentence"]


# -- the deployment ------------------------------------------------------------------------------------------


def said(items: Any) -> list[tuple[str, str]]:
    return [(one.check, one.state) for one in items]


def test_sealed_values_need_their_keys(well: Practice, settings: Any, doctor: Doctor) -> None:
    Chart.objects.create(practice=well, key="P-1", person=planted.PERSON)
    assert {one.state for one in sealed_values()} == {"ok"}
    settings.ENCRYPTION_KEYS = [b"another key that seals from now!"]  # without the one before
    first = next(sealed_values())
    assert (first.state, "does not hold" in first.sentence) == ("fail", True)


def test_keys_that_others_can_read(deployment: Any, tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    file = tmp_path / "keys" / "encryption_keys"
    file.write_text("x")
    file.chmod(0o600)
    deployment(data_dir=tmp_path, encryption_keys=[])
    assert said(checks.keys()) == [("keys", "ok")]
    file.chmod(0o640)
    assert said(checks.keys()) == [("keys", "fail")]


@pytest.mark.parametrize(("days", "state"), [(90, "ok"), (10, "warn"), (2, "fail"), (-1, "fail")])
def test_certificates(days: int, state: str) -> None:
    now = datetime(2026, 3, 4, tzinfo=UTC)
    assert checks._certificate("labs.example", now + timedelta(days=days), now).state == state


@pytest.mark.parametrize(("error", "state"), [(ssl.SSLError(1, "x"), "fail"), (TimeoutError(), "warn")])
def test_the_public_address(deployment: Any, monkeypatch: Any, error: Exception, state: str) -> None:
    deployment(public_url="https://labs.example")

    def refuse(_host: str, _port: int) -> datetime:
        raise error

    monkeypatch.setattr(checks, "_certificate_end", refuse)
    assert said(checks.public_address()) == [("public address", state)]


def test_loopback_is_for_trying_only(deployment: Any) -> None:
    deployment(allow_http_peers=False)
    assert said(checks.public_address()) == [("public address", "warn")]


def test_backups_and_their_directory(deployment: Any, tmp_path: Path) -> None:
    Backup.objects.create(made_at=timezone.now() - timedelta(days=3), size=1, seconds=1)
    assert said(checks.backups()) == [("backup", "warn")]
    deployment(backup_dir=tmp_path / "gone")
    assert said(checks.backups()) == [("backup", "fail")]


def test_channels_and_open_alerts(deployment: Any) -> None:
    observe([found("jobs_dead", count=1)], [], timezone.now())
    deployment(alert_channels=["nonsense"])
    assert said(checks.alerts()) == [("alert channels", "fail"), ("alerts", "warn")]


def test_a_check_that_breaks_is_a_finding_and_quotes_nobody() -> None:
    def breaks() -> Any:
        raise ValueError(planted.PERSON["email"])
        yield Checked("never", "", "ok", "")

    (one,) = _carefully("some_check", breaks)
    assert (one.check, one.state) == ("some check", "fail")
    assert Search(planted.WORDS).found_in(one.sentence.encode()) == set()


def test_nothing_planted_is_said(
    well: Practice, labbridge: Any, add_patient: Any, rupa_sim: Any, run_jobs: Any
) -> None:
    rupa_sim.order(rupa_sim.patient(1, **planted.PERSON)["id"])
    Event.objects.update(reason=planted.PERSON["first_name"], subject=f"order:{planted.PERSON['last_name']}")
    output = labbridge("doctor").output + labbridge("doctor", "--json").output
    assert Search(planted.WORDS).found_in(output.encode()) == set()
