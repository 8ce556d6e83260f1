"""What of an answer may leave the practice: nothing that few people stand behind, nor what it could be reckoned from.

Whoever reads a shared table is taken to know the sum of every column, and of every lab company where tests are listed
under theirs: the other tables tell them. So what is hidden of a sum is never a single cell, nor together few.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from labbridge.analytics.answers import Answer, Cell, Column

#: Cells of fewer patients' orders than this are not shared (CMS cell size suppression policy: 1 to 10).
SMALLEST_SHARED = 11


class Counted(NamedTuple):
    """A count, and what it leaves of the one that it is a part of (0 where it is a part of none)."""

    part: int
    rest: int = 0


def shared(answer: Answer, size: str, within: str = "") -> Answer:
    """The answer without small cells. A row whose column `size` is hidden keeps its label only.

    `within`: the column by which rows belong together, whose sums another shared table tells.
    """
    places = {column.name: place for place, column in enumerate(answer.columns)}
    groups = [str(row[places[within]]) if within else "" for row in answer.rows]
    names = [str(row[0]) for row in answer.rows]
    rows = _hidden([Counted(_number(row[places[size]])) for row in answer.rows], groups, names, set())
    out: dict[str, set[int]] = {size: rows}
    for column in answer.columns:
        if column.kind == "count" and column.name != size:
            counts = [_counted(row, places, column) for row in answer.rows]
            out[column.name] = _hidden(counts, groups, names, rows)
    for column in answer.columns:
        if column.name not in out:
            out[column.name] = out.get(column.of, rows) if column.of else rows
    keep = [column for column in answer.columns if column.shared and column.kind != "key"]
    label = next((n for n, column in enumerate(keep) if column.kind not in {"text", "month"}), len(keep))
    cells = [
        tuple(
            row[places[column.name]] if n < label or place not in out[column.name] else None
            for n, column in enumerate(keep)
        )
        for place, row in enumerate(answer.rows)
    ]
    said = [f"Rows left out because few orders stand behind them: {len(rows)}."] if rows else []
    said.append(
        f"Numbers below {SMALLEST_SHARED} are left out, and others from which they could be reckoned."
    )
    notes = tuple(note for note in answer.notes if note not in answer.own)
    return replace(answer, columns=tuple(keep), rows=cells, notes=(*notes, *said), own=(), behind={})


def _number(cell: Cell) -> int:
    return cell if isinstance(cell, int) else 0


def _counted(row: Sequence[Cell], places: Mapping[str, int], column: Column) -> Counted:
    part = _number(row[places[column.name]])
    return Counted(part, _number(row[places[column.of]]) - part if column.of else 0)


def _hidden(
    counts: Sequence[Counted], groups: Sequence[str], names: Sequence[str], from_the_start: set[int]
) -> set[int]:
    """The places to hide: small ones, those hidden already, and as many more as hide these in every sum."""
    sums: dict[str, Counted] = {}
    for group, one in zip(groups, counts, strict=True):
        held = sums.get(group, Counted(0))
        sums[group] = Counted(held.part + one.part, held.rest + one.rest)
    keys = sorted(sums)
    gone = {
        place for place, key in enumerate(keys)
        if all(n in from_the_start for n, group in enumerate(groups) if group == key)
    }  # fmt: skip
    whole = _closed([sums[key] for key in keys], keys, gone) if len(keys) > 1 else set()
    away = {keys[place] for place in whole}
    found = {n for n, group in enumerate(groups) if group in away}
    for key in keys:
        inside = [n for n, group in enumerate(groups) if group == key and key not in away]
        begin = {place for place, n in enumerate(inside) if n in from_the_start}
        found |= {
            inside[place] for place in _closed([counts[n] for n in inside], [names[n] for n in inside], begin)
        }
    return found


def _closed(counts: Sequence[Counted], names: Sequence[str], begin: set[int]) -> set[int]:
    """All small ones, and as many more, smallest first, until those hidden hide each other."""
    hidden = begin | {place for place, one in enumerate(counts) if any(map(_is_small, one))}
    for side in (_part, _rest):
        more = sorted(
            (place for place, one in enumerate(counts) if side(one) and place not in hidden),
            key=lambda place: (side(counts[place]), names[place]),
        )  # fmt: skip
        for place in more:
            if _hides(side(counts[one]) for one in hidden):
                break
            hidden.add(place)
    # What the second side added cannot uncover the first: more cells, and a larger sum.
    return hidden


def _part(one: Counted) -> int:
    return one.part


def _rest(one: Counted) -> int:
    return one.rest


def _is_small(count: int) -> bool:
    return 0 < count < SMALLEST_SHARED


def _hides(counts: Iterable[int]) -> bool:
    """Whether hidden cells that are known to add up to so many tell nothing of a small one."""
    known = [count for count in counts if count]
    return not known or (len(known) > 1 and sum(known) >= SMALLEST_SHARED)
