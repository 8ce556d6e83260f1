"""Files as they come in by multipart."""

from flask import request
from werkzeug.datastructures import FileStorage

from labbridge.simulators.caspio.errors import CaspioError, bad_body
from labbridge.simulators.caspio.rest import account_of


def upload_named(part: str) -> FileStorage:
    upload = request.files.get(part)
    if upload is None:
        raise bad_body(f"The multipart part '{part}' is missing.")
    return upload


def content_of(upload: FileStorage) -> bytes:
    content = upload.stream.read()
    upload.stream.seek(0)
    if len(content) > account_of().options.max_upload_bytes:
        raise CaspioError(413, "FileTooLarge", "The file is too large.")
    return content


def name_of(upload: FileStorage) -> str:
    name = (upload.filename or "").replace("\\", "/").rpartition("/")[2]
    if not is_file_name(name):
        raise bad_body("The file name is not allowed.")
    return name


def no_file() -> CaspioError:
    return CaspioError(404, "FileNotFound", "The file does not exist.")


def is_file_name(name: object) -> bool:
    return isinstance(name, str) and 0 < len(name) <= 255 and not set(name) & set('/\\:*?"<>|\x00')
