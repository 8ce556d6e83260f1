"""What our own work shows: given up, set aside, held up, waiting for a person."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, Min, Q

from labbridge.alerts.observe import Finding, found
from labbridge.billing.payment import awaiting_payment
from labbridge.engine import queue, tally
from labbridge.inbox.models import Event, EventState
from labbridge.mirror.models import Order
from labbridge.practices.models import Practice
from labbridge.reconcile.watch.each import each, moments_before, rows, spans_of


def dead_jobs(_now: datetime) -> list[Finding]:
    """Of a practice where the job's lock names one, else of the service."""
    practices = {practice.slug: practice.pk for practice in Practice.objects.all()}
    counts = Counter(practices.get(slug) for slug in queue.dead_by_prefix().elements())
    return [found("jobs_dead", practice_id=practice_id, count=count) for practice_id, count in counts.items()]


def quarantine(_now: datetime) -> list[Finding]:
    rows = (
        Event.objects.filter(state=EventState.QUARANTINED)
        .order_by()
        .values_list("practice_id")
        .annotate(Count("pk"), Min("received_at"))
    )
    return [
        found("events_quarantined", practice_id=practice_id, count=count, since=since)
        for practice_id, count, since in rows
    ]


def held_up(_now: datetime) -> list[Finding]:
    problems = ~Q(filing_problem="") | ~Q(pull_problem="")
    rows = Order.objects.filter(problems).values_list("practice_id").annotate(Count("pk"))
    return [found("orders_held", practice_id=practice_id, count=count) for practice_id, count in rows]


_OLD_CASES = """
SELECT p.id, count(*), min(c.opened_at) FROM unnest(%(practices)s::uuid[], %(values)s::timestamptz[]) AS p(id, before)
  JOIN mirror_reviewcase c ON c.practice_id = p.id AND c.state = 'open' AND c.opened_at < p.before
 GROUP BY 1
"""


def old_cases(now: datetime) -> list[Finding]:
    spans = spans_of(each(), lambda alerts: timedelta(hours=alerts.case_hours))
    return [
        found("cases_old", practice_id=practice_id, span=spans[practice_id], count=count, since=since)
        for practice_id, count, since in rows(_OLD_CASES, moments_before(now, spans))
    ]


def unpaid(now: datetime) -> list[Finding]:
    """Orders that wait for the patient's payment, by the same words as everywhere; each practice's own patience."""
    spans = spans_of(each(), lambda alerts: timedelta(days=alerts.unpaid_days))
    if not spans:
        return []
    waiting: dict[UUID, list[datetime]] = defaultdict(list)
    for order in awaiting_payment(before=now - min(spans.values())):
        span = spans.get(order.practice_id)
        if span is not None and order.submitted_at is not None and order.submitted_at < now - span:
            waiting[order.practice_id].append(order.submitted_at)
    return [
        found("orders_unpaid", practice_id=practice_id, count=len(moments), span=spans[practice_id],
              since=min(moments))
        for practice_id, moments in waiting.items()
    ]  # fmt: skip


def rescues(now: datetime) -> list[Finding]:
    count = sum(tally.total("rescued", now - timedelta(days=1)).values())
    return [found("jobs_rescued", count=count)] if count else []
