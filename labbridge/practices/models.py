from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import ClassVar
from zoneinfo import ZoneInfo

from django.db import models
from django.utils import timezone

from labbridge.trust.fields import SealedJSONField
from labbridge.trust.ids import new_id


class Practice(models.Model):
    """A practice, as its `practice.toml` describes it. `config` is the applied file without its secrets."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=200)
    time_zone = models.CharField(max_length=64, default="UTC")
    config = models.JSONField(default=dict)
    applied_at = models.DateTimeField(default=timezone.now)
    charts_read_at = models.DateTimeField(null=True)  # when its patients table was last read whole
    patients_read_at = models.DateTimeField(null=True)  # when Rupa's list of patients was last read whole
    patients_read_took = models.DurationField(null=True)  # that reading
    catalog_read_at = models.DateTimeField(null=True)
    alert_channels = SealedJSONField(null=True)  # addresses that alerts go to; they hold passwords
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["slug"]

    def __str__(self) -> str:
        return self.slug

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


class ConnectionState(models.TextChoices):
    ACTIVE = "active"
    RECONNECT = "reconnect"  # the authorisation is gone: a person must connect again
    ENDED = "ended"  # closed on purpose or moved away; its data stays


class Connection(models.Model):
    """An authorised account at a peer: the practice's Caspio account, or one practitioner's Rupa authorisation."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="connections")
    peer = models.CharField(max_length=16)
    account = models.CharField(
        max_length=255
    )  # Caspio: host of the account; Rupa: practitioner's e-mail or id
    state = models.CharField(max_length=12, choices=ConnectionState.choices, default=ConnectionState.ACTIVE)
    external_id = models.CharField(max_length=64, default="")  # Rupa: whose authorisation it is, once read
    problem = models.CharField(max_length=300, default="")
    refused_at = models.DateTimeField(null=True)  # since when Rupa refuses even a token that was made new
    credentials = SealedJSONField(null=True)  # client id and secret, tokens, webhook secret
    given_tokens = models.JSONField(
        default=list
    )  # keyed hashes of refresh tokens that practice.toml ever gave
    token_version = models.PositiveIntegerField(default=0)  # grows with each stored pair; never goes back
    spellings = models.JSONField(default=dict)  # which paths this peer answers to
    changed_at = models.DateTimeField(auto_now=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["practice", "peer", "account"], name="connection_once")
        ]

    def __str__(self) -> str:
        return f"{self.peer} of {self.practice.slug}"

    @property
    def sealed_for(self) -> uuid.UUID:
        return self.practice_id


class Practitioner(models.Model):
    """Somebody at Rupa whose orders belong to a practice: learnt from the connection's own listing."""

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="practitioners")
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="practitioners")
    external_id = models.CharField(max_length=64)
    name = models.CharField(max_length=200, default="")
    clinic_id = models.CharField(max_length=64, default="")
    learnt_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["external_id"], name="practitioner_once")]

    def __str__(self) -> str:
        return self.external_id


class Consent(models.Model):
    """One journey to Rupa's consent page: its `state` works once and for an hour."""

    LIFE: ClassVar = timedelta(hours=1)

    practice = models.ForeignKey(Practice, on_delete=models.CASCADE)
    state_hash = models.BinaryField(max_length=16, unique=True)
    started_by = models.CharField(max_length=150)
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=300, default="")

    def __str__(self) -> str:
        return f"consent {self.pk}"

    def usable(self, now: datetime) -> bool:
        return self.finished_at is None and now - self.started_at < self.LIFE


class PeerClock(models.Model):
    """How far a peer's clock was ahead of ours at its last answer."""

    peer = models.CharField(max_length=16, primary_key=True)
    ahead_seconds = models.FloatField()
    read_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"clock of {self.peer}"


class CallCount(models.Model):
    """Calls to a peer's account by purpose and day: the meter behind the monthly forecast."""

    account = models.CharField(max_length=255)
    purpose = models.CharField(max_length=40)
    day = models.DateField()
    calls = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "purpose", "day"], name="call_count_once")
        ]

    def __str__(self) -> str:
        return f"{self.account} {self.purpose} {self.day}"


class Preparing(models.TextChoices):
    TABLES = "tables"  # what is missing in Caspio is created
    PATIENTS = "patients"  # both sides' patients are read
    CATALOGUE = "catalogue"  # Rupa's catalogue is read and filed


class Preparation(models.Model):
    """How far one long step of setting a practice up is, and how it ended last."""

    practice = models.ForeignKey(Practice, on_delete=models.CASCADE, related_name="preparations")
    what = models.CharField(max_length=16, choices=Preparing.choices)
    fingerprint = models.CharField(max_length=64, default="")  # of the settings that it was done for
    doing = models.CharField(max_length=60, default="")  # what is counted
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(null=True)
    problem = models.CharField(max_length=500, default="")
    asked_by = models.CharField(max_length=150, default="")
    asked_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["practice", "what"], name="preparation_once")
        ]

    def __str__(self) -> str:
        return f"{self.what} of {self.practice.slug}"


class Area(models.TextChoices):
    SETTINGS = "settings"  # what practice.toml says
    PEOPLE = "people"  # who may do what


class ConfigVersion(models.Model):
    """One change of a practice's settings, from the console or the command line. It holds no secret in the clear.

    Texts are in the form of practice.toml. Rows are only added: an undo is a version of its own.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    area = models.CharField(max_length=8, choices=Area.choices, default=Area.SETTINGS)
    made_at = models.DateTimeField(default=timezone.now)
    actor_kind = models.CharField(max_length=10)  # person: in the console; operator: at the command line
    actor_name = models.CharField(max_length=150, default="")
    why = models.CharField(max_length=300, default="")
    before = models.TextField(default="")  # "" where the practice began
    after = models.TextField()
    sentences = models.JSONField(default=list)  # the difference in plain words
    sealed = SealedJSONField(null=True)  # secrets that it changed: {"before": {...}, "after": {...}}
    undoes = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="undone_by")

    class Meta:
        ordering: ClassVar = ["practice", "-number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["practice", "number"], name="config_version_once")
        ]

    def __str__(self) -> str:
        return f"version {self.number} of {self.practice.slug}"

    @property
    def title(self) -> str:
        return f"Version {self.number}"

    @property
    def sealed_for(self) -> uuid.UUID:
        return self.practice_id


class DryRun(models.Model):
    """What another field mapping would change, found out by reading the patients table with it. Writes nothing.

    It holds keys of rows and names of fields, no patient data.
    """

    KEPT: ClassVar = timedelta(days=1)

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    practice = models.ForeignKey(Practice, on_delete=models.CASCADE, related_name="dry_runs")
    base = models.PositiveIntegerField()  # the version of the settings that it is compared with
    proposal = models.JSONField()  # the fields as proposed: ours = theirs
    started_by = models.CharField(max_length=150)
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=300, default="")
    read = models.PositiveIntegerField(default=0)  # rows so far
    expected = models.PositiveIntegerField(default=0)  # rows that were there last time
    counts = models.JSONField(default=dict)
    rows = models.JSONField(default=list)  # [PK_ID, [parts that differ]], the first thousand

    def __str__(self) -> str:
        return f"dry run {self.pk}"
