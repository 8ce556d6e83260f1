"""The labs and what they offer, and the practice's protocols."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.utils import timezone

from labbridge.mirror.models.keys import CASPIO_KEY, KEY
from labbridge.practices.models import Practice
from labbridge.trust.fields import SealedTextField
from labbridge.trust.ids import new_id


class LabCompany(models.Model):
    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="lab_companies")
    external_id = models.CharField(max_length=KEY)
    name = models.CharField(max_length=255, default="")
    short_name = models.CharField(max_length=255, default="")
    as_of = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["practice", "external_id"], name="lab_company_once")
        ]

    def __str__(self) -> str:
        return self.name or self.external_id


class LabTest(models.Model):
    """A test of the catalogue. Removed tests stay, marked retired, so that old orders keep their names."""

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="lab_tests")
    external_id = models.CharField(max_length=KEY)
    name = models.CharField(max_length=500, default="")
    lab_company_id_external = models.CharField(max_length=KEY, default="")
    lab_company_name = models.CharField(max_length=255, default="")
    category = models.CharField(max_length=255, default="")
    price = models.DecimalField(
        max_digits=14, decimal_places=4, null=True
    )  # as the peer gives it, unit unknown
    turnaround_days = models.IntegerField(null=True)
    shipping_days_min = models.IntegerField(null=True)
    shipping_days_max = models.IntegerField(null=True)
    is_addon = models.BooleanField(default=False)
    parent_id_external = models.CharField(max_length=KEY, default="")
    available = models.BooleanField(default=True)
    unavailable_reason = models.CharField(max_length=500, default="")
    url = models.CharField(max_length=1000, default="")
    sample_report_url = models.CharField(max_length=1000, default="")
    retired = models.BooleanField(default=False)
    as_of = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["practice", "external_id"], name="lab_test_once")
        ]

    def __str__(self) -> str:
        return self.name or self.external_id


class LabTestChange(models.Model):
    """One change of a test that matters to whoever orders it. By the test's key: the row may be made later."""

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="+")
    external_id = models.CharField(max_length=KEY)
    field = models.CharField(max_length=32)  # a word of `mirror/lab_tests.py`, or "new"
    before = models.CharField(max_length=64, default="")  # "" where nothing was known
    after = models.CharField(max_length=64, default="")
    at = models.DateTimeField()  # the peer's time of what told it

    class Meta:
        ordering: ClassVar = ["at", "id"]
        indexes: ClassVar = [
            models.Index(fields=["practice", "at"], name="lab_test_change_at"),
            models.Index(fields=["practice", "external_id"], name="lab_test_change_of"),
        ]

    def __str__(self) -> str:
        return f"{self.external_id} {self.field}"


class Protocol(models.Model):
    """A bundle of tests that the practice keeps in its own Caspio tables, as it was last read there."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="protocols")
    external_id = models.CharField(max_length=CASPIO_KEY)
    name = models.CharField(max_length=255, default="")
    active = models.BooleanField(default=True)
    notes = SealedTextField(null=True)  # the practice's own words
    tests = models.JSONField(default=list)  # [{"key", "test", "sort"}]: their key, Rupa's id of the test
    #: Whether it has a row of its own in Caspio; else its tests alone name it.
    has_row = models.BooleanField(default=True)
    present = models.BooleanField(default=True)  # False: made here and not in Caspio yet, or deleted there
    read_at = models.DateTimeField(null=True)
    #: Until when somebody has seen what the catalogue changed in it. What changed before it was known is no news.
    seen_until = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["name", "external_id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["practice", "external_id"], name="protocol_once")
        ]

    def __str__(self) -> str:
        return self.external_id

    @property
    def sealed_for(self) -> uuid.UUID:
        return self.practice_id
