"""One drain in a process of its own, so that its memory is its own: `python -m bench.drainer WHAT COUNT SUBJECTS`.

WHAT is `events` (stored events, until Caspio holds what they say) or `empty` (jobs that do nothing, under as many
locks). Prints what it found as JSON. The settings come from the environment.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from bench import machine, peers

CONCURRENCY = 4  #: LABBRIDGE_WORKER_CONCURRENCY as it is when nobody sets it
BATCH = 500


def main() -> None:
    what, count, subjects = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    from labbridge.commands.base import start_django

    start_django()
    empty_tables()
    if what == "events":
        peers.practice()
        peers.answer_at_once()
    (store_events if what == "events" else defer_empty)(count, subjects)
    before = machine.peak_memory()
    began = time.perf_counter()
    drain()
    seconds = time.perf_counter() - began
    found = {"seconds": seconds, "rate": count / seconds, "peak": machine.peak_memory(), "before": before}
    if what == "events":
        check(count, subjects)
    sys.stderr.write(json.dumps(found))


def drain() -> None:
    from labbridge.engine import queue, worker

    while queue.due():
        worker.run_until_idle(CONCURRENCY)


def store_events(count: int, subjects: int) -> None:
    from labbridge.handlers.jobs import handle_event
    from labbridge.inbox.arrivals import Arrival, store
    from labbridge.trust.ids import new_id

    def arrival(number: int) -> Arrival:
        key, subject = new_id(), f"order:ord_{number % subjects}"
        return Arrival(
            id=key, peer="rupa", external_id=f"evt_{number}", type="order.updated", subject=subject, practice_id=None,
            body=peers.order_event(number, number % subjects, began),
            job=handle_event.deferral(lock=f"rupa:{subject}", event_id=str(key)),
        )  # fmt: skip

    began = datetime.now(UTC) - timedelta(days=1)
    for first in range(0, count, BATCH):
        store([arrival(number) for number in range(first, min(first + BATCH, count))])


def empty_task() -> Any:
    """Register the task that does nothing. Returns it."""
    from labbridge.engine.jobs import task
    from labbridge.engine.retry import OWN

    @task("bench_empty", policy=OWN)
    def nothing(event_id: str) -> None:
        """The engine's own work is all there is."""

    return nothing


def defer_empty(count: int, subjects: int) -> None:
    from django.db import transaction

    nothing = empty_task()
    for first in range(0, count, BATCH):
        with transaction.atomic():
            for number in range(first, min(first + BATCH, count)):
                nothing.defer(lock=f"rupa:order:ord_{number % subjects}", event_id=str(number))


def check(count: int, subjects: int) -> None:
    """A drain that lost something would be quick."""
    from labbridge.filing.models import FiledRow, RowState
    from labbridge.inbox.models import Event, EventState

    handled = Event.objects.filter(state=EventState.HANDLED).count()
    filed = FiledRow.objects.filter(state=RowState.CONFIRMED, table="lab_orders").count()
    if (handled, filed) != (count, subjects):
        states = list(Event.objects.order_by().values_list("state", "reason").distinct()[:5])
        raise SystemExit(f"{handled} of {count} events handled, {filed} of {subjects} orders filed: {states}")


def empty_tables() -> None:
    from django.core.management import call_command
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SET labbridge.retention = 'on'")  # the audit lets nobody else empty it
    call_command("flush", verbosity=0, interactive=False)
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE procrastinate_jobs, procrastinate_workers, practices_rate CASCADE")
        cursor.execute("VACUUM ANALYZE")


if __name__ == "__main__":
    main()
