"""Having rows compared with Caspio again, after settings changed or by a person's wish."""

from __future__ import annotations

from django.db import transaction

from labbridge.handlers.settle import refile
from labbridge.mirror.models import Order
from labbridge.practices.models import Practice


def refile_practice(practice: Practice) -> int:
    """Queue every order of a practice. Rows that are as they should be cost no call. Returns how many."""
    ids = list(Order.objects.filter(practice=practice).values_list("pk", flat=True))
    for order_id in ids:
        with transaction.atomic():
            refile(Order.objects.select_related("practice").select_for_update(of=("self",)).get(pk=order_id))
    return len(ids)
