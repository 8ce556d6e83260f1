"""How fast stored events are brought to rest, beside the engine's own ceiling for jobs that do nothing."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Mapping

from bench import drainer, machine, service
from bench.report import Line, show

ROUNDS = 3
COUNT = 10_000
SHAPES = {"one event for each order": 1, "ten events for each order": 10}


def run(rounds: int = ROUNDS, count: int = COUNT) -> None:
    lines = []
    with service.scratch() as folder, service.database(folder) as url:
        env = service.environment(folder)
        for what, events in SHAPES.items():
            found: dict[str, list[dict[str, float]]] = {"events": [], "empty": []}
            for number in range(rounds):
                for kind in sorted(found, reverse=bool(number % 2)):
                    found[kind].append(_drain(env, kind, count, count // events))
            lines += _lines(what, found["events"], found["empty"])
        small = _drain(env, "events", count // 10, count // 10)
        large = found["events"][-1]
        growth = large["peak"] / small["peak"]
        peaks = large["peak"], small["peak"]
        what = f"memory at its peak, {count} events beside {count // 10}"
        lines.append(Line(what, f"{peaks[0]:.0f} MB", f"{peaks[1]:.0f} MB", growth, at_most=1.1))
        print(machine.facts(url))
    show(
        f"drain: one worker, {drainer.CONCURRENCY} jobs side by side, Caspio answers at once, median of {rounds}",
        lines,
    )


def _lines(what: str, events: list[dict[str, float]], empty: list[dict[str, float]]) -> list[Line]:
    rate, ceiling = (statistics.median(one["rate"] for one in found) for found in (events, empty))
    ratio = statistics.median(a["rate"] / b["rate"] for a, b in zip(events, empty, strict=True))
    return [Line(f"{what}, beside empty jobs", f"{rate:.0f}/s", f"{ceiling:.0f}/s", ratio, at_least=0.5)]


def _drain(env: Mapping[str, str], what: str, count: int, subjects: int) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.drainer", what, str(count), str(subjects)],
        env=dict(env), cwd=service.ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"ended with {done.returncode}: {done.stderr[-4000:]}")
    found: dict[str, float] = json.loads(done.stderr.splitlines()[-1])
    return found
