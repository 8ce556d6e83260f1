"""What a refusal by Rupa means: both of its error bodies, and OAuth's (rupa-api.md 4 and 9).

Only names go into our errors: the peer's code and the fields it complains about. Its messages quote data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TypeGuard

from labbridge.peers.errors import (
    ConnectionEnded,
    Forbidden,
    NotFound,
    PeerError,
    RateLimited,
    Rejected,
    Unauthorized,
    Unreadable,
)
from labbridge.peers.http import Refusal, Response, explain_status
from labbridge.peers.rupa.jsonapi import Json, JsonObject, as_list, as_object, load_json

BY_CODE: Mapping[str, type[PeerError]] = {
    # rupa-js's own codes, from its source (rupa-api.md 9). The status beside them is not dependable there.
    "RupaValidationError": Rejected,
    "RupaNotFoundError": NotFound,
    "RupaPermissionDeniedError": Forbidden,
    "RupaNotAuthenticatedError": Unauthorized,
    "RupaAuthenticatedError": Unauthorized,  # the readme's spelling
    # RFC 6749 5.2
    "invalid_grant": ConnectionEnded,
    "invalid_client": Unauthorized,
    "unauthorized_client": Unauthorized,
}

ANSWERED_BY_STATUS = frozenset({429, 500, 502, 503, 504})
"""Whatever the body says: it was a matter of speed or of the server's health."""

MAX_FIELDS = 20
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.\-\[\]]{0,79}")
_REQUEST_ID_HEADERS = ("x-request-id", "x-amzn-trace-id", "cf-ray")


def explain(response: Response) -> Refusal:
    """The kind of error, its code and the names of refused fields."""
    by_status = explain_status(response).kind
    body = _body(response)
    code = _code(body)
    kind = by_status
    if response.status == 405:
        kind = NotFound  # the path is there, but offers no such deed
    if code is not None and code in BY_CODE and response.status not in ANSWERED_BY_STATUS:
        kind = BY_CODE[code]
    if 300 <= response.status < 400:
        kind, code = Unreadable, "redirect"
    fields = () if issubclass(kind, RateLimited) else tuple(dict.fromkeys(_fields(body)))[:MAX_FIELDS]
    return Refusal(kind, code, fields, _request_id(response))


def _body(response: Response) -> JsonObject:
    try:
        return as_object(load_json(response.content))
    except PeerError:
        return {}  # an error page of a proxy: the status must do


def _code(body: JsonObject) -> str | None:
    """The first code that looks like one."""
    candidates = [body.get("code"), body.get("error"), *(as_object(one).get("code") for one in _errors(body))]
    return next((text for text in candidates if _is_name(text)), None)


def _fields(body: JsonObject) -> Iterator[str]:
    for error in _errors(body):
        source = as_object(error.get("source"))
        pointer, parameter = source.get("pointer"), source.get("parameter")
        if isinstance(pointer, str) and _is_name(name := _from_pointer(pointer)):
            yield name
        if _is_name(parameter):
            yield parameter
    yield from _nested(as_object(body.get("fields")), "")


def _errors(body: JsonObject) -> list[JsonObject]:
    return [as_object(error) for error in as_list(body.get("errors"))]


def _from_pointer(pointer: str) -> str:
    """`/data/attributes/patient_data/email` -> `patient_data.email`."""
    for prefix in ("/data/attributes/", "/data/relationships/", "/data/"):
        if pointer.startswith(prefix):
            return pointer.removeprefix(prefix).removesuffix("/data").replace("/", ".")
    return pointer.strip("/").replace("/", ".")


def _nested(fields: JsonObject, prefix: str) -> Iterator[str]:
    """rupa-js nests: {"patient": {"email": ["..."]}} (rupa-api.md 9)."""
    for name, value in list(fields.items())[:MAX_FIELDS]:
        if not _is_name(name):
            continue
        if isinstance(value, Mapping) and prefix.count(".") < 3:
            yield from _nested(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _is_name(value: Json) -> TypeGuard[str]:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _request_id(response: Response) -> str | None:
    """No such header is documented (rupa-api.md 2): the common ones are tried."""
    found = (response.headers.get(name) for name in _REQUEST_ID_HEADERS)
    return next((value for value in found if value and re.fullmatch(r"[\w.:=;\-]{1,120}", value)), None)
