"""How far the peers' clocks are from ours, learnt from the answers that come anyhow."""

from __future__ import annotations

import time

from django.db import connection
from django.utils import timezone

from labbridge.practices.models import PeerClock

REST = 300.0  #: seconds between two notes of one process

_noted: dict[str, float] = {}


def note_clock(peer: str, ahead_seconds: float | None) -> None:
    """Keep what an answer's Date header told. Cheap: one statement in five minutes, never inside a transaction."""
    if ahead_seconds is None or connection.in_atomic_block:
        return
    if time.monotonic() - _noted.get(peer, -REST) < REST:
        return
    _noted[peer] = time.monotonic()
    PeerClock.objects.update_or_create(
        peer=peer, defaults={"ahead_seconds": ahead_seconds, "read_at": timezone.now()}
    )
