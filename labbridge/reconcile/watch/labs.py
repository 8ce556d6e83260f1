"""What is late at the labs, and what lies unread in the practice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from labbridge.alerts.observe import Finding, found
from labbridge.alerts.words import LabName
from labbridge.catalog.protocols import touched
from labbridge.database.statements import fetch
from labbridge.engine.models import Pulse
from labbridge.filing.rows import UNREVIEWED
from labbridge.mirror.reviews import to_review
from labbridge.peers.caspio import Row, Table
from labbridge.peers.caspio.where import field
from labbridge.peers.errors import PeerError
from labbridge.practices.apply import config_of
from labbridge.practices.clients import NotConnected, caspio
from labbridge.practices.models import Practice
from labbridge.reconcile.watch.each import each, moments_before, rows, spans_of

HISTORY = timedelta(days=365)
ENOUGH = 10  #: results of a lab; with fewer, the catalogue's promise is all there is
ASK_EVERY = timedelta(hours=6)  #: a call to the Caspio account each time
ROWS = Table.MAX_PAGE_SIZE  #: that one call brings
COUNTED = 1000  #: beyond that the exact number tells nobody anything

# How long each lab takes for nine of ten tests, from paid to received, and what has been open for longer.
_LATE = """
WITH test AS (
  SELECT o.practice_id, c.external_id AS lab_id, c.name AS lab, coalesce(o.paid_at, o.submitted_at) AS began,
         t.results_received_at AS came, o.phase, o.id AS order_id,
         l.turnaround_days + 2 * coalesce(l.shipping_days_max, 0) AS promised
    FROM mirror_orderedtest t
    JOIN mirror_order o ON o.id = t.order_id
    JOIN mirror_labtest l ON l.practice_id = o.practice_id AND l.external_id = t.lab_test_id_external
    LEFT JOIN mirror_labcompany c
      ON c.practice_id = o.practice_id AND c.external_id = l.lab_company_id_external
   WHERE NOT o.is_demo AND NOT t.removed AND coalesce(o.paid_at, o.submitted_at) BETWEEN %(oldest)s AND %(now)s
), usual AS (
  SELECT practice_id, lab_id, extract(epoch FROM percentile_disc(0.9) WITHIN GROUP (ORDER BY came - began)) AS seconds
    FROM test WHERE came > began AND lab_id IS NOT NULL
   GROUP BY 1, 2 HAVING count(*) >= %(enough)s
)
SELECT test.practice_id, usual.lab_id, min(test.lab), min(usual.seconds), count(*), count(DISTINCT order_id)
  FROM test LEFT JOIN usual ON usual.practice_id = test.practice_id AND usual.lab_id = test.lab_id
 WHERE came IS NULL AND phase IN ('in_progress', 'partial_results')
   AND began < %(now)s - coalesce(make_interval(secs => usual.seconds), make_interval(days => promised))
 GROUP BY 1, 2
"""


def late(now: datetime) -> list[Finding]:
    """By each lab's own usual time where enough is known, else by the catalogue's."""
    tests_late = fetch(_LATE, {"now": now, "oldest": now - HISTORY, "enough": ENOUGH})
    findings = []
    for practice_id, lab_id, lab, seconds, tests, orders in tests_late:
        if lab_id is None:
            findings.append(found("orders_late", practice_id=practice_id, count=orders))
            continue
        span = timedelta(seconds=float(seconds))
        findings.append(
            found(
                "orders_overdue",
                practice_id=practice_id,
                subject=lab_id,
                lab=LabName(lab),
                span=span,
                count=tests,
            )
        )
    return findings


_HAS_OLD_RESULTS = """
SELECT p.id FROM unnest(%(practices)s::uuid[], %(values)s::timestamptz[]) AS p(id, before)
 WHERE EXISTS (SELECT 1 FROM mirror_result r JOIN mirror_orderedtest t ON t.id = r.ordered_test_id
                WHERE t.practice_id = p.id AND r.found_at < p.before)
"""


def unreviewed(now: datetime) -> tuple[list[Finding], set[UUID]]:
    """Counted in Caspio, where practices mark them: what was found, and of which practices it is known now.

    A practice without old results is not asked, and one that was asked within hours neither.
    """
    asked = set(
        Pulse.objects.filter(name__startswith=_PULSE, at__gt=now - ASK_EVERY).values_list("name", flat=True)
    )
    every = {one.id: one for one in each() if _pulse(one.practice) not in asked}
    spans = spans_of(list(every.values()), lambda alerts: timedelta(days=alerts.review_days))
    known, findings = set(every), []
    for (practice_id,) in rows(_HAS_OLD_RESULTS, moments_before(now, spans)):
        count = _count_unreviewed(every[practice_id].practice, spans[practice_id], now)
        if count is None:
            known.discard(practice_id)
        elif count:
            findings.append(
                found("results_unreviewed", practice_id=practice_id, count=count, span=spans[practice_id])
            )
    return findings, known


_PULSE = "unreviewed:"


def _pulse(practice: Practice) -> str:
    return f"{_PULSE}{practice.slug}"[:40]


def _count_unreviewed(practice: Practice, span: timedelta, now: datetime) -> int | None:
    """One call for each `ROWS` that Caspio holds as unreviewed. None when it could not be asked."""
    received = field("Received_At") < _wall_clock(now - span, practice)
    old = received & (field("Review_Status") == str(UNREVIEWED["Review_Status"]))
    count = 0
    try:
        with caspio(practice, "watch") as client:
            table = client.table(config_of(practice).caspio.tables.lab_results)
            for page in table.iterate(select=["Result_Key"], where=old, page_size=ROWS):
                count += _count_waiting(practice, page)
                if count >= COUNTED or len(page) < ROWS:  # or an empty page would be a call more
                    break
    except (PeerError, NotConnected):
        return None
    Pulse.objects.update_or_create(name=_pulse(practice), defaults={"at": now})
    return min(count, COUNTED)


def _count_waiting(practice: Practice, page: Sequence[Row]) -> int:
    """Those that the console asks to review: a replaced version keeps its word in Caspio for good."""
    keys = {str(row.get("Result_Key")) for row in page}
    tests = {key.rpartition("-v")[0] for key in keys}
    waiting = to_review([practice]).filter(
        ordered_test__practice=practice, ordered_test__external_id__in=tests
    )
    held = waiting.order_by().select_related("ordered_test").only("version", "ordered_test__external_id")
    return sum(str(one) in keys for one in held)


def _wall_clock(moment: datetime, practice: Practice) -> datetime:
    """Naive and in the practice's zone, as Caspio holds it."""
    return moment.astimezone(practice.zone).replace(tzinfo=None, microsecond=0)


def protocols(now: datetime) -> list[Finding]:
    """Catalogue changes of tests in protocols, since somebody last said to have seen them."""
    counted: dict[UUID, list[datetime]] = {}
    for one in touched(Practice.objects.all(), now):
        for change in one.unseen:
            counted.setdefault(one.protocol.practice_id, []).append(change.at)
    return [
        found("protocols_touched", practice_id=practice_id, count=len(moments), since=min(moments))
        for practice_id, moments in counted.items()
    ]
