"""A practice's last day in numbers, for the digest."""

from __future__ import annotations

from datetime import datetime, timedelta

from labbridge.inbox.models import Event
from labbridge.mirror.models import Order, Result
from labbridge.practices.models import Practice
from labbridge.reconcile.models import LedgerEntry
from labbridge.reconcile.watch.peers import calls_on

DAY = timedelta(days=1)


def day_in_numbers(practice: Practice, now: datetime) -> dict[str, int]:
    since = now - DAY
    entries = LedgerEntry.objects.filter(practice=practice, date__gte=since.astimezone(practice.zone).date())
    return {
        "events": Event.objects.filter(practice=practice, received_at__gt=since).count(),
        "orders": Order.objects.filter(practice=practice, filed_at__gt=since).count(),
        "results": Result.objects.filter(ordered_test__practice=practice, found_at__gt=since).count(),
        "repaired": sum(
            body["repaired"]
            for body in entries.values_list("body", flat=True)
            if datetime.fromisoformat(body["at"]) > since
        ),
        "calls": calls_on(practice, since.astimezone(practice.zone).date()),
    }
