"""`db url`, `db psql`: reaching the service's database."""

from __future__ import annotations

import subprocess
from typing import Annotated

import typer

from labbridge.commands.base import AsJson, command, print_json

db_app = typer.Typer(no_args_is_help=True, help="The service's database.")


def _url() -> str:
    from django.conf import settings

    from labbridge.database import database_url

    return database_url(settings.DEPLOYMENT.data_dir, settings.DEPLOYMENT.database_url)


@db_app.command("url")
@command
def url(as_json: AsJson = False) -> None:
    """Print the address of the database. The embedded server answers while a command uses it."""
    if as_json:
        print_json({"url": _url()})
    else:
        print(_url())


@db_app.command(
    "psql",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
)
@command
def psql(args: Annotated[list[str] | None, typer.Argument(metavar="[ARGS]...")] = None) -> None:
    """Run psql on the service's database, starting the embedded server when it is not running."""
    from labbridge.database import psql_path
    from labbridge.trust.audit import operator, record

    record("database.open", actor=operator())
    done = subprocess.run([str(psql_path()), _url(), *(args or [])], check=False)  # noqa: S603  # psql with its own arguments, no shell
    raise typer.Exit(done.returncode)
