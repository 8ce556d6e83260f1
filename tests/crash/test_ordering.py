"""SIGKILL at every request while an order is asked for: one intent at Rupa, and its checkout on the row."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from labbridge.simulators.caspio import design, records
from tests.crash.conftest import Prepared
from tests.crash.gate import Moment
from tests.crash.life import PDF_TEST, Director, Recorded, database, move, row_of
from tests.crash.stage import Stage

pytestmark = pytest.mark.crash

Boundary = tuple[int, Moment]


@pytest.fixture(scope="module")
def asked(configured: Stage, server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    """A linked patient, a catalogue, and a row that asks for a test and is about to be told."""
    with Stage(tmp_path_factory.mktemp("asked"), database(server, "asked")) as stage:
        move(stage, "configured", configured)
        stage.open_simulators(configured.folder / "kept")
        director = Director(stage)
        director.patient(1)
        director.chart(row_of(1))
        stage.run("sync", "patients")
        stage.run("sync", "catalog")
        account = stage.caspio.account
        table = design.find_table(account.store, "Lab_Order_Requests")
        wanted = {"Patient_Key": "P-1", "Test_IDs": director.lab_tests[PDF_TEST]}
        records.insert(account, table, wanted, source="DataPages")
        recorded = Recorded(messages=director.caspio_messages())
        stage.keep_simulators(stage.folder / "acted")
        yield Prepared("asked", stage.folder / "acted", recorded, stage)


def play(stage: Stage, asked: Prepared, boundary: Boundary | None) -> dict[str, Any]:
    asked.enter(stage)
    stage.watch.forget()
    if boundary is not None:
        stage.watch.strike_at(*boundary)
    stage.serve()
    message = asked.recorded.messages[-1]
    assert stage.deliver(message, "caspio/willow") == 200
    if boundary is not None:
        stage.wait_until_killed()
        stage.pass_time()
        # The minute in which Rupa may still be making what the killed service asked for is over.
        stage.query("UPDATE ordering_orderrequest SET in_doubt_until = now()")
        stage.serve()
    stage.settle(90, impatient=True)
    (row,) = stage.tables()["Lab_Order_Requests"]
    return {
        "intents": stage.call("rupa", "GET", "/_sim/state")["order_intents"],
        "row": row,
        "seen": stage.watch.seen,
        "struck": stage.watch.struck,
    }


def test_one_intent_whatever_dies(stages: Callable[..., list[Any]], asked: Prepared) -> None:
    (calm,) = stages([None], lambda stage, _: play(stage, asked, None))
    assert (calm["row"]["Request_Status"], len(calm["intents"])) == ("ready", 1)
    boundaries: list[Boundary] = [
        (number, moment) for number in range(1, len(calm["seen"]) + 1) for moment in ("before", "after")
    ]
    asking = [one for one in calm["seen"] if one.method == "POST" and "order-intents" in one.path]
    assert len(asking) == 1
    assert len(boundaries) >= 6, "the row, the question, the answer"
    ends = stages(boundaries, lambda stage, boundary: play(stage, asked, boundary))
    problems = []
    for (_, moment), end in zip(boundaries, ends, strict=True):
        row, made = end["row"], end["intents"]
        if len(made) != 1:
            problems.append(f"killed {moment} {end['struck']}: {len(made)} intents")
        elif (row["Request_Status"], row["Checkout_Url"]) != ("ready", made[0]["checkout_url"]):
            problems.append(f"killed {moment} {end['struck']}: the row says {json.dumps(row)}")
    assert not problems, "\n".join(problems)
