"""From findings to alerts, by their edges: a cause that appears raises one, a cause that is gone resolves it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Q

from labbridge.alerts.models import Alert, AlertState
from labbridge.alerts.rules import RULES
from labbridge.alerts.words import Kind, Params, checked
from labbridge.outbox import models as outbox
from labbridge.outbox.note import note

log = structlog.get_logger()

SETTLED = timedelta(minutes=15)  #: a cause must be gone so long before anybody is told


@dataclass(frozen=True)
class Finding:
    """A cause that exists now. Made with `found`, which checks its words."""

    rule: str
    practice_id: UUID | None
    subject: str
    params: tuple[tuple[str, int | str], ...]

    @property
    def key(self) -> tuple[UUID | None, str, str]:
        return self.practice_id, self.rule, self.subject


def found(rule: str, *, practice_id: UUID | None = None, subject: str = "", **values: Any) -> Finding:
    """A finding of a rule; `values` are its words (any: each is checked by its kind).

    Raises:
        NotAWord: a word does not fit its kind. There is no kind for free text.

    """
    params: Params = checked(RULES[rule].params, values, rule)
    if subject:
        checked({"subject": Kind.ID}, {"subject": subject}, rule)
    return Finding(rule, practice_id, subject, tuple(params.items()))


def observe(findings: Iterable[Finding], decided: Collection[str], now: datetime) -> Counter[str]:
    """Raise, renew and resolve. `decided` are the rules that were looked at: others are left as they are."""
    counts: Counter[str] = Counter()
    present = {finding.key: finding for finding in findings}
    with transaction.atomic():
        held = Alert.objects.select_for_update().exclude(state=AlertState.RESOLVED)
        known = {(alert.practice_id, alert.rule, alert.subject): alert for alert in held}
        for key, finding in present.items():
            alert = known.get(key)
            told = alert is not None and alert.ripe
            if alert is None:
                alert = _just_resolved(finding, now)
                told = alert is not None and alert.ripe
                alert = alert or _raise(finding, now)
                counts["raised"] += 1
            alert.params, alert.last_seen = dict(finding.params), now
            alert.save(update_fields=["params", "last_seen"])
            if alert.ripe and not told:
                _note(alert)
        for key, alert in known.items():
            if key not in present and alert.rule in decided:
                resolve(alert, now)
                counts["resolved"] += 1
    return counts


def _just_resolved(finding: Finding, now: datetime) -> Alert | None:
    """A cause that comes and goes is one alert: nobody was told yet that it is over."""
    where = Q(practice=None) if finding.practice_id is None else Q(practice_id=finding.practice_id)
    held = Alert.objects.filter(
        where, rule=finding.rule, subject=finding.subject,
        state=AlertState.RESOLVED, resolved_by="", resolved_at__gt=now - SETTLED,
    ).last()  # fmt: skip
    if held is not None:
        held.state, held.resolved_at = (
            AlertState.ACKNOWLEDGED if held.acknowledged_by else AlertState.OPEN,
            None,
        )
        held.save(update_fields=["state", "resolved_at"])
    return held


def _raise(finding: Finding, now: datetime) -> Alert:
    alert: Alert = Alert.objects.create(
        practice_id=finding.practice_id, rule=finding.rule, subject=finding.subject, params=dict(finding.params),
        first_seen=now, last_seen=now,
    )  # fmt: skip
    log.warning("alerts.raised", kind=finding.rule, key=finding.subject)
    return alert


def _note(alert: Alert) -> None:
    """Other systems of the practice hear of it; the service's own alerts are the operator's."""
    if alert.practice_id is not None:
        state = AlertState.RESOLVED if alert.state == AlertState.RESOLVED else AlertState.OPEN
        note(alert.practice_id, outbox.Kind.ALERT, f"alert:{alert.pk}", state=state.value)


def acknowledge(alert: Alert, now: datetime, *, by: str) -> None:
    """Somebody is at it: no more reminders. It still resolves by itself."""
    alert.state, alert.acknowledged_by, alert.acknowledged_at = AlertState.ACKNOWLEDGED, by, now
    alert.save(update_fields=["state", "acknowledged_by", "acknowledged_at"])


def resolve(alert: Alert, now: datetime, *, by: str = "") -> None:
    """The cause is gone. If a person says so and it is not, the next look raises it anew."""
    alert.state, alert.resolved_by, alert.resolved_at = AlertState.RESOLVED, by, now
    with transaction.atomic():
        alert.save(update_fields=["state", "resolved_by", "resolved_at"])
        if alert.ripe:
            _note(alert)
    log.info("alerts.resolved", kind=alert.rule, key=alert.subject)
