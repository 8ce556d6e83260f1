"""Tokens of one Caspio account: fetched once for everybody, kept until shortly before they end.

Several tokens may be alive at once, so a fetch harms nobody, but it is a call (caspio-api.md 1).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

from labbridge.peers.caspio.refusals import explain_token
from labbridge.peers.errors import Unreadable
from labbridge.peers.http import Http, Response
from labbridge.peers.ports import StoredToken, TokenStore

TOKEN_PATH = "/oauth/token"  # noqa: S105 - an address; not under /integrations/rest (caspio-api.md 1)
TOKEN = re.compile(r"[-a-zA-Z0-9._~+/]+=*", re.ASCII)  # RFC 6750


class Renewal(NamedTuple):
    token: str
    is_new: bool  #: fetched by this very call, so nothing fresher can be had


class Tokens:
    """Hands out the access token. One fetch serves all threads, and through `store` all processes."""

    def __init__(
        self,
        http: Http,
        client_id: str,
        client_secret: str,
        *,
        store: TokenStore,
        margin: timedelta,
        lifetime: timedelta,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._http = http
        self._client_id = client_id
        self._client_secret = client_secret
        self._store = store
        self._margin = margin
        self._lifetime = lifetime
        self._now = now
        self._held: StoredToken | None = None
        self._lock = threading.Lock()

    def current(self) -> str:
        """A token believed to be good. Raises what `renew` raises."""
        held = self._held = self._held or self._store.load()
        if held is not None and self._is_good(held):
            return held.token
        return self.renew(refused=()).token

    def renew(self, refused: Collection[str]) -> Renewal:
        """A token that is none of `refused`: another caller's newer one, or else a fetched one.

        Raises Unauthorized when Caspio does not accept the client, and whatever `Http.send` raises.
        """
        with self._lock:
            if self._held is not None and self._usable(self._held, refused):
                return Renewal(self._held.token, is_new=False)
            with self._store.lock():
                stored = self._store.load()
                if stored is not None and self._usable(stored, refused):
                    self._held = stored
                    return Renewal(stored.token, is_new=False)
                self._held = self._fetch()
                self._store.save(self._held.token, self._held.expires_at)
            return Renewal(self._held.token, is_new=True)

    def _usable(self, stored: StoredToken, refused: Collection[str]) -> bool:
        return stored.token not in refused and self._is_good(stored)

    def _is_good(self, stored: StoredToken) -> bool:
        return self._now() < stored.expires_at

    def _fetch(self) -> StoredToken:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._client_id,
            "client_secret": self._client_secret,
        }
        response = self._http.send(
            "POST",
            TOKEN_PATH,
            operation="fetch a token",
            purpose="token",
            idempotent=True,  # tokens fetched before stay good (caspio-api.md 1, B)
            headers={"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
            content=urlencode(form).encode("ascii"),
            expect=(200,),
            explain=explain_token,
        )
        return self._read(response)

    def _read(self, response: Response) -> StoredToken:
        body = response.json()
        token = body.get("access_token") if isinstance(body, dict) else None
        if not isinstance(token, str) or not TOKEN.fullmatch(token):
            raise response.error(Unreadable, code="no_access_token")
        lifetime = self._lifetime_in(body.get("expires_in"))
        # A lifetime shorter than twice the margin is used to its half, not thrown away at once.
        return StoredToken(token, self._now() + max(lifetime - self._margin, lifetime / 2))

    def _lifetime_in(self, expires_in: Any) -> timedelta:  # Any: a number, or its text, or nothing
        try:
            return timedelta(seconds=min(max(float(expires_in), 1.0), 366 * 86400.0))
        except (TypeError, ValueError):
            return self._lifetime
