"""`labbridge demo`: started, watched, stopped; what is left of it, and what a second one does."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest

from labbridge.demo import place
from labbridge.demo.problem import DemoProblem

ROOT = Path(__file__).resolve().parents[2]
READY = "Ctrl-C stops everything"


class Running:
    """A demo as a person starts it, in a directory of its own."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self.out = folder, folder.with_suffix(".out")
        command = [sys.executable, "-m", "labbridge.cli", "demo", "--data-dir", str(folder), *options]
        # A real deployment's settings in the shell: none of them may reach the demo.
        environment = {**os.environ, "LABBRIDGE_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/production"}
        with self.out.open("wb") as out:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=out, stderr=out, stdin=subprocess.DEVNULL
            )

    @property
    def shown(self) -> str:
        return self.out.read_text()

    def until(self, words: str, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while words not in self.shown:
            assert self.process.poll() is None, self.shown
            assert time.monotonic() < deadline, self.shown
            time.sleep(0.05)

    def known(self) -> dict[str, dict[str, str]]:
        return dict(json.loads((self.folder / "demo.json").read_text()))

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.known()['ports'][name]}"

    def tables(self) -> dict[str, list[dict[str, object]]]:
        return dict(httpx2.get(f"{self.url('caspio')}/_sim/dump").json())

    def left(self) -> list[str]:
        """Processes that have to do with its directory, the demo itself left out."""
        found = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit() and int(folder.name) not in {os.getpid(), self.process.pid}:
                try:
                    known = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
                except OSError:
                    continue
                if str(self.folder).encode() in known:
                    found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        return found

    def stop(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        return self.process.wait(60)


@pytest.fixture
def start(tmp_path):
    running = []

    def started(*options: str) -> Running:
        running.append(Running(tmp_path / "demo", *options))
        return running[-1]

    yield started
    for one in running:
        if one.process.poll() is None:
            one.stop(signal.SIGTERM)


def test_a_demo_plays_its_day_stops_whole_and_goes_on_from_what_was_kept(start):
    demo = start("--pause", "0")
    demo.until(READY)
    _the_day_is_in_caspio(demo)
    assert httpx2.get(demo.url("web") + "/sign-in").status_code == 200
    assert demo.stop(signal.SIGINT) == 0
    assert "Nothing is left running" in demo.shown
    assert demo.left() == []
    before = demo.known()

    again = start("--keep", "--no-traffic")
    again.until(READY)
    assert again.known()["secrets"] == before["secrets"]
    assert len(again.tables()["Lab_Orders"]) == 8
    again.stop(signal.SIGKILL)
    deadline = time.monotonic() + 40
    while again.left():
        assert time.monotonic() < deadline, again.left()
        time.sleep(0.1)


def _the_day_is_in_caspio(demo: Running) -> None:
    tables = demo.tables()
    seen = {(row["Patient_Key"], row["Phase"], row["Rupa_Status"]) for row in tables["Lab_Orders"]}
    assert seen == {
        ("P-1001", "complete", "Results Received"),
        ("P-1002", "partial_results", "In Progress"),
        ("P-1003", "in_progress", "Sample Received"),
        ("P-1004", "awaiting_payment", "Pending Payment"),
        ("P-1005", "complete", "Results Received"),
        ("P-1006", "canceled", "Canceled"),
        ("P-1007", "in_progress", "Awaiting Lab Director Signature"),
        ("P-1008", "awaiting_payment", "Pending Payment"),
    }
    versions = sorted((row["Patient_Key"], row["Version"], row["Amended"]) for row in tables["Lab_Results"])
    assert versions == [("P-1001", 1, False), ("P-1002", 1, False), ("P-1002", 2, True), ("P-1005", 1, False)]
    assert "4 of 4 result PDFs" in demo.shown
    assert tables["Lab_Result_Values"]


def test_a_simulator_that_ends_ends_the_demo_with_a_sentence(start):
    demo = start("--no-traffic")
    demo.until(READY)
    (simulator,) = [
        int(pid.name) for pid in Path("/proc").iterdir() if pid.name.isdigit() and _is_rupa_of(demo, pid)
    ]
    os.kill(simulator, signal.SIGKILL)
    assert demo.process.wait(60) == 1
    assert "Rupa simulator ended (by SIGKILL)" in demo.shown
    assert "Traceback" not in demo.shown
    assert demo.left() == []


def _is_rupa_of(demo: Running, process: Path) -> bool:
    try:
        return f"{demo.folder}/rupa.sqlite".encode() in (process / "cmdline").read_bytes()
    except OSError:
        return False


@pytest.fixture(autouse=True)
def _let_go():
    """What `claim` keeps until its process ends."""
    yield
    while place._reserved:
        place._reserved.pop().close()


def test_a_directory_that_no_demo_made_is_not_touched(tmp_path):
    precious = tmp_path / "thesis.txt"
    precious.write_text("chapter 1")
    with pytest.raises(DemoProblem, match="no demo made"):
        place.claim(tmp_path)
    assert precious.read_text() == "chapter 1"


def test_two_demos_do_not_share_a_directory(tmp_path):
    place.claim(tmp_path)
    with pytest.raises(DemoProblem, match="is running in"):
        place.claim(tmp_path)


def test_what_an_earlier_demo_left_is_wiped_unless_kept(tmp_path):
    folder = tmp_path / "demo"
    folder.mkdir()
    (folder / "demo.json").write_text('{"ports": {"web": 9}, "secrets": {"sign_in": "old"}}')
    (folder / "rupa.sqlite").write_text("old state")
    (folder / "var").mkdir()
    fresh = place.claim(folder)
    assert fresh.secrets["sign_in"] != "old"
    assert {path.name for path in folder.iterdir()} == {"lock", "demo.json", "env", "logs"}
    assert (folder / "demo.json").stat().st_mode & 0o077 == 0
    assert (folder / "env").stat().st_mode & 0o077 == 0


def test_secrets_can_be_given_as_options(monkeypatch):
    monkeypatch.setattr(place.secrets, "token_bytes", lambda size: b"\xfb" * size)  # "-_v7..." in base64
    assert all(value.isalnum() for value in place._new_secrets().values())


def test_a_taken_port_is_passed_over(tmp_path, monkeypatch):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        monkeypatch.setattr(place, "PREFERRED", {"web": taken, "caspio": taken, "rupa": taken})
        ports = place.claim(tmp_path).ports
    assert taken not in ports.values()
    assert len(set(ports.values())) == 3


def test_a_port_that_another_demo_is_about_to_use_is_passed_over(tmp_path):
    first = place.claim(tmp_path / "first").ports
    second = place.claim(tmp_path / "second").ports
    assert not set(first.values()) & set(second.values())


def test_the_settings_of_a_real_deployment_stay_out(tmp_path, monkeypatch):
    monkeypatch.setenv("LABBRIDGE_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/production")
    monkeypatch.setenv("CASPIO_CLIENT_SECRET_FILE", "elsewhere")
    environment = place.claim(tmp_path).environment()
    assert "LABBRIDGE_DATABASE_URL" not in environment
    assert "CASPIO_CLIENT_SECRET_FILE" not in environment
    assert environment["LABBRIDGE_DATA_DIR"] == str(tmp_path / "var")
