"""What Caspio's refusals mean (caspio-api.md 3.1, 3.2).

The peer's message may quote data, so it is read here and goes nowhere: out come a code, a request id and
those field names that we ourselves had sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from labbridge.peers.caspio.assumptions import CaspioAssumptions
from labbridge.peers.errors import (
    Conflict,
    Forbidden,
    NotFound,
    PeerError,
    RateLimited,
    Unauthorized,
    Unavailable,
)
from labbridge.peers.http import Refusal, Response, explain_status

SAFE_CODE = re.compile(r"[A-Za-z][\w.-]{0,59}", re.ASCII)
SAFE_ID = re.compile(r"[\w.:-]{1,80}", re.ASCII)


@dataclass(frozen=True)
class Subject:
    """What a request was about: only these names may appear in its errors."""

    table: str | None = None
    fields: frozenset[str] = frozenset()

    @classmethod
    def of(cls, table: str, *groups: Iterable[str]) -> Subject:
        return cls(table, frozenset().union(*groups))


@dataclass(frozen=True)
class _Envelope:
    code: str
    message: str
    request_id: str | None
    raw: str


def explain(response: Response, *, subject: Subject, assumptions: CaspioAssumptions) -> Refusal:
    """The error that an answer stands for."""
    envelope = _open(response)
    kind = _kind(response, envelope, assumptions)
    return Refusal(
        kind,
        code=envelope.code or None,
        fields=_fields(kind, envelope, subject, assumptions),
        request_id=response.request_id or envelope.request_id,
    )


def explain_token(response: Response) -> Refusal:
    """The token address answers as OAuth does: `{"error": "invalid_client"}` (caspio-api.md 1, C)."""
    code = _safe(SAFE_CODE, _keys(_parse(response)).get("error"))
    refusal = explain_status(response)
    if response.status in (400, 401, 404):
        return Refusal(Unauthorized, code=code)
    return Refusal(refusal.kind, code=code)


def _kind(response: Response, envelope: _Envelope, assumptions: CaspioAssumptions) -> type[PeerError]:
    if response.status in (401, 403, 429) or response.status >= 500:
        return explain_status(response).kind
    server_fault = envelope.code.lower() in assumptions.server_fault_codes
    rules: tuple[tuple[object, type[PeerError]], ...] = (
        (assumptions.too_many_calls.search(envelope.raw), RateLimited),
        (server_fault, Unavailable),  # which `Response.error` turns into OutcomeUnknown for a write
        (assumptions.missing.fullmatch(envelope.code), NotFound),
        (assumptions.permission.search(envelope.code), Forbidden),
        (response.status == 400 and _is_duplicate(envelope, assumptions), Conflict),
    )
    return next((kind for applies, kind in rules if applies), explain_status(response).kind)


def _is_duplicate(envelope: _Envelope, assumptions: CaspioAssumptions) -> bool:
    text = f"{envelope.code} {envelope.message}"
    return bool(assumptions.unique_violation.search(text)) and not assumptions.wrong_type.search(text)


def _fields(
    kind: type[PeerError], envelope: _Envelope, subject: Subject, assumptions: CaspioAssumptions
) -> tuple[str, ...]:
    """Names that we sent and that the message repeats; a missing object is the table itself."""
    if kind is NotFound and subject.table and "field" not in envelope.code.lower():
        return (subject.table,)
    follow = assumptions.fields_follow.search(envelope.message)
    named = set(re.findall(r"\w+", envelope.message[follow.end() :] if follow else "", re.ASCII))
    named |= set(re.findall(r"['\"\[](\w+)['\"\]]", envelope.message, re.ASCII))
    lowered = {name.lower() for name in named}
    return tuple(sorted(name for name in subject.fields if name.lower() in lowered))


def _open(response: Response) -> _Envelope:
    keys = _keys(_parse(response))
    message = keys.get("message")
    return _Envelope(
        code=_safe(SAFE_CODE, keys.get("code") or keys.get("name")) or "",
        message=message if isinstance(message, str) else "",
        request_id=_safe(SAFE_ID, keys.get("requestid")),
        raw=response.content[:20_000].decode("utf-8", "replace"),
    )


def _parse(response: Response) -> Any:  # Any: this is somebody else's JSON, looked at key by key
    try:
        return orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return None


def _keys(document: Any) -> dict[str, Any]:  # Any: as above
    """The keys in lower case, because v4 writes them so (caspio-api.md 3.2); the first of a list."""
    if isinstance(document, list) and document:
        document = document[0]
    return {str(key).lower(): value for key, value in document.items()} if isinstance(document, dict) else {}


def _safe(pattern: re.Pattern[str], value: Any) -> str | None:  # Any: as above
    return value if isinstance(value, str) and pattern.fullmatch(value) else None
