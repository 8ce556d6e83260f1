import http.client
import json

import pytest
from werkzeug.test import Client

from labbridge.simulators.faults import ConnectionDropped, Faults
from tests.simulators.caspio.conftest import served


class App:
    """Counts what reached it."""

    def __init__(self):
        self.calls = []

    def __call__(self, environ, start_response):
        self.calls.append(environ["PATH_INFO"])
        start_response("201 CREATED", [("Content-Type", "text/plain"), ("Content-Length", "2")])
        return [b"ok"]


@pytest.fixture
def app():
    return App()


@pytest.fixture
def slept():
    return []


@pytest.fixture
def faults(app, slept, tmp_path):
    return Faults(app, tmp_path / "state.db", sleep=slept.append)


@pytest.fixture
def client(faults):
    return Client(faults)


def add(client, **rule):
    answer = client.post("/_sim/faults", json=rule)
    assert answer.status_code == 201, answer.text
    return answer.json["id"]


@pytest.mark.parametrize(
    ("kind", "status", "reached"),
    [
        ("rate_limit", 429, 0),
        ("rate_limit_400", 400, 0),
        ("error_before", 500, 0),
        ("error_after", 500, 1),
        ("hang_before", 504, 0),
        ("hang_after", 201, 1),
        ("slow", 201, 1),
        ("expired_token", 401, 0),
        ("unavailable", 503, 0),
        ("garbage", 200, 0),
    ],
)
def test_each_kind_answers_and_reaches_the_app_as_promised(client, app, kind, status, reached):
    add(client, kind=kind)
    assert client.post("/x").status_code == status
    assert len(app.calls) == reached


@pytest.mark.parametrize(("kind", "reached"), [("reset_before", 0), ("reset_after", 1)])
def test_reset_ends_without_an_answer(client, app, kind, reached):
    add(client, kind=kind)
    with pytest.raises(ConnectionDropped):
        client.post("/x")
    assert len(app.calls) == reached
    assert client.get("/_sim/requests").json[0]["status"] is None


def test_reset_closes_a_real_socket(faults):
    faults.add({"kind": "reset_after", "times": 1})
    with served(faults) as address:
        connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=5)
        connection.request("GET", "/x")
        with pytest.raises(http.client.RemoteDisconnected):
            connection.getresponse()
        connection.request("GET", "/x")
        assert connection.getresponse().read() == b"ok"
        connection.close()


@pytest.mark.parametrize("kind", ["hang_before", "hang_after", "slow"])
def test_seconds_are_slept(client, slept, kind):
    add(client, kind=kind, seconds=3.5)
    client.get("/x")
    assert slept == [3.5]


def test_match_skip_and_times(client):
    add(client, kind="error_before", match={"method": "post", "path": "^/records"}, skip=1, times=2)
    assert client.get("/records").status_code == 201
    assert client.post("/tables").status_code == 201
    assert [client.post("/records/1").status_code for _ in range(5)] == [201, 500, 500, 201, 201]


def test_probability_is_followed_and_repeatable(app):
    def statuses():
        client = Client(Faults(app, seed=7))
        add(client, kind="error_before", probability=0.3)
        return [client.get("/x").status_code for _ in range(300)]

    first = statuses()
    assert first == statuses()
    assert 60 < first.count(500) < 120


def test_retry_after_only_when_given(client):
    with_header = add(client, kind="rate_limit", retry_after=7)
    assert client.get("/x").headers["Retry-After"] == "7"
    client.delete(f"/_sim/faults/{with_header}")
    add(client, kind="rate_limit")
    assert "Retry-After" not in client.get("/x").headers


def test_rate_limit_400_has_the_documented_body(client):
    add(client, kind="rate_limit_400")
    assert client.get("/x").json == [
        {"message": "You have exceeded your API call rate limits.", "name": "api-calls-rate"}
    ]


def test_errors_take_the_shape_of_the_peer(app):
    def shaped(_environ, status, kind):
        return [("Content-Type", "application/json"), ("X-Peer", "1")], json.dumps([status, kind]).encode()

    client = Client(Faults(app, error_body=shaped))
    add(client, kind="unavailable")
    answer = client.get("/x")
    assert (answer.json, answer.headers["X-Peer"]) == ([503, "unavailable"], "1")


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "fire"},
        {"kind": "slow", "much": 1},
        {"kind": "slow", "match": {"path": "("}},
        {"kind": "slow", "match": {"host": "x"}},
        {"kind": "slow", "seconds": "2"},
        {"kind": "slow", "times": -1},
        [],
    ],
)
def test_a_rule_that_cannot_be_understood_is_refused(client, wrong):
    answer = client.post("/_sim/faults", json=wrong)
    assert answer.status_code == 400
    assert answer.json["error"]


def test_rules_are_listed_cleared_one_by_one_and_all(client):
    one, two = add(client, kind="slow"), add(client, kind="lose")
    assert [r["id"] for r in client.get("/_sim/faults").json] == [one, two]
    assert client.delete(f"/_sim/faults/{one}").status_code == 204
    assert [r["kind"] for r in client.get("/_sim/faults").json] == ["lose"]
    client.delete("/_sim/faults")
    assert client.get("/_sim/faults").json == []


def test_rules_and_their_counts_outlive_a_restart(app, tmp_path):
    client = Client(Faults(app, tmp_path / "state.db"))
    add(client, kind="error_before", times=2)
    client.get("/x")
    client = Client(Faults(app, tmp_path / "state.db"))
    assert [client.get("/x").status_code for _ in range(2)] == [500, 201]


def test_requests_are_logged_without_values_or_controls(client):
    add(client, kind="error_before", times=1)
    client.get("/x?q.where=Name%3D'Secret'&response=rows")
    client.post("/y")
    log = client.get("/_sim/requests").json
    assert [(e["method"], e["path"], e["query_keys"], e["status"], e["fault"]) for e in log] == [
        ("GET", "/x", ["q.where", "response"], 500, "error_before"),
        ("POST", "/y", [], 201, None),
    ]
    assert "Secret" not in json.dumps(log)
    client.delete("/_sim/requests")
    assert client.get("/_sim/requests").json == []


def test_controls_answer_on_loopback_only(client):
    away = {"REMOTE_ADDR": "192.0.2.7"}
    assert client.get("/_sim/faults", environ_overrides=away).status_code == 403
    assert client.get("/x", environ_overrides=away).status_code == 201


def test_unknown_controls_belong_to_the_app(client, app):
    assert client.post("/_sim/seed").status_code == 201
    assert app.calls == ["/_sim/seed"]


def test_page_shows_state_and_presets_switch(app):
    faults = Faults(app, name="Peer <x>", figures=lambda: {"Rows": 41}, buttons=[("Seed", "/_sim/seed")])
    client = Client(faults)
    assert client.post("/_sim/presets/flaky").status_code == 303
    assert {r["kind"] for r in faults.rules()} == {"error_before", "error_after", "reset_after"}
    page = client.get("/_sim/").text
    assert "Peer &lt;x&gt;" in page
    assert "<td>41</td>" in page
    assert 'action="/_sim/seed"' in page
    assert client.post("/_sim/presets/calm").status_code == 303
    assert faults.rules() == []
    assert client.get("/_sim/style.css").mimetype == "text/css"


@pytest.mark.parametrize(
    ("rule", "plan"),
    [
        ({"kind": "lose"}, []),
        ({"kind": "duplicate", "times_each": 3}, [0.0, 0.0, 0.0]),
        ({"kind": "duplicate", "seconds": 4}, [0.0, 4.0]),
        ({"kind": "delay", "seconds": 9}, [9.0]),
        ({"kind": "delay", "seconds": 9, "match": {"event": "Delete$"}}, [0.0]),
        ({"kind": "error_before"}, [0.0]),
    ],
)
def test_delivery_plan(faults, rule, plan):
    faults.add(rule)
    assert faults.delivery_plan({"eventType": "table.recordInsert"}) == plan


@pytest.mark.parametrize("kind", ["reorder", "shuffle"])
def test_reordering_spreads_deliveries(faults, kind):
    faults.add({"kind": kind, "seconds": 5})
    delays = [faults.delivery_plan("new_order")[0] for _ in range(20)]
    assert delays != sorted(delays)
    assert all(0 <= delay <= 5 for delay in delays)


def test_delivery_rules_combine_and_run_out(faults):
    faults.add({"kind": "duplicate", "times": 1})
    faults.add({"kind": "delay", "seconds": 1})
    assert faults.delivery_plan("x") == [1.0, 1.0]
    assert faults.delivery_plan("x") == [1.0]


def test_delivery_rules_leave_requests_alone(client):
    add(client, kind="lose")
    assert client.get("/x").status_code == 201
