"""What a bench found, as lines of one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """One measurement: ours, what stands beside it, their ratio and the budget for it."""

    what: str
    ours: str
    beside: str = ""
    ratio: float | None = None
    at_least: float | None = None
    at_most: float | None = None

    @property
    def budget(self) -> str:
        if self.at_least is not None:
            return f">= {self.at_least:g}"
        return "" if self.at_most is None else f"<= {self.at_most:g}"

    @property
    def verdict(self) -> str:
        if self.ratio is None or not self.budget:
            return ""
        low = self.at_least is not None and self.ratio < self.at_least
        high = self.at_most is not None and self.ratio > self.at_most
        return "MISSED" if low or high else "kept"


HEAD = ("", "Labbridge", "beside", "ratio", "budget", "")


def show(title: str, lines: Sequence[Line]) -> None:
    """Print lines as a table that is also Markdown."""
    rows = [
        (
            line.what,
            line.ours,
            line.beside,
            "" if line.ratio is None else f"{line.ratio:.2f}",
            line.budget,
            line.verdict,
        )
        for line in lines
    ]
    widths = [max(len(row[column]) for row in [HEAD, *rows]) for column in range(len(HEAD))]
    print(f"\n## {title}\n")
    for number, row in enumerate([HEAD, *rows]):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |")
        if number == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")
    print(flush=True)
