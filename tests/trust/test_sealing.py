"""Chains of the audit, their anchor outside, and the offline verifier: any single change to any row is seen."""

from __future__ import annotations

import base64
import copy
import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from labbridge.trust import audit, sealing, verifier
from labbridge.trust.chain import Signer, link
from labbridge.trust.models import AuditEntry, AuditHead
from labbridge.trust.signing import public_keys, signer

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def anchor(settings, tmp_path: Path) -> Path:
    settings.ANCHOR_PATH = tmp_path / "anchors.jsonl"
    return tmp_path / "anchors.jsonl"


def behind_our_back(statement: str) -> None:
    """As somebody who owns the database could."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE trust_auditentry DISABLE TRIGGER append_only")
        cursor.execute(statement)
        cursor.execute("ALTER TABLE trust_auditentry ENABLE TRIGGER append_only")


def fill(count: int = 3, practice: str = "willow", **more: Any) -> None:
    for number in range(count):
        audit.record(
            "order.file", actor=audit.job("file_order"), practice=practice, subject=f"order:{number}", **more
        )


def sentences(report: verifier.Report) -> str:
    return "\n".join(map(str, report.problems))


def offline(lines: list[bytes], anchor: Path | None = None) -> verifier.Report:
    heads = anchor.read_bytes().splitlines(keepends=True) if anchor else []
    return verifier.check(lines, lines, heads, public_keys().in_hex())


def test_each_practice_has_a_chain_of_its_own_and_all_are_whole(anchor: Path):
    fill(3)
    fill(2, "maple")
    audit.record("session.open", actor=audit.Actor("person", "1", "ada"))
    assert sealing.seal() == 6
    report = sealing.verify()
    assert report.problems == []
    assert report.rows == {"audit:": 1, "audit:maple": 2, "audit:willow": 3}
    assert offline(list(sealing.export_lines()), anchor).problems == []
    assert offline(list(sealing.export_lines("maple"))).rows == {"audit:maple": 2}


def test_sealing_goes_on_where_it_ended_and_finds_nothing_twice():
    fill(2)
    sealing.seal()
    fill(2)
    assert sealing.seal() == 2
    assert sealing.seal() == 0
    assert list(AuditEntry.objects.values_list("seq", flat=True)) == [1, 2, 3, 4]
    assert [head.seq for head in AuditHead.objects.all()] == [2, 4]
    assert sealing.verify().problems == []


def test_many_entries_are_sealed_in_several_steps(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sealing, "AT_ONCE", 2)
    fill(5)
    assert sealing.seal() == 5
    assert sealing.verify().problems == []


def test_entries_that_nobody_seals_are_counted():
    entry = audit.record("keys.rotate", actor=audit.operator())
    assert sealing.late() == 0
    behind_our_back(f"UPDATE trust_auditentry SET at = at - interval '1 hour' WHERE id = {entry.pk}")
    assert sealing.late() == 1


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("UPDATE trust_auditentry SET actor_name = 'eve' WHERE seq = 2", "Row 2 was altered"),
        ("UPDATE trust_auditentry SET patients = '{}' WHERE seq = 2", "Row 2 was altered"),
        ("DELETE FROM trust_auditentry WHERE seq = 1", "no row says that retention removed them"),
        ("DELETE FROM trust_auditentry WHERE seq = 2", "Row 2 is missing"),
        ("DELETE FROM trust_auditentry WHERE seq = 4", "newest rows are missing"),
        ("DELETE FROM trust_auditentry", "newest rows are missing"),
        ("UPDATE trust_auditentry SET seq = seq + 10 WHERE seq = 4", "Rows 4 to 13 are missing"),
    ],
)
def test_what_somebody_did_to_the_table_is_seen(statement: str, sentence: str):
    fill(4, patient="ab" * 16)
    sealing.seal()
    behind_our_back(statement)
    assert sentence in sentences(sealing.verify())


def rehash_from(seq: int, name: str) -> None:
    """A forger who owns the database and knows how the chain is made, but has no signing key."""
    last = None
    for entry in AuditEntry.objects.filter(seq__isnull=False).order_by("seq"):
        if entry.seq == seq:
            entry.actor_name = name
        made = link("audit:willow", last, audit.body_of(entry))
        last = made.head
        behind_our_back(
            f"UPDATE trust_auditentry SET actor_name = '{entry.actor_name}', previous = '{made.previous}', "
            f"digest = '{made.digest}' WHERE id = {entry.pk}"
        )


def test_a_chain_that_was_hashed_again_does_not_fit_its_signed_heads():
    fill(3)
    sealing.seal()
    rehash_from(2, "eve")
    assert "not the one in a signed head" in sentences(sealing.verify())


def test_without_the_heads_in_the_database_the_anchor_outside_tells_all_the_same(anchor: Path):
    fill(3)
    sealing.seal()
    rehash_from(2, "eve")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL labbridge.retention = 'on'")
        cursor.execute("DELETE FROM trust_audithead")
        cursor.execute("SET LOCAL labbridge.retention = 'off'")
    assert "not the one in the anchor file" in sentences(sealing.verify())


def test_cutting_off_the_newest_rows_with_their_heads_is_seen_through_the_anchor(anchor: Path):
    fill(2)
    sealing.seal()
    kept = list(sealing.export_lines())
    fill(2)
    sealing.seal()
    assert offline(kept).problems == []
    assert "newest rows are missing" in sentences(offline(kept, anchor))


def test_a_chain_that_is_missing_altogether_is_seen(anchor: Path):
    fill(2)
    sealing.seal()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL labbridge.retention = 'on'")
        cursor.execute("DELETE FROM trust_auditentry; DELETE FROM trust_audithead")
        cursor.execute("SET LOCAL labbridge.retention = 'off'")
    assert "newest rows are missing" in sentences(sealing.verify())


def test_after_a_restore_the_anchor_file_says_why_newer_rows_are_gone(anchor: Path):
    fill(2)
    sealing.seal()
    kept = list(sealing.export_lines())
    fill(2)
    sealing.seal()
    behind_our_back("DELETE FROM trust_auditentry WHERE seq > 2")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL labbridge.retention = 'on'")
        cursor.execute("DELETE FROM trust_audithead WHERE seq > 2")
        cursor.execute("SET LOCAL labbridge.retention = 'off'")
    sealing.restarted("The backup of Monday was restored.")
    assert offline(kept, anchor).problems == []
    assert sealing.verify().problems == []
    fill(1)
    sealing.seal()
    assert sealing.verify().problems == []


def test_a_head_that_could_not_be_written_outside_is_written_later(settings, tmp_path: Path):
    settings.ANCHOR_PATH = tmp_path / "away" / "anchors.jsonl"
    fill(1)
    assert sealing.seal() == 1  # the disk outside is away: the service goes on
    (tmp_path / "away").mkdir()
    sealing.anchor_all()
    sealing.anchor_all()
    assert settings.ANCHOR_PATH.read_bytes().count(b"\n") == 1
    assert sealing.verify().problems == []


# -- the property: every row, every member, every kind ------------------------------------------------------------


def an_export() -> list[bytes]:
    """One entry of every action, the ledger of a practice beside it, in two chains of the audit."""
    patients = ["ab" * 16, "cd" * 16]
    for number, name in enumerate(audit.ACTIONS):
        audit.record(
            name, actor=audit.Actor("person", "7", "ada", "192.0.2.1"), practice="willow" if number % 2 else "",
            patient=patients[: number % 3], subject=f"order:{number}", why="why", count=number, kind="x",
        )  # fmt: skip
        if number % 9 == 0:
            sealing.seal()
    sealing.seal()
    ledger: list[bytes] = []
    last = None
    for day in range(1, 5):
        made = link(
            "ledger:willow", last, {"date": f"2026-03-0{day}", "listed": 3, "difference": []}, signer()
        )
        last = made.head
        ledger.append(json.dumps({**vars(made), "body": dict(made.body)}).encode() + b"\n")
    return [*sealing.export_lines(), *ledger]


def is_row(line: bytes) -> bool:
    return verifier.is_entry(json.loads(line))


def changed(value: Any) -> Any:
    """Something else of the same kind."""
    match value:
        case bool() | None:
            return "x"
        case int():
            return value + 1
        case str():
            return ("x" if value[:1] != "x" else "y") + value[1:]
        case list():
            return [*value, "x"]
        case dict():
            return {**value, "x": 1}
    raise AssertionError(value)


def paths(value: Any, here: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every member of a row, however deep."""
    if not isinstance(value, dict):
        return [here]
    return [here, *(path for name, one in value.items() for path in paths(one, (*here, name)))]


def with_change(row: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    other = copy.deepcopy(row)
    where = other
    for name in path[:-1]:
        where = where[name]
    where[path[-1]] = changed(where[path[-1]])
    return other


def test_any_single_change_to_any_row_of_any_kind_is_detected(anchor: Path):
    lines = an_export()
    assert offline(lines, anchor).problems == []
    rows = [number for number, line in enumerate(lines) if is_row(line)]
    assert len(rows) > len(audit.ACTIONS)
    ledger = {number for number in rows if b'"ledger:willow"' in lines[number]}

    @settings(max_examples=150, deadline=None)
    @given(st.data())
    def detected(data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(rows))
        row = json.loads(lines[number])
        path = data.draw(st.sampled_from([path for path in paths(row) if path]))
        other = with_change(row, path)
        tampered = [*lines[:number], json.dumps(other).encode() + b"\n", *lines[number + 1 :]]
        assert offline(tampered, anchor).problems, path

    detected()
    for number in rows:  # removed: the ledger's newest row is seen through its anchor only
        newest = number == max(ledger)
        assert newest or offline([*lines[:number], *lines[number + 1 :]], anchor).problems
    for one, other in itertools.pairwise(rows):  # moved
        if (one in ledger) == (other in ledger) and _chain(lines[one]) == _chain(lines[other]):
            swapped = list(lines)
            swapped[one], swapped[other] = swapped[other], swapped[one]
            assert offline(swapped, anchor).problems
    repeated = [*lines, lines[rows[0]]]
    assert offline(repeated, anchor).problems


def _chain(line: bytes) -> str:
    return str(json.loads(line)["chain"])


def test_a_forged_signature_or_a_strangers_key_convinces_nobody(anchor: Path):
    fill(2)
    sealing.seal()
    lines = list(sealing.export_lines())
    stranger = Signer(b"somebody else who also can sign.").public.hex()
    report = verifier.check(lines, lines, [], [stranger])
    assert "not signed with a trusted key" in "\n".join(map(str, report.problems))
    believing = verifier.check(lines, lines, [], [])
    assert believing.problems == []
    assert believing.believed == public_keys().in_hex()


@pytest.mark.parametrize(
    "line",
    [b"not JSON\n", b"[]\n", b'{"a": 1}\n', b'{"chain": "audit:", "chain": "audit:x"}\n', b'{"seq": 1.5}\n',
     b'{"seq": 9007199254740992}\n'],
)  # fmt: skip
def test_lines_that_two_readers_could_understand_differently_are_refused(line: bytes):
    assert verifier.check([line], [line], [], []).problems


# -- as a program of its own --------------------------------------------------------------------------------------


def run(*arguments: object, isolated: bool = True) -> subprocess.CompletedProcess[str]:
    """Without our package, and without `cryptography` (-I -S leaves the standard library only)."""
    flags = ["-I", "-S"] if isolated else []
    return subprocess.run(
        [sys.executable, *flags, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_verifier_runs_alone_with_nothing_but_python(anchor: Path, tmp_path: Path):
    fill(3)
    sealing.seal()
    program, export = tmp_path / "verify.py", tmp_path / "audit.jsonl"
    program.write_bytes(Path(verifier.__file__).read_bytes())
    export.write_bytes(b"".join(sealing.export_lines()))
    key = public_keys().in_hex()[0]
    done = run(program, export, "--anchor", anchor, "--key", key, "--chain", "audit:willow")
    assert (done.returncode, done.stderr) == (0, "")
    assert "audit:willow: 3 rows" in done.stdout
    export.write_bytes(export.read_bytes().replace(b"order:1", b"order:9"))
    done = run(program, export, "--anchor", anchor, "--key", key)
    assert done.returncode == 1
    assert "Row 2 was altered" in done.stdout
    assert run(program, export, "--chain", "audit:elsewhere").returncode == 1
    assert run(program, tmp_path / "none").returncode == 2
    assert run(program, export, "--key", "no key").returncode == 2


#: RFC 8032, section 7.1, TEST 1 to 3 (secret key left out): public key, message, signature.
VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
        ("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
        "d25bf5f0595bbe24655141438e7a100b"),
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
        ("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
        "387b2eaeb4302aeeb00d291612bb0c00"),
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
        ("6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
        "4a7c15e9716ed28dc027beceea1ec40a"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("public", "message", "signed"), VECTORS)
def test_the_plain_verification_follows_rfc_8032(public: str, message: str, signed: str):
    key, text, signature = map(bytes.fromhex, (public, message, signed))
    assert verifier.verify_plainly(key, text, signature)
    assert verifier.verify_signature(key, text, signature)
    assert not verifier.verify_plainly(key, text + b"x", signature)
    assert not verifier.verify_plainly(key, text, signature[:-1])
    order = verifier.ORDER
    too_large = signature[:32] + (int.from_bytes(signature[32:], "little") + order).to_bytes(32, "little")
    assert not verifier.verify_plainly(key, text, too_large)  # the same signature in another spelling


@settings(max_examples=25, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=40), st.integers(0, 511))
def test_both_ways_of_checking_a_signature_agree(seed: bytes, message: bytes, bit: int):
    made = Signer(seed)
    signature = bytearray(base64.b64decode(made.sign(message)))
    assert verifier.verify_plainly(made.public, message, bytes(signature))
    signature[bit // 8] ^= 1 << (bit % 8)
    assert not verifier.verify_plainly(made.public, message, bytes(signature))
    assert not verifier.verify_signature(made.public, message, bytes(signature))
