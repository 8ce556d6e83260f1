"""`practice apply|show`, `provision`, `rupa connect`: setting a practice up."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labbridge.commands.base import (
    PROBLEMS,
    UNREACHABLE,
    WRONG_USE,
    AsJson,
    DryRun,
    PracticeSlug,
    Stop,
    command,
    print_json,
    print_json_line,
    the_practice,
)

if TYPE_CHECKING:  # Django is not there yet when this module is imported
    from labbridge.practices.models import Connection, Practice

practice_app = typer.Typer(no_args_is_help=True, help="Practices and their configuration.")
NO_TEST = "There is no such test in the catalogue. `labbridge sync catalog` reads it."
MOVED = "Ended: the practice has moved to Fullscript."

rupa_app = typer.Typer(no_args_is_help=True, help="The connection to Rupa.")


@practice_app.command("apply")
@command
def apply(
    file: Annotated[Path, typer.Argument(help="A practice.toml (docs/practice-toml.md).", metavar="FILE")],
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Create or change a practice as FILE says. Repeatable."""
    from labbridge.practices.apply import apply as apply_config
    from labbridge.practices.config import load
    from labbridge.reconcile.applied import follow_now

    applied = apply_config(load(file), dry_run=dry_run)
    notes = [] if dry_run else follow_now(applied)
    if as_json:
        print_json(
            {
                "practice": applied.practice.slug,
                "changes": applied.changes,
                "notes": notes,
                "dry_run": dry_run,
            }
        )
        return
    for line in applied.changes or ["nothing to change"]:
        print(("would " if dry_run and applied.changes else "") + line)
    for note in notes:
        print(note)


@practice_app.command("show")
@command
def show(
    slug: Annotated[str, typer.Argument(help="Slug; all practices when left out.")] = "",
    as_json: AsJson = False,
) -> None:
    """What is configured and connected. Shows no secret."""
    from labbridge.practices.models import Practice

    practices = [the_practice(slug)] if slug else list(Practice.objects.all())
    shown = [_shown(practice) for practice in practices]
    if as_json:
        print_json(shown)
        return
    if not shown:
        print("There is no practice yet: run `labbridge practice apply FILE`.")
    for one in shown:
        print(f"{one['slug']}: {one['name']} ({one['time_zone']})")
        for connection in one["connections"]:
            where = f"{connection['peer']} {connection['account']}"
            print(
                f"  {where}: {connection['state']} {connection['advice'] or connection['problem']}".rstrip()
            )
        print(f"  practitioners known: {one['practitioners']}")


@practice_app.command("calibrate-price")
@command
def calibrate_price(
    test: Annotated[
        str, typer.Option("--test", help="A test of the catalogue: Rupa's id, or its whole name.")
    ],
    price: Annotated[
        str, typer.Option("--price", help="What Rupa's own catalogue shows for it, such as 299.00.")
    ],
    practice: PracticeSlug = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Find out whether Rupa's figures are dollars or cents, by one price that you know, and apply it."""
    from labbridge.billing.calibrate import NEITHER, tests_named, unit_of
    from labbridge.billing.details import dollars
    from labbridge.billing.states import CannotSay
    from labbridge.practices.apply import change_price_unit
    from labbridge.reconcile.applied import follow_now

    one = the_practice(practice)
    try:
        known = dollars(price)
    except CannotSay as problem:
        raise Stop(str(problem), WRONG_USE) from None
    tests = tests_named(one, test)
    if len(tests) != 1:
        ids = ", ".join(sorted(each.external_id for each in tests)[:10])
        said = f"Several tests have that name: {ids}. Give one of these ids." if tests else NO_TEST
        raise Stop(said, WRONG_USE)
    unit = unit_of(tests[0].price, known)
    if unit is None:
        raise Stop(NEITHER)
    applied = change_price_unit(one, unit, dry_run=dry_run)
    notes = [] if dry_run else follow_now(applied)
    keep = f'Write price_unit = "{unit}" under [rupa] in your practice.toml too: `practice apply` goes by it.'
    if as_json:
        print_json({"practice": one.slug, "test": tests[0].external_id, "price_unit": unit,
                    "changes": applied.changes, "notes": [*notes, keep], "dry_run": dry_run})  # fmt: skip
        return
    print(f"Rupa's figures are {unit}.")
    for line in applied.changes or ["nothing to change"]:
        print(("would " if dry_run and applied.changes else "") + line)
    for note in [*notes, keep]:
        print(note)


def _connection_shown(connection: Connection) -> dict[str, Any]:
    from labbridge.practices.connections import clinic_of, standing

    now = standing(connection)
    return {
        "peer": connection.peer,
        "account": connection.account,
        "state": now.state,
        "advice": now.advice,
        "problem": connection.problem,
        "clinic": clinic_of(connection) if connection.peer == "rupa" else "",
    }


def _shown(practice: Practice) -> dict[str, Any]:
    return {
        "slug": practice.slug,
        "name": practice.name,
        "time_zone": practice.time_zone,
        "connections": [_connection_shown(connection) for connection in practice.connections.all()],
        "practitioners": practice.practitioners.count(),
        "config": practice.config,
    }


@command
def provision(practice: PracticeSlug = "", dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Create the missing tables and fields in Caspio, and the outgoing webhook. Repeatable."""
    from labbridge.filing.provision import provision as look
    from labbridge.reconcile.preparing import create_missing
    from labbridge.trust.audit import operator

    one = the_practice(practice)
    done = look(one, dry_run=True) if dry_run else create_missing(one, operator())
    if as_json:
        print_json({**done.counts(), "created": vars(done), "dry_run": dry_run})
    else:
        verb = "would create" if dry_run else "created"
        for name in (*(f"table {item}" for item in done.tables), *(f"field {item}" for item in done.fields)):
            print(f"{verb} {name}")
        for item in done.webhooks:
            print(f"would {item}" if dry_run else f"webhook: {item}")
        for problem in done.problems:
            print(problem)
        if not any(vars(done).values()):
            print("Everything is there.")
    if done.problems:
        raise typer.Exit(PROBLEMS)


@rupa_app.command("connect")
@command
def connect(
    practice: PracticeSlug = "",
    wait: Annotated[int, typer.Option(help="Seconds to wait for the practitioner.")] = 600,
    as_json: AsJson = False,
) -> None:
    """Print the consent address for a practitioner and wait until Rupa has sent them back.

    With --json each line is one JSON object: the address first, then what became of it.
    """
    from labbridge.practices.consent import begin
    from labbridge.practices.models import Consent

    journey = begin(the_practice(practice), started_by="command line")
    if as_json:
        print_json_line({"address": journey.address})
    else:
        print("Open this address as the practitioner, sign in at Rupa and agree:\n")
        print(journey.address + "\n")
    deadline = time.monotonic() + wait
    while time.monotonic() < deadline:
        consent = Consent.objects.get(pk=journey.consent.pk)
        if consent.outcome:
            if consent.outcome != "connected":
                raise Stop(consent.outcome)
            if as_json:
                print_json_line({"connected": 1})
            else:
                print("Connected.")
            return
        time.sleep(0.5)
    raise Stop(
        "Nobody came back in time. The address works for an hour; the service must be running.", UNREACHABLE
    )


@rupa_app.command("end")
@command
def end(
    account: Annotated[
        str, typer.Argument(help="The practitioner's e-mail or id, as `practice show` has it.")
    ] = "",
    practice: PracticeSlug = "",
    why: Annotated[str, typer.Option(help="A sentence that is shown with it.")] = MOVED,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """End a connection, such as when the practice moves to Fullscript. What was filed stays; tokens are forgotten.

    Without ACCOUNT every connection of the practice to Rupa is ended.
    """
    from labbridge.practices.connections import end as end_connection
    from labbridge.trust.audit import operator

    one = the_practice(practice)
    connections = one.connections.filter(peer="rupa").exclude(state="ended")
    if account:
        connections = connections.filter(account__iexact=account)
    if not connections:
        raise Stop(
            "There is no such connection to end. `labbridge practice show` lists them.",
            WRONG_USE,
        )
    accounts = [connection.account for connection in connections]
    if not dry_run:
        for connection in connections:
            end_connection(connection, why, actor=operator())
    if as_json:
        print_json({"ended": accounts, "dry_run": dry_run})
        return
    for name in accounts:
        print(f"{'would end' if dry_run else 'ended'} {name}")
