"""`events list|show|replay` and `listen`: what arrived and what became of it."""

from __future__ import annotations

import contextlib
import time
from typing import Annotated, Any

import typer

from labbridge.commands.base import (
    WRONG_USE,
    AsJson,
    DryRun,
    Stop,
    command,
    print_counts,
    print_json,
    the_practice,
)

events_app = typer.Typer(no_args_is_help=True, help="Events: what arrived, what became of it.")

PEERS = ("caspio", "rupa")
State = Annotated[str, typer.Option(help="received, handled, waiting, quarantined or dead.")]
Limit = Annotated[int, typer.Option(min=1, max=100_000, help="At most this many, newest last.")]


def row(event: Any) -> dict[str, Any]:
    """One event as `events list --json` gives it (design.md 6.1)."""
    return {
        "id": str(event.pk),
        "peer": event.peer,
        "type": event.type,
        "external_id": event.external_id,
        "practice": event.practice.slug if event.practice else None,
        "received_at": event.received_at.isoformat(),
        "state": event.state,
        "reason": event.reason,
        "subject": event.subject,
        "deliveries": event.deliveries,
    }


def _select(state: str, practice: str, peer: str) -> Any:
    from labbridge.inbox.models import Event, EventState

    if state and state not in EventState.values:
        raise Stop(f"There is no state {state!r}. Known: {', '.join(EventState.values)}.", WRONG_USE)
    events = Event.objects.select_related("practice").defer("body")
    if state:
        events = events.filter(state=state)
    if practice:
        events = events.filter(practice=the_practice(practice))
    if peer and peer not in PEERS:
        raise Stop(f"There is no peer {peer!r}. Known: {', '.join(PEERS)}.", WRONG_USE)
    if peer:
        events = events.filter(peer=peer)
    return events


@events_app.command("list")
@command
def list_events(
    state: State = "",
    practice: Annotated[str, typer.Option(help="Slug of a practice.")] = "",
    peer: Annotated[str, typer.Option(help="rupa or caspio.")] = "",
    limit: Limit = 1000,
    as_json: AsJson = False,
) -> None:
    """Events, oldest first."""
    newest = _select(state, practice, peer).order_by("-received_at", "-id")[:limit]
    rows = [row(event) for event in reversed(newest)]
    if as_json:
        print_json(rows)
        return
    if not rows:
        print("No events.")
    for one in rows:
        print(_line(one))


def _line(one: dict[str, Any]) -> str:
    where = one["practice"] or "-"
    reason = f"  {one['reason']}" if one["reason"] else ""
    when = one["received_at"][:19]
    return f"{when}  {one['id']}  {one['state']:<11}  {where}  {one['type']}  {one['subject']}{reason}"


@events_app.command("show")
@command
def show(
    event_id: Annotated[str, typer.Argument(metavar="ID", help="Our id or the peer's.")],
    as_json: AsJson = False,
) -> None:
    """One event without its payload, which holds patient data."""
    found = row(_find(event_id))
    if as_json:
        print_json(found)
        return
    for name, value in found.items():
        print(f"{name:<12} {value if value is not None else '-'}")


def _find(event_id: str) -> Any:
    import uuid

    from labbridge.inbox.models import Event

    events = Event.objects.select_related("practice")
    try:
        found = events.filter(pk=uuid.UUID(event_id)).first()
    except ValueError:
        found = None
    if found is None and event_id.isprintable():  # bytes of a terminal that are no text are no id
        found = events.filter(external_id=event_id).first()
    if found is None:
        raise Stop("There is no such event. `labbridge events list` shows the ids.", WRONG_USE)
    return found


@events_app.command("replay")
@command
def replay(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Our ids or the peer's.")] = None,
    state: State = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Handle events again: those named, or all of one state. Harmless for what is filed already."""
    from labbridge.handlers.connections import replay as replay_event

    if bool(ids) == bool(state):
        raise Stop("Name events, or all of one --state.", WRONG_USE)
    events = [_find(one) for one in ids] if ids else list(_select(state, "", ""))
    if not dry_run:
        for event in events:
            replay_event(event.pk)
    print_counts({"would_replay" if dry_run else "replayed": len(events)}, as_json=as_json)


@command
def listen(
    as_json: AsJson = False,
    seconds: Annotated[float, typer.Option(help="Stop by itself after so long; 0 goes on.")] = 0,
) -> None:
    """Show events as they arrive and change, until Ctrl-C."""
    from django.db.models import Q
    from django.utils import timezone

    from labbridge.inbox.models import Event, EventState

    since = timezone.now()
    known = dict(Event.objects.exclude(state=EventState.HANDLED).values_list("pk", "state"))
    end = time.monotonic() + seconds if seconds else None
    with contextlib.suppress(KeyboardInterrupt):  # how a person ends it
        while end is None or time.monotonic() < end:
            watched = Q(received_at__gte=since) | Q(pk__in=list(known)) | ~Q(state=EventState.HANDLED)
            for event in _select("", "", "").filter(watched).order_by("received_at", "id"):
                if known.get(event.pk) != event.state:
                    known[event.pk] = event.state
                    _print_one(event, as_json=as_json)
            time.sleep(0.5)


def _print_one(event: Any, *, as_json: bool) -> None:
    import sys

    import orjson

    line = orjson.dumps(row(event)).decode() if as_json else _line(row(event))
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
