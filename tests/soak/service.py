"""Labbridge on several processes over one outside PostgreSQL; any of them may be killed at any time."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import httpx2

from bench.machine import peak_memory
from tests.crash.nursery import Nursery
from tests.world import free_port, wait_for

PATIENCE = 120  #: seconds


@dataclass
class Process:
    """One of ours, under the name that its log has."""

    name: str
    arguments: tuple[str, ...]
    nursery: Nursery
    port: int = 0
    pid: int = 0


class Service:
    """So many web servers, each on a port of its own, and so many workers. What is killed starts again at once."""

    def __init__(self, folder: Path, environment: dict[str, str], *, webs: int = 2, workers: int = 3) -> None:
        self.folder = folder
        self.memory: dict[str, float] = {}  #: MB at its peak, by name, over all lives of that process
        self.deaths = 0
        self._lock = threading.Lock()
        self.ports = [free_port() for _ in range(webs)]
        # What a process listens on is read when it starts, so each address has a nursery.
        self.nurseries = [
            Nursery({**environment, "LABBRIDGE_BIND": f"127.0.0.1:{port}"}) for port in self.ports
        ]
        first = self.nurseries[0]
        self.processes = [
            *(
                Process(f"web-{number}", ("web",), nursery, port)
                for number, (nursery, port) in enumerate(zip(self.nurseries, self.ports, strict=True), 1)
            ),
            *(Process(f"worker-{number}", ("worker",), first) for number in range(1, workers + 1)),
        ]

    def run(self, *arguments: str, allowed: Collection[int] = (0,)) -> str:
        """A command to its end, with one of these exit codes. Returns what it printed."""
        log = self.folder / "commands.log"
        known = log.stat().st_size if log.exists() else 0
        nursery = self.nurseries[-1]
        status = nursery.wait(nursery.start(arguments, log))
        said = log.read_bytes()[known:].decode()
        assert status in allowed, f"labbridge {' '.join(arguments)}: {status}\n{said[-3000:]}"
        return said

    def start(self) -> None:
        for process in self.processes:
            self._start(process)
        wait_for(lambda: all(map(self.ready, self.ports)), "every web server ready", PATIENCE)

    def _start(self, process: Process) -> None:
        process.pid = process.nursery.start(process.arguments, self.folder / f"{process.name}.log")

    def ready(self, port: int) -> bool:
        try:
            return httpx2.get(f"http://127.0.0.1:{port}/readyz", timeout=10).status_code == 200
        except httpx2.TransportError:
            return False

    def strike(self, process: Process) -> None:
        """SIGKILL, and another one in its place as systemd's Restart=always would put it."""
        with self._lock:
            self._note_memory(process)
            os.killpg(process.pid, signal.SIGKILL)
            assert process.nursery.wait(process.pid) == -signal.SIGKILL, f"{process.name} had ended by itself"
            self.deaths += 1
            self._start(process)

    def replace(self, process: Process) -> int:
        """SIGTERM, wait, and another one in its place, as a rolling restart does it. Returns the exit code."""
        os.kill(process.pid, signal.SIGTERM)
        code = process.nursery.wait(process.pid)
        self._start(process)
        wait_for(
            lambda: all(map(self.ready, self.ports)), f"ready after {process.name} was replaced", PATIENCE
        )
        return code

    def killer(
        self, dice: random.Random, until: threading.Event, pauses: tuple[float, float]
    ) -> threading.Thread:
        """Kill at random moments: each once in a random order, then any, until it is over."""

        def kill() -> None:
            waiting = dice.sample(self.processes, len(self.processes))
            while waiting or not until.is_set():
                time.sleep(dice.uniform(*pauses))
                self.strike(waiting.pop() if waiting else dice.choice(self.processes))

        return threading.Thread(target=kill, name="killer", daemon=True)

    def _note_memory(self, process: Process) -> None:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            self.memory[process.name] = max(self.memory.get(process.name, 0), peak_memory(process.pid))

    def stop(self) -> list[int]:
        """SIGTERM to all. Returns their exit codes."""
        with self._lock:
            for process in self.processes:
                self._note_memory(process)
                os.kill(process.pid, signal.SIGTERM)
            codes = [process.nursery.wait(process.pid) for process in self.processes]
            for process in self.processes:
                process.pid = 0
            return codes

    def close(self) -> None:
        for process in self.processes:
            if process.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        for nursery in self.nurseries:
            nursery.close()
