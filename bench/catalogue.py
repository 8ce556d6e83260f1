"""What the lab test catalogue costs the practice's Caspio account, and whether a first load uses the allowed rate.

Caspio allows 5 calls a second and takes a good part of a second for each. To be done in four minutes instead of
seventeen, the allowed rate is five times that here, and the simulator's answers are as much quicker.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from bench import service
from bench.report import Line, show
from tests.world import World

TESTS = 5_000
RATE = 25.0  #: calls a second
LATENCY = 0.12  #: seconds; 0.6 at a fifth of the rate keeps as many calls under way
CHANGES = 10


def run(tests: int = TESTS) -> None:
    with service.scratch() as folder:
        world = World(folder, rate=RATE, rupa_options={"catalogue_size": tests})
        try:
            world.start_simulators(patients=1)
            world.configure()
            world.caspio("POST", "/_sim/faults", {"kind": "slow", "seconds": LATENCY, "times": None})
            first = _sync(world)
            again = _sync(world)
            _change(world)
            changed = _sync(world)
        finally:
            world.down()
    rows = len(first)
    lines = [
        Line("first load, calls beside rows", f"{rows} calls", f"{tests} tests and their companies"),
        Line("first load, rate beside the allowed one", f"{_rate(first):.1f}/s", f"{RATE:.0f}/s", _rate(first) / RATE,
             at_least=0.95),
        Line("nothing changed", f"{len(again)} calls", "0 calls", float(len(again)), at_most=0),
        Line(f"{CHANGES} tests changed", f"{len(changed)} calls", f"{CHANGES} calls", len(changed) / CHANGES,
             at_most=1),
    ]  # fmt: skip
    show(f"catalogue of {tests} tests; Caspio answers after {LATENCY * 1000:.0f} ms", lines)


def _sync(world: World) -> list[dict[str, Any]]:
    """Sync once and answer the calls that Caspio received for it."""
    world.caspio("DELETE", "/_sim/requests")
    json.loads(service.run(service.labbridge("sync", "catalog", "--json"), world.env))
    calls = world.caspio("GET", "/_sim/requests")
    return [call for call in calls if call["path"].startswith("/integrations/")]


def _rate(calls: list[dict[str, Any]]) -> float:
    times = sorted(datetime.fromisoformat(call["at"]) for call in calls)
    return (len(times) - 1) / (times[-1] - times[0]).total_seconds()


def _change(world: World) -> None:
    for test in world.rupa("GET", "/_sim/state")["lab_tests"][:CHANGES]:
        world.rupa("POST", f"/_sim/lab-tests/{test['id']}", {"name": test["name"] + " (new)"})
