"""Checks requests and answers against Caspio's own OpenAPI 3.0 document, for any test that wants it.

`validate_request(method, path, query, headers, body)` and `validate_response(method, path, status, headers,
body)` raise AssertionError with what is wrong. `path` is `/integrations/rest/v3/...` or `/v3/...`.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode
from uuid import UUID

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import best_match

SPEC = Path(__file__).parent / "caspio-v3-openapi.json"
PREFIX = "/integrations/rest"
HOST = "https://c0abc123.caspio.com"
MAX_URI = 2047  # caspio-api.md 3.1; the document does not say it
# refusals that the document leaves out; 409 is a file name that exists (caspio-api.md 2.5)
UNDOCUMENTED = {405, 408, 409, 414, 415, 429, 500, 502, 503, 504}
RANGES = {"q.limit": (1, 1000), "q.pagesize": (5, 1000), "q.pagenumber": (1, 2**31 - 1)}
Query = Mapping[str, Any] | Sequence[tuple[str, Any]] | str | None

formats = FormatChecker(formats=())


@formats.checks("uuid", raises=ValueError)
def _uuid(value: object) -> bool:
    return not isinstance(value, str) or bool(UUID(value))


@formats.checks("date-time", raises=ValueError)
def _date_time(value: object) -> bool:
    # Caspio's dates carry no offset (caspio-api.md 3.4), so this is wider than the JSON Schema format
    return not isinstance(value, str) or bool(datetime.fromisoformat(value))


@formats.checks("int32")
def _int32(value: object) -> bool:
    return not isinstance(value, int) or -(2**31) <= value < 2**31


@formats.checks("int64")
def _int64(value: object) -> bool:
    return not isinstance(value, int) or -(2**63) <= value < 2**63


def validate_request(
    method: str, path: str, query: Query = None, headers: Any = None, body: bytes | str | None = None
) -> None:
    """Raise AssertionError when a request is not what the document and the header rules ask for."""
    where = f"{method.upper()} {path}"
    operation, template = operation_for(method, path)
    pairs = _pairs(query)
    _check_parameters(where, operation, pairs)
    encoded = "?" + urlencode(pairs, quote_via=quote) if pairs else ""
    assert len(HOST + path + encoded) <= MAX_URI, f"{where}: the URI is longer than {MAX_URI}"
    given = _lowered(headers)
    assert re.match(r"(?i)bearer .+", given.get("authorization", "")), f"{where}: no bearer token"
    _check_body(where, operation, template, given.get("content-type", ""), _bytes(body))


def validate_response(
    method: str, path: str, status: int, headers: Any = None, body: bytes | str | None = None
) -> None:
    """Raise AssertionError when an answer is not one the document allows."""
    where, content = f"{method.upper()} {path} -> {status}", _bytes(body)
    operation, _ = operation_for(method, path)
    given = _lowered(headers)
    documented = operation["responses"].get(str(status))
    assert documented is not None or status in UNDOCUMENTED, f"{where}: status not documented"
    if status >= 400:
        _check_error(where, status, content)
        return
    assert given.get("x-caspio-request-id"), f"{where}: no X-Caspio-Request-ID"
    schema = (documented.get("content") or {}).get("application/json", {}).get("schema")
    if schema is None:
        assert not content, f"{where}: a body where none is documented"
    elif schema.get("format") != "binary" and not (schema.get("nullable") and not content):
        media = given.get("content-type", "").partition(";")[0]
        assert media in documented["content"], f"{where}: media type {media!r} not documented"
        _check_schema(where, schema, _parsed(where, content))


def operation_for(method: str, path: str) -> tuple[dict[str, Any], str]:
    """Find the operation of a path; literal segments win over parameters."""
    plain = path.removeprefix(PREFIX).partition("?")[0]
    for pattern, template in _patterns():
        if pattern.fullmatch(plain):
            operation = document()["paths"][template].get(method.lower())
            assert operation is not None, f"{method.upper()} is not documented for {template}"
            return operation, template
    raise AssertionError(f"{path} is not a documented path")


@cache
def document() -> dict[str, Any]:
    spec: dict[str, Any] = json.loads(SPEC.read_text())
    return spec


def translated(schema: Any) -> Any:
    """Turn an OpenAPI 3.0 schema into JSON Schema: `nullable`, and .NET's `object`, which is any value."""
    if isinstance(schema, list):
        return [translated(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("additionalProperties") == {"type": "object"}:
        schema = {**schema, "additionalProperties": {}}  # System.Object: a row's values are no objects
    made = {key: translated(value) for key, value in schema.items() if key != "nullable"}
    if not schema.get("nullable") or not made:
        return made
    return {"anyOf": [made, {"type": "null"}]}


@cache
def _components() -> dict[str, Any]:
    schemas = document()["components"]["schemas"]
    return {"schemas": {name: translated(schema) for name, schema in schemas.items()}}


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    templates = sorted(document()["paths"], key=lambda t: [part.startswith("{") for part in t.split("/")])
    return [(re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(t))), t) for t in templates]


def _check_parameters(where: str, operation: dict[str, Any], pairs: list[tuple[str, str]]) -> None:
    known = {p["name"].lower(): p for p in operation.get("parameters", []) if p["in"] == "query"}
    names = [name.lower() for name, _ in pairs]
    required = {name for name, p in known.items() if p.get("required")}
    assert not required - set(names), f"{where}: missing {sorted(required - set(names))}"
    assert not set(names) - set(known), f"{where}: unknown parameters {sorted(set(names) - set(known))}"
    assert len(set(names)) == len(names), f"{where}: a parameter is given twice"
    for name, value in pairs:
        kind = known[name.lower()]["schema"]["type"]
        if kind == "integer":
            low, high = RANGES.get(name.lower(), (0, 2**31 - 1))
            in_range = value.isdigit() and low <= int(value) <= high
            assert in_range, f"{where}: {name} out of range"
        elif kind == "boolean":
            assert value.lower() in ("true", "false"), f"{where}: {name} is no boolean"
    limited = "q.limit" in names and {"q.pagenumber", "q.pagesize"} & set(names)
    assert not limited, f"{where}: q.limit is ignored beside paging"


def _check_body(where: str, operation: dict[str, Any], template: str, media: str, body: bytes) -> None:
    declared = operation.get("requestBody", {}).get("content", {})
    method = where.partition(" ")[0]
    plain = media.partition(";")[0].strip().lower()
    if "multipart/form-data" in declared:
        part = declared["multipart/form-data"]["schema"]["required"][0]
        assert plain == "multipart/form-data", f"{where}: an upload must be multipart/form-data"
        assert f'name="{part}"'.encode() in body, f"{where}: the part must be named {part}"
        return
    if method in ("POST", "PUT", "DELETE"):  # caspio-api.md 3.6
        assert plain == "application/json", f"{where}: Content-Type must be application/json"
    if "application/json" in declared:
        _check_schema(where, declared["application/json"]["schema"], _parsed(where, body))
    else:
        assert not body, f"{where}: {template} takes no body"


def _check_error(where: str, status: int, body: bytes) -> None:
    value = _parsed(where, body)
    if isinstance(value, list):  # the other form of the rate limit (caspio-api.md 3.1)
        named = {item.get("name") for item in value}
        assert (status, named) == (400, {"api-calls-rate"}), f"{where}: unknown error form"
        return
    missing = {"Code", "Message", "Resource", "RequestId"} - set(value)
    assert not missing, f"{where}: the error lacks {sorted(missing)}"


def _check_schema(where: str, schema: Any, value: Any) -> None:
    whole = {**translated(schema), "components": _components()}
    error = best_match(Draft202012Validator(whole, format_checker=formats).iter_errors(value))
    # the place, not the value: a failing test must not print a chart
    place = "/".join(str(part) for part in error.absolute_path) if error else ""
    assert error is None, f"{where}: at '{place}' breaks {error.validator}: {error.validator_value!r}"


def _pairs(query: Query) -> list[tuple[str, str]]:
    if not query:
        return []
    if isinstance(query, str):
        return parse_qsl(query.lstrip("?"), keep_blank_values=True)
    items = query.items() if isinstance(query, Mapping) else query
    return [(str(name), str(value)) for name, value in items]


def _lowered(headers: Any) -> dict[str, str]:
    items = headers.items() if hasattr(headers, "items") else (headers or [])
    return {unquote(str(name)).lower(): str(value) for name, value in items}


def _bytes(body: bytes | str | None) -> bytes:
    return body.encode() if isinstance(body, str) else body or b""


def _parsed(where: str, body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError as error:
        raise AssertionError(f"{where}: the body is not JSON") from error
