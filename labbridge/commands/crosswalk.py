"""`crosswalk import|export|remove`: what other systems call the practice's patients (docs/ehr.md)."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Annotated

import typer

from labbridge.commands.base import (
    PROBLEMS,
    WRONG_USE,
    AsJson,
    DryRun,
    PracticeSlug,
    Stop,
    command,
    print_counts,
    print_json,
    the_practice,
)

crosswalk_app = typer.Typer(no_args_is_help=True, help="Ids of patients in other systems, such as an EHR.")
SHOWN = 50


@crosswalk_app.command("import")
@command
def bring(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV: caspio_key, rupa_id, system, ehr_id.")],
    practice: PracticeSlug = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Bring ids in. Lines that cannot be taken are named, with what to do; the others are taken."""
    from labbridge.handlers.crosswalk import CrosswalkProblem, bring_in, lines
    from labbridge.trust.audit import operator

    one = the_practice(practice)
    try:
        with file.open(encoding="utf-8-sig", newline="") as source:
            outcome = bring_in(one, lines(source), actor=operator(), dry_run=dry_run)
    except CrosswalkProblem as problem:
        raise Stop(str(problem), WRONG_USE) from None
    if as_json:
        print_json({**outcome.counts, "problems": outcome.problems, "dry_run": dry_run})
    else:
        print_counts(outcome.counts, as_json=False)
        for sentence in outcome.problems[:SHOWN]:
            print(sentence)
        if len(outcome.problems) > SHOWN:
            print(f"… and {len(outcome.problems) - SHOWN} more lines.")
        if dry_run:
            print("Nothing was changed.")
    if outcome.problems:
        raise typer.Exit(PROBLEMS)


@crosswalk_app.command("export")
@command
def take(practice: PracticeSlug = "", as_json: AsJson = False) -> None:
    """Print the whole crosswalk as CSV, in the form that `import` takes. It names patients: keep it safe."""
    from labbridge.handlers.crosswalk import COLUMNS, take_out
    from labbridge.trust.audit import operator

    rows = take_out(the_practice(practice), actor=operator())
    if as_json:
        print_json(rows)
        return
    writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


@crosswalk_app.command("remove")
@command
def remove(
    system: Annotated[str, typer.Argument(help="Such as healthie.")],
    ehr_id: Annotated[str, typer.Argument(metavar="ID")],
    practice: PracticeSlug = "",
    dry_run: DryRun = False,
) -> None:
    """Take one id away. A match that it led to stays until somebody undoes it."""
    from labbridge.handlers import crosswalk
    from labbridge.mirror.models import EhrId
    from labbridge.trust.audit import operator

    one = the_practice(practice)
    if dry_run:
        there = EhrId.objects.filter(practice=one, system=system, external_id=ehr_id).exists()
    else:
        there = crosswalk.remove(one, system, ehr_id, actor=operator())
    if not there:
        raise Stop("There is no such id. `labbridge crosswalk export` shows all.", WRONG_USE)
    print("would remove it" if dry_run else "removed")
