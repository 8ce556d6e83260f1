"""Channels of practices: what may be one, and that nothing reaches a machine of our network through them."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from labbridge.alerts import outside
from labbridge.alerts.channels import Channel, send, usable

MAIL = "mailtos://user:password@mail.example?to=desk@willow.example"
TELEGRAM = "tgram://123456789:abcdefg_hijklmnop/12315544/"


@pytest.fixture(autouse=True)
def _strict(deployment: Any) -> None:
    deployment(allow_http_peers=False)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What DNS answers, one address after the other; the last stays. Nothing else is known."""
    known: dict[str, list[str]] = {}
    real = outside._look_up

    def look_up(host: str, *args: Any, **options: Any) -> Any:
        answers = known.get(host, [host])
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return real(found, *args, **options, flags=socket.AI_NUMERICHOST)

    monkeypatch.setattr(outside, "_look_up", look_up)
    return known


@pytest.mark.parametrize(
    "url",
    [
        "json://10.0.0.5:9200/x?method=DELETE&+X-Header=v", "json://169.254.169.254/latest", "json://0.0.0.0/x",
        "json://inside.example/x", "xmls://inside.example", "forms://10.0.0.5",
        "mailto://user:password@mail.example?smtp=10.0.0.7&to=desk@willow.example", "matrixs://user:password@10.0.0.5",
        "ntfy://user:password@inside.example/topic", "gotify://inside.example/token",
        "syslog://", "rsyslog://93.184.216.34",
        f"{TELEGRAM}?template=/etc/passwd", f"{TELEGRAM}?%74emplate=/etc/passwd",
        f"{TELEGRAM}?Template%20=/etc/passwd",
        f"{MAIL}&pgp=sign&pgpprv=/etc/ssl/private/x.asc", "fcm://project/device?keyfile=/etc/key.json",
        "vapid://desk@willow.example/desk@willow.example?subfile=/etc/subscriptions.json",
    ],
)  # fmt: skip
def test_what_leads_inside_or_names_a_file_is_no_channel_of_a_practice(
    names: dict[str, list[str]], url: str
) -> None:
    names["inside.example"] = ["10.1.2.3"]
    assert usable(url), "the service may"
    assert not usable(url, outside=True)


@pytest.mark.parametrize(
    "url",
    [
        MAIL, TELEGRAM, "slack://TokenA1234/TokenB1234/TokenC12345678901234567890/#lab",
        "jsons://user:password@outside.example/path", "json://not-known-yet.example/x", "json://relay.example/x",
    ],
)  # fmt: skip
def test_what_leads_outside_is_one(names: dict[str, list[str]], deployment: Any, url: str) -> None:
    names |= {"outside.example": ["93.184.216.34"], "relay.example": ["10.1.2.3"]}
    deployment(alert_hosts=["relay.example"])
    assert usable(url, outside=True)


def test_loopback_is_for_simulators(deployment: Any, ear: Any) -> None:
    channel = Channel(1, ear.url, outside=True)
    assert not send(channel, "A title", "A body")
    assert ear.raw == []
    deployment(allow_http_peers=True)
    assert send(channel, "A title", "A body")
    assert len(ear.heard) == 1


def test_a_name_that_changed_since_it_was_looked_at_leads_nowhere(
    names: dict[str, list[str]], ear: Any
) -> None:
    url = ear.url.replace("127.0.0.1", "hooks.example")
    names["hooks.example"] = ["93.184.216.34", "127.0.0.1"]
    assert not send(Channel(1, url, outside=True), "A title", "A body")
    assert names["hooks.example"] == ["127.0.0.1"], "it was looked up for the connection too"
    assert ear.raw == []
    assert send(Channel(1, url), "A title", "A body"), "the service's own are free"


def test_redirects_are_not_followed_whatever_the_address_says(deployment: Any, ear: Any) -> None:
    deployment(allow_http_peers=True)
    ear.status, ear.location = 302, f"{ear.address}/elsewhere"
    assert not send(Channel(1, f"{ear.url}?redirect=yes", outside=True), "A title", "A body")
    assert (len(ear.raw), ear.paths) == (1, [])
