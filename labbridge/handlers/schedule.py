"""What happens by the clock: the catalogue once a day, open orders looked over, nothing left behind.

One scheduler acts at a time however many workers run: the engine keeps each tick unique in the database.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import structlog
from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from labbridge.catalog.filing import file_catalog
from labbridge.catalog.sync import SuspiciousListing, pull_catalog
from labbridge.engine.jobs import JobFailed, NotYet, every, task
from labbridge.engine.retry import OWN, RetryPolicy
from labbridge.filing.execute import FilingProblem
from labbridge.filing.rows import OPEN_PHASES
from labbridge.handlers.settle import lock, queue_filing, queue_pull, refile
from labbridge.mirror.models import Order
from labbridge.practices.clients import NotConnected
from labbridge.practices.models import Practice

log = structlog.get_logger()

CATALOG_AGE = timedelta(hours=24)
LOOKED_OVER = timedelta(hours=24)
LEFT_BEHIND = timedelta(hours=1)

DAILY = RetryPolicy(first=timedelta(minutes=1), cap=timedelta(hours=1), give_up_after=timedelta(hours=20))


@every("*/10 * * * *")
@task("tick", policy=OWN)
def tick() -> None:
    """Every ten minutes."""
    for practice in Practice.objects.all():
        if practice.catalog_read_at is not None and timezone.now() - practice.catalog_read_at > CATALOG_AGE:
            sync_catalog.defer(lock=f"{practice.slug}:catalog", practice_id=str(practice.pk))
    look_over_open_orders()
    pick_up_left_behind()


@task("sync_catalog", policy=DAILY)
def sync_catalog(practice_id: str) -> None:
    """Read Rupa's catalogue and file what changed. A practice that never loaded it is left alone."""
    practice = Practice.objects.get(pk=practice_id)
    if practice.catalog_read_at is not None and timezone.now() - practice.catalog_read_at <= CATALOG_AGE:
        return  # another tick's job has done it
    try:
        pull_catalog(practice)
        file_catalog(practice)
    except FilingProblem as problem:
        raise JobFailed(problem.sentence, retry=True, retry_after=problem.retry_after) from None
    except (NotConnected, SuspiciousListing) as error:
        raise NotYet(str(error)) from None


def look_over_open_orders() -> int:
    """Time alone makes an order overdue: compare each open one once a day. Rows that hold cost no call."""
    old = timezone.now() - LOOKED_OVER
    ids = Order.objects.filter(phase__in=OPEN_PHASES, filed_at__lt=old, filing_queued=False)
    return sum(1 for order_id in ids.values_list("pk", flat=True) if _with_order(order_id, refile))


def pick_up_left_behind() -> int:
    """A safety net under the flags: work that no job stands for is queued again, and we say so."""
    old = timezone.now() - LEFT_BEHIND
    unfiled = Q(filing_queued=False, filing_problem="", filed_revision__lt=F("revision"), pull_queued=False)
    flagged = Q(filing_queued=True) | Q(pull_queued=True)
    stale = Order.objects.filter(unfiled | flagged).filter(
        Q(filed_at__lt=old) | Q(filed_at=None, first_seen_at__lt=old)
    )
    picked = sum(1 for order_id in stale.values_list("pk", flat=True) if _with_order(order_id, _queue_again))
    if picked:
        log.warning("schedule.left_behind", count=picked)
    return picked


def _with_order(order_id: UUID, act: Callable[[Order], bool | None]) -> bool:
    with transaction.atomic():
        order = Order.objects.select_related("practice").select_for_update(of=("self",)).get(pk=order_id)
        return act(order) is not False


def _queue_again(order: Order) -> bool:
    if order.filing_queued and not _has_job(lock(order, "file")):
        order.filing_queued = False
        queue_filing(order)
        return True
    if order.pull_queued and not _has_job(lock(order, "pull")):
        order.pull_queued = False
        queue_pull(order)
        return True
    if not order.filing_queued and not order.pull_queued:
        queue_filing(order)
        return True
    return False


def _has_job(name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM procrastinate_jobs WHERE lock = %s AND status IN ('todo', 'doing'))",
            [name],
        )
        (found,) = cursor.fetchone()
        return bool(found)
