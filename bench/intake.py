"""How fast a webhook is accepted, beside a bare handler that commits one row."""

from __future__ import annotations

import json
import statistics
import uuid
from collections.abc import Mapping
from pathlib import Path

from bench import machine, service
from bench.report import Line, show

THREADS = 8  #: of the web server, as LABBRIDGE_WEB_THREADS
CONNECTIONS = 8
ROUNDS = 7
SIZES = {
    "event without an object": (0, 3000),
    "event of 2 KB": (2_000, 3000),
    "event of 50 KB": (50_000, 1000),
}


def run(rounds: int = ROUNDS) -> None:
    with service.scratch() as folder, service.database(folder) as url:
        web, bare = service.free_port(), service.free_port()
        env = service.environment(folder, web)
        service.run(service.labbridge("events", "list"), env)  # brings the tables
        with (
            service.process(service.labbridge("web"), env, folder / "web.log"),
            service.process(["-m", "bench.bare", str(bare), str(THREADS), url], env, folder / "bare.log"),
        ):
            service.wait_for(
                lambda: service.answers(f"http://127.0.0.1:{web}/healthz"), "the web server ready"
            )
            lines = [line for what in SIZES for line in _compare(what, web, bare, env, rounds)]
        print(machine.facts(url))
        _tell_trouble(folder)
    show(
        f"intake: POST /webhooks/rupa, {CONNECTIONS} connections, median of {rounds} rounds each in turn",
        lines,
    )


def _compare(what: str, web: int, bare: int, env: Mapping[str, str], rounds: int) -> list[Line]:
    size, count = SIZES[what]
    for port in (web, bare):
        _fire(port, env, count // 5, size)
    ours, beside = [], []
    for number in range(rounds):
        pair = [(web, ours), (bare, beside)]
        for port, found in pair if number % 2 else reversed(pair):
            found.append(_fire(port, env, count, size))
    rate = _median(ours, "rate"), _median(beside, "rate")
    ratio = statistics.median(a["rate"] / b["rate"] for a, b in zip(ours, beside, strict=True))
    p99 = _median(ours, "p99") * 1000, _median(beside, "p99") * 1000
    slower = statistics.median(a["p99"] / b["p99"] for a, b in zip(ours, beside, strict=True))
    return [
        Line(f"{what}: rate", f"{rate[0]:.0f}/s", f"{rate[1]:.0f}/s", ratio, at_least=0.75),
        Line(f"{what}: p99", f"{p99[0]:.1f} ms", f"{p99[1]:.1f} ms", slower, at_most=2),
    ]


def _fire(port: int, env: Mapping[str, str], count: int, size: int) -> dict[str, float]:
    arguments = [str(port), "/webhooks/rupa", str(CONNECTIONS), str(count), str(size), uuid.uuid4().hex[:8]]
    found: dict[str, float] = json.loads(service.run(["-m", "bench.load", *arguments], env))
    return found


def _median(found: list[dict[str, float]], what: str) -> float:
    return statistics.median(one[what] for one in found)


def _tell_trouble(folder: Path) -> None:
    log = (folder / "web.log").read_text(errors="replace")
    bad = [line for line in log.splitlines() if '"level":"error"' in line or "Traceback" in line]
    if bad:
        print("errors in the web server's log:", *bad[:5], sep="\n  ")
