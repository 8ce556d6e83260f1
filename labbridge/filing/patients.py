"""Writing on a patient's own row in Caspio: the link, the sync status and a sentence, and what Rupa knows better.

Never adds or deletes a row. The intended values are remembered as keyed hashes before the call, so that an echo of
our own write is known even when it arrives before the call has returned.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import structlog
from django.db import transaction
from django.utils import timezone

from labbridge.filing.execute import FilingProblem
from labbridge.filing.models import FiledRow, RowState
from labbridge.filing.rows import wall_clock
from labbridge.filing.tables import Field, Value, canonical, fit
from labbridge.mirror.models import Chart
from labbridge.mirror.names import index
from labbridge.mirror.person import PARTS, Person, content_index
from labbridge.mirror.pseudonyms import sides_of
from labbridge.peers.caspio import Caspio
from labbridge.peers.caspio import where as q
from labbridge.peers.errors import Forbidden, NotFound, OutcomeUnknown, PeerError, Rejected
from labbridge.practices.apply import config_of
from labbridge.practices.config import PatientFields
from labbridge.trust.audit import job, record
from labbridge.trust.keys import keyring

log = structlog.get_logger()

TABLE = "patients"

NOT_FOUND_YET = (
    "Which row of the patients table this patient has now is not known: the table moved, or its rows were numbered "
    "anew. It is found when the whole table is read, by the next sweep or `labbridge sync patients`."
)


def written_fields(part: PatientFields) -> dict[str, Field]:
    """Our name to the Caspio field, for those of the four that the practice has mapped."""
    types = {"sync_message": "TEXT", "synced_at": "DATE/TIME"}
    return {
        ours: Field(getattr(part, ours), types.get(ours, "STRING"))  # type: ignore[arg-type]  # literals of CaspioType
        for ours in part.WRITTEN
        if getattr(part, ours)
    }


def person_fields(part: PatientFields) -> dict[str, Field]:
    """The same for the particulars that the practice has mapped."""
    types = {"birthday": "DATE/TIME"}
    return {
        ours: Field(getattr(part, ours), types.get(ours, "STRING"))  # type: ignore[arg-type]  # literals of CaspioType
        for ours in PARTS
        if getattr(part, ours)
    }


def digest(ours: str, field: Field, value: object) -> str:
    text = canonical(field, value)
    day = text[:10] if ours == "birthday" else text
    return keyring().blind(f"{TABLE}.{ours}={day}", "filed value").hex()[:20]


def ledger_of(chart: Chart) -> FiledRow | None:
    return FiledRow.objects.filter(practice=chart.practice, table=TABLE, key=chart.key).first()


def forget_row(chart: Chart) -> None:
    """Another row stands under this key: nothing is known of what it holds."""
    FiledRow.objects.filter(practice=chart.practice, table=TABLE, key=chart.key).delete()


def write_back(
    chart: Chart, client: Caspio, values: Mapping[str, str | None], person: Person | None = None
) -> bool:
    """Put rupa_patient_id, sync_status, sync_message and particulars on the row, if they are not there already.

    Returns whether a call was made. A row that is gone is no error: the next reading of the table retires its chart.
    A row is found by its PK_ID alone: the practice's own key could be anything that the practice types, and in a
    table that has moved either may be another patient's.

    Raises:
        FilingProblem: a field is missing or refused, or the PK_ID is not known; the sentence says what to do.
        PeerError: Caspio is away.

    """
    config = config_of(chart.practice)
    written, particulars = written_fields(config.caspio.patients), person_fields(config.caspio.patients)
    fields = {ours: item for ours, item in written.items() if ours in values}
    given: dict[str, str | None] = dict(values)
    for ours, value in (person or {}).items():
        if ours in particulars:
            fields[ours], given[ours] = particulars[ours], value
    wanted = {ours: digest(ours, item, given[ours]) for ours, item in fields.items()}
    ledger = ledger_of(chart) or FiledRow(
        practice=chart.practice, table=TABLE, key=chart.key, state=RowState.CONFIRMED, pk_id=chart.pk_id
    )
    if _stands(chart, ledger, values, wanted) and not person:
        return False
    known = Chart.objects.filter(pk=chart.pk).values_list("pk_id", flat=True).first()
    if known is None or known != chart.pk_id:
        raise FilingProblem(NOT_FOUND_YET)
    ledger.state, ledger.intended = RowState.INTENDED, {**ledger.fields, **wanted}
    ledger.save()
    body: dict[str, Value] = {
        item.name: fit(item, _on_the_wire(ours, given[ours])) for ours, item in fields.items()
    }
    stamp = written.get("synced_at")
    if stamp is not None:
        body[stamp.name] = wall_clock(datetime.now(UTC), config.zone)
    affected = _send(known, client, config.caspio.patients, ledger, body)
    with transaction.atomic():
        note_row(
            chart, {ours: given[ours] for ours in fields if ours in PARTS}, values.get("rupa_patient_id")
        )
        ledger.fields = {ours: one for ours, one in ledger.intended.items() if ours not in PARTS}
        ledger.intended, ledger.state = {}, RowState.CONFIRMED
        ledger.save()
        record("chart.update", actor=job("sync_chart"), practice=chart.practice, patient=sides_of(chart),
               fields=" ".join(sorted(fields)))  # fmt: skip
    if affected == 0:
        log.warning("filing.patient_row_gone", practice=chart.practice.slug, pk_id=chart.pk_id)
    return True


def _stands(chart: Chart, ledger: FiledRow, values: Mapping[str, str | None], wanted: dict[str, str]) -> bool:
    """Whether the row holds this already. An id that somebody took off the row is put back."""
    if ledger.state != RowState.CONFIRMED:
        return False
    named = values.get("rupa_patient_id")
    if named is not None and chart.rupa_patient_id != named:
        return False
    return all(ledger.fields.get(ours) == one for ours, one in wanted.items())


def _on_the_wire(ours: str, value: str | None) -> str | None:
    return f"{value}T00:00:00" if ours == "birthday" and value else value


def _send(pk_id: int, client: Caspio, part: PatientFields, ledger: FiledRow, body: dict[str, Value]) -> int:
    try:
        return client.table(part.table).update(q.field("PK_ID") == pk_id, body)
    except (NotFound, Forbidden, Rejected) as error:
        ledger.state, ledger.intended = RowState.CONFIRMED, {}
        ledger.save()
        raise FilingProblem(_sentence(part.table, error)) from None
    except OutcomeUnknown:
        raise  # what is intended stays: its echo is known, and the next attempt writes it again
    except PeerError:
        ledger.state, ledger.intended = RowState.CONFIRMED, {}
        ledger.save()
        raise


def note_row(chart: Chart, person: Person, rupa_patient_id: str | None) -> None:
    """We have put this on the row: its next reading is no news, and one that began before is out of date."""
    held = Chart.objects.select_for_update(no_key=True).get(pk=chart.pk)
    if held.erased_at:  # meanwhile: nothing of the person comes back
        return
    changed_id = rupa_patient_id is not None and held.rupa_patient_id != rupa_patient_id
    if not changed_id and all(held.person.get(part) == value for part, value in person.items()):
        return
    if rupa_patient_id is not None:
        held.rupa_patient_id = rupa_patient_id
    if person:
        held.person = {**held.person, **person}
        index(held, held.person)
    if held.content_index is not None:  # else what the row last said is still to be followed up
        held.content_index = content_index(held.person, held.rupa_patient_id)
    held.read_at = timezone.now()
    held.save()
    for name in ("person", "rupa_patient_id", "content_index", "lookup_keys", "read_at"):
        setattr(chart, name, getattr(held, name))


def _sentence(table: str, error: NotFound | Forbidden | Rejected) -> str:
    fields = ", ".join(error.fields) or "a field"
    if isinstance(error, Forbidden):
        return f"Caspio does not let us write to the table {table}. Give the API profile permission for it."
    return f"Caspio refused {fields} of the table {table}. Run `labbridge provision`, or correct [caspio.patients]."


def is_our_echo(chart: Chart, row: dict[str, Any], person: Person, rupa_patient_id: str) -> bool:
    """Whether a row says only what was read of it, what we wrote last, or what we are about to write."""
    part = config_of(chart.practice).caspio.patients
    ledger = ledger_of(chart)
    if ledger is None:
        return False
    held, coming = ledger.fields, ledger.intended if ledger.state != RowState.CONFIRMED else {}
    for ours, item in person_fields(part).items():
        known = person.get(ours) == chart.person.get(ours)
        if not known and coming.get(ours) != digest(ours, item, person.get(ours)):
            return False
    for ours, item in written_fields(part).items():
        if ours == "synced_at":
            continue
        if item.name not in row:
            return False
        if ours == "rupa_patient_id" and rupa_patient_id == chart.rupa_patient_id:
            continue
        said = digest(ours, item, row[item.name])
        if said not in {held.get(ours), coming.get(ours)} and (
            ours in held or ours in coming or row[item.name]
        ):
            return False
    return True
