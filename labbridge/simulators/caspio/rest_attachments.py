"""REST v3: attachments of records (caspio-api.md 2.4)."""

from typing import Any

from flask import Response, jsonify
from werkzeug.datastructures import FileStorage

from labbridge.simulators.caspio import design, records
from labbridge.simulators.caspio.errors import CaspioError, bad_body, bad_query, no_object
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
from labbridge.simulators.caspio.uploads import content_of, is_file_name, name_of, no_file, upload_named

routes = blueprint("attachments")

Answer = Response | tuple[Response | str, int]
BINARY = "application/octet-stream"


@routes.get("/tables/<name>/attachments/<field>/<pk>")
def show_attachment(name: str, field: str, pk: str) -> Answer:
    found = attachment(_attachment_field(name, field), _row_key(name, pk))
    if found is None:
        raise no_file()
    return Response(found["content"], mimetype=BINARY)


@routes.put("/tables/<name>/attachments/<field>/<pk>")
@whole
def put_attachment(name: str, field: str, pk: str) -> Answer:
    found, key = _attachment_field(name, field), _row_key(name, pk)
    upload = upload_named("File")
    stem, content = _checked(found, upload)
    store_attachment(name, found, key, (stem, content), "RESTAPIs")
    return "", 204


@routes.delete("/tables/<name>/attachments/<field>")
@whole
def delete_attachments(name: str, field: str) -> Answer:
    found = _attachment_field(name, field)
    keys = _matching(name, records.required_where(where_argument()))
    with account_of().store.transaction() as db:
        count = 0
        for pk in keys:
            key = (found.id, pk)
            count += db.execute("DELETE FROM attachments WHERE field_id = ? AND pk = ?", key).rowcount
            db.execute(f"UPDATE {_table(name).rows} SET {found.column} = NULL WHERE PK_ID = ?", (pk,))
    return jsonify({"RecordsAffected": count})


@routes.get("/tables/<name>/attachments/<field>/fileInfo")
def attachment_infos(name: str, field: str) -> Answer:
    found = _attachment_field(name, field)
    return result(_infos(found, _matching(name, where_argument())))


@routes.put("/tables/<name>/attachments/<field>/fileInfo")
@whole
def rename_attachments(name: str, field: str) -> Answer:
    found = _attachment_field(name, field)
    keys = _matching(name, records.required_where(where_argument()))
    body = texts(body_object())
    if set(body) != {"FileName"} or not is_file_name(body["FileName"]):
        raise bad_body("FileName is required.")
    with account_of().store.transaction() as db:
        infos = _infos(found, keys)
        for info in infos:
            where = (body["FileName"], found.id, info["PK_ID"])
            db.execute("UPDATE attachments SET name = ? WHERE field_id = ? AND pk = ?", where)
            full = _full_name(body["FileName"], info["FileType"])
            sql = f"UPDATE {_table(name).rows} SET {found.column} = ? WHERE PK_ID = ?"
            db.execute(sql, (full, info["PK_ID"]))
        changed = _infos(found, keys)
    return jsonify({"RecordsAffected": len(infos)} | ({"Result": changed} if wants_rows() else {}))


def attachment(field: design.Field, pk: int) -> Any:
    with account_of().store.transaction() as db:
        sql = "SELECT * FROM attachments WHERE field_id = ? AND pk = ?"
        return db.execute(sql, (field.id, pk)).fetchone()


def store_attachment(name: str, field: design.Field, pk: int, file: tuple[str, bytes], source: str) -> None:
    """Keep a file on a row; the row shows its name, and an update event may fire (assumed)."""
    account, table = account_of(), _table(name)
    stem, _, extension = file[0].rpartition(".") if "." in file[0].strip(".") else (file[0], "", "")
    now = account.now_text()
    with account.store.transaction() as db:
        db.execute(
            "INSERT INTO attachments VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (field_id, pk) DO UPDATE SET "
            "name = excluded.name, extension = excluded.extension, content = excluded.content, "
            "updated = excluded.updated",
            (field.id, pk, stem, extension, file[1], now, now),
        )
        db.execute(f"UPDATE {table.rows} SET {field.column} = ? WHERE PK_ID = ?", (file[0], pk))
        row = records.by_pk(account, table, pk)
        account.messages.fire(table, "table.recordUpdate", [row], {field.name}, source)


def _checked(field: design.Field, upload: FileStorage) -> tuple[str, bytes]:
    content = content_of(upload)
    name = name_of(upload)
    permitted = [t.lower().lstrip(".") for t in field.definition.get("AttachmentPermittedFileTypes") or []]
    if permitted and name.rpartition(".")[2].lower() not in permitted:
        raise bad_body("The file type is not permitted.")
    largest = field.definition.get("AttachmentMaxFileSize") or account_of().options.max_upload_bytes
    if len(content) > largest:
        raise CaspioError(413, "FileTooLarge", "The file is too large.")
    if len(content) < (field.definition.get("AttachmentMinFileSize") or 0):
        raise bad_body("The file is too small.")
    return name, content


def _infos(field: design.Field, keys: list[int]) -> list[dict[str, Any]]:
    found = [(pk, attachment(field, pk)) for pk in keys]
    return [
        {
            "PK_ID": pk,
            "FileName": row["name"],
            "FileType": row["extension"],
            "Size": len(row["content"]),
            "DateCreated": row["created"],
            "DateUpdated": row["updated"],
        }
        for pk, row in found
        if row is not None
    ]


def _matching(name: str, where: str | None) -> list[int]:
    account, table = account_of(), _table(name)
    found = records.condition(account, table, where)
    with account.store.transaction() as db:
        sql = f"SELECT PK_ID FROM {table.rows} WHERE {found.sql} ORDER BY PK_ID"
        return [pk for (pk,) in db.execute(sql, found.parameters).fetchall()]


def _attachment_field(name: str, field: str) -> design.Field:
    found = _table(name).field(field)
    if found.type != "ATTACHMENT":
        raise bad_query(f"The field '{found.name}' is no attachment.")
    return found


def _row_key(name: str, pk: str) -> int:
    if not (pk.isascii() and pk.isdigit() and len(pk) < 19):
        raise bad_query("The record id must be a number.")
    if not _matching(name, f"PK_ID={int(pk)}"):
        raise no_object(pk)
    return int(pk)


def _table(name: str) -> design.Table:
    return design.find_table(account_of().store, name)


def _full_name(stem: str, extension: str) -> str:
    return f"{stem}.{extension}" if extension else stem
