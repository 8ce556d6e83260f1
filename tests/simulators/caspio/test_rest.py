"""What every call passes through: tokens, throttle, headers, limits, faults in Caspio's form."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from werkzeug.test import Client

from labbridge.simulators.caspio.throttle import Throttle
from tests.simulators.caspio.conftest import BASE, ORDERS, Rest

FORM = {"grant_type": "client_credentials", "client_id": "id", "client_secret": "secret"}


def basic(pair):
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def test_a_token_by_body_and_by_basic_header(sim):
    client = Client(sim)
    by_body = client.post("/oauth/token", data=FORM)
    by_header = client.post(
        "/oauth/token", data={"grant_type": "client_credentials"}, headers=basic("id:secret")
    )
    for answer in (by_body, by_header):
        assert answer.status_code == 200
        assert answer.json["token_type"] == "bearer"
        assert answer.json["expires_in"] == 86_399
        assert Rest(sim, answer.json["access_token"]).get("/tables").status_code == 200
    refresh = {**FORM, "grant_type": "refresh_token", "refresh_token": by_body.json["refresh_token"]}
    assert "access_token" in client.post("/oauth/token", data=refresh).json


@pytest.mark.parametrize(
    ("form", "headers", "error"),
    [
        ({**FORM, "client_secret": "wrong"}, {}, "invalid_client"),
        ({"grant_type": "client_credentials"}, {}, "invalid_client"),
        ({"grant_type": "client_credentials"}, basic("id:no"), "invalid_client"),
        ({"grant_type": "client_credentials"}, {"Authorization": "Basic ?"}, "invalid_client"),
        ({**FORM, "grant_type": "password"}, {}, "unsupported_grant_type"),
        ({}, {}, "invalid_request"),
        ({**FORM, "grant_type": "refresh_token", "refresh_token": "x"}, {}, "invalid_grant"),
    ],
)
def test_a_token_is_refused(sim, form, headers, error):
    answer = Client(sim).post("/oauth/token", data=form, headers=headers)
    assert (answer.status_code, answer.json) == (400, {"error": error})


def test_an_access_token_is_no_refresh_token_and_the_other_way_round(sim):
    issued = Client(sim).post("/oauth/token", data=FORM).json
    assert Rest(sim, issued["refresh_token"]).get("/tables").status_code == 401
    form = {**FORM, "grant_type": "refresh_token", "refresh_token": issued["access_token"]}
    assert Client(sim).post("/oauth/token", data=form).status_code == 400


@pytest.mark.parametrize("header", [None, "", "Bearer nonsense", "Basic abc"])
def test_without_a_live_token_401(sim, header):
    headers = {"Authorization": header} if header is not None else {}
    answer = Client(sim).get(f"{BASE}/tables", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["X-Caspio-Request-ID"] == answer.json["RequestId"]


def test_tokens_age(make):
    now = [datetime(2026, 1, 1, tzinfo=UTC)]
    rest = Rest(make(token_seconds=60, clock=lambda: now[0]))
    now[0] += timedelta(seconds=59)
    assert rest.get("/tables").status_code == 200
    now[0] += timedelta(seconds=2)
    assert rest.get("/tables").status_code == 401
    assert Rest(rest.http.application).get("/tables").status_code == 200


def test_a_stale_token_may_show_as_400(make):
    rest = Rest(make(stale_token_as_400=True))
    rest.http.post("/_sim/expire-tokens")
    answer = rest.get("/tables")
    assert (answer.status_code, answer.json["Code"]) == (400, "IncorrectQueryParameter")


def test_older_tokens_stay_valid(sim):
    first, second = Rest(sim), Rest(sim)
    assert first.token != second.token
    assert first.get("/tables").status_code == 200


@pytest.mark.parametrize("as_400", [False, True])
def test_the_account_is_throttled_reads_included(make, as_400):
    simulator = make(calls_per_second=3, rate_limit_as_400=as_400)
    one, other = Rest(simulator), Rest(simulator)
    answers = [rest.get("/tables") for rest in (one, other, one, other, one)]
    assert [a.status_code for a in answers[:3]] == [200, 200, 200]
    refused = answers[-1]
    assert refused.status_code == (400 if as_400 else 429)
    assert "exceeded your API call rate" in refused.text


def test_the_throttle_refills_with_time():
    now = [0.0]
    throttle = Throttle(2, clock=lambda: now[0])
    assert [throttle.admits() for _ in range(3)] == [True, True, False]
    now[0] += 0.5
    assert [throttle.admits() for _ in range(2)] == [True, False]
    now[0] += 60
    assert [throttle.admits() for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize("media", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_writes_need_a_content_type(orders, method, media):
    headers = {"Authorization": f"Bearer {orders.token}"} | ({"Content-Type": media} if media else {})
    answer = orders.http.open(f"{BASE}/tables/Orders/records?q.where=1=1", method=method, headers=headers)
    assert (answer.status_code, answer.json["Code"]) == (415, "UnsupportedMediaType")


def test_a_long_address_is_refused_by_the_length_it_has_at_caspio(orders):
    path = f"{BASE}/tables/Orders/records?q.where=Name='{{}}'"
    room = 2047 - len("https://c0abc123.caspio.com") - len(path.format(""))
    headers = {"Authorization": f"Bearer {orders.token}"}
    assert orders.http.get(path.format("x" * room), headers=headers).status_code == 200
    assert orders.http.get(path.format("x" * (room + 1)), headers=headers).status_code == 414


def test_unknown_paths_and_methods_have_the_envelope(orders):
    headers = {"Authorization": f"Bearer {orders.token}", "Content-Type": "application/json"}
    for method, path in (
        ("GET", "/nothing"),
        ("GET", "/views/a/b%0Ac"),
        ("POST", "/tables/Orders"),
        ("DELETE", "/tables/Orders"),
    ):
        answer = orders.http.open(BASE + path, method=method, headers=headers)
        assert answer.status_code in (404, 405)
        assert set(answer.json) == {"Code", "Message", "Resource", "RequestId"}


def test_ordered_faults_speak_as_caspio(sim, orders):
    orders.http.post("/_sim/faults", json={"kind": "expired_token", "times": 1})
    answer = orders.get("/tables")
    assert (answer.status_code, answer.json["Code"]) == (401, "Unauthorized")
    orders.http.post("/_sim/faults", json={"kind": "rate_limit_400", "times": 1})
    assert orders.get("/tables").json[0]["name"] == "api-calls-rate"
    orders.http.post("/_sim/faults", json={"kind": "error_after", "match": {"method": "POST"}, "times": 1})
    assert orders.post("/tables/Orders/records", {"Order_No": "A"}).status_code == 500
    assert [row["Order_No"] for row in orders.rows()] == ["A"]
    log = orders.http.get("/_sim/requests").json
    written = [e for e in log if e["method"] == "POST" and e["path"].endswith("/records")]
    assert [(e["status"], e["fault"]) for e in written] == [(500, "error_after")]


def test_a_refused_request_leaves_nothing_behind(orders):
    fields = [{"Name": "A", "Type": "STRING"}, {"Name": "B", "Type": "GUID"}]
    assert orders.post("/tables", {"Name": "Half", "Fields": fields}).status_code == 400
    assert orders.get("/tables").json["Result"] == ["Orders"]


def test_everything_outlives_a_restart(make):
    first = make()
    rest = Rest(first)
    rest.post("/tables", {"Name": "Orders", "Fields": ORDERS})
    rest.add(Order_No="A")
    rest.upload("PUT", "/tables/Orders/attachments/Report/1", "File", _pdf())
    before = first.dump()
    first.close()
    second = make()
    assert second.dump() == before
    again = Rest(second, rest.token)
    assert again.add(Order_No="B")["PK_ID"] == 2


def _pdf():
    from io import BytesIO

    return BytesIO(b"%PDF-1.7 invented"), "a.pdf"
