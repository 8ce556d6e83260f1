import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from io import BytesIO

import pytest

from tests.simulators.caspio.conftest import ORDERS, Rest

HOOK = "https://labbridge.example/webhooks/caspio/willow"
ALL = ("table.recordInsert", "table.recordUpdate", "table.recordDelete")


def webhook(rest, url=HOOK, name="Labbridge", **more):
    answer = rest.post("/outgoingWebhooks", {"Name": name, "OutgoingUrls": [url], **more})
    assert answer.status_code == 201, answer.text
    return answer.json


def listen(rest, hook, kind="table.recordInsert", **more):
    body = {"EventType": kind, "ObjectName": "Orders", **more}
    answer = rest.post(f"/outgoingWebhooks/{hook['Id']}/events", body)
    assert answer.status_code == 201, answer.text
    return answer.json


# --- management -------------------------------------------------------------------------------
def test_the_secret_is_shown_once(rest):
    made = webhook(rest, Description="d", CallThrottling=5)
    assert made["Secret"]
    assert (made["Name"], made["CallThrottling"], len(made["Id"])) == ("Labbridge", 5, 6)
    one = f"/outgoingWebhooks/{made['Id']}"
    assert all("Secret" not in a.text for a in (rest.get(one), rest.get("/outgoingWebhooks")))
    assert rest.get(one).json["Messages"] == 0
    changed = rest.put(one, {"Description": "new", "OutgoingUrls": ["https://other.example/x"]}).json
    assert (changed["Description"], changed["OutgoingUrls"]) == ("new", ["https://other.example/x"])
    assert [w["Id"] for w in rest.get("/outgoingWebhooks").json] == [made["Id"]]
    assert rest.delete(one).status_code == 204
    assert rest.get(one).status_code == 404
    assert rest.delete(one).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"OutgoingUrls": [HOOK]},
        {"Name": "x"},
        {"Name": "x", "OutgoingUrls": []},
        {"Name": "x", "OutgoingUrls": ["http://labbridge.example/x"]},
        {"Name": "x", "OutgoingUrls": ["ftp://labbridge.example/x"]},
        {"Name": "x", "OutgoingUrls": ["https://[broken"]},
        {"Name": "labbridge", "OutgoingUrls": ["https://other.example/"]},
        {"Name": "x", "OutgoingUrls": [HOOK]},
        {"Name": "x", "OutgoingUrls": ["https://other.example/"], "CallThrottling": 0},
        {"Name": "x", "OutgoingUrls": ["https://other.example/"], "CallThrottling": 99},
        {"Name": "x", "OutgoingUrls": ["https://other.example/"], "Secret": "mine"},
    ],
)
def test_a_webhook_that_breaks_a_rule_is_refused(rest, body):
    webhook(rest)
    answer = rest.post("/outgoingWebhooks", body, valid=False)
    assert (answer.status_code, answer.json["Code"]) == (400, "IncorrectBodyParameter")


def test_plain_http_on_loopback_is_a_choice(make):
    rest = Rest(make(allow_http_loopback=False))
    body = {"Name": "x", "OutgoingUrls": ["http://127.0.0.1:8000/"]}
    assert rest.post("/outgoingWebhooks", body).status_code == 400


def test_events_are_managed(orders):
    hook = webhook(orders)
    base = f"/outgoingWebhooks/{hook['Id']}/events"
    made = listen(orders, hook, "table.recordUpdate", ObjectFields=["Name"], EventSources=["DataPages"])
    assert (made["Type"], made["Status"], made["ObjectFields"]) == ("table.recordUpdate", "Active", ["Name"])
    one = f"{base}/{made['Id']}"
    body = {"EventType": "table.recordUpdate", "ObjectName": "Orders", "Enabled": False}
    assert orders.put(one, body).json["Status"] == "Inactive"
    assert orders.get(one).json["ObjectFields"] == []
    assert orders.get(f"/outgoingWebhooks/{hook['Id']}").json["Status"] == "Inactive"
    orders.put(f"/outgoingWebhooks/{hook['Id']}", {"Enabled": True})
    assert orders.get(one).json["Status"] == "Active"
    assert [e["Id"] for e in orders.get(base).json] == [made["Id"]]
    assert orders.delete(one).status_code == 204
    assert orders.get(one).status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"EventType": "table.recordSeen", "ObjectName": "Orders"}, 400),
        ({"EventType": "table.recordInsert"}, 400),
        ({"EventType": "table.recordInsert", "ObjectName": "Nope"}, 404),
        ({"EventType": "table.recordUpdate", "ObjectName": "Orders", "ObjectFields": ["Nope"]}, 400),
        ({"EventType": "table.recordDelete", "ObjectName": "Orders", "EventSources": ["Moon"]}, 400),
        ({"EventType": "table.recordDelete", "ObjectName": "Orders", "CustomPayloadFields": ["X"]}, 400),
        ({"EventType": "table.recordInsert", "ObjectName": "orders"}, 400),
    ],
)
def test_an_event_that_breaks_a_rule_is_refused(orders, body, status):
    hook = webhook(orders)
    listen(orders, hook)
    assert orders.post(f"/outgoingWebhooks/{hook['Id']}/events", body).status_code == status


def test_several_update_events_need_different_fields(orders):
    hook = webhook(orders)
    listen(orders, hook, "table.recordUpdate", ObjectFields=["Name"])
    listen(orders, hook, "table.recordUpdate", ObjectFields=["Note"])
    for fields in ([], ["Name", "Total"]):
        body = {"EventType": "table.recordUpdate", "ObjectName": "Orders", "ObjectFields": fields}
        assert orders.post(f"/outgoingWebhooks/{hook['Id']}/events", body).status_code == 400


# --- what fires -------------------------------------------------------------------------------
@pytest.fixture
def live(make, receiver):
    """A delivering simulator with an Orders table and all three events; yields (simulator, rest, hook)."""

    def build(**options):
        sources = options.pop("sources", [])
        kinds = options.pop("kinds", ALL)
        more = options.pop("more", {})
        simulator = make(**{"deliver": True, "retry_seconds": (0.05, 0.05), **options})
        rest = Rest(simulator)
        rest.post("/tables", {"Name": "Orders", "Fields": ORDERS})
        hook = webhook(rest, receiver.url)
        hook["events"] = {k: listen(rest, hook, k, EventSources=sources, **more)["Id"] for k in kinds}
        return simulator, rest, hook

    return build


def test_the_message_has_the_documented_shape(live, receiver):
    now = datetime(2026, 1, 16, 19, 56, 38, tzinfo=UTC)
    simulator, rest, hook = live(clock=lambda: now)
    row = rest.add(Order_No="A", Name="Müller", Pin="hush", Paid=True)
    rest.put("/tables/Orders/records", {"Name": "B"}, {"q.where": "PK_ID=1"})
    rest.delete("/tables/Orders/records", {"q.where": "PK_ID=1"})
    assert simulator.sender.drain()
    headers, _ = receiver.got[0]
    assert headers["Content-Type"].startswith("application/json")
    inserted, updated, deleted = receiver.messages
    assert list(inserted) == [
        "eventId",
        "messageId",
        "webhookId",
        "accountId",
        "secret",
        "eventDate",
        "eventType",
        "objectName",
        "data",
    ]
    assert inserted["data"] == [row]
    assert (inserted["eventDate"], inserted["accountId"]) == ("2026-01-16T19:56:38", "c0abc123")
    assert inserted["secret"] == hook["Secret"]
    assert inserted["eventId"] == hook["events"]["table.recordInsert"]
    assert (updated["eventType"], updated["data"][0]["Name"]) == ("table.recordUpdate", "B")
    assert deleted["data"][0]["PK_ID"] == 1
    assert len({m["messageId"] for m in receiver.messages}) == 3
    assert b"hush" not in receiver.got[0][1]


def test_event_id_is_constant_and_message_id_is_not(live, receiver):
    simulator, rest, _ = live()
    rest.add(Order_No="A")
    rest.add(Order_No="B")
    assert simulator.sender.drain()
    one, two = receiver.messages
    assert one["eventId"] == two["eventId"]
    assert one["messageId"] != two["messageId"]


@pytest.mark.parametrize(
    ("sources", "fired"),
    [
        ([], ["RESTAPIs", "DataPages", "Datasheet"]),
        (["RESTAPIs"], ["RESTAPIs"]),
        (["DataPages", "Tasks"], ["DataPages"]),
        (["Datasheet"], ["Datasheet"]),
    ],
)
def test_each_source_of_a_write(make, receiver, sources, fired):
    from labbridge.simulators.caspio.seed import PATIENT_FIELDS

    simulator = make(deliver=True)
    rest = Rest(simulator)
    rest.post("/tables", {"Name": "Patients", "Fields": PATIENT_FIELDS})
    hook = webhook(rest, receiver.url)
    body = {"EventType": "table.recordInsert", "ObjectName": "Patients", "EventSources": sources}
    rest.post(f"/outgoingWebhooks/{hook['Id']}/events", body)
    rest.add("Patients", Patient_ID="RESTAPIs")
    assert rest.http.post("/patients/new", data={"Patient_ID": "DataPages"}).status_code == 303
    assert rest.http.post("/browse/Patients/new", data={"Patient_ID": "Datasheet"}).status_code == 303
    imported = {"table": "Patients", "rows": [{"Patient_ID": "Import"}]}
    assert rest.http.post("/_sim/import", json=imported).json["imported"] == 1
    assert simulator.sender.drain()
    assert [m["data"][0]["Patient_ID"] for m in receiver.messages] == fired


def test_updates_fire_only_for_real_changes_and_listed_fields(live, receiver):
    simulator, rest, _ = live(kinds=["table.recordUpdate"], more={"ObjectFields": ["Name", "Total"]})
    rest.add(Order_No="A", Name="x", Total=5)
    where = {"q.where": "PK_ID=1"}
    rest.put("/tables/Orders/records", {"Name": "x", "Total": 5.0}, where)
    rest.put("/tables/Orders/records", {"Note": "other"}, where)
    assert receiver.got == []
    rest.put("/tables/Orders/records", {"Name": "y", "Note": "z"}, where)
    assert simulator.sender.drain()
    assert [m["data"][0]["Name"] for m in receiver.messages] == ["y"]


def test_a_bulk_write_puts_its_rows_into_one_message(live, receiver):
    simulator, rest, _ = live(kinds=["table.recordUpdate", "table.recordDelete"])
    for name in "ABC":
        rest.add(Order_No=name, Note="same" if name == "B" else "")
    rest.put("/tables/Orders/records", {"Note": "same"}, {"q.where": "PK_ID>0"})
    rest.delete("/tables/Orders/records", {"q.where": "PK_ID>0"})
    assert simulator.sender.drain()
    updated, deleted = receiver.messages
    assert [r["Order_No"] for r in updated["data"]] == ["A", "C"]
    assert [r["Order_No"] for r in deleted["data"]] == ["A", "B", "C"]


def test_custom_fields_template_and_attachment(live, receiver):
    simulator, rest, hook = live(kinds=["table.recordInsert"], more={"CustomPayloadFields": ["PK_ID"]})
    template = "{'id': '[@field:PK_ID]', 'of': '[@out-hook:objectName]', 'odd': '[@field:Nope]'}"
    listen(rest, hook, "table.recordUpdate", CustomPayloadTemplate=template)
    rest.add(Order_No="A")
    rest.upload("PUT", "/tables/Orders/attachments/Report/1", "File", (BytesIO(b"x"), "a.pdf"))
    assert simulator.sender.drain()
    inserted, updated = receiver.messages
    assert inserted["data"] == [{"PK_ID": 1}]
    assert updated == {"id": "1", "of": "Orders", "odd": "[@field:Nope]"}


def test_an_inactive_event_makes_no_message(live, receiver):
    simulator, rest, hook = live()
    rest.put(f"/outgoingWebhooks/{hook['Id']}", {"Enabled": False})
    rest.add(Order_No="A")
    rest.put(f"/outgoingWebhooks/{hook['Id']}", {"Enabled": True})
    assert simulator.sender.drain()
    assert receiver.got == []


def test_a_refused_write_makes_no_message(live, receiver):
    simulator, rest, _ = live()
    rest.add(Order_No="A")
    assert rest.post("/tables/Orders/records", {"Order_No": "A"}).status_code == 400
    assert simulator.sender.drain()
    assert len(receiver.got) == 1


def test_the_signature_header_mode(live, receiver):
    simulator, rest, hook = live(webhook_hmac_header="X-Sim-Signature", webhook_secret_in_body=False)
    rest.add(Order_No="A")
    assert simulator.sender.drain()
    headers, body = receiver.got[0]
    assert "secret" not in json.loads(body)
    expected = hmac.new(hook["Secret"].encode(), body, hashlib.sha256).hexdigest()
    assert headers["X-Sim-Signature"] == expected


# --- delivery ---------------------------------------------------------------------------------
def test_anything_but_2xx_is_sent_again_with_the_same_message_id(live, receiver):
    simulator, rest, hook = live(kinds=["table.recordInsert"])
    receiver.answers = [500, 401]
    rest.add(Order_No="A")
    assert simulator.sender.drain()
    assert len(receiver.got) == 3
    assert len({m["messageId"] for m in receiver.messages}) == 1
    assert simulator.sender.listed()[0]["state"] == "delivered"
    counted = rest.get(f"/outgoingWebhooks/{hook['Id']}").json
    assert (counted["Messages"], counted["Calls"], counted["Errors"]) == (1, 3, 0)


def test_retries_end(live, receiver):
    simulator, rest, _ = live(kinds=["table.recordInsert"])
    receiver.answers = [500] * 9
    rest.add(Order_No="A")
    assert simulator.sender.drain()
    assert len(receiver.got) == 3
    call = simulator.sender.listed()[0]
    assert (call["state"], call["attempt"], call["status"]) == ("failed", 3, 500)


@pytest.mark.parametrize(
    ("rule", "copies"),
    [({"kind": "lose"}, 0), ({"kind": "duplicate", "times_each": 3}, 3), ({"kind": "error_before"}, 1)],
)
def test_ordered_faults_of_delivery(live, receiver, rule, copies):
    simulator, rest, _ = live(kinds=["table.recordInsert"])
    simulator.faults.add({**rule, "match": {"path": "^/nowhere"} if "error" in rule["kind"] else {}})
    rest.add(Order_No="A")
    assert simulator.sender.drain()
    assert len(receiver.got) == copies
    assert len({m["messageId"] for m in receiver.messages}) == min(copies, 1)


def test_delay_and_reorder_hold_messages_back(live, receiver):
    simulator, rest, _ = live(kinds=["table.recordInsert"])
    simulator.faults.add({"kind": "delay", "seconds": 0.4, "times": 1})
    rest.add(Order_No="late")
    rest.add(Order_No="early")
    assert simulator.sender.drain()
    assert [m["data"][0]["Order_No"] for m in receiver.messages] == ["early", "late"]
    receiver.got.clear()
    simulator.faults.clear()
    simulator.faults.add({"kind": "reorder", "seconds": 0.3})
    sent = [f"R-{n}" for n in range(8)]
    for name in sent:
        rest.add(Order_No=name)
    assert simulator.sender.drain()
    got = [m["data"][0]["Order_No"] for m in receiver.messages]
    assert sorted(got) == sent
    assert got != sent


def test_throttling_spaces_calls_when_asked(live, receiver):
    simulator, rest, hook = live(kinds=["table.recordInsert"], honour_throttling=True)
    rest.put(f"/outgoingWebhooks/{hook['Id']}", {"CallThrottling": 10})
    before = time.monotonic()
    for name in "ABCD":
        rest.add(Order_No=name)
    assert simulator.sender.drain()
    assert time.monotonic() - before >= 0.29
    assert len(receiver.got) == 4


def test_waiting_messages_outlive_a_restart(make, live, receiver):
    simulator, rest, _ = live(deliver=False, kinds=["table.recordInsert"])
    rest.add(Order_No="A")
    with simulator.account.store.transaction() as db:
        db.execute("UPDATE calls SET state = 'sending'")  # as a killed process leaves it
    simulator.close()
    again = make(deliver=True)
    assert again.sender.drain()
    assert [m["data"][0]["Order_No"] for m in receiver.messages] == ["A"]


def test_trigger_sends_an_event_about_a_row(live, receiver):
    simulator, rest, _ = live()
    rest.http.post("/_sim/import", json={"table": "Orders", "rows": [{"Order_No": "A"}]})
    body = {"type": "table.recordUpdate", "table": "Orders", "pk": 1}
    assert rest.http.post("/_sim/trigger", json=body).json == {"messages": 1}
    assert rest.http.post("/_sim/trigger", json={**body, "pk": 7}).status_code == 404
    assert simulator.sender.drain()
    assert [m["eventType"] for m in receiver.messages] == ["table.recordUpdate"]
