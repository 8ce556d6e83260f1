"""`sweep`: compare with both peers, repair, and write the ledger."""

from __future__ import annotations

import time
from collections import Counter
from typing import Annotated, Any

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
    the_practice,
)
from labbridge.commands.sync import progress_bar

Force = Annotated[
    bool, typer.Option(help="Repair even if most of a practice's records have changed at once.")
]
Full = Annotated[bool, typer.Option(help="Compare every row and every result file, however many there are.")]
WAIT_SECONDS = 600.0  #: for another sweep of the same practice
FIGURES = ("listed", "held", "filed", "in_review", "rejected", "repaired", "difference")


@command
def sweep(
    practice: PracticeSlug = "",
    dry_run: DryRun = False,
    force: Force = False,
    full: Full = False,
    as_json: AsJson = False,
) -> None:
    """Find what webhooks missed and what was changed in Caspio, repair it, and write the completeness ledger.

    All practices, or the one named. Exit code 0: all is right or was repaired; 1: something is left for a person;
    3: a peer cannot be reached.
    """
    from labbridge.practices.models import Practice

    practices = [the_practice(practice)] if practice else list(Practice.objects.all()) or [the_practice("")]
    reports, codes = [], []
    for one in practices:
        report, code = _sweep(one, dry_run=dry_run, force=force, full=full, quiet=as_json)
        reports.append(report)
        codes.append(code)
    if as_json:
        print_json(reports[0] if len(reports) == 1 else _together(reports))
    else:
        for report in reports:
            _tell(report, dry_run=dry_run)
    if any(codes):
        raise typer.Exit(max(codes))


def _sweep(
    practice: Any, *, dry_run: bool, force: bool, full: bool, quiet: bool
) -> tuple[dict[str, Any], int]:
    """The summary of one practice, and its exit code; a problem with one does not keep the others back."""
    from labbridge.peers.errors import PeerError
    from labbridge.practices.clients import NotConnected
    from labbridge.reconcile.depth import ASKED, FULL
    from labbridge.reconcile.sweep import look

    depth = FULL if full else ASKED
    try:
        with progress_bar(f"{practice.slug}: compared", quiet=quiet) as progress:
            if dry_run:
                report = look(practice, depth, lambda _what, count: progress(count))
            else:
                report = _repaired(practice, depth, force=force, progress=progress)
    except PeerError as error:
        code = UNREACHABLE if error.retryable else PROBLEMS
        return _failed(practice, f"{error}. {error.advice}"), code
    except NotConnected as error:
        return _failed(practice, str(error)), PROBLEMS
    return report.summary(), 0 if report.all_right else PROBLEMS


def _failed(practice: Any, sentence: str) -> dict[str, Any]:
    return {"practice": practice.slug, "left": [sentence]}


def _repaired(practice: Any, depth: Any, *, force: bool, progress: Any) -> Any:
    from labbridge.reconcile.settling import settle_practice
    from labbridge.reconcile.sweep import Sweeping, alone, reasons
    from labbridge.trust import audit

    end = time.monotonic() + WAIT_SECONDS
    while True:
        with alone(practice) as free:
            if free:
                sweeping = Sweeping(practice, depth, force=force, actor=audit.operator())
                sweeping.free_events()
                settle_practice(practice)  # what is under way is no difference
                sweeping.repair(lambda _what, count: progress(count))
                settled = settle_practice(practice, progress)
                report = sweeping.finish()
                report.counts["waiting"] = settled["waiting"]
                report.left += [sentence for sentence in reasons(practice) if settled["waiting"]]
                return report
        if time.monotonic() > end:
            raise Stop(f"Another sweep of {practice.slug} has been running for ten minutes. Try again later.")
        time.sleep(0.5)


def _together(reports: list[dict[str, Any]]) -> dict[str, Any]:
    """Sums over practices, and each by itself."""
    sums: Counter[str] = Counter()
    for report in reports:
        sums.update({name: value for name, value in report.items() if type(value) is int})
    left = [f"{report['practice']}: {sentence}" for report in reports for sentence in report["left"]]
    return {**sums, "left": left, "practices": reports}


def _tell(report: dict[str, Any], *, dry_run: bool) -> None:
    print(f"{report['practice']}:")
    for name, value in report.items():
        if type(value) is int and (value or name in FIGURES):
            print(f"  {name.replace('_', ' ')}: {value}")
    if report.get("ended"):
        print(
            "  The practice has ended its connection to Rupa: nothing is compared, and what was filed stays."
        )
    for sentence in report.get("differences", []):
        print(f"  {'would repair' if dry_run else 'differs'}: {sentence}")
    for sentence in report["left"]:
        print(f"  left for a person: {sentence}")
