"""The figures of `/metrics` that stand in the database: the same from whichever process they are read.

A handful of small statements; nothing is counted that grows with the years. Labels are words of ours and peers'
names, never data.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from zoneinfo import ZoneInfo

from django.db.models import Count, FilteredRelation, Q
from django.utils import timezone
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from labbridge.alerts.models import Alert, AlertState
from labbridge.alerts.rules import Severity
from labbridge.backup.models import Backup
from labbridge.engine import queue
from labbridge.inbox.models import Event, EventState
from labbridge.practices.models import CallCount, Practice

ENGINE_WORDS = {"todo": "waiting", "doing": "running", "failed": "dead"}


def figures() -> bytes:
    """In Prometheus's text form."""
    registry = CollectorRegistry()
    registry.register(_Figures())
    return generate_latest(registry)


class _Figures(Collector):
    def describe(self) -> list[GaugeMetricFamily]:
        return []  # or registering would read the database

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield _jobs()
        yield GaugeMetricFamily("labbridge_jobs_due", "Jobs that run or could run now", value=queue.due())
        yield _events()
        yield _calls()
        yield from _alerts()
        yield from _backup()


def _jobs() -> GaugeMetricFamily:
    family = GaugeMetricFamily("labbridge_jobs", "Jobs by state", labels=["state"])
    held = queue.by_state()
    for theirs, ours in ENGINE_WORDS.items():
        family.add_metric([ours], held.get(theirs, 0))
    return family


def _events() -> GaugeMetricFamily:
    """Without those that were handled: they are all the others, and counting them would read the whole inbox."""
    family = GaugeMetricFamily("labbridge_events", "Events that have not come to rest", labels=["state"])
    rows = (
        Event.objects.exclude(state=EventState.HANDLED).order_by().values_list("state").annotate(Count("pk"))
    )
    held = dict(rows)
    for state in EventState.values:
        if state != EventState.HANDLED:
            family.add_metric([state], held.get(state, 0))
    return family


def _calls() -> GaugeMetricFamily:
    """The meter counts by the practice's own day, so today is another one for each account."""
    family = GaugeMetricFamily("labbridge_calls_today", "Calls to peers today", labels=["peer", "purpose"])
    own, shared = _todays()
    totals: dict[tuple[str, str], int] = {}
    for account, purpose, day, calls in CallCount.objects.filter(day__in={shared, *own.values()}).values_list(
        "account", "purpose", "day", "calls"
    ):
        if day == own.get(account, shared):
            key = account.split(":", 1)[0], purpose
            totals[key] = totals.get(key, 0) + calls
    for (peer, purpose), calls in sorted(totals.items()):
        family.add_metric([peer, purpose], calls)
    return family


def _todays() -> tuple[dict[str, date], date]:
    """Today by each Caspio account, as Health has it; and for accounts of all practices, such as Rupa's.

    Each practice counts on those under its own day: the earliest is the one in which all of them have counted.
    """
    now = timezone.now()
    caspio = FilteredRelation("connections", condition=Q(connections__peer="caspio"))
    practices = Practice.objects.annotate(caspio=caspio).order_by("slug")
    own: dict[str, date] = {}
    days = []
    for zone, account in practices.values_list("time_zone", "caspio__account"):
        days.append(now.astimezone(ZoneInfo(zone)).date())
        if account:
            own.setdefault(f"caspio:{account}", days[-1])
    return own, min(days, default=now.date())


def _alerts() -> Iterator[GaugeMetricFamily]:
    """Their number, and what the ledger's alert says of each practice: the watch looks at it every five minutes."""
    missing = GaugeMetricFamily(
        "labbridge_ledger_difference",
        "Missing or unexplained in the newest ledger entry",
        labels=["practice"],
    )
    differences = dict.fromkeys(Practice.objects.values_list("slug", flat=True), 0)
    family = GaugeMetricFamily("labbridge_alerts", "Alerts that are not over", labels=["severity", "state"])
    counts = {
        (severity.value, state): 0
        for severity in Severity
        for state in (AlertState.OPEN.value, AlertState.ACKNOWLEDGED.value)
    }
    for alert in Alert.objects.exclude(state=AlertState.RESOLVED).select_related("practice"):
        if alert.ripe:
            counts[alert.definition.severity.value, alert.state] += 1
        if alert.rule == "ledger_difference" and alert.practice is not None:
            differences[alert.practice.slug] = alert.params["count"]
    for labels, count in counts.items():
        family.add_metric(labels, count)
    for slug, count in differences.items():
        missing.add_metric([slug], count)
    yield family
    yield missing


def _backup() -> Iterator[GaugeMetricFamily]:
    newest = Backup.objects.last()
    if newest is not None:
        yield GaugeMetricFamily(
            "labbridge_backup_timestamp_seconds",
            "When the newest backup was made",
            value=newest.made_at.timestamp(),
        )
        yield GaugeMetricFamily("labbridge_backup_bytes", "Its size", value=newest.size)
