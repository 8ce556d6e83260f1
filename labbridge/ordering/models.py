from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.utils import timezone

from labbridge.mirror.models import Chart
from labbridge.practices.clients import RUPA_ASSUMPTIONS
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


class Waits(models.TextChoices):
    """What a request waits for; when it is there, the request goes on by itself."""

    NOTHING = ""
    PATIENT = "patient"  # a match to be decided, or a patient's row to be corrected
    CONNECTION = "connection"  # somebody connected to Rupa
    PEER = "peer"  # Rupa or Caspio is away: its job tries again


class OrderRequest(models.Model):
    """Somebody wants labs for a patient. One request has at most one living order intent at Rupa."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="order_requests")
    key = models.CharField(max_length=255)  # Request_ID of the practice's table, or ours
    door = models.CharField(max_length=6, choices=Door.choices)
    row_pk = models.BigIntegerField(null=True)  # PK_ID of its row in the request table, where it has one
    chart = models.ForeignKey(Chart, null=True, on_delete=models.PROTECT, related_name="order_requests")

    # What was asked for, as it was asked. Not changed any more once an intent may exist for it.
    patient_key = models.CharField(max_length=255, default="")
    test_ids = models.JSONField(default=list)
    protocol_id = models.CharField(max_length=255, default="")
    practitioner_email = models.CharField(max_length=255, default="")
    asked_by = models.CharField(max_length=150, default="")
    back_url = models.CharField(max_length=1000, default="")
    wish_at = models.DateTimeField(null=True)  # somebody asked to be told when Rupa answers again
    wish_by = models.CharField(max_length=150, default="", db_default="", blank=True)  # their user name
    wish_mailed_at = models.DateTimeField(null=True)

    # How it stands.
    state = models.CharField(max_length=8, choices=RequestState.choices, default=RequestState.RECEIVED)
    message = models.CharField(max_length=500, default="")
    open_already = models.JSONField(null=True)  # tests that were open for the patient then: OpenTest.ids
    waits_for = models.CharField(max_length=10, choices=Waits.choices, default=Waits.NOTHING, blank=True)
    tried_at = models.DateTimeField(null=True)

    # The living intent. `mark` goes into its metadata and finds it again when an answer was lost. Opaque.
    mark = models.UUIDField(default=new_id, unique=True)
    attempts = models.PositiveIntegerField(default=0)  # intents asked for
    asked_at = models.DateTimeField(null=True)  # when the intent under way was asked for; None when none is
    in_doubt_until = models.DateTimeField(null=True)  # until then, not finding it proves nothing
    intent_id = models.CharField(max_length=64, default="")
    intent_at = models.DateTimeField(null=True)
    chosen_ids = models.JSONField(default=list)  # the tests it was made with
    rupa_patient_id = models.CharField(max_length=64, default="")  # whom it is for; "" when it brings one
    brings_patient = models.BooleanField(default=False)  # it carries the particulars of a patient new to Rupa
    checkout_url = SealedTextField(null=True)
    return_token = SealedTextField(null=True)
    return_hash = models.BinaryField(max_length=16, null=True, unique=True)
    returned_at = models.DateTimeField(null=True)

    # What became of it.
    order_external_id = models.CharField(max_length=64, default="")
    other_order_id = models.CharField(max_length=64, default="")  # a second order, which nobody wanted
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["practice", "key"], name="order_request_once")
        ]
        indexes: ClassVar = [
            models.Index(fields=["practice", "state"], name="order_request_state"),
            models.Index(fields=["practice", "intent_id"], name="order_request_intent"),
        ]

    def __str__(self) -> str:
        return f"request {self.key}"

    @property
    def sealed_for(self) -> uuid.UUID:
        return self.practice_id

    @property
    def intent_too_old(self) -> bool:
        return self.intent_at is not None and timezone.now() - self.intent_at > RUPA_ASSUMPTIONS.intent_life

    @property
    def fixed(self) -> bool:
        """Whether an intent may exist at Rupa for what was asked: then it cannot ask for something else."""
        living = bool(self.intent_id) and self.state != RequestState.EXPIRED
        return self.asked_at is not None or living or self.state == RequestState.ORDERED

    @property
    def checkout(self) -> str:
        """Where to go on at Rupa, while that is the thing to do."""
        return (self.checkout_url or "") if self.state == RequestState.READY else ""


class FormerIntent(models.Model):
    """An intent that was put away. Rupa knows no way to end one, so an order from it is still recognised."""

    request = models.ForeignKey(OrderRequest, on_delete=models.PROTECT, related_name="former_intents")
    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="+")
    mark = models.UUIDField(unique=True)
    intent_id = models.CharField(max_length=64, default="")
    order_external_id = models.CharField(max_length=64, default="")
    brings_patient = models.BooleanField(default=False)
    put_away_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["practice", "intent_id"], name="former_intent")]

    def __str__(self) -> str:
        return f"former intent of {self.request_id}"
