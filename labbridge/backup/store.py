"""Making, proving and restoring backup files."""

from __future__ import annotations

import os
import re
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import structlog
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from labbridge.backup.dump import dumped, load
from labbridge.backup.models import Backup
from labbridge.backup.seal import BackupProblem, Header, read, read_header, write
from labbridge.engine.rescue import STALLED_AFTER
from labbridge.trust.audit import job, operator, record
from labbridge.trust.keys import deployment_keys

log = structlog.get_logger()

SUFFIX = ".labbridge"
_NAME = re.compile(r"labbridge-\d{8}-\d{6}Z" + re.escape(SUFFIX))
#: What a person or a peer has put there; a database without any of it is as good as new.
_CONTENT = ("practices_practice", "inbox_event", "auth_user")


@dataclass(frozen=True)
class Made:
    path: Path
    made_at: datetime
    size: int
    seconds: float


def target_for(place: Path, now: datetime) -> Path:
    """A file as it was named, or a new one in a directory."""
    if place.is_dir():
        return place / f"labbridge-{now.astimezone(UTC):%Y%m%d-%H%M%S}Z{SUFFIX}"
    return place


def make(target: Path, now: datetime, *, scheduled: bool = False) -> Made:
    """Write a backup beside its place, read it back, and put it there when it is whole. Raises BackupProblem."""
    began = time.monotonic()
    unfinished = target.with_name(f".{target.name}.unfinished")
    try:
        handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as file:
            write(file, dumped(), _facts(now), deployment_keys()[0])
            file.flush()
            os.fsync(file.fileno())
        prove(unfinished)
        unfinished.replace(target)
        _sync(target.parent)
    except OSError as error:
        raise BackupProblem(
            f"The backup could not be written to {target}: {error.strerror or type(error).__name__}. Choose a "
            "directory that this user may write and that has room."
        ) from None
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
    made = Made(target, now, target.stat().st_size, time.monotonic() - began)
    actor = job("scheduled_backup") if scheduled else operator()
    record("backup.make", actor=actor, count=made.size, file=target.name[:100])
    Backup.objects.create(made_at=now, size=made.size, seconds=made.seconds, scheduled=scheduled)
    log.info("backup.made", size=made.size, seconds=round(made.seconds, 1))
    return made


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _facts(now: datetime) -> dict[str, Any]:
    applied = sorted(f"{app}.{name}" for app, name in MigrationRecorder(connection).applied_migrations())
    return {"made_at": now.isoformat(), "version": version("labbridge"), "migrations": applied,
            "postgresql": connection.cursor().connection.info.server_version}  # fmt: skip


def prove(path: Path) -> Header:
    """Read a backup whole: every chunk proven, the text unpacked to its end. Raises BackupProblem."""
    with _opened(path) as file:
        header = read_header(file)
        for _ in _unpacked(read(file, header, deployment_keys())):
            pass
    return header


def _opened(path: Path) -> Any:  # any: a file
    try:
        return path.open("rb")
    except OSError as error:
        raise BackupProblem(f"{path} cannot be read: {error.strerror}.") from None


def _unpacked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        for piece in pieces:
            yield unpacker.decompress(piece)
        yield unpacker.flush()
    except zlib.error:
        raise BackupProblem("This backup is damaged. Use an older one.") from None
    if not unpacker.eof:
        raise BackupProblem("This backup is not whole. Use an older one.")


def restore(path: Path, *, force: bool = False, dry_run: bool = False) -> Header:
    """Prove a backup, see that it may be put there, then put it there; the tables are then brought up to date.

    Raises:
        BackupProblem: and the database is as it was.

    """
    header = prove(path)
    _check_version(header)
    _check_place(force=force)
    if dry_run:
        return header
    connection.close()
    with path.open("rb") as file:
        again = read_header(file)
        # A file that was exchanged meanwhile is proven chunk by chunk all the same.
        load(piece for piece in _unpacked(read(file, again, deployment_keys())) if piece)
    log.info("backup.restored", version=str(header.facts.get("version", "")))
    return header


def _check_version(header: Header) -> None:
    known = {f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations or ()}
    unknown = set(header.facts.get("migrations", ())) - known
    if unknown:
        raise BackupProblem(
            f"This backup was made by a newer Labbridge ({header.facts.get('version', '?')}). Install that version "
            "or a later one, then restore."
        )


def _check_place(*, force: bool) -> None:
    tables = set(connection.introspection.table_names())
    with connection.cursor() as cursor:
        if "procrastinate_workers" in tables:
            cursor.execute(
                "SELECT EXISTS (SELECT 1 FROM procrastinate_workers "
                "WHERE last_heartbeat > now() - make_interval(secs => %s))",
                [STALLED_AFTER.total_seconds()],
            )
            if cursor.fetchone()[0]:
                raise BackupProblem("A worker runs on this database. Stop `serve`, `web` and `worker` first.")
        if force:
            return
        for table in _CONTENT:
            if table not in tables:
                continue
            cursor.execute(f'SELECT EXISTS (SELECT 1 FROM "{table}")')  # noqa: S608  # our own names
            if cursor.fetchone()[0]:
                raise BackupProblem(
                    "This database is in use: it holds practices, events or people. Restore into an empty one "
                    "(another LABBRIDGE_DATA_DIR), or add --force to replace everything in it."
                )


def kept_files(directory: Path) -> list[Path]:
    """The backups in a directory that were named by us, oldest first."""
    return sorted(path for path in directory.iterdir() if _NAME.fullmatch(path.name))


def thin_out(directory: Path, keep: int) -> int:
    """Delete the oldest beyond `keep`. Returns how many."""
    old = kept_files(directory)[:-keep]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)
