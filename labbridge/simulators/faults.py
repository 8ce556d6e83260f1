"""Misbehaviour on request: a WSGI middleware that both simulators wear, and its controls under /_sim/."""

import json
import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from wsgiref.headers import Headers

from waitress.channel import ClientDisconnected
from werkzeug.wrappers import Request, Response

from labbridge.simulators import faults_page
from labbridge.simulators.fault_rules import DELIVERY_KINDS, PRESETS, REQUEST_KINDS, Rule

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)

__all__ = ["DELIVERY_KINDS", "PRESETS", "REQUEST_KINDS", "ConnectionDropped", "Faults", "Rule"]

KEPT_REQUESTS = 100_000
API_CALLS_RATE = b'[{"message":"You have exceeded your API call rate limits.","name":"api-calls-rate"}]'
GARBAGE = b"<!doctype html><html><title>Scheduled maintenance</title><p>We will be right back.</p></html>"

Answered = tuple[int, list[tuple[str, str]], bytes]
ErrorBody = Callable[["WSGIEnvironment", int, str], tuple[list[tuple[str, str]], bytes]]


class ConnectionDropped(
    ClientDisconnected,  # type: ignore[misc]  # waitress has no types
    ConnectionResetError,
):
    """The connection ends without an answer: waitress closes the socket, a WSGI transport raises it."""


class Faults:
    """WSGI middleware: logs requests, applies rules, serves the controls under /_sim/ (loopback only).

    `store_path` is a file of the simulator; the rules are kept beside it in `{store_path}.faults.json`, so
    they outlive a restart. Without it they live in memory. `error_body(environ, status, kind)` shapes errors
    as the peer does. `figures()` and `buttons` (label, path to POST) appear on the page. Paths under /_sim/
    are never hit by a rule nor logged.
    """

    def __init__(
        self,
        app: "WSGIApplication",
        store_path: Path | str | None = None,
        *,
        name: str = "Simulator",
        error_body: ErrorBody | None = None,
        figures: Callable[[], Mapping[str, object]] = dict,
        buttons: Iterable[tuple[str, str]] = (),
        sleep: Callable[[float], None] = time.sleep,
        seed: int = 1,
    ) -> None:
        self.app = app
        self.name = name
        self.figures = figures
        self.buttons = list(buttons)
        self._path = Path(f"{store_path}.faults.json") if store_path is not None else None
        self._error_body = error_body or _plain_error
        self._sleep = sleep
        self._dice = random.Random(seed)
        self._lock = threading.RLock()
        self._requests: deque[dict[str, Any]] = deque(maxlen=KEPT_REQUESTS)
        self._number = 0
        self._rules: list[Rule] = []
        self._last_id = 0
        self._load()

    # --- in process ---------------------------------------------------------------------------------------
    def add(self, raw: Mapping[str, Any]) -> int:
        """Add one rule and return its id. Raises ValueError when it cannot be understood."""
        rule = Rule.read(raw)
        with self._lock:
            self._last_id += 1
            rule.id = self._last_id
            self._rules.append(rule)
            self._save()
            return rule.id

    def clear(self, rule_id: int | None = None) -> None:
        """Forget all rules, or one."""
        with self._lock:
            self._rules = [rule for rule in self._rules if rule_id is not None and rule.id != rule_id]
            self._save()

    def apply_preset(self, name: str) -> None:
        """Replace all rules by those of a preset. Raises KeyError."""
        rules = PRESETS[name]
        self.clear()
        for rule in rules:
            self.add(rule)

    def rules(self) -> list[dict[str, Any]]:
        with self._lock:
            return [asdict(rule) for rule in self._rules]

    def requests(self) -> list[dict[str, Any]]:
        """Requests since start or the last clearing: n, at, method, path, query_keys, status, fault."""
        with self._lock:
            return [dict(entry) for entry in self._requests]

    def clear_requests(self) -> None:
        with self._lock:
            self._requests.clear()

    def delivery_plan(self, event: Mapping[str, object] | str) -> list[float]:
        """Say after how many seconds each copy of a webhook leaves: [0.0] when all is well, [] when lost.

        `event` is the event's type, or a mapping with `type`, `eventType` or `event_type`.
        """
        event_type = event if isinstance(event, str) else _event_type(event)
        with self._lock:
            struck = [r for r in self._rules if r.fits_delivery(event_type) and r.strikes(self._dice)]
            plan = [0.0]
            for rule in struck:
                plan = self._planned(rule, plan)
            if struck:
                self._save()
            return plan

    def _planned(self, rule: Rule, plan: list[float]) -> list[float]:
        if rule.kind == "lose":
            return []
        if rule.kind == "duplicate":
            return [delay + copy * rule.seconds for delay in plan for copy in range(rule.times_each)]
        if rule.kind == "delay":
            return [delay + rule.seconds for delay in plan]
        return [delay + self._dice.uniform(0, rule.seconds or 2.0) for delay in plan]  # shuffle, reorder

    # --- WSGI ---------------------------------------------------------------------------------------------
    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path.startswith("/_sim"):
            return self._control(environ, start_response)
        method = environ.get("REQUEST_METHOD", "GET").upper()
        rule = self._struck(method, path)
        entry = self._logged(environ, method, path, rule)

        def start(status: str, headers: list[tuple[str, str]], *exc: Any) -> Callable[[bytes], object]:
            entry["status"] = int(status[:3])
            return start_response(status, headers, *exc)

        return self._answered(rule, environ, start) if rule else self.app(environ, start)

    def _answered(self, rule: Rule, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        kind = rule.kind
        if kind in ("hang_before", "slow"):
            self._sleep(rule.seconds)
        if kind == "reset_before":
            raise ConnectionDropped
        if kind in ("slow", "hang_after", "error_after", "reset_after"):
            return self._afterwards(rule, environ, start)
        status, headers, body = self._refusal(rule, environ)
        return _send(start, status, headers, body)

    def _afterwards(self, rule: Rule, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        """Let the simulator do its work first, then spoil the answer."""
        status, headers, body = _collected(self.app, environ)
        if rule.kind == "hang_after":
            self._sleep(rule.seconds)
        elif rule.kind == "reset_after":
            raise ConnectionDropped
        elif rule.kind == "error_after":
            status = 500
            headers, body = self._error_body(environ, 500, rule.kind)
        return _send(start, status, headers, body)

    def _refusal(self, rule: Rule, environ: "WSGIEnvironment") -> Answered:
        if rule.kind == "garbage":
            return 200, [("Content-Type", "text/html; charset=utf-8")], GARBAGE
        if rule.kind == "rate_limit_400":  # caspio-api.md 3.1
            return 400, [("Content-Type", "application/json")], API_CALLS_RATE
        statuses = {"rate_limit": 429, "hang_before": 504, "expired_token": 401, "unavailable": 503}
        status = statuses.get(rule.kind, 500)
        headers, body = self._error_body(environ, status, rule.kind)
        if rule.retry_after is not None:
            headers = [*headers, ("Retry-After", f"{rule.retry_after:g}")]
        return status, headers, body

    def _struck(self, method: str, path: str) -> Rule | None:
        with self._lock:
            for rule in self._rules:
                if rule.fits_request(method, path) and rule.strikes(self._dice):
                    self._save()
                    return rule
            return None

    def _logged(
        self, environ: "WSGIEnvironment", method: str, path: str, rule: Rule | None
    ) -> dict[str, Any]:
        keys = [part.split("=", 1)[0] for part in environ.get("QUERY_STRING", "").split("&") if part]
        with self._lock:
            self._number += 1
            entry = {
                "n": self._number,
                "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "method": method,
                "path": path,
                "query_keys": keys,
                "status": None,  # stays so when the connection is dropped
                "fault": rule.kind if rule else None,
            }
            self._requests.append(entry)
            return entry

    # --- controls -----------------------------------------------------------------------------------------
    def _control(self, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        if not _is_loopback(environ.get("REMOTE_ADDR", "")):
            return Response("controls answer on loopback only\n", 403)(environ, start)
        request = Request(environ)
        answer = self._controlled(request)
        return self.app(environ, start) if answer is None else answer(environ, start)

    def _controlled(self, request: Request) -> Response | None:  # noqa: PLR0911  (a table of routes)
        match request.method, request.path.rstrip("/").split("/")[2:]:
            case "GET" | "HEAD", []:
                return Response(faults_page.render(self, tuple(PRESETS)), mimetype="text/html")
            case "GET" | "HEAD", ["style.css"]:
                return Response(faults_page.STYLE, mimetype="text/css")
            case "GET", ["faults"]:
                return _json(self.rules())
            case "POST", ["faults"]:
                return self._added(request)
            case "DELETE", ["faults"]:
                self.clear()
            case "DELETE", ["faults", rule_id] if rule_id.isdigit():
                self.clear(int(rule_id))
            case "POST", ["presets", name] if name in PRESETS:
                self.apply_preset(name)
                return Response(status=303, headers={"Location": "/_sim/"})
            case "GET", ["requests"]:
                return _json(self.requests())
            case "DELETE", ["requests"]:
                self.clear_requests()
            case _:
                return None
        return Response(status=204)

    def _added(self, request: Request) -> Response:
        try:
            raw = json.loads(request.get_data())
            if not isinstance(raw, dict):
                raise ValueError("a rule is a JSON object")
            return _json({"id": self.add(raw)}, 201)
        except (ValueError, TypeError) as error:
            return _json({"error": str(error)}, 400)

    # --- durability ---------------------------------------------------------------------------------------
    def _load(self) -> None:
        if self._path is None or not self._path.exists():
            return
        try:
            self._rules = [Rule(**raw) for raw in json.loads(self._path.read_text())]
        except (ValueError, TypeError):
            log.warning("faults kept beside the simulator's state could not be read; starting calm")
        self._last_id = max((rule.id for rule in self._rules), default=0)

    def _save(self) -> None:
        if self._path is None:
            return
        beside = self._path.with_name(self._path.name + ".new")
        beside.write_text(json.dumps([asdict(rule) for rule in self._rules]))
        beside.replace(self._path)


def _event_type(event: Mapping[str, object]) -> str:
    named = (event[key] for key in ("type", "eventType", "event_type") if key in event)
    return str(next(named, ""))


def _collected(app: "WSGIApplication", environ: "WSGIEnvironment") -> Answered:
    started: list[tuple[str, list[tuple[str, str]]]] = []
    written: list[bytes] = []

    def start(status: str, headers: list[tuple[str, str]], *_exc: Any) -> Callable[[bytes], object]:
        started.append((status, headers))
        return written.append

    chunks = app(environ, start)
    try:
        written.extend(chunks)
    finally:
        if callable(close := getattr(chunks, "close", None)):
            close()
    status, headers = started[-1]
    return int(status[:3]), headers, b"".join(written)


def _send(start: "StartResponse", status: int, headers: list[tuple[str, str]], body: bytes) -> list[bytes]:
    kept = Headers(list(headers))
    del kept["Content-Length"]
    if status not in (204, 304):
        kept["Content-Length"] = str(len(body))
    start(f"{status} {_reason(status)}", kept.items())
    return [body]


def _reason(status: int) -> str:
    return HTTPStatus(status).phrase


def _plain_error(_environ: "WSGIEnvironment", _status: int, kind: str) -> tuple[list[tuple[str, str]], bytes]:
    return [("Content-Type", "application/json")], json.dumps({"error": f"simulated: {kind}"}).encode()


def _json(value: object, status: int = 200) -> Response:
    return Response(json.dumps(value), status, mimetype="application/json")


def _is_loopback(address: str) -> bool:
    return address in ("", "::1", "localhost") or address.startswith(("127.", "::ffff:127."))
