"""Who is told what, and when: one message per channel and moment, each occasion once, nights left in peace."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog
from django.db.models import Q, QuerySet

from labbridge.alerts.channels import Channel, Send, send
from labbridge.alerts.models import Alert, AlertState, Notice
from labbridge.alerts.observe import SETTLED
from labbridge.alerts.rules import Severity

log = structlog.get_logger()

FORGOTTEN = timedelta(days=2)  #: after this nobody is told any more that something is over
LONGEST_LIST = 20  #: alerts in one message; the rest is counted


@dataclass(frozen=True)
class Quiet:
    """Hours, in the recipient's zone, in which only what is critical is told."""

    start: time
    end: time

    def holds(self, at: time) -> bool:
        if self.start <= self.end:
            return self.start <= at < self.end
        return at >= self.start or at < self.end


@dataclass(frozen=True)
class Recipient:
    """Whoever hears of a practice's alerts, or of the service's own where `practice_id` is None."""

    name: str  #: the practice's slug, or "service"
    practice_id: UUID | None
    channels: tuple[Channel, ...]
    zone: ZoneInfo
    also: tuple[UUID, ...] = ()  #: practices without channels of their own
    quiet: Quiet | None = None
    remind: timedelta = timedelta(hours=24)


@dataclass(frozen=True)
class Due:
    alert: Alert
    occasion: str


def alerts_of(recipient: Recipient) -> QuerySet[Alert]:
    if recipient.practice_id is not None:
        return Alert.objects.filter(practice_id=recipient.practice_id)
    return Alert.objects.filter(Q(practice__isnull=True) | Q(practice_id__in=recipient.also))


def tell(recipient: Recipient, now: datetime, *, sending: Send = send) -> list[Channel]:
    """Send what is due. Returns the channels that took nothing: they are tried again at the next look."""
    failed = []
    for channel in recipient.channels:
        due = due_for(recipient, channel, now)
        if not due:
            continue
        if sending(channel, title(recipient, due), body(due, recipient.zone)):
            # A crash in between says the same twice, which is better than not at all.
            Notice.objects.bulk_create(
                [Notice(alert=one.alert, channel=channel.key, occasion=one.occasion, sent_at=now) for one in due],
                ignore_conflicts=True,
            )  # fmt: skip
        else:
            log.warning("alerts.channel_failed", practice=recipient.name, key=channel.number)
            failed.append(channel)
    return failed


def due_for(recipient: Recipient, channel: Channel, now: datetime) -> list[Due]:
    alerts = alerts_of(recipient).filter(~Q(state=AlertState.RESOLVED) | Q(resolved_at__gte=now - FORGOTTEN))
    told: dict[UUID, list[Notice]] = {}
    for notice in Notice.objects.filter(channel=channel.key, alert__in=alerts).order_by("sent_at"):
        told.setdefault(notice.alert_id, []).append(notice)
    quiet = recipient.quiet is not None and recipient.quiet.holds(now.astimezone(recipient.zone).time())
    return [
        Due(alert, occasion)
        for alert in alerts
        if (occasion := _occasion(alert, told.get(alert.pk, []), recipient.remind, now))
        and (not quiet or (alert.definition.severity is Severity.CRITICAL and occasion != "resolved"))
    ]


def _occasion(alert: Alert, told: Sequence[Notice], remind: timedelta, now: datetime) -> str:
    """What is to be said about this alert now, "" for nothing."""
    if alert.state == AlertState.RESOLVED:
        settled = alert.resolved_at is not None and now - alert.resolved_at >= SETTLED
        return "resolved" if told and settled and told[-1].occasion != "resolved" else ""
    if not alert.ripe or alert.state == AlertState.ACKNOWLEDGED:
        return ""
    if not told:
        return "raised"
    return f"reminder:{len(told)}" if now - told[-1].sent_at >= remind else ""


def title(recipient: Recipient, due: Sequence[Due]) -> str:
    words = []
    for word, number in (
        ("new", sum(one.occasion == "raised" for one in due)),
        ("still open", sum(one.occasion.startswith("reminder") for one in due)),
        ("over", sum(one.occasion == "resolved" for one in due)),
    ):
        if number:
            words.append(f"{number} {word}")
    return f"Labbridge {recipient.name}: {', '.join(words)}"


def body(due: Sequence[Due], zone: ZoneInfo) -> str:
    ranks = list(Severity)
    ordered = sorted(
        due, key=lambda one: (one.occasion == "resolved", ranks.index(one.alert.definition.severity))
    )
    lines = list(_lines(ordered[:LONGEST_LIST], zone))
    if len(ordered) > LONGEST_LIST:
        lines.append(f"And {len(ordered) - LONGEST_LIST} more: `labbridge alerts list`.")
    return "\n".join(lines)


def _lines(due: Iterable[Due], zone: ZoneInfo) -> Iterable[str]:
    for one in due:
        rule = one.alert.definition
        if one.occasion == "resolved":
            yield f"[over] {one.alert.sentence(zone)}"
            continue
        since = one.alert.first_seen.astimezone(zone).strftime("%Y-%m-%d %H:%M")
        yield f"[{rule.severity.value}] {one.alert.sentence(zone)}"
        yield f"    {rule.action} (For the {rule.owner.value}; since {since}; {one.alert.pk})"
