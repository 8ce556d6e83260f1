"""What Caspio holds, in values: the filing ledger keeps hashes only, and hashes do not go (rows.py)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from django.utils import timezone

from labbridge.analytics.summaries import GROUP as SUMMARIES
from labbridge.analytics.summaries import summary_rows
from labbridge.catalog.filing import catalog_rows
from labbridge.filing.execute import hashes
from labbridge.filing.models import FiledRow
from labbridge.filing.patients import TABLE as PATIENTS
from labbridge.filing.patients import digest, written_fields
from labbridge.filing.rows import OrderRows, Row
from labbridge.filing.tables import TABLES
from labbridge.handlers.filing import practitioner_name
from labbridge.leaving.rows import encode
from labbridge.leaving.tables import BY_NAME
from labbridge.mirror.models import Chart, Order, PatientLink
from labbridge.practices.apply import config_of
from labbridge.practices.models import Practice

Json = Any  #: any: a value as JSON has it


def filed_rows(practice: Practice) -> Iterator[dict[str, Json]]:
    """Each row of the filing ledger, with `fields` as values.

    `unknown` names those that are planned otherwise by now: there, as here, they are written again.
    """
    by_group: dict[str, list[FiledRow]] = defaultdict(list)
    for ledger in FiledRow.objects.filter(practice=practice).order_by("group", "pk").iterator(2000):
        if by_group and ledger.group not in by_group:
            yield from _of_group(practice, *by_group.popitem())
        by_group[ledger.group].append(ledger)
    if by_group:
        yield from _of_group(practice, *by_group.popitem())


def _of_group(practice: Practice, group: str, ledgers: list[FiledRow]) -> Iterator[dict[str, Json]]:
    planned = {(row.table, row.key): row for row in _planned(practice, group)}
    for ledger in ledgers:
        if ledger.table == PATIENTS:
            yield _said(ledger, _of_patient(practice, ledger))
        else:
            row = planned.get((ledger.table, ledger.key))
            yield _said(ledger, _standing(ledger, row) if row is not None else {})


def _planned(practice: Practice, group: str) -> list[Row]:
    if group.startswith("order:"):
        order = Order.objects.select_related("practice", "patient").filter(pk=group[6:]).first()
        return _order_rows(practice, order) if order is not None and not order.erased_at else []
    if group == SUMMARIES:
        return summary_rows(practice, timezone.now().astimezone(practice.zone).date())
    return catalog_rows(practice)


def _order_rows(practice: Practice, order: Order) -> list[Row]:
    link = PatientLink.objects.select_related("chart").filter(patient=order.patient_id).first()
    key = link.chart.key if link is not None else ""
    return OrderRows(order, config_of(practice), key, practitioner_name(order)).all()


def _standing(ledger: FiledRow, row: Row) -> dict[str, Json]:
    """The planned values that Caspio has confirmed."""
    wanted = hashes(TABLES[row.table], row.values)
    return {name: row.values[name] for name, one in wanted.items() if ledger.fields.get(name) == one}


def _of_patient(practice: Practice, ledger: FiledRow) -> dict[str, Json]:
    chart = Chart.objects.filter(practice=practice, key=ledger.key).first()
    if chart is None:
        return {}
    spec = written_fields(config_of(practice).caspio.patients)
    values = {
        "rupa_patient_id": chart.rupa_patient_id,
        "sync_status": chart.sync_status,
        "sync_message": chart.sync_message,
    }  # fmt: skip
    return {name: value for name, value in values.items()
            if name in spec and ledger.fields.get(name) == digest(name, spec[name], value)}  # fmt: skip


def _said(ledger: FiledRow, values: dict[str, Json]) -> dict[str, Json]:
    plain = {name: str(value) if hasattr(value, "as_tuple") else value for name, value in values.items()}
    unknown = sorted(ledger.fields.keys() - values.keys())
    return {**encode(BY_NAME["filed_rows"], ledger), "fields": plain, "intended": {}, "unknown": unknown}
