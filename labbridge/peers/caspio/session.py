"""One authorised way to one Caspio account: every request of the client goes through here."""

from __future__ import annotations

import copy
import re
import time
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Self, TypeVar

import httpx2
from pydantic import TypeAdapter, ValidationError

from labbridge.addresses import is_loopback
from labbridge.peers.caspio.assumptions import CaspioAssumptions
from labbridge.peers.caspio.auth import Tokens
from labbridge.peers.caspio.refusals import Subject, explain
from labbridge.peers.errors import Rejected, Unauthorized, Unreadable
from labbridge.peers.http import Files, Http, Response, check_address, encode_query
from labbridge.peers.ports import Limiter, Meter, TokenStore

PEER = "caspio"
CASPIO_HOST = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+caspio\.com", re.ASCII)

T = TypeVar("T")


class Session:
    """Adds the token, the headers and the meaning of refusals; renews a refused token once."""

    def __init__(
        self,
        url: str,
        client_id: str,
        client_secret: str,
        *,
        limiter: Limiter,
        meter: Meter,
        token_store: TokenStore,
        principal: str,
        api_path: str,
        purpose: str,
        assumptions: CaspioAssumptions,
        allow_http: bool,
        custom_domains: Collection[str],
        timeout: float,
        transport: httpx2.BaseTransport | None,
        now: Callable[[], datetime] | None,
        sleep: Callable[[float], None] | None,
    ) -> None:
        check_account(url, allow_http=allow_http, custom_domains=custom_domains)
        self.assumptions = assumptions
        self.purpose = purpose
        self.principal = check_principal(principal)
        self.api_path = "/" + api_path.strip("/")
        self.http = Http(
            PEER,
            url,
            timeout=timeout,
            limiter=limiter,
            meter=meter,
            allow_http=allow_http,
            transport=transport,
            request_id_header="X-Caspio-Request-ID",  # on every answer (caspio-api.md 3.2)
            sleep=sleep or time.sleep,
        )
        self._tokens = Tokens(
            self.http,
            client_id,
            client_secret,
            store=token_store,
            margin=timedelta(seconds=assumptions.token_margin_seconds),
            lifetime=timedelta(seconds=assumptions.token_seconds),
            now=now or (lambda: datetime.now(UTC)),
        )

    def speaking_for(self, *, purpose: str | None, principal: str | None) -> Self:
        """The same connection and token under another purpose or principal."""
        other = copy.copy(self)
        other.purpose = purpose or self.purpose
        other.principal = check_principal(principal) if principal else self.principal
        return other

    def address_length(self, path: str, params: Mapping[str, str]) -> int:
        """Characters of the whole address, of which Caspio reads 2047 (caspio-api.md 3.1)."""
        return len(self.http.base_url + self.api_path + path) + 1 + len(encode_query(params))

    def request(
        self,
        method: str,
        path: str,
        *,
        operation: str,
        subject: Subject | None = None,
        params: Mapping[str, str] | None = None,
        json: Any = None,  # Any: whatever orjson can write
        files: Files | None = None,
        accept: str = "application/json",
        expect: Collection[int] = (200,),
        timeout: float | None = None,
    ) -> Response:
        """Send with a token. Raises the errors of `peers.errors`; anything but GET counts as a write."""
        headers = {"Accept": accept, "Principal": self.principal}
        if method != "GET" and files is None:
            headers["Content-Type"] = "application/json"  # DELETE too, or 415 (caspio-api.md 3.6)
        attempt = partial(
            self.http.send,
            method,
            self.api_path + path,
            operation=operation,
            purpose=self.purpose,
            idempotent=method == "GET",
            params=params,
            json=json,
            files=files,
            expect=expect,
            timeout=timeout,
            explain=partial(explain, subject=subject or Subject(), assumptions=self.assumptions),
        )
        return self._with_token(lambda token: attempt(headers=headers | {"Authorization": f"Bearer {token}"}))

    def _with_token(self, attempt: Callable[[str], Response]) -> Response:
        """Replay once with a new token. A second time only if the first new one was somebody else's."""
        token = self._tokens.current()
        refused: set[str] = set()
        is_new = False
        while True:
            try:
                return attempt(token)
            except (Unauthorized, Rejected) as error:
                refused.add(token)
                if is_new or len(refused) > 2 or not self._blames_token(error):
                    raise
            token, is_new = self._tokens.renew(refused)

    def _blames_token(self, error: Unauthorized | Rejected) -> bool:
        if error.status == 401:
            return True
        return error.status == 400 and (error.code or "").lower() in self.assumptions.stale_token_codes

    def read(self, shape: type[T], response: Response, *, key: str | None = "Result") -> T:
        """The answer's `key` (or all of it) as `shape`. Raises Unreadable, OutcomeUnknown after a write."""
        return self._shaped(shape, self._opened(response, key), response)

    def read_list(self, shape: type[T], response: Response, *, key: str | None = "Result") -> list[T]:
        """Like `read` for many; null stands for none, but a missing key does not."""
        items = self._opened(response, key)
        if items is None:
            return []
        if not isinstance(items, list):
            raise response.error(Unreadable, code="unexpected_shape")
        return [self._shaped(shape, item, response) for item in items]

    def _opened(self, response: Response, key: str | None) -> Any:  # Any: checked by `_shaped`
        body = response.json()
        if key is None:
            return body
        if not isinstance(body, dict) or key not in body:
            raise response.error(Unreadable, code="unexpected_shape", fields=(key,))
        return body[key]

    def _shaped(self, shape: type[T], value: Any, response: Response) -> T:  # Any: what is to be checked
        try:
            checked = _adapter(shape).validate_python(value)
        except ValidationError as error:
            places = [".".join(map(str, issue["loc"])) for issue in error.errors(include_input=False)[:3]]
        else:
            return checked
        # Raised out here, not chained: pydantic's error quotes what it read.
        raise response.error(Unreadable, code="unexpected_shape", fields=tuple(filter(None, places)))


_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}  # building one costs more than checking a page of rows


def _adapter(shape: type[T]) -> TypeAdapter[T]:
    return _ADAPTERS.get(shape) or _ADAPTERS.setdefault(shape, TypeAdapter(shape))


def check_account(url: str, *, allow_http: bool, custom_domains: Collection[str] = ()) -> None:
    """Raises ValueError unless `url` is the root of a Caspio account.

    A wrong host would be handed the client secret (caspio-api.md 1). `custom_domains` are exact hosts.
    """
    parsed = check_address(url, allow_http=allow_http)
    if parsed.path not in ("", "/") or parsed.query or parsed.fragment:
        raise ValueError("the Caspio address is https://ACCOUNT.caspio.com, without a path")
    host = parsed.host.lower()
    ours = allow_http and is_loopback(host)
    if not (ours or CASPIO_HOST.fullmatch(host) or host in {domain.lower() for domain in custom_domains}):
        raise ValueError("the Caspio address must end in .caspio.com")


def check_principal(principal: str) -> str:
    """A header of visible ASCII, for Caspio's audit log (caspio-api.md 3.6): a service or a user id."""
    if not re.fullmatch(r"[\x21-\x7e]([\x20-\x7e]{0,126}[\x21-\x7e])?", principal):
        raise ValueError("the principal is 1 to 128 visible ASCII characters")
    return principal
