"""`report monthly`: the owner's report of one month, as a PDF."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from labbridge.commands.base import (
    WRONG_USE,
    AsJson,
    PracticeSlug,
    Stop,
    command,
    print_json,
    the_practice,
    write_private,
)

report_app = typer.Typer(no_args_is_help=True, help="Figures on paper.")


@report_app.callback()
def report() -> None:
    """Figures on paper."""


@report_app.command("monthly")
@command
def monthly(
    month: Annotated[str, typer.Option(help="YYYY-MM; the last month that is over when left out.")] = "",
    out: Annotated[Path | None, typer.Option(help="The file; labs-SLUG-MONTH.pdf when left out.")] = None,
    sharing: Annotated[
        bool, typer.Option(help="To share: without numbers that few orders stand behind.")
    ] = False,
    practice: PracticeSlug = "",
    as_json: AsJson = False,
) -> None:
    """Draw the report of a month: every question as a chart and a table. Names no patient."""
    from django.utils import timezone

    from labbridge.analytics.report import NoMonth, month_of, monthly_report
    from labbridge.trust.audit import operator, record

    one, now = the_practice(practice), timezone.now()
    try:
        chosen = month_of(now.astimezone(one.zone).date(), month)
    except NoMonth as problem:
        raise Stop(str(problem), WRONG_USE) from None
    path = out or Path(f"labs-{one.slug}-{chosen}{'-shared' if sharing else ''}.pdf")
    content = monthly_report(one, chosen, now, sharing=sharing)
    record("figures.export", actor=operator(), practice=one, why=f"report of {chosen}", shared=int(sharing))
    write_private(path, content)
    if as_json:
        print_json(
            {
                "practice": one.slug,
                "month": chosen,
                "file": str(path),
                "bytes": len(content),
                "sharing": sharing,
            }
        )
    else:
        print(f"{path} ({len(content) // 1024} KB) holds the report of {chosen}.")
