"""What a peer client needs from its surroundings, and the plainest thing that fits each hole.

The service gives implementations that are shared by all processes; tests, benches and scripts use these.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import NamedTuple, Protocol


class Limiter(Protocol):
    """Keeps all callers of one account under its allowed rate."""

    def acquire(self, cost: int = 1) -> None:
        """Block until `cost` calls may be sent."""

    def slow_down(self, retry_after: float | None) -> None:
        """The peer refused for speed; `retry_after` seconds if it said so."""

    def speed_up(self) -> None:
        """A call was answered; the rate may grow back."""


class Meter(Protocol):
    """Counts what is sent: Caspio bills calls."""

    def count(self, purpose: str, calls: int = 1) -> None:
        """Add `calls` to today's number for `purpose`, a short word such as "filing"."""


class StoredToken(NamedTuple):
    token: str
    expires_at: datetime  #: aware


class TokenStore(Protocol):
    """Keeps one access token for all processes that use one account."""

    def load(self) -> StoredToken | None:
        """The token saved last, even when it has expired."""

    def save(self, token: str, expires_at: datetime) -> None:
        """Replace the token for every process."""

    def lock(self) -> AbstractContextManager[None]:
        """Held while a token is fetched, so that only one process asks for it."""


class UnlimitedLimiter:
    def acquire(self, cost: int = 1) -> None:
        """Nothing is held back."""

    def slow_down(self, retry_after: float | None) -> None:
        """Nothing to slow."""

    def speed_up(self) -> None:
        """Nothing to grow."""


class LocalLimiter:
    """A token bucket for one process: halves on refusal, grows back slowly.

    `rate` is calls a second and the size of a burst. caspio-api.md 3.1: when the limit is hit the whole
    account is refused, so the pause after a refusal holds back every caller.
    """

    SLOWEST = 0.1  #: of the allowed rate
    GROWTH = 0.02  #: of the allowed rate, for each call answered

    def __init__(
        self,
        rate: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if rate <= 0:
            raise ValueError("rate must be more than 0 calls a second")
        self._allowed = self._rate = rate
        self._tokens = max(1.0, rate)
        self._clock = clock
        self._sleep = sleep
        self._at = clock()
        self._lock = threading.Lock()

    @property
    def rate(self) -> float:
        return self._rate

    def acquire(self, cost: int = 1) -> None:
        while (wait := self._take(cost)) > 0:
            self._sleep(wait)

    def _take(self, cost: int) -> float:
        """Take `cost` tokens and return 0, or take none and return the seconds to wait."""
        with self._lock:
            now = self._clock()
            burst = max(1.0, self._rate, cost)
            if now > self._at:
                self._tokens = min(burst, self._tokens + (now - self._at) * self._rate)
                self._at = now
            pause = max(0.0, self._at - now)  # a refusal moves `_at` into the future
            if not pause and self._tokens >= cost:
                self._tokens -= cost
                return 0.0
            return pause + max(0.001, (cost - self._tokens) / self._rate)

    def slow_down(self, retry_after: float | None) -> None:
        with self._lock:
            self._rate = max(self._allowed * self.SLOWEST, self._rate / 2)
            self._tokens = 0.0
            self._at = max(self._at, self._clock() + (retry_after or 0.0))

    def speed_up(self) -> None:
        with self._lock:
            self._rate = min(self._allowed, self._rate + self._allowed * self.GROWTH)


class NullMeter:
    def count(self, purpose: str, calls: int = 1) -> None:
        """Nobody pays here."""


class LocalMeter:
    """Counts in memory, for tests and benches."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self._lock = threading.Lock()

    def count(self, purpose: str, calls: int = 1) -> None:
        with self._lock:
            self.calls[purpose] += calls


class LocalTokenStore:
    """Keeps the token in memory, for one process."""

    def __init__(self) -> None:
        self._stored: StoredToken | None = None
        self._lock = threading.Lock()

    def load(self) -> StoredToken | None:
        return self._stored

    def save(self, token: str, expires_at: datetime) -> None:
        self._stored = StoredToken(token, expires_at)

    @contextmanager
    def lock(self) -> Iterator[None]:
        with self._lock:
            yield
