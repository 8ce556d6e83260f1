"""Health: alerts and what to do, connections, calls, queues, what the clock does, sweeps, the ledger, backups.

Nothing here opens patient data. The checks that ask the peers cost calls, so a person has to press for them.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.db.models import OuterRef, Q, QuerySet, Subquery, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from labbridge.accounts.access import access_of, require
from labbridge.alerts import observe
from labbridge.alerts.models import Alert, AlertState
from labbridge.alerts.rules import Severity
from labbridge.backup.models import Backup
from labbridge.console.audit import newest_heads
from labbridge.console.scope import Viewer, viewer_of
from labbridge.doctor.examine import examine, examine_practice
from labbridge.doctor.findings import Checked
from labbridge.engine import queue
from labbridge.engine.rescue import rescue_alive
from labbridge.inbox.models import Event, EventState
from labbridge.practices.apply import config_of
from labbridge.practices.models import CallCount, Connection, ConnectionState, Practice
from labbridge.reconcile.ledger import verify
from labbridge.reconcile.models import LedgerEntry, Sweep
from labbridge.reconcile.watch.peers import forecast
from labbridge.trust.audit import person, record

DAYS = 7  #: of the ledger
SWEEPS = 8
BACKUPS = 5
SEVERITIES = list(Severity)


@require_GET
@require("health.see")
def health(request: HttpRequest) -> HttpResponse:
    viewer = viewer_of(request, "health.see")
    practices = viewer.practices
    one = practices[0] if len(practices) == 1 else None
    context = {
        "zone_of": practices[0],
        "alerts": alerts_for(viewer),
        "may_answer": bool(viewer.at("alerts.answer")),
        "connections": connections_for(viewer),
        "calls": _calls(practices),
        "forecast": forecast(one, timezone.now()) if one else None,
        "limit": config_of(one).alerts.calls_per_month if one and one.config else 0,
        "queues": _queues(viewer),
        "working": rescue_alive(),
        "clock": _clock(practices),
        "sweeps": _sweeps(practices),
        "ledger": ledger_days(practices, DAYS),
        "verified": verify(one) if one and "verify" in request.GET else None,
        "one": one,
        "backups": list(Backup.objects.order_by("-made_at")[:BACKUPS]) if viewer.everywhere else [],
        "everywhere": viewer.everywhere,
        "may_check": bool(viewer.at("connections.manage")),
    }
    return render(request, "console/health.html", context)


# -- alerts ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Told:
    alert: Alert
    sentence: str
    action: str
    severity: str
    tone: str
    owner: str


def _mine(viewer: Viewer) -> QuerySet[Alert]:
    mine = Q(practice__in=viewer.practices)
    if viewer.everywhere:
        mine |= Q(practice=None)  # the service's own
    return Alert.objects.filter(mine).select_related("practice")


def alerts_for(viewer: Viewer) -> list[Told]:
    """Those that are not over and lasted long enough to be told, the gravest first."""
    ripe = [alert for alert in _mine(viewer).exclude(state=AlertState.RESOLVED) if alert.ripe]
    return sorted(map(_told, ripe), key=lambda one: SEVERITIES.index(one.alert.definition.severity))


def _told(alert: Alert) -> Told:
    rule = alert.definition
    zone: tzinfo = alert.practice.zone if alert.practice else UTC
    tone = "harm" if rule.severity is Severity.CRITICAL else "wait"
    return Told(alert, alert.sentence(zone), rule.action, rule.severity.value, tone, rule.owner.value)


@require("alerts.answer")
@require_POST
def alert_answer(request: HttpRequest, alert_id: uuid.UUID) -> HttpResponse:
    """`answer` is acknowledge or resolve."""
    viewer = Viewer.of(access_of(request), access_of(request).practices("alerts.answer"))
    with transaction.atomic():
        alert = _mine(viewer).select_for_update(of=("self",)).filter(pk=alert_id).first()
        if alert is None:
            raise Http404
        answer = request.POST.get("answer", "")
        changes: dict[str, Any] = {  # any: one of the two needs to know who
            "acknowledge": observe.acknowledge,
            "resolve": observe.resolve,
        }
        if alert.state == AlertState.RESOLVED or answer not in changes:
            messages.warning(request, "This alert is over already.")
        else:
            changes[answer](alert, timezone.now(), by=request.user.get_username())
            record(
                f"alert.{answer}", actor=person(request), practice=alert.practice, subject=f"alert:{alert.pk}"
            )
            messages.success(request, SAID[answer])
    place = (
        f"?practice={alert.practice.slug}"
        if alert.practice and len(access_of(request).memberships) > 1
        else ""
    )
    return redirect(f"{reverse('health')}{place}")


SAID = {
    "acknowledge": "Noted that you are at it. It ends by itself when its cause is gone.",
    "resolve": "Resolved. If its cause is still there, the next look raises it anew.",
}


# -- what is measured --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Link:
    """A connection and the one next action."""

    connection: Connection
    sentence: str
    action: str
    address: str = ""


def connections_for(viewer: Viewer) -> list[Link]:
    may = viewer.at("connections.manage")
    held = (
        Connection.objects.filter(practice__in=viewer.practices)
        .select_related("practice")
        .defer("credentials")
    )
    return [
        _link(one, manage=one.practice in may) for one in held.order_by("practice__slug", "peer", "account")
    ]


def _link(one: Connection, *, manage: bool) -> Link:
    broken = one.state != ConnectionState.ACTIVE
    sentence = one.problem or ("" if not broken else f"It is {one.get_state_display().lower()}.")
    if not sentence or one.state == ConnectionState.ENDED:
        return Link(one, sentence or "It works, as far as we know.", "")
    if one.peer == "rupa" and manage:
        return Link(one, sentence, "Connect again", reverse("rupa-connect", args=[one.practice.slug]))
    if one.peer == "rupa":
        return Link(one, sentence, "The owner or an administrator connects it again.")
    return Link(one, sentence, "Look at the account's Web Services profile in Caspio, then check below.")


@dataclass(frozen=True)
class Calls:
    practices: list[Practice]  #: whose account at Caspio it is: several may share one, and its limits
    purpose: str
    today: int
    month: int

    @property
    def whose(self) -> str:
        return ", ".join(one.name for one in self.practices)


def _calls(practices: list[Practice]) -> list[Calls]:
    """Calls to Caspio of this month by purpose, most first. The meter counts by the practice's own day."""
    accounts = Connection.objects.filter(practice__in=practices, peer="caspio").select_related("practice")
    owners: dict[str, list[Practice]] = {}
    for one in accounts.defer("credentials").order_by("practice__slug"):
        owners.setdefault(f"caspio:{one.account}", []).append(one.practice)
    first = min((_today(one) for one in practices), default=timezone.now().date()).replace(day=1)
    rows = CallCount.objects.filter(account__in=owners, day__gte=first).values("account", "purpose", "day")
    found: dict[tuple[str, str], list[int]] = {}
    for row in rows.annotate(total=Sum("calls")).order_by():
        today = _today(owners[row["account"]][0])
        if row["day"] < today.replace(day=1):
            continue
        counts = found.setdefault((row["account"], row["purpose"]), [0, 0])
        counts[1] += row["total"]
        counts[0] += row["total"] if row["day"] == today else 0
    listed = [Calls(owners[account], purpose, *counts) for (account, purpose), counts in found.items()]
    return sorted(listed, key=lambda one: (one.practices[0].slug, -one.month))


def _today(practice: Practice) -> date:
    return timezone.now().astimezone(practice.zone).date()


def _queues(viewer: Viewer) -> list[tuple[str, int]]:
    jobs = queue.by_state() if viewer.everywhere else {}
    events = Event.objects.filter(practice__in=viewer.practices).exclude(state=EventState.HANDLED)
    counts = {
        state: events.filter(state=state).count()
        for state in (EventState.RECEIVED, EventState.WAITING, EventState.QUARANTINED, EventState.DEAD)
    }
    figures = [(f"Events {'under way' if state == EventState.RECEIVED else state}", count)
               for state, count in counts.items()]  # fmt: skip
    if viewer.everywhere:
        figures += [("Jobs due now", queue.due()), ("Jobs waiting", jobs.get("todo", 0)),
                    ("Jobs given up", jobs.get("failed", 0))]  # fmt: skip
    return figures


@dataclass(frozen=True)
class Tick:
    """Something that happens by the clock."""

    what: str
    how_often: str
    practice: Practice
    last: datetime | None


def _clock(practices: list[Practice]) -> list[Tick]:
    finished = Sweep.objects.filter(practice=OuterRef("pk"), finished_at__isnull=False)
    newest = Subquery(finished.order_by("-started_at").values("finished_at")[:1])
    mine = Practice.objects.filter(pk__in=[one.pk for one in practices])
    swept = dict(mine.values_list("pk", newest))
    sealed = {head.practice: head.at for head in newest_heads(practices)}
    ticks = []
    for one in practices:
        minutes = config_of(one).sync.sweep_minutes if one.config else 60
        ticks += [
            Tick("Comparison with both peers", f"every {minutes:g} minutes", one, swept.get(one.pk)),
            Tick("Catalogue read", "once a day", one, one.catalog_read_at),
            Tick("Patients read whole", "with the daily comparison", one, one.charts_read_at),
            Tick("Audit chained", "every minute in which something was recorded", one, sealed.get(one.slug)),
        ]
    return ticks


def _sweeps(practices: list[Practice]) -> list[Sweep]:
    return list(
        Sweep.objects.filter(practice__in=practices)
        .select_related("practice")
        .order_by("-started_at")[:SWEEPS]
    )


def ledger_days(practices: list[Practice], days: int) -> list[LedgerEntry]:
    """The last entry of each of the latest days of each practice, newest first."""
    since = timezone.now().date() - timedelta(days=days)
    entries = LedgerEntry.objects.filter(practice__in=practices, date__gte=since).select_related("practice")
    found = entries.order_by("practice_id", "-date", "-seq").distinct("practice_id", "date")
    return sorted(found, key=lambda one: (one.date, one.practice.slug), reverse=True)


# -- checks that ask the peers -----------------------------------------------------------------------------------


@require("connections.manage")
@require_POST
def health_check(request: HttpRequest) -> HttpResponse:
    """The doctor's checks, now: of the whole service for whoever has all practices, else of their own."""
    viewer = viewer_of(request, "connections.manage")
    return render(request, "console/health_check.html", {"found": checked(viewer)})


def checked(viewer: Viewer) -> list[Checked]:
    """What the checks found, the gravest first."""
    slug = viewer.practices[0].slug if len(viewer.practices) == 1 else ""
    found: list[Checked] = []
    if viewer.everywhere:
        found += examine(slug)
    else:
        for practice in viewer.practices:
            found += examine_practice(practice)
    return sorted(found, key=lambda one: ORDER[one.state])


ORDER = {"fail": 0, "warn": 1, "ok": 2}
