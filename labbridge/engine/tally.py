"""Counting what all processes see, by the hour: for alerts and metrics. Names are words of ours, never data."""

from __future__ import annotations

import threading
import time
from datetime import datetime

from django.db import DatabaseError, InterfaceError, connection
from django.db.models import Sum

from labbridge.database import DatabaseProblem
from labbridge.engine.models import Tally

REST = 15.0  #: seconds between two writes of one name: a flood of forged deliveries costs no more

_ADD = """
INSERT INTO engine_tally AS held (name, hour, count) VALUES (%s, date_trunc('hour', now()), %s)
ON CONFLICT (name, hour) DO UPDATE SET count = held.count + excluded.count
"""

_guard = threading.Lock()
_unwritten: dict[str, int] = {}
_written_at: dict[str, float] = {}


def add(name: str, count: int = 1) -> None:
    """Count at once, in the transaction that is open."""
    with connection.cursor() as cursor:
        cursor.execute(_ADD, [name, count])


def note(name: str) -> None:
    """Count soon: the first at once, what follows closely together with the next. Raises nothing.

    Call it outside of transactions.
    """
    with _guard:
        _unwritten[name] = _unwritten.get(name, 0) + 1
        if time.monotonic() - _written_at.get(name, -REST) < REST:
            return
        _written_at[name] = time.monotonic()
        count = _unwritten.pop(name)
    try:
        add(name, count)
    except (DatabaseError, InterfaceError, DatabaseProblem):
        with _guard:
            _unwritten[name] = _unwritten.get(name, 0) + count


def total(prefix: str, since: datetime) -> dict[str, int]:
    """Counts by name, of the names that start so, in the hours that reach into the time since then."""
    start = since.replace(minute=0, second=0, microsecond=0)
    rows = Tally.objects.filter(name__startswith=prefix, hour__gte=start)
    return dict(rows.values_list("name").annotate(Sum("count")))
