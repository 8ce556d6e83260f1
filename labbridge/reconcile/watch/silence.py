"""When a peer has been silent for longer than it usually is.

A practice sleeps at night and rests on Sundays, so plain hours would alarm every morning. Time is counted in the
hours of the week in which events usually come; gaps are measured on that clock, and so is the present silence.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID
from zoneinfo import ZoneInfo

from labbridge.database.statements import fetch

HISTORY = timedelta(days=28)
LEAST_EVENTS = 10  #: fewer say nothing about what is usual
LEAST_SPAN = timedelta(days=3)
LEAST_GAP = timedelta(minutes=30)  #: busier peers than that are not called silent sooner
PATIENCE = 1.5  #: usual gaps; the look that finds it comes within minutes, so it is told within two
_HOUR = 3600
_WEEK = 7 * 24


@dataclass(frozen=True)
class Profile:
    """What is usual for one peer of one practice."""

    hours: frozenset[int]  #: of the week, from Monday 0:00, in which events usually come
    gap: timedelta  #: that 99 of 100 gaps do not exceed, counted in those hours
    zone: ZoneInfo

    def counted(self, start: datetime, end: datetime) -> timedelta:
        """The time between two moments, counted in usual hours."""
        return _counted(self.hours, self.zone, start, end)

    def silent(self, last: datetime, now: datetime) -> bool:
        return self.counted(last, now) > PATIENCE * self.gap


def profile(moments: Sequence[datetime], zone: ZoneInfo) -> Profile | None:
    """What is usual, from the moments at which events came, oldest first; None while too little is known."""
    if len(moments) < LEAST_EVENTS or moments[-1] - moments[0] < LEAST_SPAN:
        return None
    hours = _usual_hours(moments, zone)
    gaps = sorted(_counted(hours, zone, earlier, later) for earlier, later in pairwise(moments))
    # The longest may be an outage that nobody should get used to.
    place = min(math.ceil(0.99 * len(gaps)) - 1, len(gaps) - 2)
    return Profile(hours, max(gaps[place], LEAST_GAP), zone)


def _usual_hours(moments: Sequence[datetime], zone: ZoneInfo) -> frozenset[int]:
    """Hours of the week with events in two weeks at least; with those beside them, or all, where events are few."""
    weeks: dict[int, set[int]] = defaultdict(set)
    counts: Counter[int] = Counter()
    for moment in moments:
        local = moment.astimezone(zone)
        weeks[_hour_of_week(local)].add(local.toordinal() // 7)
        counts[_hour_of_week(local)] += 1
    needed = min(2, len(set().union(*weeks.values())))
    hours = {hour for hour, seen in weeks.items() if len(seen) >= needed}
    wider = {(hour + near) % _WEEK for hour in hours for near in (-1, 0, 1)}
    for chosen, share in ((hours, 0.95), (wider, 0.9)):
        if sum(counts[hour] for hour in chosen) >= share * len(moments):
            return frozenset(chosen)
    return frozenset(range(_WEEK))


def _hour_of_week(local: datetime) -> int:
    return local.weekday() * 24 + local.hour


def _counted(hours: frozenset[int], zone: ZoneInfo, start: datetime, end: datetime) -> timedelta:
    seconds = 0.0
    at = start.astimezone(UTC)
    end = end.astimezone(UTC)
    while at < end:
        following = min(end, datetime.fromtimestamp((int(at.timestamp()) // _HOUR + 1) * _HOUR, UTC))
        if _hour_of_week(at.astimezone(zone)) in hours:
            seconds += (following - at).total_seconds()
        at = following
    return timedelta(seconds=seconds)


# -- the peers of all practices ------------------------------------------------------------------------------

Key = tuple[UUID, str]

# Nine events of one burst are one sign of life; the newest is found exactly by _LATEST.
_MOMENTS = """
SELECT practice_id, peer, date_bin('5 minutes', received_at, '2000-01-01') AS moment
FROM inbox_event WHERE practice_id IS NOT NULL AND received_at > %s AND received_at <= %s
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
_LATEST = """
SELECT practice_id, peer, max(received_at) FROM inbox_event
WHERE practice_id IS NOT NULL AND received_at > %s AND received_at <= %s GROUP BY 1, 2
"""


class Listener:
    """Knows what is usual, and learns it anew every few hours: that reads four weeks of events."""

    LEARNT_EVERY = timedelta(hours=6)

    def __init__(self) -> None:
        self._profiles: dict[Key, Profile | None] = {}
        self._learnt_at: datetime | None = None

    def silent(self, zones: dict[UUID, ZoneInfo], now: datetime) -> list[tuple[UUID, str, datetime, Profile]]:
        """Practice, peer, when it was last heard and what is usual, for every peer that is silent."""
        if self._learnt_at is None or not timedelta(0) <= now - self._learnt_at < self.LEARNT_EVERY:
            self._learn(zones, now)
        found = []
        for practice_id, peer, last in fetch(_LATEST, [now - HISTORY, now]):
            usual = self._profiles.get((practice_id, peer))
            if usual is not None and usual.silent(last, now):
                found.append((practice_id, peer, last, usual))
        return found

    def _learn(self, zones: dict[UUID, ZoneInfo], now: datetime) -> None:
        moments: dict[Key, list[datetime]] = defaultdict(list)
        for practice_id, peer, moment in fetch(_MOMENTS, [now - HISTORY, now]):
            moments[practice_id, peer].append(moment)
        self._profiles = {
            key: profile(times, zones[key[0]]) for key, times in moments.items() if key[0] in zones
        }
        self._learnt_at = now
