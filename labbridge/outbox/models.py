from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from labbridge.trust.fields import SealedTextField
from labbridge.trust.ids import new_id


class Kind(models.TextChoices):
    """What a destination can be told of. Words of the wire (docs/feed.md): they stay."""

    PHASE = "order.phase_changed", "An order's phase changed"
    RESULT = "result.filed", "A result was filed in the chart"
    REVIEW = "review.needed", "A question waits for a person"
    PAYMENT = "payment.changed", "An order's payment changed"
    CATALOGUE = "catalogue.changed", "A lab test of the catalogue changed"
    ALERT = "alert", "An alert was raised or is over"
    MONTH = "month.counted", "A month is over: its counts"


TEST = "test"  #: a letter that a person sends to try a destination; nobody subscribes to it


class DataClass(models.TextChoices):
    """What a destination may be told. Enforced by the types of `handover/target.py`."""

    PHI = "phi", "patient data, under a BAA"
    DEIDENTIFIED = "de-identified", "de-identified only"


class Agreement(models.Model):
    """A business associate agreement (BAA) as it lies in the practice's files. The document itself is not kept."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    practice = models.ForeignKey("practices.Practice", on_delete=models.PROTECT, related_name="agreements")
    party = models.CharField(max_length=200)
    signed_on = models.DateField()
    expires_on = models.DateField()  # its last day
    sha256 = models.CharField(max_length=64)  # of the signed document
    recorded_by = models.CharField(max_length=150)
    recorded_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)  # a person ended it before its last day

    class Meta:
        ordering: ClassVar = ["party", "signed_on", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["practice", "party", "sha256"], name="agreement_once"),
            models.CheckConstraint(
                condition=models.Q(expires_on__gte=models.F("signed_on")), name="agreement_span"
            ),
        ]

    def __str__(self) -> str:
        return f"agreement {self.pk}"

    def holds(self, today: date) -> bool:
        return self.ended_at is None and self.signed_on <= today <= self.expires_on

    def covers(self, today: date) -> bool:
        """Whether it holds, or the one that renewed it: another of the same practice with the same party."""
        if self.holds(today):
            return True
        others = Agreement.objects.filter(practice=self.practice_id, party=self.party, ended_at=None)
        return others.filter(signed_on__lte=today, expires_on__gte=today).exists()

    @property
    def last_day(self) -> date:
        """Of those with this party that were not ended."""
        others = Agreement.objects.filter(practice=self.practice_id, party=self.party, ended_at=None)
        newest: date | None = others.aggregate(last=models.Max("expires_on"))["last"]
        return newest or self.expires_on


class Destination(models.Model):
    """Another system that a practice has told of what happens."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    practice = models.ForeignKey("practices.Practice", on_delete=models.PROTECT, related_name="destinations")
    name = models.CharField(max_length=100)
    host = models.CharField(max_length=253)
    url = SealedTextField()  # whole: such addresses often are passwords
    data_class = models.CharField(max_length=13, choices=DataClass.choices)
    agreement = models.ForeignKey(Agreement, null=True, on_delete=models.PROTECT, related_name="destinations")
    kinds = ArrayField(models.CharField(max_length=32))
    secret = SealedTextField()
    old_secret = SealedTextField(null=True)
    old_until = models.DateTimeField(null=True)  # so long both sign
    paused_at = models.DateTimeField(null=True)
    paused_why = models.CharField(max_length=300, default="")
    failures = models.PositiveIntegerField(default=0)  # in a row, by its own fault
    failing_since = models.DateTimeField(null=True)
    slow = models.BooleanField(default=False)  # its newest answer took long
    closed_until = models.DateTimeField(null=True)  # the circuit breaker: nothing is tried before
    problem = models.CharField(max_length=300, default="")
    delivered_at = models.DateTimeField(null=True)
    created_by = models.CharField(max_length=150, default="")
    created_at = models.DateTimeField(default=timezone.now)
    removed_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["created_at", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["practice", "name"], name="destination_name_once"),
            models.CheckConstraint(
                condition=~models.Q(data_class="phi") | models.Q(agreement__isnull=False),
                name="destination_phi_needs_agreement",
            ),
        ]

    def __str__(self) -> str:
        return f"destination {self.pk}"

    @property
    def sealed_for(self) -> uuid.UUID:
        return self.practice_id

    def closed(self, now: datetime) -> bool:
        """Whether the breaker lets nothing through."""
        return self.closed_until is not None and now < self.closed_until


class Fact(models.Model):
    """Something that happened, by ids and words of ours: no patient data. Numbers order the facts of one thing."""

    practice = models.ForeignKey("practices.Practice", on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=32)
    about = models.CharField(
        max_length=120
    )  # the thing whose facts are told in their order: "order:<our id>"
    words = models.JSONField(default=dict)
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["id"]
        indexes: ClassVar = [models.Index(fields=["practice", "at"], name="fact_at")]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


class DeliveryState(models.TextChoices):
    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"  # attempts used up: kept until a person has it sent again
    WITHDRAWN = "withdrawn"  # what it spoke of was erased


class Delivery(models.Model):
    """One fact on its way to one destination. `id` is random, because receivers see it and must learn nothing."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    destination = models.ForeignKey(Destination, on_delete=models.PROTECT, related_name="deliveries")
    fact = models.ForeignKey(Fact, on_delete=models.PROTECT, related_name="deliveries")
    about = models.CharField(max_length=120)  # the fact's
    state = models.CharField(max_length=9, choices=DeliveryState.choices, default=DeliveryState.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    first_tried_at = models.DateTimeField(null=True)  # of this round: a replay begins another
    next_at = models.DateTimeField()
    recorded_at = models.DateTimeField(null=True)  # when the audit was told that this disclosure begins
    recorded_people = models.BinaryField(max_length=16, null=True)  # about whom: a keyed hash
    settled_at = models.DateTimeField(null=True)
    status = models.PositiveSmallIntegerField(null=True)  # the receiver's newest answer
    problem = models.CharField(max_length=300, default="")

    class Meta:
        ordering: ClassVar = ["fact_id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["destination", "fact"], name="delivery_once")
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["destination", "fact"], name="delivery_pending", condition=models.Q(state="pending")
            ),
            models.Index(
                fields=["destination", "about", "fact"], name="delivery_line",
                condition=models.Q(state="pending"),
            ),
            models.Index(fields=["destination"], name="delivery_dead", condition=models.Q(state="dead")),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"msg_{self.pk.hex}"
