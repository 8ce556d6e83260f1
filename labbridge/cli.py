"""`labbridge …`: the command line people use (design.md 6.1)."""

from __future__ import annotations

import os
import sys

import typer

from labbridge.commands import (
    cases,
    database,
    demo,
    events,
    practices,
    service,
    simulate,
    snippet,
    sync,
    users,
)

app = typer.Typer(
    name="labbridge",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Joins a practice's Caspio application with Rupa Health.",
)
app.command("demo")(demo.demo)
app.command("serve")(service.serve)
app.command("web")(service.web)
app.command("worker")(service.run_worker)
app.add_typer(practices.practice_app, name="practice")
app.command("provision")(practices.provision)
app.add_typer(practices.rupa_app, name="rupa")
app.add_typer(sync.sync_app, name="sync")
app.command("backfill")(sync.backfill)
app.add_typer(events.events_app, name="events")
app.add_typer(cases.cases_app, name="cases")
app.command("snippet")(snippet.snippet)
app.command("listen")(events.listen)
app.command("trigger")(simulate.trigger)
app.command("simulate")(simulate.simulate)
app.add_typer(users.user_app, name="user")
app.add_typer(database.db_app, name="db")


@app.command(
    "manage",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
)
def manage(context: typer.Context) -> None:
    """Django's own commands."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labbridge.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(["labbridge manage", *context.args])


def main() -> None:
    """Entry point of the `labbridge` command."""
    try:
        app()
    except SystemExit as stop:
        sentence = getattr(stop, "sentence", "")
        if sentence:  # settings that stop the start
            print(sentence, file=sys.stderr)
            sys.exit(2)
        raise


if __name__ == "__main__":
    main()
