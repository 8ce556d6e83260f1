from __future__ import annotations

from datetime import tzinfo
from typing import ClassVar

from django.db import models
from django.utils import timezone

from labbridge.alerts.rules import RULES, Rule
from labbridge.alerts.words import Kind, spoken
from labbridge.trust.ids import new_id


class AlertState(models.TextChoices):
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Alert(models.Model):
    """One cause, from when it was first seen until it was gone. Holds typed words only (words.py)."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    practice = models.ForeignKey(
        "practices.Practice", null=True, on_delete=models.CASCADE, related_name="alerts"
    )
    rule = models.CharField(max_length=40)
    subject = models.CharField(max_length=80, default="")  # what it is about: a key of ours, a peer's word
    params = models.JSONField(default=dict)
    state = models.CharField(max_length=12, choices=AlertState.choices, default=AlertState.OPEN)
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()
    acknowledged_by = models.CharField(max_length=150, default="")
    acknowledged_at = models.DateTimeField(null=True)
    resolved_by = models.CharField(max_length=150, default="")  # "" when the cause went by itself
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["first_seen", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["practice", "rule", "subject"],
                condition=~models.Q(state="resolved"),
                nulls_distinct=False,
                name="alert_open_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.rule} {self.pk}"

    @property
    def definition(self) -> Rule:
        return RULES[self.rule]

    @property
    def ripe(self) -> bool:
        """Whether the cause has lasted long enough to be told."""
        return self.last_seen - self.first_seen >= self.definition.after

    def sentence(self, zone: tzinfo) -> str:
        kinds: dict[str, Kind] = self.definition.params
        return self.definition.sentence.format(**spoken(kinds, self.params, zone))


class Notice(models.Model):
    """What one channel was told about one alert: each occasion once, whatever was retried."""

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="notices")
    channel = models.CharField(max_length=32)
    occasion = models.CharField(max_length=20)  # raised, reminder:n, resolved
    sent_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["alert", "channel", "occasion"], name="notice_once")
        ]

    def __str__(self) -> str:
        return f"{self.occasion} of {self.alert_id}"


class Digest(models.Model):
    """The daily letter to one channel: when it was last sent. `report:…`: which month's report was told."""

    channel = models.CharField(max_length=120, primary_key=True)
    day = models.DateField()

    def __str__(self) -> str:
        return f"digest of {self.day}"
