"""What handling an event again would change: it is really done, and the transaction rolled back.

Handling touches no peer, so a preview costs no call. Each event is looked at by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import OperationalError, connection, transaction

from labbridge.handlers.table import handler_for
from labbridge.inbox.models import Event, EventState
from labbridge.mirror.models import Order, OrderedTest, Result
from labbridge.trust.keys import CannotOpen

WAIT = "2s"  #: for rows that somebody holds
BUSY = "Somebody works on it at this moment. Look again in a minute."
EMPTIED = "Its contents were removed by the retention policy: it cannot be handled again."
ERASED = "Its contents cannot be opened any more."
ORDER = "order:"
#: Of an order: our field -> its word. None of them tells who the patient is.
SHOWN = {
    "status": "Rupa's status", "phase": "phase", "submitted_at": "submitted", "paid_at": "paid",
    "completed_at": "completed", "canceled_at": "canceled", "source": "source", "is_demo": "training",
}  # fmt: skip


@dataclass(frozen=True)
class Preview:
    """`helps`: whether the event would come further than it is. Nothing in here is patient data."""

    event: Event
    helps: bool
    sentence: str
    changes: tuple[tuple[str, str, str], ...] = ()  # what, before, after


def preview(event_id: UUID) -> Preview:
    event = Event.objects.select_related("practice").get(pk=event_id)
    if event.emptied_at:
        return Preview(event, helps=False, sentence=EMPTIED)
    try:
        after, facts = _handled(event)
    except OperationalError:  # the lock that it waited for, or a deadlock
        return Preview(event, helps=False, sentence=BUSY)
    except CannotOpen:
        return Preview(event, helps=False, sentence=ERASED)
    except Exception as error:  # noqa: BLE001  # whatever breaks is the finding; its text may hold PHI
        return Preview(event, helps=False, sentence=f"It would break again ({type(error).__name__}).")
    before = _facts(after)
    changes = tuple(
        (what, before.get(what, "—"), now) for what, now in facts.items() if before.get(what) != now
    )
    return Preview(event, after.state not in STAY, _sentence(after), changes)


STAY = {EventState.QUARANTINED, EventState.DEAD, EventState.WAITING}


def _handled(event: Event) -> tuple[Event, dict[str, str]]:
    """The event and its order as they would be. Nothing of it stays."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{WAIT}'")
        held = Event.objects.select_for_update(of=("self",)).select_related("practice").get(pk=event.pk)
        held.state, held.merged_at, held.settled_at, held.reason = EventState.RECEIVED, None, None, ""
        held.save(update_fields=["state", "merged_at", "settled_at", "reason"])
        handler_for(held)(held)
        facts = _facts(held)
        transaction.set_rollback(True)
    return held, facts


def _facts(event: Event) -> dict[str, str]:
    if event.practice is None or not event.subject.startswith(ORDER):
        return {}
    external_id = event.subject.removeprefix(ORDER)
    order = Order.objects.filter(practice=event.practice, external_id=external_id).first()
    if order is None:
        return {}
    tests = OrderedTest.objects.filter(order=order, removed=False)
    results = Result.objects.filter(ordered_test__order=order)
    return {
        "order": order.external_id,
        **{word: _word(getattr(order, name), event) for name, word in SHOWN.items()},
        "tests": str(tests.count()),
        "tests with a result": str(tests.filter(results_received_at__isnull=False).count()),
        "result versions": str(results.count()),
        "asks Rupa next": _yes(given=order.pull_queued),
        "files in Caspio next": _yes(given=order.filing_queued),
    }


def _word(value: Any, event: Event) -> str:  # any: an order's field
    if isinstance(value, bool):
        return _yes(given=value)
    if isinstance(value, datetime) and event.practice is not None:
        return value.astimezone(event.practice.zone).strftime("%Y-%m-%d %H:%M")
    return str(value).replace("_", " ") if value not in {None, ""} else "—"


def _yes(*, given: bool) -> str:
    return "yes" if given else "no"


def _sentence(event: Event) -> str:
    if event.state in STAY:
        return f"It would stay {event.state}: {event.reason}"
    if event.state == EventState.HANDLED:
        return event.reason or "It would be done at once: nothing is left to file."
    if event.subject.startswith(ORDER):
        return "Its order is brought up to date, and Caspio after it."
    return "It is taken, and what it names is read again."
