"""Time to a result, counting what is still open honestly: the Kaplan-Meier estimator over whole days.

An order that has waited ten days without a result says that its wait is longer than ten days. Leaving such orders
out makes every lab look faster than it is; taking them as results makes it look faster still.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: Fewer results than this, and a percentile says more about one patient than about the lab.
TOO_FEW = 5
_EQUAL = 1e-12


@dataclass(frozen=True)
class Waits:
    """How many waits ended with a result, or were cut short (open, or canceled), after so many days."""

    resulted: Mapping[int, int]
    cut_short: Mapping[int, int]

    @property
    def results(self) -> int:
        return sum(self.resulted.values())

    @property
    def open(self) -> int:
        return sum(self.cut_short.values())

    def percentile(self, share: float) -> int | None:
        """Days until this share of tests has a result; None when too few have one, or it is not reached yet."""
        return self.percentiles([share])[0]

    def percentiles(self, shares: Sequence[float]) -> list[int | None]:
        """The same for several shares, which rise, in one pass."""
        found: list[int | None] = []
        results = self.results
        if results >= TOO_FEW:
            waiting, remaining = results + self.open, 1.0
            for days in sorted({*self.resulted, *self.cut_short}):
                arrived = self.resulted.get(days, 0)
                if arrived:
                    remaining *= 1 - arrived / waiting
                    while len(found) < len(shares) and remaining <= 1 - shares[len(found)] + _EQUAL:
                        found.append(days)
                waiting -= arrived + self.cut_short.get(days, 0)
        return found + [None] * (len(shares) - len(found))
