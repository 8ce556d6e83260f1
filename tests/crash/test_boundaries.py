"""SIGKILL at every request to a peer, before and after the peer did what was asked: nothing lost, nothing doubled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.crash.conftest import Prepared
from tests.crash.gate import Moment
from tests.crash.stage import Stage, copy_database, differences

pytestmark = pytest.mark.crash

Boundary = tuple[int, Moment]


def tell(stage: Stage, prepared: Prepared) -> None:
    """Bring the stage to where the second act is on disk, and not one job of it has run."""
    template = f"{stage.name}_told"
    if template not in TOLD:
        prepared.enter(stage)
        stage.serve("web")
        for body in prepared.recorded.second:
            assert stage.deliver(body) == 200
        for message in prepared.recorded.messages:
            assert stage.deliver(message, "caspio/willow") == 200
        stage.kill()
        copy_database(stage.database, stage.name, template)
        TOLD.add(template)
    stage.restore(template)
    stage.open_simulators(prepared.state)
    stage.watch.forget()


TOLD: set[str] = set()


def play(stage: Stage, prepared: Prepared, boundary: Boundary | None) -> dict[str, Any]:
    tell(stage, prepared)
    if boundary is not None:
        stage.watch.strike_at(*boundary)
    stage.serve()
    if boundary is not None:
        stage.wait_until_killed()
        stage.pass_time()
        stage.serve()
    stage.settle()
    return {
        "tables": stage.tables(),
        "writes": stage.writes(),
        "uploads": stage.watch.uploads(),
        "seen": stage.watch.seen,
        "struck": stage.watch.struck,
    }


def test_every_boundary(stages: Callable[..., list[Any]], prepared: Prepared) -> None:
    (calm, again) = stages([None, None], lambda stage, _: play(stage, prepared, None))
    assert differences(calm["tables"], again["tables"]) == [], (
        "the undisturbed life is not the same each time"
    )
    last = len(calm["seen"])
    boundaries: list[Boundary] = [(n, moment) for n in range(1, last + 1) for moment in ("before", "after")]
    ends = stages(boundaries, lambda stage, boundary: play(stage, prepared, boundary))
    problems = []
    for (_, moment), end in zip(boundaries, ends, strict=True):
        found = differences(calm["tables"], end["tables"])
        if end["writes"] != calm["writes"]:
            found.append(f"inserts and uploads: {end['writes']} instead of {calm['writes']}")
        found += [f"uploaded twice: {path}" for (path, _), count in end["uploads"].items() if count > 1]
        problems += [f"killed {moment} {end['struck']}: {line}" for line in found]
    assert not problems, "\n".join(problems)
