"""Noting a fact: inside the transaction of the change itself, so that both are kept or neither.

One statement stores the facts and a letter for every destination that wants to hear of them. Facts of one thing must
be noted under its lock, so that their numbers tell their order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import orjson
from django.db import connection
from django.utils import timezone

from labbridge.engine.jobs import defer_unless_waiting

CARRY = "carry_letters"  #: the task of handover/jobs.py; it lives above, and is called by its name

Words = dict[str, str | int | bool]

_NOTE = """
WITH noted AS (
  INSERT INTO outbox_fact (practice_id, kind, about, words, at)
  SELECT %(practice)s, kind, about, words, %(at)s
  FROM unnest(%(kinds)s::text[], %(abouts)s::text[], %(words)s::jsonb[]) AS n(kind, about, words)
  RETURNING id, kind, about
)
INSERT INTO outbox_delivery (id, destination_id, fact_id, about, state, attempts, next_at, problem)
SELECT gen_random_uuid(), d.id, noted.id, noted.about, 'pending', 0, %(at)s, ''
FROM noted JOIN outbox_destination AS d
  ON d.practice_id = %(practice)s AND d.removed_at IS NULL AND noted.kind = ANY(d.kinds)
RETURNING destination_id
"""


@dataclass(frozen=True)
class News:
    """One fact to be noted. `words` are ids and words of ours, never a patient's data."""

    kind: str
    about: str
    words: Words = field(default_factory=dict)


def note(practice_id: UUID, kind: str, about: str, **words: str | int | bool) -> None:
    note_all(practice_id, [News(kind, about, words)])


def note_all(practice_id: UUID, news: Iterable[News], *, at: datetime | None = None) -> None:
    """Store the facts in this order, and have those told who want to hear of them.

    Raises:
        RuntimeError: outside of a transaction, where the fact could be kept without the change.

    """
    listed = list(news)
    if not listed:
        return
    if not connection.in_atomic_block:
        raise RuntimeError("A fact is noted inside the transaction of what it tells of.")
    with connection.cursor() as cursor:
        cursor.execute(
            _NOTE,
            {
                "practice": str(practice_id), "at": at or timezone.now(),
                "kinds": [one.kind for one in listed], "abouts": [one.about for one in listed],
                "words": [orjson.dumps(one.words).decode() for one in listed],
            },
        )  # fmt: skip
        hearers = {row[0] for row in cursor.fetchall()}
    for destination_id in hearers:
        wake(destination_id)


def wake(destination_id: UUID) -> None:
    """Have a destination's letters carried after this transaction, by one job for all that comes at once."""
    defer_unless_waiting(CARRY, lock=f"feed:{destination_id}", destination_id=str(destination_id))
