"""What the integration is worth: what nobody typed, and the staff minutes by assumptions that a practice can edit."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from decimal import Decimal

from labbridge.analytics.answers import Answer, Cell, Column, Period
from labbridge.database.statements import fetch
from labbridge.practices.apply import config_of
from labbridge.practices.config import AnalyticsPart
from labbridge.practices.models import Practice
from labbridge.trust.models import AuditEntry

# Demo orders and drafts save nobody anything: only what the facts count.
_TYPED = """
SELECT count(*), coalesce(sum(tests), 0) FROM analytics_orderfact
WHERE practice_id = %(practice)s AND counts AND filed AND counted_on BETWEEN %(first)s AND %(last)s
"""
_RESULTS = """
SELECT count(*), coalesce(sum(value_count), 0) FROM analytics_resultfact
WHERE practice_id = %(practice)s AND found_on BETWEEN %(first)s AND %(last)s
"""


def value(practice: Practice, period: Period, assumed: AnalyticsPart | None = None) -> Answer:
    """Entries that nobody typed, and minutes saved from low to high. Every assumption stands in the notes.

    `assumed`: other assumptions than the practice's own, to try them out.
    """
    assumed = assumed or config_of(practice).analytics
    start, end = _bounds(practice, period)
    asked = {"practice": practice.pk, "first": period.first, "last": period.last}
    (orders, tests), (results, values) = (fetch(sql, asked)[0] for sql in (_TYPED, _RESULTS))
    created = AuditEntry.objects.filter(
        practice=practice.slug, action="patient.create", outcome="done", at__gte=start, at__lt=end
    ).count()
    counted = (
        ("Patients created at Rupa", created, assumed.patient_minutes_low, assumed.patient_minutes_high),
        ("Orders filed in Caspio", orders, assumed.order_minutes, assumed.order_minutes),
        ("Ordered tests filed in Caspio", int(tests), 0.0, 0.0),
        ("Results filed in Caspio", results, assumed.result_minutes, assumed.result_minutes),
        ("Result values filed in Caspio", values, 0.0, 0.0),
    )
    rows: list[tuple[Cell, ...]] = [
        (what, count, round(count * low), round(count * high)) for what, count, low, high in counted
    ]
    total = tuple(sum(int(str(row[place])) for row in rows) for place in (1, 2, 3))
    rows.append(("All entries that nobody typed", *total))
    columns = (
        Column("what", "What", "text"), Column("entries", "Entries not typed"),
        Column("minutes_low", "Minutes saved, at least"), Column("minutes_high", "Minutes saved, at most"),
    )  # fmt: skip
    return Answer("What the integration saved", columns, rows, tuple(_notes(assumed, total[1], total[2])))


def _bounds(practice: Practice, period: Period) -> tuple[datetime, datetime]:
    first = datetime.combine(period.first, time(), practice.zone)
    return first, datetime.combine(period.last + timedelta(days=1), time(), practice.zone)


def _notes(assumed: AnalyticsPart, low: int, high: int) -> list[str]:
    span = f"{assumed.patient_minutes_low:g} to {assumed.patient_minutes_high:g} minutes for each new patient"
    minutes = f"{assumed.order_minutes:g} for an order, {assumed.result_minutes:g} for a result"
    notes = [
        f"Assumed ([analytics] in practice.toml): {span}, {minutes}.",
        "The integration guide gives 3 to 5 minutes for a new patient, and no figure for an order or a result.",
        "Patients that both sides had already were linked and count for nothing here.",
    ]
    if assumed.hour_cost:
        cost = Decimal(str(assumed.hour_cost))
        least, most = (f"${(cost * minutes / 60).quantize(Decimal('0.01')):,}" for minutes in (low, high))
        notes.append(f"At ${cost:,.2f} for an hour of staff time: {least} to {most}.")
    return notes
