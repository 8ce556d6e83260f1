"""Patients: rows of Caspio's patients table, and the link between such a row and a patient at Rupa.

Until the matching of its own issue is built, a link is made in two ways only: the Rupa patient id already stands
in Caspio, or e-mail and birthday are both equal and nobody else has them. Everything else waits for a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

import orjson
import structlog
from django.db import IntegrityError, transaction
from django.utils import timezone

from labbridge.handlers import jobs
from labbridge.handlers.settle import queue_filing
from labbridge.inbox.models import Event, EventState
from labbridge.mirror.models import Chart, Order, Patient, PatientLink, RowTouch
from labbridge.mirror.person import PARTS, as_text, indexes
from labbridge.peers.caspio import Caspio, Row
from labbridge.peers.caspio import where as q
from labbridge.practices.apply import config_of
from labbridge.practices.config import PatientFields
from labbridge.practices.models import Practice
from labbridge.trust.keys import keyring

log = structlog.get_logger()

BY_ID = "The Rupa patient id stands on this patient's row in Caspio."
BY_PARTICULARS = "E-mail and birthday are both equal, and no other patient has them."
UNLINKED = (
    "No patient in Caspio has this order's Rupa patient id, nor the same e-mail and birthday. Put the Rupa patient "
    "id on the right patient's row in Caspio; the order is then filed by itself."
)


def on_rows(event: Event) -> None:
    """Rows changed in Caspio: note which, and read each again after the settle delay."""
    practice = event.practice
    body = _body(event)
    if practice is None or body is None:
        event.settle(EventState.QUARANTINED, "The message cannot be read. It is kept.")
        return
    config = config_of(practice)
    if str(body.get("objectName", "")).lower() != config.caspio.patients.table.lower():
        event.settle(EventState.HANDLED, "Nothing to do for this table.")
        return
    keys = [key for row in body.get("data") or [] if (key := _pk_id(row)) is not None]
    due = timezone.now() + timedelta(seconds=config.sync.settle_seconds)
    with transaction.atomic():
        for pk_id in keys:
            touch(practice, pk_id, due)
        event.merged_at = timezone.now()
        event.save(update_fields=["merged_at"])
        event.settle(EventState.HANDLED)


def _body(event: Event) -> dict[str, Any] | None:
    try:
        body = orjson.loads(event.body)
    except orjson.JSONDecodeError:
        return None
    return body if isinstance(body, dict) else None


def _pk_id(row: Any) -> int | None:
    """A row's PK_ID; text where a payload template is in use (caspio-api.md 4.4)."""
    value = row.get("PK_ID") if isinstance(row, dict) else None
    try:
        return int(value) if value is not None else None
    except (TypeError, ValueError):
        return None


def touch(practice: Practice, pk_id: int, due: datetime) -> None:
    row, _ = RowTouch.objects.select_for_update().get_or_create(practice=practice, pk_id=pk_id)
    if not row.queued:
        row.queued = True
        row.save(update_fields=["queued"])
        jobs.pull_chart.defer(
            lock=f"{practice.slug}:chart:{pk_id}", at=due, practice_id=str(practice.pk), pk_id=pk_id
        )


# -- charts --------------------------------------------------------------------------------------------------


def read_chart(practice: Practice, caspio: Caspio, pk_id: int) -> None:
    """Read one row again by its key and take it over. A row that is gone loses its link, never its data."""
    fields = config_of(practice).caspio.patients
    row = caspio.table(fields.table).first(select=_select(fields), where=q.field("PK_ID") == pk_id)
    if row is None:
        retire_chart(practice, pk_id)
        return
    take_rows(practice, fields, [row])


def read_charts(practice: Practice, caspio: Caspio) -> int:
    """Read the whole patients table. Returns rows read."""
    return take_charts(practice, chart_pages(practice, caspio))


def chart_pages(practice: Practice, caspio: Caspio) -> Iterator[list[Row]]:
    """The whole patients table by keyset pages, without patient data in any address."""
    fields = config_of(practice).caspio.patients
    return caspio.table(fields.table).iterate(select=_select(fields))


def take_charts(practice: Practice, pages: Iterable[list[Row]]) -> int:
    """Merge all rows of the patients table; those that are missing are gone. Returns rows taken."""
    fields = config_of(practice).caspio.patients
    started, seen, count = timezone.now(), set[int](), 0
    for page in pages:
        take_rows(practice, fields, page)
        seen.update(row["PK_ID"] for row in page)
        count += len(page)
    present = Chart.objects.filter(practice=practice, present=True, read_at__lt=started)
    for pk_id in set(present.values_list("pk_id", flat=True)) - seen:
        if pk_id is not None:
            retire_chart(practice, pk_id)
    Practice.objects.filter(pk=practice.pk).update(charts_read_at=started)
    return count


def _select(fields: PatientFields) -> list[str]:
    theirs = fields.read_fields()
    wanted = [*PARTS, "key", "rupa_patient_id"]
    return [theirs[ours] for ours in wanted if ours in theirs and theirs[ours] != "PK_ID"]


def take_rows(practice: Practice, fields: PatientFields, rows: list[Row]) -> None:
    """Merge rows of the patients table; what changed is tried for links."""
    theirs = fields.read_fields()
    held = {
        chart.key: chart
        for chart in Chart.objects.filter(
            practice=practice, key__in=[str(row.get(theirs["key"])) for row in rows]
        )
    }
    for row in rows:
        key = row.get(theirs["key"])
        if key in (None, ""):
            continue  # a row that nobody can point to yet
        chart = held.get(str(key)) or Chart(practice=practice, key=str(key))
        if _take_row(chart, row, theirs):
            link_chart(chart)


def _take_row(chart: Chart, row: Row, theirs: dict[str, str]) -> bool:
    person = {part: as_text(row.get(theirs[part])) for part in PARTS if part in theirs}
    if person.get("birthday"):
        person["birthday"] = str(person["birthday"])[:10]
    rupa_patient_id = str(row.get(theirs.get("rupa_patient_id", ""), "") or "").strip()
    content = keyring().blind(orjson.dumps([person, rupa_patient_id]).decode(), "chart content")
    changed = chart.content_index is None or bytes(chart.content_index) != content or not chart.present
    chart.pk_id, chart.read_at, chart.present = int(row["PK_ID"]), timezone.now(), True
    if changed:
        chart.person, chart.rupa_patient_id, chart.content_index = person, rupa_patient_id[:64], content
        chart.email_index, chart.birthday_index = indexes(person)
    chart.save()
    return changed


def retire_chart(practice: Practice, pk_id: int) -> None:
    """Its row is gone from Caspio: nothing more may be filed under it."""
    with transaction.atomic():
        for chart in Chart.objects.select_for_update().filter(practice=practice, pk_id=pk_id, present=True):
            chart.present = False
            chart.save(update_fields=["present"])
            PatientLink.objects.filter(chart=chart).delete()
            log.warning("patients.row_gone", practice=practice.slug, pk_id=pk_id)


# -- links ---------------------------------------------------------------------------------------------------


def link_chart(chart: Chart) -> None:
    """A row is new or changed: perhaps patients at Rupa were waiting for it."""
    if PatientLink.objects.filter(chart=chart).exists():
        return
    waiting = Patient.objects.filter(practice=chart.practice, link__isnull=True)
    if chart.rupa_patient_id:
        candidates = waiting.filter(external_id=chart.rupa_patient_id)
    elif chart.email_index is not None:
        candidates = waiting.filter(email_index=chart.email_index)
    else:
        return
    for patient in candidates[:2]:
        link_patient(patient)


def link_patient(patient: Patient) -> PatientLink | None:
    """The link of a patient at Rupa, made now if the rule allows it."""
    link = PatientLink.objects.select_related("chart").filter(patient=patient).first()
    if link is not None:
        return link
    chart, reason = find_chart(patient)
    if chart is None:
        return None
    try:
        with transaction.atomic():
            link = PatientLink.objects.create(
                practice=patient.practice, chart=chart, patient=patient, reasons=[reason]
            )
            for order in Order.objects.select_for_update().filter(patient=patient):
                order.revision += 1
                order.save(update_fields=["revision"])
                queue_filing(order)
    except IntegrityError:  # somebody else linked one of the two meanwhile
        return PatientLink.objects.select_related("chart").filter(patient=patient).first()
    log.info("patients.linked", practice=patient.practice.slug, reason=reason)
    return link


def find_chart(patient: Patient) -> tuple[Chart | None, str]:
    charts = Chart.objects.filter(practice=patient.practice, present=True)
    by_id = list(charts.filter(rupa_patient_id=patient.external_id)[:2])
    if by_id:
        return (by_id[0], BY_ID) if len(by_id) == 1 and not _taken(by_id[0]) else (None, "")
    if patient.email_index is None or patient.birthday_index is None:
        return None, ""
    same = list(charts.filter(email_index=patient.email_index, birthday_index=patient.birthday_index)[:2])
    if len(same) != 1 or _taken(same[0]) or same[0].rupa_patient_id:
        return None, ""  # twins, doubles, or a row that belongs to another patient at Rupa
    others = Patient.objects.filter(
        practice=patient.practice, email_index=patient.email_index, birthday_index=patient.birthday_index
    )
    return (None, "") if others.exclude(pk=patient.pk).exists() else (same[0], BY_PARTICULARS)


def _taken(chart: Chart) -> bool:
    return PatientLink.objects.filter(chart=chart).exists()


def look_in_caspio(patient: Patient, caspio: Caspio) -> PatientLink | None:
    """Ask Caspio for the row with this Rupa patient id: one call, by a key."""
    fields = config_of(patient.practice).caspio.patients
    if not fields.rupa_patient_id:
        return None
    rows = caspio.table(fields.table).all(
        select=_select(fields), where=q.field(fields.rupa_patient_id) == patient.external_id
    )
    if rows:
        take_rows(patient.practice, fields, rows)
    return link_patient(patient)
