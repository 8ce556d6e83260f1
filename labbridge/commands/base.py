"""What all commands share: Django when needed, sentences for tracebacks, the exit codes of design.md 6.1."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Annotated, Any, NoReturn, ParamSpec

import orjson
import typer

P = ParamSpec("P")

DONE, PROBLEMS, WRONG_USE, UNREACHABLE = 0, 1, 2, 3

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change and change nothing.")]
PracticeSlug = Annotated[
    str, typer.Option("--practice", "-p", help="Slug of the practice; not needed when there is one.")
]


class Stop(Exception):
    """End a command with a sentence and an exit code."""

    def __init__(self, sentence: str, code: int = PROBLEMS) -> None:
        super().__init__(sentence)
        self.sentence, self.code = sentence, code


def start_django(*, migrate: bool = True) -> None:
    """Read the settings, reach the database and bring its tables up to date."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labbridge.settings")
    import django

    django.setup()
    if migrate:
        from django.core.management import call_command

        from labbridge.engine.locks import exclusive

        if _migrations_pending():
            with exclusive("migrate"):
                call_command("migrate", verbosity=0, interactive=False)


def _migrations_pending() -> bool:
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def command(function: Callable[P, None]) -> Callable[P, None]:
    """Run a command with Django, and turn what is expected to go wrong into a sentence."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        from labbridge.database import DatabaseProblem

        try:
            start_django()
            function(*args, **kwargs)
        except Stop as stop:
            _end(stop.sentence, stop.code)
        except DatabaseProblem as problem:
            _end(str(problem), PROBLEMS)
        except KeyboardInterrupt:
            _end("Stopped.", 130)
        except BrokenPipeError:
            os._exit(0)  # the reader has gone; nothing is left to say
        except Exception as error:
            sentence, code = _sentence(error)
            if sentence is None:
                raise
            _end(sentence, code)

    return run


def _sentence(error: Exception) -> tuple[str | None, int]:
    """The sentences of the errors that a person at the command line can do something about."""
    from django.db import OperationalError

    from labbridge.catalog.sync import SuspiciousListing
    from labbridge.filing.execute import FilingProblem
    from labbridge.peers.errors import PeerError
    from labbridge.practices.clients import NotConnected
    from labbridge.practices.config import ConfigProblem
    from labbridge.trust.keys import CannotOpen

    match error:
        case PeerError():
            return f"{error}. {error.advice}", UNREACHABLE if error.retryable else PROBLEMS
        case ConfigProblem():
            return str(error), WRONG_USE
        case NotConnected() | FilingProblem() | SuspiciousListing() | CannotOpen():
            return str(error), PROBLEMS
        case OperationalError():
            return (
                "The database cannot be reached. Check LABBRIDGE_DATABASE_URL and that the server runs.",
                PROBLEMS,
            )
        case ValueError() if "Caspio address" in str(error) or "http" in str(error):
            return str(error), WRONG_USE
    return None, PROBLEMS


def _end(sentence: str, code: int) -> NoReturn:
    print(sentence, file=sys.stderr)
    raise typer.Exit(code)


def print_json(value: Any) -> None:
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode() + "\n")


def print_counts(counts: Mapping[str, Any], *, as_json: bool) -> None:
    """A summary of counts, as JSON or as words."""
    if as_json:
        print_json(dict(counts))
        return
    for name, count in counts.items():
        print(f"{name.replace('_', ' ')}: {count}")


def the_practice(slug: str) -> Any:
    """The practice of that slug, or the only one."""
    from labbridge.practices.models import Practice

    practices = list(Practice.objects.all())
    if slug:
        found = next((practice for practice in practices if practice.slug == slug), None)
        if found is None:
            raise Stop(f"There is no practice {slug!r}. Known: {_slugs(practices)}.", WRONG_USE)
        return found
    if len(practices) != 1:
        raise Stop(
            "Say which practice with --practice. Known: " + _slugs(practices) + "."
            if practices
            else "There is no practice yet: run `labbridge practice apply FILE` first.",
            WRONG_USE,
        )
    return practices[0]


def _slugs(practices: list[Any]) -> str:
    return ", ".join(practice.slug for practice in practices) or "none"
