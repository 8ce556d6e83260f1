from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, NoReturn

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Upper
from django.utils import timezone


class DataKey(models.Model):
    """A data key, wrapped by a key of the deployment (trust/envelope.py). Its id is that of whom it belongs to."""

    id = models.UUIDField(primary_key=True, editable=False)
    wrapped = models.BinaryField(null=True)  # None: destroyed, and never made again
    made_at = models.DateTimeField(default=timezone.now)
    destroyed_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"data key {self.pk}"


class LegalHold(models.Model):
    """Somebody may sue, or an authority asks: what is held stays, whatever a policy says."""

    practice = models.CharField(max_length=50)
    patients = ArrayField(
        models.CharField(max_length=32), default=list
    )  # pseudonyms; none: the whole practice
    why = models.CharField(max_length=300)
    set_by = models.CharField(max_length=150)
    set_at = models.DateTimeField(default=timezone.now)
    lifted_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["set_at"]

    def __str__(self) -> str:
        return f"hold {self.pk}"


class AppendOnly(Exception):
    """An entry of the audit cannot be changed or removed."""


class AuditQuerySet(models.QuerySet["AuditEntry"]):
    """Rows can be added and read. The database refuses the rest too (migration `audit`)."""

    def update(self, **_values: Any) -> NoReturn:  # any: Django's shape
        raise AppendOnly("The audit is append-only: nothing in it is changed.")

    def delete(self) -> NoReturn:
        raise AppendOnly("The audit is append-only: `labbridge retention run` removes what is too old.")

    def bulk_update(self, *_objects: Any, **_more: Any) -> NoReturn:  # any: Django's shape
        raise AppendOnly("The audit is append-only: nothing in it is changed.")


class AuditEntry(models.Model):
    """Who did what, on which patient, from where, why, and with what outcome. Holds no patient data.

    `seq`, `previous` and `digest` are its place in the chain; they are empty until the sealer has come by, within a
    minute (trust/sealing.py), and are set once.
    """

    at = models.DateTimeField(default=timezone.now)
    action = models.CharField(max_length=40)
    actor_kind = models.CharField(max_length=10)
    actor_id = models.CharField(max_length=64, default="")
    actor_name = models.CharField(max_length=150, default="")
    practice = models.CharField(max_length=50, default="")  # its slug; "" when no practice is concerned
    patients = ArrayField(models.CharField(max_length=32), default=list)  # keyed pseudonyms
    subject = models.CharField(max_length=120, default="")  # a kind and an id of ours, such as "case:0192…"
    source = models.CharField(max_length=45, default="")  # address of the request
    why = models.CharField(max_length=300, default="")
    outcome = models.CharField(max_length=10)
    count = models.PositiveBigIntegerField(null=True)
    detail = models.JSONField(default=dict)  # short words and numbers, never data
    seq = models.PositiveBigIntegerField(null=True)  # within its practice's chain
    previous = models.CharField(max_length=64, default="")
    digest = models.CharField(max_length=64, default="")

    objects = AuditQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["practice", "seq"], name="audit_place_once")]
        indexes: ClassVar = [
            models.Index(fields=["practice", "id"], name="audit_unsealed", condition=models.Q(seq=None)),
            models.Index(fields=["at"], name="audit_at"),
            models.Index(fields=["practice", "at"], name="audit_practice"),
            models.Index(fields=["actor_id", "at"], name="audit_actor"),
            models.Index(Upper("actor_name"), "at", name="audit_actor_name"),
            models.Index(fields=["action", "at"], name="audit_action"),
            models.Index(fields=["outcome", "at"], name="audit_outcome", condition=~models.Q(outcome="done")),
            models.Index(fields=["subject"], name="audit_subject"),
            GinIndex(fields=["patients"], name="audit_patients"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.pk}"

    def save(self, *args: Any, **kwargs: Any) -> None:  # any: Django's shape
        if not self._state.adding:
            raise AppendOnly("The audit is append-only: nothing in it is changed.")
        super().save(*args, **kwargs)

    def delete(self, *_args: Any, **_kwargs: Any) -> NoReturn:  # any: Django's shape
        raise AppendOnly("The audit is append-only: `labbridge retention run` removes what is too old.")


class AuditHead(models.Model):
    """A signed statement: a practice's chain ended here at that time. The same line goes to the anchor outside."""

    practice = models.CharField(max_length=50, default="")
    seq = models.PositiveBigIntegerField()
    line = models.TextField()  # as in the anchor file (docs/audit-format.md)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["practice", "seq"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["practice", "seq"], name="audit_head_once")]

    def __str__(self) -> str:
        return f"head {self.seq}"


def pseudonym_list(values: Iterable[str]) -> list[str]:
    """Once each, in a fixed order: the chain hangs on it."""
    return sorted(set(values))


class FormerKey(models.Model):
    """Another installation's signing key: a practice came from there with a chain that it had signed.

    It counts for that one chain, and for rows up to `seq` only. The statement is signed with a key of ours, so that
    whoever can write to the database cannot have a key of their own believed (trust/former.py).
    """

    chain = models.CharField(max_length=100)
    seq = models.PositiveBigIntegerField()  # the last row that came along, 0 when none did
    digest = models.CharField(max_length=64)
    public = models.CharField(max_length=64)  # hexadecimal
    at = models.CharField(max_length=40)
    key = models.CharField(max_length=16)
    signature = models.CharField(max_length=100)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["chain", "public"], name="former_key_once")]

    def __str__(self) -> str:
        return f"former key of {self.chain}"


class FormerPseudonym(models.Model):
    """What a chart or a patient is called in audit entries that came from another installation."""

    pseudonym = models.CharField(max_length=32)
    model = models.CharField(max_length=40)  # such as "mirror.chart"
    row = models.UUIDField()
    practice = models.CharField(max_length=50)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["practice", "pseudonym"], name="former_pseudonym_once")
        ]
        indexes: ClassVar = [models.Index(fields=["model", "row"], name="former_pseudonym_of")]

    def __str__(self) -> str:
        return f"former pseudonym {self.pk}"
