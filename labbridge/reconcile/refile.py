"""Having rows compared with Caspio again, after settings changed or by a person's wish."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction

from labbridge.engine.jobs import bulk
from labbridge.filing.models import FiledRow
from labbridge.handlers.settle import refile
from labbridge.mirror.models import Order
from labbridge.practices.models import Practice


def refile_practice(practice: Practice, moved: Collection[str] = ()) -> int:
    """Queue every order of a practice. Rows that are as they should be cost no call. Returns how many.

    `moved` are our words for tables that are now others: what the ledger knows of their rows is forgotten.
    """
    FiledRow.objects.filter(practice=practice, table__in=moved).delete()
    ids = list(Order.objects.filter(practice=practice).values_list("pk", flat=True))
    for order_id in ids:
        with transaction.atomic(), bulk():
            refile(Order.objects.select_related("practice").select_for_update(of=("self",)).get(pk=order_id))
    return len(ids)
