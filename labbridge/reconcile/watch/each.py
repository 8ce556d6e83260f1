"""Every practice with what it says of alerts. Checks ask one question for all practices, never one for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from labbridge.database.statements import fetch
from labbridge.practices.apply import part_of
from labbridge.practices.config import AlertsPart
from labbridge.practices.models import Practice


@dataclass(frozen=True)
class Each:
    practice: Practice
    alerts: AlertsPart

    @property
    def id(self) -> UUID:
        return self.practice.pk


def each() -> list[Each]:
    """One query."""
    return [Each(one, part_of(one, AlertsPart, "alerts")) for one in Practice.objects.all()]


def spans_of(every: Sequence[Each], span: Callable[[AlertsPart], timedelta]) -> dict[UUID, timedelta]:
    """How patient each practice is."""
    return {one.id: span(one.alerts) for one in every}


NONE: Mapping[UUID, Any] = {}


def rows(query: str, values: Mapping[UUID, Any] = NONE) -> list[tuple[Any, ...]]:  # any: what a column holds
    """Run a query, which may read `unnest(%(practices)s::uuid[], %(values)s::...[])`: a value for each practice."""
    return fetch(query, {"practices": list(values), "values": list(values.values())})


def moments_before(now: datetime, spans: Mapping[UUID, timedelta]) -> dict[UUID, datetime]:
    return {practice_id: now - span for practice_id, span in spans.items()}
