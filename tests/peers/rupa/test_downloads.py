from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from labbridge.peers.errors import RateLimited, Unauthorized, Unavailable
from labbridge.peers.rupa.assumptions import RupaAssumptions
from labbridge.peers.rupa.client import Rupa
from labbridge.peers.rupa.downloads import is_public
from labbridge.peers.rupa.files import FileExpired, FileRefused

Make = Callable[..., Rupa]
OWN = "https://files.rupahealth.com/r/1.pdf?sig=a%2Fb"


def file(content: bytes = b"%PDF-1.7", **headers: str) -> httpx2.Response:
    return httpx2.Response(200, content=content, headers={"content-type": "application/pdf", **headers})


def refusal(make: Make, url: str, **changes: Any) -> str | None:
    with pytest.raises(FileRefused) as caught:
        make(**changes).download(url)
    assert caught.value.reason.endswith(".")
    assert "rupahealth.com/r" not in str(caught.value)
    return caught.value.code


def test_own_hosts_get_the_bearer_and_the_address_as_it_is(make: Make, peer: Any) -> None:
    peer.on("GET /r/1.pdf", file())
    assert make().download(OWN) == b"%PDF-1.7"
    assert peer.requests[0].headers["authorization"] == "Bearer at-1"
    assert str(peer.requests[0].url) == OWN


def test_storage_hosts_never_get_the_bearer(make: Make, peer: Any) -> None:
    peer.on("GET /r/1.pdf", file())
    rupa = make(file_hosts=["bucket.storage.example", ".cdn.example"])
    rupa.download("https://bucket.storage.example/r/1.pdf")
    rupa.download("https://eu.cdn.example/r/1.pdf")
    assert all("authorization" not in request.headers for request in peer.requests)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://evil.example/r/1.pdf", "file_host"),
        ("https://evilrupahealth.com/r/1.pdf", "file_host"),
        ("https://rupahealth.com.evil.example/", "file_host"),
        ("https://sub.bucket.storage.example/", "file_host"),
        ("https://files.rupahealth.com:8443/", "file_host"),
        ("http://files.rupahealth.com/r/1.pdf", "file_not_https"),
        ("http://127.0.0.1/r/1.pdf", "file_not_https"),
        ("https://127.0.0.1/", "file_host"),
        ("https://[::1]/", "file_host"),
        ("ftp://files.rupahealth.com/", "file_not_https"),
        ("https://files.rupahealth.com@evil.example/", "file_address"),
        ("https://files.rupahealth.com\\@evil.example/", "file_address"),
        ("https://files.rupahealth.com/\u00e9", "file_address"),
        ("https://", "file_address"),
        ("https://[", "file_address"),
        ("nonsense", "file_address"),
    ],
)
def test_other_addresses_are_not_asked(url: str, code: str, make: Make, peer: Any) -> None:
    assert refusal(make, url, file_hosts=["bucket.storage.example"]) == code
    assert peer.requests == []


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "169.254.169.254",
        "127.0.0.1",
        "::1",
        "fe80::1%eth0",
        "::ffff:10.0.0.1",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "2002:a00:1::",
        "nonsense",
    ],
)
def test_a_name_that_leads_inside_is_not_asked(address: str, make: Make, peer: Any) -> None:
    assert refusal(make, OWN, resolve=lambda _: ["93.184.216.34", address]) == "file_private_address"
    assert peer.requests == []
    assert not is_public(address)


def test_a_name_that_leads_nowhere_may_pass(make: Make) -> None:
    def fail(_host: str) -> list[str]:
        raise OSError("nxdomain")

    with pytest.raises(Unavailable):
        make(resolve=fail).download(OWN)
    assert refusal(make, OWN, resolve=lambda _: []) == "file_private_address"


@pytest.mark.parametrize("status", [403, 404, 410])
def test_an_address_that_is_over(status: int, make: Make, peer: Any) -> None:
    peer.on("GET /r/1.pdf", peer.answer(status, b"<Error>Zebulon</Error>"))
    with pytest.raises(FileExpired) as caught:
        make().download(OWN)
    assert caught.value.status == status


def test_too_large_is_refused_while_it_streams(make: Make, peer: Any) -> None:
    peer.on("GET /r/1.pdf", file(b"%PDF-" + b"0" * 2000))
    assert refusal(make, OWN, assumptions=RupaAssumptions(max_file_size=1000)) == "file_too_large"


def test_redirects_on_the_same_host_only(make: Make, peer: Any) -> None:
    peer.on("GET /r/1.pdf", httpx2.Response(302, headers={"location": "/r/2.pdf?x=1"}))
    peer.on("GET /r/2.pdf", file(b"%PDF-2"))
    assert make().download(OWN) == b"%PDF-2"
    peer.on("GET /r/1.pdf", httpx2.Response(302, headers={"location": "https://api.rupahealth.com/r/2.pdf"}))
    assert refusal(make, OWN) == "file_redirect"
    peer.on("GET /r/1.pdf", httpx2.Response(302, headers={"location": "/r/1.pdf"}))
    assert refusal(make, OWN) == "file_redirect"


def test_a_401_renews_once_on_own_hosts(make: Make, peer: Any, tokens: Any) -> None:
    peer.on("GET /r/1.pdf", peer.answer(401, {}), file())
    assert make().download(OWN) == b"%PDF-1.7"
    peer.on("GET /r/1.pdf", peer.answer(401, {}))
    with pytest.raises(Unauthorized):
        make(file_hosts=["b.example"]).download("https://b.example/r/1.pdf")
    assert tokens.renewed == ["at-1"]


def test_what_may_pass_stays_what_it_is(make: Make, peer: Any) -> None:
    peer.on("GET /r/1.pdf", peer.answer(429, {}, retry_after="60"))
    with pytest.raises(RateLimited):
        make().download(OWN)
    peer.on("GET /r/1.pdf", peer.answer(503, {}))
    with pytest.raises(Unavailable):
        make().download(OWN)


def test_loopback_only_for_simulators(make: Make, peer: Any) -> None:
    peer.on("GET /files/1.pdf", file())
    rupa = make(api_url="http://127.0.0.1:9100", allow_http=True)
    assert rupa.download("http://127.0.0.1:9100/files/1.pdf") == b"%PDF-1.7"
    assert peer.requests[0].headers["authorization"] == "Bearer at-1"
    assert rupa.download("http://127.0.0.1:9200/files/1.pdf") == b"%PDF-1.7"
    assert "authorization" not in peer.requests[1].headers
