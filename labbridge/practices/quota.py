"""The speed limit and the call meter of a peer's account, shared by all processes through the database.

Both are one statement each. The limiter's table is unlogged (after a power cut everybody simply starts anew) and
the meter commits without waiting for the disk: neither may slow down the calls that it watches.
"""

from __future__ import annotations

import time
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import connection

from labbridge.database.prepared import Prepared

#: Of the allowed rate: how slow a refused account gets, and how much faster with each call let through.
SLOWEST, GROWTH = 0.1, 0.02
MAX_BURST = 5  #: caspio-api.md 3.1: "token bucket 5 req/s, burst 5"

# The generic cell rate algorithm: `free_at` is when the bucket would be full again.
_ACQUIRE = Prepared("""
INSERT INTO practices_rate AS held (account, rate, free_at)
VALUES ($1, $2::float8, clock_timestamp() + make_interval(secs => $3::float8 / $2::float8))
ON CONFLICT (account) DO UPDATE SET
  rate = least($2::float8, held.rate + $4::float8 * $2::float8),
  free_at = greatest(held.free_at, clock_timestamp()) + make_interval(secs => $3::float8 / held.rate)
RETURNING extract(epoch FROM free_at - clock_timestamp()) - $5::float8 / rate
""")
_COUNT = Prepared("SELECT practices_count_calls($1, $2, $3::date, $4::bigint)")
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
    def _burst(self) -> float:
        return max(1.0, min(MAX_BURST, self.ceiling))

    def acquire(self, cost: int = 1) -> None:
        """Wait for our turn. Turns are handed out in the order of asking, across all processes."""
        given = (self.ceiling, cost, GROWTH, self._burst)
        ((answer,),) = _ACQUIRE.rows([self.account, *map(str, given)])
        wait = float(answer or 0)
        if wait > 0:
            time.sleep(wait)

    def slow_down(self, retry_after: float | None) -> None:
        """The peer refused for speed: half the rate for everybody, after a pause."""
        pause = min(retry_after if retry_after is not None else 1.0, self.MAX_PAUSE)
        with connection.cursor() as cursor:
            cursor.execute(
                _SLOW_DOWN,
                {
                    "account": self.account, "ceiling": self.ceiling, "burst": self._burst, "slowest": SLOWEST,
                    "pause": pause,
                },
            )  # fmt: skip

    def speed_up(self) -> None:
        """Growth is part of `acquire`, which saves a statement per call."""


class SharedMeter:
    """Counts the calls sent to one account by purpose and by the practice's own day."""

    def __init__(self, account: str, zone: ZoneInfo) -> None:
        self.account, self.zone = account, zone

    def count(self, purpose: str, calls: int = 1) -> None:
        today = datetime.now(self.zone).date()
        _COUNT.rows([self.account, purpose, today.isoformat(), str(calls)])
