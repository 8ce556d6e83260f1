from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from labbridge.handlers.charts import read_charts
from labbridge.peers.caspio import where as q
from labbridge.practices.clients import caspio
from labbridge.practices.config import parse
from labbridge.practices.models import Connection, Practice
from tests.handlers.rows import PERSON
from tests.world import PRACTICE_TOML


@pytest.fixture
def willow(db: None) -> Practice:
    """A practice that is connected to nothing."""
    config = parse(PRACTICE_TOML.format(caspio="https://c0abc123.caspio.com", rate=5, refresh_token="t"))
    return Practice.objects.create(
        slug="willow", name="Willow", time_zone="America/Los_Angeles", config=config.model_dump(mode="json")
    )


@pytest.fixture
def insert(caspio_sim: Any) -> Callable[..., None]:
    """Add the row of tests.handlers.rows to Caspio, with other values where some are given. No webhook fires."""

    def add(**values: Any) -> None:
        caspio_sim.add("Patients", {**PERSON, **values})

    return add


@pytest.fixture
def change(practice: Practice) -> Callable[..., None]:
    """Change the row P-1 in Caspio."""

    def edit(**values: Any) -> None:
        with caspio(practice, "test") as client:
            client.table("Patients").update(q.field("Patient_ID") == "P-1", values)

    return edit


@pytest.fixture
def sync(practice: Practice, run_jobs: Callable[..., None]) -> Callable[[], None]:
    """Read the whole table and do what follows from it."""

    def read_and_run() -> None:
        with caspio(practice, "test") as client:
            read_charts(practice, client)
        run_jobs()

    return read_and_run


@pytest.fixture
def change_at_rupa(rupa_sim: Any) -> Callable[..., None]:
    """Change a patient at Rupa by its API, as another program would."""

    def edit(external_id: str, **attributes: Any) -> None:
        token = rupa_sim.call("POST", "/_sim/tokens", {})["access_token"]
        answer = rupa_sim.http.patch(
            f"/patients/{external_id}",
            json={"data": {"type": "patient", "id": external_id, "attributes": attributes}},
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/vnd.api+json"},
        )
        assert answer.status_code == 200, answer.text

    return edit


@pytest.fixture
def policy(practice: Practice) -> Callable[..., None]:
    """Set who wins when a value changes later."""

    def choose(**sides: str) -> None:
        practice.config["sync"]["policy"] = sides
        practice.save()

    return choose


@pytest.fixture
def say(practice: Practice, client: Any, run_jobs: Any) -> Callable[..., None]:
    """Deliver Caspio's message about rows of the patients table, and do what follows."""
    credentials = Connection.objects.get(practice=practice, peer="caspio").credentials or {}

    def deliver(*rows: dict[str, Any], kind: str = "Update", run: bool = True) -> None:
        body = {
            "messageId": str(uuid.uuid4()), "eventType": f"table.record{kind}", "objectName": "Patients",
            "data": list(rows), "secret": credentials["webhook_secret"],
        }  # fmt: skip
        answer = client.post("/webhooks/caspio/willow", body, content_type="application/json")
        assert answer.status_code == 200
        if run:
            run_jobs(waiting=True)

    return deliver
