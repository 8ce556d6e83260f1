"""What the peers, the accounts with them and the ways to them show."""

from __future__ import annotations

import calendar
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from uuid import UUID

from django.db.models import Count, Q, QuerySet, Sum

from labbridge.alerts.models import Alert, AlertState
from labbridge.alerts.observe import Finding, found
from labbridge.engine import tally
from labbridge.inbox.models import Event
from labbridge.practices.clients import LAB_PEERS
from labbridge.practices.models import CallCount, Connection, ConnectionState, PeerClock, Practice
from labbridge.reconcile.watch.each import each
from labbridge.reconcile.watch.silence import Listener

CLOCK_TOLERANCE = timedelta(seconds=60)  #: signatures are refused beyond five minutes (rupa-api.md 7)
CLOCK_FRESH = timedelta(hours=1)
ENDS_SOON = timedelta(days=7)
PACE_DAYS = 7  #: of the latest days, from which the rest of the month is guessed

_listener = Listener()


def signatures(now: datetime) -> list[Finding]:
    refused = tally.total("refused:", now - timedelta(hours=1))
    return [
        found("signature_refused", subject=peer, peer=peer, count=count)
        for name, count in refused.items()
        if count and (peer := name.removeprefix("refused:"))
    ]


def silence(now: datetime, listener: Listener = _listener) -> list[Finding]:
    """Peers that are silent for longer than usual, and those that were and have not been heard since.

    What is usual is forgotten after some weeks of silence; that it is silent must not be. Where a practice has ended
    its connections, nothing is expected of its labs.
    """
    zones = {practice.pk: practice.zone for practice in Practice.objects.all()}
    findings = [
        found("peer_silent", practice_id=practice_id, subject=peer, peer=peer, since=last, gap=usual.gap)
        for practice_id, peer, last, usual in listener.silent(zones, now)
    ]
    known, ended = {(one.practice_id, one.subject) for one in findings}, _with_ended_connections()
    for alert in Alert.objects.filter(rule="peer_silent").exclude(state=AlertState.RESOLVED):
        lasting = Finding(alert.rule, alert.practice_id, alert.subject, tuple(alert.params.items()))
        if (alert.practice_id, alert.subject) not in known and not _heard_since(alert):
            findings.append(lasting)
    return [one for one in findings if one.subject not in LAB_PEERS or one.practice_id not in ended]


def _with_ended_connections() -> set[UUID]:
    """Practices that ended, on purpose, every connection that they had to where labs are ordered."""
    living = Count("pk", filter=~Q(state=ConnectionState.ENDED))
    at_labs = (
        Connection.objects.filter(peer__in=LAB_PEERS).order_by().values("practice_id").annotate(living=living)
    )
    return set(at_labs.filter(living=0).values_list("practice_id", flat=True))


def _heard_since(alert: Alert) -> bool:
    since = datetime.fromisoformat(str(alert.params["since"])) + timedelta(seconds=1)  # kept in whole seconds
    return Event.objects.filter(
        practice=alert.practice_id, peer=alert.subject, received_at__gt=since
    ).exists()


def connections(now: datetime) -> list[Finding]:
    return [
        finding
        for connection in Connection.objects.exclude(state=ConnectionState.ENDED)
        if (finding := _connection(connection, now)) is not None
    ]


def _connection(connection: Connection, now: datetime) -> Finding | None:
    about = partial(
        found, practice_id=connection.practice_id, subject=str(connection.pk), peer=connection.peer
    )
    if connection.state == ConnectionState.RECONNECT:
        return about("connection_lost")
    ends = _end(connection)
    return about("authorisation_ends", until=ends) if ends is not None and ends - now < ENDS_SOON else None


def _end(connection: Connection) -> datetime | None:
    """When an authorisation ends that nothing can renew."""
    held = connection.credentials or {}
    if connection.peer != "rupa" or held.get("refresh_token") or not held.get("expires_at"):
        return None
    return datetime.fromisoformat(held["expires_at"])


def clocks(now: datetime) -> list[Finding]:
    findings = []
    for clock in PeerClock.objects.filter(read_at__gt=now - CLOCK_FRESH):
        apart = timedelta(seconds=abs(clock.ahead_seconds))
        if apart > CLOCK_TOLERANCE:
            findings.append(found("clock_skew", subject=clock.peer, peer=clock.peer, span=apart))
    return findings


def quota(now: datetime) -> list[Finding]:
    limits = {one.id: one.alerts.calls_per_month for one in each() if one.alerts.calls_per_month}
    expected = forecasts(list(Practice.objects.filter(pk__in=limits)), now) if limits else {}
    return [
        found("quota_forecast", practice_id=practice_id, count=count, limit=limits[practice_id])
        for practice_id, count in expected.items()
        if count > limits[practice_id]
    ]


def forecast(practice: Practice, now: datetime) -> int:
    """Calls to the practice's Caspio account by the end of this month: those made, and the pace of the last days."""
    return forecasts([practice], now)[practice.pk]


def forecasts(practices: Sequence[Practice], now: datetime) -> dict[UUID, int]:
    """`forecast` of several practices by two queries."""
    longest = timedelta(days=max(31, PACE_DAYS) + 1)  # a day more than any practice's calendar needs
    counts = _counts(practices, CallCount.objects.filter(day__gte=now.date() - longest))
    return {
        one.pk: _expected(counts.get(one.pk, Counter()), now.astimezone(one.zone).date()) for one in practices
    }


def _expected(calls: Counter[date], today: date) -> int:
    """By the end of today's month."""
    made = sum(count for day, count in calls.items() if today.replace(day=1) <= day <= today)
    recent = [count for day, count in calls.items() if today - timedelta(days=PACE_DAYS) < day <= today]
    left = calendar.monthrange(today.year, today.month)[1] - today.day
    return made + (round(sum(recent) / len(recent) * left) if recent else 0)


def calls_on(practice: Practice, day: date) -> int:
    return _counts([practice], CallCount.objects.filter(day=day)).get(practice.pk, Counter())[day]


def _counts(practices: Iterable[Practice], among: QuerySet[CallCount]) -> dict[UUID, Counter[date]]:
    """Calls to each practice's Caspio account, by day. Practices may share an account, and its plan."""
    held = Connection.objects.filter(practice__in=list(practices), peer="caspio")
    users: dict[str, list[UUID]] = defaultdict(list)
    for account, practice_id in held.values_list("account", "practice_id"):
        users[f"caspio:{account}"].append(practice_id)
    counts: dict[UUID, Counter[date]] = defaultdict(Counter)
    named = among.filter(account__in=list(users)).order_by()
    for account, day, calls in named.values_list("account", "day").annotate(Sum("calls")):
        for practice_id in users[account]:
            counts[practice_id][day] += calls
    return counts
