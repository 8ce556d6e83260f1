"""A row as JSON that anybody can read, and back. Sealed values are opened here and sealed anew where they arrive.

Keyed hashes do not go: they are made with a key of this installation, and the next one makes its own from the values.
"""

from __future__ import annotations

import base64
import os
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models import prefetch_related_objects
from django.utils.duration import duration_iso_string

from labbridge.billing.models import Superbill
from labbridge.filing.execute import hashes
from labbridge.filing.models import FiledRow, RowState
from labbridge.filing.patients import TABLE as PATIENTS
from labbridge.filing.patients import digest, written_fields
from labbridge.filing.tables import TABLES as CASPIO_TABLES
from labbridge.handlers.links import agreed
from labbridge.leaving.tables import Table
from labbridge.mirror.merge import fingerprint
from labbridge.mirror.models import Chart, Patient, PatientLink, ResultSource, StoredFile
from labbridge.mirror.names import index
from labbridge.mirror.person import content_index
from labbridge.ordering.models import OrderRequest
from labbridge.ordering.start import return_hash
from labbridge.practices.apply import config_of
from labbridge.practices.models import Connection, ConnectionState
from labbridge.reconcile.models import Listed
from labbridge.trust.envelope import VERSION, KeyDestroyed
from labbridge.trust.fields import ContentRemoved, Sealed, SealedField, SealedJSONField, SealedTextField
from labbridge.trust.models import AuditHead

Json = Any  #: any: a value as JSON has it
REMOVED = {"removed": True}  #: retention or an erasure emptied it: its row stays, there as here

#: Bytes that become files of their own, by model: the field, and how its file is called.
FILES: dict[type[models.Model], tuple[str, Callable[[Any], str]]] = {  # any: a row of that model
    StoredFile: ("content", lambda row: f"files/{row.sha256}.{row.kind}"),
    Superbill: ("pdf", lambda row: f"files/superbill-{row.pk}.pdf"),
}
AT_ONCE = 500


def fields_of(table: Table) -> list[Any]:  # any: Django's fields, which have no common type with `attname`
    """What is written of a row: no secrets, and no keyed hashes."""
    return [
        field
        for field in table.model._meta.concrete_fields
        if field.attname not in table.secret
        and (isinstance(field, SealedField) or not isinstance(field, models.BinaryField))
    ]


# -- out ---------------------------------------------------------------------------------------------------------


def encode(table: Table, row: models.Model) -> dict[str, Json]:
    said = {field.attname: _encoded(field, row) for field in fields_of(table)}
    if isinstance(row, StoredFile):
        said["owner"] = _owner_of(row)
    if isinstance(row, PatientLink):
        said["base"] = _settled(row)
    return said


def _encoded(field: Any, row: models.Model) -> Json:
    named = FILES.get(type(row))
    if named is not None and field.attname == named[0]:
        return REMOVED if _is_removed(row, field.attname) else named[1](row)
    try:
        value = getattr(row, field.attname)
    except (ContentRemoved, KeyDestroyed):
        return REMOVED
    if isinstance(field, SealedField) and isinstance(value, bytes):
        return _bytes(value)
    return _plain(value)


def _is_removed(row: models.Model, name: str) -> bool:
    try:
        getattr(row, name)
    except (ContentRemoved, KeyDestroyed):
        return True
    return False


def _bytes(value: bytes) -> Json:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


def _plain(value: Any) -> Json:
    match value:
        case datetime() | date():
            return value.isoformat()
        case timedelta():
            return duration_iso_string(value)
        case uuid.UUID() | Decimal():
            return str(value)
        case _:
            return value


def _owner_of(row: StoredFile) -> str | None:
    """Whose data key sealed the file: theirs seals it again, so that erasing them erases it there too."""
    held = row.__dict__["content"]
    sealed = held if isinstance(held, Sealed) else Sealed(b"")
    return str(uuid.UUID(bytes=bytes(sealed[1:17]))) if sealed[:1] == VERSION else None


def _settled(link: PatientLink) -> dict[str, dict[str, bool]] | None:
    """Of each value that both sides agreed on: whether it still stands on that side. The hashes stay here."""
    if link.base is None:
        return None
    now = agreed(link.chart, link.patient)
    return {side: {part: now[side].get(part) == kept for part, kept in parts.items()}
            for side, parts in link.base.items()}  # fmt: skip


# -- in ----------------------------------------------------------------------------------------------------------


def decode(
    table: Table, said: Sequence[Mapping[str, Json]], file: Callable[[str], bytes]
) -> list[models.Model]:
    """Rows ready to be added. Their values are sealed with keys of this installation when they are saved."""
    rows = [_decoded(table, one, file) for one in said]
    if rows and table.owners:
        prefetch_related_objects(rows, *table.owners)
    for row, one in zip(rows, said, strict=True):
        _complete(row, one)
    return rows


def _decoded(table: Table, said: Mapping[str, Json], file: Callable[[str], bytes]) -> models.Model:
    known = {field.attname: field for field in fields_of(table)}
    row = table.model(**{
        name: _value(field, said[name], file) for name, field in known.items() if name in said
    })  # fmt: skip
    if isinstance(row, StoredFile):
        row.owner = uuid.UUID(said["owner"]) if said.get("owner") else None
    return row


def _value(field: Any, value: Json, file: Callable[[str], bytes]) -> Any:
    if isinstance(field, SealedField):
        return _sealed(field, value, file)
    if isinstance(field, models.JSONField) or value is None:
        return value
    return field.to_python(value)


def _sealed(field: SealedField, value: Json, file: Callable[[str], bytes]) -> Any:
    if value == REMOVED:
        return Sealed(b"")
    if value is None or isinstance(field, SealedTextField | SealedJSONField):
        return value
    if isinstance(value, dict):
        return base64.b64decode(value["base64"])
    named = FILES.get(field.model)
    return file(value) if named is not None and field.attname == named[0] else str(value).encode()


def _complete(row: models.Model, said: Mapping[str, Json]) -> None:
    """What is made of a row's values with this installation's own keys."""
    match row:
        case Chart():
            index(row, _opened(row))
            row.content_index = content_index(_opened(row), row.rupa_patient_id)
        case Patient():
            index(row, _opened(row))
        case PatientLink():
            row.base = _agreed(row, said["base"])
        case ResultSource():
            files = {} if isinstance(row.__dict__["files"], Sealed) else row.files
            known = files.get("pdf") or files.get("hl7")
            row.fingerprint = (
                fingerprint(files.get("pdf"), files.get("hl7"), row.received_at) if known else os.urandom(16)
            )
        case OrderRequest():
            token = row.__dict__["return_token"]
            row.return_hash = return_hash(token) if isinstance(token, str) else None
        case Listed():
            row.fingerprint, row.revision = None, -1
        case AuditHead():
            row.pk = None  # nothing names it by its number, and heads of here may have the same
        case Connection():
            _without_credentials(row)
        case FiledRow():
            _rehash(row, said["fields"], said.get("unknown") or [])


def _opened(row: Chart | Patient) -> dict[str, str | None]:
    held = row.__dict__["person"]
    return {} if held is None or isinstance(held, Sealed) else held


def _agreed(
    link: PatientLink, said: Mapping[str, Mapping[str, bool]] | None
) -> dict[str, dict[str, str | None]] | None:
    if said is None:
        return None
    now = agreed(link.chart, link.patient)
    return {
        side: {part: now[side].get(part) if same else os.urandom(16).hex() for part, same in parts.items()}
        for side, parts in said.items()
    }


def _without_credentials(row: Connection) -> None:
    row.credentials = {}
    if row.peer == "rupa" and row.state == ConnectionState.ACTIVE:
        row.state, row.problem = ConnectionState.RECONNECT, ""


def _rehash(row: FiledRow, values: Mapping[str, Json], unknown: Sequence[str]) -> None:
    """What Caspio holds, by hashes of ours. Of a field whose value was not known any more it is only said that."""
    if row.table == PATIENTS:
        spec = written_fields(config_of(row.practice).caspio.patients)
        known = {name: digest(name, spec[name], value) for name, value in values.items() if name in spec}
    else:
        known = hashes(CASPIO_TABLES[row.table], dict(values))
    row.fields = {**known, **{name: os.urandom(10).hex() for name in unknown}}
    if row.state != RowState.CONFIRMED:  # a write was under way when they parted: look before writing again
        row.state, row.intended = RowState.UNKNOWN, {}
    else:
        row.intended = {}


def batches(rows: Iterator[dict[str, Json]]) -> Iterator[list[dict[str, Json]]]:
    batch: list[dict[str, Json]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch
