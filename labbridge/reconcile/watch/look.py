"""One look: every check, then the edges, then the channels, then a sign of life to an outside watcher."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import structlog
from django.conf import settings
from django.db import transaction

from labbridge.alerts.channels import Channel, Send, channels, send
from labbridge.alerts.digest import send_digest, tell_of_report
from labbridge.alerts.models import Alert, AlertState
from labbridge.alerts.observe import Finding, found, observe
from labbridge.alerts.tell import Quiet, Recipient, tell
from labbridge.engine.models import Pulse
from labbridge.peers.errors import PeerError
from labbridge.peers.http import Http
from labbridge.peers.ports import NullMeter, UnlimitedLimiter
from labbridge.practices.apply import config_of
from labbridge.practices.models import Practice
from labbridge.reconcile.watch import completeness, feeds, labs, machine, peers, wishes, work
from labbridge.reconcile.watch.numbers import day_in_numbers

log = structlog.get_logger()

PULSE = "watch"


@dataclass(frozen=True)
class Check:
    rules: tuple[str, ...]  #: that it decides: what it does not find is over
    look: Callable[[datetime], list[Finding]]
    every: timedelta | None = None  #: not at each look: what reads a year's orders, and changes by the day

    def is_due(self, now: datetime) -> bool:
        """Whether it is to be looked at now; what is not stays as it is."""
        if self.every is None:
            return True
        last = Pulse.objects.filter(name=self._pulse, at__gt=now - self.every, at__lte=now)
        return not last.exists()

    def done(self, now: datetime) -> None:
        if self.every is not None:
            Pulse.objects.update_or_create(name=self._pulse, defaults={"at": now})

    @property
    def _pulse(self) -> str:
        return f"check:{self.rules[0]}"[:40]


CHECKS = (
    Check(("signature_refused",), peers.signatures),
    Check(("peer_silent",), peers.silence),
    Check(("connection_lost", "authorisation_ends"), peers.connections),
    Check(("clock_skew",), peers.clocks),
    Check(("quota_forecast",), peers.quota),
    Check(("jobs_dead",), work.dead_jobs),
    Check(("events_quarantined",), work.quarantine),
    Check(("orders_held",), work.held_up),
    Check(("cases_old",), work.old_cases),
    Check(("orders_unpaid",), work.unpaid),
    Check(("protocols_touched",), labs.protocols),
    Check(("jobs_rescued",), work.rescues),
    Check(("sweep_repaired",), completeness.repairs),
    Check(("ledger_difference",), completeness.differences),
    Check(("ledger_late",), completeness.late),
    Check(("sweep_stopped", "sweep_left"), completeness.left),
    Check(("orders_overdue", "orders_late"), labs.late, every=timedelta(minutes=55)),
    Check(("feed_failing", "feed_dead"), feeds.destinations),
    Check(("agreement_ends", "agreement_over"), feeds.agreements),
    Check(("disk_low", "disk_full"), machine.disk),
    Check(("backup_old", "backup_missing"), machine.backups),
)


def look(now: datetime, *, checks: Sequence[Check] = CHECKS, sending: Send = send) -> Counter[str]:
    """Returns how many alerts were raised and resolved. A check that fails leaves its alerts as they are."""
    findings: list[Finding] = []
    decided: list[str] = []
    for check in checks:
        try:
            if not check.is_due(now):
                continue
            with transaction.atomic():
                findings += check.look(now)
                check.done(now)
        except Exception as error:  # noqa: BLE001  # one blind eye is no reason to close the others
            log.error("watch.check_failed", kind=check.rules[0], exception_type=type(error).__name__)  # noqa: TRY400  # no traceback: it may quote data
        else:
            decided += check.rules
    counts = observe(findings, decided, now)
    counts += _unreviewed(now)
    recipients = all_recipients()
    _tell(recipients, now, sending)
    _digests(recipients, now, sending)
    wishes.tell(now, sending=sending)
    Pulse.objects.update_or_create(name=PULSE, defaults={"at": now})
    ping()
    return counts


def _unreviewed(now: datetime) -> Counter[str]:
    """Asks Caspio, so it stands outside of the transaction; practices that were not asked stay as they are."""
    findings, known = labs.unreviewed(now)
    others = [one for one in _still("results_unreviewed") if one.practice_id not in known]
    return observe([*findings, *others], ["results_unreviewed"], now)


def _still(rule: str) -> list[Finding]:
    """The open alerts of a rule as findings, for those of them that were not looked at this time."""
    return [
        Finding(rule, alert.practice_id, alert.subject, tuple(alert.params.items()))
        for alert in Alert.objects.filter(rule=rule).exclude(state=AlertState.RESOLVED)
    ]


# -- who hears of it -----------------------------------------------------------------------------------------


def all_recipients() -> list[Recipient]:
    """Each practice with channels of its own, and the service's channels for everything else."""
    practices = list(Practice.objects.all())
    own = [_recipient(practice) for practice in practices if practice.alert_channels]
    heard = {recipient.practice_id for recipient in own}
    service = Recipient(
        "service",
        None,
        channels(settings.DEPLOYMENT.alert_channels),
        ZoneInfo("UTC"),
        also=tuple(practice.pk for practice in practices if practice.pk not in heard),
    )
    return [service, *own]


def _recipient(practice: Practice) -> Recipient:
    part = config_of(practice).alerts
    quiet = Quiet(part.quiet_from, part.quiet_to) if part.quiet_from and part.quiet_to else None
    return Recipient(
        practice.slug, practice.pk, channels(practice.alert_channels or [], outside=True), practice.zone,
        quiet=quiet, remind=timedelta(hours=part.remind_hours),
    )  # fmt: skip


def _tell(recipients: Iterable[Recipient], now: datetime, sending: Send) -> None:
    tried: dict[str, bool] = {}

    def watched(channel: Channel, title: str, body: str) -> bool:
        took = sending(channel, title, body)
        tried[channel.key] = took
        return took

    known: dict[str, Channel] = {}
    for recipient in recipients:
        known |= {channel.key: channel for channel in recipient.channels}
        tell(recipient, now, sending=watched)
    failing = [
        found("channel_failing", subject=key, number=known[key].number)
        for key, took in tried.items()
        if not took
    ]
    untried = [one for one in _still("channel_failing") if one.subject in known and one.subject not in tried]
    observe([*failing, *untried], ["channel_failing"], now)


def _digests(recipients: Iterable[Recipient], now: datetime, sending: Send) -> None:
    practices = {practice.pk: practice for practice in Practice.objects.all()}
    for recipient in recipients:
        practice = practices.get(recipient.practice_id) if recipient.practice_id else None
        at = config_of(practice).alerts.digest_at if practice is not None else None
        if practice is not None and at is not None:
            send_digest(recipient, at, partial(day_in_numbers, practice, now), now, sending=sending)
        day = config_of(practice).analytics.report_day if practice is not None else 0
        if practice is not None and day:
            address = f"{settings.DEPLOYMENT.public_url}/analytics/report?practice={practice.slug}"
            tell_of_report(recipient, day, address, now, sending=sending)


def ping() -> None:
    """Tell the outside watcher that the watch itself is alive; it alarms when this stops."""
    url = settings.DEPLOYMENT.alert_ping_url
    if not url:
        return
    parts = urlsplit(url)
    base = f"{parts.scheme}://{parts.netloc}"
    with Http(
        "watcher", base, timeout=10, limiter=UnlimitedLimiter(), meter=NullMeter(),
        allow_http=settings.DEPLOYMENT.allow_http_peers,
    ) as http:  # fmt: skip
        try:
            http.send("GET", url, operation="ping", purpose="ping", idempotent=True, expect=range(200, 400))
        except PeerError as error:
            log.warning("watch.ping_failed", status=error.status, code=error.code)
