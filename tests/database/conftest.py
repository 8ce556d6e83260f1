"""A data directory of its own for each test, with what a test does to it from outside."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from labbridge.database import EmbeddedServer
from labbridge.database.cluster import Cluster
from labbridge.database.locks import held
from labbridge.database.server import _processes

# What another process runs: it starts or joins the server, says so, and leaves when its input ends.
USER = """
import signal, sys
from pathlib import Path
from labbridge.database import DatabaseProblem, database_url
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
try:
    print(database_url(Path(sys.argv[1])), flush=True)
except DatabaseProblem as problem:
    sys.exit(f"PROBLEM {problem}")
sys.stdin.read()
"""


class Ground:
    """One data directory, the Labbridge processes that use it, and PostgreSQL's processes below them."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.cluster = data_dir / "postgres" / "cluster"
        self.users: list[subprocess.Popen[str]] = []

    def begin_user(self) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        command = [sys.executable, "-c", USER, str(self.data_dir)]
        user = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, start_new_session=True
        )
        self.users.append(user)
        return user

    def joined(self, user: subprocess.Popen[str]) -> subprocess.Popen[str]:
        assert user.stdout
        assert user.stdout.readline().startswith("postgresql://"), user.communicate()
        return user

    def user(self) -> subprocess.Popen[str]:
        return self.joined(self.begin_user())

    def processes(self) -> tuple[list[int], list[int]]:
        cluster = Cluster(self.data_dir)
        return _processes(cluster.name) if cluster.home.exists() else ([], [])

    def postmaster(self) -> int:
        (only,) = self.processes()[0]
        return only

    def kill_all(self) -> None:
        postmasters, others = self.processes()
        for pid in (*postmasters, *others):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def alive(self) -> bool:
        return held(self.data_dir / "database.alive")

    def log(self) -> str:
        return (self.data_dir / "database.log").read_text()

    def keep(self, url: str, word: str) -> None:
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS kept (word text PRIMARY KEY)")
            connection.execute("INSERT INTO kept VALUES (%s)", [word])

    def kept(self, url: str) -> list[str]:
        with psycopg.connect(url) as connection:
            return [word for (word,) in connection.execute("SELECT word FROM kept ORDER BY word")]

    def wait(self, true: Callable[[], bool], seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.01)

    def clear(self) -> None:
        for user in self.users:
            user.kill()
            user.communicate()
        if self.data_dir.exists():
            self.kill_all()
            self.wait(lambda: self.processes() == ([], []))


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    found = Ground(tmp_path / "var")
    yield found
    found.clear()


@pytest.fixture
def server(ground: Ground) -> Iterator[EmbeddedServer]:
    server = EmbeddedServer(ground.data_dir)
    yield server
    server.stop()


@pytest.fixture
def open_dir() -> Iterator[Path]:
    """A directory that every account can reach, for pytest's own is closed."""
    path = Path(tempfile.mkdtemp(prefix="labbridge-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)
