"""The shape of every answer: titled columns, rows of plain values, and notes that say what was left out and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Literal

from django.db import connection, transaction

from labbridge.database.statements import fetch

Kind = Literal["text", "key", "count", "change", "share", "days", "money", "month", "day"]
#: Which orders stand behind a row, in the words of the pipeline's address (behind.py). Empty: it cannot be shown.
Behind = Mapping[str, str]
Cell = str | int | float | Decimal | date | None


@dataclass(frozen=True)
class Period:
    """Days of the practice's calendar, both ends included."""

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise ValueError("a period ends before it begins")

    def before(self) -> Period:
        """As many days just before this one; before whole months, as many whole months."""
        if self.first.day == 1 and (self.last + timedelta(days=1)).day == 1:
            months = (self.last.year - self.first.year) * 12 + self.last.month - self.first.month + 1
            return Period(months_before(self.first, months), self.first - timedelta(days=1))
        length = self.last - self.first + timedelta(days=1)
        return Period(self.first - length, self.first - timedelta(days=1))


def months_before(first: date, months: int) -> date:
    """The first day of the month that is so many months before that of `first`."""
    whole = first.year * 12 + first.month - 1 - months
    return date(whole // 12, whole % 12 + 1, 1)


@dataclass(frozen=True)
class Column:
    name: str
    title: str
    kind: Kind = "count"
    shared: bool = True  # False: never leaves the practice, such as an order's id
    of: str = ""  # the column of which a count is a part, or of which a share, change or amount is made


@dataclass(frozen=True)
class Answer:
    """A table. `notes` are sentences for people: what is not in the figures and why."""

    title: str
    columns: tuple[Column, ...]
    rows: list[tuple[Cell, ...]] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    behind: Mapping[str, Sequence[Behind]] = field(default_factory=dict)  # by column: one for each row
    own: tuple[str, ...] = ()  # of the notes, those that tell counts and are not shared

    def as_dicts(self) -> list[dict[str, Cell]]:
        names = [column.name for column in self.columns]
        return [dict(zip(names, row, strict=True)) for row in self.rows]

    def value(self, row: int, name: str) -> Cell:
        return self.as_dicts()[row][name]


def fetch_in_order(sql: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:  # any: what SQL gives
    """Of what an index holds in the order in which it is counted: PostgreSQL would rather read the table and hash.

    It reckons that a page of an index costs four times one of a table, as on a disk that turns. An index that holds
    all that is asked is a third of the table, and what comes in order needs no hash table beside it.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL random_page_cost = 1.1")
        return fetch(sql, values)


def share(part: int, whole: int) -> float | None:
    """Between 0 and 1, to four digits; none of nothing."""
    return round(part / whole, 4) if whole else None
