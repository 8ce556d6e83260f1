"""Fetches result files from addresses that the peer names: they are data, so they are not trusted.

rupa-api.md 8: allowed hosts only, no private addresses, no redirect to another host, our bearer only to
Rupa's own hosts, a limit of size.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from labbridge.addresses import is_loopback
from labbridge.peers.errors import PeerError, Rejected, Unauthorized, Unavailable, Unreadable
from labbridge.peers.http import Http, Response
from labbridge.peers.rupa.auth import AccessTokens
from labbridge.peers.rupa.files import A_PAGE, FileExpired, FileRefused, is_page
from labbridge.peers.rupa.jsonapi import same_host

OPERATION = "fetch a result file"
REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAX_REDIRECTS = 3
GONE = frozenset({403, 404, 410})  #: what storage hosts say to an address that is over

Resolve = Callable[[str], Sequence[str]]


def resolve(host: str) -> list[str]:
    """All addresses of a host. Raises OSError."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]


@dataclass(frozen=True, slots=True)
class FileHosts:
    """Which hosts may be asked. `own` are Rupa's domains with all below them; `more` are an administrator's:
    a host, or `.example.com` for all below. Loopback only when `loopback`, for simulators.
    """

    api_url: str
    own: tuple[str, ...]
    more: tuple[str, ...] = ()
    loopback: bool = False

    def allows(self, host: str) -> bool:
        host = host.lower()
        return (
            host == urlsplit(self.api_url).hostname
            or any(_is_under(host, domain) for domain in self.own)
            or any(_matches(host, entry.lower()) for entry in self.more)
            or (self.loopback and is_loopback(host))
        )

    def is_own(self, url: SplitResult) -> bool:
        """Whether our bearer may go there: the API's own address, or https on Rupa's domains."""
        api = urlsplit(self.api_url)
        if (url.scheme, url.netloc.lower()) == (api.scheme, api.netloc.lower()):
            return True
        host = url.hostname or ""
        return (
            url.scheme == "https"
            and url.port in (None, 443)
            and any(_is_under(host, one) for one in self.own)
        )


class Downloads:
    """Fetches files. `http` allows `hosts.allows` and stops at the limit of size."""

    def __init__(
        self, http: Http, tokens: AccessTokens, hosts: FileHosts, *, purpose: str, resolve: Resolve = resolve
    ) -> None:
        self._http = http
        self._tokens = tokens
        self._hosts = hosts
        self._purpose = purpose
        self._resolve = resolve

    def fetch(self, url: str) -> bytes:
        """The file's bytes. Raises FileExpired, FileRefused, and what may pass: Unavailable, RateLimited."""
        for _ in range(MAX_REDIRECTS + 1):
            response = self._get(url)
            if response.status not in REDIRECTS:
                return _file(response)
            url = _redirected(response, url)
        raise FileRefused("The file's address leads in circles.", code="file_redirect")

    def _get(self, url: str) -> Response:
        target = self._checked(url)
        if not self._hosts.is_own(target):
            return self._send(url, None)
        token = self._tokens.access_token()
        try:
            return self._send(url, token)
        except Unauthorized:
            token = self._tokens.renew(token)
        return self._send(url, token)

    def _checked(self, url: str) -> SplitResult:
        try:
            target = urlsplit(url)
            host, port = target.hostname or "", target.port
        except ValueError:
            raise FileRefused("The file's address cannot be read.", code="file_address") from None
        local = self._hosts.loopback and is_loopback(host)
        if target.username is not None or not host or "\\" in url or not url.isascii():
            raise FileRefused("The file's address cannot be read.", code="file_address")
        if target.scheme != "https" and not (local and target.scheme == "http"):
            raise FileRefused("The file's address is not https.", code="file_not_https")
        if not self._hosts.allows(host) or (
            port not in (None, 443) and not self._is_api(target) and not local
        ):
            raise FileRefused(
                "The file is kept at a host that is not on the list of allowed hosts.", code="file_host"
            )
        if not local and not self._is_api(target):
            self._check_addresses(host)
        return target

    def _is_api(self, target: SplitResult) -> bool:
        return target.netloc.lower() == urlsplit(self._hosts.api_url).netloc.lower()

    def _check_addresses(self, host: str) -> None:
        """A public name may lead inside: no private, link-local or own address is asked."""
        try:
            found = self._resolve(host)
        except OSError:
            raise Unavailable("rupa", OPERATION, code="host_not_found") from None
        if not found or not all(is_public(address) for address in found):
            raise FileRefused("The file's host leads into a private network.", code="file_private_address")

    def _send(self, url: str, token: str | None) -> Response:
        headers = {"Accept": "application/pdf, */*;q=0.5"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        try:
            return self._http.send(
                "GET",
                url,
                operation=OPERATION,
                purpose=self._purpose,
                idempotent=True,
                headers=headers,
                expect=frozenset({200}) | REDIRECTS,
            )
        except PeerError as error:
            raise _of_file(error) from error


def _of_file(error: PeerError) -> PeerError:
    """The same refusal in terms of a file; what may pass by itself stays what it is."""
    if error.status in GONE:
        return FileExpired(
            "rupa", OPERATION, status=error.status, code=error.code, request_id=error.request_id
        )
    if isinstance(error, Unreadable) and error.code == "answer_too_large":
        return FileRefused("The file is too large.", code="file_too_large", status=error.status)
    if isinstance(error, Rejected) and error.code == "address_not_allowed":
        return FileRefused("The file's address is not allowed.", code="file_host")
    return error


def _file(response: Response) -> bytes:
    if is_page(response.content):
        raise FileExpired(
            "rupa", OPERATION, status=response.status, code=A_PAGE, request_id=response.request_id
        )
    return response.content


def _redirected(response: Response, url: str) -> str:
    try:
        return same_host(response.headers.get("location", ""), url)
    except Unreadable:
        raise FileRefused(
            "The file's host passed us on to another host.", code="file_redirect", status=response.status
        ) from None


def is_public(address: str) -> bool:
    """Whether an address is one of the open internet; IPv4 inside IPv6 counts as what it is."""
    try:
        ip = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        ip = ip.ipv4_mapped or ip.sixtofour or ip
    return ip.is_global and not ip.is_multicast


def _is_under(host: str, domain: str) -> bool:
    return host == domain or host.endswith("." + domain)


def _matches(host: str, entry: str) -> bool:
    below = entry.removeprefix("*")
    return host.endswith(below) if below.startswith(".") else host == entry
