"""The sender: takes due calls from the store, posts them, repeats what failed. A restart goes on."""

import hashlib
import hmac
import logging
import sqlite3
import threading
import time
from functools import cached_property
from typing import Any

import httpx2

from labbridge.simulators.caspio.account import Account

log = logging.getLogger(__name__)

IDLE_SECONDS = 0.2


class Sender:
    """Threads that deliver webhook calls.

    Retries on anything but 2xx follow `Options.retry_seconds`: that there are retries is documented, their
    schedule is not (caspio-api.md 4.6), so ours is invented.
    """

    def __init__(self, account: Account) -> None:
        self.account = account
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._next_slot: dict[str, float] = {}
        account.messages.wake = self._wake.set

    def start(self) -> None:
        with self.account.store.transaction() as db:  # calls that a killed process left half-way
            db.execute("UPDATE calls SET state = 'pending' WHERE state = 'sending'")
        for number in range(self.account.options.delivery_workers):
            thread = threading.Thread(target=self._run, name=f"caspio-sender-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        self._stop.set()
        self._wake.set()
        for thread in self._threads:
            thread.join(self.account.options.delivery_timeout + 1)
        if "_client" in self.__dict__:
            self._client.close()

    @cached_property
    def _client(self) -> httpx2.Client:  # late: reading the certificates takes a tenth of a second
        return httpx2.Client(timeout=self.account.options.delivery_timeout, trust_env=False)

    def drain(self, timeout: float = 10.0) -> bool:
        """Wait until nothing is pending, retries included; False when time ran out."""
        until = time.monotonic() + timeout
        while self.waiting():
            if time.monotonic() > until:
                return False
            time.sleep(0.01)
        return True

    def waiting(self) -> int:
        with self.account.store.transaction() as db:
            sql = "SELECT COUNT(*) FROM calls WHERE state IN ('pending', 'sending')"
            return int(db.execute(sql).fetchone()[0])

    def listed(self) -> list[dict[str, Any]]:
        """Messages and the state of their calls, without payloads."""
        sql = (
            "SELECT m.message_id, m.event_id, m.webhook_id, m.event_type, m.object_name, m.created, "
            "c.id AS call, c.state, c.attempt, c.status "
            "FROM messages m LEFT JOIN calls c ON c.message = m.id ORDER BY m.id, c.id"
        )
        with self.account.store.transaction() as db:
            return [dict(row) for row in db.execute(sql).fetchall()]

    def send_now(self) -> None:
        """Make every waiting call due at once."""
        with self.account.store.transaction() as db:
            db.execute("UPDATE calls SET due = 0 WHERE state = 'pending'")
        self._wake.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            call = self._claimed()
            if call is None:
                self._wake.wait(IDLE_SECONDS)
                self._wake.clear()
                continue
            self._deliver(call)

    def _claimed(self) -> sqlite3.Row | None:
        now = self.account.now().timestamp()
        sql = (
            "SELECT c.id, c.url, c.attempt, m.payload, m.webhook_id, w.secret, w.throttling "
            "FROM calls c JOIN messages m ON m.id = c.message LEFT JOIN webhooks w ON w.id = m.webhook_id "
            "WHERE c.state = 'pending' AND c.due <= ? ORDER BY c.due, c.id LIMIT 1"
        )
        with self.account.store.transaction() as db:
            call: sqlite3.Row | None = db.execute(sql, (now,)).fetchone()
            if call is not None:
                db.execute("UPDATE calls SET state = 'sending' WHERE id = ?", (call["id"],))
        return call

    def _deliver(self, call: sqlite3.Row) -> None:
        self._throttle(call)
        status = self._posted(call)
        attempt = call["attempt"] + 1
        schedule = self.account.options.retry_seconds
        if status is not None and 200 <= status < 300:
            state, due = "delivered", 0.0
        elif attempt > len(schedule):
            state, due = "failed", 0.0
        else:
            state, due = "pending", self.account.now().timestamp() + schedule[attempt - 1]
        with self.account.store.transaction() as db:
            sql = "UPDATE calls SET state = ?, attempt = ?, status = ?, due = ? WHERE id = ?"
            db.execute(sql, (state, attempt, status, due, call["id"]))

    def _posted(self, call: sqlite3.Row) -> int | None:
        headers = {"Content-Type": "application/json; charset=utf-8"}
        name = self.account.options.webhook_hmac_header
        if name and call["secret"]:  # header name and form are unknown (caspio-api.md 4.5)
            headers[name] = hmac.new(call["secret"].encode(), call["payload"], hashlib.sha256).hexdigest()
        try:
            answer = self._client.post(call["url"], content=call["payload"], headers=headers)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            log.info("webhook call %s not delivered: %s", call["id"], type(error).__name__)
            return None
        return int(answer.status_code)

    def _throttle(self, call: sqlite3.Row) -> None:
        if not self.account.options.honour_throttling or not call["throttling"]:
            return
        with self.account.store.transaction():
            now = time.monotonic()
            slot = max(self._next_slot.get(call["webhook_id"], 0.0), now)
            self._next_slot[call["webhook_id"]] = slot + 1 / call["throttling"]
        self._stop.wait(slot - now)
