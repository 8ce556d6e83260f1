"""What the clock costs for each practice that has nothing to do: this is what many practices break first.

So many practices with one idle connection each; every scheduled task is run once to warm up, then timed.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from bench import machine, service
from bench.report import Line, show

PRACTICES = 200
ROUNDS = 3
#: Seconds between two runs of each (handlers/schedule.py, reconcile/schedule.py, handlers/jobs.py).
INTERVALS = {"sweep_tick": 60, "look_after_requests": 60, "tick": 600, "refresh_facts": 600, "watch": 300}


def run(practices: int = PRACTICES) -> None:
    with service.scratch() as folder, service.database(folder) as url:
        env = service.environment(folder)
        found = json.loads(service.run(["-m", "bench.clock", str(practices)], env).splitlines()[-1])
        print(machine.facts(url))
    lines = []
    for name, interval in INTERVALS.items():
        each = found[name] / practices
        lines.append(
            Line(f"{name}, every {interval} s", f"{each * 1000:.1f} ms a practice",
                 f"{interval / each:.0f} practices fill its interval")
        )  # fmt: skip
    busy = sum(found[name] / practices / interval for name, interval in INTERVALS.items())
    lines.append(
        Line(
            "all of them",
            f"{busy * 1000 * 3600:.0f} ms a practice and hour",
            f"{1 / busy:.0f} practices fill one thread",
        )
    )
    show(f"clock: {practices} practices at rest, median of {ROUNDS}", lines)


def _here(practices: int) -> dict[str, float]:
    from labbridge.commands.base import start_django

    start_django()
    from labbridge.handlers import schedule
    from labbridge.reconcile.schedule import sweep_tick
    from labbridge.reconcile.watch.look import look

    for number in range(practices):
        _practice(number)
    from django.utils import timezone

    tasks: dict[str, Callable[[], Any]] = {
        "sweep_tick": sweep_tick,
        "look_after_requests": schedule.look_after_requests,
        "tick": schedule.tick,
        "refresh_facts": schedule.refresh_facts,
        "watch": lambda: look(timezone.now()),
    }
    return {name: _median(each) for name, each in tasks.items()}


def _practice(number: int) -> None:
    from labbridge.practices.apply import apply
    from labbridge.practices.config import parse
    from tests.world import PRACTICE_TOML

    text = PRACTICE_TOML.format(
        caspio=f"http://127.0.0.{1 + number % 200}:9", rate=5, refresh_token=f"given {number}"
    )
    apply(parse(text.replace('"willow"', f'"practice-{number}"')))


def _median(do: Callable[[], Any]) -> float:
    do()
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        do()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_here(int(sys.argv[1]))) + "\n")
