"""A Caspio account with the tables that Labbridge fills, and a client of it that needs no other process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from labbridge.filing.provision import new_field
from labbridge.filing.tables import TABLES
from labbridge.peers.caspio import Caspio
from labbridge.peers.ports import LocalTokenStore, UnlimitedLimiter
from labbridge.practices.config import parse
from labbridge.practices.models import Practice
from labbridge.simulators import caspio as simulator
from tests.conftest import RunningCaspio, _served
from tests.world import PRACTICE_TOML

FILED = {"lab_orders": "Lab_Orders", "lab_results": "Lab_Results"}


@pytest.fixture
def caspio_sim(tmp_path: Path) -> Iterator[RunningCaspio]:
    app = simulator.create_app(
        tmp_path / "caspio.sqlite", client_id="client", client_secret="secret of caspio", deliver=False
    )
    with _served(app) as url:
        running = RunningCaspio(app, url)
        yield running
        running.http.close()
    app.close()


@pytest.fixture
def willow(db: None) -> Practice:
    config = parse(PRACTICE_TOML.format(caspio="https://c0abc123.caspio.com", rate=100, refresh_token="t"))
    return Practice.objects.create(
        slug="willow", name="Willow", time_zone="America/Los_Angeles", config=config.model_dump(mode="json")
    )


@pytest.fixture
def client(caspio_sim: RunningCaspio) -> Iterator[Caspio]:
    opened = Caspio(
        caspio_sim.url,
        "client",
        "secret of caspio",
        limiter=UnlimitedLimiter(),
        token_store=LocalTokenStore(),
        allow_http=True,
        sleep=lambda _seconds: None,
    )
    for word, name in FILED.items():
        opened.create_table(name, [new_field(field) for field in TABLES[word].fields])
    yield opened
    opened.close()
