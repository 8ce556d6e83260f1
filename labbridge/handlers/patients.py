"""Events of Caspio's patients table: which rows changed, and what became of each."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db import transaction
from django.utils import timezone

from labbridge.handlers import jobs
from labbridge.handlers.charts import is_echo
from labbridge.inbox.models import Event, EventState
from labbridge.mirror.models import RowTouch
from labbridge.practices.apply import config_of
from labbridge.practices.models import Practice


def on_rows(event: Event) -> None:
    """Rows changed in Caspio: note which, and read each again after the settle delay."""
    practice = event.practice
    body = _body(event)
    if practice is None or body is None:
        event.settle(EventState.QUARANTINED, "The message cannot be read. It is kept.")
        return
    config = config_of(practice)
    table = str(body.get("objectName", "")).lower()
    if table == config.caspio.tables.lab_order_requests.lower():
        _on_requests(event, practice, body)
        return
    if table != config.caspio.patients.table.lower():
        event.settle(EventState.HANDLED, "Nothing to do for this table.")
        return
    if event.type == "table.recordUpdate":
        body = {**body, "data": [row for row in _rows(body) if not is_echo(practice, row)]}
    keys = _pk_ids(body)
    due = timezone.now() + timedelta(seconds=config.sync.settle_seconds)
    with transaction.atomic():
        for pk_id in keys:
            touch(practice, pk_id, due)
        event.merged_at, event.subject = timezone.now(), _subject(practice, keys)
        event.save(update_fields=["merged_at", "subject"])
        if not keys:
            event.settle(EventState.HANDLED, "No rows are named, or only what we wrote ourselves.")


def request_lock(practice: Practice, pk_id: int) -> str:
    """Of the job that reads one row of the request table."""
    return f"{practice.slug}:request-row:{pk_id}"


def _on_requests(event: Event, practice: Practice, body: dict[str, Any]) -> None:
    """Somebody asks for labs in the practice's own table: answered within seconds, without a settle delay."""
    with transaction.atomic():
        for pk_id in _pk_ids(body):  # of a deleted one, reading it finds nothing
            jobs.answer_request_row.defer(
                lock=request_lock(practice, pk_id), practice_id=str(practice.pk), pk_id=pk_id
            )
        event.merged_at = timezone.now()
        event.save(update_fields=["merged_at"])
        event.settle(EventState.HANDLED)


def _rows(body: dict[str, Any]) -> list[dict[str, Any]]:
    rows = body.get("data")
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _subject(practice: Practice, keys: list[int]) -> str:
    """Which row it is about; for a bulk change the first and how many."""
    first = keys[0] if keys else "?"
    return (
        f"{practice.slug}:row:{first}" if len(keys) < 2 else f"{practice.slug}:rows:{first}+{len(keys) - 1}"
    )


def tell_rows(practice_id: str, pk_id: int, state: EventState, reason: str = "") -> None:
    """What became of a row that events had named: one of a bulk change is done when all its rows are."""
    practice = Practice.objects.get(pk=practice_id)
    values = {"state": state, "reason": reason[:300], "settled_at": timezone.now()}
    Event.objects.open_for(practice, f"{practice.slug}:row:{pk_id}").update(**values)
    bulk = Event.objects.filter(
        practice=practice,
        subject__startswith=f"{practice.slug}:rows:",
        merged_at__isnull=False,
        state=EventState.RECEIVED,
    )
    for event in bulk:
        keys = _pk_ids(_body(event) or {})
        under_way = RowTouch.objects.filter(practice=practice, pk_id__in=keys, queued=True)
        if pk_id in keys and (state != EventState.HANDLED or not under_way.exists()):
            Event.objects.filter(pk=event.pk).update(**values)


def _body(event: Event) -> dict[str, Any] | None:
    try:
        body = orjson.loads(event.body)
    except orjson.JSONDecodeError:
        return None
    return body if isinstance(body, dict) else None


def _pk_ids(body: dict[str, Any]) -> list[int]:
    rows = body.get("data")
    found = (_pk_id(row) for row in (rows if isinstance(rows, list) else []))
    return sorted(
        {key for key in found if key is not None}
    )  # one order, so that no two messages block each other


def _pk_id(row: Any) -> int | None:  # any: somebody else's JSON
    """A row's PK_ID; text where a payload template is in use (caspio-api.md 4.4)."""
    value = row.get("PK_ID") if isinstance(row, dict) else None
    try:
        key = int(value) if value is not None else 0
    except (TypeError, ValueError):
        return None
    return key if 0 < key < 2**63 else None


def touch(practice: Practice, pk_id: int, due: datetime) -> None:
    row, _ = RowTouch.objects.select_for_update().get_or_create(practice=practice, pk_id=pk_id)
    if not row.queued:
        row.queued = True
        row.save(update_fields=["queued"])
        jobs.pull_chart.defer(
            lock=f"{practice.slug}:chart:{pk_id}", at=due, practice_id=str(practice.pk), pk_id=pk_id
        )
