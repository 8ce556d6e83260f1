"""What labs have reported: where it is to be had, the files, versions, values and reviews."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.db import models
from django.utils import timezone

from labbridge.mirror.models.orders import OrderedTest
from labbridge.mirror.models.patients import Chart
from labbridge.practices.models import Practice
from labbridge.trust.fields import SealedField, SealedJSONField
from labbridge.trust.ids import new_id


class SourceState(models.TextChoices):
    PENDING = "pending"
    TAKEN = "taken"  # its content is kept, as a new version or as one we had
    GONE = "gone"  # expired or replaced before it could be taken
    REFUSED = "refused"  # not a PDF, too large, from a host not allowed, names another patient


class ResultSource(models.Model):
    """What the peer said about one test's files: addresses or contents, to be taken as soon as possible."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    ordered_test = models.ForeignKey(OrderedTest, on_delete=models.PROTECT, related_name="sources")
    as_of = models.DateTimeField()  # the oldest snapshot that showed it
    latest_as_of = models.DateTimeField()  # the newest one, whose addresses are the freshest
    received_at = models.DateTimeField(null=True)
    files = SealedJSONField(default=dict)  # {"pdf": text or null, "hl7": text or null} as the peer gave them
    fingerprint = models.BinaryField(
        max_length=16
    )  # of the lab's date and the addresses without their queries
    state = models.CharField(max_length=8, choices=SourceState.choices, default=SourceState.PENDING)
    reason = models.CharField(max_length=300, default="")

    class Meta:
        ordering: ClassVar = ["as_of", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["ordered_test", "fingerprint"], name="result_source_once")
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["ordered_test"], name="result_source_open", condition=models.Q(state="pending")
            )
        ]

    def __str__(self) -> str:
        return f"source {self.pk}"

    @property
    def sealed_for(self) -> uuid.UUID:
        return self.ordered_test.order.sealed_for


class Take(models.Model):
    """What one source held when it was taken. The next take of the same source is kept when it held another."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    source = models.ForeignKey(ResultSource, on_delete=models.PROTECT, related_name="takes")
    as_of = models.DateTimeField()  # the snapshot whose address led to it
    pdf = models.ForeignKey("StoredFile", null=True, on_delete=models.PROTECT, related_name="+")
    hl7 = models.ForeignKey("StoredFile", null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering: ClassVar = ["as_of", "id"]

    def __str__(self) -> str:
        return f"take {self.pk}"


class StoredFile(models.Model):
    """A file's content, sealed, once per practice and content hash."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="files")
    sha256 = models.CharField(max_length=64)
    kind = models.CharField(max_length=8)  # pdf, hl7
    size = models.PositiveIntegerField()
    content = SealedField()
    stored_at = models.DateTimeField(default=timezone.now)
    emptied_at = models.DateTimeField(null=True)  # the content was removed; the hash stays

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["practice", "sha256"], name="stored_file_once")
        ]

    def __str__(self) -> str:
        return self.sha256

    #: Whose result it is, said by whoever makes the row; the value itself names its key.
    owner: uuid.UUID | None = None

    @property
    def sealed_for(self) -> uuid.UUID:
        return self.owner or self.practice_id


class Urgency(models.IntegerChoices):
    """How far a result is out of range, by the lab's own flags. What and how much is in its sealed values only."""

    IN_RANGE = 0, "nothing flagged"
    UNREAD = 1, "no values to read"
    ABNORMAL = 2, "abnormal"
    CRITICAL = 3, "critical"


class Result(models.Model):
    """One version of one test's result. Versions are numbered in the order in which Rupa showed them."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    practice = models.ForeignKey(
        Practice, on_delete=models.PROTECT, related_name="results"
    )  # its test's: the queue of one practice is read by an index of its own, whatever the others hold
    ordered_test = models.ForeignKey(OrderedTest, on_delete=models.PROTECT, related_name="results")
    version = models.PositiveIntegerField()
    as_of = models.DateTimeField()  # the oldest snapshot that showed it: what versions are ordered by
    received_at = models.DateTimeField(null=True)  # the lab's time, from Rupa
    pdf = models.ForeignKey(StoredFile, null=True, on_delete=models.PROTECT, related_name="+")
    hl7 = models.ForeignKey(StoredFile, null=True, on_delete=models.PROTECT, related_name="+")
    superseded = models.BooleanField(default=False)  # replaced before its file could be taken
    problem = models.CharField(max_length=300, default="")
    named = SealedJSONField(null=True)  # whom the lab's own report names: first_name, last_name, birthday
    withheld = models.BooleanField(default=False)  # names another patient: not filed until a person decides
    chart = models.ForeignKey(
        Chart, null=True, on_delete=models.SET_NULL, related_name="+"
    )  # whose it was found to be
    found_at = models.DateTimeField(default=timezone.now)
    urgency = models.PositiveSmallIntegerField(choices=Urgency.choices, default=Urgency.UNREAD)

    # Its review, made here or in Caspio; the newest word counts in both places.
    reviewed_at = models.DateTimeField(null=True)
    reviewed_by = models.CharField(max_length=150, default="")
    review_changed_at = models.DateTimeField(null=True)
    review_unfiled = models.BooleanField(default=False)  # said here, and not in Caspio yet
    assigned_to = models.CharField(max_length=150, default="")
    due_on = models.DateField(null=True)  # None: as soon as the practice reviews by default

    class Meta:
        ordering: ClassVar = ["version"]
        indexes: ClassVar = [
            models.Index(
                models.F("urgency").desc(),
                "found_at",
                "id",
                name="result_to_review",
                condition=models.Q(reviewed_at=None, superseded=False, withheld=False),
            ),
            models.Index(
                "practice",
                models.F("urgency").desc(),
                "found_at",
                "id",
                name="result_queue",
                condition=models.Q(reviewed_at=None, superseded=False, withheld=False),
            ),
            models.Index(
                fields=["practice", "assigned_to"],
                name="result_assigned",
                condition=~models.Q(assigned_to=""),
            ),
            models.Index(
                fields=["practice", "-reviewed_at", "-id"],
                name="result_reviewed",
                condition=models.Q(reviewed_at__isnull=False, superseded=False, withheld=False),
            ),
            models.Index(
                fields=["ordered_test"], name="result_review_unfiled", condition=models.Q(review_unfiled=True)
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["ordered_test", "version"],
                name="result_version_once",
                deferrable=models.Deferrable.DEFERRED,
            )
        ]

    def __str__(self) -> str:
        return f"{self.ordered_test.external_id}-v{self.version}"

    def save(self, *args: Any, **options: Any) -> None:  # any: Django's shape
        if self.practice_id is None:
            self.practice_id = self.ordered_test.practice_id
        super().save(*args, **options)

    @property
    def sealed_for(self) -> uuid.UUID:
        return self.ordered_test.order.sealed_for


class ResultValue(models.Model):
    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    result = models.ForeignKey(Result, on_delete=models.CASCADE, related_name="values")
    number = models.PositiveIntegerField()  # by OBX order, from 1
    analyte = models.CharField(max_length=255)
    loinc = models.CharField(max_length=20, default="")
    reading = SealedJSONField()  # text, number, units, reference_range, flag, comments: the measured part
    observed_at = models.DateTimeField(null=True)
    observed_text = models.CharField(max_length=19, default="")  # the lab's wall clock when it names no zone

    class Meta:
        ordering: ClassVar = ["number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["result", "number"], name="result_value_once")
        ]

    def __str__(self) -> str:
        return f"value {self.pk}"

    @property
    def sealed_for(self) -> uuid.UUID:
        return self.result.sealed_for
