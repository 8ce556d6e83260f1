"""`practice apply|show`, `provision`, `rupa connect`: setting a practice up."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labbridge.commands.base import (
    PROBLEMS,
    UNREACHABLE,
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
    from labbridge.practices.apply import Applied
    from labbridge.practices.models import Practice

practice_app = typer.Typer(no_args_is_help=True, help="Practices and their configuration.")
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

    applied = apply_config(load(file), dry_run=dry_run)
    notes = [] if dry_run else _follow_up(applied)
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


def _follow_up(applied: Applied) -> list[str]:
    """Learn who works in newly connected clinics; have rows filed again whose values changed."""
    from labbridge.engine.queue import bring_forward
    from labbridge.handlers.connections import learn_now, replay_quarantined
    from labbridge.handlers.jobs import learn_practitioners
    from labbridge.peers.errors import PeerError
    from labbridge.reconcile.refile import refile_practice

    notes = []
    for connection in applied.new_authorisations:
        try:
            notes.append(
                f"{connection.account}: {learn_now(str(connection.pk))} practitioners of the clinic are known"
            )
        except PeerError as error:
            learn_practitioners.defer(lock=f"learn:{connection.pk}", connection_id=str(connection.pk))
            notes.append(
                f"{connection.account}: {error}. {error.advice} It is tried again while the service runs."
            )
    if applied.created:
        replay_quarantined()
    if applied.refile:
        count = refile_practice(applied.practice, applied.moved)
        notes.append(f"{count} orders are compared with Caspio again")
    if applied.changes:
        bring_forward(f"{applied.practice.slug}:")  # perhaps what waited was waiting for this
    return notes


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
            print(f"  {where}: {connection['state']} {connection['problem']}".rstrip())
        print(f"  practitioners known: {one['practitioners']}")


def _shown(practice: Practice) -> dict[str, Any]:
    return {
        "slug": practice.slug,
        "name": practice.name,
        "time_zone": practice.time_zone,
        "connections": list(practice.connections.values("peer", "account", "state", "problem")),
        "practitioners": practice.practitioners.count(),
        "config": practice.config,
    }


@command
def provision(practice: PracticeSlug = "", dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Create the missing tables and fields in Caspio, and the outgoing webhook. Repeatable."""
    from labbridge.engine.queue import bring_forward
    from labbridge.filing.provision import provision as create_missing

    one = the_practice(practice)
    done = create_missing(one, dry_run=dry_run)
    if not dry_run and (done.tables or done.fields):
        bring_forward(f"{one.slug}:")  # what waited for a table need not wait for its next attempt
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
