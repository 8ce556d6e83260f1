from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from django.db import models
from django.utils import timezone

from labbridge.mirror.models import Chart
from labbridge.practices.models import Practice
from labbridge.trust.fields import SealedTextField
from labbridge.trust.ids import new_id


class RequestState(models.TextChoices):
    """Request_Status of design.md 6.6.7."""

    RECEIVED = "received"
    READY = "ready"
    ORDERED = "ordered"
    FAILED = "failed"
    EXPIRED = "expired"


class Door(models.TextChoices):
    BUTTON = "button"
    TABLE = "table"
    API = "api"


class OrderRequest(models.Model):
    """Somebody wants labs for a patient. One request has at most one living order intent at Rupa."""

    #: No life of an order intent is documented (rupa-api.md 16.10): an older one that was not used is replaced.
    INTENT_LIFE: ClassVar = timedelta(hours=72)

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="order_requests")
    key = models.CharField(max_length=255)  # Request_ID of the practice's table, or ours
    door = models.CharField(max_length=6, choices=Door.choices)
    chart = models.ForeignKey(Chart, null=True, on_delete=models.PROTECT, related_name="order_requests")
    patient_key = models.CharField(max_length=255, default="")
    test_ids = models.JSONField(default=list)
    protocol_id = models.CharField(max_length=255, default="")
    practitioner_email = models.CharField(max_length=255, default="")
    asked_by = models.CharField(max_length=150, default="")
    back_url = models.CharField(max_length=1000, default="")
    state = models.CharField(max_length=8, choices=RequestState.choices, default=RequestState.RECEIVED)
    message = models.CharField(max_length=500, default="")
    #: Goes into the intent's metadata and finds it again when an answer was lost. Opaque: no patient data.
    mark = models.UUIDField(default=new_id, unique=True)
    attempts = models.PositiveIntegerField(
        default=0
    )  # intents asked for; more than one: the first was replaced
    asked_at = models.DateTimeField(null=True)  # when the intent under way was asked for; None when none is
    intent_id = models.CharField(max_length=64, default="")
    intent_at = models.DateTimeField(null=True)
    checkout_url = SealedTextField(null=True)
    return_token = SealedTextField(null=True)
    return_hash = models.BinaryField(max_length=16, null=True, unique=True)
    returned_at = models.DateTimeField(null=True)
    order_external_id = models.CharField(max_length=64, default="")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["practice", "key"], name="order_request_once")
        ]
        indexes: ClassVar = [models.Index(fields=["practice", "state"], name="order_request_state")]

    def __str__(self) -> str:
        return f"request {self.key}"

    @property
    def intent_too_old(self) -> bool:
        return self.intent_at is not None and timezone.now() - self.intent_at > self.INTENT_LIFE
