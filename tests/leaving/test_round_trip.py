"""A practice leaves and arrives elsewhere: nothing is written to Caspio again, and its record is whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from django.apps import apps
from django.test import override_settings

from labbridge.catalog.filing import file_catalog
from labbridge.inbox.models import Event
from labbridge.leaving import take
from labbridge.leaving.tables import STAYS, TABLES
from labbridge.mirror.models import Chart, Order, Patient, PatientLink, Result, StoredFile
from labbridge.mirror.pseudonyms import named, pseudonyms_of
from labbridge.practices.models import Connection, Practice
from labbridge.reconcile.ledger import chain_of, export_lines, verify
from labbridge.reconcile.models import LedgerEntry
from labbridge.reconcile.refile import refile_practice
from labbridge.trust import sealing, signing, verifier
from labbridge.trust.chain import link
from labbridge.trust.models import AuditEntry
from tests.conftest import RunningCaspio, RunningRupa, empty_database, person

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Become another installation: an empty database, other keys, another anchor file."""
    from labbridge.trust import envelope, keys

    def forget() -> None:
        keys.keyring.cache_clear()
        signing.signer.cache_clear()
        signing.public_keys.cache_clear()
        envelope.data_keys.forget()

    there = override_settings(
        ENCRYPTION_KEYS=[b"the key of another installation!"], SIGNING_KEYS=[b"another signing key, 32 bytes ok"],
        ANCHOR_PATH=tmp_path / "anchor-elsewhere.jsonl",
    )  # fmt: skip

    def move() -> None:
        empty_database()
        there.enable()
        forget()
        keys.keyring().use_first_index_key()

    yield move
    if hasattr(there, "wrapped"):
        there.disable()
    forget()
    keys.keyring().use_first_index_key()


@pytest.fixture
def lived(
    practice: Practice,
    rupa_sim: RunningRupa,
    add_patient: Any,
    run_jobs: Any,
    deliver_all: Any,
    labbridge: Any,
) -> Practice:
    """A practice with orders in every state, results, a result amended, and a swept ledger."""
    labbridge("sync", "catalog")
    for number in (1, 2, 3):
        patient = add_patient(number)
        order = rupa_sim.order(patient["id"], paid=number != 3)
        if number < 3:
            rupa_sim.act(order, "result")
        if number == 2:
            deliver_all()
            run_jobs(waiting=True)
            rupa_sim.act(order, "amend")
    labbridge("sync", "patients")
    deliver_all()
    run_jobs(waiting=True)
    assert labbridge("sweep").exit_code == 0
    assert Result.objects.count() == 3
    return practice


def writes(caspio_sim: RunningCaspio) -> list[tuple[str, str]]:
    calls = [(one["method"], one["path"]) for one in caspio_sim.requests() if "/oauth" not in one["path"]]
    return [one for one in calls if one[0] != "GET"]


def test_a_move_writes_nothing_again_and_keeps_the_record(
    lived: Practice, elsewhere: Callable[[], None], caspio_sim: RunningCaspio, rupa_sim: RunningRupa,
    practice_toml: str, tmp_path: Path, labbridge: Any, run_jobs: Any,
) -> None:  # fmt: skip
    folder, key = tmp_path / "out", tmp_path / "export.key"
    more = ["--key-file", str(key)]
    assert writes(caspio_sim)
    done = labbridge(
        "practice", "export", "--to", str(folder), "--receiver", "New Host Inc.", *more, "--json"
    )
    assert done.exit_code == 0, done.output
    before = {
        "tables": caspio_sim.tables(),
        "orders": sorted(Order.objects.values_list("external_id", "phase", "first_seen_at")),
        "charts": sorted((one.key, one.person["email"]) for one in Chart.objects.all()),
        "links": sorted(PatientLink.objects.values_list("chart__key", "patient__external_id", "made_at")),
        "files": sorted((one.sha256, one.content) for one in StoredFile.objects.all()),
        "events": sorted((one.external_id, one.body) for one in Event.objects.all()),
        "ledger": list(LedgerEntry.objects.values_list("seq", "digest")),
        "audit": list(AuditEntry.objects.filter(practice="willow").values_list("pk", "digest")),
        "chart": Chart.objects.get(key="P-1").pk,
        "named": pseudonyms_of("P-1"),
    }
    assert b"testa1@" not in b"".join(one.read_bytes() for one in folder.rglob("*") if one.is_file())
    refuse_bad_copies(folder, key, tmp_path, labbridge)
    former = signing.signer()

    elsewhere()
    for place, said in bad_copies(tmp_path):
        refused = labbridge("practice", "import", str(place), *more)
        assert refused.exit_code == 1
        assert said in refused.output
        assert not Practice.objects.exists()
    assert labbridge("practice", "import", str(folder), *more, "--dry-run").exit_code == 0
    assert not Practice.objects.exists()
    done = labbridge("practice", "import", str(folder), *more)
    assert done.exit_code == 0, done.output
    assert "are whole" in done.output

    assert sorted(Order.objects.values_list("external_id", "phase", "first_seen_at")) == before["orders"]
    assert sorted((one.key, one.person["email"]) for one in Chart.objects.all()) == before["charts"]
    assert (
        sorted(PatientLink.objects.values_list("chart__key", "patient__external_id", "made_at"))
        == before["links"]
    )
    assert sorted((one.sha256, one.content) for one in StoredFile.objects.all()) == before["files"]
    assert sorted((one.external_id, one.body) for one in Event.objects.all()) == before["events"]
    assert list(LedgerEntry.objects.values_list("seq", "digest")) == before["ledger"]
    held = AuditEntry.objects.filter(practice="willow").values_list("pk", "digest")
    assert set(before["audit"]) - {one for one in before["audit"] if not one[1]} <= set(held)
    assert not any(one.credentials for one in Connection.objects.all()), "no secret travels"
    assert set(before["named"]) < set(pseudonyms_of("P-1")), "old entries and new ones are found"
    assert named(before["named"][0]) is not None

    # Connected again, nothing is written: neither by filing everything anew nor by a whole sweep.
    toml = practice_toml.splitlines()
    fresh = rupa_sim.call("POST", "/_sim/tokens", {})["refresh_token"]
    again = "\n".join(
        f'refresh_token = "{fresh}"' if line.startswith("refresh_token") else line for line in toml
    )
    (tmp_path / "practice.toml").write_text(again)
    assert labbridge("practice", "apply", str(tmp_path / "practice.toml")).exit_code == 0
    caspio_sim.forget_requests()
    moved = Practice.objects.get()
    run_jobs()
    refile_practice(moved)
    run_jobs(waiting=True)
    file_catalog(moved)
    assert labbridge("sync", "patients").exit_code == 0
    run_jobs(waiting=True)
    assert labbridge("sweep").exit_code == 0
    assert writes(caspio_sim) == []
    assert caspio_sim.tables() == before["tables"]

    # The chain goes on: old rows signed there, new ones here, both believed; also by who has only the export.
    assert LedgerEntry.objects.count() == len(before["ledger"]) + 1
    assert verify(moved) == []
    assert sealing.verify("willow").problems == []
    lines = [json.dumps(line).encode() + b"\n" for line in export_lines(moved)]
    assert verifier.check(lines, lines, [], []).problems == []

    # Whoever keeps the former host's key and gets at this database cannot go on with its ledger.
    last = LedgerEntry.objects.filter(practice=moved).last()
    assert last is not None
    forged = link(chain_of(moved), last.entry().head, dict(last.body), former)
    LedgerEntry.objects.create(
        practice=moved, seq=forged.seq, chain=forged.chain, date=last.date, previous=forged.previous,
        body=forged.body, digest=forged.digest, key=forged.key, signature=forged.signature,
    )  # fmt: skip
    assert any("former installation" in finding.sentence for finding in verify(moved))


def refuse_bad_copies(folder: Path, key: Path, tmp_path: Path, labbridge: Any) -> None:
    """Where the practice is still here, and with wrong keys; and make copies that are not whole."""
    more = ["--key-file", str(key)]
    assert "is not empty" in labbridge("practice", "export", "--to", str(folder)).output
    assert "holds a practice" in labbridge("practice", "import", str(folder), *more).output
    assert "apart" in labbridge("practice", "export", "--to", "x", "--key-file", "x/k").output
    other_key = tmp_path / "other.key"
    other_key.write_text("bm90IGEga2V5\n")
    assert "no key" in labbridge("practice", "import", str(folder), "--key-file", str(other_key)).output
    assert "sealed" in labbridge("practice", "import", str(folder)).output
    assert "trust" in labbridge("practice", "import", str(folder), *more, "--public-key", "00").output
    assert "no whole export" in labbridge("practice", "import", str(tmp_path / "nowhere")).output
    for place, _said in bad_copies(tmp_path):
        shutil.copytree(folder, place)
    unfinished, altered, missing, beyond, swapped, forged = (place for place, _ in bad_copies(tmp_path))
    (unfinished / "manifest.json").unlink()
    target = altered / "data" / "charts.jsonl.sealed"
    target.write_bytes(target.read_bytes()[:-1] + b"x")
    (missing / "data" / "orders.jsonl.sealed").unlink()
    (beyond / "data" / "more.jsonl.sealed").write_bytes(b"")
    one, other = (swapped / "data" / f"{name}.jsonl.sealed" for name in ("charts", "patients"))
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
    manifest = json.loads((forged / "manifest.json").read_text())
    manifest["rows"]["charts"] = 0
    (forged / "manifest.json").write_text(json.dumps(manifest))


def bad_copies(tmp_path: Path) -> list[tuple[Path, str]]:
    said = ("written last", "altered", "missing", "not part", "altered", "altered")
    return [(tmp_path / f"copy-{number}", words) for number, words in enumerate(said)]


def test_parquet_says_what_the_lines_say_and_each_patient_has_it_in_their_accounting(
    practice: Practice, tmp_path: Path, labbridge: Any, monkeypatch: Any
) -> None:
    charts = [Chart.objects.create(practice=practice, key=f"P-{one}", person=person(one)) for one in (1, 2)]
    patient = Patient.objects.create(practice=practice, external_id="pat_1", person=person(1))
    Order.objects.create(practice=practice, external_id="ord_1", patient=patient, total_price="12.50")
    StoredFile.objects.create(practice=practice, sha256="a" * 64, kind="pdf", size=4, content=b"%PDF")
    folder = tmp_path / "out"

    monkeypatch.setattr(take, "ledger_lines", lambda _practice: 1 / 0)  # it dies on the way
    assert labbridge("practice", "export", "--to", str(folder)).exit_code == 1
    assert not (folder / "manifest.json").exists()
    monkeypatch.undo()
    assert labbridge("practice", "export", "--to", str(folder), "--receiver", "New Host Inc.").exit_code == 0
    for name in ("orders", "charts", "practice", "audit"):
        lines = [json.loads(line) for line in (folder / "data" / f"{name}.jsonl").read_text().splitlines()]
        sheet = pq.read_table(folder / "parquet" / f"{name}.parquet").to_pylist()
        assert [str(row["id"]) for row in sheet] == [str(row["id"]) for row in lines]
    assert len(list((folder / "files").iterdir())) == StoredFile.objects.count()
    told = labbridge("audit", "disclosures", "--patient", charts[1].key, "--json")
    assert "New Host Inc." in told.output
    assert not (folder / "export.unfinished").exists()
    assert (folder.stat().st_mode & 0o077, (folder / "manifest.json").stat().st_mode & 0o077) == (0, 0)


def test_every_table_goes_or_stays_for_a_reason() -> None:
    known = {table.model._meta.label for table in TABLES} | STAYS.keys()
    ours = {model._meta.label for model in apps.get_models() if model.__module__.startswith("labbridge.")}
    assert ours == known
