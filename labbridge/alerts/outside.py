"""Channels that a practice gave: only to the public internet, and without a file of this host.

Whoever may change a practice's settings types them, and apprise lets an address choose the host, the method, headers
and files to read. Its plugins are many and open connections of their own; what all of them do first is to look a name
up. So it is there that they are held, while such a message is sent: whatever DNS says, and wherever an answer leads.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from urllib.parse import unquote

from django.conf import settings

from labbridge.peers.guard import PrivateAddress, public_addresses, resolve

#: Ways of apprise that reach this machine itself, and one that looks no name up where we would see it (rsyslog).
LOCAL = {
    "syslog", "rsyslog", "dbus", "kde", "qt", "glib", "gio", "gnome", "macosx", "windows", "blink1",
}  # fmt: skip
#: What names a file: of messages at Slack, Discord, Telegram and Teams, of keys for push and mail.
FILES = re.compile(r"(template|keyfile|subfile|pgp\w*)\s*=", re.IGNORECASE)

_held: ContextVar[bool] = ContextVar("held", default=False)
_look_up = socket.getaddrinfo


def leads_outside(url: str) -> bool:
    """Whether a practice may have this channel. A name that DNS does not know yet is looked at when it is sent to."""
    import apprise  # as in channels.py

    if url.partition("://")[0].casefold() in LOCAL or FILES.search(unquote(unquote(url))):
        return False
    plugin = apprise.Apprise.instantiate(url)
    host = _host_of(plugin)
    try:
        return not host or _may_reach(host, resolve(host, 0))
    except (OSError, ValueError):  # unknown, or no name at all
        return True


def _host_of(plugin: Any) -> str:  # any: one of apprise's plugins
    """The host that the address chooses, "" where the plugin has its own: there a token may stand in its place."""
    if not any("{host}" in template for template in getattr(plugin, "templates", ())):
        return ""
    return str(getattr(plugin, "smtp_host", "") or plugin.host or "")


@contextmanager
def held_outside(*, held: bool) -> Iterator[None]:
    """Meanwhile names that lead inside are not known to this thread, if `held`."""
    before = _held.set(held)
    try:
        yield
    finally:
        _held.reset(before)


def _may_reach(host: str, addresses: list[str]) -> bool:
    if host in settings.DEPLOYMENT.alert_hosts:
        return True
    allowed = settings.DEPLOYMENT.allow_http_peers
    try:
        public_addresses(host, 0, allow_loopback=allowed, resolving=lambda _host, _port: addresses)
    except PrivateAddress:
        return False
    return True


def _guarded(
    host: Any, *args: Any, **options: Any
) -> Any:  # any: as `socket.getaddrinfo` takes and gives them
    found = _look_up(host, *args, **options)
    name = host.decode() if isinstance(host, bytes) else host or ""
    if _held.get() and not _may_reach(name, [str(one[4][0]) for one in found]):
        raise socket.gaierror(socket.EAI_FAIL, "This name leads inside.")
    return found


socket.getaddrinfo = _guarded  # for all of the process; it looks closer in `held_outside` only
