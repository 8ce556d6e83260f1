"""Carrying letters to one destination: in order for each thing, for three days and more, and never in another's way.

- One destination is one lane: its jobs run one by one, so at most one of a worker's threads waits for it.
- All destinations that fail or answer slowly share one more lane (`TROUBLED`): however many are dead, together they
  hold one thread.
- A letter waits while an earlier one about the same thing waits. After `LIFE` it is dead, which holds nobody up and
  never expires.
- After `FAILURES` failures in a row the destination is left alone for a while (the circuit breaker); one letter then
  tries whether it is well, and if so all go at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone
from standardwebhooks import Webhook

from labbridge.engine.jobs import NotYet, where
from labbridge.engine.locks import try_exclusive
from labbridge.engine.retry import RetryPolicy
from labbridge.handover.letters import Gone, deidentified_body, phi_body
from labbridge.handover.target import DeidentifiedTarget, Held, PhiTarget, Target, target_of
from labbridge.outbox.models import TEST, Delivery, DeliveryState, Destination, Fact
from labbridge.outbox.note import wake
from labbridge.peers.errors import PeerError
from labbridge.peers.guard import PRIVATE, UNKNOWN, Receiver, Resolve, resolve
from labbridge.trust.audit import job, pseudonym, record
from labbridge.trust.keys import keyring

log = structlog.get_logger()

#: The waits between the tries of one letter: half a minute at first, four hours at most, a fifth more or less.
SCHEDULE = RetryPolicy(first=timedelta(seconds=30), cap=timedelta(hours=4), jitter=0.2)
LIFE = timedelta(hours=80)  #: from the first try to the earliest last one
FAILURES = 5
CLOSED = RetryPolicy(first=timedelta(minutes=1), cap=timedelta(minutes=30), jitter=0.2)
AT_ONCE = 50  #: letters looked up together
TURN = 20.0  #: seconds after which a lane lets other work come first
TROUBLED = "feed:troubled"
NEWS = timedelta(seconds=10)  #: how exactly it is remembered when a destination last took something
SLOW = 2.0  #: seconds for one answer: such a destination waits among those in trouble

#: Answers about this letter, and none about the receiver's health.
REFUSALS = frozenset({400, 409, 411, 413, 415, 422})
GONE = 410  #: Standard Webhooks: the receiver wants no more of them
UNWRITABLE = "This letter cannot be written here: what it speaks of does not open, or is a fault of ours."
CARRIER = job("carry_letters")

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Post:
    """How letters travel; tests give another clock, resolver or patience."""

    clock: Clock = timezone.now
    resolving: Resolve = resolve
    seconds: float = Receiver.SECONDS


def carry(destination_id: str, post: Post = Post()) -> None:  # a value, never changed
    """Send what is due to one destination. Does nothing while it is paused, held, or left alone."""
    with try_exclusive(f"feed:{destination_id}") as held:
        if not held:  # a worker believed dead is still at it
            raise NotYet("Another worker is writing to this destination.", retry_after=5)
        destination = _destination(destination_id)
        if destination is None:
            return
        if not _troubled(destination):
            more = _take_turn(destination, post)
        else:
            with try_exclusive(TROUBLED) as mine:
                more = mine and _take_turn(destination, post)
            if mine:  # who found the lane taken gave up: they come before this one's next turn
                wake_due(post.clock())
        if more:
            wake(destination.pk)


def _troubled(destination: Destination) -> bool:
    """Whether it holds whoever writes to it up."""
    return bool(destination.failures) or destination.slow


def _destination(destination_id: str) -> Destination | None:
    living = Destination.objects.select_related("practice", "agreement").filter(removed_at=None)
    return living.filter(pk=destination_id).first()


def _take_turn(destination: Destination, post: Post) -> bool:
    """Send what is due, until the turn is over. Returns whether there is more to send now."""
    letters = _due(destination, post.clock())
    if not letters:
        return False
    end = time.monotonic() + TURN
    with _receiver(destination, post) as http:
        while letters:
            for letter in letters:
                if not _go_on(destination, letter, http, post):
                    return False
                if time.monotonic() > end:
                    return True
            destination.refresh_from_db()
            letters = _due(destination, post.clock())
    return False


def _receiver(destination: Destination, post: Post) -> Receiver:
    base = "{0.scheme}://{0.netloc}".format(urlsplit(destination.url))
    return Receiver(
        base, allow_http=settings.DEPLOYMENT.allow_http_peers, resolving=post.resolving, seconds=post.seconds
    )


def _go_on(destination: Destination, letter: Delivery, http: Receiver, post: Post) -> bool:
    """Try one letter. False: this lane is over for now; the clock (`wake_due`) brings the destination back."""
    if not _may_go(destination, post.clock()):
        return False
    well, began = not _troubled(destination), time.monotonic()
    _try(destination, letter, http, post)
    slow = time.monotonic() - began > SLOW
    if slow != destination.slow:
        destination.slow = slow
        destination.save(update_fields=["slow"])
    return not (well and _troubled(destination))  # from here on it goes by the lane of those in trouble


def _may_go(destination: Destination, now: datetime) -> bool:
    """Whether anything may be sent; why not is written on the destination."""
    if destination.paused_at or destination.removed_at or destination.closed(now):
        return False
    try:
        target_of(destination, now)
    except Held as held:
        _note_problem(destination, str(held))
        return False
    return True


def _note_problem(destination: Destination, problem: str) -> None:
    if destination.problem != problem[:300]:
        destination.problem = problem[:300]
        destination.save(update_fields=["problem"])


def _due(destination: Destination, now: datetime) -> list[Delivery]:
    """The oldest waiting letter of each thing, where its time has come."""
    if not _may_go(destination, now):
        return []
    return list(
        Delivery.objects.raw(
            "SELECT d.* FROM outbox_delivery d "
            "WHERE d.destination_id = %s AND d.state = 'pending' AND d.next_at <= %s AND NOT EXISTS "
            "(SELECT 1 FROM outbox_delivery e WHERE e.destination_id = d.destination_id "
            "AND e.about = d.about AND e.state = 'pending' AND e.fact_id < d.fact_id) ORDER BY d.fact_id LIMIT %s",
            [str(destination.pk), now, AT_ONCE],
        ).prefetch_related("fact__practice")
    )


# -- one letter --------------------------------------------------------------------------------------------------


def _try(destination: Destination, letter: Delivery, http: Receiver, post: Post) -> None:
    now = post.clock()
    try:
        content = _written(target_of(destination, now), letter, now)
    except Gone:
        _settle(letter, DeliveryState.WITHDRAWN, now, "What it speaks of was erased or is no more.")
        return
    except (Held, OperationalError, InterfaceError):
        raise
    except Exception as error:  # noqa: BLE001  # a fault of one letter must not hold the others up
        # No traceback: it may quote data.
        log.error("feed.unwritable", exception_type=type(error).__name__, function=where(error))  # noqa: TRY400
        _failed(destination, letter, Answer(None, UNWRITABLE, ours=True), post.clock())
        return
    answer = send(destination, letter, content, http, now)
    if answer.problem:
        _failed(destination, letter, answer, post.clock())
    else:
        _delivered(destination, letter, answer.status, post.clock())


def _written(target: Target, letter: Delivery, now: datetime) -> bytes:
    """The letter's text. That patient data goes out is in the audit before it does.

    Once for each letter and replay, and again when it has come to be about others between two tries.
    """
    fact = letter.fact
    match target:
        case PhiTarget():
            body, people = phi_body(fact)
            told = keyring().blind(" ".join(sorted(map(pseudonym, people))), "people of a letter")
            if people and bytes(letter.recorded_people or b"") != told:
                with transaction.atomic():
                    record(
                        "handover.send", actor=CARRIER, practice=fact.practice, patient=people, why=fact.kind,
                        subject=f"destination:{target.destination.pk}", receiver=target.destination.name,
                        host=target.destination.host,
                    )  # fmt: skip
                    Delivery.objects.filter(pk=letter.pk).update(recorded_at=now, recorded_people=told)
            return target.write(fact.kind, fact.at, body, number=fact.pk)
        case DeidentifiedTarget():
            return target.write(fact.kind, deidentified_body(fact))


@dataclass(frozen=True)
class Answer:
    """`problem` is a sentence, "" when the receiver has the letter; `wait` is how many seconds it asks for.

    `ours`: it was not asked, because the letter could not be written.
    """

    status: int | None
    problem: str = ""
    wait: float | None = None
    ours: bool = False


def send(destination: Destination, letter: Delivery, content: bytes, http: Receiver, now: datetime) -> Answer:
    """Post it once."""
    try:
        answer = http.post(destination.url, content, headers_of(destination, str(letter), content, now))
    except PeerError as error:
        if (
            error.status is not None and 200 <= error.status < 300
        ):  # its answer was too long to read; it has it
            return Answer(error.status)
        return Answer(error.status, _sentence(error, http.refused), error.retry_after)
    return Answer(answer.status)


def headers_of(destination: Destination, name: str, content: bytes, now: datetime) -> dict[str, str]:
    """Standard Webhooks: while a secret is being replaced both sign."""
    moment = now.astimezone(UTC)
    secrets = [destination.secret]
    if destination.old_secret and destination.old_until and now < destination.old_until:
        secrets.append(destination.old_secret)
    text = content.decode()
    return {
        "Content-Type": "application/json",
        "User-Agent": "Labbridge",
        "webhook-id": name,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(name, moment, text) for secret in secrets),
    }


def _sentence(error: PeerError, refused: str) -> str:  # noqa: PLR0911  # a list of cases
    """What went wrong, without the address: it may be a password."""
    status = error.status
    if refused == PRIVATE:
        return "Its name leads into a private network, where nothing is sent."
    if refused == UNKNOWN:
        return "Its name is not known to DNS."
    if status is None:
        late = "Timeout" in (error.code or "")
        return "It did not answer in time." if late else "It could not be reached, or hung up."
    if 300 <= status < 400:
        return (
            f"It answered with a redirect ({status}), which is not followed: enter the address that it names."
        )
    if status == GONE:
        return "It answered 410: it wants no more of these. It is paused."
    if status == 429:
        return "It asks us to slow down (429)."
    if status in {401, 403}:
        return f"It refused us ({status}): see whether its address or its secret has changed."
    return f"It answered {status}."


def _settle(letter: Delivery, state: DeliveryState, now: datetime, problem: str = "") -> None:
    waiting = Delivery.objects.filter(pk=letter.pk, state=DeliveryState.PENDING)
    waiting.update(state=state, settled_at=now, problem=problem)


def _delivered(destination: Destination, letter: Delivery, status: int | None, now: datetime) -> None:
    with transaction.atomic():
        Delivery.objects.filter(pk=letter.pk).update(
            state=DeliveryState.DELIVERED, settled_at=now, status=status, problem="",
            attempts=letter.attempts + 1, first_tried_at=letter.first_tried_at or now,
        )  # fmt: skip
        if destination.failures or destination.problem:
            _well_again(destination, now)
        elif destination.delivered_at is None or now - destination.delivered_at > NEWS:
            destination.delivered_at = now
            destination.save(update_fields=["delivered_at"])


def _well_again(destination: Destination, now: datetime) -> None:
    """The breaker closes, and what waited for its next try goes now; what was refused for its own sake waits on."""
    destination.failures, destination.problem, destination.delivered_at = 0, "", now
    destination.failing_since = destination.closed_until = None
    destination.save(update_fields=["failures", "problem", "failing_since", "closed_until", "delivered_at"])
    waiting = Delivery.objects.filter(destination=destination, state=DeliveryState.PENDING, next_at__gt=now)
    waiting.exclude(status__in=REFUSALS).update(next_at=now)


def _failed(destination: Destination, letter: Delivery, answer: Answer, now: datetime) -> None:
    status, problem, wait = answer.status, answer.problem, answer.wait
    first, attempts = letter.first_tried_at or now, letter.attempts + 1
    dead = now - first >= LIFE
    with transaction.atomic():
        Delivery.objects.filter(pk=letter.pk).update(
            attempts=attempts, first_tried_at=first, status=status, problem=problem[:300],
            next_at=now + SCHEDULE.wait(attempts, wait),
            **({"state": DeliveryState.DEAD, "settled_at": now} if dead else {}),
        )  # fmt: skip
        if status == GONE:
            _pause_gone(destination, now, problem)
        if status not in REFUSALS and not answer.ours:
            _count_failure(destination, problem, wait, now)
    log.warning(
        "feed.failed", practice=destination.practice.slug, key=str(destination.pk), status=status,
        attempt=attempts,
    )  # fmt: skip


def _count_failure(destination: Destination, problem: str, wait: float | None, now: datetime) -> None:
    destination.failures += 1
    over = destination.failures - FAILURES + 1
    closed = now + CLOSED.wait(over, wait) if over > 0 else None
    if closed is None and wait:  # asked to wait: the whole destination does
        closed = now + timedelta(seconds=min(wait, 24 * 3600))
    destination.closed_until, destination.problem = closed, problem[:300]
    destination.failing_since = destination.failing_since or now
    destination.save(update_fields=["failures", "closed_until", "problem", "failing_since"])


def _pause_gone(destination: Destination, now: datetime, why: str) -> None:
    Destination.objects.filter(pk=destination.pk, paused_at=None).update(paused_at=now, paused_why=why)
    destination.paused_at, destination.paused_why = now, why


# -- by the clock, and by hand -----------------------------------------------------------------------------------


def wake_due(now: datetime) -> int:
    """Every minute, and when the lane of trouble is free: have those carried that have something due.

    Returns how many destinations.
    """
    from labbridge.engine.queue import has_job

    letters = Delivery.objects.filter(
        destination=OuterRef("pk"), state=DeliveryState.PENDING, next_at__lte=now
    )
    living = Destination.objects.filter(Exists(letters), removed_at=None, paused_at=None)
    woken = 0
    for destination in living.order_by("?"):  # nobody is always the first to find the lane of trouble free
        if not destination.closed(now) and not has_job(f"feed:{destination.pk}"):
            wake(destination.pk)
            woken += 1
    return woken


def try_out(destination: Destination, post: Post = Post()) -> Delivery:  # a value, never changed
    """Send a test letter now, once, past pause and breaker. It says nothing about anybody.

    Raises:
        Held: nothing may be sent to it at all.

    """
    now = post.clock()
    target = target_of(destination, now)
    with transaction.atomic():
        fact = Fact.objects.create(practice=destination.practice, kind=TEST, about=TEST, at=now)
        letter = Delivery.objects.create(
            destination=destination, fact=fact, about=TEST, state=DeliveryState.WITHDRAWN, next_at=now
        )
    content = _written(target, letter, now)
    with _receiver(destination, post) as http:
        answer = send(destination, letter, content, http, now)
    letter.status, letter.problem, letter.attempts = answer.status, answer.problem, 1
    letter.state = DeliveryState.WITHDRAWN if answer.problem else DeliveryState.DELIVERED
    letter.settled_at = post.clock()
    letter.save()
    return letter
