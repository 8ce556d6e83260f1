from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone


class Pulse(models.Model):
    """When something that must never stop last ran, such as the rescue of stalled jobs."""

    name = models.CharField(max_length=40, primary_key=True)
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name


class Tally(models.Model):
    """How often something happened in one hour, in all processes together."""

    name = models.CharField(max_length=60)
    hour = models.DateTimeField()
    count = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["name", "hour"], name="tally_once")]

    def __str__(self) -> str:
        return f"{self.name} {self.hour}"


class Failure(models.Model):
    """Why the last attempt of a job failed: a sentence without data. It goes when the job has succeeded."""

    job_id = models.BigIntegerField(
        primary_key=True
    )  # of the engine's own table, which migrations do not know
    reason = models.CharField(max_length=300)
    surprises = models.PositiveIntegerField(
        default=0
    )  # failures that nobody foresaw: these are counted apart
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"job {self.job_id}"
