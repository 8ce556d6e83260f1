"""Whose orders they are, by the chart where there is one; for any number of orders with a fixed count of queries."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from labbridge.mirror.models import Chart, Order, Patient, PatientLink
from labbridge.mirror.person import Person
from labbridge.trust.envelope import data_keys
from labbridge.trust.keys import CannotOpen

UNKNOWN = "Name not known"


@dataclass(frozen=True)
class Who:
    """A person as the practice knows them. `chart` is None while nobody knows which row of Caspio they are."""

    name: str = field(default=UNKNOWN, repr=False)
    birthday: str = field(default="", repr=False)
    chart: Chart | None = None
    patient: Patient | None = None

    @property
    def sides(self) -> tuple[Chart | Patient, ...]:
        """What an audit entry about them names."""
        return tuple(one for one in (self.chart, self.patient) if one is not None)


def whose(orders: Sequence[Order]) -> dict[uuid.UUID, Who]:
    """By the order's own key. The orders come with their patients."""
    patients = {order.patient_id for order in orders if order.patient_id}
    links = PatientLink.objects.select_related("chart").filter(patient__in=patients)
    charts = {link.patient_id: link.chart for link in links}
    data_keys.prepare([*patients, *(chart.pk for chart in charts.values())])
    return {order.pk: who(order.patient, charts.get(order.patient_id)) for order in orders}  # type: ignore[arg-type]  # no patient, no chart


def who(patient: Patient | None, chart: Chart | None) -> Who:
    try:
        known: Person = (chart.person if chart else None) or (patient.person if patient else None) or {}
    except CannotOpen:
        known = {}
    name = " ".join(part for part in (known.get("first_name"), known.get("last_name")) if part)
    return Who(name or UNKNOWN, known.get("birthday") or "", chart, patient)
