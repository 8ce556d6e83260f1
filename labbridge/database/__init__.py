"""Labbridge's database: any PostgreSQL by its URL, or an embedded one in the data directory."""

from __future__ import annotations

import threading
from pathlib import Path

from labbridge.database.binaries import client_program, psql_path
from labbridge.database.errors import DatabaseInUse, DatabaseProblem
from labbridge.database.locks import service_lock
from labbridge.database.server import EmbeddedServer

__all__ = [
    "DatabaseInUse",
    "DatabaseProblem",
    "EmbeddedServer",
    "client_program",
    "database_url",
    "embedded_server",
    "psql_path",
    "service_lock",
]

_servers: dict[Path, EmbeddedServer] = {}
_guard = threading.Lock()


def embedded_server(data_dir: Path) -> EmbeddedServer:
    """The one user that this process is of the embedded server in that directory (not yet started)."""
    with _guard:
        return _servers.setdefault(data_dir.resolve(), EmbeddedServer(data_dir))


def database_url(data_dir: Path, configured: str | None = None) -> str:
    """The URL to connect to: the configured one, else the embedded server's, used until this process ends.

    Raises:
        DatabaseProblem: the setting is not a PostgreSQL URL, or the embedded server cannot run.
    """
    if not configured:
        return embedded_server(data_dir).url()
    if not configured.startswith(
        ("postgresql://", "postgres://")
    ):  # the text is not repeated: it may hold a password
        raise DatabaseProblem(
            "LABBRIDGE_DATABASE_URL must begin with postgresql:// (PostgreSQL 15 or newer is the only kind "
            "supported). Leave it out to use the embedded server."
        )
    return configured
