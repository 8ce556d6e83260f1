"""What an order costs the practice's Caspio account, beside the least that it could cost (design.md 9).

The least is read from the tables themselves: one write for each row that is new or different, one upload for each
file that is, no reads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench import service
from bench.report import Line, show
from tests.world import World

TESTS = ("DUTCH Complete", "GI Effects Comprehensive Profile - 3 Day")
OWN = ("Synced_At",)  #: fields that tell when Labbridge wrote, and are no reason to write

Tables = dict[str, list[dict[str, Any]]]


def run() -> None:
    with service.scratch() as folder:
        world = World(folder)
        try:
            world.up(patients=1)
            patient = world.add_patient(1)
            first = _measured(world, lambda: _life(world, patient, settle=False))
            spaced = _spaced(world, patient)
            burst = _measured(world, lambda: _life(world, patient, settle=False))
        finally:
            world.down()
    show(
        f"calls: an order of {len(TESTS)} tests, submitted, paid, each test resulted with a file",
        [
            _line("each state filed before the next", spaced, at_most=1.1),
            _line("all at once", burst, at_most=1.1),
            _line("all at once, first order of a patient without a link", first, at_most=None),
        ],
    )


def _line(what: str, found: tuple[int, int], at_most: float | None) -> Line:
    calls, least = found
    return Line(what, f"{calls} calls", f"{least} calls", calls / least, at_most=at_most)


def _steps(world: World, patient: dict[str, Any]) -> list[Callable[[], Any]]:
    order: list[str] = []
    return [
        lambda: order.append(world.order(patient, *TESTS, paid=False)),
        lambda: world.act(order[0], "pay"),
        *[lambda: world.act(order[0], "result") for _ in TESTS],
    ]


def _life(world: World, patient: dict[str, Any], *, settle: bool) -> None:
    for step in _steps(world, patient):
        step()
        if settle:
            world.settle()


def _spaced(world: World, patient: dict[str, Any]) -> tuple[int, int]:
    found = [_measured(world, step) for step in _steps(world, patient)]
    return sum(calls for calls, _ in found), sum(least for _, least in found)


def _measured(world: World, step: Callable[[], Any]) -> tuple[int, int]:
    """Calls that a step cost once everything had settled, and the least that its changes would have cost."""
    world.settle()
    before = world.tables()
    world.caspio("DELETE", "/_sim/requests")
    step()
    world.settle()
    calls = [
        call for call in world.caspio("GET", "/_sim/requests") if call["path"].startswith("/integrations/")
    ]
    return len(calls), _least(before, world.tables())


def _least(before: Tables, after: Tables) -> int:
    writes = 0
    for name, rows in after.items():
        held = {row["PK_ID"]: row for row in before.get(name, [])}
        writes += sum(_writes(held.get(row["PK_ID"], {}), row) for row in rows)
    return writes


def _writes(before: dict[str, Any], after: dict[str, Any]) -> int:
    different = {name for name, value in after.items() if name not in OWN and before.get(name) != value}
    files = {name for name in different if isinstance(after[name], dict)}
    return len(files) + bool(different - files)
