"""/_sim/...: what a test or a demo does to the account beyond what Caspio offers (loopback only)."""

import hashlib
from typing import Any

from flask import Blueprint, Response, jsonify, redirect, request

from labbridge.simulators.caspio import design, oauth, records
from labbridge.simulators.caspio.account import Account
from labbridge.simulators.caspio.deliveries import Sender
from labbridge.simulators.caspio.errors import CaspioError, bad_body
from labbridge.simulators.caspio.query import Query
from labbridge.simulators.caspio.rest import account_of, body_object, whole
from labbridge.simulators.caspio.seed import seed_practice
from labbridge.simulators.caspio.webhooks import SOURCES

Answer = Response | tuple[Response | str, int]


def controls(sender: Sender) -> Blueprint:
    """The routes; the faults middleware has refused everyone but loopback before."""
    routes = Blueprint("control", __name__, url_prefix="/_sim")

    @routes.post("/seed")
    def seed() -> Any:
        given = request.get_json(silent=True) or {}
        added = seed_practice(account_of(), int(given.get("patients", 25)), int(given.get("seed", 7)))
        return _done({"patients": added})

    @routes.post("/reset")
    def reset() -> Any:
        account_of().store.reset()
        return _done({"reset": True})

    @routes.post("/expire-tokens")
    def expire_tokens() -> Any:
        oauth.expire_all(account_of())
        return _done({"expired": True})

    @routes.get("/dump")
    def show_dump() -> Answer:
        return jsonify(dump(account_of()))

    @routes.get("/deliveries")
    def show_deliveries() -> Answer:
        return jsonify(sender.listed())

    @routes.post("/deliveries/send-now")
    def send_now() -> Any:
        sender.send_now()
        return _done({"waiting": sender.waiting()})

    routes.add_url_rule("/import", view_func=import_rows, methods=["POST"])
    routes.add_url_rule("/trigger", view_func=trigger, methods=["POST"])
    return routes


@whole
def import_rows() -> Answer:
    """{"table", "rows"}: inserts in bulk and fires nothing, like Caspio's import (caspio-api.md 4.3)."""
    body = body_object()
    rows = body.get("rows")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise bad_body("rows must be a list of objects.")
    table = design.find_table(account_of().store, str(body.get("table")))
    keys = [records.insert(account_of(), table, row, source=None)["PK_ID"] for row in rows]
    return jsonify({"imported": len(keys), "keys": keys})


@whole
def trigger() -> Answer:
    """{"type", "table", "pk", "source"}: send an event about a row as it is, with the row unchanged."""
    body, account = body_object(), account_of()
    table = design.find_table(account.store, str(body.get("table")))
    source = body.get("source", "DataPages")
    pk = body.get("pk")
    if source not in SOURCES or not isinstance(pk, int):
        raise bad_body("pk must be a PK_ID, source one of Caspio's.")
    try:
        row = records.by_pk(account, table, pk)
    except LookupError as error:
        raise CaspioError(404, "RecordNotFound", "No such row.") from error
    changed = {field.name for field in table.shown}
    made = account.messages.fire(table, str(body.get("type")), [row], changed, str(source))
    return jsonify({"messages": made})


def dump(account: Account) -> dict[str, list[dict[str, Any]]]:
    """Every table's rows by PK_ID; attachments as name, size and sha256."""
    shown: dict[str, list[dict[str, Any]]] = {}
    for name in design.table_names(account.store):
        table = design.find_table(account.store, name)
        rows, _ = records.select(account, table, Query(limit=10_000_000))
        attached = [f for f in table.shown if f.type == "ATTACHMENT"]
        for row in rows:
            row |= {field.name: _attached(account, field, row["PK_ID"]) for field in attached}
        shown[name] = rows
    return shown


def _attached(account: Account, field: design.Field, pk: int) -> dict[str, Any] | None:
    with account.store.transaction() as db:
        sql = "SELECT name, extension, content FROM attachments WHERE field_id = ? AND pk = ?"
        row = db.execute(sql, (field.id, pk)).fetchone()
    if row is None:
        return None
    name = f"{row['name']}.{row['extension']}" if row["extension"] else row["name"]
    return {"name": name, "size": len(row["content"]), "sha256": hashlib.sha256(row["content"]).hexdigest()}


def _done(answer: dict[str, Any]) -> Any:
    """JSON for programs; a browser that pressed a button goes back to the page."""
    if request.mimetype == "application/x-www-form-urlencoded" and request.accept_mimetypes.accept_html:
        return redirect("/_sim/", 303)
    return jsonify(answer)
