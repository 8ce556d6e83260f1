"""Everything that happened to one order, oldest first: events, jobs, filings, what people did and noted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from labbridge.console.templatetags.words import TONES
from labbridge.engine.queue import Job, jobs_of
from labbridge.filing.models import FiledRow, RowState
from labbridge.handlers.orders import subject_of
from labbridge.handlers.settle import lock
from labbridge.inbox.models import Event
from labbridge.mirror.models import LabTest, Order, OrderChange, Result, What
from labbridge.peers.errors import Unreadable
from labbridge.peers.rupa.events import EventEnvelope
from labbridge.trust.audit import ACTIONS, LOOKS
from labbridge.trust.keys import CannotOpen
from labbridge.trust.models import AuditEntry

EVENTS, DEEDS = 100, 100  #: the newest of each; an order has a dozen

JOBS = {
    "pull_order": "Read from Rupa",
    "file_order": "File in Caspio",
    "poll_order": "Look for a file at Rupa",
}
#: Rows of Caspio's tables, as people call them.
ROWS = {"lab_orders": "order", "lab_order_tests": "ordered test", "lab_results": "result"}
EVENT_TONES = {"handled": "good", "waiting": "wait", "quarantined": "harm", "dead": "harm"}
Item = dict[str, Any]  # any: what the timeline's template reads


def story(order: Order, *, with_notes: bool) -> list[Item]:
    """Moments, sentences and ids. `with_notes`: what people wrote, which may name the patient."""
    items = [*_events(order), *_changes(order), *_filings(order), *_jobs(order), *_deeds(order)]
    if with_notes:
        items += [
            {"at": note.at, "title": "Noted", "by": note.by, "detail": note.text}
            for note in order.notes.all()
        ]
    return sorted(items, key=lambda item: item["at"] or datetime.max.replace(tzinfo=UTC))


def _events(order: Order) -> Iterator[Item]:
    subject = subject_of(order.external_id)
    told = Event.objects.filter(practice=order.practice, subject=subject).order_by("-received_at", "-id")
    for event in told[:EVENTS]:
        status = _status_then(event)
        said = f"Rupa said “{status}”" if status else f"Rupa told {event.type or 'something'}"
        also = f", delivered {event.deliveries} times" if event.deliveries > 1 else ""
        detail = f"{event.type}{also}: {event.state}" + (f". {event.reason}" if event.reason else "")
        yield {
            "at": event.occurred_at or event.received_at, "title": said, "detail": detail,
            "tone": EVENT_TONES.get(event.state, ""),
        }  # fmt: skip


def _changes(order: Order) -> Iterator[Item]:
    """How it moved, dated by Rupa where it has a date; what one moment changed stands in one line."""
    moved = OrderChange.objects.filter(order=order)
    names = _test_names(order)
    for at, group in groupby(moved, key=lambda one: one.at):
        parts, tones, again = [], set(), []
        for one in group:
            if one.what == What.STATUS:
                if one.event_id is None:  # of an event the line above tells it
                    parts.append(f"Rupa showed “{one.after}”")
            elif one.what == What.RESULT:
                name = names.get(one.ordered_test_id, "a test")
                parts.append(f"{'Another result' if one.before else 'Result'} of {name} from the lab")
            else:
                said = one.after.replace("_", " ")
                parts.append(f"Order {said}" if one.what == What.PHASE else f"Payment {said}")
                tones.add(TONES.get(one.after, ""))
                if one.before:
                    again.append(one.before.replace("_", " "))
        if parts:
            detail = f"Before: {', '.join(again)}" if again else ""
            tone = next((tone for tone in ("harm", "wait", "good") if tone in tones), "")
            yield {"at": at, "title": "; ".join(parts), "detail": detail, "tone": tone}


def _test_names(order: Order) -> dict[UUID | None, str]:
    keys = dict(order.ordered_tests.values_list("pk", "lab_test_id_external"))
    known = LabTest.objects.filter(practice=order.practice, external_id__in=keys.values())
    names = dict(known.exclude(name="").values_list("external_id", "name"))
    return {pk: names[key] for pk, key in keys.items() if key in names}


def _status_then(event: Event) -> str:
    """The order's literal status in that event; nothing when its contents were removed or cannot be read."""
    if event.emptied_at:
        return ""
    try:
        snapshot = EventEnvelope.parse(bytes(event.body)).order
    except (CannotOpen, Unreadable):
        return ""
    return "" if snapshot is None else str(snapshot.status or "")[:100]


def _filings(order: Order) -> Iterator[Item]:
    rows = FiledRow.objects.filter(practice=order.practice, group=f"order:{order.pk}")
    names: dict[str, str] = {}
    values: dict[str, list[FiledRow]] = {}
    for row in rows.order_by("table", "key"):
        if row.table == "lab_result_values":  # one line for all of them
            values.setdefault(row.key.rpartition("-")[0], []).append(row)
            continue
        names[row.key] = row.table
        yield _filing(row)
    for key, held in values.items():
        newest = max(held, key=lambda row: row.changed_at)
        yield {"at": newest.changed_at, "title": f"{len(held)} values of {key} in Caspio", "tone": "good"}


def _filing(row: FiledRow) -> Item:
    where = f"PK_ID {row.pk_id}" if row.pk_id is not None else "its PK_ID is not known"
    made_anew = f", made anew {row.recreated} times" if row.recreated else ""
    what = f"{ROWS.get(row.table, row.table)} {row.key}"
    if row.state == RowState.CONFIRMED:
        return {
            "at": row.changed_at,
            "title": f"In Caspio: {what}",
            "detail": where + made_anew,
            "tone": "good",
        }
    return {"at": row.changed_at, "title": f"Being written: {what}", "detail": where, "tone": "wait"}


def _jobs(order: Order) -> Iterator[Item]:
    for job in jobs_of([lock(order, kind) for kind in ("pull", "file", "poll")]):
        yield {
            "at": job.failed_at or job.at, "title": f"{JOBS.get(job.task, job.task)}: {_job_state(job)}",
            "detail": job.reason, "tone": "harm" if job.state == "dead" else "wait",
        }  # fmt: skip


def _job_state(job: Job) -> str:
    attempts = f" after {job.attempts} attempts" if job.attempts else ""
    return {"dead": f"given up{attempts}", "running": "running now", "waiting": f"waiting{attempts}"}[
        job.state
    ]


def _deeds(order: Order) -> Iterator[Item]:
    """What people and jobs did; who only looked is told on the patient's page."""
    results = Result.objects.filter(ordered_test__order=order).values_list("pk", flat=True)
    subjects = [f"order:{order.pk}", *(f"result:{pk}" for pk in results)]
    looks = [name for name, action in ACTIONS.items() if action.kind in LOOKS]
    entries = AuditEntry.objects.filter(subject__in=subjects).exclude(action__in=looks).order_by("-at")
    for entry in entries[:DEEDS]:
        words = ACTIONS[entry.action].words if entry.action in ACTIONS else entry.action
        count = (
            f" ({entry.count} write{'' if entry.count == 1 else 's'})"
            if entry.action == "order.file" and entry.count
            else ""
        )
        yield {
            "at": entry.at,
            "title": f"{words[0].upper()}{words[1:]}{count}",
            "by": "Labbridge" if entry.actor_kind == "job" else entry.actor_name or "somebody",
        }
