"""Comparing rows that stand in Caspio with what was filed, by the ledger's keyed hashes. Writes nothing to Caspio.

Only what Labbridge filed is compared: fields that the practice owns (Review_Status, Reviewed_By, Reviewed_At and
every field of its own) and rows of its own are no difference (docs/ledger.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import QuerySet

from labbridge.filing.execute import hashes
from labbridge.filing.models import FiledRow, RowState
from labbridge.filing.tables import ATTACHMENT, TABLES
from labbridge.peers.caspio import Row
from labbridge.peers.caspio import where as q
from labbridge.peers.caspio.table import Table
from labbridge.peers.errors import Conflict
from labbridge.practices.models import Practice

SAMPLE = 200  #: rows of the filing ledger that are asked which fields are filed into a table
LOOKED_UP = (
    20  #: rows of one page whose missing file is looked for by itself before it is believed to be gone
)


@dataclass(frozen=True)
class Difference:
    """One filed row that is not in Caspio as it was filed."""

    ledger: FiledRow = field(repr=False)
    kind: str  # row_deleted, row_edited, file_gone
    found: dict[str, str] = field(default_factory=dict, repr=False)  # keyed hashes of what stands there
    renamed: bool = False  # the row stands under another key than ours
    moved_to: int | None = None  # the row's PK_ID, where it is another than that of its filing

    @property
    def subject(self) -> str:
        return f"{self.ledger.table}:{self.ledger.key}"


@dataclass
class Compared:
    """What one reading of rows came to."""

    rows: int = 0
    differences: list[Difference] = field(default_factory=list)


def filed_fields(practice: Practice, word: str) -> list[str]:
    """The fields of a table that Labbridge files, as its filing ledger knows them."""
    newest = FiledRow.objects.filter(practice=practice, table=word, state=RowState.CONFIRMED).order_by("-id")
    held = {name for fields in newest.values_list("fields", flat=True)[:SAMPLE] for name in fields}
    return sorted(held & {one.name for one in TABLES[word].fields})


def compare_page(
    practice: Practice, word: str, page: Sequence[Row], *, after: int, last: bool, began: datetime
) -> Compared:
    """Compare one page of a table, read in key order behind `after`. `last`: nothing follows it.

    `began` is the time before the page was asked for: what was filed since then is left for the next comparison.
    """
    upto = page[-1]["PK_ID"] if page else after
    span = (
        FiledRow.objects.filter(pk_id__gt=after)
        if last
        else FiledRow.objects.filter(pk_id__range=(after + 1, upto))
    )
    keys = [str(row.get(TABLES[word].unique)) for row in page]
    expected = _at_rest(span, practice, word, began)
    shown = _at_rest(FiledRow.objects.filter(key__in=keys), practice, word, began)
    ledgers = {ledger.pk: ledger for ledger in [*expected, *shown]}
    return _compare(practice, word, ledgers.values(), page)


def compare_known(
    practice: Practice, word: str, groups: Iterable[str], rows: Sequence[Row], *, began: datetime
) -> Compared:
    """Compare the rows of some groups, such as open orders, that were read by the key of their order."""
    ledgers = _at_rest(FiledRow.objects.filter(group__in=list(groups)), practice, word, began)
    return _compare(practice, word, ledgers, rows)


def _at_rest(rows: QuerySet[FiledRow], practice: Practice, word: str, began: datetime) -> list[FiledRow]:
    known = rows.filter(practice=practice, table=word, state=RowState.CONFIRMED, changed_at__lt=began)
    return [ledger for ledger in known if ledger.fields]


def _compare(practice: Practice, word: str, ledgers: Iterable[FiledRow], rows: Sequence[Row]) -> Compared:
    spec = TABLES[word]
    standing = {str(row.get(spec.unique)): row for row in rows}
    known_keys = FiledRow.objects.filter(practice=practice, table=word, key__in=list(standing))
    ours = set(known_keys.values_list("key", flat=True))
    # A restored table counts its PK_IDs anew: a row with a key of ours is that one, whoever stood there before.
    by_pk = {row["PK_ID"]: row for key, row in standing.items() if key not in ours}
    done = Compared()
    for ledger in ledgers:
        done.rows += 1
        row = standing.get(ledger.key) or by_pk.get(ledger.pk_id or 0)
        if row is None:
            done.differences.append(Difference(ledger, "row_deleted"))
            continue
        names = [name for name in ledger.fields if name in row]
        found = hashes(spec, {name: row[name] for name in names})
        renamed = str(row.get(spec.unique)) != ledger.key
        moved_to = int(row["PK_ID"]) if ledger.pk_id not in {None, row["PK_ID"]} else None
        if renamed or moved_to or any(found[name] != ledger.fields[name] for name in names):
            known = {**ledger.fields, **found}
            done.differences.append(Difference(ledger, "row_edited", known, renamed, moved_to))
    return done


def missing_files(
    practice: Practice, table: Table, page: Sequence[Row], *, began: datetime
) -> Iterator[Difference]:
    """Filed results of this page whose file is not the one that was uploaded. One call; more where one is missing.

    Whether Caspio names the files of many rows at once without leaving some out is not documented, so a missing one
    is looked for by itself before it is believed to be gone.
    """
    word = "lab_results"
    span = FiledRow.objects.filter(pk_id__in=[row["PK_ID"] for row in page]).exclude(file_sha256="")
    expected = _at_rest(span, practice, word, began)
    if not expected:
        return
    keys = [ledger.pk_id for ledger in expected if ledger.pk_id is not None]
    between = (q.field("PK_ID") >= min(keys)) & (q.field("PK_ID") <= max(keys))
    names = {info.pk_id: info.file_name or "" for info in table.attachment_info(ATTACHMENT, between)}
    doubtful = [ledger for ledger in expected if not _names(ledger, names.get(ledger.pk_id or 0, ""))]
    for ledger in doubtful[:LOOKED_UP]:
        infos = table.attachment_info(ATTACHMENT, q.field("PK_ID") == (ledger.pk_id or 0))
        if not any(_names(ledger, info.file_name or "") for info in infos):
            yield Difference(ledger, "file_gone")


def _names(ledger: FiledRow, file_name: str) -> bool:
    """An attachment's name holds its row's key and the content's hash (rows.py)."""
    return file_name.removesuffix(".pdf") == f"{ledger.key}-{ledger.file_sha256[:12]}"


def restore_key(table: Table, difference: Difference) -> None:
    """Give a row its key back that somebody changed in Caspio. Done twice it does no harm. Raises PeerError."""
    ledger = difference.ledger
    spec = TABLES[ledger.table]
    with suppress(Conflict):  # the key stands on another row meanwhile: filing goes on with that one
        table.update(q.field("PK_ID") == (ledger.pk_id or 0), {spec.unique: ledger.key})


def note(difference: Difference) -> bool:
    """Tell the filing ledger what Caspio really holds, so that filing sets it right. False: it moved meanwhile."""
    ledger = difference.ledger
    values: dict[str, object] = {"fields": difference.found}
    if difference.kind == "row_deleted":
        values = {"fields": {}, "pk_id": None, "file_sha256": "", "recreated": ledger.recreated + 1}
    elif difference.kind == "file_gone":  # perhaps with its row: that is looked up before a file is sent
        values = {"file_sha256": "", "pk_id": None}
    elif difference.moved_to is not None:  # perhaps its file came along: filing looks before it sends one
        file = ledger.file_sha256 or ledger.file_intended
        values |= {"pk_id": difference.moved_to, "file_sha256": "", "file_intended": file}
    same = FiledRow.objects.filter(pk=ledger.pk, changed_at=ledger.changed_at, state=RowState.CONFIRMED)
    return bool(same.update(**values))
