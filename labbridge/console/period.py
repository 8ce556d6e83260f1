"""The days that a page of figures is about: they stand in its address, so that a link shows the same later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from django.http import QueryDict

from labbridge.analytics.answers import Period, months_before

EARLIEST = date(2000, 1, 1)
LATEST = date(2100, 12, 31)
MONTHS = 12  #: of the period that is shown when none is asked for, the running one among them
WRONG = (
    "That is no period: give two days, such as 2026-01-01 and 2026-03-31. The last twelve months are shown."
)


@dataclass(frozen=True)
class Picked:
    period: Period
    problem: str = ""

    @property
    def words(self) -> dict[str, str]:
        """As the address says it."""
        return {"from": self.period.first.isoformat(), "to": self.period.last.isoformat()}


def usual(today: date) -> Period:
    return Period(months_before(today, MONTHS - 1), today)


def picked(query: QueryDict, today: date) -> Picked:
    """The period of the address; an unusable one is said, and the usual one shown."""
    given = [query.get(name, "").strip() for name in ("from", "to")]
    if not any(given):
        return Picked(usual(today))
    try:
        first, last = (date.fromisoformat(text) for text in given)
    except ValueError:
        return Picked(usual(today), WRONG)
    if not EARLIEST <= first <= last <= LATEST:
        return Picked(usual(today), WRONG)
    return Picked(Period(first, last))


def presets(today: date) -> dict[str, Period]:
    this = today.replace(day=1)
    last_month_ended, new_year = this - timedelta(days=1), this.replace(month=1)
    return {
        "This month": Period(this, today),
        "Last month": Period(last_month_ended.replace(day=1), last_month_ended),
        "Last 3 months": Period(months_before(this, 3), last_month_ended),
        "12 months": usual(today),
        "This year": Period(new_year, today),
        "Last year": Period(new_year.replace(year=today.year - 1), new_year - timedelta(days=1)),
    }
