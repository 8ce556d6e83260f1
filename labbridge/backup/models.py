from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.db import models


class Backup(models.Model):
    """One backup that was written and read back. The file may be gone since; this is how its age is known."""

    made_at = models.DateTimeField()  # the moment whose state it holds
    size = models.PositiveBigIntegerField()
    seconds = models.FloatField()
    scheduled = models.BooleanField(default=False)

    class Meta:
        ordering: ClassVar = ["made_at"]

    def __str__(self) -> str:
        return f"backup of {self.made_at}"


def backup_age(now: datetime) -> int | None:
    """Seconds since the newest backup; None without one."""
    newest = Backup.objects.last()
    return None if newest is None else int((now - newest.made_at).total_seconds())
