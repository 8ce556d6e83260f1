"""What happens by the clock: the catalogue once a day, open orders looked over, nothing left behind.

One scheduler acts at a time however many workers run: the engine keeps each tick unique in the database.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import F, Max, Q
from django.utils import timezone

from labbridge.analytics.facts import refresh
from labbridge.analytics.summaries import file_summaries
from labbridge.catalog.filing import file_catalog
from labbridge.catalog.sync import SuspiciousListing, pull_catalog
from labbridge.engine.jobs import JobFailed, NotYet, every, task
from labbridge.engine.queue import has_job
from labbridge.engine.retry import OWN, RetryPolicy
from labbridge.filing.execute import FilingProblem
from labbridge.handlers.intents import look_after
from labbridge.handlers.protocols import PROTOCOLS_AGE, pull_protocols
from labbridge.handlers.retention import run as run_retention
from labbridge.handlers.settle import lock, queue_filing, queue_pull, refile
from labbridge.mirror.late import look_over
from labbridge.mirror.models import Chart, Order, Patient, Protocol
from labbridge.mirror.names import index_missing
from labbridge.mirror.phases import OPEN_PHASES
from labbridge.mirror.tally import fold
from labbridge.practices.clients import NotConnected
from labbridge.practices.models import Practice
from labbridge.trust.audit import job
from labbridge.trust.sealing import anchor_all, seal

log = structlog.get_logger()

CATALOG_AGE = timedelta(hours=24)
LOOKED_OVER = timedelta(hours=24)
INDEX_SECONDS = 40.0  # of each minute at most: another tick's job goes on
LEFT_BEHIND = timedelta(hours=1)

DAILY = RetryPolicy(first=timedelta(minutes=1), cap=timedelta(hours=1), give_up_after=timedelta(hours=20))


@every("*/10 * * * *")
@task("tick", policy=OWN)
def tick() -> None:
    """Every ten minutes."""
    for practice in Practice.objects.all():
        if practice.catalog_read_at is not None and timezone.now() - practice.catalog_read_at > CATALOG_AGE:
            sync_catalog.defer(lock=f"{practice.slug}:catalog", practice_id=str(practice.pk))
        read = Protocol.objects.filter(practice=practice).aggregate(at=Max("read_at"))["at"]
        if read is not None and timezone.now() - read > PROTOCOLS_AGE:
            sync_protocols.defer(lock=f"{practice.slug}:protocols", practice_id=str(practice.pk))
    look_over_open_orders()
    pick_up_left_behind()


@every("* * * * *")
@task("seal_audit", policy=OWN)
def seal_audit() -> None:
    """New audit entries get their places in the chain."""
    seal()


@every("17 3 * * *")
@task("anchor_audit", policy=DAILY)
def anchor_audit() -> None:
    """Heads that could not be written outside at their time."""
    anchor_all()


@every("* * * * *")
@task("look_after_requests", policy=OWN)
def look_after_requests() -> None:
    """Every minute: order requests that have expired, or can go on."""
    look_after()


@every("* * * * *")
@task("index_names", policy=OWN)
def index_names() -> None:
    """Every minute: after an upgrade, those whose names cannot be looked for yet. Mostly there are none."""
    until = time.monotonic() + INDEX_SECONDS
    for model in (Chart, Patient):
        while index_missing(model) and time.monotonic() < until:
            pass


@every("41 3 * * *")
@task("apply_retention", policy=DAILY)
def apply_retention() -> None:
    """Remove what is older than each practice's policy."""
    run_retention(job("apply_retention"))


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


@task("sync_protocols", policy=DAILY)
def sync_protocols(practice_id: str) -> None:
    """Read the practice's protocols. One that has none costs no call."""
    practice = Practice.objects.get(pk=practice_id)
    read = Protocol.objects.filter(practice=practice).aggregate(at=Max("read_at"))["at"]
    if read is not None and timezone.now() - read <= PROTOCOLS_AGE:
        return  # another tick's job has done it
    try:
        pull_protocols(practice)
    except NotConnected as error:
        raise NotYet(str(error)) from None


@every("*/10 * * * *")
@task("refresh_facts", policy=OWN)
def refresh_facts() -> None:
    """What analytics counts, of the orders that changed; and what the database keeps beside the orders."""
    for practice in Practice.objects.all():
        refresh(practice)
        look_over(practice)
        fold(practice)


@every("23 4 * * *")
@task("file_all_summaries", policy=OWN)
def file_all_summaries() -> None:
    """Once a day, when the practices sleep: the summary tables, each practice by itself."""
    for practice in Practice.objects.all():
        file_summary_tables.defer(lock=f"{practice.slug}:summaries", practice_id=str(practice.pk))


@task("file_summary_tables", policy=DAILY)
def file_summary_tables(practice_id: str) -> None:
    """File what changed in the summary tables. Nothing changed costs no call."""
    try:
        file_summaries(Practice.objects.get(pk=practice_id))
    except FilingProblem as problem:
        raise JobFailed(problem.sentence, retry=True, retry_after=problem.retry_after) from None
    except NotConnected as error:
        raise NotYet(str(error)) from None


def look_over_open_orders() -> int:
    """Time alone makes an order overdue: compare each open one once a day. Rows that hold cost no call.

    Not those that have no chart: they are not filed, so each tick would look for their patient in Caspio anew.
    """
    old = timezone.now() - LOOKED_OVER
    ids = Order.objects.filter(
        phase__in=OPEN_PHASES, filed_at__lt=old, filing_queued=False, erased_at=None,
        patient__link__isnull=False, patient__erased_at=None,
    )  # fmt: skip
    return sum(1 for order_id in ids.values_list("pk", flat=True) if with_order(order_id, refile))


def pick_up_left_behind() -> int:
    """A safety net under the flags: work that no job stands for is queued again, and we say so."""
    old = timezone.now() - LEFT_BEHIND
    unfiled = Q(filing_queued=False, filing_problem="", filed_revision__lt=F("revision"), pull_queued=False)
    flagged = Q(filing_queued=True) | Q(pull_queued=True)
    stale = Order.objects.filter(unfiled | flagged, erased_at=None).filter(
        Q(filed_at__lt=old) | Q(filed_at=None, first_seen_at__lt=old)
    )
    picked = sum(1 for order_id in stale.values_list("pk", flat=True) if with_order(order_id, queue_again))
    if picked:
        log.warning("schedule.left_behind", count=picked)
    return picked


def with_order(order_id: UUID, act: Callable[[Order], bool | None]) -> bool:
    with transaction.atomic():
        order = Order.objects.select_related("practice").select_for_update(of=("self",)).get(pk=order_id)
        return act(order) is not False


def queue_again(order: Order) -> bool:
    """Give an order the job that its flags or its revision speak of, unless one stands for it. Its row is locked."""
    if order.filing_queued and not has_job(lock(order, "file")):
        order.filing_queued = False
        queue_filing(order)
        return True
    if order.pull_queued and not has_job(lock(order, "pull")):
        order.pull_queued = False
        queue_pull(order)
        return True
    if (
        order.filing_queued
        or order.pull_queued
        or has_job(lock(order, "file"))
        or has_job(lock(order, "pull"))
    ):
        return False  # also while one runs: it has taken its flag down
    queue_filing(order)
    return True
