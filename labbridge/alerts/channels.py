"""Sending one message to one address, through apprise: mail, chat, SMS gateways, webhooks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from labbridge.alerts.outside import held_outside, leads_outside


@dataclass(frozen=True)
class Channel:
    """`url` is an address in apprise's form and holds its password: never shown."""

    number: int  #: as it stands in the list of its owner, from 1
    url: str = field(repr=False)
    to: str = field(
        default="", repr=False
    )  #: of mail: whom to write to instead of those whom the address names
    outside: bool = False  #: a practice's own: leads to the public internet only (outside.py)

    @property
    def key(self) -> str:
        return hashlib.sha256(self.url.encode()).hexdigest()[:32]

    @property
    def is_mail(self) -> bool:
        return self.url.partition("://")[0].casefold() in {"mailto", "mailtos"}


def channels(urls: Iterable[str], *, outside: bool = False) -> tuple[Channel, ...]:
    return tuple(Channel(number, url, outside=outside) for number, url in enumerate(urls, start=1))


class Send(Protocol):
    def __call__(self, channel: Channel, title: str, body: str) -> bool: ...


def usable(url: str, *, outside: bool = False) -> bool:
    """Whether apprise knows what to do with such an address, and a practice may have it. Sends nothing."""
    import apprise  # a quarter of a second, for those who alert only

    return bool(apprise.Apprise().add(url)) and (not outside or leads_outside(url))


def send(channel: Channel, title: str, body: str) -> bool:
    """Whether the channel took the message. Waits some seconds at most; raises nothing."""
    import apprise

    if channel.outside and not leads_outside(channel.url):
        return False
    # Mentions and escapes of chat systems stand for nothing here; the text is ours.
    asset = apprise.AppriseAsset(app_id="Labbridge", async_mode=False)
    plugin = apprise.Apprise.instantiate(channel.url, asset=asset)
    if plugin is None:
        return False
    if channel.to:
        vars(plugin).update(targets=[(False, channel.to)], cc=set(), bcc=set())  # NotifyEmail's own
    if channel.outside:
        vars(plugin).update(redirects=False)  # whatever the address says of them
    target = apprise.Apprise(plugin, asset=asset)
    try:
        with held_outside(held=channel.outside):
            return bool(target.notify(body=body, title=title, body_format=apprise.NotifyFormat.TEXT))
    except Exception:  # noqa: BLE001  # whatever a plugin raises, its text may quote the address with its password
        return False
