"""The simulator's memory: one SQLite file of JSON documents, the files of results, and the webhook queue."""

import json
import re
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Doc = dict[str, Any]

SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, id TEXT NOT NULL, clinic TEXT,
  body TEXT NOT NULL, UNIQUE (kind, id));
CREATE INDEX IF NOT EXISTS documents_newest ON documents (kind, clinic, seq);
CREATE TABLE IF NOT EXISTS files (id TEXT PRIMARY KEY, media TEXT NOT NULL, content BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, type TEXT NOT NULL, object_id TEXT NOT NULL,
  clinic TEXT, created_at TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (
  id INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL, state TEXT NOT NULL, due REAL NOT NULL,
  first_due REAL NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, last_status INTEGER, signature TEXT,
  log TEXT NOT NULL DEFAULT '[]');
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (state, due);
CREATE INDEX IF NOT EXISTS deliveries_event ON deliveries (event);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
TABLES = ("documents", "files", "events", "deliveries")
PLAIN_NAME = re.compile(r"[a-z0-9_.]+")


class Store:
    """Documents by kind and id, in the order they were made. One connection, guarded by one lock."""

    def __init__(self, path: Path | str) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; nested uses join the outermost."""
        with self._lock:
            if self._depth == 0:
                self._db.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._db.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self._db.execute("COMMIT")

    def run(self, sql: str, *values: object) -> list[sqlite3.Row]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def clear(self) -> None:
        with self.transaction():
            for table in TABLES:
                self._db.execute(f"DELETE FROM {table}")

    # --- documents ----------------------------------------------------------------------------------------
    def add(self, kind: str, doc: Doc, *, clinic: str | None = None) -> Doc:
        self.run(
            "INSERT INTO documents (kind, id, clinic, body) VALUES (?, ?, ?, ?)",
            *(kind, doc["id"], clinic, json.dumps(doc)),
        )
        return doc

    def one(self, kind: str, doc_id: str | None) -> Doc | None:
        rows = self.run("SELECT body FROM documents WHERE kind = ? AND id = ?", kind, doc_id)
        return json.loads(rows[0]["body"]) if rows else None

    def need(self, kind: str, doc_id: str) -> Doc:
        """Return the document. Raises KeyError."""
        if (doc := self.one(kind, doc_id)) is None:
            raise KeyError(f"no {kind} {doc_id}")
        return doc

    def save(self, kind: str, doc: Doc) -> None:
        self.run("UPDATE documents SET body = ? WHERE kind = ? AND id = ?", json.dumps(doc), kind, doc["id"])

    def remove(self, kind: str, doc_id: str) -> None:
        self.run("DELETE FROM documents WHERE kind = ? AND id = ?", kind, doc_id)

    def many(
        self,
        kind: str,
        *,
        clinic: str | None = None,
        equal: Mapping[str, Any] | None = None,
        search: tuple[str, tuple[str, ...]] | None = None,
        order: str = "seq ASC",
        limit: int = -1,
        offset: int = 0,
    ) -> list[Doc]:
        where, values = _where(kind, clinic, equal, search)
        sql = f"SELECT body FROM documents WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?"
        return [json.loads(row["body"]) for row in self.run(sql, *values, limit, offset)]

    def count(
        self,
        kind: str,
        *,
        clinic: str | None = None,
        equal: Mapping[str, Any] | None = None,
        search: tuple[str, tuple[str, ...]] | None = None,
    ) -> int:
        where, values = _where(kind, clinic, equal, search)
        return int(self.run(f"SELECT count(*) AS n FROM documents WHERE {where}", *values)[0]["n"])

    # --- files and settings -------------------------------------------------------------------------------
    def add_file(self, file_id: str, media: str, content: bytes) -> None:
        self.run("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", file_id, media, content)

    def file(self, file_id: str) -> tuple[str, bytes] | None:
        rows = self.run("SELECT media, content FROM files WHERE id = ?", file_id)
        return (rows[0]["media"], rows[0]["content"]) if rows else None

    def setting(self, name: str) -> Any:
        rows = self.run("SELECT value FROM settings WHERE name = ?", name)
        return json.loads(rows[0]["value"]) if rows else None

    def set_setting(self, name: str, value: object) -> None:
        self.run("INSERT OR REPLACE INTO settings VALUES (?, ?)", name, json.dumps(value))


def _where(
    kind: str,
    clinic: str | None,
    equal: Mapping[str, Any] | None,
    search: tuple[str, tuple[str, ...]] | None,
) -> tuple[str, list[Any]]:
    parts, values = ["kind = ?"], [kind]
    if clinic is not None:
        parts.append("clinic = ?")
        values.append(clinic)
    for name, value in (equal or {}).items():
        parts.append(f"lower({field(name)}) = lower(?)")
        values.append(value)
    if search:
        words, names = search
        for word in words.split():
            parts.append("(" + " OR ".join(f"instr(lower({field(n)}), lower(?))" for n in names) + ")")
            values += [word] * len(names)
    return " AND ".join(parts), values


def field(name: str) -> str:
    """Name a value inside a document in SQL."""
    if not PLAIN_NAME.fullmatch(name):
        raise ValueError("not a field's name")
    return f"json_extract(body, '$.{name}')"
