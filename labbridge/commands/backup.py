"""`backup`, `restore`: the whole database into one sealed file and back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from labbridge.commands.base import (
    WRONG_USE,
    AsJson,
    DryRun,
    PracticeSlug,
    Stop,
    command,
    command_before_tables,
    print_json,
    the_practice,
)


@command
def backup(
    target: Annotated[
        Path | None, typer.Argument(metavar="[FILE|DIR]", help="LABBRIDGE_BACKUP_DIR when left out.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE when it is there.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Save the whole database, sealed and proven readable, while the service runs.

    The keys that open it are not in it: keep a copy of them elsewhere (docs/backup.md).
    """
    from django.conf import settings
    from django.utils import timezone

    from labbridge.backup.store import make, target_for

    place = target or settings.DEPLOYMENT.backup_dir
    if place is None:
        raise Stop("Say where: `labbridge backup FILE`, or set LABBRIDGE_BACKUP_DIR.", WRONG_USE)
    now = timezone.now()
    path = target_for(place.absolute(), now)
    if path.exists() and not force:
        raise Stop(f"{path} is there already. Choose another name, or add --force.", WRONG_USE)
    if dry_run:
        shown = {"file": str(path), "dry_run": True}
    else:
        made = make(path, now)
        shown = {
            "file": str(made.path),
            "bytes": made.size,
            "seconds": round(made.seconds, 2),
            "dry_run": False,
        }
    if as_json:
        print_json(shown)
    elif dry_run:
        print(f"would write {path}")
    else:
        print(f"{shown['file']}: {shown['bytes']:,} bytes in {shown['seconds']} s, read back and proven.")
        print(
            f"It opens only with this deployment's encryption keys, which are not in it. {_where_keys_are()}"
        )


def _where_keys_are() -> str:
    from django.conf import settings

    if settings.DEPLOYMENT.encryption_keys:
        return "Keep a copy of LABBRIDGE_ENCRYPTION_KEYS apart from it."
    return f"Keep a copy of {settings.DEPLOYMENT.data_dir / 'keys'} apart from it."


def _tell_outside(why: str) -> None:
    """The chains of audit and ledger are those of the backup again: heads anchored since no longer hold."""
    from labbridge.practices.models import Practice
    from labbridge.reconcile.ledger import note_restart
    from labbridge.trust.sealing import restarted

    problems = [note_restart(practice, why) for practice in Practice.objects.all()]
    try:
        restarted(why)
    except OSError as error:
        problems.append(
            f"The audit could not be anchored: the anchor file cannot be written ({error.strerror})."
        )
    for problem in dict.fromkeys(filter(None, problems)):
        print(problem, file=sys.stderr)


def _recall_all() -> dict[str, Any]:
    """By practice: counts, or a sentence why it must be done later."""
    from labbridge.peers.errors import PeerError
    from labbridge.practices.clients import NotConnected
    from labbridge.practices.models import Practice
    from labbridge.reconcile.recall import recall as recall_versions

    found: dict[str, Any] = {}
    for practice in Practice.objects.all():
        try:
            found[practice.slug] = dict(recall_versions(practice))
        except (PeerError, NotConnected) as error:
            found[practice.slug] = (
                f"{error} Run `labbridge recall -p {practice.slug}` before `labbridge serve`."
            )
    return found


def _recalled_words(counts: dict[str, int]) -> str:
    if counts.get("not_connected"):
        return (
            "Rupa must be connected again. To keep older versions of results that were amended since the backup, run "
            "`labbridge rupa connect` with `labbridge web`, then `labbridge recall`, then start the worker."
        )
    return f"{counts.get('recalled', 0)} versions of results were learnt from Caspio."


@command
def recall(practice: PracticeSlug = "", as_json: AsJson = False) -> None:
    """After a restore and before any worker: learn from Caspio which versions of results were filed since."""
    from labbridge.reconcile.recall import recall as recall_versions

    counts = dict(recall_versions(the_practice(practice)))
    if as_json:
        print_json(counts)
    else:
        print(_recalled_words(counts))


@command_before_tables
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE")],
    force: Annotated[
        bool, typer.Option("--force", help="Replace everything in a database that is in use.")
    ] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Put a backup into an empty database (another LABBRIDGE_DATA_DIR). --dry-run only proves the file."""
    from labbridge.backup.store import restore as put_back
    from labbridge.commands.base import bring_up_to_date
    from labbridge.database import DatabaseInUse, service_lock
    from labbridge.settings import DEPLOYMENT
    from labbridge.trust.audit import operator, record

    recalled: dict[str, Any] = {}
    try:
        with service_lock(DEPLOYMENT.data_dir):
            header = put_back(file, force=force, dry_run=dry_run)
            if not dry_run:
                bring_up_to_date()
                record("backup.restore", actor=operator(), made_at=str(header.facts.get("made_at")))
                _tell_outside(f"The backup of {header.facts.get('made_at')} was restored.")
                recalled = _recall_all()
    except DatabaseInUse as problem:
        raise Stop(str(problem), WRONG_USE) from None
    if as_json:
        facts = {name: header.facts.get(name) for name in ("made_at", "version", "postgresql")}
        print_json({**facts, "dry_run": dry_run, "recalled": recalled})
        return
    verb = "would restore" if dry_run else "Restored"
    print(f"{verb} the state of {header.facts.get('made_at')} (Labbridge {header.facts.get('version')}).")
    for slug, outcome in recalled.items():
        print(f"{slug}: {outcome if isinstance(outcome, str) else _recalled_words(outcome)}")
    if not dry_run:
        print(
            "Next: `labbridge doctor` (connections to renew), then `labbridge serve` and `labbridge sweep`,"
        )
        print("which brings what the peers have kept since. See docs/backup.md.")
