"""Feeds: who is told what happens, how they are, what waits for them; agreements that let patient data go there.

Nothing here opens patient data: letters are shown by kind, state and reason, and what one looks like is invented.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from labbridge.accounts.access import access_of, require
from labbridge.accounts.proof import step_up
from labbridge.console import scope
from labbridge.console.forms import AgreementForm, EndForm, FeedForm
from labbridge.handover import agreements, feeds
from labbridge.handover.agreements import AgreementProblem, Signed
from labbridge.handover.carry import LIFE, try_out
from labbridge.handover.feeds import FeedProblem, Range, Wish
from labbridge.handover.preview import example
from labbridge.handover.target import Held
from labbridge.outbox.models import TEST, Agreement, DataClass, Delivery, DeliveryState, Destination, Kind
from labbridge.practices.models import Practice
from labbridge.trust.audit import person

MANAGE = "feeds.manage"
LETTERS = 30  #: shown of one destination, newest first
HOURS = {"24": "the last day", "72": "the last three days", "168": "the last week", "720": "the last 30 days"}

#: A state of a destination: the tag's tone, and what it means in a sentence.
STATES = {
    "well": ("complete", "It takes what it is sent."),
    "failing": (
        "dead",
        "It does not take what it is sent. Nothing is lost: what waits goes by itself when it is well.",
    ),
    "paused": ("wait", "It is paused. What happens meanwhile waits."),
    "held": ("dead", "Nothing may be sent to it now. What happens meanwhile waits."),
}
LETTER_STATES = {
    DeliveryState.PENDING: ("wait", "waits"), DeliveryState.DELIVERED: ("complete", "taken"),
    DeliveryState.DEAD: ("dead", "given up"), DeliveryState.WITHDRAWN: ("", "not sent"),
}  # fmt: skip


@dataclass(frozen=True)
class Line:
    destination: Destination
    state: str
    tone: str
    sentence: str
    waiting: int
    dead: int


def _lines(destinations: Sequence[Destination]) -> list[Line]:
    letters = feeds.waiting_and_dead(destinations)
    return [_line(one, *letters[one.pk]) for one in destinations]


def _line(destination: Destination, waiting: int, dead: int) -> Line:
    state = feeds.state_of(destination)
    tone, sentence = STATES[state]
    why = destination.paused_why or destination.problem
    return Line(destination, state, tone, why or sentence, waiting, dead)


@require_GET
@require(MANAGE)
def feed_list(request: HttpRequest) -> HttpResponse:
    viewer = scope.viewer_of(request, MANAGE)
    living = Destination.objects.filter(practice__in=viewer.practices, removed_at=None)
    held = Agreement.objects.filter(practice__in=viewer.practices).select_related("practice")
    context = {
        "lines": _lines(list(living.select_related("practice", "agreement"))),
        "agreements": [(one, _force(one)) for one in held],
        "zone_of": viewer.practices[0],
        "several": len(viewer.practices) > 1,
    }
    return render(request, "console/feeds.html", context)


def _force(one: Agreement) -> tuple[str, str]:
    today = timezone.now().astimezone(one.practice.zone).date()
    if one.holds(today):
        return "complete", "in force"
    return "dead", "ended" if one.ended_at else "over" if one.expires_on < today else "not yet"


# -- adding --------------------------------------------------------------------------------------------------------


def _practice(request: HttpRequest) -> Practice:
    """Where something is added: the practice that the form names, else the only one."""
    slug = request.POST.get("practice") or request.GET.get("practice", "")
    mine = access_of(request).practices(MANAGE)
    return scope.enter(request, MANAGE, slug or mine[0].slug)


@require_http_methods(["GET", "POST"])
@require(MANAGE)
@step_up
def feed_add(request: HttpRequest) -> HttpResponse:
    practice = _practice(request)
    today = timezone.now().astimezone(practice.zone).date()
    parties = sorted({one.party for one in Agreement.objects.filter(practice=practice) if one.holds(today)})
    form = FeedForm(parties, request.POST or None)
    if form.is_valid():
        try:
            made = feeds.add(practice, _wish(form.cleaned_data, practice), actor=person(request))
        except FeedProblem as refused:
            form.refuse(refused, form.ABOUT.get(refused.about, refused.about))
        except AgreementProblem as refused:
            form.refuse(refused, "class")
        else:
            return _page(request, made.destination, secret=made.secret)
    context = {
        "practice": practice, "choices": access_of(request).practices(MANAGE), "parties": parties, "form": form,
    }  # fmt: skip
    return render(request, "console/feed_add.html", context)


def _wish(asked: dict[str, Any], practice: Practice) -> Wish:  # any: what a form makes of it
    phi = asked["class"] == DataClass.PHI
    agreement = agreements.in_force(practice, asked["party"]) if phi and asked["party"] else None
    return Wish(asked["name"], asked["url"], asked["kind"], asked["class"], agreement)


@require_http_methods(["GET", "POST"])
@require(MANAGE)
@step_up
def agreement_add(request: HttpRequest) -> HttpResponse:
    """Put a BAA on file, or end one. The document is read once, for its hash, and not kept."""
    practice = _practice(request)
    held = Agreement.objects.filter(practice=practice, ended_at=None)
    parties = sorted(set(held.values_list("party", flat=True)))
    ends = request.POST.get("deed") == "end"
    form = AgreementForm(None if ends else request.POST or None, request.FILES or None)
    ending = EndForm(parties, request.POST if ends else None)
    try:
        if ending.is_valid():
            agreements.end(practice, ending.cleaned_data["party"], actor=person(request))
            messages.success(request, "Ended. What depends on it is held until a new one is on file.")
            return redirect(_back(request, practice))
        if not ends and form.is_valid():
            agreements.record_agreement(practice, _signed(form.cleaned_data), actor=person(request))
            messages.success(
                request,
                "It is on file. Patient data may go to this company now, where a destination or a key says so.",
            )
            return redirect(_back(request, practice))
    except AgreementProblem as refused:
        (ending if ends else form).refuse(refused, refused.about)
    context = {
        "practice": practice, "choices": access_of(request).practices(MANAGE), "form": form, "ending": ending,
        "parties": parties,
    }  # fmt: skip
    return render(request, "console/agreement_add.html", context)


def _signed(said: dict[str, Any]) -> Signed:  # any: what a form makes of it
    digest = agreements.digest_of(said["document"].read())
    return Signed(said["party"], said["signed_on"], said["expires_on"], digest)


def _back(request: HttpRequest, practice: Practice) -> str:
    several = len(access_of(request).memberships) > 1
    return f"{reverse('feeds')}?practice={practice.slug}" if several else reverse("feeds")


# -- one destination -----------------------------------------------------------------------------------------------


def _destination(request: HttpRequest, feed_id: uuid.UUID) -> Destination:
    living = Destination.objects.select_related("practice", "agreement").filter(removed_at=None)
    found = living.filter(pk=feed_id).first()
    if found is None:
        raise Http404
    scope.enter(request, MANAGE, found.practice.slug)
    return found


@require_GET
@require(MANAGE)
def feed_page(request: HttpRequest, feed_id: uuid.UUID) -> HttpResponse:
    return _page(request, _destination(request, feed_id))


def _page(request: HttpRequest, destination: Destination, *, secret: str = "") -> HttpResponse:
    letters = Delivery.objects.filter(destination=destination).select_related("fact").order_by("-fact_id")
    until = destination.old_until
    kinds = [*destination.kinds, TEST]
    context = {
        "line": _lines([destination])[0], "one": destination, "secret": secret, "life": LIFE.total_seconds() // 3600,
        "letters": [(one, *LETTER_STATES[DeliveryState(one.state)]) for one in letters[:LETTERS]],
        "hours": HOURS,
        "kinds": [(kind, label) for kind, label in Kind.choices if kind in destination.kinds],
        "samples": [(kind, list(_flat(example(kind, destination.data_class)))) for kind in kinds],
        "both_until": until if until and until > timezone.now() else None,
    }  # fmt: skip
    return render(request, "console/feed.html", context)


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Fields as a form of another program names them: `data.order.id`."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _flat(part, f"{name}.{key}" if name else key)
    else:
        yield name, value


@require(MANAGE)
@require_POST
def feed_act(request: HttpRequest, feed_id: uuid.UUID) -> HttpResponse:
    """`deed` is pause, resume, test, replay, replay-dead or remove."""
    destination = _destination(request, feed_id)
    try:
        said, removed = _act(request, destination, request.POST.get("deed", ""))
    except (FeedProblem, Held) as problem:
        messages.error(request, str(problem))
        return redirect("feed", feed_id=destination.pk)
    messages.success(request, said)
    return (
        redirect(_back(request, destination.practice))
        if removed
        else redirect("feed", feed_id=destination.pk)
    )


def _act(request: HttpRequest, destination: Destination, deed: str) -> tuple[str, bool]:
    actor = person(request)
    match deed:
        case "pause":
            feeds.pause(destination, actor=actor)
            return "Paused. What happens meanwhile waits.", False
        case "resume":
            feeds.resume(destination, actor=actor)
            return "Resumed. What waited goes now.", False
        case "remove":
            feeds.remove(destination, actor=actor)
            return f"{destination.name} is told nothing any more.", True
        case "test":
            return _test(request, destination), False
        case "replay" | "replay-dead":
            count = feeds.replay(destination, _range(request, dead=deed == "replay-dead"), actor=actor)
            return f"{count} letters are on their way again, with the ids that they had.", False
        case _:
            raise FeedProblem("That cannot be done here.")


def _test(request: HttpRequest, destination: Destination) -> str:
    letter = try_out(destination)
    feeds.note_test(destination, letter, actor=person(request))
    if letter.problem:
        raise FeedProblem(f"It did not take the test. {letter.problem}")
    return f"It took the test (answered {letter.status})."


def _range(request: HttpRequest, *, dead: bool) -> Range:
    if dead:
        return Range(dead=True)
    hours = request.POST.get("hours", "")
    since: datetime | None = timezone.now() - timedelta(hours=int(hours)) if hours in HOURS else None
    kind = request.POST.get("kind", "")
    return Range(since=since, kinds=[kind] if kind else ())


@require_http_methods(["GET", "POST"])
@require(MANAGE)
@step_up
def feed_rotate(request: HttpRequest, feed_id: uuid.UUID) -> HttpResponse:
    """GET says what happens; POST gives another secret and shows it once."""
    destination = _destination(request, feed_id)
    if request.method == "GET":
        return render(request, "console/feed_rotate.html", {"one": destination})
    overlap = timedelta(0) if request.POST.get("at_once") else feeds.OVERLAP
    try:
        secret = feeds.rotate(destination, actor=person(request), overlap=overlap)
    except FeedProblem as problem:
        messages.error(request, str(problem))
        return redirect("feed", feed_id=destination.pk)
    return _page(request, _destination(request, feed_id), secret=secret)
