"""Executing a plan of rows so that doing it again changes nothing.

For every row the filing ledger (`FiledRow`) is asked first: what Caspio is known to hold costs no call. An
intent is committed before each call, so after a crash or a lost answer the row is looked up before it is written.
The intents of a few rows are committed together and so are Caspio's answers, since each commit waits for the disk: a
crash costs a look at each of those few, also at those that were not sent yet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

import orjson
import structlog
from django.db import transaction
from django.utils import timezone

from labbridge.database.prepared import Prepared
from labbridge.filing.models import FiledRow, RowState
from labbridge.filing.refusals import alike, refusal
from labbridge.filing.rows import Attachment, FileRemoved, Row, wall_clock
from labbridge.filing.tables import ATTACHMENT, SYNCED_AT, TABLES, TableSpec, Value, canonical
from labbridge.outbox.models import Kind
from labbridge.outbox.note import note
from labbridge.peers.caspio import Caspio
from labbridge.peers.caspio import where as q
from labbridge.peers.caspio.table import Table
from labbridge.peers.errors import (
    Conflict,
    Forbidden,
    NotFound,
    OutcomeUnknown,
    PeerError,
    RateLimited,
    Rejected,
    Unauthorized,
    Unavailable,
)
from labbridge.practices.config import PracticeConfig
from labbridge.practices.models import Practice
from labbridge.trust.keys import keyring

log = structlog.get_logger()

RESULTS = "lab_results"

NO_KEY = "row_without_key"  # Caspio did not tell the PK_ID of a row that it has just made

AT_ONCE = 5  #: rows whose intents are committed together: about a second's worth of calls

#: After these nothing was written, so the ledger goes back to what it knew.
NOT_WRITTEN = (RateLimited, Rejected, NotFound, Forbidden, Unauthorized, Unavailable)


class FilingProblem(Exception):
    """Caspio would not take something. The sentence names the table, the field and what to do, never data."""

    def __init__(self, sentence: str, *, retry_after: float | None = None, whole_table: bool = False) -> None:
        super().__init__(sentence)
        self.sentence, self.retry_after, self.whole_table = sentence, retry_after, whole_table


def hashes(spec: TableSpec, values: dict[str, Any]) -> dict[str, str]:
    """Keyed hashes of a row's values, by field."""
    ring = keyring()
    return {
        name: ring.blind(f"{spec.word}.{name}={canonical(spec.field(name), value)}", "filed value").hex()[:20]
        for name, value in values.items()
    }


class Filer:
    """Files rows into one practice's Caspio account. One filer runs for one group at a time."""

    def __init__(self, practice: Practice, config: PracticeConfig, caspio: Caspio) -> None:
        self.practice, self.config, self.caspio = practice, config, caspio
        self.names: dict[str, str] = config.caspio.tables.model_dump()
        self.done: Counter[str] = Counter()
        self._broken: dict[str, PeerError] = {}
        self._problem: FilingProblem | None = None
        self._row: Row | None = None  # that is being filed
        self._ahead: dict[UUID, FiledRow] = {}  # of which the database says more than is done yet

    def file(self, rows: Sequence[Row], group: str, *, create: bool = True) -> Counter[str]:
        """Bring every row to what it should be, and take away rows of the group that are no longer planned.

        One refused row does not keep the others back: all are tried, then the first refusal is raised. Without
        `create`, rows that Caspio is not known to hold are left out.

        Raises:
            FilingProblem: a sentence for people; the job waits and tries again.
            PeerError: Caspio is away or slow; what was done stays done.

        """
        pending, surplus = _compared(self.practice, rows, group)
        self.done["unchanged"] += len(rows) - len(pending)
        for first in range(0, len(pending), AT_ONCE):
            self._file_some(pending[first : first + AT_ONCE], create=create)
        for ledger in surplus:
            self._try(ledger.table, ledger.key, partial(self._remove, ledger))
        if self._problem is not None:
            raise self._problem
        return self.done

    def _file_some(self, pending: Sequence[tuple[Row, FiledRow]], *, create: bool) -> None:
        self._intend_all(pending, create=create)
        try:
            for row, ledger in pending:
                step = partial(self._file_row, row, ledger, create=create and row.create)
                self._try(row.table, row.key, step)
        finally:  # what Caspio answered, and that nothing was sent of the others
            self._write_down()

    def _try(self, word: str, key: str, step: Callable[[], None]) -> None:
        broken = self._broken.get(word)
        if broken is not None:  # the table or a field is missing: asking again would cost a call
            return
        try:
            step()
        except FilingProblem as problem:
            self._problem = self._problem or problem
        except (Rejected, NotFound, Forbidden, Conflict) as error:
            whole_table = isinstance(error, NotFound | Forbidden) and error.code != NO_KEY
            if whole_table:
                self._broken[word] = error
            self._problem = self._problem or FilingProblem(
                refusal(self.names[word], TABLES[word], key, error),
                retry_after=error.retry_after,
                whole_table=whole_table,
            )
            log.warning("filing.refused", practice=self.practice.slug, table=word, key=key,
                        status=error.status, code=error.code, fields=list(error.fields),
                        request_id=error.request_id)  # fmt: skip

    # -- one row ---------------------------------------------------------------------------------------------

    def _file_row(self, row: Row, ledger: FiledRow, *, create: bool) -> None:
        table, self._row = self.caspio.table(self.names[row.table]), row
        if ledger.state != RowState.CONFIRMED or _is_homeless(row, ledger):
            self._look_up(table, row, ledger)
        if _is_new(ledger):
            if not create:
                self._forget(ledger)
                return
            self._insert(table, row, ledger)
        elif _changes(row, ledger) and not self._update(table, row, ledger):
            if not create:
                self._forget(ledger)
                return
            self._recreate(table, row, ledger)
        if _file_differs(row, ledger):
            if row.attachment is None:
                self._detach(table, row, ledger)
            else:
                self._attach(table, row, row.attachment, ledger)

    def _remove(self, ledger: FiledRow) -> None:
        """Take a row away that we made. Done twice it does no harm, so a lost answer needs no look."""
        spec = TABLES[ledger.table]
        self._intend(ledger, {})
        self.caspio.table(self.names[ledger.table]).delete(q.field(spec.unique) == ledger.key)
        log.info("filing.removed", practice=self.practice.slug, table=ledger.table, key=ledger.key)
        ledger.delete()
        self.done["removed"] += 1

    def _look_up(self, table: Table, row: Row, ledger: FiledRow) -> None:
        """After a lost answer: read what the row holds, so that the next step starts from the truth."""
        spec = TABLES[row.table]
        found = table.first(where=self._by_key(row), select=["PK_ID", spec.unique, *row.values])
        self.done["looked_up"] += 1
        if found is None:
            ledger.pk_id, ledger.fields, ledger.file_sha256 = None, {}, ""
            ledger.state, ledger.intended = RowState.CONFIRMED, {}
            return
        its_key = str(found.get(spec.unique))
        if its_key.rstrip() != row.key.rstrip():  # Caspio ignores capitals, Rupa does not
            if not ledger.fields:  # or a removal of ours would take that row away
                self._forget(ledger)
            raise FilingProblem(alike(table.name, spec, row.key))
        ledger.pk_id = int(found["PK_ID"])
        ledger.fields = hashes(spec, {name: found.get(name) for name in row.values})
        ledger.state, ledger.intended = RowState.CONFIRMED, {}
        self._keep(ledger)

    def _insert(self, table: Table, row: Row, ledger: FiledRow) -> None:
        spec = TABLES[row.table]
        values = {spec.unique: row.key, **row.initial, **self._stamped(row, row.values)}
        self._intend(ledger, hashes(spec, row.values))
        try:
            inserted = self._call(ledger, lambda: table.insert(_wire(values)))
        except (
            Conflict
        ):  # it is there already: from before this ledger, or from a write whose answer was lost
            self._adopt(table, row, ledger)
            return
        self._confirm(ledger, pk_id=inserted.get("PK_ID"))
        self.done["inserted"] += 1

    def _adopt(self, table: Table, row: Row, ledger: FiledRow) -> None:
        """A row with our key that this ledger did not know: make it what it should be."""
        self._look_up(table, row, ledger)
        if _is_new(ledger):
            raise Conflict("caspio", f"insert into {table.name}", code="unique_but_absent")
        if row.attachment is not None:
            ledger.file_intended = (
                row.attachment.sha256
            )  # perhaps its file is there too: look before sending it
        if _changes(row, ledger) and not self._update(table, row, ledger):
            self._recreate(table, row, ledger)

    def _update(self, table: Table, row: Row, ledger: FiledRow) -> bool:
        """Returns whether the row was there."""
        changed = _changes(row, ledger)
        initial = row.initial if "Pdf_Sha256" in changed and ledger.fields.get("Pdf_Sha256") else {}
        self._intend(ledger, _intended(row, ledger))
        values = _wire({**initial, **self._stamped(row, changed)})
        affected = self._call(ledger, lambda: table.update(self._by_key(row), values))
        if affected:
            self._confirm(ledger)
            self.done["updated"] += 1
        return bool(affected)

    def _recreate(self, table: Table, row: Row, ledger: FiledRow) -> None:
        """Somebody deleted the row in Caspio: it belongs there, so it comes back, and we say so."""
        log.warning("filing.recreated", practice=self.practice.slug, table=row.table, key=row.key)
        ledger.fields, ledger.pk_id, ledger.file_sha256 = {}, None, ""
        ledger.recreated += 1
        self.done["recreated"] += 1
        self._insert(table, row, ledger)

    def _attach(self, table: Table, row: Row, attachment: Attachment, ledger: FiledRow) -> None:
        if ledger.pk_id is None:
            self._look_up(table, row, ledger)
        if ledger.file_intended == attachment.sha256 and self._is_there(table, row, attachment):
            self._confirm_file(ledger, attachment)
            return
        try:
            content = attachment.load()
        except FileRemoved as removed:
            raise FilingProblem(str(removed)) from None
        ledger.file_intended = attachment.sha256
        self._keep(ledger)
        try:
            self._upload(table, attachment, ledger, content)
        except NotFound as error:
            if error.code == NO_KEY or (error.code and "field" in error.code.lower()):
                raise
            self._recreate(table, row, ledger)
            self._upload(table, attachment, ledger, content)
        self._confirm_file(ledger, attachment)
        self.done["uploaded"] += 1

    def _detach(self, table: Table, row: Row, ledger: FiledRow) -> None:
        """Take a file off a row: an older version without one was heard of late. Done twice it does no harm."""
        table.delete_attachment(ATTACHMENT, self._by_key(row))
        ledger.file_sha256, ledger.file_intended = "", ""
        self._keep(ledger)
        self.done["detached"] += 1

    def _upload(self, table: Table, attachment: Attachment, ledger: FiledRow, content: bytes) -> None:
        if ledger.pk_id is None:  # Caspio did not tell the new row's key
            raise NotFound("caspio", f"upload to {table.name}", code=NO_KEY)
        table.upload(attachment.field, ledger.pk_id, attachment.filename, content, "application/pdf")

    def _is_there(self, table: Table, row: Row, attachment: Attachment) -> bool:
        """Whether an upload whose answer was lost did arrive: its name holds the content's hash."""
        self.done["looked_up"] += 1
        infos = table.attachment_info(attachment.field, self._by_key(row))
        stem = attachment.filename.removesuffix(".pdf")
        return any((info.file_name or "").removesuffix(".pdf") == stem for info in infos)

    # -- the ledger --------------------------------------------------------------------------------------------

    def _intend_all(self, pending: Sequence[tuple[Row, FiledRow]], *, create: bool) -> None:
        """Commit the intents of these rows in one go, as far as they can be told without a look at Caspio."""
        told = []
        for row, ledger in pending:
            if ledger.state != RowState.CONFIRMED or row.table in self._broken:
                continue
            if row.table == RESULTS:  # what is confirmed of one is told to others, in one transaction
                continue
            if not _changes(row, ledger) or (_is_new(ledger) and not (create and row.create)):
                continue
            ledger.state, ledger.intended = RowState.INTENDED, _intended(row, ledger)
            told.append(ledger)
        _store(told)
        for ledger in told:  # from here on the row in the ledger says more than is done yet
            ledger.state, ledger.intended = RowState.CONFIRMED, {}
            self._ahead[ledger.pk] = ledger

    def _write_down(self) -> None:
        """Bring the rows that were intended ahead to what is known of them by now."""
        ahead, self._ahead = list(self._ahead.values()), {}
        unsent = [ledger.pk for ledger in ahead if _is_new(ledger) and not ledger.recreated]
        if unsent:
            FiledRow.objects.filter(pk__in=unsent).delete()
        _store([ledger for ledger in ahead if ledger.pk not in unsent])

    def _intend(self, ledger: FiledRow, intended: dict[str, str]) -> None:
        ledger.state, ledger.intended = RowState.INTENDED, intended
        if ledger.pk not in self._ahead:
            self._keep(ledger)

    def _call(self, ledger: FiledRow, write: Any) -> Any:
        try:
            return write()
        except Conflict:
            raise
        except NOT_WRITTEN:
            self._take_back(ledger)
            raise
        except OutcomeUnknown:
            ledger.state = RowState.UNKNOWN
            self._keep(ledger)
            raise

    def _take_back(self, ledger: FiledRow) -> None:
        ledger.state, ledger.intended = RowState.CONFIRMED, {}
        if _is_new(ledger) and not ledger.recreated:
            self._forget(ledger)
        else:
            self._keep(ledger)

    def _confirm(self, ledger: FiledRow, *, pk_id: Any = None) -> None:
        ledger.fields, ledger.intended, ledger.state = ledger.intended, {}, RowState.CONFIRMED
        if pk_id is not None:
            ledger.pk_id = int(pk_id)
        if ledger.pk not in self._ahead:
            self._keep(ledger)

    def _confirm_file(self, ledger: FiledRow, attachment: Attachment) -> None:
        ledger.file_sha256, ledger.file_intended = attachment.sha256, ""
        self._keep(ledger)

    def _forget(self, ledger: FiledRow) -> None:
        """Caspio does not hold it, and need not."""
        self._ahead.pop(ledger.pk, None)
        FiledRow.objects.filter(pk=ledger.pk).delete()

    def _keep(self, ledger: FiledRow) -> None:
        self._ahead.pop(ledger.pk, None)
        ledger.changed_at = timezone.now()
        with transaction.atomic():
            self._announce(ledger)
            ledger.save()

    def _announce(self, ledger: FiledRow) -> None:
        """A result that stands in the chart for the first time, whole: with the ledger's word, others are told."""
        row = self._row
        if ledger.table != RESULTS or ledger.announced or row is None or row.key != ledger.key:
            return
        if not row.values.get("Patient_Key") or _differs(
            row, ledger
        ):  # without a chart, or its file is still to come
            return
        ledger.announced = True
        note(self.practice.pk, Kind.RESULT, ledger.group, result_key=ledger.key)

    # -- words ---------------------------------------------------------------------------------------------------

    def _by_key(self, row: Row) -> q.Where:
        return q.field(TABLES[row.table].unique) == row.key

    def _stamped(self, row: Row, values: dict[str, Value]) -> dict[str, Value]:
        if all(field.name != SYNCED_AT for field in TABLES[row.table].fields):
            return values
        return {**values, SYNCED_AT: wall_clock(datetime.now(UTC), self.config.zone)}


def changed_only(practice: Practice, rows: Sequence[Row], group: str) -> list[Row]:
    """The rows that would cost a call, by the ledger alone."""
    return [row for row, _ in _compared(practice, rows, group)[0]]


def _compared(
    practice: Practice, rows: Sequence[Row], group: str
) -> tuple[list[tuple[Row, FiledRow]], list[FiledRow]]:
    """The rows that differ from what Caspio is known to hold, and what it holds of the group beyond the plan."""
    known = {(ledger.table, ledger.key): ledger for ledger in _ledgers(practice, rows, group)}
    pairs = []
    for row in rows:
        ledger = known.pop((row.table, row.key), None)
        if ledger is None:
            ledger = FiledRow(
                practice=practice, table=row.table, key=row.key, group=group, state=RowState.CONFIRMED
            )
        if _differs(row, ledger):
            pairs.append((row, ledger))
    return pairs, list(known.values()) if group else []


def _ledgers(practice: Practice, rows: Sequence[Row], group: str) -> Iterable[FiledRow]:
    held = FiledRow.objects.filter(practice=practice)
    if group:
        return held.filter(group=group)
    return held.filter(table__in={row.table for row in rows}, key__in=[row.key for row in rows])


# Two for each filing: as a statement of Django's own it would cost more than all calls of an order.
_STORE = Prepared("""
INSERT INTO filing_filedrow (id, practice_id, "table", key, "group", pk_id, fields, intended, state, file_sha256,
    file_intended, recreated, changed_at, announced)
SELECT * FROM jsonb_to_recordset($1::jsonb) AS (id uuid, practice_id uuid, "table" text, key text, "group" text,
    pk_id bigint, fields jsonb, intended jsonb, state text, file_sha256 text, file_intended text, recreated integer,
    changed_at timestamptz, announced boolean)
ON CONFLICT (id) DO UPDATE SET pk_id = excluded.pk_id, fields = excluded.fields, intended = excluded.intended,
    state = excluded.state, file_sha256 = excluded.file_sha256, file_intended = excluded.file_intended,
    recreated = excluded.recreated, changed_at = excluded.changed_at, "group" = excluded."group"
RETURNING 1
""")
_KEPT = [field.attname for field in FiledRow._meta.concrete_fields]


def _store(ledgers: Sequence[FiledRow]) -> None:
    """In one statement."""
    if not ledgers:
        return
    for ledger in ledgers:
        ledger.changed_at = timezone.now()
    _STORE.rows([orjson.dumps([{name: getattr(one, name) for name in _KEPT} for one in ledgers]).decode()])
    for ledger in ledgers:
        ledger._state.adding = False  # noqa: SLF001  # it is in the database now: saving it again updates it


def _intended(row: Row, ledger: FiledRow) -> dict[str, str]:
    """What the row's fields will be once it is written."""
    return {**ledger.fields, **hashes(TABLES[row.table], row.values)}


def _differs(row: Row, ledger: FiledRow) -> bool:
    if ledger.state != RowState.CONFIRMED or _is_new(ledger):
        return True
    return bool(_changes(row, ledger)) or _file_differs(row, ledger)


def _changes(row: Row, ledger: FiledRow) -> dict[str, Value]:
    wanted = hashes(TABLES[row.table], row.values)
    return {name: row.values[name] for name, digest in wanted.items() if ledger.fields.get(name) != digest}


def _is_new(ledger: FiledRow) -> bool:
    return not ledger.fields and ledger.state == RowState.CONFIRMED


def _file_differs(row: Row, ledger: FiledRow) -> bool:
    """Also while an upload's outcome is not known: it may have put another file there than the confirmed one."""
    wanted = row.attachment.sha256 if row.attachment is not None else ""
    return ledger.file_sha256 != wanted or bool(ledger.file_intended)


def _is_homeless(row: Row, ledger: FiledRow) -> bool:
    """A file is to be sent, by PK_ID, and which row has ours now is not known."""
    lost = ledger.pk_id is None and not _is_new(ledger)
    return lost and row.attachment is not None and _file_differs(row, ledger)


def _wire(values: dict[str, Value]) -> dict[str, Any]:
    """As JSON can carry it: Caspio keeps 15 digits of a number, which a float holds (caspio-api.md 3.5)."""
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: Value) -> str | int | float | bool | None:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value
