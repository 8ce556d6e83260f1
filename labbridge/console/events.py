"""Events and jobs: what arrived and what became of it, failures of one cause together, and having them done again."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from labbridge.accounts.access import access_of, require
from labbridge.alerts.words import PEERS
from labbridge.console import scope
from labbridge.console.failures import Failure, event_failures, events_in, events_of, find, job_failures
from labbridge.console.payload import fields_of
from labbridge.console.scope import Viewer, viewer_of
from labbridge.engine import queue
from labbridge.handlers.connections import replay
from labbridge.handlers.preview import Preview, preview
from labbridge.inbox.models import Event, EventState
from labbridge.mirror.models import Order
from labbridge.mirror.pseudonyms import Side, sides_of
from labbridge.trust.audit import person, record

PER_PAGE = 50
LOOKED_AT = 10  #: events whose replay is tried out for the preview
AT_ONCE = 500  #: events replayed by one press: a longer request would be cut off by a proxy
COLUMNS = ("Received", "Event", "About", "State", "Why")
NOBODY = uuid.UUID(int=0)
TABS = ("", *EventState.values)


@require_GET
@require("events.see")
def event_list(request: HttpRequest) -> HttpResponse:
    viewer = viewer_of(request, "events.see")
    state = request.GET.get("state", "")
    context: dict[str, Any] = {
        "tabs": TABS,
        "state": state,
        "zone_of": viewer.practices[0],
        "q": _asked(request),
    }
    if state in EventState.values or context["q"] or "failure" in request.GET:
        context.update(_listed(request, viewer, state))
    else:
        failures = [*event_failures(viewer, "events.see"), *job_failures(viewer, "events.see")]
        context.update(
            failures=sorted(failures, key=_gravest), may_replay=bool(viewer.at("events.replay")),
            pending=events_of(viewer, "events.see").filter(state=EventState.RECEIVED).count(),
            due=queue.due(),
        )  # fmt: skip
    return render(request, "console/events.html", context)


def _gravest(failure: Failure) -> tuple[bool, float]:
    newest = failure.newest.timestamp() if failure.newest else 0.0
    return failure.state not in {EventState.DEAD, EventState.QUARANTINED}, -newest


def _asked(request: HttpRequest) -> str:
    text = request.GET.get("q", "").strip()
    return text if text.isprintable() and len(text) <= 255 else ""


def _listed(
    request: HttpRequest, viewer: Viewer, state: str
) -> dict[str, Any]:  # any: what the template reads
    """A page of events, newest first; the next one starts behind its last, so that no page costs more."""
    events = events_of(viewer, "events.see").order_by("-received_at", "-id")
    failure = None
    if key := request.GET.get("failure", ""):
        failure = find(viewer, "events.see", key)
        grouped = failure is not None and failure.kind == "events"
        events = events_in(events, failure) if failure is not None and grouped else events.none()
    elif state in EventState.values:
        events = events.filter(state=state)
    if asked := _asked(request):
        named = Q(peer__in=PEERS, external_id=asked)  # with its peer, or no index would find it
        events = events.filter(named | Q(subject__in=[asked, f"order:{asked}"]))
    behind = events_of(viewer, "events.see").filter(pk=_uuid(request.GET.get("after", "")) or NOBODY).first()
    if behind is not None:
        same = Q(received_at=behind.received_at, pk__lt=behind.pk)
        earlier = Q(received_at__lt=behind.received_at) | same
        events = events.filter(earlier, received_at__lte=behind.received_at)
    rows = _newest(events)
    more = rows[PER_PAGE - 1].pk if len(rows) > PER_PAGE else None
    return {"rows": rows[:PER_PAGE], "more": more, "listed": True, "failure": failure, "columns": COLUMNS}


def _newest(events: QuerySet[Event]) -> list[Event]:
    """Of each peer by itself, as the index has them: one practice's events lie far apart among everybody's."""
    found = [event for peer in PEERS for event in events.filter(peer=peer)[: PER_PAGE + 1]]
    return sorted(found, key=lambda one: (one.received_at, one.pk), reverse=True)[: PER_PAGE + 1]


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


@require_http_methods(["GET", "POST"])
@require("events.see")
def event_page(request: HttpRequest, event_id: uuid.UUID) -> HttpResponse:
    """GET shows the payload masked; POST with a reason shows all of it once, to those who may see patients."""
    event = _event(request, event_id)
    practice = event.practice
    may_reveal = bool(practice) and access_of(request).may("events.reveal", practice) if practice else (
        _everywhere(request, "events.reveal")
    )  # fmt: skip
    why = request.POST.get("why", "").strip()[:300]
    if request.method == "POST" and not may_reveal:
        return HttpResponse(status=405)
    revealed = request.method == "POST" and bool(why)
    subject = f"event:{event.pk}"
    if revealed:
        record(
            "event.reveal",
            actor=person(request),
            practice=practice,
            patient=_about(event),
            subject=subject,
            why=why,
        )
    else:
        record("event.read", actor=person(request), practice=practice, subject=subject, why="masked")
    fields = fields_of(event, revealed=revealed)
    context = {
        "event": event, "story": _story(event), "zone_of": practice or access_of(request).memberships[0].practice,
        "fields": [] if isinstance(fields, str) else fields, "unreadable": fields if isinstance(fields, str) else "",
        "revealed": revealed, "may_reveal": may_reveal, "unexplained": request.method == "POST" and not why,
        "may_replay": not event.emptied_at and _may_replay(request, event),
    }  # fmt: skip
    return render(request, "console/event.html", context)


def _event(request: HttpRequest, event_id: uuid.UUID) -> Event:
    event = Event.objects.select_related("practice").filter(pk=event_id).first()
    if event is None or (event.practice is None and not _everywhere(request, "events.see")):
        raise Http404
    if event.practice is not None:
        scope.enter(request, "events.see", event.practice.slug)
    return event


def _everywhere(request: HttpRequest, permission: str) -> bool:
    return Viewer.of(access_of(request), access_of(request).practices(permission)).everywhere


def _may_replay(request: HttpRequest, event: Event) -> bool:
    if event.practice is None:
        return _everywhere(request, "events.replay")
    return access_of(request).may("events.replay", event.practice)


def _about(event: Event) -> tuple[Side, ...]:
    """Whose data the payload holds, as far as the mirror knows."""
    if event.practice is None or not event.subject.startswith("order:"):
        return ()
    external_id = event.subject.removeprefix("order:")
    held = Order.objects.select_related("patient").filter(practice=event.practice, external_id=external_id)
    return sides_of(held.first())


def _story(event: Event) -> list[dict[str, object]]:
    times = f", {event.deliveries} times" if event.deliveries > 1 else ""
    story: list[dict[str, object]] = []
    if event.occurred_at:
        story.append({"at": event.occurred_at, "title": f"Happened at {event.peer.title()}"})
    story.append({"at": event.received_at, "title": f"Arrived{times}"})
    if event.merged_at:
        story.append({"at": event.merged_at, "title": "Taken into the mirror"})
    end = {"at": event.settled_at, "title": event.state.title(), "detail": event.reason}
    tone = {EventState.HANDLED: "good", EventState.RECEIVED: ""}.get(EventState(event.state), "harm")
    if event.settled_at or event.reason:
        story.append({**end, "at": event.settled_at or event.merged_at or event.received_at, "tone": tone})
    return story


# -- doing it again ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Again:
    """What was chosen to be done again."""

    failure: Failure | None
    events: list[Event]
    count: int


@require_http_methods(["GET", "POST"])
@require("events.replay")
def replay_page(request: HttpRequest) -> HttpResponse:
    """GET tries it out and shows what would change; POST does it. `failure`, or `event` once or more often."""
    viewer = viewer_of(request, "events.replay")
    again = _chosen(request, viewer)
    if request.method == "POST":
        return _replay(request, again)
    previews: list[Preview] = [preview(event.pk) for event in again.events[:LOOKED_AT]]
    context = {
        "again": again, "previews": previews, "zone_of": viewer.practices[0], "at_once": AT_ONCE,
        "further": max(0, again.count - len(previews)) if again.events else 0,
        "helped": sum(one.helps for one in previews),
    }  # fmt: skip
    return render(request, "console/replay.html", context)


def _chosen(request: HttpRequest, viewer: Viewer) -> Again:
    if key := request.GET.get("failure", ""):
        failure = find(viewer, "events.replay", key)
        if failure is None or failure.kind == "jobs":
            return Again(failure, [], failure.count if failure else 0)
        return Again(
            failure, list(events_in(events_of(viewer, "events.replay"), failure)[:AT_ONCE]), failure.count
        )
    ids = [one for one in map(_uuid, request.GET.getlist("event")[:AT_ONCE]) if one]
    events = list(events_of(viewer, "events.replay").filter(pk__in=ids))
    return Again(None, events, len(events))


def _replay(request: HttpRequest, again: Again) -> HttpResponse:
    actor = person(request)
    back = redirect(f"{reverse('events')}{_place(request)}")
    if again.failure is not None and again.failure.kind == "jobs":
        jobs = again.failure.jobs
        record("job.replay", actor=actor, practice=scope.chosen(request), count=len(jobs), task=jobs[0].task)
        count = queue.replay([job.id for job in jobs])
        messages.success(request, f"{count} job{'s' if count != 1 else ''} will be tried again now.")
        return back
    if not again.events:
        messages.warning(request, "Nothing to replay: it was mended or replayed meanwhile.")
        return back
    for practice, events in scope.by_practice(again.events, lambda one: one.practice).items():
        subject = f"event:{events[0].pk}" if len(events) == 1 else ""
        record("event.replay", actor=actor, practice=practice, subject=subject, count=len(events))
        for event in events:
            replay(event.pk)
    left = again.count - len(again.events)
    more = f" {left} more of them are left: replay once more." if left > 0 else ""
    messages.success(
        request, f"{len(again.events)} event{'s' if len(again.events) != 1 else ''} replayed.{more}"
    )
    return back


def _place(request: HttpRequest) -> str:
    slug = request.GET.get("practice", "")
    return f"?practice={slug}" if slug and scope.chosen(request) else ""
