"""After a restore: learn from Caspio which versions of results were filed since the backup.

Rupa shows only the newest file of a test. Without this, a result that was amended after the backup would be taken
for a first version, and the first version's row in Caspio would get the newest report. What Caspio holds is our own
filing; a file is believed only when its hash is the one that was filed with it.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import transaction
from django.utils import timezone

from labbridge.filing.tables import ATTACHMENT
from labbridge.handlers.settle import refile
from labbridge.mirror.models import Order, OrderedTest, ResultSource, SourceState, Take
from labbridge.mirror.results import refold, store_file
from labbridge.peers.caspio import Row
from labbridge.peers.caspio.table import Table
from labbridge.peers.errors import ConnectionEnded, NotFound
from labbridge.practices.apply import config_of
from labbridge.practices.clients import NotConnected, caspio
from labbridge.practices.models import Practice
from labbridge.reconcile.orders import pull_orders
from labbridge.trust.keys import keyring

log = structlog.get_logger()

FIELDS = ("Result_Key", "Rupa_Ordered_Test_ID", "Version", "Received_At", "Pdf_Sha256")
STEP = timedelta(microseconds=1)
RECENT = timedelta(minutes=1)


def recall(practice: Practice) -> Counter[str]:
    """Run it before any worker. Reads Rupa's list of orders and Caspio's results; merges, and files nothing.

    Raises:
        PeerError: a peer is away; run it again.

    """
    counts: Counter[str] = Counter(recalled=0)
    try:
        counts["orders"] = pull_orders(practice)["changed"]
    except (NotConnected, ConnectionEnded):
        counts["not_connected"] = 1  # only the results of orders in the backup can be recalled
    with caspio(practice, "recall") as client:
        table = client.table(config_of(practice).caspio.tables.lab_results)
        try:
            rows = table.all(select=FIELDS)
        except NotFound:
            return counts
        for test_id, filed in _by_test(rows).items():
            counts["recalled"] += _recall_test(practice, test_id, filed, table)
    log.info("reconcile.recalled", practice=practice.slug, counts=dict(counts))
    return counts


def _by_test(rows: Iterable[Row]) -> dict[str, list[Row]]:
    tests: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if isinstance(row.get("Version"), int | float):
            tests[str(row.get("Rupa_Ordered_Test_ID"))].append(row)
    return {test_id: sorted(filed, key=lambda row: int(row["Version"])) for test_id, filed in tests.items()}


def _recall_test(practice: Practice, test_id: str, filed: list[Row], table: Table) -> int:
    test = OrderedTest.objects.filter(practice=practice, external_id=test_id).first()
    known = 0 if test is None else test.results.count()
    missing = [row for row in filed if int(row["Version"]) > known]
    if test is None or not missing:
        return 0
    files = [(row, _file(table, row)) for row in missing]  # no call inside the transaction
    with transaction.atomic():
        order = Order.objects.select_related("practice").select_for_update(of=("self",)).get(pk=test.order_id)
        last = test.results.last()
        before = last.as_of if last is not None else None
        for row, content in files:
            received = _moment(row.get("Received_At"), practice)
            before = _seen_at(received, before)
            _source(test, row, content, received, before)
        refold(test)
        refile(order)
    return len(missing)


def _seen_at(received: datetime | None, before: datetime | None) -> datetime:
    """Behind the version before it, and older than whatever Rupa shows now."""
    latest = timezone.now() - RECENT
    at = min(received, latest) if received is not None else latest
    return at if before is None else max(at, before + STEP)


def _file(table: Table, row: Row) -> bytes | None:
    """The version's PDF as Caspio keeps it; None when it is gone or another one."""
    wanted = row.get("Pdf_Sha256")
    if not wanted:
        return None
    try:
        content = table.download(ATTACHMENT, int(row["PK_ID"]))
    except NotFound:
        return None
    return content if hashlib.sha256(content).hexdigest() == wanted else None


def _source(
    test: OrderedTest, row: Row, content: bytes | None, received: datetime | None, as_of: datetime
) -> None:
    source, created = ResultSource.objects.get_or_create(
        ordered_test=test,
        fingerprint=keyring().blind(str(row["Result_Key"]), "recalled result"),
        defaults={
            "as_of": as_of, "latest_as_of": as_of, "received_at": received,
            "state": SourceState.TAKEN if content is not None else SourceState.GONE,
            "reason": "" if content is not None else "Its file was not in Caspio when a backup was restored.",
        },
    )  # fmt: skip
    if created and content is not None:
        pdf = store_file(test.practice, content, "pdf")
        Take.objects.create(source=source, as_of=as_of, pdf=pdf)


def _moment(value: Any, practice: Practice) -> datetime | None:  # any: a cell
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment.replace(tzinfo=practice.zone) if moment.tzinfo is None else moment
