"""A stand-in for Rupa's HTTP side that answers what each test tells it, and the documented samples."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any

import httpx2
import pytest

from labbridge.peers.ports import LocalMeter, UnlimitedLimiter
from labbridge.peers.rupa.auth import TokenPair
from labbridge.peers.rupa.client import Rupa

PAYLOADS = Path(__file__).parents[2] / "payloads" / "rupa"
API = "https://api.rupahealth.com"
NOW = datetime(2031, 2, 3, 18, 0, tzinfo=UTC)

Answer = httpx2.Response | Exception | Callable[[httpx2.Request], httpx2.Response]


@pytest.fixture
def sample() -> Callable[[str], bytes]:
    return lambda name: (PAYLOADS / f"{name}.json").read_bytes()


def answer(status: int = 200, body: Any = None, **headers: str) -> httpx2.Response:
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.Response(
        status, content=content, headers={"content-type": "application/vnd.api+json", **names}
    )


def listing(kind: str, *ids: str, **more: Any) -> httpx2.Response:
    return answer(200, {"data": [{"type": kind, "id": key, "attributes": {}} for key in ids], **more})


@dataclass
class Peer:
    """Answers by method and path with query; what nobody planned is 404. Keeps every request."""

    plans: dict[str, list[Answer]] = field(default_factory=dict)
    requests: list[httpx2.Request] = field(default_factory=list)

    def on(self, line: str, *answers: Answer) -> None:
        """`line` is such as "GET /orders/" (any query) or "GET /orders/?page=2"; the last answer stays."""
        self.plans[line] = list(answers)

    def handle(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        line = f"{request.method} {request.url.raw_path.decode()}"
        plan = self.plans.get(line) or self.plans.get(line.split("?", maxsplit=1)[0])
        if not plan:
            return answer(404, b"<h1>Not Found</h1>", content_type="text/html")
        found = plan.pop(0) if len(plan) > 1 else plan[0]
        if isinstance(found, Exception):
            raise found
        if callable(found):
            return found(request)
        return httpx2.Response(found.status_code, content=found.content, headers=found.headers)

    answer = staticmethod(answer)
    listing = staticmethod(listing)

    @property
    def lines(self) -> list[str]:
        return [f"{one.method} {one.url.path}" for one in self.requests]


@dataclass
class FixedTokens:
    """A token that is exchanged for another when refused."""

    token: str = "at-1"
    renewed: list[str] = field(default_factory=list)

    def access_token(self) -> str:
        return self.token

    def renew(self, rejected: str) -> str:
        self.renewed.append(rejected)
        self.token = f"at-{len(self.renewed) + 1}"
        return self.token


class MemoryPairs:
    """A store of one pair that notes what happens in which order."""

    def __init__(self, pair: TokenPair | None) -> None:
        self.pair = pair
        self.log: list[str] = []
        self._lock = Lock()

    def load(self) -> TokenPair | None:
        self.log.append("load")
        return self.pair

    def save(self, pair: TokenPair) -> None:
        self.log.append("save")
        self.pair = pair

    @contextmanager
    def lock(self) -> Iterator[None]:
        with self._lock:
            self.log.append("lock")
            yield
            self.log.append("unlock")


def pair(
    *, access: str = "at-1", refresh: str | None = "rt-1", age: float = 0, life: float = 1000
) -> TokenPair:
    obtained = NOW - timedelta(seconds=age)
    return TokenPair(access, refresh, obtained, obtained + timedelta(seconds=life))


@pytest.fixture
def make_pair() -> Callable[..., TokenPair]:
    return pair


@pytest.fixture
def make_store() -> Callable[[TokenPair | None], MemoryPairs]:
    return MemoryPairs


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def peer() -> Peer:
    return Peer()


@pytest.fixture
def tokens() -> FixedTokens:
    return FixedTokens()


@pytest.fixture
def make(peer: Peer, tokens: FixedTokens) -> Iterator[Callable[..., Rupa]]:
    made: list[Rupa] = []

    def build(**changes: Any) -> Rupa:
        given = {
            "api_url": API,
            "tokens": tokens,
            "limiter": UnlimitedLimiter(),
            "meter": LocalMeter(),
            "transport": httpx2.MockTransport(peer.handle),
            "resolve": lambda _host: ["93.184.216.34"],
            "clock": lambda: NOW,
            "sleep": lambda _seconds: None,
        } | changes
        made.append(Rupa(given.pop("api_url"), given.pop("tokens"), **given))
        return made[-1]

    yield build
    for one in made:
        one.close()
