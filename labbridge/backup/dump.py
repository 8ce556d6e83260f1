"""Out of the database and back into it, by PostgreSQL's own programs; the text goes through pipes only."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import IO, Any

from django.db import connection

from labbridge.backup.seal import BackupProblem
from labbridge.database import client_program

PIECE = 256 * 1024

#: psycopg's names for connection parameters to libpq's environment: a password on a command line is everybody's.
_VARIABLES = {
    "host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY",
    "connect_timeout": "PGCONNECT_TIMEOUT", "options": "PGOPTIONS", "channel_binding": "PGCHANNELBINDING",
}  # fmt: skip

# A newer pg_dump writes it, and servers before PostgreSQL 17 refuse it.
_NEWER = b"SET transaction_timeout = 0;\n"

#: What a database of ours holds, without the schema itself, which may belong to somebody else. One at a time, for
#: each takes others with it; what an extension brought stays.
_DROP_ALL = b"""
SET client_min_messages = warning;
SET lock_timeout = '20s';
DO $$ DECLARE what text; BEGIN
  LOOP
    SELECT format('DROP %s %s CASCADE', CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
             WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass) INTO what
      FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')
       AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype IN ('e', 'i', 'a'))
     LIMIT 1;
    EXIT WHEN what IS NULL;
    EXECUTE what;
  END LOOP;
  LOOP
    SELECT format('DROP ROUTINE %s CASCADE', p.oid::regprocedure) INTO what FROM pg_proc p
     WHERE pronamespace = 'public'::regnamespace
       AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e') LIMIT 1;
    EXIT WHEN what IS NULL;
    EXECUTE what;
  END LOOP;
  LOOP
    SELECT format('DROP TYPE %s CASCADE', t.oid::regtype) INTO what
      FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
     WHERE typnamespace = 'public'::regnamespace AND (typtype IN ('e', 'd') OR c.relkind = 'c')
       AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = t.oid AND d.deptype = 'e') LIMIT 1;
    EXIT WHEN what IS NULL;
    EXECUTE what;
  END LOOP;
END $$;
"""


def environment() -> dict[str, str]:
    """For PostgreSQL's programs: the database that this process uses. They speak English and read no own settings."""
    params: dict[str, Any] = connection.get_connection_params()  # any: libpq parameters beside Django's own
    named = {_VARIABLES[name]: str(value) for name, value in params.items() if name in _VARIABLES and value}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LABBRIDGE_"))}
    return {**kept, **named, "LC_ALL": "C"}


def dumped() -> Iterator[bytes]:
    """The database as one consistent, packed SQL text. Raises BackupProblem."""
    command = [
        str(client_program("pg_dump")), "--no-owner", "--no-privileges", "--compress=gzip:1",
        "--lock-wait-timeout=60s",
    ]  # fmt: skip
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(  # noqa: S603  # PostgreSQL's own program with our own arguments, no shell
            command, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said
        )
        try:
            out = process.stdout
            while out is not None and (piece := out.read(PIECE)):
                yield piece
            if process.wait():
                raise BackupProblem(_dump_failed(said))
        finally:
            if process.poll() is None:  # whoever read it has stopped
                process.kill()
                process.wait()
            if process.stdout:
                process.stdout.close()


def _dump_failed(said: Any) -> str:  # any: a temporary file
    said.seek(0)
    if b"server version mismatch" in said.read(64 * 1024):
        return (
            "The database server is newer than the pg_dump that came with Labbridge. Use the server's own tools for "
            "backups, or update Labbridge."
        )
    return "The database could not be read whole (pg_dump failed). See that it runs, and try again."


def load(pieces: Iterable[bytes]) -> None:
    """Replace what the database holds by this SQL text, in one transaction: all of it, or nothing has changed.

    Raises:
        BackupProblem: with PostgreSQL's error code; its text could quote rows.

    """
    command = [
        str(client_program("psql")), "--no-psqlrc", "--quiet", "--single-transaction", "--file=-",
        "--set=ON_ERROR_STOP=1", "--set=VERBOSITY=sqlstate", "--output=/dev/null",
    ]  # fmt: skip
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(  # noqa: S603  # as above
            command, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said
        )
        try:
            _feed(process, pieces)
        except BaseException:
            process.kill()  # before its input ends, or it would commit half a database
            raise
        finally:
            process.wait()
            with suppress(BrokenPipeError):  # what it did not read any more
                process.stdin.close()  # type: ignore[union-attr]  # a pipe, as asked for above
        if process.returncode:
            said.seek(0)
            raise BackupProblem(_load_failed(said.read(64 * 1024)))


def _feed(process: subprocess.Popen[bytes], pieces: Iterable[bytes]) -> None:
    into: IO[bytes] = process.stdin  # type: ignore[assignment]  # a pipe, as its caller asked for
    with suppress(BrokenPipeError):  # psql ended by itself: its code says why
        into.write(_DROP_ALL)
        for number, piece in enumerate(pieces):
            into.write(piece.replace(_NEWER, b"") if number == 0 else piece)
        into.close()


def _load_failed(said: bytes) -> str:
    codes = [
        line.rsplit(b" ", 1)[-1].decode("ascii", "replace") for line in said.splitlines() if b"ERROR:" in line
    ]
    code = codes[0][:5] if codes else "no answer"
    why = {
        "55P03": "somebody else uses the database: stop `serve`, `web` and `worker` first",
        "42501": "the database user may not make tables there",
        "53100": "its disk is full",
    }.get(code, f"PostgreSQL said {code}")
    return f"Nothing was restored and nothing has changed: {why}."
