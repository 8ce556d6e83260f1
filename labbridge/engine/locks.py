"""Locks that hold across processes and hosts, and fall by themselves when their holder dies."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


@contextmanager
def exclusive(name: str) -> Iterator[None]:
    """Wait for the lock `name`, hold it for the block.

    Raises:
        RuntimeError: inside a transaction, where what the lock protects could be rolled back after its release.

    """
    if connection.in_atomic_block:
        raise RuntimeError(f"The lock {name} is not for use inside a transaction.")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_number(name)])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_number(name)])


@contextmanager
def try_exclusive(name: str, *, shared: bool = False) -> Iterator[bool]:
    """Yield whether the lock could be had at once. `shared`: beside others who share it, but no exclusive holder."""
    kind = "_shared" if shared else ""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_try_advisory_lock{kind}(%s)", [_number(name)])
        held = bool(cursor.fetchone()[0])
    try:
        yield held
    finally:
        if held:
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT pg_advisory_unlock{kind}(%s)", [_number(name)])
