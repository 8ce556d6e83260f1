"""Prepared stages: a practice set up once, from which every run of the crash tests starts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from labbridge.database import EmbeddedServer
from tests.crash.life import Director, Recorded, configure, database, first_act, move, rich_life, second_act
from tests.crash.stage import Stage, copy_database


@dataclass
class Prepared:
    """What every run starts from: a database to copy, both simulators' files, and what is to be delivered."""

    template: str
    state: Path
    recorded: Recorded
    source: Stage  # whose gates' addresses the database holds

    def enter(self, stage: Stage) -> None:
        move(stage, self.template, self.source)
        stage.open_simulators(self.state)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One database server for all stages, each with a database of its own."""
    with EmbeddedServer(tmp_path_factory.mktemp("server")) as running:
        yield running.start()


@pytest.fixture(scope="session")
def configured(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A stage whose practice is applied and provisioned; nothing has happened yet."""
    with Stage(tmp_path_factory.mktemp("configured"), database(server, "configured")) as stage:
        copy_database(server, "template0", "configured")
        configure(stage)
        stage.keep_simulators(stage.folder / "kept")
        yield stage


@pytest.fixture(scope="session")
def prepared(configured: Stage, server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    """The first act is over and filed; the second has happened at the peers and is about to be told."""
    with Stage(tmp_path_factory.mktemp("prepared"), database(server, "prepared")) as stage:
        move(stage, "configured", configured)
        stage.open_simulators(configured.folder / "kept", recording=True)
        director, recorded = Director(stage), Recorded()
        orders = first_act(director)
        recorded.first = director.events()
        stage.serve()
        for body in recorded.first:
            assert stage.deliver(body) == 200
        stage.settle()
        stage.kill()
        second_act(director, orders)
        recorded.second, recorded.messages = director.events(), director.caspio_messages()
        stage.keep_simulators(stage.folder / "acted")
        yield Prepared("prepared", stage.folder / "acted", recorded, stage)


@pytest.fixture(scope="session")
def lived(configured: Stage, server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    """A configured practice that has not heard of anything, and the events of a life with versions of every kind."""
    with Stage(tmp_path_factory.mktemp("lived"), database(server, "lived")) as stage:
        stage.open_simulators(configured.folder / "kept", recording=True)
        director = Director(stage)
        rich_life(director)
        recorded = Recorded(first=director.events(), messages=director.caspio_messages())
        stage.keep_simulators(stage.folder / "kept")
        yield Prepared("configured", stage.folder / "kept", recorded, configured)


@pytest.fixture(scope="session")
def stages(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., list[Any]]]:
    """`stages(todo, play)`: play(stage, item) for every item, two stages side by side; the answers in order.

    The stages work off their jobs one by one, so that the same life makes the same requests in the same order.
    """
    with ThreadPoolExecutor(2) as pool:
        made = [
            Stage(
                tmp_path_factory.mktemp("stage"),
                database(server, f"stage_{number}"),
                LABBRIDGE_WORKER_CONCURRENCY="1",
            )
            for number in range(2)
        ]
        free = list(made)

        def play_all(todo: list[Any], play: Callable[[Stage, Any], Any]) -> list[Any]:
            def on_a_free_one(item: Any) -> Any:
                stage = free.pop()
                try:
                    return play(stage, item)
                finally:
                    stage.kill()
                    free.append(stage)

            return list(pool.map(on_a_free_one, todo))

        yield play_all
        for stage in made:
            stage.__exit__()
