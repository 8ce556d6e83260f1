"""The completeness ledger: any single entry altered, removed, moved or cut off is seen, with a sentence naming it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.db import connection, transaction
from django.db.utils import ProgrammingError
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labbridge.practices.config import parse
from labbridge.practices.models import Connection, Practice
from labbridge.reconcile.ledger import (
    anchor,
    day_entries,
    export_lines,
    note_restart,
    shown,
    verify,
    write_entry,
)
from labbridge.reconcile.models import Kind, LedgerEntry, Listed, Repair, Sweep, SweepState
from labbridge.reconcile.page import page_of
from labbridge.reconcile.watch import completeness
from labbridge.trust import verifier
from labbridge.trust.signing import public_keys
from tests.world import PRACTICE_TOML

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = 5


@pytest.fixture
def practice() -> Practice:
    return Practice.objects.create(
        slug="willow", name="Willow Functional Medicine", time_zone="America/Los_Angeles"
    )


def add_entry(practice: Practice, *, anchored: bool = True) -> LedgerEntry:
    sweep = Sweep.objects.create(practice=practice, depth="asked")
    Repair.objects.create(sweep=sweep, kind=Kind.ROW_EDITED, subject="lab_orders:ord_1")
    entry = write_entry(sweep)
    Sweep.objects.update(state="done")
    if anchored:
        assert anchor(practice) == ""
    return entry


@pytest.fixture
def entries(practice: Practice) -> list[LedgerEntry]:
    return [add_entry(practice) for _ in range(ROWS)]


def tamper(statement: str, *values: Any) -> None:
    """As somebody who owns the database may: its guard against changes is put aside."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE reconcile_ledgerentry DISABLE TRIGGER USER")
        cursor.execute(statement, values)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # deferred ones would refuse the next line
        cursor.execute("ALTER TABLE reconcile_ledgerentry ENABLE TRIGGER USER")


def sentences(practice: Practice) -> list[str]:
    return [finding.sentence for finding in verify(practice)]


def test_a_whole_ledger_verifies(practice: Practice, entries: list[LedgerEntry]) -> None:
    assert verify(practice) == []
    said = shown(entries[-1])
    assert list(said)[:9] == [
        "date", "practice", "listed", "held", "filed", "in_review", "rejected", "repaired", "difference",
    ]  # fmt: skip
    assert (said["practice"], said["repaired"], said["difference"], said["seq"]) == ("willow", 1, 0, ROWS)
    assert [entry.seq for entry in day_entries(practice)] == [ROWS], "the day's entry is the last of the day"


def test_nothing_of_ours_changes_an_entry(practice: Practice, entries: list[LedgerEntry]) -> None:
    with pytest.raises(TypeError):
        entries[0].delete()
    with pytest.raises(TypeError):
        entries[0].save()
    for act in (lambda rows: rows.update(date="2020-01-01"), lambda rows: rows.delete()):
        with pytest.raises(ProgrammingError, match="append-only"), transaction.atomic():
            act(LedgerEntry.objects.filter(seq=1))


CHANGES = st.one_of(
    st.tuples(
        st.just("body"), st.sampled_from(["listed", "repaired", "difference", "date", "practice", "at"])
    ),
    st.tuples(
        st.just("column"), st.sampled_from(["previous", "digest", "key", "signature", "chain", "date", "seq"])
    ),
    st.tuples(st.just("body_of_another_kind"), st.sampled_from(["[]", "null", '"x"', "{}"])),
    st.tuples(st.just("delete"), st.just("")),
    st.tuples(st.just("swap"), st.integers(1, ROWS - 1)),
    st.tuples(st.just("cut"), st.just("")),
    st.tuples(st.just("another_practice"), st.just("")),
)
OTHER = {
    "previous": "f" * 64, "digest": "f" * 64, "key": "0" * 16, "signature": "AAAA", "chain": "ledger:oak",
    "date": "2020-01-01", "seq": 99,
}  # fmt: skip


@settings(
    max_examples=40, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(number=st.integers(1, ROWS), change=CHANGES)
def test_any_change_to_any_single_row_is_seen(
    practice: Practice, entries: list[LedgerEntry], number: int, change: tuple[str, Any]
) -> None:
    with transaction.atomic():
        _change(practice, number, *change)
        found = sentences(practice)
        transaction.set_rollback(True)
    assert found
    assert all(any(word in sentence for word in ("Row", "row")) for sentence in found), found
    assert verify(practice) == [], "and nothing is seen where nothing was changed"


def _change(practice: Practice, number: int, how: str, what: Any) -> None:
    entry = LedgerEntry.objects.get(practice=practice, seq=number)
    where = f"WHERE id = {entry.pk}"
    table = "reconcile_ledgerentry"
    match how:
        case "body":
            body = {**entry.body, what: 7 if isinstance(entry.body[what], int) else "2020-01-01"}
            tamper(f"UPDATE {table} SET body = %s {where}", orjson.dumps(body).decode())
        case "column":
            tamper(f"UPDATE {table} SET {what} = %s {where}", OTHER[what])
        case "body_of_another_kind":
            tamper(f"UPDATE {table} SET body = %s::jsonb {where}", what)
        case "delete":
            tamper(f"DELETE FROM {table} {where}")
        case "swap":
            other = number % ROWS + 1 if what == number else what
            rows = {number: other, other: number}
            for old in rows:
                tamper(f"UPDATE {table} SET seq = {1000 + old} WHERE seq = {old}")
            for old, new in rows.items():
                tamper(f"UPDATE {table} SET seq = {new} WHERE seq = {1000 + old}")
        case "cut":
            tamper(f"DELETE FROM {table} WHERE seq >= {number}")
        case _:
            oak = Practice.objects.create(slug="oak", name="Oak")
            tamper(f"UPDATE {table} SET practice_id = %s {where}", oak.pk)


@settings(
    max_examples=60, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(
    number=st.integers(1, ROWS),
    how=st.sampled_from([
        "delete", "move", "cut", "repeat", "seq", "previous", "body", "digest", "key", "signature", "chain",
    ]),
    to=st.integers(1, ROWS),
)  # fmt: skip
def test_the_offline_verifier_sees_any_change_to_any_single_row(
    practice: Practice, entries: list[LedgerEntry], anchors: Path, number: int, how: str, to: int
) -> None:
    lines = [orjson.dumps(line) + b"\n" for line in export_lines(practice)]
    anchor_lines = anchors.read_bytes().splitlines(keepends=True)
    changed = _changed_export(lines, number, how, to)

    def problems(of: list[bytes]) -> list[Any]:
        keys, wanted = public_keys().in_hex(), {"ledger:willow"}.__contains__
        return verifier.check(of, of, anchor_lines, keys, wanted).problems

    assert bool(problems(changed)) == (changed != lines)
    assert problems(lines) == []


def _changed_export(lines: list[bytes], number: int, how: str, to: int) -> list[bytes]:
    line = lines[number]  # the first line tells the keys
    rest = lines[:number] + lines[number + 1 :]
    match how:
        case "delete":
            return rest
        case "move":
            return [*rest[:to], line, *rest[to:]]
        case "cut":
            return lines[:number]
        case "repeat":
            return [*lines[:to], line, *lines[to:]]
    said = orjson.loads(line)
    said[how] = {**said["body"], "repaired": 0} if how == "body" else OTHER[how]
    return [*lines[:number], orjson.dumps(said) + b"\n", *lines[number + 1 :]]


def test_newest_rows_cut_off_are_named(practice: Practice, entries: list[LedgerEntry]) -> None:
    with transaction.atomic():
        tamper("DELETE FROM reconcile_ledgerentry WHERE seq >= 4")
        assert sentences(practice)[0] == (
            "The newest rows are missing: row 5 was anchored outside, and the last row here is 3."
        )
        transaction.set_rollback(True)


def test_an_anchor_that_lacks_the_newest_row_is_told_and_mended(practice: Practice, anchors: Path) -> None:
    add_entry(practice)
    add_entry(practice, anchored=False)
    assert "row (2) is not in the anchor file" in sentences(practice)[0]
    assert anchor(practice) == ""
    assert verify(practice) == []
    anchors.unlink()
    assert "not in the anchor file" in sentences(practice)[0]


def test_an_anchor_that_cannot_be_written_is_a_sentence(
    practice: Practice, settings: Any, tmp_path: Path
) -> None:
    settings.ANCHOR_PATH = tmp_path / "missing" / "anchors.jsonl"
    add_entry(practice, anchored=False)
    assert "cannot be written (No such file or directory)" in anchor(practice)
    settings.ANCHOR_PATH = tmp_path
    assert "cannot be read" in sentences(practice)[0]


def test_a_restored_backup_goes_on_when_it_was_said_outside(
    practice: Practice, entries: list[LedgerEntry]
) -> None:
    with transaction.atomic():  # an older state of the database, with the anchors of the newer one
        tamper("DELETE FROM reconcile_ledgerentry WHERE seq >= 4")
        assert note_restart(practice, "Restored from a backup.") == ""
        assert verify(practice) == []
        transaction.set_rollback(True)


def test_a_repair_and_a_difference_are_alarms(practice: Practice) -> None:
    assert (completeness.repairs(timezone.now()), completeness.differences(timezone.now())) == ([], [])
    add_entry(practice)
    Listed.objects.create(practice=practice, external_id="ord_lost", listed_at=timezone.now())
    entry = add_entry(practice)
    assert entry.body["differences"] == [
        {"id": "ord_lost", "why": "Rupa lists this order and Labbridge does not hold it."}
    ]
    (repaired,) = completeness.repairs(timezone.now())
    (differs,) = completeness.differences(timezone.now())
    assert dict(repaired.params) == {"day": entry.date.isoformat(), "count": 2}
    assert (differs.rule, dict(differs.params)["count"]) == ("ledger_difference", 1)


def test_a_comparison_that_is_not_made_is_an_alarm(practice: Practice) -> None:
    now, late = timezone.now(), timedelta(hours=37)
    assert completeness.late(now + late) == [], "nothing is connected yet"
    config = parse(PRACTICE_TOML.format(caspio="https://c0abc123.caspio.com", rate=5, refresh_token="t"))
    Practice.objects.update(config=config.model_dump(mode="json"))
    Connection.objects.create(practice=practice, peer="rupa", account="main", state="active")
    assert completeness.late(now) == []
    (never,) = completeness.late(now + late)
    assert (never.rule, dict(never.params)) == (
        "ledger_late",
        {"since": practice.created_at.replace(microsecond=0).isoformat()},
    )
    Sweep.objects.create(practice=practice, state=SweepState.DONE, depth="hourly", finished_at=now + late)
    assert completeness.late(now + late) == []
    Sweep.objects.create(practice=practice, depth="hourly", started_at=now + late)
    assert completeness.late(now + 3 * late), "one that is under way is none"
    Connection.objects.filter(practice=practice, peer="rupa").update(state="reconnect")
    assert completeness.late(now + 3 * late) == [], "why is another alarm's to say"


def test_one_page_for_the_compliance_file(practice: Practice) -> None:
    import io

    from pypdf import PdfReader

    entry = add_entry(practice)
    entry.body["in_review_because"] = [{"why": "A sentence… " * 20, "count": 3, "ids": ["ord_1"] * 3}] * 40
    entry.body["differences"] = [{"id": f"ord_{n}", "why": "Not held."} for n in range(60)]
    entry.body["difference"] = 60
    for findings in ([], ["Row 3 was altered."]):
        reader = PdfReader(io.BytesIO(page_of(practice.name, entry, findings)))
        assert len(reader.pages) == 1
        text = reader.pages[0].extract_text()
        assert "Willow Functional Medicine" in text
        assert entry.digest in text.replace("\n", "")
        assert ("NOT WHOLE" in text) == bool(findings)
