"""Deliveries: signed, repeated for three days, kept over a restart, spoiled on purpose (rupa-api.md 7)."""

import hashlib
import hmac
import json
import time

import pytest

from labbridge.simulators.rupa.options import Options
from labbridge.simulators.rupa.sender import retry_delay

SECRET = b"whsec"


def verified(headers, body, secret=SECRET):
    """Check a delivery as the integration guide says, on our own."""
    parts = [part.split("=", 1) for part in headers["Rupa-Signature"].split(",")]
    moment = int(dict(parts)["t"])
    right = hmac.new(secret, f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return right in [value for name, value in parts if name == "v1"], abs(time.time() - moment)


@pytest.fixture
def caller(make, receiver, caller_of):
    return caller_of(make(webhook_url=receiver.url))


def send_all(caller):
    count = 0
    while caller.sim.sender.send_due():
        count += 1
    return count


def statuses(caller):
    return [event["status"] for event in caller.events()]


def test_each_change_is_delivered_signed_in_its_order(caller, receiver):
    order = caller.order()
    caller.act(order, "result", all=True)
    assert send_all(caller) == len(receiver.got) == 5
    for headers, body in receiver.got:
        right, age = verified(headers, body)
        assert right
        assert age < 60
        assert not verified(headers, body + b" ")[0]
    bodies = [json.loads(body) for _, body in receiver.got]
    assert [body["id"] for body in bodies] == [event["id"] for event in caller.events()]
    assert {body["data"]["object"]["id"] for body in bodies} == {order}
    assert statuses(caller) == ["delivered"] * 5


def test_while_rotating_each_secret_signs(caller, receiver):
    caller.options(signing_secret="new, whsec")
    caller.order()
    send_all(caller)
    headers, body = receiver.got[0]
    assert headers["Rupa-Signature"].count("v1=") == 2
    assert verified(headers, body)[0]
    assert verified(headers, body, b"new")[0]


def test_unsigned_wrong_and_stale(caller, receiver):
    caller.order(paid=False)
    send_all(caller)
    event = caller.events()[0]["id"]
    receiver.got.clear()
    for signature in ("none", "wrong", "stale", "valid"):
        raw = {"event": event, "signature": signature}
        assert caller.http.post("/_sim/events/redeliver", json=raw).status_code == 202
    send_all(caller)
    (unsigned, _), wrong, stale, valid = receiver.got
    assert "Rupa-Signature" not in unsigned
    assert not verified(*wrong)[0]
    assert verified(*stale)[0]
    assert verified(*stale)[1] > 3000
    assert verified(*valid)[0]


def test_an_error_is_tried_again_with_growing_pauses(caller, receiver):
    caller.options(webhook_url=receiver.url)
    receiver.answers[:] = [500, 302, 404]
    caller.http.post("/_sim/trigger/labtest.updated")
    assert send_all(caller) == 1
    for pause in (60, 120, 240):
        caller.advance(pause - 1)
        assert send_all(caller) == 0
        caller.advance(2)
        assert send_all(caller) == 1
    (event,) = caller.events()
    (delivery,) = event["deliveries"]
    assert [one["status"] for one in delivery["log"]] == [500, 302, 404, 200]
    assert (delivery["attempts"], event["status"]) == (4, "delivered")
    assert len({body for _, body in receiver.got}) == 1


def test_it_gives_up_after_three_days(caller, receiver):
    receiver.answers[:] = [500] * 100
    caller.http.post("/_sim/trigger/labtest.updated")
    hours = 0
    while send_all(caller) or caller.events()[0]["status"] == "pending":
        caller.advance(3600)
        hours += 1
        assert hours < 24 * 4
    (event,) = caller.events()
    assert event["status"] == "failed"
    assert 48 < hours <= 84  # the next attempt would have come after three days
    assert 10 < event["deliveries"][0]["attempts"] < 30
    caller.advance(864_000)
    assert send_all(caller) == 0


def test_pauses_double_up_to_twelve_hours():
    pauses = [retry_delay(Options(), attempts) for attempts in range(1, 20)]
    assert pauses[:4] == [60, 120, 240, 480]
    assert pauses[-1] == 12 * 3600


def test_time_can_be_scaled(make, receiver, caller_of):
    receiver.answers[:] = [500, 500, 500]
    caller = caller_of(make(webhook_url=receiver.url, time_scale=0.0001, send=True))
    caller.http.post("/_sim/trigger/labtest.updated")
    receiver.wait(4)


def test_nobody_listening_is_an_attempt_without_status(caller, receiver):
    caller.options(webhook_url="http://127.0.0.1:9/")
    caller.http.post("/_sim/trigger/labtest.updated")
    assert send_all(caller) == 1
    (delivery,) = caller.events()[0]["deliveries"]
    assert (delivery["status"], delivery["attempts"], delivery["last_status"]) == ("pending", 1, None)


def test_what_is_owed_outlives_a_restart(make, receiver, caller_of):
    first = make(webhook_url=receiver.url)
    before = caller_of(first)
    order = before.order()
    first.sender._taken()  # killed in the middle of a delivery
    first.close()
    second = make(send=True)
    receiver.wait(3)
    ids = [json.loads(body)["id"] for _, body in receiver.got]
    assert sorted(ids) == sorted(event["id"] for event in event_ids(second))
    old_bearer = before.headers["Authorization"]
    after = caller_of(second)
    assert after.http.get(f"/orders/{order}", headers={"Authorization": old_bearer}).status_code == 200


def event_ids(sim):
    return sim.world.store.run("SELECT id FROM events")


def test_clinics_without_a_connection_send_nothing(caller, receiver, caller_of):
    state = caller.http.get("/_sim/state").json
    theirs = next(p for p in state["patients"] if p["first_name"] == "Tess")
    raw = {"patient": theirs["id"], "lab_tests": caller.tests("DUTCH Complete"), "submitted": False}
    caller.http.post("/_sim/orders", json=raw)
    assert statuses(caller) == ["not_sent"]
    caller.options(only_connected_clinics=False)
    caller.http.post("/_sim/orders", json=raw)
    caller.options(only_connected_clinics=True)
    caller_of(caller.sim, "Elio")  # any practitioner of the clinic will do
    caller.http.post("/_sim/orders", json=raw)
    assert statuses(caller) == ["not_sent", "pending", "pending"]
    assert send_all(caller) == len(receiver.got) == 2


def test_two_connected_practitioners_may_mean_two_deliveries(caller, receiver, caller_of):
    caller_of(caller.sim, "Bruno")
    caller.http.post("/_sim/trigger/order.updated")
    assert send_all(caller) == 2  # the draft that is the sample, and the sample event
    receiver.got.clear()
    caller.options(deliver_per_connection=True)
    caller.http.post("/_sim/trigger/order.updated")
    assert send_all(caller) == 2
    assert receiver.got[0][1] == receiver.got[1][1]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"kind": "duplicate", "times_each": 3}, 3),
        ({"kind": "lose"}, 0),
        ({"kind": "delay", "seconds": 30}, 0),
    ],
)
def test_deliveries_are_doubled_lost_and_late(caller, receiver, rule, expected):
    caller.http.post("/_sim/faults", json=rule)
    caller.http.post("/_sim/trigger/labtest.updated")
    assert send_all(caller) == len(receiver.got) == expected
    caller.advance(31)
    assert send_all(caller) == (1 if rule["kind"] == "delay" else 0)


def test_deliveries_are_shuffled(caller, receiver):
    caller.http.post("/_sim/faults", json={"kind": "reorder", "seconds": 30})
    for _ in range(8):
        caller.http.post("/_sim/trigger/labtest.updated")
    caller.advance(60)
    send_all(caller)
    made = [event["id"] for event in caller.events()]
    came = [json.loads(body)["id"] for _, body in receiver.got]
    assert sorted(came) == sorted(made)
    assert came != made


def test_everything_again_backwards_and_twice(caller, receiver):
    caller.order()
    send_all(caller)
    made = [event["id"] for event in caller.events()]
    receiver.got.clear()
    raw = {"all": True, "reverse": True, "times": 2}
    assert caller.http.post("/_sim/events/redeliver", json=raw).json["events"] == made
    send_all(caller)
    came = [json.loads(body)["id"] for _, body in receiver.got]
    assert came == [one for event in made[::-1] for one in (event, event)]
    by_type = caller.http.post("/_sim/events/redeliver", json={"type": "order.new_result"})
    assert by_type.json["events"] == []
    assert caller.http.post("/_sim/events/redeliver", json={}).status_code == 400
    assert caller.http.post("/_sim/events/redeliver", json={"event": "evt_none000"}).status_code == 400


@pytest.mark.parametrize("flat", [True, False])
def test_request_faults_speak_as_rupa_does(caller, flat):
    caller.http.post("/_sim/faults", json={"kind": "rate_limit", "retry_after": 3, "times": 1})
    headers = {"Content-Type": "application/json"} if flat else {}
    answer = caller.get("/orders", **headers)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3")
    assert ("code" in answer.json) == flat
    assert ("errors" in answer.json) == (not flat)
    assert caller.get("/orders").status_code == 200


def test_an_error_after_the_work_leaves_the_work_done(caller):
    caller.http.post("/_sim/faults", json={"kind": "error_after", "match": {"path": "order-intents"}})
    answer = caller.flat("/order-intents/", {"return_url": "https://e.example/", "patient": caller.patient()})
    assert answer.status_code == 500
    caller.http.delete("/_sim/faults")
    assert len(caller.get("/order-intents").json["data"]) == 1
    calls = [r for r in caller.http.get("/_sim/requests").json if r["path"].startswith("/order-intents")]
    assert [(r["method"], r["status"], r["fault"]) for r in calls] == [
        ("POST", 500, "error_after"),
        ("GET", 200, None),
    ]
