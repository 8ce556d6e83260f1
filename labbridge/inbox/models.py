from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

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
    emptied_at = models.DateTimeField(null=True)  # its body was removed by retention; it cannot be replayed

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
            models.Index(fields=["practice", "peer", "received_at", "id"], name="event_of_peer"),
        ]

    def __str__(self) -> str:
        return f"{self.peer} {self.type} {self.external_id}"

    @property
    def is_new(self) -> bool:
        """Whether nobody has handled it yet."""
        return self.merged_at is None and self.state not in {EventState.HANDLED, EventState.QUARANTINED}

    def settle(self, state: EventState, reason: str = "") -> None:
        """Say what became of this event. `reason` is a sentence for a person and holds no data."""
        self.state, self.reason, self.settled_at = state, reason[:300], timezone.now()
        self.save(update_fields=["state", "reason", "settled_at"])
