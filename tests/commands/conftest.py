"""Commands as typed, in this process (`labbridge`) or as a process of their own (`typed`)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


class Place:
    """A data directory of its own, for commands that are processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def env(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("LABBRIDGE_", "DJANGO_"))
        }
        return {**kept, "LABBRIDGE_DATA_DIR": str(self.folder / "var")}

    def begin(self, *arguments: str, **env: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [sys.executable, "-m", "labbridge.cli", *arguments],
            env={**self.env, **env}, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True,
            start_new_session=True,
        )  # fmt: skip

    def run(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        process = self.begin(*arguments, **env)
        out, err = process.communicate(timeout=120)
        assert "Traceback" not in err, err
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def database_runs(self) -> bool:
        from labbridge.database.locks import held

        return held(self.folder / "var" / "database.alive")


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    place = Place(tmp_path_factory.mktemp("typed"))
    first = place.run("practice", "show")
    assert first.returncode == 0, first.stderr
    yield place
    assert not place.database_runs(), "the embedded server stops with the last command that uses it"
