"""Sends webhooks from the durable queue: signed, and again for three days (rupa-api.md 7)."""

import hashlib
import hmac
import json
import logging
import sqlite3
import threading
from datetime import UTC, datetime
from functools import cached_property

import httpx2

from labbridge.simulators.rupa.options import Options
from labbridge.simulators.rupa.world import World

log = logging.getLogger(__name__)

IDLE_SECONDS = 0.25
STALE_SECONDS = 3600


def signature_header(body: bytes, secrets: str, moment: int, mode: str = "valid") -> str | None:
    """Build `t=…,v1=…`, one v1 for each comma-separated secret; `mode` spoils it on purpose."""
    if mode == "none":
        return None
    if mode == "stale":
        moment -= STALE_SECONDS
    if mode == "wrong":
        secrets = f"not-{secrets}"
    signed = str(moment).encode() + b"." + body
    parts = [
        f"v1={hmac.new(secret.strip().encode(), signed, hashlib.sha256).hexdigest()}"
        for secret in secrets.split(",")
    ]
    return ",".join([f"t={moment}", *parts])


def retry_delay(options: Options, attempts: int) -> float:
    """Seconds to wait after so many failed attempts, before `time_scale`."""
    return min(options.first_retry * 2.0 ** (attempts - 1), options.longest_retry)


class Sender:
    """Threads that deliver what is due; what a killed process had taken up is sent again."""

    def __init__(self, world: World, client: httpx2.Client | None = None) -> None:
        self._world = world
        self._given = client
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    @cached_property
    def _client(self) -> httpx2.Client:
        """Made when something is sent: reading the certificate authorities takes longer than all else here."""
        return self._given or httpx2.Client(follow_redirects=False)

    def start(self) -> None:
        self._world.store.run("UPDATE deliveries SET state = 'pending' WHERE state = 'sending'")
        for _ in range(max(1, int(self._world.options.sender_threads))):
            thread = threading.Thread(target=self._run, name="rupa-simulator-sender", daemon=True)
            thread.start()
            self._threads.append(thread)

    def close(self) -> None:
        self._stop.set()
        self._world.wake.set()
        for thread in self._threads:
            thread.join(timeout=self._world.options.delivery_timeout + 1)
        if "_client" in self.__dict__:
            self._client.close()

    def send_due(self) -> bool:
        """Send one delivery that is due; say whether there was one."""
        row = self._taken()
        if row is None:
            return False
        status = self._post(row)
        self._note(row, status)
        return True

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                if self.send_due():
                    continue
            except sqlite3.Error as error:
                log.warning("simulator's queue is not readable: %s", type(error).__name__)
            self._world.wake.wait(IDLE_SECONDS)
            self._world.wake.clear()

    def _taken(self) -> sqlite3.Row | None:
        store = self._world.store
        with store.transaction():
            rows = store.run(
                "SELECT d.*, e.body, e.type FROM deliveries d JOIN events e ON e.id = d.event "
                "WHERE d.state = 'pending' AND d.due <= ? ORDER BY d.due, d.id LIMIT 1",
                self._world.seconds,
            )
            if rows:
                store.run("UPDATE deliveries SET state = 'sending' WHERE id = ?", rows[0]["id"])
        return rows[0] if rows else None

    def _post(self, row: sqlite3.Row) -> int | None:
        options = self._world.options
        if not options.webhook_url:
            return None
        body = str(row["body"]).encode()
        headers = {"Content-Type": "application/json", "User-Agent": "Rupa-Simulator-Webhooks/1"}
        mode = row["signature"] or options.signature
        # Real time: the receiver compares it with its own clock.
        header = signature_header(body, options.signing_secret, int(self._world.real_time()), mode)
        if header is not None:
            headers["Rupa-Signature"] = header
        try:
            answer = self._client.post(
                options.webhook_url, content=body, headers=headers, timeout=options.delivery_timeout
            )
        except httpx2.HTTPError:
            return None
        return answer.status_code

    def _note(self, row: sqlite3.Row, status: int | None) -> None:
        options = self._world.options
        now = self._world.seconds
        attempts = row["attempts"] + 1
        delay = retry_delay(options, attempts) * options.time_scale
        state, due = "pending", now + delay
        if status is not None and 200 <= status < 300:
            state, due = "delivered", now
        elif due - row["first_due"] > options.give_up_after * options.time_scale:
            state, due = "failed", now
        told = json.loads(row["log"])
        told.append({"at": datetime.fromtimestamp(now, UTC).isoformat(), "status": status})
        self._world.store.run(
            "UPDATE deliveries SET state = ?, due = ?, attempts = ?, last_status = ?, log = ? WHERE id = ?",
            *(state, due, attempts, status, json.dumps(told), row["id"]),
        )
