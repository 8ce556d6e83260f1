"""The sender against invented peers: what is tried again, what becomes of each failure, what leaks."""

import gzip
import logging
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labbridge.peers.errors import (
    Conflict,
    Forbidden,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Unauthorized,
    Unavailable,
    Unreadable,
)
from labbridge.peers.http import Http, check_address, retry_after
from labbridge.peers.ports import LocalLimiter, LocalMeter, NullMeter, UnlimitedLimiter

SECRET = "Oriole-Testperson"


class RecordingLimiter(UnlimitedLimiter):
    def __init__(self):
        self.acquired, self.slowed, self.sped = 0, [], 0

    def acquire(self, cost=1):
        self.acquired += cost

    def slow_down(self, retry_after):
        self.slowed.append(retry_after)

    def speed_up(self):
        self.sped += 1


class Bench:
    """An Http whose peer plays the given answers one after another."""

    def __init__(self, *answers, **options):
        self.answers, self.requests, self.slept = list(answers), [], []
        self.limiter, self.meter = RecordingLimiter(), LocalMeter()
        self.http = Http(
            "peer",
            options.pop("base_url", "https://peer.example"),
            limiter=self.limiter,
            meter=self.meter,
            transport=httpx2.MockTransport(self.play),
            sleep=self.slept.append,
            **options,
        )

    def play(self, request):
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def read(self, path="/things", **options):
        return self.http.send(
            "GET", path, operation="read things", purpose="test", idempotent=True, **options
        )

    def write(self, **options):
        return self.http.send(
            "POST", "/things", operation="add a thing", purpose="test", idempotent=False, **options
        )


def answer(status, **options):
    return httpx2.Response(status, **options)


def test_an_expected_answer_is_returned_counted_and_told_to_the_limiter():
    bench = Bench(answer(200, json={"a": 1}, headers={"X-Request-Id": "r-1"}))
    response = bench.read()
    assert (response.json(), response.status, response.request_id) == ({"a": 1}, 200, "r-1")
    assert bench.meter.calls == {"test": 1}
    assert (bench.limiter.acquired, bench.limiter.sped) == (1, 1)


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 520])
def test_a_failing_read_is_tried_three_times_and_then_unavailable(status):
    bench = Bench(answer(status))
    with pytest.raises(Unavailable) as caught:
        bench.read()
    assert (len(bench.requests), len(bench.slept), caught.value.status) == (3, 2, status)
    assert bench.meter.calls["test"] == bench.limiter.acquired == 3


def test_a_blip_is_forgotten():
    bench = Bench(answer(503), httpx2.ReadTimeout("slow"), answer(200, json=[]))
    assert bench.read().json() == []


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_a_write_that_met_a_failing_server_is_never_repeated(status):
    bench = Bench(answer(status))
    with pytest.raises(OutcomeUnknown):
        bench.write(json={})
    assert len(bench.requests) == 1


@pytest.mark.parametrize(
    "failure",
    [
        httpx2.ReadTimeout("x"),
        httpx2.WriteTimeout("x"),
        httpx2.ReadError("x"),
        httpx2.WriteError("x"),
        httpx2.RemoteProtocolError("x"),
    ],
)
def test_after_bytes_may_have_left_a_write_is_unknown_and_a_read_unavailable(failure):
    bench = Bench(failure)
    with pytest.raises(OutcomeUnknown):
        bench.write(json={})
    assert len(bench.requests) == 1
    with pytest.raises(Unavailable):
        bench.read()
    assert len(bench.requests) == 4


@pytest.mark.parametrize("failure", [httpx2.ConnectError("x"), httpx2.ConnectTimeout("x")])
def test_a_write_that_never_left_is_tried_again(failure):
    bench = Bench(failure, answer(201, json={}))
    assert bench.write(json={}).status == 201
    bench = Bench(failure)
    with pytest.raises(Unavailable):
        bench.write(json={})
    assert len(bench.requests) == 3


def test_429_is_a_proven_non_write_and_slows_the_account_down():
    bench = Bench(answer(429, headers={"Retry-After": "2"}), answer(201, json={}))
    bench.write(json={})
    assert (bench.slept, bench.limiter.slowed) == ([2.0], [2.0])


def test_a_long_retry_after_is_left_to_the_job():
    bench = Bench(answer(429, headers={"Retry-After": "120"}))
    with pytest.raises(RateLimited) as caught:
        bench.read()
    assert (caught.value.retry_after, bench.slept, len(bench.requests)) == (120.0, [], 1)
    bench = Bench(answer(503, headers={"Retry-After": "Wed, 21 Oct 2099 07:28:00 GMT"}))
    with pytest.raises(Unavailable) as unavailable:
        bench.read()
    assert unavailable.value.retry_after > 1e6
    assert bench.slept == []


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Rejected),
        (401, Unauthorized),
        (403, Forbidden),
        (404, NotFound),
        (409, Conflict),
        (413, Rejected),
        (422, Rejected),
        (302, Rejected),
    ],
)
def test_a_refusal_becomes_its_error_at_once(status, kind):
    bench = Bench(answer(status, headers={"Location": "https://elsewhere.example/"}))
    with pytest.raises(kind) as caught:
        bench.write(json={})
    assert type(caught.value) is kind
    assert len(bench.requests) == 1


def test_errors_hold_neither_query_nor_body_nor_answer():
    bench = Bench(answer(400, text=f"no {SECRET}", headers={"X-Request-Id": f"<{SECRET}>"}))
    with pytest.raises(Rejected) as caught:
        bench.http.send(
            "PUT",
            "/things",
            operation="change",
            purpose="t",
            idempotent=False,
            params={"name": SECRET},
            json={"name": SECRET},
        )
    assert SECRET not in repr(caught.value) + str(caught.value) + repr(vars(caught.value))


def test_an_answer_that_is_not_json_is_unreadable_and_not_chained():
    bench = Bench(answer(200, text=SECRET), answer(200, html="<p>maintenance</p>"), answer(201, text="{"))
    with pytest.raises(Unreadable) as caught:
        bench.read().json()
    assert caught.value.__cause__ is caught.value.__context__ is None
    with pytest.raises(Unavailable):
        bench.read().json()
    with pytest.raises(OutcomeUnknown):
        bench.write().json()


def test_an_answer_too_large_is_not_read_to_its_end():
    bomb = answer(200, content=gzip.compress(bytes(5_000_000)), headers={"Content-Encoding": "gzip"})
    bench = Bench(bomb, max_answer=100_000)
    with pytest.raises(Unreadable) as caught:
        bench.read()
    assert caught.value.code == "answer_too_large"


def test_an_answer_that_drips_is_given_up(monkeypatch):
    monkeypatch.setattr(Http, "MAX_SECONDS", -1.0)
    bench = Bench(answer(200, content=b"slow"))
    with pytest.raises(Unavailable):
        bench.read()


def test_an_answer_that_cannot_be_unpacked_is_unavailable():
    def garbled(_request):
        return answer(200, stream=httpx2.ByteStream(b"not gzip"), headers={"Content-Encoding": "gzip"})

    bench = Bench(answer(200))
    bench.play = garbled
    bench.http._client._transport = httpx2.MockTransport(garbled)
    with pytest.raises(Unavailable):
        bench.read()


def test_redirects_are_not_followed_and_cookies_not_kept():
    bench = Bench(answer(200, headers={"Set-Cookie": "a=b"}), answer(307, headers={"Location": "/other"}))
    bench.read()
    with pytest.raises(Rejected):
        bench.read()
    assert len(bench.requests) == 2
    assert "cookie" not in bench.requests[1].headers


def test_the_query_is_encoded_completely():
    bench = Bench(answer(200))
    bench.read(params={"q.where": "A='x y+z&%'"})
    assert bench.requests[0].url.query == b"q.where=A%3D%27x%20y%2Bz%26%25%27"


def test_an_address_from_a_peer_stays_on_allowed_hosts():
    bench = Bench(answer(200), other_hosts=lambda host: host == "files.example")
    bench.read("https://peer.example/a?b=c", params={"d": "e"})
    bench.read("https://files.example/a")
    assert str(bench.requests[0].url) == "https://peer.example/a?b=c&d=e"
    for url in ("https://evil.example/a", "http://peer.example/a", "https://u:p@peer.example/", "ftp://x/"):
        with pytest.raises(Rejected, match="address_not_allowed"):
            bench.read(url)
    assert len(bench.requests) == 2


@pytest.mark.parametrize(
    "url",
    ["http://peer.example", "http://10.0.0.1", "https://", "peer.example", "http://127.0.0.1.evil.example"],
)
def test_plain_http_is_for_loopback_only(url):
    with pytest.raises(ValueError, match="https"):
        check_address(url, allow_http=True)


def test_plain_http_to_loopback_wants_permission():
    for url in ("http://127.0.0.1:81", "http://localhost:81", "http://[::1]:81", "http://127.9.9.9"):
        check_address(url, allow_http=True)
        with pytest.raises(ValueError, match="https"):
            check_address(url, allow_http=False)


def test_a_header_that_cannot_be_sent_is_refused_without_its_value():
    http = Http("peer", "http://127.0.0.1:9", limiter=UnlimitedLimiter(), meter=LocalMeter(), allow_http=True)
    with http, listening() as port, pytest.raises(Rejected) as caught:
        http.send(
            "GET",
            f"http://127.0.0.1:{port}/",
            operation="read",
            purpose="t",
            idempotent=True,
            headers={"Authorization": f"Bearer {SECRET}\n"},
        )
    assert caught.value.__cause__ is None
    assert SECRET not in str(caught.value)


class listening:  # noqa: N801 - reads as a word in a with statement
    """A port that accepts connections and never answers."""

    def __enter__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        return self.socket.getsockname()[1]

    def __exit__(self, *_):
        self.socket.close()


def test_over_a_real_connection():
    class Hello(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Hello) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        with Http("peer", url, limiter=UnlimitedLimiter(), meter=LocalMeter(), allow_http=True) as http:
            assert http.send("GET", "/", operation="read", purpose="t", idempotent=True).json() == {}
        server.shutdown()


def test_a_silent_peer_and_a_refused_connection():
    def post(port):
        options = {"limiter": UnlimitedLimiter(), "meter": LocalMeter(), "allow_http": True, "timeout": 0.05}
        with Http("peer", f"http://127.0.0.1:{port}", sleep=lambda _: None, **options) as http:
            http.send("POST", "/", operation="add", purpose="t", idempotent=False, json={})

    with listening() as port, pytest.raises(OutcomeUnknown):
        post(port)
    with pytest.raises(Unavailable):
        post(port)


def test_nothing_is_logged_about_addresses(caplog):
    with caplog.at_level(logging.DEBUG):
        Bench(answer(200)).read(params={"name": SECRET})
    assert SECRET not in caplog.text


@given(st.one_of(st.text(), st.from_regex(r"\A-?[0-9]{0,12}(\.[0-9]+)?\Z")))
def test_any_retry_after_is_none_or_not_negative(value):
    seconds = retry_after({"retry-after": value})
    assert seconds is None or seconds >= 0


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def test_the_local_limiter_keeps_its_rate():
    clock = Clock()
    limiter = LocalLimiter(5, clock=clock, sleep=clock.sleep)
    for _ in range(55):
        limiter.acquire()
    assert clock.now == pytest.approx(10.0, rel=0.02)  # a burst of 5, then 5 a second


def test_the_local_limiter_pauses_for_all_and_grows_back():
    clock = Clock()
    limiter = LocalLimiter(10, clock=clock, sleep=clock.sleep)
    limiter.slow_down(30)
    assert limiter.rate == 5
    limiter.acquire()
    assert clock.now >= 30
    for _ in range(100):
        limiter.speed_up()
    assert limiter.rate == 10
    for _ in range(50):
        limiter.slow_down(None)
    assert limiter.rate == 1.0


def test_certificates_are_read_once_and_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each job has a client of its own; reading whom to trust costs more than most of them do."""
    from labbridge.peers import http

    made: list[ssl.SSLContext] = []

    def create() -> ssl.SSLContext:
        made.append(ssl.create_default_context())
        return made[-1]

    http.trusted.cache_clear()
    monkeypatch.setattr(httpx2, "create_ssl_context", create)
    try:
        for _ in range(3):
            client = Http("peer", "https://peer.example", limiter=UnlimitedLimiter(), meter=NullMeter())
            client.close()
    finally:
        http.trusted.cache_clear()
    assert [(one.verify_mode, one.check_hostname) for one in made] == [(ssl.CERT_REQUIRED, True)]
