"""The messages that writes make for the webhooks that listen (caspio-api.md 4.2 to 4.4)."""

import json
import re
import sqlite3
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from labbridge.simulators.caspio.design import Table
from labbridge.simulators.caspio.options import Options
from labbridge.simulators.caspio.store import Store

MAX_MESSAGE_BYTES = 10 * 1024 * 1024  #: larger ones are not sent (caspio-api.md 4.6)
PLACEHOLDER = re.compile(r"\[@(out-hook|field):([^\]]+)\]")


class Plan(Protocol):
    def __call__(self, event: Mapping[str, object] | str, /) -> list[float]: ...


class Messages:
    """`plan` says when each copy of a message leaves (faults); `wake` tells the sender there is work."""

    def __init__(self, store: Store, options: Options) -> None:
        self.store = store
        self.options = options
        self.plan: Plan = lambda _event: [0.0]
        self.wake: Callable[[], None] = lambda: None

    def fire(
        self, table: Table, event_type: str, rows: list[dict[str, Any]], changed: set[str], source: str
    ) -> int:
        """Make a message for every event that listens; called within the transaction of the write."""
        made = 0
        with self.store.transaction() as db:
            sql = (
                "SELECT e.*, w.secret, w.urls FROM webhook_events e JOIN webhooks w ON w.id = e.webhook_id "
                "WHERE e.enabled AND e.type = ? AND e.object_name = ? ORDER BY e.id"
            )
            for event in db.execute(sql, (event_type, table.name)).fetchall():
                fields, sources = json.loads(event["object_fields"]), json.loads(event["sources"])
                if (sources and source not in sources) or (fields and not changed & set(fields)):
                    continue
                size = 1 if event["template"] else self.options.rows_per_message
                for start in range(0, len(rows), size):
                    made += self._message(db, event, rows[start : start + size])
        self.wake()
        return made

    def _message(self, db: sqlite3.Connection, event: sqlite3.Row, rows: list[dict[str, Any]]) -> int:
        head = {
            "eventId": event["id"],
            "messageId": str(uuid.uuid4()),
            "webhookId": event["webhook_id"],
            "accountId": self.options.account,
            "secret": event["secret"],
            "eventDate": self._now(),
            "eventType": event["type"],
            "objectName": event["object_name"],
        }
        body = _payload(head, event, rows, with_secret=self.options.webhook_secret_in_body)
        if len(body) > MAX_MESSAGE_BYTES:
            return 0
        message = db.execute(
            "INSERT INTO messages "
            "(message_id, webhook_id, event_id, event_type, object_name, created, payload) "
            "VALUES (:messageId, :webhookId, :eventId, :eventType, :objectName, :eventDate, :payload)",
            {**head, "payload": body},
        ).lastrowid
        due = self.options.clock().timestamp()
        for url in json.loads(event["urls"]):
            for delay in self.plan(event["type"]):
                call = (message, url, due + delay)
                db.execute("INSERT INTO calls (message, url, due) VALUES (?, ?, ?)", call)
        return 1

    def _now(self) -> str:
        return self.options.clock().strftime("%Y-%m-%dT%H:%M:%S")


def _payload(
    head: dict[str, str], event: sqlite3.Row, rows: list[dict[str, Any]], *, with_secret: bool
) -> bytes:
    if event["template"]:
        return _templated(event["template"], head, rows[0])
    chosen = json.loads(event["payload_fields"])
    data = [{name: row.get(name) for name in chosen} if chosen else row for row in rows]
    kept = {k: v for k, v in head.items() if k != "secret" or with_secret}
    return json.dumps({**kept, "data": data}, ensure_ascii=False, separators=(",", ":")).encode()


def _templated(template: str, head: dict[str, str], row: dict[str, Any]) -> bytes:
    """Fill in placeholders as text; unknown ones stay literally, quotes in values may break it (4.4)."""

    def filled(found: re.Match[str]) -> str:
        values = head if found[1] == "out-hook" else row
        return found[0] if found[2] not in values else _as_text(values[found[2]])

    return PLACEHOLDER.sub(filled, template.replace("'", '"')).encode()


def _as_text(value: object) -> str:
    return "" if value is None else str(value)
