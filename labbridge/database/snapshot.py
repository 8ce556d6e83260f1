"""The tables as the migrations leave them, in one file: a new database is made in one go instead of step by step.

`snapshot.sql` is made by `make snapshot`. It begins with the digest of every migration in it, and is used only where
all of them are still what they were; migrations that are newer simply run after it. So an old snapshot costs time on
a first start, never correctness.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from django.db import connection, transaction
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader

FILE = Path(__file__).with_name("snapshot.sql")
HEAD = "-- migrations: "

_EMPTY = """
SELECT current_schema() = 'public'
   AND NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace)
   AND NOT EXISTS (SELECT FROM pg_type WHERE typnamespace = 'public'::regnamespace)
"""


def load() -> bool:
    """Fill an empty database; False when it is not empty or the snapshot does not fit these migrations."""
    if not FILE.exists():
        return False
    text = FILE.read_text(encoding="utf-8")
    known = digests()
    held = recorded(text)
    if any(known.get(name) != digest for name, digest in held.items()):
        return False
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_EMPTY)
        if not cursor.fetchone()[0]:
            return False
        cursor.execute("SET LOCAL check_function_bodies = false")
        cursor.execute(text)
    return True


def recorded(text: str) -> dict[str, str]:
    """The migrations in a snapshot, each with its digest."""
    found: dict[str, str] = json.loads(text.partition("\n")[0].removeprefix(HEAD))
    return found


def digests() -> dict[str, str]:
    """The migrations of this version, each with the digest of its file."""
    loader = MigrationLoader(None, load=False)
    loader.load_disk()
    return {f"{app}.{name}": _digest(type(one)) for (app, name), one in loader.disk_migrations.items()}


def _digest(migration: type[Migration]) -> str:
    module = sys.modules[migration.__module__]
    return hashlib.sha256(Path(str(module.__file__)).read_bytes()).hexdigest()[:12]
