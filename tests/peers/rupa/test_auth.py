from __future__ import annotations

import base64
import hashlib
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from labbridge.peers.errors import ConnectionEnded, OutcomeUnknown, PeerError, Unauthorized, Unavailable
from labbridge.peers.http import Http
from labbridge.peers.ports import LocalMeter, UnlimitedLimiter
from labbridge.peers.rupa.assumptions import RupaAssumptions
from labbridge.peers.rupa.auth import RupaAuth, Tokens, new_verifier
from labbridge.peers.rupa.refusals import explain

SECRET = "very-secret-indeed"
TOKEN_URL = "https://api.rupahealth.com/oauth/token"
FRESH = {"access_token": "at-2", "token_type": "Bearer", "expires_in": 1000, "refresh_token": "rt-2"}


@pytest.fixture
def auth(peer: Any, now: datetime) -> Callable[..., RupaAuth]:
    def build(**assumed: Any) -> RupaAuth:
        http = Http(
            "rupa",
            "https://api.rupahealth.com",
            limiter=UnlimitedLimiter(),
            meter=LocalMeter(),
            transport=httpx2.MockTransport(peer.handle),
            explain=explain,
            sleep=lambda _: None,
        )
        return RupaAuth(
            http,
            authorize_url="https://labs.rupahealth.com/oauth/authorize",
            token_url=TOKEN_URL,
            client_id="app_1",
            client_secret=SECRET,
            redirect_uri="https://ehr.example/rupa/cb",
            assumptions=RupaAssumptions(**assumed),
            clock=lambda: now,
        )

    return build


@pytest.fixture
def living(auth: Callable[..., RupaAuth], now: datetime) -> Callable[..., Tokens]:
    return lambda store, later=0.0: Tokens(auth(), store, clock=lambda: now + timedelta(seconds=later))


def form(request: httpx2.Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(request.content.decode()).items()}


def test_authorize_url(auth: Callable[..., RupaAuth]) -> None:
    url = urlsplit(auth().authorize_url("st&te"))
    assert f"{url.scheme}://{url.netloc}{url.path}" == "https://labs.rupahealth.com/oauth/authorize"
    assert parse_qs(url.query) == {
        "client_id": ["app_1"],
        "redirect_uri": ["https://ehr.example/rupa/cb"],
        "response_type": ["code"],
        "state": ["st&te"],
    }


def test_pkce_challenge_is_the_hash_of_the_verifier(auth: Callable[..., RupaAuth], peer: Any) -> None:
    verifier = new_verifier()
    query = parse_qs(urlsplit(auth().authorize_url("s", verifier=verifier)).query)
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    assert (query["code_challenge"], query["code_challenge_method"]) == ([digest], ["S256"])
    peer.on("POST /oauth/token", peer.answer(200, FRESH))
    auth().exchange("c0de", verifier=verifier)
    assert form(peer.requests[0])["code_verifier"] == verifier


def test_exchange_sends_the_standard_form(
    auth: Callable[..., RupaAuth], peer: Any, now: datetime, sample: Callable[[str], bytes]
) -> None:
    peer.on("POST /oauth/token", peer.answer(200, sample("tokens")))
    pair = auth().exchange("c0de-sample")
    assert form(peer.requests[0]) == {
        "grant_type": "authorization_code",
        "code": "c0de-sample",
        "redirect_uri": "https://ehr.example/rupa/cb",
        "client_id": "app_1",
        "client_secret": SECRET,
    }
    assert peer.requests[0].headers["content-type"] == "application/x-www-form-urlencoded"
    assert (pair.access_token, pair.refresh_token) == ("at_sample", "rt_sample")
    assert pair.expires_at == now + timedelta(seconds=36000)


def test_basic_authentication_keeps_the_secret_out_of_the_form(
    auth: Callable[..., RupaAuth], peer: Any
) -> None:
    peer.on("POST /oauth/token", peer.answer(200, FRESH))
    auth(client_authentication="basic").refresh("rt-1")
    assert form(peer.requests[0]) == {"grant_type": "refresh_token", "refresh_token": "rt-1"}
    packed = base64.b64encode(f"app_1:{SECRET}".encode()).decode()
    assert peer.requests[0].headers["authorization"] == f"Basic {packed}"


def test_a_refresh_without_a_new_refresh_token_keeps_the_old(
    auth: Callable[..., RupaAuth], peer: Any
) -> None:
    peer.on("POST /oauth/token", peer.answer(200, {"access_token": "at-2"}))
    pair = auth().refresh("rt-1")
    assert (pair.refresh_token, pair.expires_at) == ("rt-1", None)


@pytest.mark.parametrize("expires_in", [None, "soon", -5, 0, True, 10**30, "\u0661"])
def test_a_senseless_lifetime_is_unknown(expires_in: Any, auth: Callable[..., RupaAuth], peer: Any) -> None:
    peer.on("POST /oauth/token", peer.answer(200, {"access_token": "at-2", "expires_in": expires_in}))
    assert auth().refresh("rt-1").expires_at is None


@pytest.mark.parametrize(
    "answer",
    [b"", b"[]", b"<html>", b'{"access_token": ""}', b'{"access_token": "a b"}', b'{"access_token": "\\n"}'],
)
def test_an_answer_without_a_token_leaves_the_outcome_open(
    answer: bytes, auth: Callable[..., RupaAuth], peer: Any
) -> None:
    peer.on("POST /oauth/token", peer.answer(200, answer))
    with pytest.raises(OutcomeUnknown):
        auth().refresh("rt-1")
    assert len(peer.requests) == 1  # never repeated: the refresh token may be spent


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"error": "invalid_grant"}, ConnectionEnded),
        (401, {"error": "invalid_client"}, Unauthorized),
        (500, {}, OutcomeUnknown),
    ],
)
def test_refusals_and_no_secret_in_them(
    status: int, body: Any, kind: type[PeerError], auth: Callable[..., RupaAuth], peer: Any
) -> None:
    peer.on("POST /oauth/token", peer.answer(status, body))
    for call in (lambda: auth().refresh("rt-hidden"), lambda: auth().exchange("code-hidden")):
        with pytest.raises(kind) as caught:
            call()
        told = f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"
        assert SECRET not in told
        assert "hidden" not in told


def test_a_fresh_token_costs_no_call(living: Any, make_store: Any, make_pair: Any, peer: Any) -> None:
    assert living(make_store(make_pair(age=799))).access_token() == "at-1"
    assert peer.requests == []


def test_renewed_at_four_fifths_and_saved_before_use(
    living: Any, make_store: Any, make_pair: Any, peer: Any
) -> None:
    peer.on("POST /oauth/token", peer.answer(200, FRESH))
    store = make_store(make_pair(age=800))
    assert living(store).access_token() == "at-2"
    assert (store.pair.access_token, store.pair.refresh_token) == ("at-2", "rt-2")
    assert store.log == ["load", "lock", "load", "save", "unlock"]


def test_a_brought_refresh_token_is_enough(living: Any, make_store: Any, make_pair: Any, peer: Any) -> None:
    peer.on("POST /oauth/token", peer.answer(200, FRESH))
    assert living(make_store(make_pair(access=""))).access_token() == "at-2"


def test_while_the_token_lives_a_failed_renewal_waits(
    living: Any, make_store: Any, make_pair: Any, peer: Any
) -> None:
    peer.on("POST /oauth/token", httpx2.ConnectError("down"))
    store = make_store(make_pair(age=900))
    assert living(store).access_token() == "at-1"
    with pytest.raises(Unavailable):
        living(store, later=100.0).access_token()


def test_an_ended_authorisation_is_final(living: Any, make_store: Any, make_pair: Any, peer: Any) -> None:
    peer.on("POST /oauth/token", peer.answer(400, {"error": "invalid_grant"}))
    store = make_store(make_pair(age=900))
    with pytest.raises(ConnectionEnded):
        living(store).access_token()
    assert "save" not in store.log
    with pytest.raises(ConnectionEnded):
        living(make_store(None)).access_token()
    with pytest.raises(ConnectionEnded):
        living(make_store(make_pair(refresh=None, age=2000))).access_token()


def test_a_consent_given_meanwhile_wins_over_a_dead_refresh_token(
    living: Any, make_store: Any, make_pair: Any, peer: Any
) -> None:
    store = make_store(make_pair(age=900))

    def reconnect(_request: httpx2.Request) -> httpx2.Response:
        store.pair = make_pair(access="at-new", refresh="rt-new")
        return peer.answer(400, {"error": "invalid_grant"})

    peer.on("POST /oauth/token", reconnect)
    assert living(store).access_token() == "at-new"


def test_after_a_401_another_process_may_have_been_quicker(
    living: Any, make_store: Any, make_pair: Any, peer: Any
) -> None:
    peer.on("POST /oauth/token", peer.answer(200, FRESH))
    store = make_store(make_pair())
    assert living(store).renew("at-0") == "at-1"
    assert peer.requests == []
    assert living(store).renew("at-1") == "at-2"
    assert len(peer.requests) == 1


def test_many_callers_refresh_once(living: Any, make_store: Any, make_pair: Any, peer: Any) -> None:
    def slowly(_request: httpx2.Request) -> httpx2.Response:
        time.sleep(0.05)
        return peer.answer(200, FRESH)

    peer.on("POST /oauth/token", slowly)
    store = make_store(make_pair(age=900))
    tokens = living(store)
    got: list[str] = []
    threads = [threading.Thread(target=lambda: got.append(tokens.access_token())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == ["at-2"] * 8
    assert len(peer.requests) == 1


def test_tokens_do_not_show(make_pair: Any) -> None:
    assert "at-1" not in repr(make_pair())
    assert "rt-1" not in repr(make_pair())
