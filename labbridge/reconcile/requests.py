"""Rows of the practice's request table that nobody has answered: the message that told of them was missed."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db import transaction

from labbridge.engine.queue import taken_locks
from labbridge.handlers import jobs
from labbridge.handlers.patients import request_lock
from labbridge.peers.caspio import where as q
from labbridge.peers.errors import Forbidden, NotFound, Rejected
from labbridge.practices.apply import config_of
from labbridge.practices.clients import caspio
from labbridge.practices.models import Practice
from labbridge.reconcile.models import Kind, Repair, Sweep


@dataclass
class RequestComparison:
    """Rows without our answer, by PK_ID: one call, unless there are more than a page of them."""

    practice: Practice
    unanswered: list[int] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def read(self) -> None:
        """Changes nothing. A table that cannot be read is left for a person. Raises PeerError."""
        name = config_of(self.practice).caspio.tables.lab_order_requests
        try:
            with caspio(self.practice, "sweep") as client:
                rows = client.table(name).all(select=["PK_ID"], where=q.field("Request_Status").is_empty())
        except (NotFound, Forbidden, Rejected) as error:
            self.left = [f"The table {name} cannot be read ({error}). Run `labbridge provision`."]
            return
        self.unanswered = [int(row["PK_ID"]) for row in rows]

    def waiting(self) -> list[int]:
        """Those that no job will read: what was being told of when we looked has a job by now, or its answer."""
        locks = {request_lock(self.practice, pk_id): pk_id for pk_id in self.unanswered}
        under_way = taken_locks(list(locks))
        return [pk_id for lock, pk_id in locks.items() if lock not in under_way]

    def apply(self, sweep: Sweep) -> int:
        """Have them read and answered. Returns how many."""
        found = self.waiting()
        for pk_id in found:
            with transaction.atomic():
                Repair.objects.get_or_create(sweep=sweep, kind=Kind.REQUEST_MISSED, subject=f"row:{pk_id}")
                jobs.answer_request_row.defer(
                    lock=request_lock(self.practice, pk_id), practice_id=str(self.practice.pk), pk_id=pk_id
                )
        return len(found)
