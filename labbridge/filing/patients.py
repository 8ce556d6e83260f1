"""Writing on a patient's own row in Caspio: the link, the sync status and a sentence. Never adds or deletes a row.

The intended values are remembered as keyed hashes before the call, so that an echo of our own write is known even
when it arrives before the call has returned.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import structlog

from labbridge.filing.execute import FilingProblem
from labbridge.filing.models import FiledRow, RowState
from labbridge.filing.rows import wall_clock
from labbridge.filing.tables import Field, Value, canonical, fit
from labbridge.mirror.models import Chart
from labbridge.peers.caspio import Caspio
from labbridge.peers.caspio import where as q
from labbridge.peers.errors import Forbidden, NotFound, Rejected
from labbridge.practices.apply import config_of
from labbridge.practices.config import PatientFields
from labbridge.trust.keys import keyring

log = structlog.get_logger()

TABLE = "patients"


def written_fields(part: PatientFields) -> dict[str, Field]:
    """Our name to the Caspio field, for those of the four that the practice has mapped."""
    types = {"sync_message": "TEXT", "synced_at": "DATE/TIME"}
    return {
        ours: Field(getattr(part, ours), types.get(ours, "STRING"))  # type: ignore[arg-type]  # literals of CaspioType
        for ours in part.WRITTEN
        if getattr(part, ours)
    }


def digest(ours: str, field: Field, value: object) -> str:
    return keyring().blind(f"{TABLE}.{ours}={canonical(field, value)}", "filed value").hex()[:20]


def write_back(chart: Chart, client: Caspio, **values: str | None) -> bool:
    """Put rupa_patient_id, sync_status, sync_message on the row, if they are not there already.

    Returns whether a call was made. A row that is gone is no error: the next reading of the table retires its chart.

    Raises:
        FilingProblem: a field is missing or refused; the sentence says what to do.
        PeerError: Caspio is away.

    """
    config = config_of(chart.practice)
    fields = {ours: item for ours, item in written_fields(config.caspio.patients).items() if ours in values}
    wanted = {ours: digest(ours, item, values[ours]) for ours, item in fields.items()}
    ledger = FiledRow.objects.filter(practice=chart.practice, table=TABLE, key=chart.key).first() or FiledRow(
        practice=chart.practice, table=TABLE, key=chart.key, state=RowState.CONFIRMED, pk_id=chart.pk_id
    )
    if ledger.state == RowState.CONFIRMED and all(
        ledger.fields.get(ours) == one for ours, one in wanted.items()
    ):
        return False
    ledger.state, ledger.intended = RowState.INTENDED, {**ledger.fields, **wanted}
    ledger.save()
    body: dict[str, Value] = {item.name: fit(item, values[ours]) for ours, item in fields.items()}
    stamp = written_fields(config.caspio.patients).get("synced_at")
    if stamp is not None:
        body[stamp.name] = wall_clock(datetime.now(UTC), config.zone)
    try:
        affected = client.table(config.caspio.patients.table).update(
            _by_key(chart, config.caspio.patients), body
        )
    except (NotFound, Forbidden, Rejected) as error:
        ledger.state, ledger.intended = RowState.CONFIRMED, {}
        ledger.save()
        raise FilingProblem(_sentence(config.caspio.patients.table, error)) from None
    ledger.fields, ledger.intended, ledger.state = ledger.intended, {}, RowState.CONFIRMED
    ledger.save()
    if affected == 0:
        log.warning("filing.patient_row_gone", practice=chart.practice.slug, pk_id=chart.pk_id)
    return True


def _by_key(chart: Chart, part: PatientFields) -> q.Where:
    """By PK_ID where it is known: the practice's own key could be anything that the practice types."""
    if chart.pk_id is not None:
        return q.field("PK_ID") == chart.pk_id
    return q.field(part.key) == chart.key


def _sentence(table: str, error: NotFound | Forbidden | Rejected) -> str:
    fields = ", ".join(error.fields) or "a field"
    if isinstance(error, Forbidden):
        return f"Caspio does not let us write to the table {table}. Give the API profile permission for it."
    return f"Caspio refused {fields} of the table {table}. Run `labbridge provision`, or correct [caspio.patients]."


def is_our_echo(chart: Chart, row: dict[str, Any]) -> bool:
    """Whether the four fields of this row are what we wrote last, or were about to write."""
    part = config_of(chart.practice).caspio.patients
    ledger = FiledRow.objects.filter(practice=chart.practice, table=TABLE, key=chart.key).first()
    if ledger is None:
        return False
    known = ledger.intended or ledger.fields
    return all(
        item.name in row and known.get(ours) == digest(ours, item, row[item.name])
        for ours, item in written_fields(part).items()
        if ours != "synced_at" and ours in known
    )
