"""Sending to addresses that a customer gave: only to the public internet, whatever DNS says, and never for long.

The name is resolved here, every address that it has is looked at, and the connection goes to one of those addresses.
Nobody resolves again between the look and the connection, so DNS cannot answer differently the second time. Redirects
are not followed (`Http`), so nothing leads elsewhere afterwards.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from typing import Any

import httpcore2
import httpx2

from labbridge.addresses import is_loopback
from labbridge.peers.http import Http, Response, trusted
from labbridge.peers.ports import NullMeter, UnlimitedLimiter

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], list[str]]

NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
#: Public by the tables of `ipaddress`, and yet nobody's web server.
NOT_OURS_TO_CALL = (
    ipaddress.IPv4Network("192.0.0.0/24"),
    ipaddress.IPv4Network("192.88.99.0/24"),  # 6to4 relays
    ipaddress.IPv6Network("64:ff9b:1::/48"),  # NAT64 of one's own network
)
PRIVATE = "private_address"
UNKNOWN = "unknown_host"


class PrivateAddress(ValueError):
    """The name leads to an address inside somebody's network."""


def is_public(text: str) -> bool:
    """Whether an IP address is reachable from anywhere, and so no machine of the network we stand in."""
    address = _embedded(ipaddress.ip_address(text.split("%", maxsplit=1)[0]))
    if any(address.version == net.version and address in net for net in NOT_OURS_TO_CALL):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _embedded(address: IpAddress) -> IpAddress:
    """The IPv4 address that an IPv6 address stands for, where it does."""
    if not isinstance(address, ipaddress.IPv6Address):
        return address
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else address)


def resolve(host: str, port: int) -> list[str]:
    """Every address of a name."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


def public_addresses(
    host: str, port: int, *, allow_loopback: bool, resolving: Resolve = resolve
) -> list[str]:
    """The addresses of a name.

    Raises:
        PrivateAddress: one of them is private. A name with both kinds is somebody's trick.
        OSError: the name is not known.

    """
    found = resolving(host, port)
    if allow_loopback and is_loopback(host):
        return [one for one in found if ipaddress.ip_address(one).is_loopback]
    if not found or not all(is_public(one) for one in found):
        raise PrivateAddress(host)
    return found


class _Stream(httpcore2.NetworkStream):
    """A connection whose every wait ends with the backend's deadline, however slowly the other side drips."""

    def __init__(self, inner: httpcore2.NetworkStream, backend: GuardedBackend) -> None:
        self._inner, self._backend = inner, backend

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._backend.left(timeout, httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._backend.left(timeout, httpcore2.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        left = self._backend.left(timeout, httpcore2.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, left), self._backend)

    def get_extra_info(self, info: str) -> Any:  # any: the library's own
        return self._inner.get_extra_info(info)


class GuardedBackend(httpcore2.NetworkBackend):
    """Connects to public addresses only. `refused` says why the newest connection was not even tried."""

    def __init__(self, *, allow_loopback: bool, resolving: Resolve = resolve) -> None:
        self._inner = httpcore2.SyncBackend()
        self._allow_loopback, self._resolving = allow_loopback, resolving
        self.refused = ""
        self.deadline = 0.0

    def left(self, timeout: float | None, over: type[Exception]) -> float:
        seconds = self.deadline - time.monotonic()
        if seconds <= 0:
            raise over("deadline")
        return seconds if timeout is None else min(seconds, timeout)

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:  # fmt: skip  # any: the library's own
        try:
            addresses = public_addresses(
                host, port, allow_loopback=self._allow_loopback, resolving=self._resolving
            )
        except PrivateAddress:
            self.refused = PRIVATE
            raise httpcore2.ConnectError(PRIVATE) from None
        except (OSError, UnicodeError):
            self.refused = UNKNOWN
            raise httpcore2.ConnectError(UNKNOWN) from None
        return _Stream(self._connect(addresses, port, timeout, local_address, socket_options), self)

    def _connect(
        self, addresses: list[str], port: int, timeout: float | None, local_address: str | None,
        socket_options: Iterable[Any] | None,
    ) -> httpcore2.NetworkStream:  # fmt: skip
        for address in addresses[:-1]:
            try:
                left = self.left(timeout, httpcore2.ConnectTimeout)
                return self._inner.connect_tcp(address, port, left, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue  # the next of its addresses may answer
        left = self.left(timeout, httpcore2.ConnectTimeout)
        return self._inner.connect_tcp(addresses[-1], port, left, local_address, socket_options)


class _Transport(httpx2.HTTPTransport):
    def __init__(self, backend: GuardedBackend) -> None:
        super().__init__(trust_env=False)  # a proxy would resolve names for itself
        # The library offers no way to hand a backend in; tests/peers/test_guard.py notices if this stops working.
        self._pool = httpcore2.ConnectionPool(
            ssl_context=trusted(), network_backend=backend, keepalive_expiry=30
        )


class Receiver(Http):
    """Sends to one address that a customer gave. One try: what comes after is for the letter's own schedule."""

    MAX_TRIES = 1
    MAX_ANSWER = 64 * 1024  #: nobody reads it
    SECONDS = 10.0  #: for one letter, from looking the name up to the end of the answer

    def __init__(
        self, base_url: str, *, allow_http: bool, resolving: Resolve = resolve, seconds: float = SECONDS
    ) -> None:
        self._backend = GuardedBackend(allow_loopback=allow_http, resolving=resolving)
        self._seconds = seconds
        super().__init__(
            "the receiver", base_url, timeout=seconds, limiter=UnlimitedLimiter(), meter=NullMeter(),
            allow_http=allow_http, transport=_Transport(self._backend), max_answer=self.MAX_ANSWER,
        )  # fmt: skip

    @property
    def refused(self) -> str:
        """Why nothing was sent: `private_address`, `unknown_host`, or "" when it was."""
        return self._backend.refused

    def post(self, url: str, content: bytes, headers: dict[str, str]) -> Response:
        """Send once. Idempotent, because receivers know a letter by its id.

        Raises:
            PeerError: anything but a 2xx; a redirect too.

        """
        self._backend.refused = ""
        self._backend.deadline = time.monotonic() + self._seconds
        return self.send(
            "POST", url, operation="deliver", purpose="feed", idempotent=True, content=content, headers=headers,
            expect=range(200, 300),
        )  # fmt: skip
