"""A practice's connections to Rupa: where each stands, what to do, and which one to read with.

A practice may have several practitioners and several clinics. A token sees its whole clinic (rupa-api.md 3), so one
connection of each clinic is enough to read; an order or a patient is read with one of its own clinic.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from labbridge.practices.clients import NotConnected, rupa_connections, why_not_connected
from labbridge.practices.models import Connection, ConnectionState, Practice, Practitioner
from labbridge.trust.audit import Actor, record

EXPIRES_SOON = timedelta(days=7)

RECONNECT = (
    "Have the practitioner connect again: `labbridge rupa connect`, or Connect in Labbridge. Nothing is lost."
)
ENDED = (
    "Nothing is read or ordered with this connection any more. Its orders and results stay where they are. To use it "
    "again, connect again with `labbridge rupa connect`."
)


@dataclass(frozen=True)
class Standing:
    """Where a connection stands: active, expiring, reconnect or ended; and what to do, "" when nothing."""

    state: str
    advice: str = ""


def standing(connection: Connection, now: datetime | None = None) -> Standing:
    """A connection that lives by an access token alone expires; one with a refresh token renews itself."""
    if connection.state == ConnectionState.ENDED:
        return Standing("ended", f"{connection.problem} {ENDED}".strip())
    if connection.state == ConnectionState.RECONNECT:
        return Standing("reconnect", RECONNECT)
    if connection.refused_at is not None:
        return Standing("reconnect", f"Rupa refuses even a new token of this connection. {RECONNECT}")
    left = _left(connection, now or timezone.now())
    if left is None or left >= EXPIRES_SOON:
        return Standing("active", connection.problem)
    if left <= timedelta(0):
        return Standing("reconnect", RECONNECT)
    hours = left // timedelta(hours=1)
    return Standing("expiring", f"It ends in {hours} hours and cannot be renewed by itself. {RECONNECT}")


def _left(connection: Connection, now: datetime) -> timedelta | None:
    """How long an access token lives that nothing can renew; None where it can be, or where nothing is said."""
    held = connection.credentials or {}
    ends = held.get("expires_at")
    if connection.peer != "rupa" or held.get("refresh_token") or not ends:
        return None
    return datetime.fromisoformat(ends) - now


def end(connection: Connection, why: str, *, actor: Actor) -> None:
    """Close a connection for good, such as after a move to Fullscript. Its data stays; its tokens are forgotten."""
    with transaction.atomic():
        held = Connection.objects.select_for_update().get(pk=connection.pk)
        held.state, held.problem, held.refused_at = ConnectionState.ENDED, why[:300], None
        held.credentials = {}
        held.token_version += 1
        held.save()
        record(
            "connection.end",
            actor=actor,
            practice=held.practice,
            subject=f"connection:{held.pk}",
            peer=held.peer,
        )


def clinic_of(connection: Connection) -> str:
    """The clinic of the practitioner whose authorisation it is; "" when Rupa has not told."""
    own = Practitioner.objects.filter(external_id=connection.external_id or "-").first()
    return own.clinic_id if own is not None else ""


def connections_by_clinic(practice: Practice) -> list[Connection]:
    """One usable connection of each clinic, oldest first; those whose clinic is not known each count as one.

    Raises:
        NotConnected: no connection can be used.

    """
    found: dict[str, Connection] = {}
    for connection in rupa_connections(practice):
        found.setdefault(clinic_of(connection) or str(connection.pk), connection)
    if not found:
        raise NotConnected(why_not_connected(practice))
    return list(found.values())


def connection_of_practitioner(practice: Practice, external_id: str) -> Connection:
    """The connection to read this practitioner's orders with: of their clinic where there is one.

    Raises:
        NotConnected: no connection can be used.

    """
    practitioner = Practitioner.objects.filter(practice=practice, external_id=external_id or "-").first()
    usable = rupa_connections(practice)
    if practitioner is not None:
        own = [one for one in usable if one.external_id == external_id]
        clinic = [
            one for one in usable if practitioner.clinic_id and clinic_of(one) == practitioner.clinic_id
        ]
        learnt = [one for one in usable if one.pk == practitioner.connection_id]
        for one in (*own, *clinic, *learnt):
            return one
    return _first(practice, usable)


def connection_of_patient(practice: Practice, seen_with: Connection | None) -> Connection:
    """The connection to change a patient with: the one they were seen with, else another of its clinic.

    Raises:
        NotConnected: no connection can be used.

    """
    usable = rupa_connections(practice)
    if seen_with is not None:
        clinic = clinic_of(seen_with)
        for one in (
            *(one for one in usable if one.pk == seen_with.pk),
            *(one for one in usable if clinic and clinic_of(one) == clinic),
        ):
            return one
    return _first(practice, usable)


def _first(practice: Practice, usable: list[Connection]) -> Connection:
    if not usable:
        raise NotConnected(why_not_connected(practice))
    return usable[0]
