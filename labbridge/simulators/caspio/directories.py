"""Directories: user stores, each a table of its own with three hidden attributes (caspio-api.md 2.6)."""

import secrets
from typing import Any

from flask import Response, jsonify, request

from labbridge.simulators.caspio import design, records
from labbridge.simulators.caspio.account import Account
from labbridge.simulators.caspio.errors import CaspioError, bad_body, bad_query, no_object
from labbridge.simulators.caspio.query import read_query
from labbridge.simulators.caspio.rest import (
    account_of,
    argument,
    blueprint,
    body_object,
    result,
    wants_rows,
    whole,
)

routes = blueprint("directories")

Answer = Response | tuple[Response | str, int]
USERS = "/directories/<directory_id>/users"
FIELDS: list[dict[str, Any]] = [
    {"Name": "UserGUID", "Type": "GUID", "Unique": True},
    {"Name": "Email", "Type": "STRING", "Unique": True},
    {"Name": "First_Name", "Type": "STRING"},
    {"Name": "Last_Name", "Type": "STRING"},
    {"Name": "Role", "Type": "STRING"},
]
ATTRIBUTES = ("_status", "_sign_in_method", "_2fa_status")


def create_directory(account: Account, name: str) -> str:
    """Create a directory, which REST can't, and return its id."""
    directory_id = secrets.token_hex(3)
    with account.store.transaction() as db:
        table = design.create_table(account.store, name, FIELDS)
        for attribute in ATTRIBUTES:
            table = design.find_table(account.store, name)
            design.add_field(account.store, table, {"Name": attribute, "Type": "STRING"}, hidden=True)
        now = account.now_text()
        db.execute("INSERT INTO directories VALUES (?, ?, ?, ?)", (directory_id, table.id, now, now))
    return directory_id


def add_user(account: Account, directory_id: str, values: dict[str, Any], status: str) -> records.Row:
    """Insert a user; new users wait for their activation."""
    table = _table_of(account, directory_id)
    row = records.insert(account, table, values, source="RESTAPIs")
    _set(account, table, row["PK_ID"], {"_status": status, "_sign_in_method": "Caspio"})
    _set(account, table, row["PK_ID"], {"_2fa_status": "Disabled"})
    return row


@routes.get("/directories")
def list_directories() -> Answer:
    account = account_of()
    with account.store.transaction() as db:
        found = db.execute("SELECT * FROM directories ORDER BY created, id").fetchall()
        return result([_shown(account, row) for row in found])


@routes.get(USERS)
def list_users(directory_id: str) -> Answer:
    table = _table_of(account_of(), directory_id)
    rows, pagination = records.select(account_of(), table, read_query(request.args), hidden=True)
    return jsonify({"Result": rows} | ({"Pagination": pagination} if pagination else {}))


@routes.post(USERS)
@whole
def create_user(directory_id: str) -> Answer:
    row = add_user(account_of(), directory_id, body_object(), "ActivationPending")
    return result([row], 201) if wants_rows() else ("", 201)


@routes.put(USERS)
@whole
def change_users(directory_id: str) -> Answer:
    table = _table_of(account_of(), directory_id)
    count, rows = records.update(account_of(), table, _where(), body_object(), source="RESTAPIs")
    return jsonify({"UsersAffected": count} | ({"Result": rows} if wants_rows() else {}))


@routes.delete(USERS)
@whole
def delete_users(directory_id: str) -> Answer:
    table = _table_of(account_of(), directory_id)
    return jsonify({"UsersAffected": records.delete(account_of(), table, _where(), source="RESTAPIs")})


@routes.post(f"{USERS}/activate")
@whole
def activate_user(directory_id: str) -> Answer:
    account, body = account_of(), body_object()
    table, guid, send = _table_of(account, directory_id), body.get("UserGUID"), body.get("SendEmail", True)
    if set(body) - {"UserGUID", "SendEmail"} or not isinstance(guid, str) or not isinstance(send, bool):
        raise bad_body("UserGUID is required; SendEmail must be true or false.")
    column, status = table.field("UserGUID").column, table.fields["_status"].column
    with account.store.transaction() as db:
        sql = f"SELECT PK_ID, {status} AS status FROM {table.rows} WHERE {column} = ?"
        row = db.execute(sql, (guid.encode(errors="replace").decode(),)).fetchone()
    if row is None:
        raise no_object(guid)
    if row["status"] == "Active":
        raise CaspioError(409, "Conflict", "The user is already active.")
    _set(account, table, row["PK_ID"], {"_status": "ActivationPending"})
    return result({"ActivationUrl": f"{account.options.host}/activate/{secrets.token_urlsafe(24)}"})


def _where() -> str:
    text = argument("Where") or argument("q.where")
    if not text:
        raise bad_query("The parameter Where is required.")
    return text


def _set(account: Account, table: design.Table, pk: int, values: dict[str, str]) -> None:
    with account.store.transaction() as db:
        for name, value in values.items():
            sql = f"UPDATE {table.rows} SET {table.fields[name].column} = ? WHERE PK_ID = ?"
            db.execute(sql, (value, pk))


def _table_of(account: Account, directory_id: str) -> design.Table:
    with account.store.transaction() as db:
        sql = "SELECT t.name FROM directories d JOIN tables t ON t.id = d.table_id WHERE d.id = ?"
        row = db.execute(sql, (directory_id,)).fetchone()
    if row is None:
        raise no_object(directory_id)
    return design.find_table(account.store, row["name"])


def _shown(account: Account, row: Any) -> dict[str, Any]:
    table = _table_of(account, row["id"])
    with account.store.transaction() as db:
        users = db.execute(f"SELECT COUNT(*) FROM {table.rows}").fetchone()[0]
    return {
        "Id": row["id"],
        "Name": table.name,
        "NumberOfUsers": users,
        "DateCreated": row["created"],
        "DateUpdated": row["updated"],
        "CreatedBy": "simulator",
        "UpdatedBy": "simulator",
    }
