"""`feed …` and `baa …` as a newcomer would type them, and the alerts that tell of feeds and agreements."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from labbridge.handover import feeds
from labbridge.handover.carry import LIFE
from labbridge.outbox.models import Agreement, Delivery, Destination, Fact, Kind
from labbridge.outbox.note import note
from labbridge.reconcile.watch import feeds as watch
from tests.handover.machine import OPERATOR
from tests.handover.receiver import Connector, agreement, destination

pytestmark = pytest.mark.django_db


@pytest.fixture
def signed(tmp_path: Path) -> Path:
    file = tmp_path / "baa.pdf"
    file.write_bytes(b"%PDF-1.4 invented")
    return file


ZAPIER = (
    "feed", "add", "x", "https://hooks.zapier.com/1", "--kind", "alert", "--class", "phi", "--baa", "Keragon",
)  # fmt: skip


def days(ahead: int) -> str:
    return str(timezone.now().date() + timedelta(days=ahead))


def test_from_an_agreement_to_a_letter(willow: Any, connector: Connector, labbridge: Any, signed: Path):
    add = ("feed", "add", "keragon", connector.url, "--kind", "result.filed")
    phi = ("--class", "phi", "--baa", "Keragon")
    assert labbridge("feed", "list").output.startswith("Nobody is told anything")
    refused = labbridge(*add, *phi)
    assert (refused.exit_code, "labbridge baa add" in refused.output) == (2, True)
    made = labbridge(
        "baa", "add", "Keragon", str(signed), "--signed", days(-9), "--expires", days(300), "--json"
    )
    assert json.loads(made.output)["in_force"] is True
    tried = json.loads(labbridge(*add, *phi, "--dry-run", "--json").output)
    assert "secret" not in tried
    assert not Destination.objects.exists()
    shown = json.loads(labbridge(*add, *phi, "--json").output)
    assert shown["secret"].startswith("whsec_")
    (row,) = json.loads(labbridge("feed", "list", "--json").output)
    assert (row["class"], row["baa"], row["state"], row["waiting"]) == ("phi", "Keragon", "well", 0)
    assert labbridge("feed", "test", "keragon").exit_code == 0
    assert connector.arrived[0].said["type"] == "test"
    connector.answer = lambda _: 500
    assert labbridge("feed", "test", "keragon").exit_code == 1
    rotated = json.loads(labbridge("feed", "rotate", "keragon", "--json").output)
    assert rotated["secret"] not in {shown["secret"], ""}
    assert labbridge("feed", "rotate", "keragon").exit_code == 2
    everything = "".join(
        labbridge(*words).output for words in (("feed", "list"), ("baa", "list"), ("feed", "dead"))
    )
    assert "sEcReT" not in everything + shown["host"]
    assert labbridge("baa", "end", "Keragon").exit_code == 0
    assert json.loads(labbridge("feed", "list", "--json").output)[0]["state"] == "held"


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("feed", "pause", "nobody"), 2, "no destination"), (("feed", "test", "nobody"), 2, "no destination"),
        (("feed", "replay", "connector"), 2, "from when"),
        (("feed", "replay", "connector", "--since", "yesterday"), 2, "no day or moment"),
        (("feed", "rotate", "connector", "--overlap-hours", "9999"), 2, "0 to 720"),
        (("feed", "preview", "nonsense"), 2, "Kinds:"), (("feed", "preview", "alert", "--class", "x"), 2, "Classes:"),
        (("feed", "add", "x", "http://example.org", "--kind", "alert"), 2, "https"),
        (ZAPIER, 2, "Zapier signs no BAA"),
        (("baa", "end", "Nobody"), 2, "could be ended"), (("feed", "add", "x", "https://e.example"), 2, "kind"),
    ],
)  # fmt: skip
def test_wrong_words_get_a_sentence(
    willow: Any, connector: Connector, labbridge: Any, words: tuple[str, ...], code: int, says: str
):
    agreement(willow)
    destination(willow, connector.url)
    answer = labbridge(*words)
    assert (answer.exit_code, says in answer.output) == (code, True), answer.output
    assert "Traceback" not in answer.output


def test_pause_resume_replay_remove(willow: Any, connector: Connector, labbridge: Any):
    destination(willow, connector.url)
    with transaction.atomic():
        note(willow.pk, Kind.ALERT, "alert:1", state="open")
    Delivery.objects.update(state="dead", problem="It answered 500.", settled_at=timezone.now())
    assert "It answered 500." in labbridge("feed", "dead").output
    assert "Would send 1" in labbridge("feed", "replay", "connector", "--dead", "--dry-run").output
    assert Delivery.objects.get().state == "dead"
    assert json.loads(labbridge("feed", "replay", "connector", "--dead", "--json").output)["letters"] == 1
    assert labbridge("feed", "pause", "connector", "--dry-run").output == "Would have paused connector.\n"
    assert labbridge("feed", "pause", "connector").exit_code == 0
    assert Destination.objects.get().paused_at
    assert labbridge("feed", "resume", "connector").exit_code == 0
    assert labbridge("feed", "remove", "connector").exit_code == 0
    assert not json.loads(labbridge("feed", "list", "--json").output)


def test_alerts_tell_of_what_fails_and_what_ends(willow: Any, connector: Connector):
    now = timezone.now()
    assert watch.destinations(now) == watch.agreements(now) == []
    one = destination(willow, connector.url, phi=True)
    with transaction.atomic():
        note(willow.pk, Kind.MONTH, "month:2026-10", month="2026-10")
        note(willow.pk, Kind.MONTH, "month:2026-09", month="2026-09")
    Destination.objects.update(failing_since=now - LIFE, closed_until=now, failures=9)
    Delivery.objects.filter(fact=Fact.objects.first()).update(state="dead")
    found = {one.rule: dict(one.params) for one in watch.destinations(now)}
    assert found["feed_failing"]["count"] == found["feed_dead"]["count"] == 1
    assert {one.rule for one in watch.agreements(now)} == set()
    (ends,) = watch.agreements(now + timedelta(days=330))
    assert (ends.rule, dict(ends.params)["count"]) == ("agreement_ends", 1)
    (over,) = watch.agreements(now + timedelta(days=400))
    assert over.rule == "agreement_over"
    agreement(willow, sha256="e" * 64, expires_on=Agreement.objects.get().expires_on + timedelta(days=365))
    assert watch.agreements(now + timedelta(days=400)) == []  # renewed
    feeds.remove(one, actor=OPERATOR)
    assert watch.destinations(now) == []
