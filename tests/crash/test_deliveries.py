"""Deliveries repeated, reordered, late, newest first: Caspio ends as if each had come once and in order."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.crash.conftest import Prepared
from tests.crash.stage import Stage, Tables, differences

pytestmark = pytest.mark.crash


def in_order(events: list[bytes]) -> list[bytes]:
    return events


def newest_first(events: list[bytes]) -> list[bytes]:
    return events[::-1]


def tripled(events: list[bytes]) -> list[bytes]:
    return [event for event in events for _ in range(3)]


def tripled_and_shuffled(seed: int) -> Callable[[list[bytes]], list[bytes]]:
    def shuffled(events: list[bytes]) -> list[bytes]:
        return random.Random(seed).sample(events * 3, len(events) * 3)

    shuffled.__name__ = f"tripled and shuffled, seed {seed}"
    return shuffled


def tripled_newest_first(events: list[bytes]) -> list[bytes]:
    return (events * 3)[::-1]


#: How the events come, and whether each one has come to rest before the next one comes: then every state that
#: the mirror passes through is filed, wrong ones too, and has to be put right.
WAYS = [
    (in_order, False),
    (in_order, True),
    (tripled, False),
    (newest_first, False),
    (newest_first, True),
    (tripled_newest_first, False),
    (tripled_and_shuffled(1), False),
    (tripled_and_shuffled(2), False),
    (tripled_and_shuffled(3), True),
]


def play(stage: Stage, lived: Prepared, way: tuple[Callable[[list[bytes]], list[bytes]], bool]) -> Tables:
    arrange, one_by_one = way
    lived.enter(stage)
    stage.serve()
    for body in arrange(lived.recorded.first):
        assert stage.deliver(body) == 200
        if one_by_one:
            stage.settle()
    for message in arrange(lived.recorded.messages):
        assert stage.deliver(message, "caspio/willow") == 200
    stage.settle()
    return stage.tables()


def test_every_way_ends_alike(stages: Callable[..., list[Any]], lived: Prepared) -> None:
    ends = stages(WAYS, lambda stage, way: play(stage, lived, way))
    problems = [
        f"{arrange.__name__}{', one by one' if one_by_one else ''}: {line}"
        for (arrange, one_by_one), end in zip(WAYS, ends, strict=True)
        for line in differences(ends[0], end)
    ]
    assert not problems, "\n".join(problems)
    versions = {row["Result_Key"][-2:] for row in ends[0]["Lab_Results"]}
    assert versions == {"v1", "v2", "v3"}  # else the life above has lost its point
