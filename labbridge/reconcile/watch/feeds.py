"""What the feed shows: destinations that take nothing, letters given up, agreements that end."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from django.db.models import Count, Q

from labbridge.alerts.observe import Finding, found
from labbridge.outbox.models import Agreement, DeliveryState, Destination

REMINDER = timedelta(days=30)  #: before a BAA's last day


def destinations(_now: datetime) -> list[Finding]:
    """The breaker's own word, and what a person has to send again."""
    pending, dead = (Q(deliveries__state=state) for state in (DeliveryState.PENDING, DeliveryState.DEAD))
    living = Destination.objects.filter(removed_at=None).annotate(
        waiting=Count("deliveries", filter=pending), given_up=Count("deliveries", filter=dead)
    )
    findings = []
    for one in living.filter(Q(closed_until__isnull=False) | Q(given_up__gt=0)):
        tell = partial(found, practice_id=one.practice_id, subject=str(one.pk))
        if one.closed_until is not None and one.failing_since is not None and one.paused_at is None:
            findings.append(tell("feed_failing", since=one.failing_since, count=one.waiting))
        if one.given_up:
            findings.append(tell("feed_dead", count=one.given_up))
    return findings


def agreements(now: datetime) -> list[Finding]:
    """Those on which something depends: a month before their last day, and after it."""
    keys = Q(api_keys__revoked_at=None, api_keys__expires_at__gt=now)
    used = Agreement.objects.select_related("practice").annotate(
        feeds=Count("destinations", filter=Q(destinations__removed_at=None), distinct=True),
        keys=Count("api_keys", filter=keys, distinct=True),
    )
    findings = []
    for one in used.filter(Q(feeds__gt=0) | Q(keys__gt=0)):
        today, count = now.astimezone(one.practice.zone).date(), one.feeds + one.keys
        tell = partial(found, practice_id=one.practice_id, subject=str(one.pk))
        if not one.covers(today):
            findings.append(tell("agreement_over", count=count))
        elif not one.covers(today + REMINDER):
            findings.append(tell("agreement_ends", day=one.last_day, count=count))
    return findings
