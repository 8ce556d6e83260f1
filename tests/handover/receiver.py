"""A receiver of letters as the universal HTTP connector of Keragon, Morf and others would be, over real HTTP.

It verifies with the third-party library, keeps what it has seen by id, and misbehaves as it is told.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
from django.utils import timezone

from labbridge.handover import feeds
from labbridge.handover.agreements import Signed, record_agreement
from labbridge.handover.carry import Post, carry
from labbridge.outbox.models import Agreement, DataClass, Destination, Kind
from labbridge.practices.models import Practice
from tests.handover.machine import OPERATOR


@dataclass(frozen=True)
class Letter:
    headers: dict[str, str]
    content: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def said(self) -> dict[str, Any]:
        return dict(orjson.loads(self.content))


class Connector:
    """`arrived` is every request; `effects` what a receiver that goes by ids has done, in order."""

    def __init__(self) -> None:
        self.arrived: list[Letter] = []
        self.effects: dict[str, Letter] = {}
        self.answer: Callable[[Letter], int] = lambda _letter: 200
        self.headers: dict[str, str] = {}
        self.delay = 0.0
        self.drip = 0.0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                letter = Letter({name.lower(): value for name, value in self.headers.items()}, content)
                outer.arrived.append(letter)
                status = outer.answer(letter)
                if status < 300:
                    outer.effects.setdefault(letter.id, letter)
                time.sleep(outer.delay)
                try:
                    self.send_response(status)
                    for name, value in outer.headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                except OSError:
                    pass  # the sender has had enough

            def log_message(self, *_args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hook?token=sEcReT"

    @property
    def said(self) -> list[dict[str, Any]]:
        """What has had an effect, in order."""
        return [letter.said for letter in self.effects.values()]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Calendar:
    """A clock that stands still unless it is moved."""

    def __init__(self) -> None:
        self.now = timezone.now() + timedelta(minutes=1)  # what is told meanwhile is due

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **span: float) -> None:
        self.now += timedelta(**span)


def agreement(practice: Practice, party: str = "Keragon", **more: Any) -> Agreement:
    today = timezone.now().astimezone(practice.zone).date()
    signed = {
        "signed_on": today - timedelta(days=10),
        "expires_on": today + timedelta(days=355),
        "sha256": "a" * 64,
    }
    return record_agreement(practice, Signed(party, **{**signed, **more}), actor=OPERATOR)


def destination(practice: Practice, url: str, *, phi: bool = False, **more: Any) -> Destination:
    wish = feeds.Wish(
        name=more.pop("name", "connector"), url=url, kinds=more.pop("kinds", Kind.values),
        data_class=DataClass.PHI if phi else DataClass.DEIDENTIFIED,
        agreement=more.pop("agreement", agreement(practice) if phi else None),
    )  # fmt: skip
    return feeds.add(practice, wish, actor=OPERATOR).destination


def carry_all(one: Destination, clock: Callable[[], datetime] = timezone.now, **more: Any) -> None:
    carry(str(one.pk), Post(clock=clock, **more))
