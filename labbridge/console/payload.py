"""An event's payload as fields for people. Everything that is not known to be harmless is masked.

What may be seen is a list of ours: kinds, times, states, and keys of things that are no patient. A field that a peer
adds tomorrow is masked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import orjson

from labbridge.inbox.models import Event
from labbridge.trust.keys import CannotOpen

MOST = 400  #: fields; a bulk change of Caspio names thousands of rows
LONGEST = 300
MASK = "••••••"
PLAIN = re.compile(r"[A-Za-z0-9_.:+ /-]{1,80}", re.ASCII)
HARMLESS = frozenset({
    "type", "event_type", "created_at", "updated_at", "status", "payment_status", "submitted_at", "paid_at",
    "completed_at", "canceled_at", "payer", "is_demo", "api_version", "object", "object_type", "lab_test_id",
    "turnaround_time", "version", "date_submitted", "date_paid", "date_patient_checkout", "date_completed",
    "date_canceled", "count",
    "messageId", "eventType", "eventDate", "objectName", "objectType", "PK_ID", "accountId", "webhookId",
})  # fmt: skip
KEYS = frozenset({"id", "object_id"})  # shown unless what they name is a patient


@dataclass(frozen=True)
class Field:
    path: str
    value: str
    masked: bool


def fields_of(event: Event, *, revealed: bool = False) -> list[Field] | str:
    """The fields, or a sentence why there are none."""
    if event.emptied_at:
        return "Its contents were removed by the retention policy."
    try:
        body = orjson.loads(event.body)
    except orjson.JSONDecodeError:
        return "It is no JSON, so it cannot be shown as fields."
    except CannotOpen:
        return "Its contents cannot be opened any more: the patient was erased, or a key is missing."
    found: list[Field] = []
    for path, value, patient in _leaves(body, "", about_a_patient=False):
        rows = event.peer == "caspio" and path.startswith(
            "data"
        )  # their columns have the practice's own names
        if len(found) == MOST:
            break
        name = path.rpartition(".")[2].partition("[")[0]
        text = _text(value)
        seen = revealed or _harmless(name, text, about_a_patient=patient or rows)
        found.append(Field(path, text[:LONGEST] if seen else MASK, masked=not seen))
    return found


def _harmless(name: str, text: str, *, about_a_patient: bool) -> bool:
    if about_a_patient:
        return (name == "type" and text == "patient") or (name == "PK_ID" and text.isdigit())
    return (name in HARMLESS or name in KEYS) and (not text or bool(PLAIN.fullmatch(text)))


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _leaves(value: object, path: str, *, about_a_patient: bool) -> Iterator[tuple[str, object, bool]]:
    """Path, value, and whether it lies within something that is a patient."""
    if isinstance(value, Mapping):
        about = about_a_patient or value.get("type") == "patient" or path.endswith("patient")
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else str(name), about_a_patient=about)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{number}]", about_a_patient=about_a_patient)
    else:
        yield path, value, about_a_patient
