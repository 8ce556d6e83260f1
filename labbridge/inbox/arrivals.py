"""How events reach the disk: any number of them in one statement and one commit, each with its job.

A commit waits for the disk, and each statement costs the server the same whether it stores one row or ten.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import orjson
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from labbridge.database.prepared import Prepared, bytea_array
from labbridge.engine.jobs import Deferral, deferring
from labbridge.trust.fields import place
from labbridge.trust.keys import keyring

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Arrival:
    """One delivery of an event; `job` is to run when the event is new."""

    id: UUID
    peer: str
    external_id: str
    type: str
    subject: str
    practice_id: UUID | None
    body: bytes = field(repr=False)
    occurred_at: datetime | None = None
    received_at: datetime = field(default_factory=timezone.now)
    job: Deferral | None = None

    @property
    def key(self) -> tuple[str, str]:
        return self.peer, self.external_id

    def sealed(self) -> bytes:
        return keyring().seal(self.body, place("inbox_event", "body", self.id))

    def row(self) -> bytes:
        """Everything but the body, as the statement reads it."""
        job = self.job or (None, None, None)
        return orjson.dumps({
            "id": self.id, "peer": self.peer, "external_id": self.external_id, "type": self.type,
            "subject": self.subject, "practice_id": self.practice_id, "occurred_at": self.occurred_at,
            "received_at": self.received_at, "task": job[0], "lock": job[1], "args": job[2],
        })  # fmt: skip


# An event that is known already is left as it is, without waiting for whoever holds its row.
_STORE = Prepared(f"""
WITH given AS (
    SELECT * FROM ROWS FROM (
        jsonb_to_recordset($1::jsonb) AS (id uuid, peer text, external_id text, type text, subject text,
            practice_id uuid, occurred_at timestamptz, received_at timestamptz, task text, lock text, args text),
        unnest($2::bytea[])
    ) AS given (id, peer, external_id, type, subject, practice_id, occurred_at, received_at, task, lock, args, body)
), kept AS (
    INSERT INTO inbox_event (id, peer, external_id, type, subject, practice_id, body, occurred_at, received_at,
        state, reason, deliveries)
    SELECT id, peer, external_id, type, subject, practice_id, body, occurred_at, received_at, 'received', '', 1
    FROM given
    ON CONFLICT (peer, external_id) DO NOTHING
    RETURNING id
), jobs AS MATERIALIZED (
    SELECT {deferring("task", "lock", "args", order="id")} AS ids
    FROM kept JOIN given USING (id) WHERE task IS NOT NULL
)
SELECT id, (SELECT ids FROM jobs) FROM kept
""")  # noqa: S608  # our own names

_COUNT = Prepared(
    "UPDATE inbox_event SET deliveries = deliveries + 1 WHERE peer = $1 AND external_id = $2 RETURNING id"
)


def store(arrivals: Sequence[Arrival]) -> set[UUID]:
    """Store those that are new, each with its job, in one commit; answers their ids. All of them or none.

    Raises Django's database errors, DatabaseProblem.
    """
    # In the order of their keys, so that two processes never wait for each other.
    ordered = sorted(arrivals, key=lambda one: one.key)
    rows = b"[" + b",".join(one.row() for one in ordered) + b"]"
    kept = _STORE.rows([rows.decode(), bytea_array([one.sealed() for one in ordered])])
    return {UUID(row[0]) for row in kept}


def record(arrival: Arrival) -> tuple[UUID, bool]:
    """Keep one event with its job: both or neither. A second delivery of the same one changes only its counter.

    Returns the id it is kept under and whether it is new. Raises Django's database errors, DatabaseProblem.
    """
    while True:
        if _again(lambda: store([arrival])):
            return arrival.id, True
        counted = _again(lambda: _COUNT.rows(arrival.key))
        if counted:
            return UUID(counted[0][0]), False
        # It was deleted between the two: then it is new after all.


def _again(work: Callable[[], T]) -> T:
    """Do it; once more when this thread's connection was lost since its last use.

    Testing it beforehand would cost each delivery a round trip, and storing twice is harmless.
    """
    try:
        return work()
    except (OperationalError, InterfaceError):
        if connection.in_atomic_block:
            raise
        connection.close()
        return work()
