from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.utils import timezone

from labbridge.mirror.models import Protocol
from labbridge.practices.models import Practice
from labbridge.trust.fields import SealedJSONField
from labbridge.trust.ids import new_id


class RowState(models.TextChoices):
    INTENDED = "intended"  # a write was about to be sent: what became of it is not known yet
    CONFIRMED = "confirmed"  # Caspio answered: `fields` is what the row holds
    UNKNOWN = "unknown"  # the answer was lost: look before writing again


class EditState(models.TextChoices):
    WAITING = "waiting"  # to be written to Caspio
    FILED = "filed"
    CONFLICT = "conflict"  # somebody changed the protocol in Caspio meanwhile: a person says whose stands
    DROPPED = "dropped"


class ProtocolEdit(models.Model):
    """What somebody made of a protocol in the console. Its key is that of the form, so it is saved once."""

    id = models.UUIDField(primary_key=True, editable=False)
    protocol = models.ForeignKey(Protocol, on_delete=models.PROTECT, related_name="edits")
    base = SealedJSONField(null=True)  # what the protocol was when the page was opened; None: there was none
    wanted = SealedJSONField()
    theirs = SealedJSONField(null=True)  # of a conflict: what Caspio held
    state = models.CharField(max_length=8, choices=EditState.choices, default=EditState.WAITING)
    problem = models.CharField(max_length=300, default="")  # why it is not in Caspio yet: a sentence
    by = models.CharField(max_length=150)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["at", "id"]

    def __str__(self) -> str:
        return f"edit {self.pk}"

    @property
    def sealed_for(self) -> uuid.UUID:
        return self.protocol.practice_id


class FiledRow(models.Model):
    """What Caspio is known to hold in one row that Labbridge fills. Values are kept as keyed hashes only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="filed_rows")
    table = models.CharField(max_length=32)  # our word, such as "lab_orders"; practice.toml names theirs
    key = models.CharField(max_length=255)
    group = models.CharField(max_length=64, default="")  # what is filed together, such as "order:<our id>"
    pk_id = models.BigIntegerField(null=True)
    fields = models.JSONField(default=dict)  # field -> keyed hash of the value Caspio confirmed
    intended = models.JSONField(default=dict)  # the same, of the write under way
    state = models.CharField(max_length=10, choices=RowState.choices)
    file_sha256 = models.CharField(max_length=64, default="")  # attachment that Caspio confirmed
    file_intended = models.CharField(max_length=64, default="")
    recreated = models.PositiveIntegerField(default=0)  # how often it had been deleted in Caspio
    changed_at = models.DateTimeField(default=timezone.now)
    announced = models.BooleanField(
        default=False, db_default=False
    )  # a result: others were told that it is in the chart

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["practice", "table", "key"], name="filed_row_once")
        ]
        indexes: ClassVar = [
            models.Index(fields=["practice", "group"], name="filed_row_group"),
            models.Index(fields=["practice", "table", "pk_id"], name="filed_row_pk"),
        ]

    def __str__(self) -> str:
        return f"{self.table} {self.key}"
