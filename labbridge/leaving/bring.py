"""Bringing a practice in: into an empty installation, after every file was proven, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from django.db import connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone

from labbridge.leaving.folder import LeavingProblem, Reading
from labbridge.leaving.rows import batches, decode
from labbridge.leaving.tables import TABLES, Table, manager_of
from labbridge.practices.models import Practice
from labbridge.reconcile.ledger import anchor
from labbridge.reconcile.ledger import chain_of as ledger_chain
from labbridge.reconcile.ledger import verify as verify_ledger
from labbridge.reconcile.stuck import give_jobs
from labbridge.trust.audit import Actor, pseudonym, record
from labbridge.trust.former import believe
from labbridge.trust.models import AuditEntry, FormerKey, FormerPseudonym, LegalHold
from labbridge.trust.sealing import chain_of as audit_chain
from labbridge.trust.sealing import seal
from labbridge.trust.sealing import verify as verify_audit
from labbridge.trust.signing import public_keys

Progress = Callable[[int, int], None]

#: What a person or a peer has put there; an installation without any of it is as good as new.
_IN_USE = ("practices_practice", "inbox_event", "mirror_chart", "mirror_order", "reconcile_ledgerentry")
NOT_EMPTY = (
    "This installation holds a practice or events already. Bring a practice into an empty one: another "
    "LABBRIDGE_DATA_DIR or another database."
)


@dataclass(frozen=True)
class Brought:
    practice: Practice
    rows: dict[str, int]
    findings: list[str]  # what is wrong with the chains that came; nothing when all is well


def check(reading: Reading, progress: Progress = lambda _done, _total: None) -> None:
    """Whether it can be brought in here. Changes nothing. Raises LeavingProblem."""
    reading.prove(progress)
    known = {f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations or ()}
    if set(reading.manifest["migrations"]) - known:
        raise LeavingProblem(
            f"This export was made by a newer Labbridge ({reading.manifest.get('version', '?')}). Install that "
            "version or a later one, then import."
        )
    missing = [table.name for table in TABLES if not reading.has(f"data/{table.name}.jsonl")]
    if missing:
        raise LeavingProblem(
            f"The export lacks the table {missing[0]}. Run the export again with this version."
        )
    _check_empty()


def _check_empty() -> None:
    with connection.cursor() as cursor:
        for table in _IN_USE:
            cursor.execute(f'SELECT EXISTS (SELECT 1 FROM "{table}")')  # noqa: S608  # our own names
            if cursor.fetchone()[0]:
                raise LeavingProblem(NOT_EMPTY)


def bring_in(reading: Reading, *, actor: Actor, progress: Progress = lambda _done, _total: None) -> Brought:
    """All of it, or nothing has changed.

    Raises:
        LeavingProblem: with what to do.

    """
    check(reading)
    with transaction.atomic():
        _check_empty()
        practice = _Bringing(reading, progress).run()
        record("practice.import", actor=actor, practice=practice, count=sum(reading.manifest["rows"].values()),
               key=reading.manifest["public_key"][:16])  # fmt: skip
    seal()
    problem = anchor(practice)
    report = verify_audit(practice.slug)
    findings = [finding.sentence for finding in verify_ledger(practice)]
    findings += [one.sentence for one in report.problems]
    return Brought(practice, dict(reading.manifest["rows"]), list(filter(None, [problem, *findings])))


class _Bringing:
    def __init__(self, reading: Reading, progress: Progress) -> None:
        self.reading, self.progress = reading, progress
        self.total, self.done = sum(reading.manifest["rows"].values()), 0

    def run(self) -> Practice:
        for table in TABLES:
            self._table(table)
        practice = Practice.objects.get()
        self._pseudonyms(practice)
        self._believe(practice)
        with connection.cursor() as cursor:
            for statement in connection.ops.sequence_reset_sql(
                _no_style(), [table.model for table in TABLES]
            ):
                cursor.execute(statement)
        give_jobs(practice)
        return practice

    def _table(self, table: Table) -> None:
        count = 0
        for batch in batches(self._said(f"data/{table.name}.jsonl")):
            if table.model is AuditEntry:
                _check_places(batch)
            manager_of(table).bulk_create(decode(table, batch, self.reading.content))
            count += len(batch)
            self.done += len(batch)
            self.progress(self.done, self.total)
        if count != self.reading.manifest["rows"][table.name]:
            raise LeavingProblem(f"The table {table.name} does not have the rows that the manifest names.")

    def _said(self, name: str) -> Iterator[dict[str, Any]]:
        for line in self.reading.lines(name):
            yield orjson.loads(line)

    def _pseudonyms(self, practice: Practice) -> None:
        """Entries of the audit that came keep their names for patients; holds get those of here."""
        here: dict[str, str] = {}
        former = []
        for said in self._said("data/pseudonyms.jsonl"):
            row = FormerPseudonym(practice=practice.slug, **said)
            here[row.pseudonym] = pseudonym(_Named(row.model, row.row))  # type: ignore[arg-type]  # it asks for two things
            former.append(row)
        FormerPseudonym.objects.bulk_create(former, batch_size=1000, ignore_conflicts=True)
        for hold in LegalHold.objects.filter(practice=practice.slug):
            hold.patients = sorted({here.get(one, one) for one in hold.patients})
            hold.save(update_fields=["patients"])

    def _believe(self, practice: Practice) -> None:
        """The chains were signed elsewhere: their keys count for what came, and for nothing that is added here."""
        at = timezone.now().isoformat(timespec="seconds")
        ours = set(public_keys().in_hex())
        FormerKey.objects.all().delete()  # said again below, and signed by us
        for chain in (ledger_chain(practice), audit_chain(practice.slug)):
            said = self.reading.manifest["chains"][chain]
            for public in said["public_keys"]:
                if public not in ours:
                    believe(chain, (said["seq"], said["digest"]), public, at)


class _Named:
    """Enough of a row to work out its pseudonym."""

    def __init__(self, label: str, key: object) -> None:
        self.pk = key
        self._meta = type("_Meta", (), {"label_lower": label})


def _check_places(batch: list[dict[str, Any]]) -> None:
    """Numbers of audit entries are part of what their chain signs, so they cannot be changed."""
    if AuditEntry.objects.filter(pk__in=[one["id"] for one in batch]).exists():
        raise LeavingProblem(
            "The audit of this installation has entries already, with the same numbers as those that come. Bring the "
            "practice into a new installation first, and add people afterwards."
        )


def _no_style() -> Any:  # any: Django's
    from django.core.management.color import no_style

    return no_style()
