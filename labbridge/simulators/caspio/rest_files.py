"""REST v3: the Files area, one flat folder, as v3 can create none (caspio-api.md 2.5)."""

import mimetypes
import uuid
from datetime import datetime
from typing import Any

from flask import Response, jsonify, request
from werkzeug.datastructures import FileStorage

from labbridge.simulators.caspio.errors import CaspioError, bad_body, bad_query, no_object
from labbridge.simulators.caspio.rest import (
    account_of,
    argument,
    blueprint,
    result,
    whole,
)
from labbridge.simulators.caspio.uploads import content_of, name_of, no_file, upload_named

routes = blueprint("files")

Answer = Response | tuple[Response | str, int]
BINARY = "application/octet-stream"
FILE_SORTS = {
    "name": "name",
    "size": "LENGTH(content)",
    "contenttype": "content_type",
    "datecreated": "created",
    "lastmodified": "modified",
}


@routes.get("/files")
def list_files() -> Answer:
    if argument("externalKey"):
        raise bad_query("There is no such folder.")
    limit, page = _paging()
    order = FILE_SORTS.get((argument("sortField") or "name").lower())
    if order is None:
        raise bad_query("sortField is not known.")
    way = "DESC" if (argument("sortDescending") or "").lower() == "true" else "ASC"
    with account_of().store.transaction() as db:
        total = db.execute("SELECT COUNT(*) FROM files").fetchone()[0]
        sql = f"SELECT * FROM files ORDER BY {order} {way}, key LIMIT ? OFFSET ?"
        rows = db.execute(sql, (limit, (page - 1) * limit)).fetchall()
    pagination = {"TotalCount": total, "PageNumber": page, "PageSize": limit}
    return jsonify({"Result": [_file_info(row) for row in rows], "Pagination": pagination})


@routes.post("/files")
@whole
def add_files() -> Answer:
    if argument("externalKey"):
        raise no_object("folder")
    uploads = request.files.getlist("Files")
    if not uploads:
        raise bad_body("The multipart part 'Files' is missing.")
    return result([_file_added(upload) for upload in uploads], 201)


@routes.put("/files")
@whole
def put_file() -> Answer:
    if argument("externalKey"):
        raise no_object("folder")
    upload = upload_named("File")
    row = _file("name", name_of(upload))
    if row is None:
        return result(_file_added(upload), 201)
    with account_of().store.transaction() as db:
        values = (content_of(upload), account_of().now_text(), row["key"])
        db.execute("UPDATE files SET content = ?, modified = ? WHERE key = ?", values)
    return result({"Name": row["name"], "ExternalKey": row["key"]})


@routes.get("/files/folders")
def list_folders() -> Answer:
    limit, page = _paging()
    pagination = {"TotalCount": 0, "PageNumber": page, "PageSize": limit}
    return jsonify({"Result": [], "Pagination": pagination})


@routes.get("/files/folders/<key>")
def show_folder(key: str) -> Answer:
    raise no_object(key)


@routes.get("/files/path")
def show_file_by_path() -> Answer:
    return Response(_by_path()["content"], mimetype=BINARY)


@routes.get("/files/path/fileInfo")
def file_info_by_path() -> Answer:
    return result(_file_info(_by_path()))


@routes.delete("/files/path")
@whole
def delete_file_by_path() -> Answer:
    return _deleted(_by_path())


@routes.get("/files/<key>")
def show_file(key: str) -> Answer:
    return Response(_existing("key", key)["content"], mimetype=BINARY)


@routes.get("/files/<key>/fileInfo")
def file_info(key: str) -> Answer:
    return result(_file_info(_existing("key", key)))


@routes.delete("/files/<key>")
@whole
def delete_file(key: str) -> Answer:
    return _deleted(_existing("key", key))


def _file_added(upload: FileStorage) -> dict[str, str]:
    name, key, now = name_of(upload), str(uuid.uuid4()), account_of().now_text()
    if _file("name", name) is not None:
        raise CaspioError(409, "FileExists", "A file with this name already exists.")
    kind = mimetypes.guess_type(name)[0] or BINARY
    with account_of().store.transaction() as db:
        db.execute(
            "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?)", (key, name, kind, content_of(upload), now, now)
        )
    return {"Name": name, "ExternalKey": key}


def _deleted(row: Any) -> Answer:
    with account_of().store.transaction() as db:
        db.execute("DELETE FROM files WHERE key = ?", (row["key"],))
    return "", 204


def _file(column: str, value: str) -> Any:
    with account_of().store.transaction() as db:
        return db.execute(f"SELECT * FROM files WHERE {column} = ?", (value,)).fetchone()


def _existing(column: str, value: str) -> Any:
    row = _file(column, value)
    if row is None:
        raise no_file()
    return row


def _by_path() -> Any:
    path = argument("filePath")
    if not path:
        raise bad_query("The parameter filePath is required.")
    return _existing("name", path.removeprefix("/"))


def _file_info(row: Any) -> dict[str, Any]:
    return {
        "Name": row["name"],
        "ExternalKey": row["key"],
        "Size": len(row["content"]),
        "ContentType": row["content_type"],
        "DateCreated": _us_date(row["created"]),
        "LastModified": _us_date(row["modified"]),
    }


def _us_date(text: str) -> str:
    """Files carry US dates in UTC, such as `1/12/2022 7:15:18 AM` (caspio-api.md 2.5)."""
    moment = datetime.fromisoformat(text)
    hour = moment.hour % 12 or 12
    half = "PM" if moment.hour >= 12 else "AM"
    return f"{moment.month}/{moment.day}/{moment.year} {hour}:{moment:%M:%S} {half}"


def _paging() -> tuple[int, int]:
    size, number = argument("pageSize") or "25", argument("pageNumber") or "1"
    if not (size.isascii() and size.isdigit() and number.isascii() and number.isdigit() and len(number) < 8):
        raise bad_query("pageSize and pageNumber must be whole numbers.")
    if not 5 <= int(size[:5]) <= 1000 or int(number) < 1:
        raise bad_query("pageSize must be from 5 to 1000, pageNumber at least 1.")
    return int(size[:5]), int(number)
