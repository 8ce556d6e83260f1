"""`events list|show|replay` and `listen`: what arrived and what became of it."""

from __future__ import annotations

import contextlib
import sys
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
    print_list,
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
    print_list(rows, _line, "No events.", as_json=as_json)


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
    from labbridge.trust.audit import operator, record

    event = _find(event_id)
    record("event.read", actor=operator(), practice=event.practice, subject=f"event:{event.pk}")
    found = row(event)
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
    from labbridge.trust.audit import operator, record

    if bool(ids) == bool(state):
        raise Stop("Name events, or all of one --state.", WRONG_USE)
    events = [_find(one) for one in ids] if ids else list(_select(state, "", ""))
    if not dry_run:
        subject = f"event:{events[0].pk}" if len(events) == 1 else ""
        record("event.replay", actor=operator(), subject=subject, count=len(events), state=state or "named")
        for event in events:
            replay_event(event.pk)
    print_counts({"would_replay" if dry_run else "replayed": len(events)}, as_json=as_json)


@command
def listen(
    as_json: AsJson = False,
    seconds: Annotated[float, typer.Option(help="Stop by itself after so long; 0 goes on.")] = 0,
) -> None:
    """Show events as they arrive and change, until Ctrl-C."""
    watch = _Watch()
    end = time.monotonic() + seconds if seconds else None
    with contextlib.suppress(KeyboardInterrupt):  # how a person ends it
        print("Listening. Ctrl-C stops.", file=sys.stderr)
        while end is None or time.monotonic() < end:
            began = time.monotonic()
            for event in watch.changed():
                _print_one(event, as_json=as_json)
            time.sleep(max(0.5, 10 * (time.monotonic() - began)))


class _Watch:
    """What has changed since the last look, by the keys of open events and of those received lately.

    Whole rows are read only of what changed; a look's cost is that of the open events, whatever else is stored.
    """

    def __init__(self) -> None:
        from django.utils import timezone

        self._open = self._read_open()
        self._since = timezone.now()
        self._passed = set[Any]()  # received lately and handled before a look could see them open

    def changed(self) -> Any:
        from datetime import timedelta

        from django.utils import timezone

        from labbridge.inbox.models import Event, EventState

        now = timezone.now()
        opened = self._read_open()
        lately = Event.objects.filter(state=EventState.HANDLED, received_at__gte=self._since)
        passed = set(lately.values_list("pk", flat=True))
        changed = {key for key, state in opened.items() if self._open.get(key) != state}
        changed |= (self._open.keys() - opened.keys()) | (passed - self._passed - self._open.keys())
        self._open, self._passed = opened, passed
        self._since = max(
            self._since, now - timedelta(minutes=1)
        )  # what is stored now may have come a while ago
        return _select("", "", "").filter(pk__in=changed).order_by("received_at", "id") if changed else []

    def _read_open(self) -> dict[Any, str]:
        from labbridge.inbox.models import Event, EventState

        return dict(Event.objects.exclude(state=EventState.HANDLED).order_by().values_list("pk", "state"))


def _print_one(event: Any, *, as_json: bool) -> None:
    import orjson

    line = orjson.dumps(row(event)).decode() if as_json else _line(row(event))
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
