"""What the completeness ledger says: something had been missed lately, or the newest count does not add up."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import OuterRef, Subquery

from labbridge.alerts.observe import Finding, found
from labbridge.practices.apply import config_of
from labbridge.practices.clients import rupa_connections
from labbridge.practices.models import Practice
from labbridge.reconcile.models import Sweep, SweepState
from labbridge.reconcile.watch.each import moments_before, rows

DAY = timedelta(days=1)
#: A day and a half: one night's comparison may come late, or be held up by a peer that was away.
LATE = timedelta(hours=36)


#: The date only narrows what is read; a practice's own may be one before that of the moment in UTC.
_REPAIRED = """
SELECT p.id, max(e.date), sum((e.body->>'repaired')::int)
  FROM unnest(%(practices)s::uuid[], %(values)s::timestamptz[]) AS p(id, since)
  JOIN reconcile_ledgerentry e ON e.practice_id = p.id AND e.date >= (p.since AT TIME ZONE 'UTC')::date - 1
   AND (e.body->>'at')::timestamptz > p.since AND (e.body->>'repaired')::int > 0
 GROUP BY 1
"""
_DIFFERENT = """
SELECT p.id, newest.date, newest.difference FROM practices_practice p CROSS JOIN LATERAL (
  SELECT date, (body->>'difference')::int AS difference FROM reconcile_ledgerentry
   WHERE practice_id = p.id ORDER BY seq DESC LIMIT 1) newest
 WHERE newest.difference > 0
"""


#: The newest finished comparison of each practice, where it stopped or left something.
_LEFT = """
SELECT p.id, newest.finished_at, newest.stopped, newest.left_over FROM practices_practice p CROSS JOIN LATERAL (
  SELECT finished_at, coalesce((counts->>'stopped')::int, 0) AS stopped,
         coalesce((counts->>'for_a_person')::int, 0) AS left_over
    FROM reconcile_sweep WHERE practice_id = p.id AND state = 'done' ORDER BY started_at DESC LIMIT 1) newest
 WHERE newest.left_over > 0
"""


def left(_now: datetime) -> list[Finding]:
    """What the newest comparison would not do by itself, which otherwise only whoever looks there would see."""
    return [
        found("sweep_stopped", practice_id=practice_id, since=since) if stopped
        else found("sweep_left", practice_id=practice_id, since=since, count=count)
        for practice_id, since, stopped, count in rows(_LEFT)
    ]  # fmt: skip


def repairs(now: datetime) -> list[Finding]:
    """A repair is itself an alarm, for a day: the end of its calendar day may lie within quiet hours, untold."""
    since = moments_before(now, dict.fromkeys(Practice.objects.values_list("pk", flat=True), DAY))
    return [
        found("sweep_repaired", practice_id=practice_id, day=day, count=count)
        for practice_id, day, count in rows(_REPAIRED, since)
    ]


def late(now: datetime) -> list[Finding]:
    """A count that is not made says nothing, which looks like good news."""
    findings = []
    done = Sweep.objects.filter(practice=OuterRef("pk"), state=SweepState.DONE).order_by("-started_at")
    for practice in Practice.objects.annotate(compared=Subquery(done.values("finished_at")[:1])):
        since = practice.compared or practice.created_at
        if now - since <= LATE or not rupa_connections(practice):
            continue
        if now - since > 2 * timedelta(minutes=config_of(practice).sync.sweep_minutes):
            findings.append(found("ledger_late", practice_id=practice.pk, since=since))
    return findings


def differences(_now: datetime) -> list[Finding]:
    return [
        found("ledger_difference", practice_id=practice_id, day=day, count=count)
        for practice_id, day, count in rows(_DIFFERENT)
    ]
