"""The account's per-second limit on API calls (caspio-api.md 3.1)."""

import threading
import time
from collections.abc import Callable


class Throttle:
    """A token bucket of one second's calls; None lets everything pass."""

    def __init__(self, per_second: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_second = per_second
        self._clock = clock
        self._lock = threading.Lock()
        self._room = max(per_second or 0.0, 1.0)
        self._at = clock()

    def admits(self) -> bool:
        if self.per_second is None:
            return True
        with self._lock:
            now = self._clock()
            self._room = min(self._room + (now - self._at) * self.per_second, max(self.per_second, 1.0))
            self._at = now
            if self._room < 1:
                return False
            self._room -= 1
            return True
