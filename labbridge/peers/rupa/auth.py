"""OAuth at Rupa: the authorization-code flow and one living pair of tokens per connection (rupa-api.md 3).

Refresh tokens are taken to rotate without grace: whoever renews holds the lock, looks again whether
somebody else was quicker, and keeps the new pair before anybody uses it.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol
from urllib.parse import quote, urlencode

from labbridge.peers.errors import ConnectionEnded, PeerError, Unreadable
from labbridge.peers.http import Http, Response
from labbridge.peers.rupa.assumptions import RupaAssumptions
from labbridge.peers.rupa.jsonapi import Json, JsonObject, as_object, load_json

MAX_LIFETIME = 10 * 365 * 24 * 3600  #: seconds; a longer `expires_in` is not believed
MAX_TOKEN = 8_192  #: characters


@dataclass(frozen=True, slots=True)
class TokenPair:
    """`expires_at` is None when the peer did not say: then only a 401 tells that the token is over.

    An empty `access_token` with a refresh token is an authorisation brought along by hand.
    """

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    obtained_at: datetime
    expires_at: datetime | None = None

    def is_due(self, now: datetime, share: float) -> bool:
        """Whether `share` of its life is over."""
        if not self.access_token:
            return True
        return self.expires_at is not None and now >= self.obtained_at + (
            (self.expires_at - self.obtained_at) * share
        )

    def is_over(self, now: datetime) -> bool:
        return not self.access_token or (self.expires_at is not None and now >= self.expires_at)


class TokenPairStore(Protocol):
    """Keeps the pair of one connection for all processes, encrypted."""

    def load(self) -> TokenPair | None:
        """The pair saved last by any process, read afresh."""

    def save(self, pair: TokenPair) -> None:
        """Keep the pair durably (committed) before returning: the one before is worthless by now."""

    def lock(self) -> AbstractContextManager[None]:
        """Held by the one refresher of this connection among all processes."""


class AccessTokens(Protocol):
    """What a client needs: a token that should work, and another when it did not."""

    def access_token(self) -> str:
        """A token for the next call."""

    def renew(self, rejected: str) -> str:
        """A token other than the one that was answered with 401."""


class RupaAuth:
    """The three calls to the authorization server. Holds no tokens.

    `http` is made for the token address's host with `explain=refusals.explain`.
    """

    def __init__(
        self,
        http: Http,
        *,
        authorize_url: str,
        token_url: str,
        client_id: str,
        client_secret: str,
        redirect_uri: str,
        assumptions: RupaAssumptions | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        purpose: str = "oauth",
    ) -> None:
        self._http = http
        self._authorize_url = authorize_url
        self._token_url = token_url
        self._client_id = client_id
        self._client_secret = client_secret
        self._redirect_uri = redirect_uri
        self._assumptions = assumptions or RupaAssumptions()
        self._clock = clock
        self._purpose = purpose

    def authorize_url(self, state: str, *, verifier: str | None = None) -> str:
        """Where the practitioner consents. `verifier` adds a PKCE challenge (S256)."""
        query = {
            "client_id": self._client_id,
            "redirect_uri": self._redirect_uri,
            "response_type": "code",
            "state": state,
        }
        if verifier is not None:
            query |= {"code_challenge": challenge(verifier), "code_challenge_method": "S256"}
        joint = "&" if "?" in self._authorize_url else "?"
        return f"{self._authorize_url}{joint}{urlencode(query, quote_via=quote)}"

    def exchange(self, code: str, *, verifier: str | None = None) -> TokenPair:
        """Trade the consent's code for tokens, at once: codes may live 60 seconds (rupa-api.md 3).

        Raises ConnectionEnded when the code is spent, Unauthorized when client id or secret are wrong.
        """
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self._redirect_uri}
        if verifier is not None:
            form["code_verifier"] = verifier
        return self._ask("exchange a code", form, refresh_token=None)

    def refresh(self, refresh_token: str) -> TokenPair:
        """A new pair. The caller holds the store's lock and saves the pair before using it.

        Raises ConnectionEnded on `invalid_grant`, which is final: a person must reconnect.
        """
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return self._ask("refresh a token", form, refresh_token=refresh_token)

    def _ask(self, operation: str, form: Mapping[str, str], *, refresh_token: str | None) -> TokenPair:
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        sent = dict(form)
        if self._assumptions.client_authentication == "basic":
            headers["Authorization"] = _basic(self._client_id, self._client_secret)
        else:
            sent |= {"client_id": self._client_id, "client_secret": self._client_secret}
        response = self._http.send(
            "POST",
            self._token_url,
            operation=operation,
            purpose=self._purpose,
            idempotent=False,  # a repeated code or rotated refresh token ends the authorisation
            headers=headers,
            content=urlencode(sent).encode(),
            expect=(200, 201),
        )
        return self._pair(response, refresh_token)

    def _pair(self, response: Response, refresh_token: str | None) -> TokenPair:
        answer = _answer(response)
        access_token = _token(answer.get("access_token"))
        if access_token is None:
            raise response.error(Unreadable, code="no_access_token")
        now = self._clock()
        seconds = _seconds(answer.get("expires_in"))
        return TokenPair(
            access_token=access_token,
            # RFC 6749 6: without a new one the old one stays.
            refresh_token=_token(answer.get("refresh_token")) or refresh_token,
            obtained_at=now,
            expires_at=None if seconds is None else now + timedelta(seconds=seconds),
        )


class Tokens:
    """The living pair of one connection: renewed before it is over, by one process at a time."""

    def __init__(
        self,
        auth: RupaAuth,
        store: TokenPairStore,
        *,
        assumptions: RupaAssumptions | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._auth = auth
        self._store = store
        self._share = (assumptions or RupaAssumptions()).refresh_at
        self._clock = clock

    def access_token(self) -> str:
        """The stored token, renewed at 80 % of its life. While it lives, a failed renewal waits.

        Raises ConnectionEnded when there is no authorisation or it is gone for good.
        """
        pair = self._load()
        if not pair.is_due(self._clock(), self._share):
            return pair.access_token
        try:
            return self._renew(lambda held: not held.is_due(self._clock(), self._share))
        except PeerError as error:
            if error.retryable and not pair.is_over(self._clock()):
                return pair.access_token
            raise

    def renew(self, rejected: str) -> str:
        """A token other than `rejected`: what another process got meanwhile, else a new one."""
        return self._renew(lambda held: bool(held.access_token) and held.access_token != rejected)

    def _renew(self, is_good: Callable[[TokenPair], bool]) -> str:
        with self._store.lock():
            held = self._load()
            if is_good(held):
                return held.access_token
            pair = self._refresh(held)
            return pair.access_token

    def _refresh(self, held: TokenPair) -> TokenPair:
        if not held.refresh_token:
            raise ConnectionEnded("rupa", "refresh a token", code="no_refresh_token")
        try:
            pair = self._auth.refresh(held.refresh_token)
        except ConnectionEnded:
            # A person may have reconnected meanwhile; the consent page does not wait for our lock.
            newer = self._load()
            if newer == held or not newer.access_token:
                raise
            return newer
        self._store.save(pair)
        return pair

    def _load(self) -> TokenPair:
        pair = self._store.load()
        if pair is None:
            raise ConnectionEnded("rupa", "sign in", code="not_connected")
        return pair


def new_verifier() -> str:
    """A PKCE verifier, to be kept beside `state` until the callback."""
    return secrets.token_urlsafe(48)


def challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _basic(client_id: str, client_secret: str) -> str:
    joined = f"{quote(client_id, safe='')}:{quote(client_secret, safe='')}"  # RFC 6749 2.3.1
    return "Basic " + base64.b64encode(joined.encode()).decode()


def _answer(response: Response) -> JsonObject:
    try:
        return as_object(load_json(response.content))
    except Unreadable:
        raise response.error(Unreadable, code="not_json") from None


def _token(value: Json) -> str | None:
    """A token that fits into a header: visible ASCII."""
    fits = isinstance(value, str) and 0 < len(value) <= MAX_TOKEN and value.isascii() and value.isprintable()
    return value if fits and " " not in value else None


def _seconds(value: Json) -> int | None:
    """`expires_in`, which is trusted over any constant (rupa-api.md 3)."""
    digits = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    seconds = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 12 else 0
    return seconds if 0 < seconds <= MAX_LIFETIME else None
