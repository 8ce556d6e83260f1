"""SIGKILL of the service, of the database, of both at once, at random moments, while everything is delivered."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.crash.conftest import Prepared
from tests.crash.life import configure
from tests.crash.stage import Stage, differences
from tests.crash.test_deliveries import in_order, play, tripled_and_shuffled
from tests.world import wait_for

pytestmark = pytest.mark.crash

#: Time passes for real here: a killed worker's jobs are given back after 25 s without a sign of life (rescue.py).
PATIENCE = 120
ROUNDS = 6


def test_of_the_database_too(
    stages: Callable[..., list[Any]], lived: Prepared, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    (calm,) = stages([(in_order, False)], lambda stage, way: play(stage, lived, way))
    dice = random.Random(20260101)
    with Stage(tmp_path) as stage:
        configure(stage, lived.state)
        stage.serve()
        answers: list[int] = []
        deliverer = threading.Thread(target=deliver_everything, args=(stage, lived, answers))
        deliverer.start()
        for how in dice.sample(["service", "database", "both"] * (ROUNDS // 3), ROUNDS):
            time.sleep(dice.uniform(0.1, 1.5))  # a random moment, not a wait for anything
            strike(stage, how)
        deliverer.join(PATIENCE)
        assert not deliverer.is_alive()
        assert set(answers) == {200}
        told_again = {"type": "table.recordInsert", "table": "Patients", "pk": pk_of(stage, "P-4")}
        stage.call("caspio", "POST", "/_sim/trigger", told_again)
        with stage.caspio.account.store.transaction() as db:
            messages = [
                bytes(row["payload"]) for row in db.execute("SELECT payload FROM messages ORDER BY id")
            ]
        # Of the webhooks of both stages; only one of them has this stage's secret.
        assert 200 in [stage.deliver(message, "caspio/willow") for message in messages]
        stage.settle(PATIENCE)
        assert differences(calm, stage.tables()) == []
        assert set(stage.watch.uploads().values()) == {1}, "a file was uploaded twice to one row"


def deliver_everything(stage: Stage, lived: Prepared, answers: list[int]) -> None:
    answers += [
        stage.deliver(body, patience=PATIENCE) for body in tripled_and_shuffled(4)(lived.recorded.first)
    ]


def strike(stage: Stage, how: str) -> None:
    if how in {"service", "both"}:
        stage.kill()
    if how in {"database", "both"}:
        assert stage.kill_database() > 1
    if how in {"service", "both"}:
        stage.serve()
    wait_for(stage.ready, f"ready after the {how} died", PATIENCE)


def pk_of(stage: Stage, key: str) -> int:
    return next(int(row["PK_ID"]) for row in stage.caspio.dump()["Patients"] if row["Patient_ID"] == key)
