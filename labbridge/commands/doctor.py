"""`doctor`: what is wrong here, and what mends it."""

from __future__ import annotations

from typing import Annotated

import typer

from labbridge.commands.base import (
    PROBLEMS,
    UNREACHABLE,
    WRONG_USE,
    AsJson,
    Stop,
    command_before_tables,
    print_json,
)


@command_before_tables
def doctor(
    practice: Annotated[str, typer.Option("--practice", "-p", help="Only this practice.")] = "",
    as_json: AsJson = False,
) -> None:
    """Check everything a practice can fail at, and say what mends it. Reads only; some twenty calls a practice.

    Exit code 1 when a check fails, 3 when a peer cannot be reached.
    """
    from labbridge.doctor.examine import examine, pending_migrations

    if practice and not pending_migrations():
        from labbridge.practices.models import Practice

        if not Practice.objects.filter(slug=practice).exists():
            raise Stop(f"There is no practice {practice!r}. `labbridge practice show` lists them.", WRONG_USE)
    found = []
    for one in examine(practice):
        found.append(one)
        if not as_json:
            where = f"{one.practice}: " if one.practice else ""
            print(f"{one.state:<4}  {where}{one.check}: {one.sentence}")
            if one.action and (one.state != "ok" or one.check == "keys"):
                print(f"      {one.action}")
    if as_json:
        print_json(
            [
                {"check": one.check, "practice": one.practice or None, "state": one.state, "sentence": one.sentence,
                 "action": one.action or None}
                for one in found
            ]
        )  # fmt: skip
    failed = [one for one in found if one.state == "fail"]
    if failed:
        # Code 3 says "try again later"; it must not hide what waiting does not mend.
        raise typer.Exit(UNREACHABLE if all(one.unreachable for one in failed) else PROBLEMS)
