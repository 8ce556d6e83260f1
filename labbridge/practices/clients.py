"""Clients of the peers for one practice, with the shared limits, meters and token stores put in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from labbridge.engine.locks import exclusive
from labbridge.peers.caspio import Caspio
from labbridge.peers.errors import ConnectionEnded, Unauthorized
from labbridge.peers.http import Http
from labbridge.peers.lab import LabPeer
from labbridge.peers.ports import StoredToken
from labbridge.peers.rupa.assumptions import RupaAssumptions
from labbridge.peers.rupa.auth import RupaAuth, TokenPair, Tokens
from labbridge.peers.rupa.client import Rupa
from labbridge.peers.rupa.refusals import explain
from labbridge.peers.rupa.signature import SignatureScheme
from labbridge.peers.rupa.spellings import Spellings
from labbridge.practices.apply import config_of
from labbridge.practices.clocks import note_clock
from labbridge.practices.models import Connection, ConnectionState, Practice
from labbridge.practices.quota import SharedLimiter, SharedMeter

RUPA_ASSUMPTIONS = RupaAssumptions(
    signature=SignatureScheme(**settings.DEPLOYMENT.rupa_signature),
    max_file_size=settings.DEPLOYMENT.max_result_mb * 1024 * 1024,
)


class NotConnected(Exception):
    """The practice has no usable connection to a peer. The text says what to do."""


def caspio_connection(practice: Practice) -> Connection:
    connection = Connection.objects.filter(practice=practice, peer="caspio").first()
    if connection is None or not connection.credentials:  # none came along with an import
        raise NotConnected(
            f"The practice {practice.slug} has no Caspio account: run `labbridge practice apply`."
        )
    return connection


def rupa_connections(practice: Practice) -> list[Connection]:
    """Every connection that can be used, oldest first."""
    return list(
        Connection.objects.filter(practice=practice, peer__in=LAB_PEERS, state=ConnectionState.ACTIVE)
    )


def rupa_connection(practice: Practice) -> Connection:
    """The connection to read with: any of the practice's, since each sees its whole clinic (rupa-api.md 3)."""
    usable = rupa_connections(practice)
    if not usable:
        raise NotConnected(why_not_connected(practice))
    return usable[0]


def has_ended(practice: Practice) -> bool:
    """Whether the practice ended, on purpose, every connection that it had."""
    states = Connection.objects.filter(practice=practice, peer__in=LAB_PEERS).values_list("state", flat=True)
    return set(states) == {ConnectionState.ENDED}


def why_not_connected(practice: Practice) -> str:
    """One sentence: never connected, to be connected again, or ended on purpose."""
    if has_ended(practice):
        return f"The practice {practice.slug} has ended its connection to Rupa; what was filed stays."
    return f"The practice {practice.slug} is not connected to Rupa: run `labbridge rupa connect`."


class _CaspioTokens:
    """One Caspio token for all processes, sealed. The first look is at the connection as it was given."""

    def __init__(self, connection: Connection) -> None:
        self._id = connection.pk
        self._given: Connection | None = connection

    def load(self) -> StoredToken | None:
        connection, self._given = self._given or Connection.objects.get(pk=self._id), None
        held = connection.credentials or {}
        if "access_token" not in held:
            return None
        return StoredToken(held["access_token"], datetime.fromisoformat(held["expires_at"]))

    def save(self, token: str, expires_at: datetime) -> None:
        _update_credentials(self._id, {"access_token": token, "expires_at": expires_at.isoformat()})

    def lock(self) -> AbstractContextManager[None]:
        return exclusive(f"token:{self._id}")


class _RupaTokens:
    """The living pair of one Rupa connection, sealed; kept before it is used."""

    def __init__(self, connection: Connection) -> None:
        self._id = connection.pk
        self.version = connection.token_version  #: of the pair that was loaded last

    def load(self) -> TokenPair | None:
        connection = Connection.objects.get(pk=self._id)
        self.version = connection.token_version
        held = connection.credentials or {}
        if connection.state != ConnectionState.ACTIVE or not (
            held.get("refresh_token") or held.get("access_token")
        ):
            return None
        return TokenPair(
            access_token=held.get("access_token") or "",
            refresh_token=held.get("refresh_token"),
            obtained_at=_moment(held.get("obtained_at")) or timezone.now(),
            expires_at=_moment(held.get("expires_at")),
        )

    def save(self, pair: TokenPair) -> None:
        store_pair(self._id, pair)

    def lock(self) -> AbstractContextManager[None]:
        return exclusive(f"token:{self._id}")


def store_pair(connection_id: Any, pair: TokenPair) -> None:
    """Keep a pair and make the connection active."""
    _update_credentials(
        connection_id,
        {
            "access_token": pair.access_token,
            "refresh_token": pair.refresh_token,
            "obtained_at": pair.obtained_at.isoformat(),
            "expires_at": pair.expires_at.isoformat() if pair.expires_at else None,
        },
        state=ConnectionState.ACTIVE,
        problem="",
    )


def _update_credentials(connection_id: Any, values: dict[str, Any], **columns: str) -> None:
    with transaction.atomic():
        connection = Connection.objects.select_for_update().get(pk=connection_id)
        connection.credentials = {**(connection.credentials or {}), **values}
        connection.token_version += 1
        for name, value in columns.items():
            setattr(connection, name, value)
        connection.save()


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


@contextmanager
def caspio(practice: Practice, purpose: str) -> Iterator[Caspio]:
    """The practice's Caspio account; `purpose` is the line of the call meter."""
    connection = caspio_connection(practice)
    part = config_of(practice).caspio
    held = connection.credentials or {}
    client = Caspio(
        part.url,
        held["client_id"],
        held["client_secret"],
        limiter=SharedLimiter(f"caspio:{connection.account}", part.calls_per_second),
        meter=SharedMeter(f"caspio:{connection.account}", practice.zone),
        token_store=_CaspioTokens(connection),
        principal=part.principal,
        purpose=purpose,
        allow_http=settings.DEPLOYMENT.allow_http_peers,
        custom_domains=settings.DEPLOYMENT.caspio_hosts,
    )
    try:
        yield client
    finally:
        client.close()
        note_clock("caspio", client.clock_ahead)


@contextmanager
def rupa_auth(practice: Practice) -> Iterator[RupaAuth]:
    """The authorization server, for this deployment's OAuth application."""
    deployment = settings.DEPLOYMENT
    token_url = urlsplit(deployment.rupa_token_url)
    with Http(
        "rupa",
        f"{token_url.scheme}://{token_url.netloc}",
        limiter=_rupa_limiter(),
        meter=SharedMeter("rupa", practice.zone),
        allow_http=deployment.allow_http_peers,
        explain=explain,
    ) as http:
        yield RupaAuth(
            http,
            authorize_url=deployment.rupa_authorize_url,
            token_url=deployment.rupa_token_url,
            client_id=deployment.rupa_client_id,
            client_secret=deployment.rupa_client_secret,
            redirect_uri=f"{deployment.public_url}/rupa/callback",
            assumptions=RUPA_ASSUMPTIONS,
        )


def _rupa_limiter() -> SharedLimiter:
    return SharedLimiter("rupa", settings.DEPLOYMENT.rupa_calls_per_second)


@contextmanager
def rupa(connection: Connection, purpose: str) -> Iterator[Rupa]:
    """One practitioner's view of Rupa. A lost authorisation marks the connection, and nothing is deleted."""
    deployment = settings.DEPLOYMENT
    practice = connection.practice
    spellings = Spellings.load(connection.spellings) if connection.spellings else Spellings()
    tokens = _RupaTokens(connection)
    with (
        rupa_auth(practice) as auth,
        Rupa(
            deployment.rupa_api_url,
            Tokens(auth, tokens, assumptions=RUPA_ASSUMPTIONS),
            limiter=_rupa_limiter(),
            meter=SharedMeter("rupa", practice.zone),
            allow_http=deployment.allow_http_peers,
            file_hosts=deployment.rupa_file_hosts,
            spellings=spellings,
            assumptions=RUPA_ASSUMPTIONS,
            purpose=purpose,
        ) as client,
    ):
        try:
            yield client
        except ConnectionEnded:
            mark_lost(connection, tokens.version)
            raise
        except Unauthorized:  # also with a token made new: it may pass, but a person should know
            _note_refused(connection, timezone.now())
            raise
        else:
            if connection.refused_at is not None:
                _note_refused(connection, None)
        finally:
            note_clock("rupa", client.clock_ahead)
            known = dict(spellings.dump())
            if known != connection.spellings:
                Connection.objects.filter(pk=connection.pk).update(spellings=known)


#: Where labs can be ordered: a connection's peer -> its client. The next adapter's line goes here (peers/lab.py).
LAB_PEERS: dict[str, Callable[[Connection, str], AbstractContextManager[LabPeer]]] = {"rupa": rupa}


def lab(connection: Connection, purpose: str) -> AbstractContextManager[LabPeer]:
    """One practitioner's view of the place where labs are ordered; `purpose` is the line of the call meter."""
    return LAB_PEERS[connection.peer](connection, purpose)


def _note_refused(connection: Connection, at: datetime | None) -> None:
    if (connection.refused_at is None) != (at is None):
        Connection.objects.filter(pk=connection.pk).update(refused_at=at)
        connection.refused_at = at


def mark_lost(connection: Connection, token_version: int) -> None:
    """`invalid_grant` is final: a person must reconnect, and until then nothing is tried with it.

    `token_version` is that of the pair which was refused: a newer one, brought by a person meanwhile, stays.
    """
    Connection.objects.filter(
        pk=connection.pk, state=ConnectionState.ACTIVE, token_version=token_version
    ).update(
        state=ConnectionState.RECONNECT,
        problem="Rupa no longer accepts this authorisation. Reconnect with `labbridge rupa connect`.",
    )
