"""What the outbox need not keep: facts of long ago, once everybody who wanted to hear of them has."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from labbridge.outbox.models import Delivery, DeliveryState, Fact, Kind

AT_ONCE = 500
SETTLED = (DeliveryState.DELIVERED, DeliveryState.WITHDRAWN)
MONTH = timedelta(days=62)  #: so long a month's fact tells that the month was counted


def forgettable(practice_id: UUID, before: datetime, now: datetime) -> QuerySet[Fact]:
    """Facts from before that moment without a letter that waits, is dead, or came to its end since.

    A fact goes with all of its letters: were one of them left behind, a replay would send a second letter under
    another id to whoever had the first.
    """
    kept = Delivery.objects.filter(fact=OuterRef("pk"))
    kept = kept.filter(~Q(state__in=SETTLED) | Q(settled_at__gte=before))
    old = Fact.objects.filter(~Exists(kept), practice=practice_id, at__lt=before)
    return old.exclude(kind=Kind.MONTH, at__gte=now - MONTH)


def forget(practice_id: UUID, before: datetime, now: datetime) -> int:
    """Remove them for good, in small transactions. Returns how many facts."""
    old = forgettable(practice_id, before, now).order_by("pk")
    done = 0
    while True:
        with transaction.atomic():
            locked = old.select_for_update(of=("self",), skip_locked=True)
            keys = list(locked.values_list("pk", flat=True)[:AT_ONCE])
            if not keys:
                return done
            Delivery.objects.filter(fact__in=keys, state__in=SETTLED).delete()
            left = Delivery.objects.filter(fact=OuterRef("pk"))  # somebody has just had it sent again
            done += Fact.objects.filter(~Exists(left), pk__in=keys).delete()[0]
