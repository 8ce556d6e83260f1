"""A universal HTTP connector in both directions, as Keragon and Morf would be one, and the collection they import."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from standardwebhooks import Webhook

from labbridge.handover import keys
from labbridge.handover.api.urls import api
from labbridge.handover.keys import KeyProblem
from labbridge.outbox.models import Kind
from labbridge.outbox.note import note
from tests.handover.machine import OPERATOR
from tests.handover.receiver import Connector, agreement, carry_all, destination

COLLECTION = Path(__file__).resolve().parents[2] / "docs/recipes/labbridge.postman_collection.json"


def requests_of(item: dict[str, Any]) -> list[dict[str, Any]]:
    return (
        [item["request"]] if "request" in item else [one for sub in item["item"] for one in requests_of(sub)]
    )


@pytest.mark.django_db
def test_a_letter_comes_out_and_its_ids_are_asked_about(
    willow: Any, things: Any, connector: Connector, client: Client
):
    made, baa = things(willow), agreement(willow)
    one = destination(willow, connector.url, phi=True, agreement=baa, kinds=[Kind.RESULT])
    scopes = ["orders:read", "results:read", "patients:read"]
    made_key = keys.make(willow, "keragon", scopes, actor=OPERATOR, phi_class="phi", agreement=baa)
    with transaction.atomic():
        note(willow.pk, Kind.RESULT, f"order:{made['order_id']}", result_key="ot_willow-v1")
    carry_all(one)
    (letter,) = connector.arrived
    said = Webhook(one.secret).verify(letter.content, letter.headers)
    # In: every request of the collection that reads, with the ids of the letter.
    values = {
        "order_id": said["data"]["order"]["id"], "result_id": said["data"]["result"]["id"],
        "base": "/api/v1", "request_id": str(made["request_id"]),
    }  # fmt: skip
    headers = {"Authorization": f"Bearer {made_key.secret}"}
    asked = 0
    for request in requests_of(json.loads(COLLECTION.read_text())):
        url = re.sub(r"{{(\w+)}}", lambda name: values.get(name[1], "?"), request["url"])
        if request["method"] == "GET" and ("/orders" in url or "/results" in url):
            with_key = client.get(url, headers=headers)
            assert with_key.status_code == 200, (url, with_key.content)
            asked += 1
    assert asked == 4
    found = client.post(
        "/api/v1/patients/lookup", {"patient_key": said["data"]["order"]["patient"]["patient_key"]},
        content_type="application/json", headers=headers,
    )  # fmt: skip
    assert found.json()["id"] == said["data"]["order"]["patient"]["id"]


@pytest.mark.django_db
def test_the_gate_of_both_directions_is_the_agreement(willow: Any, connector: Connector, client: Client):
    with pytest.raises(KeyProblem, match="--baa PARTY"):
        keys.make(willow, "keragon", ["orders:read"], actor=OPERATOR, phi_class="phi")
    baa = agreement(willow)
    made = keys.make(willow, "keragon", ["orders:read"], actor=OPERATOR, phi_class="phi", agreement=baa)
    headers = {"Authorization": f"Bearer {made.secret}"}
    assert client.get("/api/v1/orders", headers=headers).status_code == 200
    from labbridge.handover.agreements import end

    end(willow, "Keragon", actor=OPERATOR)
    refused = client.get("/api/v1/orders", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "phi_refused")
    agreement(willow, sha256="d" * 64)  # renewed
    assert client.get("/api/v1/orders", headers=headers).status_code == 200


def test_every_request_of_the_collection_is_one_of_the_api():
    document = api.get_openapi_schema()
    shapes = {
        re.sub(r"{\w+}", "*", path.removeprefix("/api/v1")): set(ways)
        for path, ways in document["paths"].items()
    }
    ours = [
        one for one in requests_of(json.loads(COLLECTION.read_text())) if one["url"].startswith("{{base}}")
    ]
    assert len(ours) > 10
    for request in ours:
        path = re.sub(r"{{\w+}}", "*", request["url"].removeprefix("{{base}}").partition("?")[0])
        assert request["method"].lower() in shapes[path], path
