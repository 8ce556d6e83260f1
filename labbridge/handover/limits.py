"""How often a key may call: one statement for each call, shared by all processes through the key's own row.

The generic cell rate algorithm: `free_at` is when the whole allowance of a minute would be free again. A call moves
it on by one interval; a call that would move it past a minute from now is refused and moves nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from django.db import connection

from labbridge.handover.models import ApiKey

WINDOW = 60.0  #: seconds

_TAKE = """
UPDATE handover_apikey SET last_used_at = clock_timestamp(),
  free_at = greatest(free_at, clock_timestamp()) + make_interval(secs => %(interval)s)
WHERE id = %(id)s
  AND greatest(free_at, clock_timestamp()) + make_interval(secs => %(interval)s)
      <= clock_timestamp() + make_interval(secs => %(window)s)
RETURNING extract(epoch FROM free_at - clock_timestamp())
"""
_LOOK = "SELECT extract(epoch FROM free_at - clock_timestamp()) FROM handover_apikey WHERE id = %(id)s"


@dataclass(frozen=True)
class Allowance:
    """What is left of a key's calls. `full_in` seconds until all are free, `wait` seconds until one is."""

    allowed: bool
    limit: int
    remaining: int
    full_in: int
    wait: int

    def headers(self) -> dict[str, str]:
        said = {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.full_in),
        }
        return said if self.allowed else {**said, "Retry-After": str(self.wait)}


def take(key: ApiKey) -> Allowance:
    """Count one call of this key, or say when the next may come. Notes that the key was used."""
    interval = WINDOW / key.per_minute
    values: dict[str, str | float] = {"id": str(key.pk), "interval": interval, "window": WINDOW}
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, values)
        row = cursor.fetchone()
        allowed = row is not None
        if row is None:
            cursor.execute(_LOOK, values)
            row = cursor.fetchone()
    ahead = max(0.0, float(row[0] or 0) if row else 0.0)
    left = max(0, math.floor((WINDOW - ahead) / interval + 1e-6))
    wait = max(1, math.ceil(ahead + interval - WINDOW))
    return Allowance(allowed, key.per_minute, left, math.ceil(ahead), wait)
