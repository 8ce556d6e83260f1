"""A simulator in a temporary file, a caller with a bearer, and a receiver of webhooks."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client, TestResponse

from labbridge.simulators.rupa import Simulator, create_app, practitioner_id

JSON_API = "application/vnd.api+json"


class Caller:
    """Plain HTTP as a connected practitioner of the first clinic."""

    def __init__(self, sim: Simulator, practitioner: str = "Ada") -> None:
        self.sim = sim
        self.http = Client(sim)
        pair = self.http.post("/_sim/tokens", json={"practitioner": practitioner_id(practitioner)}).json
        assert pair
        self.headers = {"Authorization": f"Bearer {pair['access_token']}"}
        self.refresh_token = pair["refresh_token"]

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.http.get(path, headers=self.headers | headers)

    def write(self, method: str, path: str, data: dict[str, Any]) -> TestResponse:
        return self.http.open(
            path, method=method, json={"data": data}, headers=self.headers | {"Content-Type": JSON_API}
        )

    def flat(self, path: str, body: dict[str, Any]) -> TestResponse:
        return self.http.post(path, json=body, headers=self.headers)

    def options(self, **changed: Any) -> None:
        assert self.http.post("/_sim/options", json=changed).status_code == 200

    def advance(self, seconds: float) -> None:
        assert self.http.post("/_sim/clock", json={"advance": seconds}).status_code == 200

    def patient(self) -> str:
        return str(self.get("/patients").json["data"][0]["id"])

    def tests(self, *names: str) -> list[str]:
        by_name = {test["name"]: test["id"] for test in self.sim.world.store.many("lab_test")}
        return [by_name[name] for name in names]

    def order(self, *names: str, paid: bool = True, **more: Any) -> str:
        tests = self.tests(*(names or ("DUTCH Complete", "GI Effects Comprehensive Profile - 3 Day")))
        raw = {"patient": self.patient(), "lab_tests": tests} | more
        made = self.http.post("/_sim/orders", json=raw)
        assert made.status_code == 201, made.text
        if paid:
            self.act(made.json["id"], "pay")
        return str(made.json["id"])

    def act(self, order: str, action: str, **raw: Any) -> dict[str, Any]:
        answer = self.http.post(f"/_sim/orders/{order}/{action}", json=raw)
        assert answer.status_code == 200, answer.text
        return dict(answer.json or {})

    def shown(self, order: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The order's attributes and those of its ordered tests, in their order."""
        body = self.get(f"/orders/{order}?include=ordered_tests").json
        return body["data"]["attributes"], [one["attributes"] for one in body["included"]]

    def events(self) -> list[dict[str, Any]]:
        return list(self.http.get("/_sim/events").json or [])


@dataclass
class Receiver:
    """A web server that keeps what it gets and answers the statuses it is told, then 200."""

    url: str
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    def wait(self, count: int, seconds: float = 10) -> list[tuple[dict[str, str], bytes]]:
        until = time.monotonic() + seconds
        while len(self.got) < count:
            assert time.monotonic() < until, f"{len(self.got)} of {count} webhooks came"
            time.sleep(0.01)
        return self.got


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.got.append((dict(self.headers.items()), body))
            self.send_response(kept.answers.pop(0) if kept.answers else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept = Receiver(f"http://127.0.0.1:{server.server_port}/webhooks/rupa")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield kept
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Simulator]]:
    """Make a simulator over `tmp_path/rupa.sqlite3`; without `send` nothing leaves by itself."""
    made: list[Simulator] = []

    def build(**options: Any) -> Simulator:
        given = {"client_id": "app_1", "client_secret": "s3", "signing_secret": "whsec", "send": False}
        made.append(create_app(tmp_path / "rupa.sqlite3", **(given | options)))
        return made[-1]

    yield build
    for sim in made:
        sim.close()


@pytest.fixture
def sim(make: Callable[..., Simulator]) -> Simulator:
    return make()


@pytest.fixture
def caller(sim: Simulator) -> Caller:
    return Caller(sim)


@pytest.fixture
def caller_of() -> type[Caller]:
    return Caller
