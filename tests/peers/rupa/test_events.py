from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest

from labbridge.peers.errors import Unreadable
from labbridge.peers.rupa.events import EventEnvelope


def event(**changes: Any) -> EventEnvelope:
    body = {
        "id": "evt_1",
        "type": "order.updated",
        "created_at": "2031-02-03T10:15:00-08:00",
        "data": {"object": {"type": "order", "id": "ord_1", "attributes": {"status": "In Progress"}}},
    }
    return EventEnvelope.parse(json.dumps(body | changes).encode())


def test_documented_event(sample: Callable[[str], bytes]) -> None:
    read = EventEnvelope.parse(sample("event_new_result"))
    assert (read.id, read.type) == ("evt_2mB6TqY", "order.new_result")
    assert read.created_at == datetime(2031, 2, 3, 18, 15, tzinfo=UTC)
    assert (read.object_type, read.object_id) == ("order", "ord_8Rt2LmN")
    assert read.order is not None
    assert read.order.status == "In Progress"
    assert read.lab_test is None


def test_without_an_id_the_body_is_the_id(sample: Callable[[str], bytes]) -> None:
    raw = sample("event_pending_payment")
    read = EventEnvelope.parse(raw)
    assert read.id == f"sha256:{sha256(raw).hexdigest()}"
    assert read.type == "unknown"
    assert EventEnvelope.parse(raw).id == read.id
    assert EventEnvelope.parse(raw + b" ").id != read.id


@pytest.mark.parametrize("place", ["top", "data", "object"])
def test_metadata_wherever_it_stands(place: str) -> None:
    body: dict[str, Any] = {"data": {"object": {"type": "order", "id": "ord_1", "attributes": {}}}}
    holder = {"top": body, "data": body["data"], "object": body["data"]["object"]["attributes"]}[place]
    holder["metadata"] = {"ehr_request": "req_41"}
    order = event(**body).order
    assert order is not None
    assert order.metadata == {"ehr_request": "req_41"}


def test_lab_test_events_carry_a_lab_test() -> None:
    read = event(
        type="labtest.updated",
        data={"object": {"type": "lab_test", "id": "labts_1", "attributes": {"name": "X"}}},
    )
    assert read.lab_test is not None
    assert (read.lab_test.name, read.order) == ("X", None)


@pytest.mark.parametrize("data", [None, {}, [], "x", {"object": None}, {"object": {"id": "1"}}])
def test_events_without_an_object_are_events(data: Any) -> None:
    read = event(data=data, type="ping")
    assert (read.type, read.object_type, read.order) == ("ping", None, None)


def test_a_bad_time_is_no_reason_to_lose_an_event() -> None:
    assert event(created_at="yesterday").created_at is None
    assert event(created_at=5).created_at is None
    assert event(id=17).id == "17"


@pytest.mark.parametrize("raw", [b"", b"not json Zebulon", b"[]", b"null", b"\xff"])
def test_unreadable_without_an_echo(raw: bytes) -> None:
    with pytest.raises(Unreadable) as caught:
        EventEnvelope.parse(raw)
    assert "Zebulon" not in str(caught.value)
    assert caught.value.__context__ is None
