from __future__ import annotations

import uuid
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from labbridge.outbox.models import Agreement
from labbridge.practices.models import Practice
from labbridge.trust.fields import SealedField
from labbridge.trust.ids import new_id


class PhiClass(models.TextChoices):
    """Whether a key may ever see patient data. `none` is enforced by the types of the answers (api/shapes.py)."""

    PHI = "phi"
    NONE = "none"


class ApiKey(models.Model):
    """A key of the machine API, for one practice. The key itself is shown once and kept as a hash only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="api_keys")
    name = models.CharField(max_length=100)  # of the program that uses it: what the audit calls it
    digest = models.BinaryField(max_length=32, unique=True)  # SHA-256: 256 random bits need no slow hash
    hint = models.CharField(max_length=12)  # how it begins, to tell keys apart
    scopes = ArrayField(models.CharField(max_length=32))
    phi_class = models.CharField(max_length=4, choices=PhiClass.choices, default=PhiClass.NONE)
    agreement = models.ForeignKey(
        Agreement, null=True, on_delete=models.PROTECT, related_name="api_keys"
    )  # under which its user may see patient data
    in_house = models.BooleanField(
        default=False, db_default=False
    )  # used by the practice's own staff alone, who need no BAA
    per_minute = models.PositiveIntegerField(default=120)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    created_by = models.CharField(max_length=150, default="")
    created_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(null=True)
    free_at = models.DateTimeField(
        null=True
    )  # when all of its calls of a minute would be free again (limits.py)

    class Meta:
        ordering: ClassVar = ["created_at", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["practice", "name"], name="api_key_name_once"),
            models.CheckConstraint(condition=models.Q(per_minute__gt=0), name="api_key_some_calls"),
            models.CheckConstraint(
                condition=~models.Q(phi_class="phi")
                | models.Q(in_house=True)
                | models.Q(agreement__isnull=False),
                name="api_key_phi_needs_agreement",
            ),
        ]

    def __str__(self) -> str:
        return f"key {self.name}"

    @property
    def held(self) -> bool:
        """Whether it may see no patient data now, because the agreement that allowed it is over."""
        if self.phi_class != PhiClass.PHI or self.in_house:
            return False
        today = timezone.now().astimezone(self.practice.zone).date()
        return self.agreement is None or not self.agreement.covers(today)


class KeptCall(models.Model):
    """A call that changes something, by its idempotency key: kept for good, with the answer that it had."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    api_key = models.ForeignKey(ApiKey, on_delete=models.PROTECT, related_name="calls")
    key = models.CharField(max_length=255)
    request = models.BinaryField(max_length=16)  # keyed hash of method, address and body
    status = models.PositiveSmallIntegerField(null=True)  # None: not answered yet
    answer = SealedField(null=True)
    concerns = models.UUIDField(null=True)  # the chart whose erasure makes the answer unreadable too
    made_at = models.DateTimeField(default=timezone.now)
    answered_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["api_key", "key"], name="kept_call_once")]

    def __str__(self) -> str:
        return f"call {self.pk}"

    @property
    def sealed_for(self) -> uuid.UUID:
        return self.concerns or self.api_key.practice_id
