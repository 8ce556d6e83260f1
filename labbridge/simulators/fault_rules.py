"""The kinds of misbehaviour, one rule of it, and the presets a person can switch by a button."""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

REQUEST_KINDS = (
    "rate_limit",
    "rate_limit_400",
    "error_before",
    "error_after",
    "hang_before",
    "hang_after",
    "reset_before",
    "reset_after",
    "slow",
    "expired_token",
    "unavailable",
    "garbage",
)
DELIVERY_KINDS = ("duplicate", "shuffle", "reorder", "lose", "delay")
PRESETS: dict[str, list[dict[str, Any]]] = {
    "calm": [],
    "rate limited": [{"kind": "rate_limit", "probability": 0.4, "retry_after": 1}],
    "rate limited, as 400": [{"kind": "rate_limit_400", "probability": 0.4}],
    "down": [{"kind": "unavailable"}],
    "flaky": [
        {"kind": "error_before", "probability": 0.1},
        {"kind": "error_after", "probability": 0.1},
        {"kind": "reset_after", "probability": 0.1},
    ],
    "slow": [{"kind": "slow", "seconds": 2.0}],
    "tokens expired": [{"kind": "expired_token", "probability": 0.5}],
    "webhooks doubled": [{"kind": "duplicate", "times_each": 3}],
    "webhooks out of order": [{"kind": "reorder", "seconds": 5.0}],
    "webhooks late": [{"kind": "delay", "seconds": 20.0}],
    "webhooks lost": [{"kind": "lose"}],
}


@dataclass
class Rule:
    """One misbehaviour; `match` has `method`, `path` (regex) for requests, `event` (regex) for deliveries."""

    kind: str
    match: dict[str, str | None] = field(default_factory=dict)
    times: int | None = None
    probability: float = 1.0
    skip: int = 0
    seconds: float = 0.0
    retry_after: float | None = None
    times_each: int = 2
    id: int = 0
    seen: int = 0
    hits: int = 0

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> "Rule":
        """Build a rule from JSON. Raises ValueError with a sentence."""
        if raw.get("kind") not in REQUEST_KINDS + DELIVERY_KINDS:
            raise ValueError(f"kind must be one of {', '.join(REQUEST_KINDS + DELIVERY_KINDS)}")
        if unknown := set(raw) - set(cls.__dataclass_fields__) | set(raw.get("match") or {}) - {
            "method",
            "path",
            "event",
        }:
            raise ValueError(f"unknown keys: {', '.join(sorted(unknown))}")
        rule = cls(**{**raw, "match": dict(raw.get("match") or {}), "id": 0, "seen": 0, "hits": 0})
        rule._check()
        return rule

    def _check(self) -> None:
        for key in ("path", "event"):
            try:
                re.compile(self.match.get(key) or "")
            except re.error as error:
                raise ValueError(f"match.{key} is no regular expression: {error}") from error
        numbers = (self.probability, self.skip, self.seconds, self.times_each)
        optional = (self.times, self.retry_after)
        if not all(isinstance(n, int | float) and n >= 0 for n in numbers) or not all(
            n is None or (isinstance(n, int | float) and n >= 0) for n in optional
        ):
            raise ValueError("times, skip, seconds, probability, retry_after and times_each are numbers >= 0")

    def fits_request(self, method: str, path: str) -> bool:
        wanted = (self.match.get("method") or method).upper()
        return self.kind in REQUEST_KINDS and wanted == method and self._finds("path", path)

    def fits_delivery(self, event_type: str) -> bool:
        return self.kind in DELIVERY_KINDS and self._finds("event", event_type)

    def strikes(self, dice: random.Random) -> bool:
        """Count one match and say whether the rule acts on it."""
        if self.times is not None and self.hits >= self.times:
            return False
        self.seen += 1
        if self.seen <= self.skip or (self.probability < 1 and dice.random() >= self.probability):
            return False
        self.hits += 1
        return True

    def _finds(self, key: str, text: str) -> bool:
        return re.search(self.match.get(key) or "", text) is not None
