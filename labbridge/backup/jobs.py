"""The scheduled backup: once a day after a given hour, caught up when the service was down then."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from labbridge.backup.models import Backup
from labbridge.backup.seal import BackupProblem
from labbridge.backup.store import make, target_for, thin_out
from labbridge.engine.jobs import NotYet, every, task
from labbridge.engine.retry import RetryPolicy

PATIENT = RetryPolicy(first=timedelta(minutes=5), cap=timedelta(hours=1), give_up_after=timedelta(hours=20))


@every("*/15 * * * *")
@task("scheduled_backup", policy=PATIENT)
def scheduled_backup() -> None:
    directory, now = settings.DEPLOYMENT.backup_dir, timezone.now()
    if directory is None or not is_due(now):
        return
    if not directory.is_dir():
        # It is not made: a disk that is not mounted must not be mistaken for an empty directory.
        raise NotYet("LABBRIDGE_BACKUP_DIR is not a directory.")
    try:
        make(target_for(directory, now), now, scheduled=True)
    except BackupProblem as problem:
        raise NotYet(str(problem)) from None
    thin_out(directory, settings.DEPLOYMENT.backup_keep)


def is_due(now: datetime) -> bool:
    """Whether the last backup hour (UTC) has passed without a backup."""
    hour = now.replace(hour=settings.DEPLOYMENT.backup_hour, minute=0, second=0, microsecond=0)
    last_hour = hour if hour <= now else hour - timedelta(days=1)
    return not Backup.objects.filter(scheduled=True, made_at__gte=last_hour).exists()
