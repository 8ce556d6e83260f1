"""The one place that sends to a peer.

Every call has a timeout, waits for the account's limiter, is counted, and ends in a `Response` or in one
error of `peers.errors`. Redirects are not followed, cookies are not kept, and nothing here logs.
"""

from __future__ import annotations

import logging
import random
import re
import ssl
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import quote, urlencode

import httpx2
import orjson

from labbridge.addresses import is_loopback
from labbridge.peers.closing import Closing
from labbridge.peers.errors import (
    Conflict,
    Forbidden,
    NotFound,
    OutcomeUnknown,
    PeerError,
    RateLimited,
    Rejected,
    Unauthorized,
    Unavailable,
    Unreadable,
)
from labbridge.peers.ports import Limiter, Meter

# Both log addresses with their queries, and headers when asked for more: that is PHI and tokens.
for _name in ("httpx2", "httpcore2"):
    logging.getLogger(_name).setLevel(logging.WARNING)

Files = Sequence[tuple[str, tuple[str, bytes, str]]]
"""(part's name, (file's name, bytes, content type)). Bytes, so that a try can be repeated."""

NOT_SENT = (
    httpx2.ConnectError,  # refused, DNS, TLS
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
)
"""Proof that the peer received nothing; after any other failure it may have received everything."""


@dataclass(frozen=True)
class Response:
    """An answer, read completely. Holds no address and no request."""

    peer: str
    operation: str
    idempotent: bool
    status: int
    headers: httpx2.Headers
    content: bytes
    request_id: str | None = None

    def json(self) -> Any:  # Any: each client checks the shape with its own models
        """The parsed body. Raises Unreadable; Unavailable for a page of HTML (maintenance, a proxy).

        For a write both become OutcomeUnknown, because no usable answer came.
        """
        try:
            return orjson.loads(self.content)
        except orjson.JSONDecodeError:
            pass  # left behind, not chained: the decoder's error carries the document
        html = "html" in self.headers.get("content-type", "").lower()
        raise self.error(Unavailable if html else Unreadable, code="not_json")

    def error(
        self,
        kind: type[PeerError],
        *,
        code: str | None = None,
        fields: tuple[str, ...] = (),
        request_id: str | None = None,
    ) -> PeerError:
        """An error about this answer; after a write without a usable answer it is OutcomeUnknown."""
        if not self.idempotent and kind in (Unavailable, Unreadable):
            kind = OutcomeUnknown
        return kind(
            self.peer,
            self.operation,
            status=self.status,
            code=code,
            fields=fields,
            request_id=request_id or self.request_id,
            retry_after=retry_after(self.headers),
        )


@dataclass(frozen=True)
class Refusal:
    """What an answer outside of `expect` means; a peer's own `explain` knows more than the status."""

    kind: type[PeerError]
    code: str | None = None
    fields: tuple[str, ...] = ()
    request_id: str | None = None


BY_STATUS: Mapping[int, type[PeerError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    429: RateLimited,
    408: Unavailable,
    500: Unavailable,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


def explain_status(response: Response) -> Refusal:
    """The meaning of a refusal by its status alone. Other 5xx are Unavailable, all else is Rejected."""
    kind = BY_STATUS.get(response.status, Unavailable if response.status >= 500 else Rejected)
    return Refusal(kind)


@dataclass(frozen=True)
class _Call:
    method: str
    url: str
    operation: str
    purpose: str
    headers: Mapping[str, str]
    content: bytes | None
    files: Files | None
    idempotent: bool
    expect: Collection[int]
    timeout: httpx2.Timeout
    explain: Callable[[Response], Refusal]


@cache
def trusted() -> ssl.SSLContext:
    """Whom we trust, read once: reading it costs as much as filing an order, and every job has its client."""
    return httpx2.create_ssl_context()


class Http(Closing):
    """Sends to one peer.

    `base_url` is https, or http to a loopback address when `allow_http`. Absolute addresses given to
    `send` must stay on its host, unless `other_hosts` says yes to theirs. `timeout` is seconds of silence.
    """

    MAX_TRIES = 3
    MAX_WAIT = 5.0  #: seconds slept for a blip; a longer Retry-After is for the job to wait
    MAX_ANSWER = 50 * 1024 * 1024  #: bytes, unpacked
    MAX_SECONDS = 300.0  #: for one answer, however slowly it drips

    def __init__(
        self,
        peer: str,
        base_url: str,
        *,
        timeout: float = 30.0,
        limiter: Limiter,
        meter: Meter,
        allow_http: bool = False,
        transport: httpx2.BaseTransport | None = None,
        explain: Callable[[Response], Refusal] = explain_status,
        other_hosts: Callable[[str], bool] = lambda _: False,
        max_answer: int = MAX_ANSWER,
        request_id_header: str = "x-request-id",
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.peer = peer
        self.base_url = base_url.rstrip("/")
        self._timeout = timeout
        self._limiter = limiter
        self._meter = meter
        self._allow_http = allow_http
        self._explain = explain
        self._other_hosts = other_hosts
        self._max_answer = max_answer
        self._request_id_header = request_id_header
        self._sleep = sleep
        #: The peer's own clock at its last answer (to the second), for comparing ages with its events.
        self.peer_time: datetime | None = None
        #: By how many seconds it was ahead of ours when that answer came.
        self.peer_ahead: float | None = None
        self._host = check_address(self.base_url, allow_http=allow_http).host
        self._client = httpx2.Client(
            transport=transport,
            follow_redirects=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            trust_env=not is_loopback(self._host),  # a proxy cannot reach our own simulators
            verify=trusted(),
        )

    def close(self) -> None:
        self._client.close()

    def send(
        self,
        method: str,
        path_or_url: str,
        *,
        operation: str,
        purpose: str,
        idempotent: bool,
        params: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,  # Any: whatever orjson can write
        content: bytes | None = None,
        files: Files | None = None,
        expect: Collection[int] = (200, 201, 204),
        timeout: float | None = None,
        explain: Callable[[Response], Refusal] | None = None,
    ) -> Response:
        """Send and return the answer, or raise one PeerError.

        `operation` names the deed in errors, `purpose` the line of the meter. `idempotent` means that
        repeating it changes nothing: a read. What fails after bytes may have left is Unavailable for
        those and OutcomeUnknown for all others. Tried again (up to MAX_TRIES, with jitter) is only what
        provably wrote nothing: reads, refused connections, 429. `path_or_url` is already quoted;
        `params` are not. `explain` replaces the peer's for this call.
        """
        sent_headers = dict(headers or {})
        if json is not None:
            content = orjson.dumps(json)
            sent_headers.setdefault("Content-Type", "application/json")
        seconds = self._timeout if timeout is None else timeout
        call = _Call(
            method=method,
            url=self._address(path_or_url, params, operation),
            operation=operation,
            purpose=purpose,
            headers=sent_headers,
            content=content,
            files=files,
            idempotent=idempotent,
            expect=expect,
            timeout=httpx2.Timeout(seconds, connect=min(seconds, 10.0)),
            explain=explain or self._explain,
        )
        return self._send_patiently(call)

    def _address(
        self, path_or_url: str, params: Mapping[str, str] | Sequence[tuple[str, str]] | None, operation: str
    ) -> str:
        url = path_or_url
        if "://" in url:
            self._check_host(url, operation)
        else:
            url = f"{self.base_url}/{url.lstrip('/')}"
        if params:
            url += ("&" if "?" in url else "?") + encode_query(params)
        return url

    def _check_host(self, url: str, operation: str) -> None:
        """An address that a peer gave us is data: a wrong one is the peer's fault, not ours."""
        try:
            host = check_address(url, allow_http=self._allow_http).host
        except ValueError:
            raise Rejected(self.peer, operation, code="address_not_allowed") from None
        if host != self._host and not self._other_hosts(host):
            raise Rejected(self.peer, operation, code="address_not_allowed")

    def _send_patiently(self, call: _Call) -> Response:
        tries = 1
        while True:
            try:
                return self._send_once(call)
            except (Unavailable, RateLimited) as error:  # both mean that nothing was written
                wait = backoff(tries) if error.retry_after is None else error.retry_after
                if tries >= self.MAX_TRIES or wait > self.MAX_WAIT:
                    raise
            tries += 1
            self._sleep(wait)

    def _send_once(self, call: _Call) -> Response:
        self._limiter.acquire()
        self._meter.count(call.purpose)
        response = self._exchange(call)
        if response.status in call.expect:
            self._limiter.speed_up()
            return response
        refusal = call.explain(response)
        error = response.error(
            refusal.kind, code=refusal.code, fields=refusal.fields, request_id=refusal.request_id
        )
        if isinstance(error, RateLimited):
            self._limiter.slow_down(error.retry_after)
        elif response.status < 500:
            self._limiter.speed_up()
        raise error

    def _exchange(self, call: _Call) -> Response:
        try:
            return self._read(call)
        except NOT_SENT as error:
            raise Unavailable(self.peer, call.operation, code=type(error).__name__) from error
        except httpx2.LocalProtocolError:
            # Not chained: its text quotes the header, which may be the token.
            raise Rejected(self.peer, call.operation, code="request_malformed") from None
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            lost = Unavailable if call.idempotent else OutcomeUnknown
            raise lost(self.peer, call.operation, code=type(error).__name__) from error

    def _read(self, call: _Call) -> Response:
        with self._client.stream(
            call.method,
            call.url,
            headers=call.headers,
            content=call.content,
            files=call.files,
            timeout=call.timeout,
        ) as answer:
            deadline = time.monotonic() + self.MAX_SECONDS
            content = bytearray()
            for chunk in answer.iter_bytes():
                content += chunk
                if len(content) > self._max_answer:
                    raise self._response(call, answer, b"").error(Unreadable, code="answer_too_large")
                if time.monotonic() > deadline:
                    raise httpx2.ReadTimeout("answer too slow")
            return self._response(call, answer, bytes(content))

    def _response(self, call: _Call, answer: httpx2.Response, content: bytes) -> Response:
        request_id = answer.headers.get(self._request_id_header, "")
        moment = _moment(answer.headers.get("date", ""))
        if moment is not None:
            self.peer_time, self.peer_ahead = moment, (moment - datetime.now(UTC)).total_seconds()
        return Response(
            peer=self.peer,
            operation=call.operation,
            idempotent=call.idempotent,
            status=answer.status_code,
            headers=answer.headers,
            content=content,
            request_id=request_id if re.fullmatch(r"[\w.:-]{1,80}", request_id, re.ASCII) else None,
        )


def encode_query(params: Mapping[str, str] | Sequence[tuple[str, str]]) -> str:
    """Percent-encode completely, spaces too, so that a length can be known before sending."""
    return urlencode(params, quote_via=quote, safe="")


def check_address(url: str, *, allow_http: bool) -> httpx2.URL:
    """The parsed address. Raises ValueError unless it is https, or http to loopback when allowed."""
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL:
        raise ValueError("not a usable address") from None
    plain = parsed.scheme == "http" and allow_http and is_loopback(parsed.host)
    if not parsed.host or parsed.userinfo or (parsed.scheme != "https" and not plain):
        raise ValueError("only https is allowed (http to this machine, when LABBRIDGE_ALLOW_HTTP_PEERS)")
    return parsed


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the peer asks us to wait, from either form of Retry-After."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", value):
        return float(value)
    when = _moment(value)
    return None if when is None else max(0.0, (when - datetime.now(UTC)).total_seconds())


def _moment(value: str) -> datetime | None:
    """A header's date."""
    try:
        when = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError):  # what the parser does with other people's nonsense
        return None
    return when.replace(tzinfo=when.tzinfo or UTC)


def backoff(tries: int) -> float:
    """Seconds before the next try: 0.25, 0.5, ... at most, with jitter so that callers spread out."""
    return 0.25 * (1 << (tries - 1)) * random.uniform(0.5, 1.0)  # noqa: S311 - spreads callers, hides nothing
