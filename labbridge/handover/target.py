"""Who may be told what, by type: only a `PhiTarget` has a way to write a `PhiBody`, and only `target_of` makes one.

mypy refuses to hand a body of one family to a target of the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from labbridge.handover import deidentified as safe
from labbridge.handover.hosts import service_without_baa, why_no_phi
from labbridge.handover.letters import PhiBody
from labbridge.outbox.models import DataClass, Destination


class Held(Exception):
    """Nothing may be sent now. The sentence says why and what to do; letters wait."""


@dataclass(frozen=True)
class PhiTarget:
    """A destination whose agreement holds today."""

    destination: Destination

    def write(self, kind: str, at: datetime, body: PhiBody, *, number: int | None) -> bytes:
        said = body.model_dump(mode="json", exclude_none=True)
        envelope = {
            "type": kind,
            "timestamp": at.astimezone(UTC).isoformat(),
            "sequence": number,
            "data": said,
        }
        return orjson.dumps(envelope)


@dataclass(frozen=True)
class DeidentifiedTarget:
    """A destination that may be told nothing about anybody: no moment, no number, no id."""

    destination: Destination

    def write(self, kind: str, body: safe.Deidentified) -> bytes:
        return orjson.dumps({"type": kind, "data": safe.plain(body)})


Target = PhiTarget | DeidentifiedTarget


def target_of(destination: Destination, now: datetime) -> Target:
    """What this destination may be told today.

    Raises:
        Held: it is one for patient data, and its agreement is not in force or its host signs none.

    """
    if destination.data_class != DataClass.PHI:
        return DeidentifiedTarget(destination)
    service = service_without_baa(destination.host)
    if service:
        raise Held(why_no_phi(service))
    agreement = destination.agreement
    today = now.astimezone(destination.practice.zone).date()
    if agreement is None or not agreement.covers(today):
        party = agreement.party if agreement else "this receiver"
        raise Held(
            f"No BAA with {party} is in force, so nothing is sent. Record the new one: what waits then goes."
        )
    return PhiTarget(destination)
