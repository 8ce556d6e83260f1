"""Sweeps by the clock: each practice at its own `sweep_minutes`, the deeper one once on each of its days."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Subquery
from django.utils import timezone

from labbridge.engine import queue
from labbridge.engine.jobs import JobFailed, NotYet, every, task
from labbridge.engine.retry import OWN, RetryPolicy
from labbridge.practices.apply import part_of
from labbridge.practices.clients import LAB_PEERS, NotConnected
from labbridge.practices.config import SyncPart
from labbridge.practices.models import Connection, ConnectionState, Practice
from labbridge.reconcile.depth import DAILY, HOURLY, Depth
from labbridge.reconcile.models import Sweep, SweepState
from labbridge.reconcile.settling import under_way
from labbridge.reconcile.sweep import Busy, Sweeping, alone

#: A peer that is away is asked again for this long; then the next tick begins anew, where this one died.
PATIENT = RetryPolicy(
    first=timedelta(seconds=30), cap=timedelta(minutes=10), give_up_after=timedelta(hours=3)
)
LOOK_AGAIN = 10.0  #: seconds until it is looked again whether what was repaired is filed
ENOUGH = timedelta(
    minutes=30
)  #: how long the entry waits for the filing; what is not filed by then is a difference


@every("* * * * *")
@task("sweep_tick", policy=OWN)
def sweep_tick() -> None:
    """Every minute: queue a sweep for each practice whose time has come, unless one is queued."""
    for practice in due(timezone.now()):
        lock = (
            f"sweep:{practice.slug}"  # not under the practice's own prefix: filing does not wait for a sweep
        )
        if not queue.has_job(lock):
            sweep_practice.defer(lock=lock, practice_id=str(practice.pk))


def due(now: datetime) -> list[Practice]:
    """Practices whose last finished sweep began long enough ago, by one question for all of them.

    A new practice waits one turn. One that has ended its connections is counted once on each of its days; one that
    was never connected, or that a person must connect again, has nothing to compare with.
    """
    done = Sweep.objects.filter(practice=OuterRef("pk"), state=SweepState.DONE).order_by("-started_at")
    at_labs = Connection.objects.filter(practice=OuterRef("pk"), peer__in=LAB_PEERS)
    practices = Practice.objects.annotate(
        swept_at=Subquery(done.values("started_at")[:1]),
        connected=Exists(at_labs.filter(state=ConnectionState.ACTIVE)),
        to_mend=Exists(at_labs.filter(state=ConnectionState.RECONNECT)),
    ).filter(Exists(at_labs))
    found: list[Practice] = []
    for practice in practices:
        since = practice.swept_at or practice.created_at
        if practice.connected:
            sync = part_of(practice, SyncPart, "sync")
            ready = now - since >= timedelta(minutes=sync.sweep_minutes)
        else:
            ready = not practice.to_mend and since < _midnight(practice, now)
        if ready:
            found.append(practice)
    return found


def depth_due(practice: Practice, now: datetime) -> Depth:
    """The deeper one once on each day of the practice, unless a person has swept on it."""
    today = Sweep.objects.filter(
        practice=practice, state=SweepState.DONE, started_at__gte=_midnight(practice, now)
    )
    return HOURLY if today.exclude(depth=HOURLY.name).exists() else DAILY


def _midnight(practice: Practice, now: datetime) -> datetime:
    return now.astimezone(practice.zone).replace(hour=0, minute=0, second=0, microsecond=0)


@task("sweep_practice", policy=PATIENT)
def sweep_practice(practice_id: str) -> None:
    """One scheduled sweep. It gives its worker back while what it queued is being filed."""
    practice = Practice.objects.get(pk=practice_id)
    with alone(practice) as free:
        if not free:  # a person is at it
            return
        try:
            _sweep(practice)
        except NotConnected as error:
            raise NotYet(str(error)) from None
        except Busy:
            return


def _sweep(practice: Practice) -> None:
    sweeping = Sweeping(practice, depth_due(practice, timezone.now()))
    if not sweeping.settling:
        if sweeping.free_events():
            raise JobFailed(
                "Events that no job stood for are handled first.", retry=True, retry_after=LOOK_AGAIN
            )
        sweeping.repair()
    waited = timezone.now() - sweeping.sweep.repaired_at if sweeping.sweep.repaired_at else ENOUGH
    if under_way(practice) and waited < ENOUGH:
        raise NotYet("What was repaired is being filed.", retry_after=LOOK_AGAIN)
    sweeping.finish()
