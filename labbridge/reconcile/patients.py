"""The practice's patients, read whole on both sides and brought to their outcome: `sync patients` and sweeps.

Imports and bulk edits in Caspio fire no webhook: this finds them. One reading of the table and one of Rupa's list
serve all rows. What is to be done for a row is a job, so a run that was killed goes on where it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from django.db import transaction
from django.db.models import Count
from django.utils import timezone

from labbridge.database.deadlocks import outliving_deadlocks
from labbridge.engine.jobs import bulk
from labbridge.handlers.charts import ChartsCompared, Page, chart_pages, compare_charts, take_charts
from labbridge.handlers.judging import Finding, judge
from labbridge.handlers.links import is_connected, link_patient, queue_sync, queue_syncs
from labbridge.handlers.rupa_patients import read_patients
from labbridge.mirror.models import Chart, Patient, PatientLink
from labbridge.peers.errors import Forbidden, NotFound, Rejected
from labbridge.practices.apply import config_of
from labbridge.practices.clients import caspio
from labbridge.practices.models import Practice

Progress = Callable[[int], None]

#: Outcomes that a row keeps until it changes, or until the rules find somebody for it.
AT_REST = {"linked", "created", "waiting", "review", "invalid"}


def pull_patients(
    practice: Practice, *, dry_run: bool = False, progress: Progress = lambda _read: None
) -> Counter[str]:
    """Read all rows and Rupa's list, link what the rules allow, and queue whatever else is to be done.

    Raises:
        PeerError: a peer is away; what was read stays.

    """
    before = count_links(practice)
    with caspio(practice, "patients") as client:
        pages = _counted(chart_pages(practice, client), progress)
        if dry_run:
            read = list(
                pages
            )  # no call inside a transaction: it would hold up everybody's calls to this account
        else:
            with bulk():
                count = take_charts(practice, pages)
    if is_connected(practice):
        read_patients(practice, after=timezone.now())
    if not dry_run:
        bring(practice)
        with bulk():
            _look_again(practice)
        return Counter(read=count, linked=count_links(practice) - before, unlinked=_without_row(practice))
    with transaction.atomic():
        counts = _foreseen(practice, read)
        transaction.set_rollback(True)
    return counts


def _counted(pages: Iterator[Page], progress: Progress) -> Iterator[Page]:
    done = 0
    for page in pages:
        yield page
        done += len(page.rows)
        progress(done)


@dataclass
class PatientComparison:
    """The patients table read once, beside the charts that are held."""

    practice: Practice
    began: datetime = field(default_factory=timezone.now)
    pages: list[Page] = field(default_factory=list, repr=False)
    compared: ChartsCompared = field(default_factory=lambda: ChartsCompared(0, 0, 0, 0))
    left: list[str] = field(default_factory=list)

    def read(self) -> None:
        """Read and compare. Changes nothing. A table that cannot be read is left for a person. Raises PeerError."""
        try:
            with caspio(self.practice, "sweep") as client:
                self.pages = list(chart_pages(self.practice, client))
        except (NotFound, Forbidden, Rejected) as error:
            self.left = [
                f"The patients table cannot be read ({error}). Look at [caspio.patients] of practice.toml."
            ]
            return
        self.compared = compare_charts(self.practice, self.pages)

    @property
    def counts(self) -> Counter[str]:
        one = self.compared
        return Counter({
            "patients_read": sum(len(page.rows) for page in self.pages),
            "patients_new": one.new,
            "patients_changed": one.changed,
            "patients_gone": one.gone,
        })  # fmt: skip

    def apply(self) -> None:
        if not self.left:
            with bulk():
                take_charts(self.practice, self.pages, began=self.began, brake=False)  # the sweep has its own
            bring(self.practice)


def bring(practice: Practice) -> None:
    """Link whoever at Rupa waits for a row, and have rows done that have no outcome yet."""
    for patient in Patient.objects.filter(practice=practice, link__isnull=True):
        outliving_deadlocks(partial(link_patient, patient))
    rows = Chart.objects.filter(practice=practice, present=True)
    with bulk():
        queue_syncs(practice, rows.exclude(sync_status__in=AT_REST))


def _look_again(practice: Practice) -> None:
    """Rows at rest whose patient has appeared at Rupa since, or whom somebody named on the row."""
    resting = Chart.objects.filter(practice=practice, present=True, link=None, sync_status__in=AT_REST)
    if not Patient.objects.filter(practice=practice, link__isnull=True).exists():
        resting = resting.exclude(rupa_patient_id="")
    for chart in resting:
        if judge(chart).finding is Finding.LINK:
            queue_sync(chart)


def _without_row(practice: Practice) -> int:
    """Patients at Rupa whose orders wait for a row."""
    waiting = Patient.objects.filter(practice=practice, link__isnull=True, orders__isnull=False)
    return waiting.distinct().count()


def _foreseen(practice: Practice, pages: list[Page]) -> Counter[str]:
    """What would become of the rows. Inside a transaction that is rolled back."""
    before = count_links(practice)
    counts: Counter[str] = Counter(read=take_charts(practice, pages))
    for patient in Patient.objects.filter(practice=practice, link__isnull=True):
        link_patient(patient)
    counts["linked"] = count_links(practice) - before
    counts["unlinked"] = _without_row(practice)
    words = {Finding.CREATE: "created" if config_of(practice).sync.patients == "full" else "waits_for_order"}
    words |= {
        Finding.REVIEW: "review",
        Finding.HELD: "review",
        Finding.INVALID: "invalid",
        Finding.LINK: "linked",
    }
    for chart in Chart.objects.filter(practice=practice, present=True, link=None):
        counts[words.get(judge(chart).finding, "failed")] += 1
    return counts


def outcomes(practice: Practice, links_before: int) -> dict[str, int]:
    """How the practice's rows stand once the jobs are done, in words for a summary."""
    charts = Chart.objects.filter(practice=practice, present=True)
    by_status = dict(
        charts.order_by()
        .values_list("sync_status")
        .annotate(count=Count("pk"))
        .values_list("sync_status", "count")
    )
    held_up = charts.exclude(sync_problem="").count()
    return {
        "linked": count_links(practice) - links_before,
        "unlinked": _without_row(practice),
        "created": by_status.get("created", 0),
        "review": by_status.get("review", 0),
        "invalid": by_status.get("invalid", 0),
        "failed": by_status.get("failed", 0),
        "waits_for_order": by_status.get("waiting", 0),
        "held_up": held_up,
    }


def count_links(practice: Practice) -> int:
    return PatientLink.objects.filter(practice=practice).count()
