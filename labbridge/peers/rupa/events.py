"""An event as Rupa delivers it (rupa-api.md 7): what happened, to what, and the state it was in then."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from labbridge.peers.errors import Unreadable
from labbridge.peers.rupa import wire
from labbridge.peers.rupa.jsonapi import Document, Json, JsonObject, as_object, load_json
from labbridge.peers.rupa.types import LabTestSnapshot, OrderSnapshot

UNKNOWN = "unknown"  #: the type of an event that names none

ORDER_UPDATED = "order.updated"
ORDER_NEW_RESULT = "order.new_result"
LAB_TEST_CREATED = "labtest.created"
LAB_TEST_UPDATED = "labtest.updated"


@dataclass(frozen=True, slots=True)
class EventEnvelope:
    """`id` is the peer's, or `sha256:` and the hash of the body when it has none: duplicates share it.

    `created_at` is None when absent or unreadable. `object_type` and `object_id` are None for an event
    without an object, such as a test event; unknown types are as good as known ones here.
    """

    id: str
    type: str
    created_at: datetime | None
    object_type: str | None
    object_id: str | None
    document: Document = field(repr=False)

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Raises Unreadable, without quoting, when the body is no JSON object."""
        body = load_json(raw, operation="read an event")
        if not isinstance(body, Mapping):
            raise Unreadable("rupa", "read an event", code="not_an_object")
        document = Document.parse(body, operation="read an event")
        subject = document.data
        return cls(
            id=_name(body.get("id")) or "sha256:" + hashlib.sha256(raw).hexdigest(),
            type=_name(body.get("type")) or UNKNOWN,
            created_at=_moment(body.get("created_at")),
            object_type=None if subject is None else subject.type,
            object_id=None if subject is None else subject.id,
            document=document,
        )

    @property
    def order(self) -> OrderSnapshot | None:
        """The order as it was then, with metadata from wherever it stands (rupa-api.md 7)."""
        subject = self.document.data
        if subject is None or subject.type != "order":
            return None
        return OrderSnapshot.read(subject, metadata=_metadata(self.document.raw))

    @property
    def lab_test(self) -> LabTestSnapshot | None:
        subject = self.document.data
        return None if subject is None or subject.type != "lab_test" else LabTestSnapshot.read(subject)


def _metadata(body: JsonObject) -> Json:
    return as_object(body.get("data")).get("metadata", body.get("metadata"))


def _name(value: Json) -> str | None:
    """A short printable name; numbers are taken as their digits."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return value if isinstance(value, str) and 0 < len(value) <= 200 and value.isprintable() else None


def _moment(value: Json) -> datetime | None:
    try:
        return wire.moment(value)
    except (ValueError, OverflowError):
        return None
