from __future__ import annotations

from typing import Any, ClassVar, NoReturn

from django.db import models
from django.db.models import Q
from django.utils import timezone

from labbridge.mirror.models import ResultSource
from labbridge.practices.models import Practice
from labbridge.trust.chain import Entry
from labbridge.trust.ids import new_id


class Verdict(models.TextChoices):
    TAKEN = "taken"
    REVIEW = "review"  # a person must look before it can be taken
    REJECTED = "rejected"  # cannot be taken at all; `reason` says why


class Listed(models.Model):
    """An order that Rupa's own list names: what the ledger counts from."""

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="+")
    external_id = models.CharField(max_length=255)
    present = models.BooleanField(default=True)  # named by the newest complete listing, or since
    verdict = models.CharField(max_length=8, choices=Verdict.choices, default=Verdict.TAKEN)
    reason = models.CharField(max_length=300, default="")
    fingerprint = models.BinaryField(max_length=16, null=True)  # of what the list said of it
    revision = models.IntegerField(default=-1)  # of our order when it was found to say the same
    listed_at = models.DateTimeField()  # the newest listing that named it

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["practice", "external_id"], name="listed_once")
        ]
        indexes: ClassVar = [models.Index(fields=["practice", "listed_at"], name="listed_at")]

    def __str__(self) -> str:
        return self.external_id


class SweepState(models.TextChoices):
    OPEN = "open"  # compares and repairs; one that died here starts comparing anew
    SETTLING = "settling"  # all was repaired or queued; waits until it is filed
    DONE = "done"


class Sweep(models.Model):
    """One comparison of a practice with both peers. One at a time is open; whoever sweeps next finishes it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="sweeps")
    state = models.CharField(max_length=8, choices=SweepState.choices, default=SweepState.OPEN)
    depth = models.CharField(max_length=8)
    started_at = models.DateTimeField(default=timezone.now)
    repaired_at = models.DateTimeField(null=True)  # all was compared, and repaired or queued
    finished_at = models.DateTimeField(null=True)
    listed_whole = models.BooleanField(default=False)  # every connection's list was read to its end
    counts = models.JSONField(default=dict)
    left = models.JSONField(default=list)  # sentences: what is left for a person, and why

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["practice"], condition=~Q(state="done"), name="sweep_open_once")
        ]
        indexes: ClassVar = [models.Index(fields=["practice", "started_at"], name="sweep_started")]

    def __str__(self) -> str:
        return f"sweep {self.pk}"


class Kind(models.TextChoices):
    """What a sweep found and repaired."""

    ORDER_MISSED = "order_missed"  # Rupa lists an order that we did not hold
    ORDER_CHANGED = "order_changed"  # or another state, test or result of one that we did
    RESULT_AMENDED = "result_amended"  # its file is another one under an unchanged date
    ROW_DELETED = "row_deleted"  # a row that we filed is gone from Caspio
    ROW_EDITED = "row_edited"  # or somebody changed what we filed in it
    FILE_GONE = "file_gone"  # or took its file away
    JOB_MISSING = "job_missing"  # work was noted and no job stood for it
    REQUEST_MISSED = "request_missed"  # a row asks for labs and nobody had answered it
    EVENT_STUCK = "event_stuck"  # an event was kept and no job stood for it


class Repair(models.Model):
    """One difference that a sweep found and set right, by the id of what it was about."""

    sweep = models.ForeignKey(Sweep, on_delete=models.CASCADE, related_name="repairs")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    subject = models.CharField(max_length=300)  # such as "ord_x" or "lab_orders:ord_x": keys, never data
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["sweep", "kind", "subject"], name="repair_once")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"


class RowRound(models.Model):
    """How far the comparison of one Caspio table has come: a share of it is read in each sweep."""

    practice = models.ForeignKey(Practice, on_delete=models.CASCADE, related_name="+")
    table = models.CharField(max_length=32)  # our word
    after = models.BigIntegerField(default=0)  # PK_ID behind which to go on
    whole_at = models.DateTimeField(null=True)  # when its last row was reached

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["practice", "table"], name="row_round_once")]

    def __str__(self) -> str:
        return f"{self.table} behind {self.after}"


class FileCheck(models.Model):
    """When a result's file at Rupa was last compared with the one that we hold."""

    source = models.OneToOneField(ResultSource, on_delete=models.CASCADE, related_name="file_check")
    checked_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"file of {self.source_id}"


class LedgerEntry(models.Model):
    """One row of a practice's completeness ledger: a signed link of its chain (trust/chain.py). Append-only."""

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="ledger")
    seq = models.PositiveIntegerField()
    chain = models.CharField(max_length=100)
    date = models.DateField()  # of the practice's own calendar; for looking up, `body` is what counts
    previous = models.CharField(max_length=64)
    body = models.JSONField()
    digest = models.CharField(max_length=64)
    key = models.CharField(max_length=16)
    signature = models.CharField(max_length=100)

    class Meta:
        ordering: ClassVar = ["seq"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["practice", "seq"], name="ledger_entry_once")
        ]
        indexes: ClassVar = [models.Index(fields=["practice", "date"], name="ledger_date")]

    def __str__(self) -> str:
        return f"{self.chain} {self.seq}"

    def save(self, *args: Any, **options: Any) -> None:
        if not self._state.adding:
            raise TypeError("An entry of the ledger is never changed.")
        super().save(*args, **options)

    def delete(self, *_args: Any, **_options: Any) -> NoReturn:
        raise TypeError("An entry of the ledger is never deleted.")

    def entry(self) -> Entry:
        body = self.body if isinstance(self.body, dict) else {}  # anything else is no entry of ours
        return Entry(self.chain, self.seq, self.previous, body, self.digest, self.key, self.signature)
