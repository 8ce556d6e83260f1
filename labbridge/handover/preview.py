"""Invented letters, as a destination of a class would get them: what whoever sets a receiver up maps fields by."""

from __future__ import annotations

from typing import Any

import orjson
from django.utils import timezone

from labbridge.handover.letters import deidentified_example, phi_example
from labbridge.handover.target import DeidentifiedTarget, PhiTarget
from labbridge.outbox.models import DataClass, Destination


def example(kind: str, data_class: str) -> dict[str, Any]:  # any: JSON
    """The whole body. Written by the same code as a true one, and of nobody."""
    now, nowhere = timezone.now().replace(microsecond=0), Destination()
    if data_class == DataClass.PHI:
        content = PhiTarget(nowhere).write(kind, now, phi_example(kind, now), number=4711)
    else:
        content = DeidentifiedTarget(nowhere).write(kind, deidentified_example(kind, now))
    return dict(orjson.loads(content))
