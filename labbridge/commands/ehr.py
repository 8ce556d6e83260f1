"""`ehr check`: whether Healthie holds the results that Labbridge filed. Reads only (docs/ehr.md)."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Annotated

import typer

from labbridge.commands.base import (
    PROBLEMS,
    WRONG_USE,
    AsJson,
    PracticeSlug,
    Stop,
    command,
    print_counts,
    print_json,
    the_practice,
)

ehr_app = typer.Typer(no_args_is_help=True, help="The practice's EHR beside Caspio.")


@ehr_app.callback()
def _group() -> None:
    """Keeps `check` a command of its own while it is the only one."""


@ehr_app.command("check")
@command
def check(
    key: Annotated[
        str, typer.Option(help="Healthie's API key, as env:NAME or file:PATH. It is not kept.")
    ] = "env:HEALTHIE_API_KEY",
    days: Annotated[int, typer.Option(min=1, max=3650, help="Results of so many days.")] = 30,
    practice: PracticeSlug = "",
    as_json: AsJson = False,
) -> None:
    """Which results of the last days Healthie holds too, by the ids of the crosswalk. Nothing is changed."""
    from dataclasses import asdict

    from django.utils import timezone

    from labbridge.handlers.ehr_check import CheckOff, Held
    from labbridge.handlers.ehr_check import check as ask
    from labbridge.practices.config import resolve_secret
    from labbridge.trust.audit import operator

    one = the_practice(practice)
    if not key.startswith(("env:", "file:")):
        raise Stop("Give the key as env:NAME or file:PATH: a command line is seen by others.", WRONG_USE)
    try:
        answers = ask(
            one, resolve_secret(key, "--key"), timezone.now() - timedelta(days=days), actor=operator()
        )
    except CheckOff as off:
        raise Stop(str(off), WRONG_USE) from None
    if as_json:
        print_json([asdict(answer) for answer in answers])
    else:
        for answer in answers:
            if answer.held != Held.HELD:
                print(
                    f"{answer.rupa_order_id} {answer.rupa_ordered_test_id}: {answer.held.replace('_', ' ')}"
                )
        print_counts(Counter(str(answer.held) for answer in answers), as_json=False)
    if any(answer.held in {Held.NOT_THERE, Held.WITHOUT_RESULT} for answer in answers):
        raise typer.Exit(PROBLEMS)
