from __future__ import annotations

from django.db import models
from django.utils import timezone


class Pulse(models.Model):
    """When something that must never stop last ran, such as the rescue of stalled jobs."""

    name = models.CharField(max_length=40, primary_key=True)
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name
