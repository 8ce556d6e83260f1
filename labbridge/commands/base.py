"""What all commands share: Django when needed, sentences for tracebacks, the exit codes of design.md 6.1."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
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


def start_django(*, migrate: bool = True, serving: bool = False) -> None:
    """Read the settings, reach the database and bring its tables up to date; `serving` logs to standard output."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labbridge.settings")
    gc.disable()  # a start makes many objects and leaves none behind: looking for them takes a tenth of it
    try:
        _start(migrate=migrate, serving=serving)
    finally:
        gc.freeze()
        gc.enable()


def _start(*, migrate: bool, serving: bool) -> None:
    import django

    from labbridge.trust import logs

    with _database_starting():
        django.setup()
    if not serving:
        logs.to_standard_error()
    if migrate:
        bring_up_to_date()


def bring_up_to_date() -> None:
    """Make the tables what this version needs."""
    from django.core.management import call_command

    from labbridge.database import snapshot
    from labbridge.engine.locks import exclusive

    if _migrations_pending():
        with exclusive("migrate"):
            if not (snapshot.load() and not _migrations_pending()):
                _beside_traffic(lambda: call_command("migrate", verbosity=0, interactive=False))


LOCK_SECONDS = 5.0  #: how long a change of tables that waits for its turn may hold up everybody behind it
LOCK_TRIES = 60


def _beside_traffic(change: Callable[[], object]) -> None:
    """Change tables while other processes use them: never wait long for a lock, but ask for it again."""
    from django.db import OperationalError, connection
    from psycopg.errors import DeadlockDetected, LockNotAvailable

    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", [f"{LOCK_SECONDS * 1000:.0f}ms"])
    try:
        for attempt in range(1, LOCK_TRIES + 1):
            try:
                change()
            except OperationalError as error:
                if attempt == LOCK_TRIES or not isinstance(
                    error.__cause__, DeadlockDetected | LockNotAvailable
                ):
                    raise
                time.sleep(min(attempt, LOCK_SECONDS))  # those who were held up come first
            else:
                return
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")


@contextlib.contextmanager
def _database_starting() -> Iterator[None]:
    """The embedded server starts while the block runs. If it cannot, the first connection says so."""
    from labbridge.database import DatabaseProblem, embedded_server
    from labbridge.settings import DEPLOYMENT

    def start() -> None:
        with contextlib.suppress(DatabaseProblem):
            embedded_server(DEPLOYMENT.data_dir).start()

    starting = threading.Thread(target=start, name="database-start")
    if not DEPLOYMENT.database_url:
        starting.start()
    try:
        yield
    finally:
        if not DEPLOYMENT.database_url:
            starting.join()


def _migrations_pending() -> bool:
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def command(function: Callable[P, None]) -> Callable[P, None]:
    """Run a command with Django, and turn what is expected to go wrong into a sentence."""
    return _command(function, serving=False)


def command_before_tables(function: Callable[P, None]) -> Callable[P, None]:
    """As `command`, without bringing the tables up to date first: there may be none, or others."""
    return _command(function, serving=False, migrate=False)


def service(function: Callable[P, None]) -> Callable[P, None]:
    """As `command`, for those that run on: their standard output is the log (design.md 6.1)."""
    return _command(function, serving=True)


def _command(function: Callable[P, None], *, serving: bool, migrate: bool = True) -> Callable[P, None]:
    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        from labbridge.database import DatabaseProblem

        _end_by_exit_on_sigterm()
        try:
            start_django(serving=serving, migrate=migrate)
            function(*args, **kwargs)
            sys.stdout.flush()  # here, where a reader that has gone is no error
        except Stop as stop:
            _end(stop.sentence, stop.code)
        except DatabaseProblem as problem:
            _end(str(problem), PROBLEMS)
        except KeyboardInterrupt:
            _end("Stopped.", 130)
        except BrokenPipeError:  # the reader has gone; nothing is left to say
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(DONE) from None
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:  # noqa: BLE001  # a traceback could quote a patient, and helps nobody who types
            _end(*_sentence(error))

    return run


def _end_by_exit_on_sigterm() -> None:
    """Let SIGTERM end a command like any exit, so that the embedded database stops with its last user."""
    ours = threading.current_thread() is threading.main_thread()
    if ours and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def _sentence(error: Exception) -> tuple[str, int]:
    """What a person at the command line is told, and the exit code."""
    from django.db import InterfaceError, OperationalError

    from labbridge.backup.seal import BackupProblem
    from labbridge.catalog.sync import SuspiciousListing
    from labbridge.engine.jobs import where
    from labbridge.filing.execute import FilingProblem
    from labbridge.leaving.folder import LeavingProblem
    from labbridge.peers.errors import PeerError
    from labbridge.practices.clients import NotConnected
    from labbridge.practices.config import ConfigProblem
    from labbridge.practices.consent import ConsentProblem
    from labbridge.trust.keys import CannotOpen

    match error:
        case PeerError():
            return f"{error}. {error.advice}", UNREACHABLE if error.retryable else PROBLEMS
        case ConfigProblem():
            return str(error), WRONG_USE
        case (
            BackupProblem()
            | NotConnected()
            | FilingProblem()
            | LeavingProblem()
            | SuspiciousListing()
            | CannotOpen()
            | ConsentProblem()
        ):
            return str(error), PROBLEMS
        case OperationalError() | InterfaceError():
            return (
                "The database cannot be reached. Check LABBRIDGE_DATABASE_URL and that the server runs.",
                PROBLEMS,
            )
        case FileNotFoundError() | IsADirectoryError() | NotADirectoryError() | PermissionError() if (
            error.filename is not None
        ):
            return f"{error.filename} cannot be used: {error.strerror}. Name another file.", WRONG_USE
    # The text of an error that nobody foresaw may quote a patient; its kind and its place do not.
    return (
        f"An error that nobody foresaw: {type(error).__name__} in {where(error)}. Please report it with these words.",
        PROBLEMS,
    )


def _end(sentence: str, code: int) -> NoReturn:
    print(sentence, file=sys.stderr)
    raise typer.Exit(code)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that nobody but the person who asked can read.

    Raises:
        Stop: it cannot be written there.

    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, 0o600)
            file.write(content)
    except OSError as error:
        raise Stop(
            f"{path} cannot be written ({type(error).__name__}). Name another file.", WRONG_USE
        ) from None


def print_json(value: Any) -> None:
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode() + "\n")


def print_json_line(value: Any) -> None:
    """One object on one line, at once: for scripts that read while the command still runs."""
    sys.stdout.write(orjson.dumps(value, default=str).decode() + "\n")
    sys.stdout.flush()


def print_list(
    rows: Sequence[dict[str, Any]], line: Callable[[dict[str, Any]], str], nothing: str, *, as_json: bool
) -> None:  # any: whatever JSON holds
    """All rows as JSON, or a line for each; `nothing` is what a person is told when there is none."""
    if as_json:
        print_json(rows)
        return
    for one in rows:
        print(line(one))
    if not rows:
        print(nothing)


@dataclass(frozen=True)
class Secret:
    """What can be shown once: its name in JSON, the words before it for people, and itself."""

    name: str
    words: str
    text: str = field(repr=False)


def print_made(shown: Mapping[str, Any], said: str, secret: Secret, *, dry_run: bool, as_json: bool) -> None:
    """What was made, in words or as JSON, and its secret; of a dry run what would be, without."""
    if as_json:
        print_json({**shown, "dry_run": dry_run, **({} if dry_run else {secret.name: secret.text})})
        return
    print(said)
    if not dry_run:
        print(f"{secret.words}, shown once: {secret.text}")


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
