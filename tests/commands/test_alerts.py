"""`alerts list|ack|resolve|test` as typed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.utils import timezone

from labbridge.alerts.models import Alert
from labbridge.alerts.observe import found, observe

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def alert() -> Alert:
    now = timezone.now()
    observe([found("jobs_dead", count=2), found("jobs_rescued", count=1), found("backup_missing")], [], now)
    return Alert.objects.get(rule="jobs_dead")


def test_nothing_is_wrong(labbridge: Any) -> None:
    done = labbridge("alerts", "list")
    assert (done.exit_code, done.stdout) == (0, "Nothing is wrong.\n")
    assert labbridge("alerts", "list", "--json").stdout.strip() == "[]"


def test_the_gravest_first_and_nothing_that_is_not_ripe(labbridge: Any, alert: Alert) -> None:
    done = labbridge("alerts", "list", "--json")
    assert done.exit_code == 1
    rows = json.loads(done.stdout)
    assert [row["rule"] for row in rows] == ["jobs_dead", "jobs_rescued"]
    assert rows[0]["sentence"] == "Jobs that were given up: 2."
    assert set(rows[0]) == {
        "id", "practice", "rule", "subject", "severity", "owner", "state", "sentence", "action", "first_seen",
        "last_seen", "acknowledged_by", "resolved_at", "resolved_by",
    }  # fmt: skip
    assert "Jobs that were given up: 2." in labbridge("alerts", "list").stdout


def test_acknowledge_then_resolve(labbridge: Any, alert: Alert) -> None:
    assert labbridge("alerts", "ack", str(alert.pk), "--dry-run").stdout == "would acknowledge it\n"
    assert Alert.objects.get(pk=alert.pk).state == "open"
    assert labbridge("alerts", "ack", str(alert.pk)).exit_code == 0
    assert labbridge("alerts", "list").exit_code == 0, "somebody is at it"
    shown = json.loads(labbridge("alerts", "resolve", str(alert.pk), "--json").stdout)
    assert shown["state"] == "resolved"
    assert shown["resolved_by"]
    assert labbridge("alerts", "resolve", str(alert.pk)).exit_code == 2
    assert "jobs_dead" in labbridge("alerts", "list", "--all", "--json").stdout


@pytest.mark.parametrize("wrong", ["nonsense", "01a217be-b724-73e8-98fc-c60fccf02bfc"])
def test_no_such_alert(labbridge: Any, wrong: str) -> None:
    done = labbridge("alerts", "ack", wrong)
    assert (done.exit_code, done.stderr) == (
        2,
        "There is no such alert. `labbridge alerts list` shows the ids.\n",
    )


def test_channels(labbridge: Any, ear: Any, deployment: Any) -> None:
    assert "There are no channels" in labbridge("alerts", "test").stdout
    deployment(alert_channels=[ear.url, "nonsense"])
    tried = labbridge("alerts", "test", "--dry-run", "--json")
    assert tried.exit_code == 1
    assert [row["works"] for row in json.loads(tried.stdout)] == [True, False]
    assert ear.heard == []
    done = labbridge("alerts", "test")
    assert done.exit_code == 1
    assert "service channel 1: took it\nservice channel 2: FAILED" in done.stdout
    assert ear.heard == [("Labbridge service: test", "This channel works.")]
