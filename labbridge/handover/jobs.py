"""The feed's tasks. Their arguments are ids; what a letter says is read when it is sent."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from labbridge.engine.jobs import every, task
from labbridge.engine.retry import OWN
from labbridge.handover.carry import carry, wake_due
from labbridge.handover.letters import COUNTED
from labbridge.mirror.models import Order, Result
from labbridge.outbox.models import Destination, Fact, Kind
from labbridge.outbox.note import CARRY, note
from labbridge.practices.models import Practice


@task(CARRY, policy=OWN)
def carry_letters(destination_id: str) -> None:
    """Send what is due to one destination."""
    carry(destination_id)


@every("* * * * *")
@task("wake_feeds", policy=OWN)
def wake_feeds() -> None:
    """Letters whose next try has come, and destinations that may be well again."""
    wake_due(timezone.now())


@every("7 * * * *")
@task("count_months", policy=OWN)
def count_months() -> None:
    """The counts of the month that is over, once for each practice that has somebody to tell."""
    for practice in Practice.objects.filter(
        pk__in=Destination.objects.filter(removed_at=None, kinds__contains=[Kind.MONTH]).values("practice")
    ):
        count_month(practice, timezone.now())


def count_month(practice: Practice, now: datetime) -> bool:
    """Note the counts of last month, by the practice's calendar, unless they were noted already."""
    first = now.astimezone(practice.zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    last = (first - timedelta(days=1)).replace(day=1)
    about = f"month:{last:%Y-%m}"
    with transaction.atomic():
        Practice.objects.select_for_update(no_key=True).get(pk=practice.pk)
        if Fact.objects.filter(practice=practice, kind=Kind.MONTH, about=about).exists():
            return False
        orders = Order.objects.filter(practice=practice, is_demo=False)
        span = (last, first)
        numbers = (
            orders.filter(submitted_at__gte=span[0], submitted_at__lt=span[1]).count(),
            orders.filter(completed_at__gte=span[0], completed_at__lt=span[1]).count(),
            orders.filter(canceled_at__gte=span[0], canceled_at__lt=span[1]).count(),
            Result.objects.filter(
                ordered_test__practice=practice, ordered_test__order__is_demo=False, found_at__gte=span[0],
                found_at__lt=span[1],
            ).count(),
        )  # fmt: skip
        note(
            practice.pk, Kind.MONTH, about, month=f"{last:%Y-%m}", **dict(zip(COUNTED, numbers, strict=True))
        )
    return True
