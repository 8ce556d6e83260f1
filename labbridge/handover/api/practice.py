"""How the practice stands: its health, its completeness ledger, its alerts. Nothing of a patient."""

from __future__ import annotations

import uuid
from datetime import UTC
from typing import Annotated

from django.db.models import Q
from django.http import HttpRequest
from ninja import Path, Router

from labbridge.alerts.models import Alert, AlertState
from labbridge.handover.api import shapes
from labbridge.handover.api.auth import key_of
from labbridge.handover.api.calls import get, one
from labbridge.handover.api.paging import Pages, Paging, page
from labbridge.handover.api.root import no_such_thing
from labbridge.inbox.models import Event, EventState
from labbridge.mirror.models import CaseState, Order, ReviewCase
from labbridge.practices.models import Connection, ConnectionState, Practice
from labbridge.reconcile.models import LedgerEntry, Sweep

router = Router(tags=["practice"])


@get(router, "health", "health:read", shapes.Health)
def get_health(request: HttpRequest) -> shapes.Health:
    """Whether this practice's connections and work are well. `/readyz` is about the service itself."""
    practice = key_of(request).practice
    connections = _connections(practice)
    stuck = Order.objects.filter(~Q(filing_problem="") | ~Q(pull_problem=""), practice=practice).count()
    alerts = Alert.objects.filter(practice=practice).exclude(state=AlertState.RESOLVED).count()
    unwell = stuck or alerts or any(one.state == ConnectionState.RECONNECT for one in connections)
    return shapes.Health(
        status="attention" if unwell else "well",
        practice=practice.slug,
        connections=connections,
        events_pending=Event.objects.filter(practice=practice, state=EventState.RECEIVED).count(),
        orders_stuck=stuck,
        cases_open=ReviewCase.objects.filter(practice=practice, state=CaseState.OPEN).count(),
        alerts_open=alerts,
        catalogue_read_at=practice.catalog_read_at,
        last_sweep_at=Sweep.objects.filter(practice=practice, state="done")
        .order_by("-started_at").values_list("finished_at", flat=True).first(),
    )  # fmt: skip


def _connections(practice: Practice) -> list[shapes.ConnectionHealth]:
    return [
        shapes.ConnectionHealth(peer=one.peer, state=one.state, problem=one.problem)
        for one in Connection.objects.filter(practice=practice)
    ]


@get(router, "ledger", "ledger:read", shapes.LedgerPage)
def list_ledger(request: HttpRequest, paging: Paging = Pages) -> shapes.LedgerPage:
    """Every entry, oldest first; the last of a day is that day's."""
    rows, cursor = page(LedgerEntry.objects.filter(practice=key_of(request).practice), paging)
    return shapes.LedgerPage(items=[_ledger_row(row) for row in rows], next_cursor=cursor)


@get(router, "ledger/{seq}", "ledger:read", shapes.LedgerRow)
def get_ledger_row(request: HttpRequest, seq: Annotated[int, Path(ge=1, le=2**31 - 1)]) -> shapes.LedgerRow:
    found = LedgerEntry.objects.filter(practice=key_of(request).practice, seq=seq).first()
    if found is None:
        raise no_such_thing()
    return _ledger_row(found)


def _ledger_row(row: LedgerEntry) -> shapes.LedgerRow:
    said = {name: row.body.get(name) for name in shapes.LedgerRow.model_fields if name in row.body}
    chained = {"seq": row.seq, "digest": row.digest, "previous": row.previous, "signature": row.signature}
    return shapes.LedgerRow.model_validate({**said, **chained})


@get(router, "alerts", "alerts:read", shapes.AlertPage)
def list_alerts(
    request: HttpRequest, paging: Paging = Pages,
    state: AlertState | None = None,
) -> shapes.AlertPage:  # fmt: skip
    """Alerts of this practice; those of the whole service are the operator's."""
    alerts = Alert.objects.filter(practice=key_of(request).practice)
    if state is not None:
        alerts = alerts.filter(state=state)
    rows, cursor = page(alerts, paging)
    return shapes.AlertPage(items=[full_alert(row) for row in rows], next_cursor=cursor)


@get(router, "alerts/{alert_id}", "alerts:read", shapes.Alert)
def get_alert(request: HttpRequest, alert_id: uuid.UUID) -> shapes.Alert:
    return full_alert(one(Alert.objects.filter(practice=key_of(request).practice), alert_id))


def full_alert(row: Alert) -> shapes.Alert:
    rule = row.definition
    return shapes.Alert(
        id=row.pk, rule=row.rule, severity=rule.severity, owner=rule.owner, state=AlertState(row.state),
        sentence=row.sentence(row.practice.zone if row.practice else UTC),
        action=rule.action, first_seen=row.first_seen, last_seen=row.last_seen, resolved_at=row.resolved_at,
    )  # fmt: skip
