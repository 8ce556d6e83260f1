"""The addresses that peers deliver to (design.md 6.4).

Order of checks: size, then who sent it, then what it is. Nothing of a refused delivery is stored; it is counted.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

import structlog
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from labbridge.database import DatabaseProblem
from labbridge.engine import tally
from labbridge.engine.bell import ring
from labbridge.engine.metrics import DELIVERIES
from labbridge.handlers.jobs import handle_event
from labbridge.inbox.arrivals import Arrival, record
from labbridge.peers.errors import Unreadable
from labbridge.peers.rupa import signature
from labbridge.peers.rupa.events import EventEnvelope
from labbridge.practices.clients import RUPA_ASSUMPTIONS
from labbridge.practices.models import Connection, Practice
from labbridge.settings import MAX_WEBHOOK_BYTES
from labbridge.trust.ids import new_id
from labbridge.webhooks import caspio

log = structlog.get_logger()

OK, UNREADABLE, UNTRUSTED, UNKNOWN, TOO_LARGE, NOT_STORED = 200, 400, 401, 404, 413, 503


class Readable(Protocol):
    """What a body is read from: Django's request, or the web server's own stream."""

    def read(self, size: int, /) -> bytes: ...


class Refused(Exception):
    """A delivery that is not stored. `reason` is a word for the counter; the peer sees the status only."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


@csrf_exempt
@login_not_required
@require_POST
def rupa(request: HttpRequest) -> HttpResponse:
    """One address for all practices: Rupa allows one per OAuth application (rupa-api.md 7).

    The web server asks `rupa_status` itself (front.py); this stands for every other way to the address.
    """
    header = request.headers.get(RUPA_ASSUMPTIONS.signature.header)
    return HttpResponse(status=rupa_status(request, request.headers.get("Content-Length"), header))


@csrf_exempt
@login_not_required
@require_POST
def caspio_practice(request: HttpRequest, slug: str) -> HttpResponse:
    return HttpResponse(status=_status("caspio", lambda: _receive_caspio(request, slug)))


def rupa_status(stream: Readable, length: str | None, header: str | None) -> int:
    """The status that answers one delivery of Rupa's, given its body, its declared length and its signature."""
    return _status("rupa", lambda: _record(rupa_arrival(_body(stream, length), header)))


def _status(peer: str, receive: Callable[[], object]) -> int:
    try:
        receive()
    except Refused as refused:
        DELIVERIES.labels(peer, refused.reason).inc()
        if refused.status == UNTRUSTED:
            tally.note(f"refused:{peer}")
        log.warning("webhooks.refused", peer=peer, reason=refused.reason, status=refused.status)
        return refused.status
    except (DatabaseError, InterfaceError, DatabaseProblem) as error:
        DELIVERIES.labels(peer, "not_stored").inc()
        log.error("webhooks.not_stored", peer=peer, exception_type=type(error).__name__)  # noqa: TRY400  # no traceback: it may quote data
        return NOT_STORED
    return OK


def _body(stream: Readable, length: str | None) -> bytes:
    try:
        declared = int(length or 0)
    except ValueError:
        raise Refused(UNREADABLE, "unreadable") from None
    if declared > MAX_WEBHOOK_BYTES:
        raise Refused(TOO_LARGE, "too_large")
    body = stream.read(MAX_WEBHOOK_BYTES + 1)
    if len(body) > MAX_WEBHOOK_BYTES:
        raise Refused(TOO_LARGE, "too_large")
    return body


def rupa_arrival(body: bytes, header: str | None) -> Arrival:
    """The event that a delivery carries, once it is known to be Rupa's. Raises Refused."""
    secrets = settings.DEPLOYMENT.rupa_webhook_signing_secret
    try:
        signature.verify(body, header, secrets, now=time.time(), scheme=RUPA_ASSUMPTIONS.signature)
    except signature.SignatureRejected as rejected:
        raise Refused(UNTRUSTED, f"signature_{rejected.reason}") from None
    try:
        envelope = EventEnvelope.parse(body)
    except Unreadable:
        raise Refused(UNREADABLE, "unreadable") from None
    noun = envelope.object_type or "event"
    return _arrival(
        "rupa",
        envelope.id,
        type=envelope.type,
        subject=f"{noun}:{envelope.object_id or envelope.id}",
        body=body,
        occurred_at=envelope.created_at,
    )


def _receive_caspio(request: HttpRequest, slug: str) -> str:
    body = _body(request, request.headers.get("Content-Length"))
    practice = Practice.objects.filter(slug=slug).first()
    if practice is None:
        raise Refused(UNKNOWN, "unknown_practice")
    account = Connection.objects.filter(practice=practice, peer="caspio").first()
    secret = (account.credentials or {}).get("webhook_secret", "") if account else ""
    try:
        delivery = caspio.read(body, request.headers, practice, secret)
    except caspio.NotReadable:
        raise Refused(UNREADABLE, "unreadable") from None
    except caspio.NotTrusted as error:
        log.info(
            "webhooks.caspio_untrusted",
            practice=slug,
            header_names=sorted(request.headers),
            reason=str(error),
        )
        raise Refused(UNTRUSTED, "secret") from None
    return _record(
        _arrival(
            "caspio",
            f"{slug}:{delivery.message_id}",
            type=delivery.type,
            subject=delivery.subject,
            body=delivery.body,
            occurred_at=delivery.occurred_at,
            practice=practice,
        )
    )


def _text(value: str, length: int) -> str:
    """A word of the peer's as the database can hold it: no NUL, no half of a character, not too long."""
    return "".join(letter if letter.isprintable() else "?" for letter in value[:length])


def _arrival(
    peer: str,
    external_id: str,
    *,
    type: str,  # noqa: A002  # the column's name
    subject: str,
    body: bytes,
    occurred_at: datetime | None,
    practice: Practice | None = None,
) -> Arrival:
    key, subject = new_id(), _text(subject, 255)
    return Arrival(
        id=key,
        peer=peer,
        external_id=external_id,
        type=_text(type, 100),
        subject=subject,
        practice_id=None if practice is None else practice.pk,
        body=body,
        occurred_at=occurred_at,
        job=handle_event.deferral(lock=f"{peer}:{subject}", event_id=str(key)),
    )


def _record(arrival: Arrival) -> str:
    """Event and job: both or neither, and on disk before the answer."""
    event_id, is_new = record(arrival)
    if is_new:
        ring()
    return tell(arrival.peer, event_id, arrival.type, is_new=is_new)


def tell(peer: str, event_id: uuid.UUID, event_type: str, *, is_new: bool) -> str:
    """Log and count an event that is on disk; answers the word for what became of the delivery."""
    outcome = "recorded" if is_new else "repeated"
    event = "inbox.recorded" if is_new else "inbox.repeated"
    log.info(event, peer=peer, event_id=str(event_id), event_type=event_type)
    DELIVERIES.labels(peer, outcome).inc()
    return outcome
