"""Orders that should have their results by now, by the catalogue's own figures for the slowest test on each.

The database keeps `Order.expected_at` itself (migration `expected_at`), so that lists of the late ones cost the same
among a hundred orders and a million.
"""

from __future__ import annotations

from datetime import datetime

from django.db import connection
from django.db.models import QuerySet

from labbridge.mirror.models import UNDER_WAY, Order
from labbridge.practices.models import Practice

# In the order of their keys, as orders are locked everywhere.
_LOOK_OVER = """
WITH stale AS (
  SELECT id, labbridge_expected_at(id, coalesce(paid_at, submitted_at)) AS expected_at FROM mirror_order
   WHERE practice_id = %s AND phase IN ('awaiting_payment', 'in_progress', 'partial_results')
), held AS (
  SELECT o.id, s.expected_at FROM mirror_order o JOIN stale s ON s.id = o.id
   WHERE o.expected_at IS DISTINCT FROM s.expected_at ORDER BY o.id FOR UPDATE OF o SKIP LOCKED
)
UPDATE mirror_order o SET expected_at = held.expected_at FROM held WHERE o.id = held.id
"""


def overdue(found: QuerySet[Order], now: datetime) -> QuerySet[Order]:
    """As `phases.is_overdue` says it: every test has figures in the catalogue, and those of the slowest are over."""
    return found.filter(UNDER_WAY, expected_at__lt=now)


def look_over(practice: Practice) -> int:
    """Set right what a change of the catalogue has passed over, because somebody held the order. Returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(_LOOK_OVER, [practice.pk])
        return int(cursor.rowcount)
