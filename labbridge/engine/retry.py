"""Retry policies are values: how long to wait after which attempt, and when to give up."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class RetryPolicy:
    """Exponential waits with jitter up to a cap, for as long as `give_up_after`."""

    first: timedelta = timedelta(seconds=2)
    factor: float = 2.0
    cap: timedelta = timedelta(hours=1)
    give_up_after: timedelta = timedelta(days=5)
    jitter: float = 0.2
    surprises: int = 5  #: attempts for an error that nobody foresaw: waiting does not mend a fault of ours

    def wait(self, attempt: int, retry_after: float | None = None) -> timedelta:
        """How long to wait after attempt number `attempt` (from 1). The peer's own wish is the least."""
        steps = min(attempt - 1, 60)
        seconds = min(self.first.total_seconds() * self.factor**steps, self.cap.total_seconds())
        seconds *= 1 + random.uniform(-self.jitter, self.jitter)  # noqa: S311  # spreads load, guards nothing
        return timedelta(seconds=max(seconds, min(retry_after or 0.0, 24 * 3600)))

    @property
    def attempts(self) -> int:
        """How many attempts fit into `give_up_after`."""
        total, count, wait = 0.0, 1, self.first.total_seconds()
        while (total := total + min(wait, self.cap.total_seconds())) <= self.give_up_after.total_seconds():
            count, wait = count + 1, wait * self.factor
        return count


#: Work with a peer: blips are over in seconds, outages in hours, a practice on holiday in days.
PEER = RetryPolicy()
#: Work on our own rows: nothing outside can make it fail for long.
OWN = RetryPolicy(first=timedelta(seconds=1), cap=timedelta(minutes=5), give_up_after=timedelta(hours=6))
