"""Failures as people see them: events and jobs of one cause together, under a key that tells nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, Max, Min, Q, QuerySet

from labbridge.console.scope import Viewer
from labbridge.engine import queue
from labbridge.engine.queue import FailedJob
from labbridge.filing.models import ProtocolEdit
from labbridge.inbox.models import Event, EventState
from labbridge.mirror.models import Chart, Order
from labbridge.ordering.models import OrderRequest
from labbridge.practices.models import Connection, Practice

#: Tasks as people call them; a task that is missing here is called by its own name.
TASKS = {
    "handle_event": "Take an event in", "pull_order": "Read an order from Rupa",
    "file_order": "File an order in Caspio",
    "poll_order": "Look for a late result file", "pull_chart": "Read a patient's row from Caspio",
    "file_lab_test": "File a lab test in Caspio", "sync_chart": "Bring a patient to Rupa",
    "learn_practitioners": "Learn who works in the clinic", "answer_request_row": "Answer a row of the request table",
    "answer_request": "Answer an order request", "start_request": "Go on with an order request",
    "expire_request": "Put an unused checkout away", "read_returned_order": "Read a returned order",
    "sync_catalog": "Read Rupa's catalogue", "file_protocol": "Write a protocol to Caspio",
    "file_summary_tables": "File the summary tables in Caspio",
}  # fmt: skip


def failure_key(*parts: str) -> str:
    """Short, the same for the same failure, and safe in an address."""
    return hashlib.blake2s("\x1f".join(parts).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class Failure:
    """Events, or jobs, that failed in the same way."""

    kind: str  # events, jobs
    key: str
    title: str
    state: str
    reason: str
    count: int
    oldest: datetime | None
    newest: datetime | None
    jobs: tuple[FailedJob, ...] = ()
    peer: str = ""


def events_of(viewer: Viewer, permission: str) -> QuerySet[Event]:
    """Of the practices at which the viewer may do this; what belongs to none is for whoever has all of them."""
    practices = viewer.at(permission)
    mine = Q(practice__in=practices)
    if viewer.everywhere and len(practices) == len(viewer.practices):
        mine |= Q(practice=None)
    return Event.objects.filter(mine).select_related("practice").defer("body")


def event_failures(viewer: Viewer, permission: str) -> list[Failure]:
    rows = (
        events_of(viewer, permission)
        .exclude(state=EventState.HANDLED)
        .exclude(state=EventState.RECEIVED, reason="")
        .order_by()
        .values("peer", "state", "reason")
        .annotate(events=Count("*"), oldest=Min("received_at"), newest=Max("received_at"))
        .order_by("-newest")
    )
    return [_events(row) for row in rows]


def _events(row: Mapping[str, Any]) -> Failure:  # any: a row of values
    peer, state, reason = row["peer"], row["state"], row["reason"]
    title = f"event{'' if row['events'] == 1 else 's'} of {peer.title()}"
    return Failure(
        "events", failure_key(peer, state, reason), title, state, reason, row["events"],
        row["oldest"], row["newest"], peer=peer,
    )  # fmt: skip


def job_failures(viewer: Viewer, permission: str) -> list[Failure]:
    groups: dict[tuple[str, str, str], list[FailedJob]] = {}
    for job in _jobs(viewer, permission):
        groups.setdefault((job.task, job.state, job.reason), []).append(job)
    return [
        Failure(
            "jobs", failure_key(task, state, reason), TASKS.get(task, task), state, reason, len(jobs),
            min(filter(None, (job.failed_at for job in jobs)), default=None),
            max(filter(None, (job.failed_at for job in jobs)), default=None), tuple(jobs),
        )
        for (task, state, reason), jobs in groups.items()
    ]  # fmt: skip


def _jobs(viewer: Viewer, permission: str) -> Iterable[FailedJob]:
    """Whose a job is stands in what it is about; one that is nobody's is for whoever has all practices."""
    practices = viewer.at(permission)
    ids, all_of_them = (
        {one.pk for one in practices},
        viewer.everywhere and len(practices) == len(viewer.practices),
    )
    failed = queue.failed()
    owners = _owners(failed)
    for job in failed:
        owner = owners.get(job.id)
        if owner in ids or (owner is None and all_of_them):
            yield job


#: Argument of a job -> the model whose row it names.
NAMED: dict[str, Any] = {  # any: models of several packages
    "event_id": Event, "order_id": Order, "chart_id": Chart, "request_id": OrderRequest, "connection_id": Connection,
    "practice_id": Practice, "edit_id": ProtocolEdit,
}  # fmt: skip


#: Where the practice stands in such a row, if not in its own column.
OWNER = {"practice_id": "pk", "edit_id": "protocol__practice_id"}


def _owners(failed: list[FailedJob]) -> dict[int, UUID | None]:
    """Job -> practice, in one query for each kind of argument."""
    wanted: dict[str, set[str]] = {}
    for job in failed:
        for name in NAMED.keys() & job.ids.keys():
            wanted.setdefault(name, set()).add(str(job.ids[name]))
    column = {name: OWNER.get(name, "practice_id") for name in NAMED}
    known = {
        (name, str(key)): practice
        for name, keys in wanted.items()
        for key, practice in NAMED[name]
        .objects.order_by()
        .filter(pk__in=keys)
        .values_list("pk", column[name])
    }
    return {
        job.id: next(
            (known[name, str(job.ids[name])] for name in NAMED if (name, str(job.ids.get(name))) in known),
            None,
        )
        for job in failed
    }


def find(viewer: Viewer, permission: str, key: str) -> Failure | None:
    """The failure of that key, events before jobs."""
    for listed in (event_failures, job_failures):
        found = next((one for one in listed(viewer, permission) if one.key == key), None)
        if found is not None:
            return found
    return None


def events_in(events: QuerySet[Event], failure: Failure) -> QuerySet[Event]:
    return events.filter(peer=failure.peer, state=failure.state, reason=failure.reason)
