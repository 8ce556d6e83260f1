"""Reading one delivery of Caspio's outgoing webhook (caspio-api.md 4.4, 4.5)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from labbridge.practices.apply import config_of
from labbridge.practices.config import WebhookSignature
from labbridge.practices.models import Practice


class NotReadable(Exception):
    """No JSON object, or without what every message has."""


class NotTrusted(Exception):
    """No proof that Caspio sent it. The text is a reason without data."""


@dataclass(frozen=True)
class Delivery:
    """`body` is the message without its secret; `message_id` has at most 200 characters."""

    message_id: str
    type: str
    subject: str
    occurred_at: datetime | None
    body: bytes


def read(body: bytes, headers: Mapping[str, str], practice: Practice, secret: str) -> Delivery:
    """Verify and read. The secret may be in the body, or prove itself by an HMAC in a configured header.

    Raises:
        NotReadable: before a secret can be found.
        NotTrusted: wrong or missing proof, or no secret known here: never open.

    """
    signed = config_of(practice).caspio.webhook_signature
    if signed is not None:
        _check_signature(body, headers.get(signed.header), secret, signed)
    message = _message(body)
    if signed is None:
        _check_secret(message.get("secret"), secret)
    message_id = message.get("messageId")
    if not isinstance(message_id, str) or not message_id:
        raise NotReadable
    message.pop("secret", None)
    return Delivery(
        message_id=_short(message_id),
        type=str(message.get("eventType") or "unknown"),
        subject=_subject(practice, message),
        occurred_at=_moment(message.get("eventDate")),
        body=orjson.dumps(message),
    )


def _message(body: bytes) -> dict[str, Any]:
    try:
        message = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise NotReadable from None
    if not isinstance(message, dict):
        raise NotReadable
    return message


def _short(message_id: str) -> str:
    """A GUID by its documents; anything else keeps apart what is different, by its hash."""
    if len(message_id) <= 200 and message_id.isprintable():
        return message_id
    return "sha256:" + hashlib.sha256(message_id.encode()).hexdigest()


def _check_secret(given: object, secret: str) -> None:
    if not secret:
        raise NotTrusted("no secret is known here: run provision")
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), secret.encode()):
        raise NotTrusted("wrong or missing secret")


def _check_signature(body: bytes, given: str | None, secret: str, signed: WebhookSignature) -> None:
    if not secret:
        raise NotTrusted("no secret is known here: run provision")
    digest = hmac.new(secret.encode(), body, hashlib.sha256)
    made = digest.hexdigest() if signed.encoding == "hex" else base64.b64encode(digest.digest()).decode()
    shown = (given or "").strip().removeprefix(signed.prefix)
    if signed.encoding == "hex":
        shown = shown.lower()
    if not hmac.compare_digest(shown.encode(), made.encode()):
        raise NotTrusted("wrong or missing signature")


def _subject(practice: Practice, message: dict[str, Any]) -> str:
    """What it is about, by keys only: table and the first row's PK_ID."""
    rows = message.get("data")
    first = rows[0] if isinstance(rows, list) and rows and isinstance(rows[0], dict) else {}
    pk_id = first.get("PK_ID")
    row = pk_id if isinstance(pk_id, int) or (isinstance(pk_id, str) and pk_id.isdigit()) else "?"
    return f"{practice.slug}:{str(message.get('objectName') or '?')[:32]}:{row}"


def _moment(value: object) -> datetime | None:
    """`eventDate` has no zone and is UTC (caspio-api.md 3.4)."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
