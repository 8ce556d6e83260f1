from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.utils import timezone

from labbridge.mirror.models import Order
from labbridge.practices.models import Practice
from labbridge.trust.fields import SealedField, SealedJSONField
from labbridge.trust.ids import new_id


class Source(models.TextChoices):
    RUPA = "rupa"  # read at Rupa by a person: the API says nothing of these (rupa-api.md 11)
    STAFF = "staff"
    PATIENT = "patient"


class Evidence(models.Model):
    """One thing that was said of an order's money: what, by whom, from what source. Never changed, never removed.

    The database refuses changes of anything but `content`, which erasing a patient empties.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="+")
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="billing_evidence")
    track = models.CharField(max_length=20)  # of states.TRACKS, or "details"
    before = models.CharField(max_length=20, default="")
    word = models.CharField(max_length=20)
    source = models.CharField(max_length=8, choices=Source.choices)
    happened_on = models.DateField()  # in the practice's calendar
    recorded_at = models.DateTimeField(default=timezone.now)
    recorded_by = models.CharField(max_length=150)
    content = SealedJSONField(null=True)  # {"note": …}, or what was entered for the superbill

    class Meta:
        ordering: ClassVar = ["id"]
        indexes: ClassVar = [models.Index(fields=["order", "track"], name="evidence_of_order")]

    def __str__(self) -> str:
        return f"{self.track} {self.word}"

    @property
    def sealed_for(self) -> uuid.UUID:
        return self.order.sealed_for


class Superbill(models.Model):
    """One version of a superbill. Numbers run without gaps in each practice; a new version keeps its number."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="superbills")
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="superbills")
    number = models.PositiveIntegerField()
    version = models.PositiveIntegerField()
    made_at = models.DateTimeField(default=timezone.now)
    made_by = models.CharField(max_length=150)
    content = SealedJSONField()  # what it says, field by field
    pdf = SealedField()
    sha256 = models.CharField(max_length=64)  # of the PDF

    class Meta:
        ordering: ClassVar = ["number", "version"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["practice", "number", "version"], name="superbill_once"),
            models.UniqueConstraint(fields=["order", "version"], name="superbill_version_once"),
        ]

    def __str__(self) -> str:
        return f"{self.number}-{self.version}"

    @property
    def sealed_for(self) -> uuid.UUID:
        return self.order.sealed_for


class Sending(models.Model):
    """A superbill went to somebody: kept for good, as evidence is."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    superbill = models.ForeignKey(Superbill, on_delete=models.PROTECT, related_name="sendings")
    receiver = models.CharField(max_length=16)  # patient | administrator | insurer
    way = models.CharField(max_length=8)  # portal | email | post | fax | hand
    sent_on = models.DateField()
    recorded_at = models.DateTimeField(default=timezone.now)
    recorded_by = models.CharField(max_length=150)

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return f"{self.superbill_id} to {self.receiver}"
