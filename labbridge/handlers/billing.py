"""Billing as people use it: one transaction for the word, its evidence, the audit and the filing that follows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

from django.db import transaction
from django.utils import timezone

from labbridge.billing.details import Details, enter
from labbridge.billing.models import Sending, Source, Superbill
from labbridge.billing.states import TRACKS, CannotSay, Said, check, current, say
from labbridge.billing.superbill import Draft, Incomplete, make
from labbridge.engine.locks import exclusive
from labbridge.handlers.settle import queue_filing
from labbridge.mirror.models import Order
from labbridge.mirror.pseudonyms import sides_of
from labbridge.practices.models import Practice
from labbridge.trust.audit import Actor, record

RECEIVERS = ("patient", "administrator", "insurer")
WAYS = ("portal", "email", "post", "fax", "hand")


@contextmanager
def held(order: Order, *, dry_run: bool = False) -> Iterator[Order]:
    """The order as it is now, its row locked, in one transaction; filed afterwards if it moved."""
    with transaction.atomic():
        rows = Order.objects.select_related("practice", "patient").select_for_update(of=("self",))
        now = rows.get(pk=order.pk)
        before = now.revision
        yield now
        if now.revision > before:
            queue_filing(now)
        if dry_run:
            transaction.set_rollback(True)


def today(practice: Practice) -> date:
    return timezone.now().astimezone(practice.zone).date()


def set_words(
    order: Order, words: list[Said], entered: Details | None, *, actor: Actor, dry_run: bool = False
) -> list[str]:
    """Say several words and enter details, all or none. Returns what changed, in words without patient data.

    Raises:
        CannotSay: one of them does not fit; nothing is changed.

    """
    changed = []
    with held(order, dry_run=dry_run) as now:
        for said in words:
            if said.word in TRACKS[said.track].by_command:
                raise CannotSay(f"{said.word!r} is set by `labbridge billing superbill` alone.")
            if said.on > today(now.practice):
                raise CannotSay("What has been said cannot lie in the future.")
            before = current(now, said.track)
            if say(now, said):
                changed.append(f"{said.track}: {before or 'nothing said'} -> {said.word}")
                _record("money.set", now, actor, track=said.track, word=said.word, said_by=str(said.source))
        if entered:
            enter(now, entered, source=Source.STAFF, on=today(now.practice), by=actor.name)
            changed.append("details for the superbill")
            _record("money.set", now, actor, track="details", word="entered", said_by="staff")
    return changed


def issue(order: Order, *, actor: Actor) -> tuple[Superbill, bool]:
    """Make the superbill, or give the one that says the same already.

    Raises:
        Incomplete: with all that is missing.

    """
    with (
        exclusive(f"superbills:{order.practice_id}"),
        held(order) as now,
    ):  # numbers without gaps, one after another
        made, new = make(now, actor.name)
        if new:
            say(now, Said("superbill", "issued", Source.STAFF, today(now.practice), actor.name))
            _record("superbill.make", now, actor, number=made.number, version=made.version)
    return made, new


def can_issue(order: Order) -> list[str]:
    """What is missing for a superbill."""
    try:
        Draft(order).content()
    except Incomplete as incomplete:
        return incomplete.missing
    return []


def sent(order: Order, *, receiver: str, way: str, on: date, actor: Actor, dry_run: bool = False) -> Sending:
    """Note that the newest superbill went to somebody.

    Raises:
        CannotSay: there is none, or it was voided.

    """
    with held(order, dry_run=dry_run) as now:
        said = Said("superbill", "sent", Source.STAFF, on, actor.name)
        check(now, said, current(now, "superbill"))
        if on > today(now.practice):
            raise CannotSay("What has been sent cannot lie in the future.")
        newest = Superbill.objects.filter(order=now).latest("version")
        made = Sending.objects.create(
            superbill=newest, receiver=receiver, way=way, sent_on=on, recorded_by=actor.name
        )
        say(now, said)
        _record(
            "superbill.send", now, actor, to=receiver, way=way, number=newest.number, version=newest.version
        )
    return made


def _record(
    action: str, order: Order, actor: Actor, **detail: Any
) -> None:  # any: short words and numbers, as `record` takes them
    record(
        action, actor=actor, practice=order.practice, patient=sides_of(order), subject=f"order:{order.pk}",
        why="payment", **detail,
    )  # fmt: skip
