"""`jobs list|replay`: work that failed, whether an event stands for it or not."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from labbridge.commands.base import WRONG_USE, AsJson, DryRun, Stop, command, print_counts, print_json

jobs_app = typer.Typer(no_args_is_help=True, help="Background jobs that failed: why, and trying them again.")

STATES = ("dead", "waiting")
State = Annotated[str, typer.Option(help="dead (attempts used up) or waiting (for another attempt).")]


def _row(job: Any) -> dict[str, Any]:
    return {
        "id": job.id,
        "task": job.task,
        "ids": job.ids,
        "state": job.state,
        "attempts": job.attempts,
        "reason": job.reason,
        "failed_at": job.failed_at.isoformat() if job.failed_at else None,
        "again_at": job.again_at.isoformat() if job.again_at else None,
    }


def _select(state: str) -> list[Any]:
    from labbridge.engine import queue

    if state and state not in STATES:
        raise Stop(f"There is no state {state!r}. Known: {', '.join(STATES)}.", WRONG_USE)
    return [job for job in queue.failed() if not state or job.state == state]


@jobs_app.command("list")
@command
def list_jobs(state: State = "", as_json: AsJson = False) -> None:
    """Jobs whose last attempt failed, oldest first."""
    rows = [_row(job) for job in _select(state)]
    if as_json:
        print_json(rows)
        return
    if not rows:
        print("No job has failed.")
    for row in rows:
        when = (row["failed_at"] or "-")[:19]
        about = " ".join(f"{name}={value}" for name, value in row["ids"].items())
        print(f"{when:<19}  {row['id']}  {row['state']:<7}  {row['task']}  {about}  {row['reason']}")


@jobs_app.command("replay")
@command
def replay(
    ids: Annotated[
        list[int] | None, typer.Argument(metavar="[ID]...", help="As `jobs list` shows them.")
    ] = None,
    state: State = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Try failed jobs again now: those named, or all of one state. Harmless for what is done already."""
    from labbridge.engine import queue

    if bool(ids) == bool(state):
        raise Stop("Name jobs, or all of one --state.", WRONG_USE)
    chosen = {job.id for job in _select(state)}
    unknown = set(ids or ()) - chosen
    if unknown:
        named = ", ".join(map(str, sorted(unknown)))
        raise Stop(f"No failed job has the id {named}. `labbridge jobs list` shows the ids.", WRONG_USE)
    chosen &= set(ids or chosen)
    if not dry_run:
        queue.replay(chosen)
    print_counts({"would_replay" if dry_run else "replayed": len(chosen)}, as_json=as_json)
