"""The account's durable state: one SQLite file, one connection, one writer at a time."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from labbridge.simulators.caspio import tsql

SCHEMA = """
CREATE TABLE IF NOT EXISTS tables (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE COLLATE NOCASE, note TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS fields (
  id INTEGER PRIMARY KEY AUTOINCREMENT, table_id INTEGER NOT NULL, name TEXT NOT NULL COLLATE NOCASE,
  type TEXT NOT NULL, definition TEXT NOT NULL, position INTEGER NOT NULL, hidden INTEGER NOT NULL DEFAULT 0,
  counter INTEGER NOT NULL DEFAULT 0, UNIQUE (table_id, name));
CREATE TABLE IF NOT EXISTS attachments (
  field_id INTEGER, pk INTEGER, name TEXT NOT NULL, extension TEXT NOT NULL, content BLOB NOT NULL,
  created TEXT NOT NULL, updated TEXT NOT NULL, PRIMARY KEY (field_id, pk));
CREATE TABLE IF NOT EXISTS files (
  key TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE COLLATE NOCASE, content_type TEXT NOT NULL,
  content BLOB NOT NULL, created TEXT NOT NULL, modified TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS tokens (token TEXT PRIMARY KEY, kind TEXT NOT NULL, expires REAL NOT NULL);
CREATE TABLE IF NOT EXISTS directories (
  id TEXT PRIMARY KEY, table_id INTEGER NOT NULL, created TEXT NOT NULL, updated TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS webhooks (
  id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE COLLATE NOCASE, description TEXT NOT NULL,
  urls TEXT NOT NULL, throttling INTEGER NOT NULL, secret TEXT NOT NULL, created TEXT NOT NULL,
  modified TEXT);
CREATE TABLE IF NOT EXISTS webhook_events (
  id TEXT PRIMARY KEY, webhook_id TEXT NOT NULL, type TEXT NOT NULL, object_name TEXT NOT NULL,
  object_fields TEXT NOT NULL, sources TEXT NOT NULL, payload_fields TEXT NOT NULL, template TEXT,
  enabled INTEGER NOT NULL, created TEXT NOT NULL, modified TEXT);
CREATE TABLE IF NOT EXISTS messages (
  id INTEGER PRIMARY KEY, message_id TEXT NOT NULL, webhook_id TEXT NOT NULL, event_id TEXT NOT NULL,
  event_type TEXT NOT NULL, object_name TEXT NOT NULL, created TEXT NOT NULL, payload BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS calls (
  id INTEGER PRIMARY KEY, message INTEGER NOT NULL, url TEXT NOT NULL, due REAL NOT NULL,
  attempt INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL DEFAULT 'pending', status INTEGER);
CREATE INDEX IF NOT EXISTS calls_due ON calls (state, due);
CREATE INDEX IF NOT EXISTS calls_message ON calls (message);
"""


class Store:
    """All access goes through `transaction()`, which nests and rolls back as one."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._lock = threading.RLock()
        self._depth = 0
        self.schema_cache: dict[str, Any] = {}  # tables by lower-case name; emptied by every change of design
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")  # outlives a killed process, which is what tests do
        tsql.register(self._db)
        self._db.executescript(SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._begin()
            try:
                yield self._db
            except BaseException:
                self._end("ROLLBACK")
                self.schema_cache.clear()
                raise
            self._end("COMMIT")

    def _begin(self) -> None:
        # savepoints, so that a refused part of a larger transaction can be undone alone
        self._db.execute("BEGIN" if self._depth == 0 else f"SAVEPOINT s{self._depth}")
        self._depth += 1

    def _end(self, how: str) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._db.execute(how)
        elif how == "COMMIT":
            self._db.execute(f"RELEASE s{self._depth}")
        else:
            self._db.execute(f"ROLLBACK TO s{self._depth}")
            self._db.execute(f"RELEASE s{self._depth}")

    def reset(self) -> None:
        """Forget everything, as if the account were new; tokens stay, as clients hold them."""
        with self.transaction() as db:
            for (table_id,) in db.execute("SELECT id FROM tables").fetchall():
                db.execute(f"DROP TABLE IF EXISTS rows_{table_id}")
            for name in ("tables", "fields", "attachments", "files", "directories", "webhooks"):
                db.execute(f"DELETE FROM {name}")
            for name in ("webhook_events", "messages", "calls"):
                db.execute(f"DELETE FROM {name}")
            self.schema_cache.clear()

    def close(self) -> None:
        with self._lock:
            self._db.close()
