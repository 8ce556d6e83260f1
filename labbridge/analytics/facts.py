"""Making the facts: only those of orders that changed, with the same words for phase and payment as everywhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from operator import attrgetter
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection, transaction

from labbridge.analytics.behind import SEVERAL
from labbridge.analytics.models import OrderFact, ResultFact, TestFact
from labbridge.database.statements import fetch
from labbridge.mirror.models import Order, Phase
from labbridge.mirror.phases import payment_of
from labbridge.practices.models import Practice

BATCH = 1000  #: orders whose facts are made in one go
COMPARED = 20_000  #: orders that are compared with their facts in one go
#: Phases in which the lab is at work though nobody dated the payment, as when the practice pays.
STARTED = {Phase.IN_PROGRESS, Phase.PARTIAL_RESULTS, Phase.COMPLETE}
#: Phases in which a test without a result is still awaited.
AWAITED = {Phase.IN_PROGRESS, Phase.PARTIAL_RESULTS, Phase.AWAITING_PAYMENT}
#: No result is awaited any more, whether or not Rupa dates the end.
ENDED = {Phase.CANCELED, Phase.COMPLETE}

#: All that a fact is made of.
READ = ("phase", "status", "payer", "revision", "is_demo", "submitted_at", "paid_at", "canceled_at", "completed_at",
        "first_seen_at", "source", "practitioner_id_external", "practitioner_name", "total_price", "patient_id",
        "filed_at", "erased_at")  # fmt: skip

#: Rupa's words for a kit that was sent and a sample that arrived, in lower case and whole. Assumed: its pages name
#: such milestones, but no status with these words was ever seen (rupa-api.md 1 and 6, docs/peers.md).
KIT = ("kit shipped", "shipped")
SAMPLE = ("sample received",)

Progress = Callable[[int], None]

# Orders are compared with their facts in ranges of keys, both read from an index that holds all that is compared
# (`order_pages`, `order_fact_made`). Ranges, since for all at once PostgreSQL plans to read both tables whole.
_UP_TO = """
SELECT id FROM mirror_order WHERE practice_id = %(practice)s AND id > %(last)s ORDER BY id
OFFSET %(limit)s - 1 LIMIT 1
"""
_STALE = """
SELECT o.id FROM mirror_order o
LEFT JOIN analytics_orderfact f ON f.practice_id = %(practice)s AND f.order_id = o.id
  AND f.order_id > %(last)s AND f.order_id <= %(up_to)s
WHERE o.practice_id = %(practice)s AND o.id > %(last)s AND o.id <= %(up_to)s
  AND (f.order_id IS NULL OR f.revision <> o.revision OR f.zone <> %(zone)s
       OR f.filed <> (o.filed_at IS NOT NULL) OR f.erased <> (o.erased_at IS NOT NULL))
ORDER BY o.id
"""
# The catalogue says another lab of a test than these were made with. Two ranges, so that an index answers, and fences
# (OFFSET 0), or PostgreSQL would walk through all tests in the order of their orders to find the few, mostly none.
_MOVED = """
SELECT DISTINCT order_id FROM (
  SELECT t.order_id FROM mirror_labtest l CROSS JOIN LATERAL (
    SELECT order_id FROM analytics_testfact
    WHERE practice_id = l.practice_id AND lab_test_key = l.external_id AND lab < l.lab_company_id_external
    UNION ALL
    SELECT order_id FROM analytics_testfact
    WHERE practice_id = l.practice_id AND lab_test_key = l.external_id AND lab > l.lab_company_id_external
    OFFSET 0) t
  WHERE l.practice_id = %(practice)s OFFSET 0) moved
WHERE order_id > %(last)s ORDER BY order_id LIMIT %(limit)s
"""
_FIRST, _LAST = UUID(int=0), UUID(int=2**128 - 1)


def refresh(practice: Practice, progress: Progress = lambda _done: None) -> int:
    """Bring the facts up to what the mirror holds. Returns how many orders had changed. Safe at any time."""
    done = 0
    for changed in (_changed, _moved):
        for stale in changed(practice):
            done += _make(practice, stale)
            progress(done)
    if done >= BATCH:  # or the first questions after it are planned as if there were next to no facts
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE analytics_orderfact, analytics_testfact, analytics_resultfact")
    return done


def _changed(practice: Practice) -> Iterator[list[UUID]]:
    """Orders whose facts are older than they, or missing, so many at once."""
    values: dict[str, Any] = {  # any: what SQL takes
        "practice": practice.pk, "last": _FIRST, "zone": practice.time_zone, "limit": COMPARED,
    }  # fmt: skip
    while values["last"] != _LAST:
        values["up_to"] = next((row[0] for row in fetch(_UP_TO, values)), _LAST)
        stale = [row[0] for row in fetch(_STALE, values)]
        yield from (stale[start : start + BATCH] for start in range(0, len(stale), BATCH))
        values["last"] = values["up_to"]


def _moved(practice: Practice) -> Iterator[list[UUID]]:
    """Orders with a test that the catalogue gives to another lab than it did."""
    values: dict[str, Any] = {"practice": practice.pk, "last": _FIRST, "limit": BATCH}  # any: as above
    while stale := [row[0] for row in fetch(_MOVED, values)]:
        yield stale
        values["last"] = stale[-1]


_MILESTONES = """min(at) FILTER (WHERE lower(value) = ANY(%(kit)s)) AS kit,
       min(at) FILTER (WHERE lower(value) = ANY(%(sample)s)) AS sample"""

# A status that was told late changes no order, so no revision tells of it. Whole table: at night only.
_TOLD_LATE = f"""
UPDATE analytics_orderfact f SET revision = 0
FROM (SELECT order_id, {_MILESTONES}
      FROM mirror_ordermoment
      WHERE practice_id = %(practice)s AND what = 'status'
        AND lower(value) = ANY(%(kit)s::text[] || %(sample)s::text[])
      GROUP BY 1) m
WHERE f.order_id = m.order_id AND (f.kit_on IS DISTINCT FROM (m.kit AT TIME ZONE f.zone)::date
  OR f.sample_on IS DISTINCT FROM (m.sample AT TIME ZONE f.zone)::date)
"""  # noqa: S608  # a text of ours


def hear_late(practice: Practice) -> int:
    """Have the facts made again (by `refresh`) of orders whose kit or sample was told after they last changed."""
    with connection.cursor() as cursor:
        cursor.execute(_TOLD_LATE, {"practice": practice.pk, "kit": list(KIT), "sample": list(SAMPLE)})
        return int(cursor.rowcount)


@dataclass(frozen=True)
class Ordered:
    """One ordered test that stays on its order, and when the lab first reported it: amended results come later."""

    id: UUID
    lab_test_key: str
    lab: str
    first: datetime | None


@dataclass(frozen=True)
class Found:
    """One version of a result that nobody has to decide about, and how many values it holds."""

    id: UUID
    at: datetime
    values: int


@dataclass(frozen=True)
class Shipped:
    """When Rupa first said so: the age of what said it, so at the latest then."""

    kit: datetime | None = None
    sample: datetime | None = None


_ORDERED = """
SELECT t.order_id, t.id, t.lab_test_id_external, coalesce(l.lab_company_id_external, ''),
       coalesce(min(r.received_at), t.results_received_at)
FROM mirror_orderedtest t LEFT JOIN mirror_result r ON r.ordered_test_id = t.id
LEFT JOIN mirror_labtest l ON l.practice_id = t.practice_id AND l.external_id = t.lab_test_id_external
WHERE t.order_id = ANY(%s) GROUP BY t.id, l.id HAVING NOT t.removed OR count(r.id) > 0
ORDER BY t.id
"""

_FOUND = """
SELECT t.order_id, r.id, r.found_at, (SELECT count(*) FROM mirror_resultvalue v WHERE v.result_id = r.id)
FROM mirror_orderedtest t JOIN mirror_result r ON r.ordered_test_id = t.id
WHERE t.order_id = ANY(%s) AND NOT r.withheld
"""

_SHIPPED = f"""
SELECT order_id, {_MILESTONES}
FROM mirror_ordermoment WHERE order_id = ANY(%(ids)s) AND what = 'status' GROUP BY 1
"""  # noqa: S608  # a text of ours


def _make(practice: Practice, ids: Sequence[UUID]) -> int:
    # First of all, so that what changes while the rest is read leaves an older revision, and is read again.
    orders = list(Order.objects.filter(pk__in=ids).only(*READ))
    ordered: dict[UUID, list[Ordered]] = defaultdict(list)
    for order_id, *test in fetch(_ORDERED, [list(ids)]):
        ordered[order_id].append(Ordered(*test))
    said = {
        key: Shipped(*moments)
        for key, *moments in fetch(_SHIPPED, {"ids": list(ids), "kit": list(KIT), "sample": list(SAMPLE)})
    }
    found: dict[UUID, list[Found]] = defaultdict(list)
    for order_id, *result in fetch(_FOUND, [list(ids)]):
        found[order_id].append(Found(*result))
    facts = [facts_of(order, practice, ordered[order.pk], said.get(order.pk, Shipped())) for order in orders]
    with transaction.atomic():
        OrderFact.objects.filter(pk__in=ids).delete()
        _copy(OrderFact, [fact for fact, _ in facts])
        _copy(TestFact, [test for _, tests in facts for test in tests])
        _copy(
            ResultFact,
            [one for fact, _ in facts for one in _results_of(fact, found[fact.order_id], practice)],
        )
    return len(facts)


def _copy(
    model: type[OrderFact | TestFact | ResultFact], facts: Sequence[OrderFact | TestFact | ResultFact]
) -> None:
    """By COPY, since a million rows are made anew when a practice moves to another time zone."""
    columns = [one.attname for one in model._meta.concrete_fields if not one.generated]
    values = attrgetter(*columns)
    with connection.cursor() as cursor, cursor.copy(
        f"COPY {model._meta.db_table} ({', '.join(columns)}) FROM STDIN"
    ) as copy:  # fmt: skip
        for fact in facts:
            copy.write_row(values(fact))


def facts_of(
    order: Order, practice: Practice, tests: Sequence[Ordered], shipped: Shipped
) -> tuple[OrderFact, list[TestFact]]:
    zone = practice.zone
    received = [test.first for test in tests if test.first is not None]
    phase = Phase(order.phase)
    fact = OrderFact(
        order_id=order.pk, practice_id=practice.pk, revision=order.revision, zone=practice.time_zone,
        counts=not order.is_demo and phase is not Phase.DRAFT,
        counted_on=day(order.submitted_at, zone) or order.first_seen_at.astimezone(zone).date(),
        dated=order.submitted_at is not None,
        backwards=_is_backwards([order.submitted_at, order.paid_at, min(received, default=None)]),
        source=order.source, practitioner_key=order.practitioner_id_external,
        practitioner_name=order.practitioner_name, payer=order.payer, payment=payment_of(order, phase),
        phase=phase.value, price=order.total_price,
        submitted_on=day(order.submitted_at, zone), paid_on=day(order.paid_at, zone),
        kit_on=day(shipped.kit, zone), sample_on=day(shipped.sample, zone),
        first_result_on=day(min(received, default=None), zone),
        done_on=day(order.completed_at or _last(received, len(tests)), zone),
        canceled_on=day(order.canceled_at, zone), tests=len(tests), resulted=len(received),
        filed=order.filed_at is not None, erased=order.erased_at is not None,
    )  # fmt: skip
    made = [_test_fact(fact, order, test, zone) for test in tests]
    at_lab: dict[str, list[TestFact]] = defaultdict(list)
    for one in made:
        at_lab[one.lab].append(one)
    for together in at_lab.values():
        together[0].leads = True
        together[0].lab_ended = phase is Phase.CANCELED and any(one.ended_on for one in together)
    known = at_lab.keys() - {""}
    fact.labs, fact.lab = len(at_lab), SEVERAL if len(known) > 1 else next(iter(known), "")
    return fact, made


def _results_of(fact: OrderFact, found: Sequence[Found], practice: Practice) -> list[ResultFact]:
    if not (fact.counts and fact.filed):
        return []
    return [
        ResultFact(
            result_id=one.id, order_id=fact.order_id, practice_id=fact.practice_id,
            found_on=one.at.astimezone(practice.zone).date(), value_count=one.values,
        )
        for one in found
    ]  # fmt: skip


def _test_fact(fact: OrderFact, order: Order, test: Ordered, zone: ZoneInfo) -> TestFact:
    started = order.paid_at or (order.submitted_at if order.phase in STARTED else None)
    ended = order.canceled_at if order.phase == Phase.CANCELED else order.completed_at
    without = order.phase in ENDED and test.first is None
    started_on = day(started, zone)
    return TestFact(
        ordered_test_id=test.id, order_id=fact.order_id, practice_id=fact.practice_id,
        lab_test_key=test.lab_test_key, counted_on=fact.counted_on, counts=fact.counts,
        started_on=started_on, resulted_on=day(test.first, zone),
        ended_on=day(ended or started, zone) if without else None,
        open=fact.counts and started_on is not None and test.first is None and order.phase in AWAITED,
        patient_id=None if fact.erased else order.patient_id, lab=test.lab,
    )  # fmt: skip


def day(moment: datetime | None, zone: ZoneInfo) -> date | None:
    """The day in the practice's calendar; none for moments at the ends of time, which no zone survives."""
    try:
        return None if moment is None else moment.astimezone(zone).date()
    except OverflowError:
        return None


def _last(received: Sequence[datetime], tests: int) -> datetime | None:
    return max(received) if received and len(received) == tests else None


def _is_backwards(moments: Iterable[datetime | None]) -> bool:
    known = [moment for moment in moments if moment is not None]
    return any(later < earlier for earlier, later in pairwise(known))
