"""Orders as Rupa lists them, merged like events: `sync orders` and `backfill`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, time

import structlog
from django.db import transaction

from labbridge.database.deadlocks import outliving_deadlocks
from labbridge.engine.jobs import bulk
from labbridge.handlers.orders import take_snapshot
from labbridge.mirror.merge import Contradiction
from labbridge.mirror.models import KEY
from labbridge.peers.rupa.types import OrderSnapshot
from labbridge.practices.clients import NotConnected, lab, rupa_connections, why_not_connected
from labbridge.practices.models import Practice

log = structlog.get_logger()

Progress = Callable[[int], None]


def pull_orders(
    practice: Practice,
    *,
    since: date | None = None,
    progress: Progress = lambda _read: None,
    dry_run: bool = False,
) -> Counter[str]:
    """Read every order that the practice's connections see; merge and queue what differs.

    `since` leaves out orders whose every date is older. Connections of one clinic see the same orders: each order
    is taken once.

    Raises:
        PeerError: Rupa is away; what was read stays.
        NotConnected: no connection can be used.

    """
    connections = rupa_connections(practice)
    if not connections:
        raise NotConnected(why_not_connected(practice))
    start = datetime.combine(since, time.min, tzinfo=practice.zone) if since else None
    counts: Counter[str] = Counter(read=0, changed=0, unchanged=0, older=0)
    seen: set[str] = set()
    for connection in connections:
        with lab(connection, "sync") as client:
            for page in client.order_pages():
                as_of = client.now()
                for snapshot in page:
                    if 0 < len(snapshot.id) <= KEY and snapshot.id not in seen:
                        seen.add(snapshot.id)
                        _take(practice, snapshot, as_of, start, counts, dry_run=dry_run)
                progress(counts["read"])
    return counts


def _take(
    practice: Practice,
    snapshot: OrderSnapshot,
    as_of: datetime,
    start: datetime | None,
    counts: Counter[str],
    *,
    dry_run: bool,
) -> None:
    counts["read"] += 1
    newest = max((moment for moment in _moments(snapshot) if moment is not None), default=None)
    if start is not None and newest is not None and newest < start:
        counts["older"] += 1
        return

    @transaction.atomic
    def take() -> str:
        with bulk():
            order = take_snapshot(practice, snapshot, as_of)
        if dry_run:
            transaction.set_rollback(True)
        return "unchanged" if order.revision == order.filed_revision else "changed"

    try:
        counts[outliving_deadlocks(take)] += 1
    except Contradiction as contradiction:  # this order is left as it is; the others are taken
        log.warning("reconcile.contradiction", practice=practice.slug, reason=str(contradiction))
        counts["contradicted"] += 1


def _moments(snapshot: OrderSnapshot) -> list[datetime | None]:
    own = [
        snapshot.created_at,
        snapshot.submitted_at,
        snapshot.paid_at,
        snapshot.patient_checkout_at,
        snapshot.completed_at,
        snapshot.canceled_at,
    ]
    return own + [test.results_received_at for test in snapshot.ordered_tests]
