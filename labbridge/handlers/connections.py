"""Learning who works in a connected clinic, and handing over events that waited for that."""

from __future__ import annotations

from uuid import UUID

import structlog
from django.db import transaction
from django.utils import timezone

from labbridge.engine import queue
from labbridge.engine.queue import bring_forward
from labbridge.handlers.jobs import handle_event
from labbridge.inbox.models import Event, EventState
from labbridge.peers.errors import NotFound, PeerError
from labbridge.peers.lab import LabPeer
from labbridge.peers.rupa.types import PractitionerSnapshot
from labbridge.practices.clients import lab
from labbridge.practices.consent import adopt
from labbridge.practices.models import Connection, Practitioner

log = structlog.get_logger()


def learn_now(connection_id: str) -> int:
    """Read the token's own practitioner and the clinic's listing (design.md 6.6.10). Returns how many are known.

    Raises:
        PeerError: Rupa is away or the authorisation has ended.

    """
    connection = Connection.objects.select_related("practice").get(pk=connection_id)
    with lab(connection, "connect") as client:
        me, found = _listed(client)
    if me is not None:
        connection = adopt(connection, me)
    with transaction.atomic():
        Connection.objects.filter(pk=connection.pk).update(problem="")
        for snapshot in found:
            _keep(connection, snapshot, own=me is not None and snapshot.id == me.id)
    replay_quarantined()
    bring_forward(f"{connection.practice.slug}:")  # pulls that waited for an authorisation
    log.info("connections.learnt", connection_id=str(connection.pk), count=len(found))
    return len(found)


def _listed(client: LabPeer) -> tuple[PractitionerSnapshot | None, list[PractitionerSnapshot]]:
    """The token's own practitioner if Rupa tells, and everybody the token can see."""
    found: dict[str, PractitionerSnapshot] = {}
    me: PractitionerSnapshot | None = None
    problem: PeerError | None = None
    try:
        found.update((one.id, one) for one in client.practitioners())
    except NotFound as error:
        problem = error
    try:
        me = client.me()
        found[me.id] = me
    except NotFound as error:
        problem = problem or error
    if not found and problem is not None:
        raise problem
    return me, [one for one in found.values() if one.id]


def _keep(connection: Connection, snapshot: PractitionerSnapshot, *, own: bool) -> None:
    """A mere listing never takes somebody away from another practice: their orders would change charts."""
    elsewhere = Practitioner.objects.filter(external_id=snapshot.id).exclude(practice=connection.practice)
    if not own and elsewhere.exists():
        log.warning("connections.elsewhere", connection_id=str(connection.pk), external_id=snapshot.id)
        return
    name = snapshot.full_name or " ".join(filter(None, [snapshot.first_name, snapshot.last_name]))
    Practitioner.objects.update_or_create(
        external_id=snapshot.id,
        defaults={
            "practice": connection.practice,
            "connection": connection,
            "name": name[:200],
            "clinic_id": (snapshot.clinic_id or "")[:64],
            "learnt_at": timezone.now(),
        },
    )


def replay_quarantined() -> int:
    """Try every quarantined event again: its practice may exist now."""
    ids = list(Event.objects.filter(state=EventState.QUARANTINED).values_list("pk", flat=True))
    for event_id in ids:
        replay(event_id)
    return len(ids)


def replay(event_id: UUID) -> None:
    """Have one event handled again, by a person or because what it waited for was mended."""
    with transaction.atomic():
        event = Event.objects.select_for_update().get(pk=event_id)
        if event.emptied_at:
            return  # nothing is left of it to be handled again; what it said is in Caspio
        event.state, event.merged_at, event.settled_at, event.reason = EventState.RECEIVED, None, None, ""
        event.save(update_fields=["state", "merged_at", "settled_at", "reason"])
        queue.forget_dead("handle_event", event_id=str(event.pk))
        handle_event.defer(lock=f"{event.peer}:{event.subject}", event_id=str(event.pk))
