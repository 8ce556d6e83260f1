"""How much one sweep reads: a bounded number of calls by the clock, as much as a person asks for by hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

Name = Literal["hourly", "daily", "asked", "full"]

#: A file is compared again after its result's own age halved, and at least this long after the last time.
FILE_REST = timedelta(days=1)


@dataclass(frozen=True)
class Depth:
    """What a sweep reads of each peer."""

    name: Name
    whole_list: bool  # Rupa's list of orders to its end, not only to known ground
    row_pages: int | None  # pages of Caspio's Lab_* tables from their beginning; 0: a week's share; None: all
    open_rows: bool  # beside that share, the rows of every open order
    files: int | None  # result files at Rupa to compare by their hash; None: all
    file_age: timedelta | None = None  # those younger than this, whenever they were compared last

    @property
    def from_start(self) -> bool:
        return self.row_pages != 0


HOURLY = Depth("hourly", whole_list=False, row_pages=0, open_rows=False, files=0)
DAILY = Depth("daily", whole_list=True, row_pages=0, open_rows=True, files=200)
ASKED = Depth("asked", whole_list=True, row_pages=200, open_rows=True, files=500, file_age=timedelta(days=90))
FULL = Depth("full", whole_list=True, row_pages=None, open_rows=False, files=None)

DEPTHS: dict[str, Depth] = {depth.name: depth for depth in (HOURLY, DAILY, ASKED, FULL)}


def deeper(one: str, other: Depth) -> Depth:
    """The deeper of a sweep that was begun and the one that is asked for."""
    names = list(DEPTHS)
    return DEPTHS[names[max(names.index(one), names.index(other.name))]]
