"""The least that an event of a new order needs, beside a job that does nothing, in processor time of one process.

Three calls to Caspio (the order and two tests), each with its turn and count, two statements of the filing ledger,
one entry of the audit, the event opened and read, and the job that files: whatever else is done comes on top, so the
drain cannot be nearer to its ceiling than this. PostgreSQL's own time is left out on both sides.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

from bench import drainer, machine, peers, service
from bench.report import Line, show

COUNT = 300


def run(count: int = COUNT) -> None:
    with service.scratch() as folder, service.database(folder) as url:
        done = subprocess.run(
            [sys.executable, "-m", "bench.least", str(count)],
            env=service.environment(folder), cwd=service.ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(done.stderr[-4000:])
        found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        print(machine.facts(url))
    empty, least = found["a job that does nothing"], sum(found.values())
    lines = [Line(what, f"{cost:.2f} ms") for what, cost in found.items()]
    show(
        f"the least of an event of a new order: {count} of each",
        [*lines, Line("all of it, beside an empty job", f"{least:.2f} ms", f"{empty:.2f} ms", empty / least)],
    )


def _here(count: int) -> None:
    from labbridge.commands.base import start_django

    start_django()
    drainer.empty_tables()
    drainer.defer_empty(count, count)
    began = time.process_time()
    drainer.drain()
    found = {"a job that does nothing": 1000 * (time.process_time() - began) / count}

    practice = peers.practice()
    peers.answer_at_once()
    found |= {what: _cost(work, count) for what, work in _parts(practice).items()}
    sys.stdout.write(json.dumps(found) + "\n")


def _cost(work: Callable[[int], object], count: int) -> float:
    """Milliseconds of one, once it is warm."""
    for number in range(20):
        work(-1 - number)
    began = time.process_time()
    for number in range(count):
        work(number)
    return 1000 * (time.process_time() - began) / count


def _parts(practice: object) -> dict[str, Callable[[int], object]]:
    from labbridge.filing.execute import _store
    from labbridge.filing.models import FiledRow, RowState
    from labbridge.handlers.filing import FILER
    from labbridge.inbox.models import Event
    from labbridge.peers.rupa.events import EventEnvelope
    from labbridge.practices.clients import caspio
    from labbridge.trust.audit import record

    events = [
        Event(
            peer="rupa",
            external_id=f"evt_{number}",
            body=peers.order_event(number, number, datetime.now(UTC)),
        )
        for number in range(20)
    ]
    Event.objects.bulk_create(events)
    sealed = list(Event.objects.values_list("pk", flat=True))
    values = {f"Field_{number}": "a value" for number in range(15)}
    hashes = {f"Field_{number}": "0123456789abcdef0123" for number in range(15)}

    def read(number: int) -> None:
        """The event, opened and read; the statement that fetches it is shared by many."""
        event = _held[number % len(_held)]
        event.body = _bodies[number % len(_held)]
        assert EventEnvelope.parse(event.body).order is not None

    def call(number: int) -> None:
        with caspio(practice, "filing") as client:  # type: ignore[arg-type]  # a Practice, not imported for mypy's sake
            for table in ("Lab_Orders", "Lab_Order_Tests", "Lab_Order_Tests"):
                client.table(table).insert({"Key": str(number), **values})

    def keep(number: int) -> None:
        rows = [
            FiledRow(practice=practice, table="lab_orders", key=f"{number}-{which}", state=RowState.INTENDED,
                     intended=hashes)
            for which in range(3)
        ]  # fmt: skip
        _store(rows)
        for row in rows:
            row.fields, row.intended, row.state = row.intended, {}, RowState.CONFIRMED
        _store(rows)

    def audit(number: int) -> None:
        record(
            "order.file", actor=FILER, practice=practice, subject=f"order:{number}", why="treatment", count=3
        )

    _held = list(Event.objects.filter(pk__in=sealed))
    _bodies = [event.__dict__["body"] for event in _held]  # sealed, as they lie
    return {
        "one event opened and read": read,
        "three calls to Caspio": call,
        "intents and answers of three rows": keep,
        "one entry of the audit": audit,
    }


if __name__ == "__main__":
    _here(int(sys.argv[1]))
