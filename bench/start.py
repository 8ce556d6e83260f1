"""How long people wait: the service until it can store and run, and one command beside a running service."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from bench import machine, service
from bench.report import Line, show

ROUNDS = 5
READY_SECONDS = 3.0  #: design.md 9


def run(rounds: int = ROUNDS) -> None:
    with service.scratch() as folder:
        python = [_seconds(["-c", "pass"], {}) for _ in range(rounds)]
        fresh = [_ready(folder / f"fresh{number}") for number in range(rounds)]
        existing = [_ready(folder / "fresh0") for _ in range(rounds)]
        with service.database(folder / "fresh0") as url:
            print(machine.facts(url))
            port = service.free_port()
            env = service.environment(folder / "fresh0", port)
            with service.process(service.labbridge("serve"), env, folder / "serve.log"):
                service.wait_for(
                    lambda: service.answers(f"http://127.0.0.1:{port}/readyz"), "the service ready"
                )
                listing = [_seconds(service.labbridge("events", "list"), env) for _ in range(rounds)]
                helping = [_seconds(service.labbridge("--help"), env) for _ in range(rounds)]
    show(
        f"start: seconds, median of {rounds}",
        [
            _line("`serve` ready, fresh data directory", fresh, READY_SECONDS),
            _line("`serve` ready, existing data directory", existing, READY_SECONDS),
            _line(
                "`events list` beside a running service",
                listing,
                statistics.median(python),
                beside="python -c pass",
            ),
            _line("`--help`", helping, statistics.median(python), beside="python -c pass"),
        ],
    )


def _line(what: str, found: list[float], other: float, beside: str = "budget") -> Line:
    middle = statistics.median(found)
    limit = 1.0 if beside == "budget" else None
    return Line(what, f"{middle:.2f} s", f"{other:.2f} s ({beside})", middle / other, at_most=limit)


def _ready(folder: Path) -> float:
    """From the command to the first good answer of /readyz."""
    folder.mkdir(exist_ok=True)
    port = service.free_port()
    env = service.environment(folder, port)
    began = time.monotonic()
    with service.process(service.labbridge("serve"), env, folder / "serve.log"):
        service.wait_for(lambda: service.answers(f"http://127.0.0.1:{port}/readyz"), "the service ready")
        return time.monotonic() - began


def _seconds(arguments: list[str], env: Mapping[str, str]) -> float:
    began = time.monotonic()
    subprocess.run(
        [sys.executable, *arguments], env=dict(env) or None, cwd=service.ROOT, capture_output=True, check=True
    )
    return time.monotonic() - began
