"""Tokens: one fetch for many, renewed once, never leaked."""

import threading
import time
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from labbridge.peers.errors import Forbidden, RateLimited, Rejected, Unauthorized, Unavailable, Unreadable
from labbridge.peers.ports import LocalTokenStore

STALE_400 = httpx2.Response(400, json={"Code": "IncorrectQueryParameter", "Message": "?"})


class Clock:
    def __init__(self):
        self.now = datetime(2026, 3, 1, tzinfo=UTC)

    def __call__(self):
        return self.now


def test_the_token_is_asked_for_as_documented(scripted, caspio):
    caspio.tables()
    asked = scripted.requests[0]
    assert (asked.method, str(asked.url)) == ("POST", "https://c0abc123.caspio.com/oauth/token")
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert asked.content == b"grant_type=client_credentials&client_id=id&client_secret=s3cret"
    assert scripted.calls[0].headers["authorization"] == "Bearer t1"
    assert scripted.meter.calls == {"token": 1, "other": 1}


def test_a_token_is_kept_until_shortly_before_its_end(scripted):
    clock = Clock()
    caspio = scripted.client(now=clock)
    caspio.tables()
    clock.now += timedelta(seconds=86399 - 301)
    caspio.tables()
    assert scripted.tokens == 1
    clock.now += timedelta(seconds=2)
    caspio.tables()
    assert scripted.tokens == 2


def test_a_short_lived_token_is_not_fetched_for_every_call(scripted):
    scripted.token_answer = httpx2.Response(200, json={"access_token": "short", "expires_in": "60"})
    caspio = scripted.client(now=Clock())
    caspio.tables()
    caspio.tables()
    assert [request.url.path for request in scripted.requests].count("/oauth/token") == 1


def test_another_process_uses_the_stored_token(scripted, caspio):
    caspio.tables()
    scripted.client().tables()
    assert scripted.tokens == 1


@pytest.mark.parametrize("stale", [httpx2.Response(401), STALE_400])
def test_a_refused_token_is_renewed_once_and_the_call_replayed(scripted, caspio, stale):
    caspio.tables()
    scripted.refused, scripted.stale = {"t1"}, stale
    scripted.says(httpx2.Response(201, json={"Result": [{"PK_ID": 1}]}))
    assert caspio.table("T").insert({"A": 1}) == {"PK_ID": 1}
    assert scripted.tokens == 2
    assert [call.headers["authorization"] for call in scripted.calls[1:]] == ["Bearer t1", "Bearer t2"]
    assert scripted.calls[1].content == scripted.calls[2].content == b'{"A":1}'


@pytest.mark.parametrize(("stale", "kind"), [(httpx2.Response(401), Unauthorized), (STALE_400, Rejected)])
def test_a_refusal_that_stays_is_given_up_after_one_renewal(scripted, caspio, stale, kind):
    scripted.says(stale)
    with pytest.raises(kind):
        caspio.tables()
    assert (scripted.tokens, len(scripted.calls)) == (2, 2)


def test_another_400_is_not_blamed_on_the_token(scripted, caspio):
    scripted.says(httpx2.Response(400, json={"Code": "IncorrectBodyParameter", "Message": "?"}))
    with pytest.raises(Rejected):
        caspio.tables()
    assert scripted.tokens == 1


def test_a_stale_token_of_another_process_does_not_use_up_the_renewal(scripted):
    one, other = scripted.client(), scripted.client()
    one.tables()  # t1, held by one
    scripted.store.save("stale-too", datetime.now(UTC) + timedelta(hours=1))
    scripted.refused = {"t1", "stale-too"}
    assert one.tables() == []
    assert scripted.tokens == 2
    scripted.refused |= {"t2"}
    assert other.tables() == []  # finds t2 in the store, and then fetches
    assert scripted.tokens == 3


def test_a_herd_fetches_one_token(scripted):
    class Slow(LocalTokenStore):
        def load(self):
            time.sleep(0.02)
            return super().load()

    caspio = scripted.client(token_store=Slow())
    together(20, caspio.tables)
    assert scripted.tokens == 1
    scripted.refused = {"t1"}
    together(20, caspio.tables)
    assert scripted.tokens == 2


def together(count, deed):
    barrier, failures = threading.Barrier(count), []

    def run():
        barrier.wait()
        try:
            deed()
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shall see it
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (httpx2.Response(400, json={"error": "invalid_client"}), Unauthorized, "invalid_client"),
        (httpx2.Response(401, text="no"), Unauthorized, None),
        (httpx2.Response(404), Unauthorized, None),
        (httpx2.Response(403, json={"Code": "IpForbidden"}), Forbidden, None),
        (httpx2.Response(429), RateLimited, None),
        (httpx2.Response(503), Unavailable, None),
        (httpx2.Response(200, json={"access_token": "with blank"}), Unreadable, "no_access_token"),
        (httpx2.Response(200, json=["no"]), Unreadable, "no_access_token"),
    ],
)
def test_a_token_that_cannot_be_had(scripted, caspio, answer, kind, code):
    scripted.token_answer = answer
    with pytest.raises(kind) as caught:
        caspio.tables()
    assert (type(caught.value), caught.value.code) == (kind, code)
    assert scripted.calls == []
    assert "s3cret" not in str(caught.value)
    if not kind.retryable:
        assert len(scripted.requests) == 1
