"""What this machine and its backups show."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta

from django.conf import settings

from labbridge.alerts.observe import Finding, found
from labbridge.backup.models import Backup

MEGABYTE = 1024 * 1024
LOW = (10, 20_000)  #: percent and megabytes: less of both, for a large disk has room at 10 %
FULL = (3, 2_000)
LEAST = 300  #: megabytes; less is full on any disk
BACKUP_AGE = timedelta(hours=26)  #: of daily backups, with two hours for the writing


def disk(_now: datetime) -> list[Finding]:
    usage = shutil.disk_usage(settings.DEPLOYMENT.data_dir)
    percent, megabytes = round(100 * usage.free / usage.total), usage.free // MEGABYTE
    rule = disk_rule(percent, megabytes)
    return [found(rule, percent=percent, megabytes=megabytes)] if rule else []


def disk_rule(percent: int, megabytes: int) -> str:
    """The rule that so much room falls under, "" for none."""
    if megabytes < LEAST:
        return "disk_full"
    for rule, (least_percent, least_megabytes) in (("disk_full", FULL), ("disk_low", LOW)):
        if percent < least_percent and megabytes < least_megabytes:
            return rule
    return ""


def backups(now: datetime) -> list[Finding]:
    """With a schedule, a backup a day is expected; without one, one at all."""
    newest = Backup.objects.last()
    if newest is None:
        return [found("backup_missing")]
    if settings.DEPLOYMENT.backup_dir is not None and now - newest.made_at > BACKUP_AGE:
        return [found("backup_old", since=newest.made_at)]
    return []
