"""The life of an order and the events that tell it (rupa-api.md 6 and 7)."""

import pytest

from labbridge.simulators.rupa import practitioner_id


def types(caller):
    return [event["type"] for event in caller.events()]


def test_from_made_to_results_received(caller):
    order = caller.order(paid=False)
    seen = [caller.shown(order)[0]["status"]]
    for action, raw in (("pay", {}), ("ship", {}), ("receive-sample", {}), ("result", {}), ("result", {})):
        caller.act(order, action, **raw)
        seen.append(caller.shown(order)[0]["status"])
    assert seen == [
        *("Pending Payment", "In Progress", "Kit Shipped", "Sample Received", "Sample Received"),
        "Results Received",
    ]
    attributes, tests = caller.shown(order)
    assert attributes["date_submitted"] <= attributes["date_paid"] <= attributes["date_completed"]
    assert all(test["date_results_received_from_lab"] for test in tests)
    assert types(caller) == [
        *("order.updated",) * 5,  # draft, submitted, paid, shipped, sample
        *("order.new_result", "order.new_result", "order.updated"),
    ]


def test_completion_can_be_a_step_of_its_own(caller):
    caller.options(complete_with_last_result=False)
    order = caller.order("DUTCH Complete")
    caller.act(order, "result")
    assert caller.shown(order)[0]["date_completed"] is None
    caller.act(order, "complete")
    attributes = caller.shown(order)[0]
    assert attributes["date_completed"]
    assert attributes["status"] == "Completed"


def test_canceling_and_pausing(caller):
    order = caller.order(paid=False)
    caller.act(order, "pause")
    assert caller.shown(order)[0]["status"] == "Paused"
    caller.act(order, "cancel")
    assert caller.shown(order)[0]["date_canceled"]
    refused = caller.http.post(f"/_sim/orders/{order}/pay")
    assert (refused.status_code, refused.json["error"]) == (409, "This order has ended.")


def test_any_words_as_a_status(caller):
    order = caller.order()
    caller.act(order, "status", status="Awaiting Lunar Alignment")
    assert caller.shown(order)[0]["status"] == "Awaiting Lunar Alignment"
    caller.act(order, "ship", status="Kit Left the Building")
    assert caller.shown(order)[0]["status"] == "Kit Left the Building"


def test_orders_made_elsewhere_and_demo_orders(caller):
    order = caller.order(is_demo=True, payer="practitioner", paid=False)
    data = caller.get(f"/orders/{order}").json["data"]
    assert data["relationships"]["order_intent"]["data"] is None
    assert data["attributes"]["is_demo"] is True
    assert data["attributes"]["metadata"] is None
    assert data["attributes"]["date_paid"]


def test_times_can_be_given(caller):
    order = caller.order(paid=False, at="2031-02-03T10:15:00.000001-08:00")
    caller.act(order, "pay", at="2031-02-04T10:15:00.000001-08:00")
    caller.act(order, "result", all=True, at="2031-02-20T10:15:00.000001-08:00")
    attributes, tests = caller.shown(order)
    assert attributes["date_submitted"].startswith("2031-02-03")
    assert attributes["date_paid"].startswith("2031-02-04")
    assert {test["date_results_received_from_lab"][:10] for test in tests} == {"2031-02-20"}


def test_actions_that_make_no_sense_change_nothing(caller):
    order = caller.order(paid=False)
    before = caller.events()
    for action in ("result", "ship", "amend", "complete"):
        assert caller.http.post(f"/_sim/orders/{order}/{action}").status_code == 409
    assert caller.http.post(f"/_sim/orders/{order}/explode").status_code == 404
    assert caller.http.post("/_sim/orders/ord_none000/pay").status_code == 404
    unknown = {"patient": "pat_none000", "lab_tests": []}
    assert caller.http.post("/_sim/orders", json=unknown).status_code == 400
    assert caller.events() == before


def test_an_event_holds_the_state_at_the_time_of_the_change(caller):
    order = caller.order(metadata={"ehr_request": "req_41"})
    caller.act(order, "result", index=1)
    bodies = [caller.http.get(f"/_sim/events/{event['id']}").json for event in caller.events()]
    draft, submitted, paid, resulted = bodies
    assert list(paid) == sorted(paid) == ["created_at", "data", "id", "type"]
    assert set(paid["data"]) == {"object", "included"}
    statuses = [one["data"]["object"]["attributes"]["status"] for one in bodies]
    assert statuses == ["Draft", "Pending Payment", "In Progress", "In Progress"]
    assert paid["data"]["object"]["attributes"]["metadata"] == {"ehr_request": "req_41"}
    assert [t["attributes"]["results_pdf"] for t in paid["data"]["included"]] == [None, None]
    pdfs = [t["attributes"]["results_pdf"] for t in resulted["data"]["included"]]
    assert pdfs[0] is None
    assert pdfs[1].startswith("http://localhost/files/")
    for test in resulted["data"]["included"]:
        assert test["type"] == "ordered_test"
        assert test["relationships"]["lab_test"]["data"]["type"] == "lab_test"
    relations = paid["data"]["object"]["relationships"]
    assert set(relations) == {
        *("patient", "patients_practitioner", "signing_practitioner", "ordered_tests", "line_items"),
        "order_intent",
    }
    assert relations["line_items"]["meta"]["count"] == 2
    assert draft["created_at"] <= submitted["created_at"] <= resulted["created_at"]


@pytest.mark.parametrize("place", ["attributes", "data", "top", "included"])
def test_metadata_can_lie_in_four_places(caller, place):
    caller.options(metadata_place=place)
    body = {"return_url": "https://ehr.example/", "patient": caller.patient(), "metadata": {"a": 1}}
    intent = caller.flat("/order-intents/", body | {"lab_tests": caller.tests("DUTCH Complete")}).json
    caller.http.get(f"/checkout/{intent['id']}")
    event = caller.http.get(f"/_sim/events/{caller.events()[-1]['id']}").json
    places = {
        "attributes": event["data"]["object"]["attributes"].get("metadata"),
        "data": event["data"].get("metadata"),
        "top": event.get("metadata"),
        "included": next(
            (o["attributes"]["metadata"] for o in event["data"]["included"] if o["type"] == "order_intent"),
            None,
        ),
    }
    assert places == dict.fromkeys(places) | {place: {"a": 1}}


def test_the_catalogue_tells_what_is_new_and_changed_but_not_what_is_gone(caller):
    company = caller.get("/lab-companies").json["data"][0]["id"]
    made = caller.http.post("/_sim/lab-tests", json={"name": "Brand New Panel", "lab_company": company}).json
    order = caller.order("Brand New Panel")
    caller.http.post(f"/_sim/lab-tests/{made['id']}", json={"price_cents": 12_345, "name": "Newer Panel"})
    shown = caller.get(f"/lab-tests/{made['id']}").json["data"]["attributes"]
    assert (shown["name"], shown["rupa_price"]) == ("Newer Panel", 123.45)
    before = types(caller)
    assert caller.http.delete(f"/_sim/lab-tests/{made['id']}").status_code == 204
    assert caller.get(f"/lab-tests/{made['id']}").status_code == 404
    assert types(caller) == before
    assert [one for one in before if one.startswith("labtest")] == ["labtest.created", "labtest.updated"]
    event = next(e for e in caller.events() if e["type"] == "labtest.updated")
    body = caller.http.get(f"/_sim/events/{event['id']}").json
    assert body["data"]["object"]["attributes"]["name"] == "Newer Panel"
    assert body["data"]["included"][0]["type"] == "lab_company"
    caller.act(order, "result")  # an old order still knows its test
    assert caller.shown(order)[1][0]["date_results_received_from_lab"]


def test_samples_of_any_type_can_be_triggered(caller):
    for event_type in ("order.updated", "order.new_result", "labtest.created", "order.unheard_of"):
        answer = caller.http.post(f"/_sim/trigger/{event_type}")
        assert answer.status_code == 202
        body = caller.http.get(f"/_sim/events/{answer.json['event']}").json
        assert body["type"] == event_type
        assert body["data"]["object"]["type"] == ("lab_test" if "labtest" in event_type else "order")


def test_the_state_can_be_compared_with(caller):
    order = caller.order("DUTCH Complete")
    caller.act(order, "result", files="pdf+hl7")
    caller.act(order, "amend")
    state = caller.http.get("/_sim/state").json
    (shown,) = state["orders"]
    (test,) = shown["tests"]
    assert [version["version"] for version in test["versions"]] == [1, 2]
    assert len({version["pdf"]["sha256"] for version in test["versions"]}) == 2
    assert test["versions"][1]["hl7"]["text"] == test["hl7"]
    assert {len(state[kind]) for kind in ("clinics", "practitioners")} == {2, 5}
    assert len(state["lab_tests"]) == caller.get("/lab-tests").json["meta"]["pagination"]["count"]
    assert state["patients"][0]["practitioner"] == practitioner_id("Ada")


def test_resetting_starts_anew(caller, sim, caller_of):
    caller.order()
    caller.http.post("/_sim/faults", json={"kind": "unavailable"})
    assert caller.get("/orders").status_code == 503
    assert caller.http.post("/_sim/reset").status_code == 204
    assert caller.get("/orders").status_code == 401
    assert caller_of(sim).get("/orders").json["data"] == []
    assert caller.events() == []


def test_controls_answer_on_loopback_only(caller):
    far = caller.http.get("/_sim/state", environ_base={"REMOTE_ADDR": "192.0.2.7"})
    assert far.status_code == 403
