"""The watch, by the clock."""

from __future__ import annotations

from django.utils import timezone

from labbridge.engine.jobs import every, task
from labbridge.engine.retry import OWN
from labbridge.reconcile.watch.look import look


@every("*/5 * * * *")
@task("watch", policy=OWN)
def watch() -> None:
    """One scheduler acts at a time however many workers run (engine/jobs.py)."""
    look(timezone.now())
