"""The daily letter, in numbers: what is open, what the last day brought. Once a month, where the report is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta

from labbridge.alerts.channels import Channel, Send, send
from labbridge.alerts.models import Alert, AlertState, Digest
from labbridge.alerts.tell import LONGEST_LIST, Recipient, alerts_of
from labbridge.alerts.words import Kind, Params, checked, spoken

LATE = timedelta(hours=1)  #: how long yesterday's letter may still be sent today
#: Every line a digest may have, in their order.
LINES = {
    "events": "Events received: {count}",
    "orders": "Orders brought to Caspio: {count}",
    "results": "Results that arrived: {count}",
    "repaired": "Repaired by comparison: {count}",
    "calls": "Calls to the Caspio account: {count}",
}


def send_digest(
    recipient: Recipient,
    at: time,
    count: Callable[[], Mapping[str, int]],
    now: datetime,
    *,
    sending: Send = send,
) -> list[Channel]:
    """Once a day and channel, at the first look after `at`. Returns the channels that did not take it.

    The day is counted only where somebody is to be told.
    """
    day = _day_due(now.astimezone(recipient.zone), at)
    if day is None:
        return []
    keys = {f"{recipient.name}:{channel.key}": channel for channel in recipient.channels}
    told = set(Digest.objects.filter(channel__in=keys, day__gte=day).values_list("channel", flat=True))
    waiting = {key: channel for key, channel in keys.items() if key not in told}
    if not waiting:
        return []
    text = letter(recipient, count())
    failed = []
    for key, channel in waiting.items():
        if sending(channel, f"Labbridge {recipient.name}: {day.isoformat()}", text):
            Digest.objects.update_or_create(channel=key, defaults={"day": day})
        else:
            failed.append(channel)
    return failed


def _day_due(local: datetime, at: time) -> date | None:
    """The day whose letter is due. Just before midnight the first look after `at` is one of the next day."""
    if local.time() >= at:
        return local.date()
    yesterday = local.date() - timedelta(days=1)
    return yesterday if local - datetime.combine(yesterday, at, local.tzinfo) < LATE else None


def tell_of_report(
    recipient: Recipient, day: int, address: str, now: datetime, *, sending: Send = send
) -> list[Channel]:
    """Once a month and channel, from that day of it on: last month's report can be drawn, and where.

    It says no figure: whoever opens the address signs in. Returns the channels that did not take it.
    """
    local = now.astimezone(recipient.zone)
    month: date = (local.date().replace(day=1) - timedelta(days=1)).replace(day=1)
    if local.day < day:
        return []
    failed = []
    for channel in recipient.channels:
        key = f"report:{recipient.name}:{channel.key}"
        if Digest.objects.filter(channel=key, day__gte=month).exists():
            continue
        text = f"The report of {month:%B %Y} can be drawn:\n{address}&month={month:%Y-%m}"
        if sending(channel, f"Labbridge {recipient.name}: report of {month:%B %Y}", text):
            Digest.objects.update_or_create(channel=key, defaults={"day": month})
        else:
            failed.append(channel)
    return failed


def letter(recipient: Recipient, numbers: Mapping[str, int]) -> str:
    kinds = {"count": Kind.COUNT}
    lines = []
    for name, line in LINES.items():
        if name in numbers:
            params: Params = checked(kinds, {"count": numbers[name]}, name)
            lines.append(line.format(**spoken(kinds, params, recipient.zone)))
    alerts = [one for one in alerts_of(recipient).exclude(state=AlertState.RESOLVED) if one.ripe]
    lines.append(f"Open alerts: {len(alerts)}")
    lines += [_line(alert, recipient) for alert in alerts[:LONGEST_LIST]]
    return "\n".join(lines)


def _line(alert: Alert, recipient: Recipient) -> str:
    seen = " (acknowledged)" if alert.state == AlertState.ACKNOWLEDGED else ""
    return f"- [{alert.definition.severity.value}] {alert.sentence(recipient.zone)}{seen}"
