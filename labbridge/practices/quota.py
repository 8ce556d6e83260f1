"""The speed limit and the call meter of a peer's account, shared by all processes through the database.

Both are one statement each. The limiter's table is unlogged (after a power cut everybody simply starts anew) and
the meter commits without waiting for the disk: neither may slow down the calls that it watches.
"""

from __future__ import annotations

import time
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import connection

#: Of the allowed rate: how slow a refused account gets, and how much faster with each call let through.
SLOWEST, GROWTH = 0.1, 0.02
MAX_BURST = 5  #: caspio-api.md 3.1: "token bucket 5 req/s, burst 5"

# The generic cell rate algorithm: `free_at` is when the bucket would be full again.
_ACQUIRE = """
INSERT INTO practices_rate AS held (account, rate, free_at)
VALUES (%(account)s, %(ceiling)s, clock_timestamp() + make_interval(secs => %(cost)s / %(ceiling)s))
ON CONFLICT (account) DO UPDATE SET
  rate = least(%(ceiling)s, held.rate + %(growth)s * %(ceiling)s),
  free_at = greatest(held.free_at, clock_timestamp()) + make_interval(secs => %(cost)s / held.rate)
RETURNING extract(epoch FROM free_at - clock_timestamp()) - %(burst)s / rate
"""
_SLOW_DOWN = """
UPDATE practices_rate SET rate = greatest(rate / 2, %(slowest)s * %(ceiling)s),
  free_at = greatest(free_at, clock_timestamp() + make_interval(
    secs => %(pause)s + %(burst)s / greatest(rate / 2, %(slowest)s * %(ceiling)s)))
WHERE account = %(account)s
"""


class SharedLimiter:
    """A token bucket for one account. `rate` is calls a second; a burst is at most one second's worth."""

    MAX_PAUSE = 300.0  #: seconds; a longer wish of the peer is a matter for the job's own retry

    def __init__(self, account: str, rate: float) -> None:
        self.account, self.ceiling = account, rate

    @property
    def _values(self) -> dict[str, str | float]:
        burst = max(1.0, min(MAX_BURST, self.ceiling))
        return {
            "account": self.account,
            "ceiling": self.ceiling,
            "burst": burst,
            "growth": GROWTH,
            "slowest": SLOWEST,
        }

    def acquire(self, cost: int = 1) -> None:
        """Wait for our turn. Turns are handed out in the order of asking, across all processes."""
        with connection.cursor() as cursor:
            cursor.execute(_ACQUIRE, {**self._values, "cost": cost})
            wait = float(cursor.fetchone()[0])
        if wait > 0:
            time.sleep(wait)

    def slow_down(self, retry_after: float | None) -> None:
        """The peer refused for speed: half the rate for everybody, after a pause."""
        pause = min(retry_after if retry_after is not None else 1.0, self.MAX_PAUSE)
        with connection.cursor() as cursor:
            cursor.execute(_SLOW_DOWN, {**self._values, "pause": pause})

    def speed_up(self) -> None:
        """Growth is part of `acquire`, which saves a statement per call."""


class SharedMeter:
    """Counts the calls sent to one account by purpose and by the practice's own day."""

    def __init__(self, account: str, zone: ZoneInfo) -> None:
        self.account, self.zone = account, zone

    def count(self, purpose: str, calls: int = 1) -> None:
        today = datetime.now(self.zone).date()
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT practices_count_calls(%s, %s, %s, %s)", [self.account, purpose, today, calls]
            )
