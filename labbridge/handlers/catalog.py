"""Changes of the lab test catalogue: `labtest.created`, `labtest.updated`.

They name no practice (rupa-api.md 7): the catalogue is Rupa's, so the change goes to every connected practice.
"""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from labbridge.catalog.filing import needs_filing
from labbridge.handlers import jobs
from labbridge.inbox.models import Event, EventState
from labbridge.mirror.lab_tests import merge_lab_test
from labbridge.mirror.models import KEY, LabTest
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
    if snapshot is None or not 0 < len(snapshot.id) <= KEY:
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
            test, _ = merge_lab_test(practice, snapshot, as_of)
            if needs_filing(practice, test):
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


def tell_events(external_id: str, state: EventState, reason: str = "") -> None:
    """What became of the events about one test."""
    opened = Event.objects.filter(
        subject=subject_of(external_id),
        state__in=[EventState.RECEIVED, EventState.WAITING],
        merged_at__isnull=False,
    )
    opened.update(state=state, reason=reason[:300], settled_at=timezone.now())


def settle_events(external_id: str) -> None:
    """Events about one test are done when every connected practice's Caspio holds it."""
    for test in LabTest.objects.filter(external_id=external_id, practice__in=connected_practices()):
        if needs_filing(test.practice, test):
            return
    tell_events(external_id, EventState.HANDLED)
