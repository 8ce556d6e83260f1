"""Changes of the lab test catalogue: `labtest.created`, `labtest.updated`.

They name no practice (rupa-api.md 7): the catalogue is Rupa's, so the change goes to every connected practice.
"""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from labbridge.handlers import jobs
from labbridge.inbox.models import Event, EventState
from labbridge.mirror.merge import merge_lab_test
from labbridge.peers.rupa.events import EventEnvelope
from labbridge.practices.models import Connection, ConnectionState, Practice


def connected_practices() -> list[Practice]:
    ids = Connection.objects.filter(peer="rupa", state=ConnectionState.ACTIVE).values_list(
        "practice_id", flat=True
    )
    return list(Practice.objects.filter(pk__in=set(ids)))


def subject_of(external_id: str) -> str:
    return f"lab_test:{external_id}"


def on_lab_test(event: Event, envelope: EventEnvelope) -> None:
    snapshot = envelope.lab_test
    if snapshot is None or not snapshot.id:
        event.settle(
            EventState.QUARANTINED, "The event does not hold a lab test that can be read. It is kept."
        )
        return
    practices = connected_practices()
    if not practices:
        event.settle(EventState.QUARANTINED, "No practice is connected to Rupa. Connect one, then replay.")
        return
    as_of = envelope.created_at or event.received_at
    with transaction.atomic():
        waits = False
        for practice in practices:
            _, changed = merge_lab_test(practice, snapshot, as_of)
            if changed:
                waits = True
                jobs.file_lab_test.defer(
                    lock=f"{practice.slug}:lab_test:{snapshot.id}",
                    practice_id=str(practice.pk),
                    external_id=snapshot.id,
                )
        event.merged_at, event.subject = timezone.now(), subject_of(snapshot.id)
        event.save(update_fields=["merged_at", "subject"])
        if not waits:
            event.settle(EventState.HANDLED)
