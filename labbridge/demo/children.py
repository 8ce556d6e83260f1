"""The demo's processes: started, watched, and stopped whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx2

from labbridge.demo.problem import DemoProblem

START_SECONDS = 90.0  #: For a slow machine; usually it takes two.
STOP_SECONDS = 30.0  #: Running jobs are finished; then a process is killed.


class Children:
    """Processes that live no longer than this one: they end with it even when it is killed (`child.py`)."""

    def __init__(self, environment: dict[str, str], logs: Path) -> None:
        self._environment = environment
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, module: str, *arguments: str) -> None:
        command = [sys.executable, "-m", "labbridge.demo.child", str(os.getpid()), module, *arguments]
        with self._log(name).open("ab") as log:
            self._running[name] = subprocess.Popen(  # noqa: S603  # our own interpreter and module, no shell
                command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # the terminal's Ctrl-C is for the demo, which stops them in order
            )

    def wait_for(self, name: str, address: str) -> None:
        """Wait until the process answers there. Raises DemoProblem when it ended or says nothing."""
        self.wait_until(lambda: _answers(address), f"{name} does not answer at {address}")

    def wait_until(
        self, condition: Callable[[], bool], otherwise: str, seconds: float = START_SECONDS
    ) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            self.check()
            if time.monotonic() > deadline:
                raise DemoProblem(f"{otherwise} after {seconds:.0f} seconds. Look at {self._logs}.")
            time.sleep(0.05)
        self.check()  # somebody else may have answered at an address that was taken from us

    def check(self) -> None:
        """Raise DemoProblem when one of them has ended."""
        for name, process in self._running.items():
            code = process.poll()
            if code is not None:
                raise DemoProblem(
                    f"{name} ended ({_ending(code)}): {self._last_words(name)} Log: {self._log(name)}"
                )

    def stop(self) -> None:
        """End all, the service first, so that it can say goodbye to its peers. Never raises."""
        running = list(reversed(self._running.items()))
        for name, process in running:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            del self._running[name]

    def _log(self, name: str) -> Path:
        return self._logs / f"{name.lower().replace(' ', '-')}.log"

    def _last_words(self, name: str) -> str:
        lines = self._log(name).read_text(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else "it said nothing."


def _answers(address: str) -> bool:
    try:
        return httpx2.get(address, timeout=5).status_code == httpx2.codes.OK
    except httpx2.HTTPError:
        return False


def _ending(code: int) -> str:
    return f"by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
