"""REST v3: tables, fields, records, password fields; views, tasks and applications as an empty account's."""

from typing import Any

from flask import Response, jsonify, request

from labbridge.simulators.caspio import design, records
from labbridge.simulators.caspio.errors import CaspioError, bad_body, bad_values, no_fields, no_object
from labbridge.simulators.caspio.query import read_query
from labbridge.simulators.caspio.rest import (
    account_of,
    blueprint,
    body_object,
    result,
    texts,
    wants_rows,
    where_argument,
    whole,
)

routes = blueprint("tables")

Answer = Response | tuple[Response | str, int]
SOURCE = "RESTAPIs"


def table_named(name: str) -> design.Table:
    return design.find_table(account_of().store, name)


@routes.get("/tables")
def list_tables() -> Answer:
    return result(design.table_names(account_of().store))


@routes.post("/tables")
@whole
def create_table() -> Answer:
    body = texts(body_object())
    if unknown := set(body) - {"Name", "Fields"}:  # v2's `Columns` gets this too (caspio-api.md 2.1)
        raise bad_body(f"Unknown parameter(s): {', '.join(sorted(unknown))}")
    design.create_table(account_of().store, body.get("Name"), body.get("Fields"))
    return "", 201


@routes.get("/tables/<name>")
def show_table(name: str) -> Answer:
    table = table_named(name)
    return result({"Name": table.name, "Note": table.note})


@routes.get("/tables/<name>/fields")
def list_fields(name: str) -> Answer:
    return result([field.model() for field in table_named(name).shown])


@routes.post("/tables/<name>/fields")
@whole
def add_field(name: str) -> Answer:
    design.add_field(account_of().store, table_named(name), texts(body_object()))
    return "", 201


@routes.get("/tables/<name>/fields/<field>")
def show_field(name: str, field: str) -> Answer:
    return result(table_named(name).field(field).model())


@routes.put("/tables/<name>/fields/<field>")
@whole
def change_field(name: str, field: str) -> Answer:
    table = table_named(name)
    if field not in {f.name for f in table.shown}:  # case-sensitive here (caspio-api.md 3.5)
        raise no_fields([field])
    design.change_field(account_of().store, table, table.field(field), texts(body_object()))
    return "", 204


@routes.delete("/tables/<name>/fields/<field>")
@whole
def drop_field(name: str, field: str) -> Answer:
    table = table_named(name)
    design.drop_field(account_of().store, table, table.field(field))
    return "", 204


@routes.get("/tables/<name>/records")
def list_records(name: str) -> Answer:
    rows, pagination = records.select(account_of(), table_named(name), read_query(request.args))
    answer: dict[str, Any] = {"Result": rows}
    return jsonify(answer if pagination is None else answer | {"Pagination": pagination})


@routes.post("/tables/<name>/records")
@whole
def add_record(name: str) -> Answer:
    row = records.insert(account_of(), table_named(name), body_object(), source=SOURCE)
    return result([row], 201) if wants_rows() else ("", 201)


@routes.put("/tables/<name>/records")
@whole
def change_records(name: str) -> Answer:
    table = table_named(name)
    where = records.required_where(where_argument())
    count, rows = records.update(account_of(), table, where, body_object(), source=SOURCE)
    return jsonify({"RecordsAffected": count} | ({"Result": rows} if wants_rows() else {}))


@routes.delete("/tables/<name>/records")
@whole
def delete_records(name: str) -> Answer:
    where = records.required_where(where_argument())
    count = records.delete(account_of(), table_named(name), where, source=SOURCE)
    return jsonify({"RecordsAffected": count})


@routes.get("/tables/<name>/passwordFields")
def list_passwords(name: str) -> Answer:
    return result([f.name for f in table_named(name).shown if f.type == "PASSWORD"])


@routes.put("/tables/<name>/passwordFields/<field>")
@whole
def set_password(name: str, field: str) -> Answer:
    body = body_object()
    value = body.get("Value")
    if set(body) - {"Value"}:
        raise bad_body("Value alone is expected.")
    try:
        taken = _password(name, field).taken(value)
    except ValueError as error:
        raise bad_values([field]) from error
    return _password_written(name, field, taken)


@routes.delete("/tables/<name>/passwordFields/<field>")
@whole
def reset_password(name: str, field: str) -> Answer:
    return _password_written(name, field, None)


def _password(name: str, field: str) -> design.Field:
    found = table_named(name).field(field)
    if found.type != "PASSWORD":
        raise no_fields([field])
    return found


def _password_written(name: str, field: str, value: object) -> Answer:
    account, table, found = account_of(), table_named(name), _password(name, field)
    where = records.condition(account, table, records.required_where(where_argument()))
    with account.store.transaction() as db:
        sql = f"UPDATE {table.rows} SET {found.column} = ? WHERE {where.sql}"
        count = db.execute(sql, (value, *where.parameters)).rowcount
    return jsonify({"RecordsAffected": count})


# --- what this account has none of ----------------------------------------------------------------
@routes.get("/views")
@routes.get("/dataImportExportTasks")
@routes.get("/bridgeApplications")
def nothing() -> Answer:
    return result([])


@routes.route("/views/<name>", methods=["GET", "POST", "PUT", "DELETE"])
@routes.route("/views/<name>/<path:rest>", methods=["GET", "POST", "PUT", "DELETE"])
@routes.route("/dataImportExportTasks/<name>", methods=["GET"])
@routes.route("/dataImportExportTasks/<name>/<path:rest>", methods=["GET", "POST"])
@routes.route("/bridgeApplications/<name>", methods=["GET"])
@routes.route("/bridgeApplications/<name>/<path:rest>", methods=["GET", "PUT"])
def none_of(name: str, rest: str = "") -> Answer:
    raise no_object(f"{name}/{rest}" if rest else name)


@routes.route("/<path:_rest>", methods=["GET", "POST", "PUT", "DELETE", "PATCH"])
def unknown(_rest: str) -> Answer:
    raise CaspioError(404, "ObjectNotFound", "No such resource.")
