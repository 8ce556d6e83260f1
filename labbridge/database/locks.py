"""Locks on files in the data directory. The kernel lets go of them when a process dies, however it dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labbridge.database.errors import DatabaseInUse, DatabaseProblem

PATIENCE = (
    330.0  #: Seconds to wait for another process that starts or stops the database (crash recovery included).
)


def open_lock(path: Path, flags: int = os.O_RDWR) -> int:
    """Open a lock file (or the log), making it when missing; it belongs to whoever owns the directory."""
    handle = os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    if os.geteuid() == 0:  # `sudo labbridge doctor` must not shut the owner out
        owner = path.parent.stat()
        os.fchown(handle, owner.st_uid, owner.st_gid)
    return handle


def taken(handle: int, *, shared: bool = False) -> bool:
    """Take the lock at once, or answer False when another process holds it."""
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def held(path: Path) -> bool:
    """Whether any process holds the lock."""
    handle = open_lock(path)
    try:
        return not taken(handle)
    finally:
        os.close(handle)


@contextmanager
def turn(path: Path) -> Iterator[None]:
    """Only one process at a time starts, joins, leaves or stops the server."""
    handle = open_lock(path)
    try:
        deadline = time.monotonic() + PATIENCE
        while not taken(handle):
            if time.monotonic() > deadline:
                raise DatabaseProblem(
                    f"Another Labbridge process has been starting or stopping the database in {path.parent} "
                    f"for more than {PATIENCE / 60:.0f} minutes. Look at {path.parent / 'database.log'}, "
                    "end that process and try again."
                )
            time.sleep(0.01)
        yield
    finally:
        os.close(handle)


@contextmanager
def service_lock(data_dir: Path) -> Iterator[None]:
    """Hold the data directory for one `serve`.

    Raises:
        DatabaseInUse: another service runs on this data directory.
        DatabaseProblem: the lock file cannot be written.
    """
    data_dir = data_dir.resolve()
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = open_lock(data_dir / "service.lock")
    except OSError as error:
        raise DatabaseProblem(unusable(data_dir, error)) from error
    try:
        if not taken(handle):
            raise DatabaseInUse(_in_use(data_dir, os.pread(handle, 32, 0)))
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(handle)


def _in_use(data_dir: Path, written: bytes) -> str:
    pid = written.decode(errors="replace").strip()
    which = (
        f"process {pid}" if pid.isdigit() else "it has only just started"
    )  # locked, its number not yet written
    return (
        f"A Labbridge service is already running on the data directory {data_dir} ({which}). "
        "Stop that one first, or give this one a directory of its own with LABBRIDGE_DATA_DIR."
    )


def unusable(data_dir: Path, error: OSError) -> str:
    """A sentence for a data directory that the file system refuses."""
    where = f" ({error.filename})" if isinstance(error.filename, str) else ""
    return (
        f"The data directory {data_dir} cannot be used: {error.strerror or type(error).__name__}{where}. "
        "Make it writable for the account that runs Labbridge and see that its disk has room, "
        "or choose another with LABBRIDGE_DATA_DIR."
    )
