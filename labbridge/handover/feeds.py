"""Destinations: adding, pausing, another secret, sending again. Every change is in the audit."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, QuerySet
from django.utils import timezone

from labbridge.handover.hosts import plain_host, service_without_baa, why_no_phi
from labbridge.handover.target import Held, target_of
from labbridge.outbox.models import (
    TEST,
    Agreement,
    DataClass,
    Delivery,
    DeliveryState,
    Destination,
    Fact,
    Kind,
)
from labbridge.outbox.note import wake
from labbridge.peers.http import check_address
from labbridge.practices.models import Practice
from labbridge.trust.audit import Actor, record

SECRET_BYTES = 32  #: Standard Webhooks asks for 24 to 64
OVERLAP = timedelta(hours=24)
LONGEST_OVERLAP = timedelta(days=30)


class FeedProblem(Exception):
    """A destination cannot be made or changed as asked; the sentence says why, and never repeats the address.

    `about` is the attribute of the `Wish` that will not do; "" when it is about none.
    """

    def __init__(self, sentence: str, about: str = "") -> None:
        super().__init__(sentence)
        self.about = about


@dataclass(frozen=True)
class Wish:
    """A destination as somebody wants it."""

    name: str
    url: str
    kinds: Sequence[str]
    data_class: str = DataClass.DEIDENTIFIED
    agreement: Agreement | None = None


@dataclass(frozen=True)
class Made:
    destination: Destination
    secret: str  # shown once


def new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def add(practice: Practice, wish: Wish, *, actor: Actor) -> Made:
    """Make a destination. It hears of what happens from now on.

    Raises:
        FeedProblem: an address, a kind, a name or an agreement that will not do.

    """
    name = wish.name.strip()
    host = _checked(practice, name, wish)
    secret = new_secret()
    with transaction.atomic():
        Practice.objects.select_for_update(no_key=True).get(pk=practice.pk)  # two of one name at once
        if Destination.objects.filter(practice=practice, name=name).exists():
            raise FeedProblem(
                f"{practice.slug} has or had a destination {name!r}: the audit tells them apart by name. "
                "Choose another.",
                "name",
            )
        phi = wish.data_class == DataClass.PHI
        made = Destination.objects.create(
            practice=practice, name=name, host=host, url=wish.url.strip(), data_class=wish.data_class,
            agreement=wish.agreement if phi else None, kinds=sorted(set(wish.kinds)), secret=secret,
            created_by=actor.name[:150],
        )  # fmt: skip
        _record("feed.add", made, actor, data_class=made.data_class, kinds=" ".join(made.kinds))
    return Made(made, secret)


def _checked(practice: Practice, name: str, wish: Wish) -> str:
    """The host that the wish leads to. Raises FeedProblem."""
    if not name or len(name) > 100 or not name.isprintable():
        raise FeedProblem(
            "Give the destination a name of at most 100 characters, such as the program's.", "name"
        )
    unknown = sorted(set(wish.kinds) - set(Kind.values))
    if unknown or not wish.kinds:
        said = f"There is no kind {', '.join(unknown)}." if unknown else "Say what it is to be told of."
        raise FeedProblem(f"{said} Known: {', '.join(Kind.values)}.", "kinds")
    if wish.data_class not in DataClass.values:
        raise FeedProblem(f"The class of data is {' or '.join(DataClass.values)}.", "data_class")
    host = host_of(wish.url)
    if wish.data_class == DataClass.PHI:
        _check_agreement(practice, host, wish.agreement)
    return host


def host_of(url: str) -> str:
    """Raises FeedProblem, without the address."""
    text = url.strip()
    if len(text) > 2000 or not text.isascii() or not text.isprintable() or " " in text:
        raise FeedProblem(
            "The address has letters that addresses do not have, or is too long. Copy it once more.", "url"
        )
    try:
        parsed = check_address(text, allow_http=settings.DEPLOYMENT.allow_http_peers)
    except ValueError:
        raise FeedProblem(
            "The address must begin with https:// and hold no user name. Copy it from the receiving program.",
            "url",
        ) from None
    return plain_host(parsed.host)[:253]


def _check_agreement(practice: Practice, host: str, agreement: Agreement | None) -> None:
    service = service_without_baa(host)
    if service:
        raise FeedProblem(why_no_phi(service), "data_class")
    today = timezone.now().astimezone(practice.zone).date()
    if agreement is None or agreement.practice_id != practice.pk or not agreement.holds(today):
        raise FeedProblem(
            "Patient data goes only where a BAA is on file and in force: record it first (`labbridge baa add`, or "
            "Feeds in the console).",
            "agreement",
        )


def find(practice: Practice, name: str) -> Destination:
    """Raises FeedProblem."""
    found = (
        Destination.objects.select_related("practice", "agreement")
        .filter(practice=practice, name=name.strip(), removed_at=None)
        .first()
    )
    if found is None:
        raise FeedProblem(
            f"{practice.slug} has no destination {name.strip()!r}. `labbridge feed list` shows them."
        )
    return found


def _locked(destination: Destination) -> Destination:
    living = Destination.objects.select_related("practice", "agreement").select_for_update(of=("self",))
    found = living.filter(pk=destination.pk, removed_at=None).first()
    if found is None:
        raise FeedProblem("This destination was removed meanwhile.")
    return found


def _record(
    action: str, destination: Destination, actor: Actor, **detail: Any
) -> None:  # any: `record` looks
    record(
        action, actor=actor, practice=destination.practice, subject=f"destination:{destination.pk}",
        name=destination.name, host=destination.host, **detail,
    )  # fmt: skip


def pause(destination: Destination, *, actor: Actor) -> None:
    """Send nothing until `resume`. What happens meanwhile waits."""
    with transaction.atomic():
        held = _locked(destination)
        if held.paused_at is None:
            held.paused_at, held.paused_why = timezone.now(), f"Paused by {actor.name}."[:300]
            held.save(update_fields=["paused_at", "paused_why"])
            _record("feed.pause", held, actor)


def resume(destination: Destination, *, actor: Actor) -> None:
    """Send again, at once: the breaker is closed too, because a person has looked."""
    with transaction.atomic():
        held = _locked(destination)
        held.paused_at, held.paused_why, held.closed_until = None, "", None
        held.save(update_fields=["paused_at", "paused_why", "closed_until"])
        _waiting(held).update(next_at=timezone.now())
        _record("feed.resume", held, actor)
        wake(held.pk)


def _waiting(destination: Destination) -> QuerySet[Delivery]:
    return Delivery.objects.filter(destination=destination, state=DeliveryState.PENDING)


def rotate(destination: Destination, *, actor: Actor, overlap: timedelta = OVERLAP) -> str:
    """Another secret, shown once. Until the overlap is over, letters are signed with both.

    Raises:
        FeedProblem: the overlap of an earlier rotation still runs, or this one is too long.

    """
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise FeedProblem(f"Both secrets sign for at most {LONGEST_OVERLAP.days} days.")
    now = timezone.now()
    with transaction.atomic():
        held = _locked(destination)
        if overlap and held.old_until and now < held.old_until:
            raise FeedProblem(
                "An earlier change of the secret is not over: the receiver may still use the old one. Wait, or use "
                "an overlap of 0, which ends the old ones at once."
            )
        secret = new_secret()
        held.old_secret, held.old_until = (held.secret, now + overlap) if overlap else (None, None)
        held.secret = secret
        held.save(update_fields=["secret", "old_secret", "old_until"])
        _record("feed.rotate", held, actor, overlap_hours=int(overlap.total_seconds() // 3600))
    return secret


def remove(destination: Destination, *, actor: Actor) -> None:
    """End a destination for good. Its letters stay on file, unsent."""
    with transaction.atomic():
        held = _locked(destination)
        held.removed_at, held.url, held.old_secret = timezone.now(), "", None
        held.save(update_fields=["removed_at", "url", "old_secret"])
        _record("feed.remove", held, actor)


@dataclass(frozen=True)
class Range:
    """What is to be sent again: facts of a span, and of some kinds; `dead` alone: what was given up."""

    since: datetime | None = None
    until: datetime | None = None
    kinds: Sequence[str] = ()
    dead: bool = False


_AGAIN = """
INSERT INTO outbox_delivery (id, destination_id, fact_id, about, state, attempts, next_at, problem)
SELECT gen_random_uuid(), %(destination)s, f.id, f.about, 'pending', 0, %(now)s, '' FROM outbox_fact f
WHERE f.id = ANY(%(facts)s)
ON CONFLICT (destination_id, fact_id) DO UPDATE
  SET state = 'pending', attempts = 0, first_tried_at = NULL, next_at = %(now)s, settled_at = NULL, status = NULL,
      problem = '', recorded_at = NULL, recorded_people = NULL
  WHERE outbox_delivery.state <> 'pending'
"""


def replay(destination: Destination, which: Range, *, actor: Actor) -> int:
    """Send facts again, with the ids that their letters had: a receiver that knows one does nothing twice.

    What happened before the destination was made is sent too, when it lies in the span. Returns how many.

    Raises:
        FeedProblem: an unknown kind, or no span.

    """
    unknown = sorted(set(which.kinds) - set(Kind.values))
    if unknown:
        raise FeedProblem(f"There is no kind {', '.join(unknown)}. Known: {', '.join(Kind.values)}.")
    if not which.dead and which.since is None:
        raise FeedProblem("Say from when on: everything since the beginning is rarely meant.")
    with transaction.atomic():
        held = _locked(destination)
        facts = _facts(held, which)
        with connection.cursor() as cursor:
            cursor.execute(_AGAIN, {"destination": str(held.pk), "facts": facts, "now": timezone.now()})
            count = int(cursor.rowcount)
        _record("feed.replay", held, actor, kinds=" ".join(which.kinds) or "all", letters=count)
        wake(held.pk)
    return count


def _facts(destination: Destination, which: Range) -> list[int]:
    facts = Fact.objects.filter(practice=destination.practice).exclude(kind=TEST)
    if which.dead:
        facts = facts.filter(deliveries__destination=destination, deliveries__state=DeliveryState.DEAD)
    facts = facts.filter(kind__in=which.kinds or destination.kinds)
    if which.since is not None:
        facts = facts.filter(at__gte=which.since)
    if which.until is not None:
        facts = facts.filter(at__lt=which.until)
    return list(facts.select_for_update(of=("self",), no_key=True).values_list("pk", flat=True))


def note_test(destination: Destination, letter: Delivery, *, actor: Actor) -> None:
    _record("feed.test", destination, actor, outcome="failed" if letter.problem else "done")


# -- how it is -----------------------------------------------------------------------------------------------------


def state_of(destination: Destination) -> str:
    """One word: paused, held, failing, or well."""
    now = timezone.now()
    if destination.paused_at:
        return "paused"
    try:
        target_of(destination, now)
    except Held:
        return "held"
    return "failing" if destination.failures else "well"


def waiting_and_dead(destinations: Sequence[Destination]) -> dict[UUID, tuple[int, int]]:
    """How many letters wait, and how many were given up, by destination. Two queries."""
    letters = Delivery.objects.filter(destination__in=destinations).order_by()
    pending, dead = (
        dict(letters.filter(state=state).values_list("destination").annotate(Count("pk")))
        for state in (DeliveryState.PENDING, DeliveryState.DEAD)
    )
    return {one.pk: (pending.get(one.pk, 0), dead.get(one.pk, 0)) for one in destinations}
