"""The few statements that run for every delivery, spoken to PostgreSQL as directly as it goes.

Django and psycopg are made for any statement: per call they cost more than a small insert does (docs/performance.md).
These are planned once for each connection, and their values travel beside them.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import count
from weakref import WeakKeyDictionary

import psycopg
from django.db import connection
from psycopg import pq

Value = str | bytes | None  #: text as PostgreSQL reads it, bytes as they are

_numbers = count(1)


class Prepared:
    """One statement with `$1`, `$2` … for its values, on Django's connection and in its transaction if any."""

    def __init__(self, statement: str) -> None:
        self._statement = statement.encode()
        self._name = f"labbridge_{next(_numbers)}".encode()
        self._known: WeakKeyDictionary[psycopg.Connection, bool] = WeakKeyDictionary()

    def rows(self, values: Sequence[Value]) -> list[list[str | None]]:
        """All rows, as text. Raises Django's database errors."""
        connection.ensure_connection()
        with connection.wrap_database_errors:
            inner: psycopg.Connection = connection.connection
            if not inner.autocommit and inner.pgconn.transaction_status == pq.TransactionStatus.IDLE:
                inner.execute("SELECT 1")  # psycopg begins a transaction with its own first statement only
            if inner not in self._known:
                _done(inner.pgconn.prepare(self._name, self._statement), pq.ExecStatus.COMMAND_OK)
                self._known[inner] = True
            wired = [value.encode() if isinstance(value, str) else value for value in values]
            result = inner.pgconn.exec_prepared(
                self._name,
                wired,  # type: ignore[arg-type]  # None stands for NULL, as its implementations have it
                [pq.Format.BINARY if isinstance(value, bytes) else pq.Format.TEXT for value in values],
            )
            _done(result, pq.ExecStatus.TUPLES_OK)
        return [
            [
                None if (value := result.get_value(row, column)) is None else value.decode()
                for column in range(result.nfields)
            ]
            for row in range(result.ntuples)
        ]


def bytea_array(values: Sequence[bytes]) -> bytes:
    """An array of byte strings in PostgreSQL's binary form; as text it would be twice as long."""
    head = struct.pack("!iiIii", 1, 0, _BYTEA, len(values), 1)  # dimensions, NULLs, type, length, first index
    return head + b"".join(struct.pack("!i", len(value)) + value for value in values)


_BYTEA = 17  # PostgreSQL's number of that type


def _done(result: pq.abc.PGresult, wanted: pq.ExecStatus) -> None:
    """Raises psycopg's own error for what PostgreSQL refused; a connection that is gone has no code of its own."""
    if result.status == wanted:
        return
    if result.error_field(pq.DiagnosticField.SQLSTATE) is None:
        raise psycopg.OperationalError("the connection was lost")
    raise psycopg.errors.error_from_result(result)
