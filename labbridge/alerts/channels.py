"""Sending one message to one address, through apprise: mail, chat, SMS gateways, webhooks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Channel:
    """`url` is an address in apprise's form and holds its password: never shown."""

    number: int  #: as it stands in the list of its owner, from 1
    url: str = field(repr=False)
    to: str = field(
        default="", repr=False
    )  #: of mail: whom to write to instead of those whom the address names

    @property
    def key(self) -> str:
        return hashlib.sha256(self.url.encode()).hexdigest()[:32]

    @property
    def is_mail(self) -> bool:
        return self.url.partition("://")[0].casefold() in {"mailto", "mailtos"}


def channels(urls: Iterable[str]) -> tuple[Channel, ...]:
    return tuple(Channel(number, url) for number, url in enumerate(urls, start=1))


class Send(Protocol):
    def __call__(self, channel: Channel, title: str, body: str) -> bool: ...


def usable(url: str) -> bool:
    """Whether apprise knows what to do with such an address. Sends nothing."""
    import apprise  # a quarter of a second, for those who alert only

    return bool(apprise.Apprise().add(url))


def send(channel: Channel, title: str, body: str) -> bool:
    """Whether the channel took the message. Waits some seconds at most; raises nothing."""
    import apprise

    # Mentions and escapes of chat systems stand for nothing here; the text is ours.
    asset = apprise.AppriseAsset(app_id="Labbridge", async_mode=False)
    plugin = apprise.Apprise.instantiate(channel.url, asset=asset)
    if plugin is None:
        return False
    if channel.to:
        vars(plugin).update(targets=[(False, channel.to)], cc=set(), bcc=set())  # NotifyEmail's own
    target = apprise.Apprise(plugin, asset=asset)
    try:
        return bool(target.notify(body=body, title=title, body_format=apprise.NotifyFormat.TEXT))
    except Exception:  # noqa: BLE001  # whatever a plugin raises, its text may quote the address with its password
        return False
