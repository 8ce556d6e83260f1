"""Statements that Django's layer cannot say, by the connection of this thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection

Row = tuple[Any, ...]  # any: what a column holds


def fetch(
    query: str, values: Sequence[Any] | Mapping[str, Any] | None = None
) -> list[Row]:  # any: what SQL takes
    """Run one query. Returns all of its rows."""
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return list(cursor.fetchall())
