"""`ledger show|verify|export`: the completeness ledger of docs/ledger.md."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from labbridge.commands.base import (
    PROBLEMS,
    AsJson,
    PracticeSlug,
    Stop,
    command,
    print_json,
    print_json_line,
    the_practice,
)

ledger_app = typer.Typer(no_args_is_help=True, help="The completeness ledger: proof that nothing was lost.")

Days = Annotated[int, typer.Option(min=1, help="At most this many days, newest last.")]


@ledger_app.command("show")
@command
def show(
    practice: PracticeSlug = "",
    days: Days = 366,
    every: Annotated[bool, typer.Option("--all", help="Every entry, not only the last of each day.")] = False,
    pdf: Annotated[
        Path | None, typer.Option(help="Write the newest day as one page for the compliance file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Listed at Rupa = held = filed + in review + rejected, day by day."""
    from labbridge.reconcile.ledger import day_entries, shown, verify
    from labbridge.reconcile.models import LedgerEntry

    practices = _practices(practice)
    if pdf is not None:
        _write_page(practices, pdf)
        return
    entries: list[Any] = []
    for one in practices:
        entries += LedgerEntry.objects.filter(practice=one) if every else day_entries(one)[-days:]
    rows = [shown(entry) for entry in entries]
    if as_json:
        print_json(rows)
        return
    if not rows:
        print("There is no entry yet: run `labbridge sweep`.")
    for row in rows:
        print(_line(row))
    if any(verify(one) for one in practices):
        print("The ledger is not whole: run `labbridge ledger verify`.")


def _practices(slug: str) -> list[Any]:
    from labbridge.practices.models import Practice

    return [the_practice(slug)] if slug else list(Practice.objects.all())


def _line(row: dict[str, Any]) -> str:
    """One day in one line."""
    sign = "=" if not row["difference"] else "≠"
    return (
        f"{row['date']}  {row['practice']}: {row['listed']} listed = {row['held']} held {sign} "
        f"{row['filed']} filed + "
        f"{row['in_review']} in review + {row['rejected']} rejected; repaired {row['repaired']}, "
        f"difference {row['difference']}"
    )


def _write_page(practices: list[Any], path: Path) -> None:
    from labbridge.reconcile.ledger import day_entries, verify
    from labbridge.reconcile.page import page_of

    if len(practices) != 1:
        raise Stop("Say which practice with --practice.", 2)
    entries = day_entries(practices[0])
    if not entries:
        raise Stop("There is no entry yet: run `labbridge sweep`.")
    content = page_of(practices[0].name, entries[-1], [finding.sentence for finding in verify(practices[0])])
    try:
        path.write_bytes(content)
    except OSError as error:
        raise Stop(f"{path} cannot be written ({error.strerror}).") from None
    print(f"Written: {path}")


@ledger_app.command("verify")
@command
def verify_ledger(practice: PracticeSlug = "", as_json: AsJson = False) -> None:
    """Whether the ledger is whole: no entry altered, removed, reordered, replaced or cut off."""
    from labbridge.reconcile.ledger import verify
    from labbridge.reconcile.models import LedgerEntry

    rows = [
        {
            "practice": one.slug,
            "entries": LedgerEntry.objects.filter(practice=one).count(),
            "findings": [{"row": finding.seq, "sentence": finding.sentence} for finding in verify(one)],
        }
        for one in _practices(practice)
    ]
    if as_json:
        print_json(rows)
    else:
        for row in rows:
            _tell(row)
    if any(row["findings"] for row in rows):
        raise typer.Exit(PROBLEMS)


def _tell(row: dict[str, Any]) -> None:
    if not row["findings"]:
        print(f"{row['practice']}: {row['entries']} entries, whole and anchored.")
    for finding in row["findings"]:
        print(f"{row['practice']}: {finding['sentence']}")


@ledger_app.command("export")
@command
def export(practice: PracticeSlug = "") -> None:
    """Every entry as one JSON object a line, in the form of docs/audit-format.md, for checking without Labbridge."""
    from labbridge.reconcile.ledger import export_lines
    from labbridge.trust import audit

    one = the_practice(practice)
    audit.record("ledger.export", actor=audit.operator(), practice=one)
    for line in export_lines(one):
        print_json_line(line)
