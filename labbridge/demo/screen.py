"""What the demo shows: its steps, the addresses, the day, and how the day ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from labbridge.demo.place import Place

Advance = Callable[[str], None]


class Screen:
    """For people: colours and moving bars on a terminal, plain lines elsewhere."""

    def __init__(self) -> None:
        self._out = Console(highlight=False, soft_wrap=True)
        self._errors = Console(stderr=True, highlight=False, soft_wrap=True)
        self._began = time.monotonic()

    def say(self, text: str) -> None:
        self._out.print(text)

    def problem(self, sentence: str) -> None:
        self._errors.print(escape(sentence))

    @contextmanager
    def working(self, what: str) -> Iterator[None]:
        """Show that something is under way, then that it is done and how long it took."""
        began = time.monotonic()
        if self._out.is_terminal:
            with self._out.status(what):
                yield
        else:
            yield
        self._out.print(f"[green]done[/]  {what} [dim]{time.monotonic() - began:.1f} s[/]")

    def addresses(self, place: Place, *, usable: bool) -> None:
        """Say where to look and how to sign in."""
        if usable:
            self._out.print(f"\n[bold]Usable after {time.monotonic() - self._began:.1f} s.[/]")
        rows = (
            ("Console", place.url("web")),
            ("  sign in as", f"{place.user}   password  {place.secrets['sign_in']}"),
            ("", "the second step's code stands on the page"),
            (
                "  or, with the same password,",
                "practitioner@, front-desk@, biller@, auditor@willow.example, …",
            ),
            ("The practice's pages (Caspio, simulated)", place.url("caspio")),
            ("Rupa Health (simulated)", place.url("rupa")),
        )
        self._out.print()
        for name, value in rows:
            self._out.print(f"  {name:<42}[bold]{escape(value)}[/]")
        self._out.print()

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Advance]:
        """A bar with what happens above it; `advance(text)` after each step."""
        bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
            console=self._out, disable=not self._out.is_terminal, transient=True,
        )  # fmt: skip
        with bar:
            task = bar.add_task(what, total=total)

            def advance(text: str) -> None:
                bar.console.print(text)
                bar.advance(task)

            yield advance

    def orders(self, rows: Sequence[dict[str, Any]]) -> None:
        """Where the orders stand in Caspio."""
        table = Table("Order", "Patient", "Rupa says", "Phase", "Results", title="In Caspio", box=SIMPLE)
        for row in rows:
            results = f"{row['Tests_Resulted'] or 0} of {row['Tests_Total'] or 0}"
            cells = (row["Rupa_Order_ID"], row["Patient_Key"], row["Rupa_Status"], row["Phase"])
            table.add_row(*(escape(str(cell or "")) for cell in cells), results)
        self._out.print()
        self._out.print(table, soft_wrap=False)
