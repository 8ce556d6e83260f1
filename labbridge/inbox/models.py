from __future__ import annotations

import re
import uuid
from functools import cache
from typing import ClassVar

from django.db import models
from django.utils import timezone

from labbridge.database.prepared import Prepared, Value
from labbridge.engine.jobs import Deferral
from labbridge.practices.models import Practice
from labbridge.trust.fields import SealedField
from labbridge.trust.ids import new_id


class EventState(models.TextChoices):
    RECEIVED = "received"
    HANDLED = "handled"
    WAITING = "waiting"
    QUARANTINED = "quarantined"
    DEAD = "dead"


class EventQuerySet(models.QuerySet["Event"]):
    def open_for(self, practice: Practice, subject: str) -> EventQuerySet:
        """Merged events of one subject that have not come to rest in Caspio yet."""
        return self.filter(
            practice=practice,
            subject=subject,
            merged_at__isnull=False,
            state__in=[EventState.RECEIVED, EventState.WAITING],
        )

    def record(self, event: Event, job: Deferral | None = None) -> tuple[uuid.UUID, bool]:
        """Keep one event. A second delivery of the same one changes only its counter.

        `job` is deferred by the same statement when the event is new: both or neither, in one round trip. Returns
        the id it is kept under and whether it is new.
        """
        expression, job_values = job or ("NULL", ())
        kept_id, deliveries, _ = _recording(expression).row([*_recorded(event), *job_values])
        return uuid.UUID(kept_id), deliveries == "1"


_RECORDED = (
    "id", "peer", "external_id", "type", "subject", "practice_id", "body", "occurred_at", "received_at", "state",
    "reason", "deliveries",
)  # fmt: skip


def _recorded(event: Event) -> list[Value]:
    """The values of those columns as PostgreSQL reads them."""
    practice_id, occurred_at = event.practice_id, event.occurred_at
    sealed = Event._meta.get_field("body").pre_save(event, add=True)
    return [
        str(event.pk), event.peer, event.external_id, event.type, event.subject,
        None if practice_id is None else str(practice_id), sealed,
        None if occurred_at is None else occurred_at.isoformat(), event.received_at.isoformat(), event.state,
        event.reason, str(event.deliveries),
    ]  # fmt: skip


@cache
def _recording(job: str) -> Prepared:
    """One statement that inserts or counts the repeated delivery: no savepoint, no second round trip."""
    marks = (f"${number}" for number in range(1, 100))
    values = ", ".join(next(marks) for _ in _RECORDED)
    numbered = re.sub("%s", lambda _: next(marks), job)
    return Prepared(
        f"WITH kept AS (INSERT INTO inbox_event ({', '.join(_RECORDED)}) VALUES ({values}) "  # noqa: S608  # our own names
        "ON CONFLICT (peer, external_id) DO UPDATE SET deliveries = inbox_event.deliveries + 1 "
        f"RETURNING id, deliveries) SELECT id, deliveries, CASE WHEN deliveries = 1 THEN {numbered} END FROM kept"
    )


class Event(models.Model):
    """A fact from a peer, once, however often it was delivered."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    peer = models.CharField(max_length=16)
    external_id = models.CharField(max_length=255)
    type = models.CharField(max_length=100)
    subject = models.CharField(max_length=255)  # what it is about, such as "order:ord_x": a key, never data
    practice = models.ForeignKey(Practice, null=True, on_delete=models.PROTECT, related_name="events")
    body = SealedField()
    occurred_at = models.DateTimeField(null=True)
    received_at = models.DateTimeField(default=timezone.now)
    merged_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)
    state = models.CharField(max_length=12, choices=EventState.choices, default=EventState.RECEIVED)
    reason = models.CharField(max_length=300, default="")
    deliveries = models.PositiveIntegerField(default=1)

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["received_at", "id"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["peer", "external_id"], name="event_once")]
        indexes: ClassVar = [
            models.Index(fields=["practice", "subject"], name="event_subject"),
            models.Index(
                fields=["state", "received_at"],
                name="event_open",
                condition=~models.Q(state="handled"),
            ),
            models.Index(fields=["received_at"], name="event_received"),
        ]

    def __str__(self) -> str:
        return f"{self.peer} {self.type} {self.external_id}"

    def settle(self, state: EventState, reason: str = "") -> None:
        """Say what became of this event. `reason` is a sentence for a person and holds no data."""
        self.state, self.reason, self.settled_at = state, reason[:300], timezone.now()
        self.save(update_fields=["state", "reason", "settled_at"])
