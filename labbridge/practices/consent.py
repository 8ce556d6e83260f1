"""The journey to Rupa's consent page and back: a `state` that works once, a code exchanged at once."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from labbridge.peers.errors import NotFound, PeerError
from labbridge.peers.rupa.types import PractitionerSnapshot
from labbridge.practices.clients import RUPA_ASSUMPTIONS, rupa, rupa_auth, store_pair
from labbridge.practices.models import Connection, ConnectionState, Consent, Practice
from labbridge.trust.audit import Actor, record
from labbridge.trust.keys import keyring


class ConsentProblem(Exception):
    """The journey ended without a connection; the sentence says why and what to do."""


@dataclass(frozen=True)
class Journey:
    consent: Consent
    address: str


def _hash(state: str) -> bytes:
    return keyring().blind(state, "consent state")


def _verifier(state: str) -> str | None:
    """PKCE's secret, if it is used: made from the journey's state and our key, so that nobody need keep it."""
    if not RUPA_ASSUMPTIONS.pkce:
        return None
    return "".join(keyring().blind(state, f"consent verifier {part}").hex() for part in (1, 2))


def begin(practice: Practice, started_by: str) -> Journey:
    """Where to send the practitioner.

    Raises:
        ConsentProblem: Rupa does not know this deployment yet.

    """
    if not settings.DEPLOYMENT.rupa_client_id:
        raise ConsentProblem(
            "Set LABBRIDGE_RUPA_CLIENT_ID and LABBRIDGE_RUPA_CLIENT_SECRET to what Rupa gave for this deployment."
        )
    state = secrets.token_urlsafe(32)
    consent = Consent.objects.create(practice=practice, state_hash=_hash(state), started_by=started_by)
    with rupa_auth(practice) as auth:
        return Journey(consent, auth.authorize_url(state, verifier=_verifier(state)))


def finish(state: str, code: str, error: str) -> Connection:
    """Trade the code for tokens and keep them.

    Raises:
        ConsentProblem: the state is unknown, used or old; the practitioner said no; or Rupa did not take the code.

    """
    consent = _take(state)
    try:
        connection = _connect(consent, code, error, _verifier(state))
    except ConsentProblem as problem:
        _close(consent, str(problem))
        raise
    _close(consent, "connected")
    record(
        "connection.make", actor=Actor("person", name=consent.started_by), practice=consent.practice,
        subject=f"connection:{connection.pk}", peer="rupa",
    )  # fmt: skip
    return connection


def _take(state: str) -> Consent:
    with transaction.atomic():
        consent = (
            Consent.objects.select_for_update().filter(state_hash=_hash(state)).first() if state else None
        )
        if consent is None or not consent.usable(timezone.now()):
            raise ConsentProblem("This link was used already or is too old. Start again from Connect.")
        consent.finished_at = timezone.now()
        consent.save(update_fields=["finished_at"])
    return consent


def _close(consent: Consent, outcome: str) -> None:
    Consent.objects.filter(pk=consent.pk).update(outcome=outcome[:300])


def _connect(consent: Consent, code: str, error: str, verifier: str | None) -> Connection:
    if error == "access_denied":
        raise ConsentProblem("The practitioner did not agree. Nothing was changed; start again when they do.")
    if error or not code:
        raise ConsentProblem("Rupa did not send an authorisation code. Start again from Connect.")
    practice = consent.practice
    try:
        with rupa_auth(practice) as auth:
            pair = auth.exchange(code, verifier=verifier)
    except PeerError as problem:
        raise ConsentProblem(
            f"Rupa did not accept the authorisation code ({problem}). Start again."
        ) from None
    connection = Connection.objects.create(
        practice=practice,
        peer="rupa",
        account=f"new:{consent.pk}",
        credentials={},
        state=ConnectionState.ACTIVE,
    )
    store_pair(connection.pk, pair)
    return _named(Connection.objects.get(pk=connection.pk))


def _named(connection: Connection) -> Connection:
    """Find out whose authorisation it is."""
    try:
        with rupa(connection, "connect") as client:
            me = client.me()
    except NotFound:
        Connection.objects.filter(pk=connection.pk).update(account=f"unnamed {connection.pk}")
        return Connection.objects.get(pk=connection.pk)
    except PeerError:
        return connection  # its tokens are kept; `learn_practitioners` tries again
    return adopt(connection, me)


def adopt(connection: Connection, me: PractitionerSnapshot) -> Connection:
    """Note whose authorisation it is. Who connects again keeps their connection, with new tokens."""
    with transaction.atomic():
        Practice.objects.select_for_update().get(pk=connection.practice_id)  # two journeys may end at once
        fresh = Connection.objects.select_for_update().get(pk=connection.pk)
        earlier = _connection_of(fresh, me)
        if earlier is None:
            fresh.external_id = me.id
            if fresh.account.startswith("new:"):
                fresh.account = me.email or me.id
            fresh.save(update_fields=["external_id", "account"])
            return fresh
        earlier.external_id = me.id
        earlier.credentials, earlier.state, earlier.problem = fresh.credentials, ConnectionState.ACTIVE, ""
        earlier.token_version += 1
        earlier.save()
        fresh.practitioners.update(connection=earlier)
        fresh.delete()
        return earlier


def _connection_of(fresh: Connection, me: PractitionerSnapshot) -> Connection | None:
    """The connection this practitioner had before, if `fresh` is one that a consent has just made."""
    if not fresh.account.startswith("new:"):
        return None
    same = Q(external_id=me.id) | Q(account__iexact=me.email or me.id)
    others = Connection.objects.select_for_update().filter(practice=fresh.practice, peer="rupa")
    return others.filter(same).exclude(pk=fresh.pk).first()
