"""A sweep of a practice that heard of nothing, killed by SIGKILL between two calls: the next one goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from tests.crash.conftest import Prepared
from tests.crash.stage import Stage, differences

pytestmark = pytest.mark.crash

#: Numbers of the request at which each sweep dies, counted from its own first: comparing, taking files, filing.
DEATHS = ((3, "before"), (14, "before"), (9, "after"))


def test_killed_again_and_again_it_ends_as_one_that_was_left_alone(
    stages: Callable[..., list[Any]], lived: Prepared
) -> None:
    def play(stage: Stage, deaths: tuple[tuple[int, Any], ...]) -> tuple[Any, dict[str, Any], list[str]]:
        lived.enter(stage)
        (stage.data_dir / "anchors.jsonl").unlink(missing_ok=True)  # of another play on this stage
        for number, moment in deaths:
            stage.watch.forget()
            stage.watch.strike_at(number, moment)
            stage.serve("sweep")
            stage.wait_until_killed()
        said = printed(stage.run("sweep", "--json"))
        assert printed(stage.run("ledger", "verify", "--json"))[0]["findings"] == []
        entries = printed(stage.run("ledger", "show", "--all", "--json"))
        return stage.tables(), said, [one for entry in entries for one in entry["repaired_ids"]]

    calm, killed = stages([(), DEATHS], play)
    assert differences(calm[0], killed[0]) == []
    for _, said, _ in (calm, killed):
        assert (said["listed"], said["filed"], said["difference"], said["left"]) == (4, 4, 0, [])
    found = Counter(one for one in killed[2] if one.startswith("order_missed"))
    assert found == Counter(one for one in calm[2] if one.startswith("order_missed"))
    assert list(found.values()) == [1] * 4, "each was counted once, by the sweep that repaired it"


def printed(said: str) -> Any:
    """The JSON of a command, whose log lines stand around it."""
    lines = [line for line in said.splitlines() if not line.startswith('{"')]
    return orjson.loads("\n".join(lines))
