"""What can go wrong at a peer, as one tree.

PeerError
├── Unavailable        nothing was written: no connection, 502/503/504 to a read, a maintenance page   retryable
├── RateLimited        refused for speed; `retry_after` seconds if the peer said so                    retryable
├── OutcomeUnknown     a write was sent and no usable answer came: look before repeating               retryable
├── Unauthorized       the token is not accepted, even renewed
│   └── ConnectionEnded    the authorisation is gone for good (`invalid_grant`): a person must reconnect
├── Forbidden          signed in, but not allowed: a permission is missing at the peer
├── NotFound           the thing, table or field is not there
├── Conflict           a unique value is already taken
└── Rejected           the peer understood and refused (400, 413, 422, a type or a rule)
    └── Unreadable     the peer answered with something that is not what its documents describe

A message never holds a URL's query, a body or patient data: only the peer, the operation, the status,
the peer's own code, names of fields, and the request id.
"""

from __future__ import annotations

from typing import ClassVar


class PeerError(Exception):
    """Base of all. `operation` names what we tried in our words, such as "insert Lab_Orders"."""

    retryable: ClassVar[bool] = False
    advice: ClassVar[str] = "See the peer's own log with the request id."

    def __init__(
        self,
        peer: str,
        operation: str,
        *,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        fields: tuple[str, ...] = (),
        retry_after: float | None = None,
    ) -> None:
        self.peer = peer
        self.operation = operation
        self.status = status
        self.code = code
        self.request_id = request_id
        self.fields = fields
        self.retry_after = retry_after
        super().__init__(str(self))

    def __str__(self) -> str:
        parts = [f"{self.peer}: {self.operation}: {type(self).__name__}"]
        if self.status is not None:
            parts.append(f"status {self.status}")
        if self.code:
            parts.append(f"code {self.code}")
        if self.fields:
            parts.append(f"fields {', '.join(self.fields)}")
        if self.request_id:
            parts.append(f"request {self.request_id}")
        return ", ".join(parts)


class Unavailable(PeerError):
    retryable = True
    advice = "The peer cannot be reached; this is tried again by itself."


class RateLimited(PeerError):
    retryable = True
    advice = "The peer asks for fewer calls; this is tried again by itself."


class OutcomeUnknown(PeerError):
    retryable = True
    advice = "The answer was lost; what happened is looked up before it is tried again."


class Unauthorized(PeerError):
    advice = "Check the credentials of this connection."


class ConnectionEnded(Unauthorized):
    advice = "The authorisation has ended: reconnect with `labbridge rupa connect`."


class Forbidden(PeerError):
    advice = "Grant the missing permission at the peer, then replay."


class NotFound(PeerError):
    advice = "Run `labbridge provision` to create what is missing."


class Conflict(PeerError):
    advice = "Another row already holds this unique value."


class Rejected(PeerError):
    advice = "The peer refused the data; compare the named fields with what it accepts."


class Unreadable(Rejected):
    advice = "The peer answered in a form that its documents do not describe; nothing was changed by us."
