"""Labbridge as an operator runs it: its own processes over an embedded database in a scratch directory."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SIGNING_SECRET = "whsec_bench"


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="labbridge-bench-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def kept() -> Path | None:
    """The data directory that benches of a million use again: filling one takes minutes."""
    named = os.environ.get("LABBRIDGE_BENCH_DATA")
    return Path(named) if named else None


@contextlib.contextmanager
def kept_or_scratch(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        yield folder
        return
    with scratch() as place:
        yield place


@contextlib.contextmanager
def database(folder: Path) -> Iterator[str]:
    """The embedded server of that data dir, kept running for the block; answers its address."""
    from labbridge.database import EmbeddedServer

    server = EmbeddedServer(folder)
    url = server.start()
    try:
        yield url
    finally:
        server.stop()


def environment(folder: Path, port: int = 0, **more: str) -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("LABBRIDGE_", "DJANGO_"))
    }
    return {
        **kept,
        "LABBRIDGE_DATA_DIR": str(folder),
        "LABBRIDGE_BIND": f"127.0.0.1:{port or free_port()}",
        "LABBRIDGE_RUPA_WEBHOOK_SIGNING_SECRET": SIGNING_SECRET,
        "LABBRIDGE_ALLOW_HTTP_PEERS": "1",
        **more,
    }


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def process(arguments: list[str], env: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A Python process for the block, ended politely."""
    with log.open("ab") as output:
        running = subprocess.Popen(
            [sys.executable, *arguments],
            env=dict(env),
            cwd=ROOT,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield running
    finally:
        running.send_signal(signal.SIGTERM)
        try:
            running.wait(timeout=30)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def run(arguments: list[str], env: Mapping[str, str]) -> str:
    """A Python process to its end; answers its output. Raises when it fails."""
    done = subprocess.run(
        [sys.executable, *arguments], env=dict(env), cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(
            f"{arguments} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
        )
    return done.stdout


def labbridge(*arguments: str) -> list[str]:
    return ["-m", "labbridge.cli", *arguments]


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def wait_for(condition: Callable[[], bool], what: str, *, seconds: float = 60, pause: float = 0.01) -> float:
    """Wait; answers the seconds that it took."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise RuntimeError(f"{what} did not happen within {seconds:.0f} s")
        time.sleep(pause)
    return time.monotonic() - began
