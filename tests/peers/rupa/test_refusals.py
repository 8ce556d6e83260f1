from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from labbridge.peers import errors
from labbridge.peers.http import Response
from labbridge.peers.rupa.refusals import explain


def response(status: int, body: bytes, **headers: str) -> Response:
    return Response("rupa", "test", True, status, httpx2.Headers(headers), body)


def error(status: int, body: Any, **headers: str) -> errors.PeerError:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = response(status, raw, **headers)
    told = explain(answer)
    return answer.error(told.kind, code=told.code, fields=told.fields, request_id=told.request_id)


def test_both_documented_error_bodies(sample: Callable[[str], bytes]) -> None:
    server = error(400, sample("error_jsonapi"))
    browser = error(403, sample("error_rupa_js"))  # the status of rupa-js's own test (rupa-api.md 9)
    assert (type(server), server.code, server.fields) == (errors.Rejected, "invalid", ("email",))
    assert (type(browser), browser.code, browser.fields) == (
        errors.Rejected,
        "RupaValidationError",
        ("patient.email",),
    )
    for one in (server, browser):
        assert "valid" not in str(one).replace("code invalid", "")


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {"code": "RupaNotAuthenticatedError"}, errors.Unauthorized),
        (403, {"code": "RupaPermissionDeniedError"}, errors.Forbidden),
        (400, {"code": "RupaNotFoundError"}, errors.NotFound),
        (400, {"error": "invalid_grant", "error_description": "x"}, errors.ConnectionEnded),
        (401, {"error": "invalid_client"}, errors.Unauthorized),
        (404, b"<h1>Not Found</h1>", errors.NotFound),
        (405, b"", errors.NotFound),
        (409, {"errors": [{"code": "conflict"}]}, errors.Conflict),
        (422, {"errors": "no list"}, errors.Rejected),
        (429, {"code": "RupaValidationError"}, errors.RateLimited),
        (503, {"error": "invalid_grant"}, errors.Unavailable),
        (500, b"", errors.Unavailable),
        (301, b"", errors.Unreadable),
    ],
)
def test_kinds(status: int, body: Any, kind: type[errors.PeerError]) -> None:
    assert type(error(status, body)) is kind


def test_only_names_get_into_an_error() -> None:
    body = {
        "code": "ada@willow.example is taken",
        "fields": {"email": ["Zebulon"], "Zebulon Quagmire": ["x"], "patient": {"name": "Zebulon"}},
        "errors": [
            {"code": "Zebulon Q", "detail": "Zebulon", "source": {"pointer": "/data/attributes/Zeb ulon"}}
        ],
    }
    told = str(error(400, body))
    assert "Zebulon" not in told
    assert "ada@" not in told
    assert "patient.name" in told


@pytest.mark.parametrize(
    ("source", "field"),
    [
        ({"pointer": "/data/attributes/patient_data/email"}, "patient_data.email"),
        ({"pointer": "/data/relationships/lab_tests/data"}, "lab_tests"),
        ({"pointer": "/data"}, "data"),
        ({"parameter": "page[size]"}, "page[size]"),
        ({"parameter": "sort"}, "sort"),
    ],
)
def test_where_an_error_points(source: dict[str, str], field: str) -> None:
    assert error(400, {"errors": [{"source": source}]}).fields == (field,)


def test_retry_after_and_request_id() -> None:
    found = error(429, b"", **{"retry-after": "7", "x-request-id": "req-1"})
    assert (found.retry_after, found.request_id) == (7.0, "req-1")
    assert error(400, b"", **{"x-request-id": "Zebulon Quagmire"}).request_id is None


@pytest.mark.parametrize(
    "body", [b"[]", b"{", b'"x"', b'{"errors": [1, null, {"source": 5}]}', b'{"fields": []}']
)
def test_odd_bodies_leave_the_status_to_speak(body: bytes) -> None:
    assert type(error(400, body)) is errors.Rejected
