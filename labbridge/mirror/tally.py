"""How many orders stand in each phase: read from the changes that triggers note, and those folded into one row."""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection
from django.db.models import Sum

from labbridge.mirror.models import PhaseTally
from labbridge.practices.models import Practice

# Rows that are being written are not seen, and those that another fold holds are left to it.
_FOLD = """
WITH held AS (SELECT id FROM mirror_phasetally WHERE practice_id = %s FOR UPDATE SKIP LOCKED),
     taken AS (DELETE FROM mirror_phasetally WHERE id IN (SELECT id FROM held) RETURNING practice_id, phase, orders)
INSERT INTO mirror_phasetally (practice_id, phase, orders)
SELECT practice_id, phase, sum(orders) FROM taken GROUP BY 1, 2 HAVING sum(orders) <> 0
"""


def by_phase(practices: Collection[Practice]) -> dict[str, int]:
    """Orders of these practices in each phase that has any; training orders count nowhere."""
    rows = PhaseTally.objects.filter(practice__in=practices).values_list("phase").annotate(Sum("orders"))
    return {phase: orders for phase, orders in rows if orders}


def fold(practice: Practice) -> None:
    """One row for each phase again. Nothing that a reader sums up changes."""
    with connection.cursor() as cursor:
        cursor.execute(_FOLD, [practice.pk])
