"""`sync`, `backfill`: pulling what the peers hold; they return when it is filed, or say what waits and why."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Annotated, Any

import typer

from labbridge.commands.base import (
    PROBLEMS,
    WRONG_USE,
    AsJson,
    DryRun,
    PracticeSlug,
    Stop,
    command,
    print_counts,
    the_practice,
)

sync_app = typer.Typer(no_args_is_help=True, help="Pull changes from a peer.")


@contextmanager
def progress_bar(what: str, *, quiet: bool) -> Iterator[Any]:
    """A bar on the terminal, on the error stream; none when a script reads."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=quiet or not console.is_terminal,
    ) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total=None: progress.update(task, completed=done, total=total)


@sync_app.command("orders")
@command
def orders(practice: PracticeSlug = "", dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Orders and results from Rupa's own list into Caspio."""
    _pull(practice, None, dry_run=dry_run, as_json=as_json)


@command
def backfill(
    since: Annotated[str, typer.Option(help="First day, as YYYY-MM-DD.")],
    practice: PracticeSlug = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Pull history: every order with a date on or after --since."""
    try:
        first = datetime.strptime(since, "%Y-%m-%d").date()  # noqa: DTZ007  # a day of the practice's calendar
    except ValueError:
        raise Stop(f"--since must be a day such as 2026-01-31, not {since!r}.", WRONG_USE) from None
    _pull(practice, first, dry_run=dry_run, as_json=as_json)


def _pull(slug: str, since: date | None, *, dry_run: bool, as_json: bool) -> None:
    from labbridge.reconcile.orders import pull_orders
    from labbridge.reconcile.settling import settle_practice

    one = the_practice(slug)
    with progress_bar("orders read", quiet=as_json) as progress:
        counts = dict(pull_orders(one, since=since, progress=progress, dry_run=dry_run))
    if not dry_run:
        with progress_bar("orders filed", quiet=as_json) as progress:
            counts.update(settle_practice(one, progress))
    _finish(counts, as_json=as_json, slug=one.slug)


def _finish(counts: dict[str, int], *, as_json: bool, slug: str) -> None:
    from labbridge.reconcile.settling import waiting_reasons

    left = counts.get("waiting") or counts.get("held_up")
    reasons = waiting_reasons(slug) if left else []
    print_counts({**counts, **({"reasons": reasons} if as_json and reasons else {})}, as_json=as_json)
    if not as_json:
        for reason in reasons:
            print(f"waits: {reason}")
    if left:
        raise typer.Exit(PROBLEMS)


@sync_app.command("protocols")
@command
def protocols(practice: PracticeSlug = "", dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """The practice's protocols out of its Caspio tables. Writes nothing there."""
    from labbridge.handlers.protocols import pull_protocols

    print_counts(dict(pull_protocols(the_practice(practice), dry_run=dry_run)), as_json=as_json)


@sync_app.command("catalog")
@command
def catalog(
    practice: PracticeSlug = "",
    force: Annotated[bool, typer.Option(help="Retire tests even if most of the catalogue is gone.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Rupa's lab companies and tests into Caspio. Writes only what changed."""
    from django.db import transaction

    from labbridge.catalog.filing import changed_rows, file_catalog
    from labbridge.catalog.sync import keep_catalog, read_catalog

    one = the_practice(practice)
    with progress_bar("tests read", quiet=as_json) as progress:
        listing = read_catalog(one, progress)
    if dry_run:
        with transaction.atomic():
            changed = keep_catalog(one, listing, force=force)
            would = len(changed_rows(one))
            transaction.set_rollback(True)
        print_counts({"tests_changed": changed, "rows_to_write": would}, as_json=as_json)
        return
    changed = keep_catalog(one, listing, force=force)
    with progress_bar("rows written", quiet=as_json) as progress:
        done = file_catalog(one, progress)
    print_counts({"tests_changed": changed, **done}, as_json=as_json)


@sync_app.command("summaries")
@command
def summaries(practice: PracticeSlug = "", dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """The summary tables in Caspio, now instead of at night. Writes only what changed."""
    from django.db import transaction
    from django.utils import timezone

    from labbridge.analytics.facts import refresh
    from labbridge.analytics.summaries import GROUP, file_summaries, summary_rows
    from labbridge.filing.execute import changed_only

    one = the_practice(practice)
    if dry_run:
        with transaction.atomic():
            refresh(one)
            rows = summary_rows(one, timezone.now().astimezone(one.zone).date())
            would = len(changed_only(one, rows, GROUP))
            transaction.set_rollback(True)
        print_counts({"rows_to_write": would}, as_json=as_json)
        return
    print_counts(dict(file_summaries(one)), as_json=as_json)


@sync_app.command("patients")
@command
def patients(practice: PracticeSlug = "", dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Bring the practice's patients and Rupa's together: linked, created, or a question. Goes on where it was."""
    from labbridge.reconcile.patients import count_links, outcomes, pull_patients
    from labbridge.reconcile.settling import settle_practice

    one = the_practice(practice)
    before = count_links(one)
    with progress_bar("rows read", quiet=as_json) as progress:
        counts = dict(pull_patients(one, dry_run=dry_run, progress=progress))
    if not dry_run:
        with progress_bar("patients and orders done", quiet=as_json) as progress:
            counts.update(settle_practice(one, progress))
        counts.update(outcomes(one, before))
    _finish(counts, as_json=as_json, slug=one.slug)
