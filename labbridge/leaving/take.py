"""Taking a practice out: one consistent moment of it, while the service runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson
from django.db import connection, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import QuerySet
from django.utils import timezone

from labbridge.leaving.filed import filed_rows
from labbridge.leaving.folder import Writing
from labbridge.leaving.parquet import TableSheet
from labbridge.leaving.rows import AT_ONCE, FILES, REMOVED, batches, encode
from labbridge.leaving.tables import TABLES, Table, manager_of
from labbridge.mirror.models import Chart, Patient
from labbridge.practices.models import Practice
from labbridge.reconcile.ledger import chain_of as ledger_chain
from labbridge.reconcile.ledger import export_lines as ledger_lines
from labbridge.reconcile.models import LedgerEntry
from labbridge.trust.audit import Actor, pseudonym, record
from labbridge.trust.former import hex_keys_of
from labbridge.trust.keys import keyring
from labbridge.trust.models import AuditEntry
from labbridge.trust.sealing import chain_of as audit_chain
from labbridge.trust.sealing import export_lines as audit_lines
from labbridge.trust.sealing import seal

Progress = Callable[[int, int], None]
NAMED_AT_ONCE = 1000  #: patients in one entry of the audit


@dataclass(frozen=True)
class Taken:
    rows: dict[str, int]
    files: int
    bytes: int


def counts(practice: Practice) -> dict[str, int]:
    """How many rows of each table would go."""
    return {table.name: rows_of(table, practice).count() for table in TABLES}


def rows_of(table: Table, practice: Practice) -> QuerySet[Any]:  # any: rows of that table
    rows = manager_of(table).all()
    if table.path == "chain":
        return rows.filter(chain__in=[ledger_chain(practice), audit_chain(practice.slug)]).order_by("pk")
    return rows.filter(**{table.path: practice.slug if table.by_slug else practice.pk}).order_by("pk")


def take_out(
    practice: Practice, place: Path, *, actor: Actor, key: bytes | None = None, to: str = "", why: str = "",
    progress: Progress = lambda _done, _total: None,
) -> Taken:  # fmt: skip
    """Write the whole practice into a folder. `to`: who is given it; it stands in each patient's accounting.

    Raises:
        LeavingProblem: the folder cannot be used.
        OSError: it cannot be written; what is there is no export, and the next try begins anew.

    """
    writing = Writing(place, key)
    writing.begin()
    _record(practice, actor, to=to, why=why)
    seal()
    with _one_moment():
        return _Taking(practice, writing, progress).run()


def _record(practice: Practice, actor: Actor, *, to: str, why: str) -> None:
    """Before anything is written, each patient by name: an accounting of disclosures must find it."""
    names = [pseudonym(row) for model in (Chart, Patient)
             for row in model.objects.filter(practice=practice).only("pk").iterator(AT_ONCE)]  # fmt: skip
    more = {"to": to[:100]} if to else {}
    for start in range(0, max(len(names), 1), NAMED_AT_ONCE):
        some = names[start : start + NAMED_AT_ONCE]
        record(
            "practice.export", actor=actor, practice=practice, patient=some, why=why, count=len(names), **more
        )


@contextmanager
def _one_moment() -> Iterator[None]:
    """Everything is read as it was at one moment, whatever is written meanwhile."""
    _ = keyring().index_key  # made at its first use, which could not be in here
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


class _Taking:
    def __init__(self, practice: Practice, writing: Writing, progress: Progress) -> None:
        self.practice, self.writing, self.progress = practice, writing, progress
        self.rows = counts(practice)
        self.total, self.done = sum(self.rows.values()), 0

    def run(self) -> Taken:
        for table in TABLES:
            self._table(table)
        self._lines("data/pseudonyms.jsonl", self._pseudonyms())
        self._lines("chains/ledger.jsonl", ledger_lines(self.practice))
        with self.writing.file("chains/audit.jsonl") as file:
            for line in audit_lines(self.practice.slug):
                file.write(line if line.endswith(b"\n") else line + b"\n")
        said = self.writing.end({
            "made_at": timezone.now().isoformat(), "version": version("labbridge"),
            "practice": {"slug": self.practice.slug, "name": self.practice.name},
            "rows": self.rows, "chains": self._chains(), "migrations": _migrations(),
        })  # fmt: skip
        return Taken(self.rows, len(said["files"]), sum(one["bytes"] for one in said["files"].values()))

    def _table(self, table: Table) -> None:
        rows = self._filed() if table.name == "filed_rows" else self._plain(table)
        with (
            self.writing.file(f"data/{table.name}.jsonl") as lines,
            self.writing.file(f"parquet/{table.name}.parquet") as file,
        ):
            sheet = TableSheet(table, file)
            for batch in batches(rows):
                lines.write(b"".join(orjson.dumps(row) + b"\n" for row in batch))
                sheet.add_rows(batch)
                self.done += len(batch)
                self.progress(self.done, self.total)
            sheet.close()

    def _filed(self) -> Iterator[dict[str, Any]]:
        return filed_rows(self.practice)

    def _plain(self, table: Table) -> Iterator[dict[str, Any]]:
        rows = rows_of(table, self.practice)
        if table.owners:
            rows = rows.select_related(*table.owners)
        for row in rows.iterator(AT_ONCE):
            said = encode(table, row)
            named = FILES.get(table.model)
            if named is not None and said[named[0]] != REMOVED:
                with self.writing.file(said[named[0]]) as file:
                    file.write(getattr(row, named[0]))
            yield said

    def _pseudonyms(self) -> Iterator[dict[str, Any]]:
        """What the audit calls each patient here: the next installation cannot work it out, and must know it."""
        for model in (Chart, Patient):
            for row in (
                model.objects.filter(practice=self.practice).only("pk").order_by("pk").iterator(AT_ONCE)
            ):
                yield {"pseudonym": pseudonym(row), "model": model._meta.label_lower, "row": str(row.pk)}

    def _lines(self, name: str, rows: Iterator[dict[str, Any]]) -> None:
        with self.writing.file(name) as file:
            for row in rows:
                file.write(orjson.dumps(row) + b"\n")

    def _chains(self) -> dict[str, Any]:
        """Where each chain ends, and whose signatures it carries."""
        ledger = LedgerEntry.objects.filter(practice=self.practice).order_by("seq").last()
        audit = (
            AuditEntry.objects.filter(practice=self.practice.slug, seq__isnull=False).order_by("seq").last()
        )
        ends = {ledger_chain(self.practice): ledger, audit_chain(self.practice.slug): audit}
        return {
            name: {"seq": last.seq if last else 0, "digest": last.digest if last else "0" * 64,
                   "public_keys": hex_keys_of(name)}
            for name, last in ends.items()
        }  # fmt: skip


def _migrations() -> list[str]:
    return sorted(f"{app}.{name}" for app, name in MigrationRecorder(connection).applied_migrations())
