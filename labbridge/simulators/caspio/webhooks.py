"""Outgoing webhooks: definitions and events, as REST manages them (caspio-api.md 2.8)."""

import json
import secrets
import sqlite3
import string
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from labbridge.simulators.caspio.design import find_table
from labbridge.simulators.caspio.errors import bad_body, no_object
from labbridge.simulators.caspio.options import Options
from labbridge.simulators.caspio.store import Store

EVENT_TYPES = ("table.recordInsert", "table.recordUpdate", "table.recordDelete")
SOURCES = ("Datasheet", "DataPages", "DataParts", "Extensions", "RESTAPIs", "TriggeredActions", "Tasks")


class Webhooks:
    """The account's webhooks as REST shows and changes them."""

    def __init__(self, store: Store, options: Options) -> None:
        self.store = store
        self.options = options

    # --- definitions ------------------------------------------------------------------------------
    def listed(self) -> list[dict[str, Any]]:
        with self.store.transaction() as db:
            rows = db.execute("SELECT * FROM webhooks ORDER BY created, id").fetchall()
            return [self._shown(db, row) for row in rows]

    def shown(self, webhook_id: str) -> dict[str, Any]:
        """One webhook with its counters."""
        with self.store.transaction() as db:
            row = self._row(db, webhook_id)
            events = db.execute("SELECT COUNT(*) FROM webhook_events WHERE webhook_id = ?", (row["id"],))
            counts = self._counts(db, "webhook_id", row["id"])
            return self._shown(db, row) | {"Events": events.fetchone()[0]} | counts

    def create(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create a webhook; the answer alone carries its Secret."""
        given = _only(body, {"Name", "Description", "OutgoingUrls", "CallThrottling"})
        if not given.get("Name"):
            raise bad_body("Name is required.")
        checked = self._checked(given | {"OutgoingUrls": given.get("OutgoingUrls") or []})
        secret, made, now = secrets.token_hex(24), _short_id(), self._now()
        with self.store.transaction() as db:
            self._refuse_twins(db, checked, except_id="")
            db.execute(
                "INSERT INTO webhooks VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
                (
                    made,
                    checked["Name"],
                    checked.get("Description", ""),
                    json.dumps(checked["OutgoingUrls"]),
                    checked.get("CallThrottling", self.options.max_call_throttling),
                    secret,
                    now,
                ),
            )
            shown = self._shown(db, self._row(db, made))
        kept = {"Id", "Name", "Description", "OutgoingUrls", "CallThrottling", "DateCreated", "CreatedBy"}
        return {k: v for k, v in shown.items() if k in kept} | {"Secret": secret}

    def change(self, webhook_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
        given = _only(body, {"Name", "Description", "OutgoingUrls", "CallThrottling", "Enabled"})
        columns = {"Name": "name", "Description": "description", "CallThrottling": "throttling"}
        with self.store.transaction() as db:
            row = self._row(db, webhook_id)
            if not given:
                raise bad_body("At least one parameter must be given.")
            checked = self._checked(given)
            self._refuse_twins(db, checked, except_id=row["id"])
            for key, value in checked.items():
                if key in columns:
                    db.execute(f"UPDATE webhooks SET {columns[key]} = ? WHERE id = ?", (value, row["id"]))
            if "OutgoingUrls" in checked:
                urls = json.dumps(checked["OutgoingUrls"])
                db.execute("UPDATE webhooks SET urls = ? WHERE id = ?", (urls, row["id"]))
            if "Enabled" in checked:
                enabled = (int(checked["Enabled"]), row["id"])
                db.execute("UPDATE webhook_events SET enabled = ? WHERE webhook_id = ?", enabled)
            db.execute("UPDATE webhooks SET modified = ? WHERE id = ?", (self._now(), row["id"]))
            return self._shown(db, self._row(db, webhook_id))

    def remove(self, webhook_id: str) -> None:
        with self.store.transaction() as db:
            row = self._row(db, webhook_id)
            db.execute("DELETE FROM webhook_events WHERE webhook_id = ?", (row["id"],))
            db.execute("DELETE FROM webhooks WHERE id = ?", (row["id"],))

    def _checked(self, given: dict[str, Any]) -> dict[str, Any]:
        for key in ("Name", "Description"):
            if key in given and not isinstance(given[key], str):
                raise bad_body(f"{key} must be a text.")
        if "Name" in given and not 0 < len(given["Name"]) <= 255:
            raise bad_body("Name must have 1 to 255 characters.")
        if "Enabled" in given and not isinstance(given["Enabled"], bool):
            raise bad_body("Enabled must be true or false.")
        most = self.options.max_call_throttling
        rate = given.get("CallThrottling", 1)
        if not isinstance(rate, int) or isinstance(rate, bool) or not 0 < rate <= most:
            raise bad_body(f"CallThrottling must be higher than 0 and at most {most}.")
        if "OutgoingUrls" in given:
            urls = given["OutgoingUrls"]
            if not isinstance(urls, list) or not urls or not all(self._allowed(url) for url in urls):
                raise bad_body("OutgoingUrls must be valid HTTPS addresses.")
        return given

    def _allowed(self, url: object) -> bool:
        try:
            parts = urlsplit(url) if isinstance(url, str) else None
            host = parts.hostname if parts else None
        except ValueError:
            return False
        if parts is None or not host:
            return False
        loopback = host in ("127.0.0.1", "localhost", "::1")
        plain = self.options.allow_http_loopback and parts.scheme == "http" and loopback
        return parts.scheme == "https" or plain

    def _refuse_twins(self, db: sqlite3.Connection, given: Mapping[str, Any], except_id: str) -> None:
        for row in db.execute("SELECT * FROM webhooks WHERE id <> ?", (except_id,)).fetchall():
            if row["name"].lower() == str(given.get("Name", "")).lower():
                raise bad_body("An outgoing webhook with this Name already exists.")
            if set(json.loads(row["urls"])) & set(given.get("OutgoingUrls", [])):
                raise bad_body("An outgoing webhook with this URL already exists.")

    def _row(self, db: sqlite3.Connection, webhook_id: str) -> sqlite3.Row:
        row: sqlite3.Row | None = db.execute("SELECT * FROM webhooks WHERE id = ?", (webhook_id,)).fetchone()
        if row is None:
            raise no_object(webhook_id)
        return row

    def _shown(self, db: sqlite3.Connection, row: sqlite3.Row) -> dict[str, Any]:
        active = db.execute(
            "SELECT COUNT(*) FROM webhook_events WHERE webhook_id = ? AND enabled", (row["id"],)
        )
        return {
            "Id": row["id"],
            "Status": "Active" if active.fetchone()[0] else "Inactive",
            "Name": row["name"],
            "Description": row["description"],
            "OutgoingUrls": json.loads(row["urls"]),
            "CallThrottling": row["throttling"],
            "LastModified": row["modified"] or row["created"],
            "ModifiedBy": "simulator",
            "DateCreated": row["created"],
            "CreatedBy": "simulator",
        }

    def _counts(self, db: sqlite3.Connection, key: str, value: str) -> dict[str, int]:
        messages = db.execute(f"SELECT COUNT(*) FROM messages WHERE {key} = ?", (value,)).fetchone()[0]
        joined = f"FROM calls JOIN messages ON messages.id = calls.message WHERE messages.{key} = ?"
        calls = db.execute(f"SELECT TOTAL(attempt) {joined}", (value,)).fetchone()[0]
        failed = db.execute(f"SELECT COUNT(*) {joined} AND calls.state = 'failed'", (value,)).fetchone()[0]
        return {"Messages": messages, "Calls": int(calls), "Errors": failed}

    # --- events -----------------------------------------------------------------------------------
    def events(self, webhook_id: str) -> list[dict[str, Any]]:
        with self.store.transaction() as db:
            self._row(db, webhook_id)
            sql = "SELECT * FROM webhook_events WHERE webhook_id = ? ORDER BY created, id"
            return [_event_shown(row) for row in db.execute(sql, (webhook_id,)).fetchall()]

    def event(self, webhook_id: str, event_id: str) -> dict[str, Any]:
        with self.store.transaction() as db:
            row = self._event_row(db, webhook_id, event_id)
            return _event_shown(row) | self._counts(db, "event_id", event_id)

    def create_event(self, webhook_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
        made = _short_id()
        with self.store.transaction() as db:
            self._row(db, webhook_id)
            checked = self._checked_event(db, webhook_id, body, "")
            db.execute(
                "INSERT INTO webhook_events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
                (made, webhook_id, *checked, self._now()),
            )
            shown = _event_shown(self._event_row(db, webhook_id, made))
        return {k: v for k, v in shown.items() if k not in ("LastModified", "ModifiedBy")}

    def change_event(self, webhook_id: str, event_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
        with self.store.transaction() as db:
            self._event_row(db, webhook_id, event_id)
            checked = self._checked_event(db, webhook_id, body, event_id)
            db.execute(
                "UPDATE webhook_events SET type = ?, object_name = ?, object_fields = ?, sources = ?, "
                "payload_fields = ?, template = ?, enabled = ?, modified = ? WHERE id = ?",
                (*checked, self._now(), event_id),
            )
            return _event_shown(self._event_row(db, webhook_id, event_id))

    def remove_event(self, webhook_id: str, event_id: str) -> None:
        with self.store.transaction() as db:
            self._event_row(db, webhook_id, event_id)
            db.execute("DELETE FROM webhook_events WHERE id = ?", (event_id,))

    def _event_row(self, db: sqlite3.Connection, webhook_id: str, event_id: str) -> sqlite3.Row:
        sql = "SELECT * FROM webhook_events WHERE webhook_id = ? AND id = ?"
        row: sqlite3.Row | None = db.execute(sql, (webhook_id, event_id)).fetchone()
        if row is None:
            raise no_object(event_id)
        return row

    def _checked_event(
        self, db: sqlite3.Connection, webhook_id: str, body: Mapping[str, Any], except_id: str
    ) -> tuple[Any, ...]:
        lists = {"ObjectFields", "EventSources", "CustomPayloadFields"}
        given = _only(body, {"EventType", "ObjectName", "CustomPayloadTemplate", "Enabled", *lists})
        kind, template = given.get("EventType"), given.get("CustomPayloadTemplate")
        if kind not in EVENT_TYPES:
            raise bad_body(f"EventType must be one of {', '.join(EVENT_TYPES)}.")
        if not isinstance(given.get("ObjectName"), str) or not isinstance(template, str | None):
            raise bad_body("ObjectName is required; CustomPayloadTemplate must be a text.")
        if not isinstance(given.get("Enabled", True), bool):
            raise bad_body("Enabled must be true or false.")
        table = find_table(self.store, given["ObjectName"])
        fields = self._names(given, "ObjectFields", {f.name for f in table.shown})
        payload = self._names(given, "CustomPayloadFields", {f.name for f in table.shown} | {"PK_ID"})
        sources = self._names(given, "EventSources", set(SOURCES))
        fields = fields if kind == "table.recordUpdate" else []
        self._refuse_twin_event(db, (webhook_id, kind, table.name, except_id), set(fields))
        as_json = [json.dumps(listed) for listed in (fields, sources, payload)]
        return (kind, table.name, *as_json, template, int(given.get("Enabled", True)))

    def _names(self, given: Mapping[str, Any], key: str, allowed: set[str]) -> list[str]:
        names = given.get(key) or []
        if not isinstance(names, list) or not all(isinstance(n, str) and n in allowed for n in names):
            raise bad_body(f"{key} holds an unknown name.")
        return names

    def _refuse_twin_event(self, db: sqlite3.Connection, key: tuple[str, ...], fields: set[str]) -> None:
        """Per table one insert, one delete, one all-field update or several on different columns."""
        sql = (
            "SELECT object_fields FROM webhook_events WHERE webhook_id = ? AND type = ? AND object_name = ? "
            "AND id <> ?"
        )
        for (listed,) in db.execute(sql, key).fetchall():
            others = set(json.loads(listed))
            if not fields or not others or fields & others:
                raise bad_body("The webhook already has such an event.")

    def _now(self) -> str:
        return self.options.clock().strftime("%Y-%m-%dT%H:%M:%S")


def _event_shown(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "Id": row["id"],
        "Type": row["type"],
        "Status": "Active" if row["enabled"] else "Inactive",
        "ObjectName": row["object_name"],
        "ObjectFields": json.loads(row["object_fields"]),
        "EventSources": json.loads(row["sources"]),
        "CustomPayloadFields": json.loads(row["payload_fields"]),
        "CustomPayloadTemplate": row["template"],
        "LastModified": row["modified"] or row["created"],
        "ModifiedBy": "simulator",
        "DateCreated": row["created"],
        "CreatedBy": "simulator",
    }


def _only(body: Mapping[str, Any], known: set[str]) -> dict[str, Any]:
    if unknown := sorted(set(body) - known):
        raise bad_body(f"Unknown parameter(s): {', '.join(unknown)}")
    return {k: v for k, v in body.items() if v is not None}


def _short_id() -> str:
    """Six characters, as Caspio's ids of webhooks and events."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(6))
