"""`sweep` and `ledger` as typed: summaries, exit codes, and the page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from labbridge.practices.models import Practice
from labbridge.reconcile.models import Sweep
from labbridge.trust import verifier
from labbridge.trust.models import AuditEntry

pytestmark = pytest.mark.django_db(transaction=True)

PDF_TEST = "DUTCH Complete"
LEDGER_FIELDS = (
    "date", "practice", "listed", "held", "filed", "in_review", "rejected", "repaired", "difference",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _anchors(tmp_path: Path, settings: Any) -> None:
    settings.ANCHOR_PATH = tmp_path / "anchors.jsonl"


def test_a_sweep_returns_when_all_is_filed_and_the_ledger_tells_of_it(
    practice: Practice, labbridge: Any, rupa_sim: Any, caspio_sim: Any, add_patient: Any, tmp_path: Path
) -> None:
    order = rupa_sim.order(add_patient(1)["id"], PDF_TEST)
    rupa_sim.act(order, "result")

    dry = labbridge("sweep", "--dry-run", "--json")
    assert dry.exit_code == 0
    assert json.loads(dry.stdout)["differences"] == [f"order_missed {order}"]
    assert not Sweep.objects.exists()
    assert not caspio_sim.tables()["Lab_Orders"]

    done = labbridge("sweep", "--json")
    said = json.loads(done.stdout)
    assert done.exit_code == 0, done.output
    assert (said["practice"], said["missed"], said["filed"], said["repaired"], said["difference"]) == (
        "willow", 1, 1, 1, 0,
    )  # fmt: skip
    assert (said["waiting"], said["left"]) == (0, [])
    assert caspio_sim.tables()["Lab_Results"][0]["Patient_Key"] == "P-1"
    assert list(AuditEntry.objects.filter(action__startswith="sweep").values_list("action", "actor_kind")) == [
        ("sweep.run", "operator"), ("sweep.repair", "operator"),
    ]  # fmt: skip

    words = labbridge("sweep", "--practice", "willow")
    assert (words.exit_code, "repaired: 0" in words.stdout) == (0, True)
    (day,) = json.loads(labbridge("ledger", "show", "--json").stdout)
    assert list(day)[:9] == list(LEDGER_FIELDS)
    assert (day["listed"], day["repaired"], day["seq"]) == (1, 0, 2)
    assert len(json.loads(labbridge("ledger", "show", "--all", "--json").stdout)) == 2
    assert "1 listed = 1 held = 1 filed + 0 in review + 0 rejected" in labbridge("ledger", "show").stdout
    verified = labbridge("ledger", "verify")
    assert (verified.exit_code, verified.stdout) == (0, "willow: 2 entries, whole and anchored.\n")
    export = tmp_path / "ledger.jsonl"
    export.write_text(labbridge("ledger", "export").stdout)
    assert (
        verifier.main([str(export), "--anchor", str(tmp_path / "anchors.jsonl"), "--chain", "ledger:willow"])
        == 0
    )
    page = tmp_path / "day.pdf"
    assert labbridge("ledger", "show", "--pdf", str(page)).exit_code == 0
    assert page.read_bytes().startswith(b"%PDF")
    assert labbridge("ledger", "show", "--pdf", str(tmp_path / "missing" / "day.pdf")).exit_code == 1

    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE reconcile_ledgerentry DISABLE TRIGGER USER")
        cursor.execute(
            "UPDATE reconcile_ledgerentry SET body = jsonb_set(body, '{repaired}', '0') WHERE seq = 1"
        )
        cursor.execute("ALTER TABLE reconcile_ledgerentry ENABLE TRIGGER USER")
    tampered = labbridge("ledger", "verify")
    assert (tampered.exit_code, "willow: Row 1 was altered" in tampered.stdout) == (1, True)
    assert json.loads(labbridge("ledger", "verify", "--json").stdout)[0]["findings"][0]["row"] == 1
    assert "not whole" in labbridge("ledger", "show").stdout


def test_what_is_left_for_a_person_and_a_peer_that_is_away(
    practice: Practice, labbridge: Any, rupa_sim: Any, caspio_sim: Any
) -> None:
    rupa_sim.order(rupa_sim.patient(1)["id"], PDF_TEST)
    done = labbridge("sweep", "--json")
    said = json.loads(done.stdout)
    assert (done.exit_code, said["in_review"], said["difference"], said["waiting"]) == (1, 1, 0, 1)
    assert "Put the Rupa patient id" in said["left"][0]

    caspio_sim.fault("unavailable")
    away = labbridge("sweep", "--json")
    assert away.exit_code == 3
    assert "caspio" in json.loads(away.stdout)["left"][0]
    caspio_sim.heal()
    rupa_sim.fault("unavailable")
    assert labbridge("sweep").exit_code == 3
    rupa_sim.heal()
    assert labbridge("sweep", "--dry-run").exit_code == 0, "nothing differs; what waits was said before"


def test_all_practices_are_swept_and_one_that_cannot_be_keeps_nobody_back(
    practice: Practice, labbridge: Any, rupa_sim: Any, add_patient: Any
) -> None:
    rupa_sim.order(add_patient(1)["id"], PDF_TEST)
    Practice.objects.create(slug="oak", name="Oak", config=practice.config)
    done = labbridge("sweep", "--json")
    said = json.loads(done.stdout)
    assert (done.exit_code, said["missed"], said["filed"]) == (1, 1, 1)
    assert [one["practice"] for one in said["practices"]] == ["oak", "willow"]
    assert said["left"] == ["oak: The practice oak has no Caspio account: run `labbridge practice apply`."]


def test_without_any_entry_it_says_what_to_do(practice: Practice, labbridge: Any) -> None:
    assert labbridge("ledger", "show").stdout == "There is no entry yet: run `labbridge sweep`.\n"
    nothing = labbridge("ledger", "show", "--pdf", "x.pdf")
    assert (nothing.exit_code, "run `labbridge sweep`" in nothing.output) == (1, True)
    assert labbridge("ledger", "verify").exit_code == 0
