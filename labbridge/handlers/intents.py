"""Looking after intents at Rupa: what became of them, which are too old, which are for somebody else by now."""

from __future__ import annotations

from datetime import timedelta

import structlog
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from labbridge.handlers import jobs
from labbridge.handlers.ordered import answer_later, note_order
from labbridge.handlers.orders import take_snapshot
from labbridge.mirror.models import CaseState, Order, PatientLink, ReviewCase
from labbridge.ordering.models import Door, OrderRequest, RequestState, Waits
from labbridge.ordering.start import connection_for, is_for
from labbridge.peers.errors import NotFound
from labbridge.practices.clients import RUPA_ASSUMPTIONS, lab, rupa_connections

log = structlog.get_logger()

DAYS = RUPA_ASSUMPTIONS.intent_life.days
UNUSED = f"The checkout was not used within {DAYS} days and was put away."
EXPIRED = {
    Door.TABLE: f"{UNUSED} To get a new one, empty Request_Status.",
    Door.BUTTON: f"{UNUSED} Make a new one if it is still wanted.",
    Door.API: f"{UNUSED} Ask again if it is still wanted.",
}
MATCH_CHANGED = (
    "Who this patient is at Rupa was decided anew after this checkout was made, so it was put away. It goes on by "
    "itself when the patient is matched."
)
BEGUN_FOR_ANOTHER = "Cancel the order that was begun with it at Rupa."

STALLED = timedelta(minutes=2)  # longer than one try may take
LOOK_AGAIN = timedelta(hours=1)  # at an intent that could not be read


def read_intent(request: OrderRequest) -> None:
    """Read the intent, and its order when it has one, with the connection that it was made with.

    Raises:
        PeerError: Rupa is away.
        CannotOrder: nobody is connected any more.

    """
    if not request.intent_id:
        return
    with lab(connection_for(request), "ordering") as client:
        try:
            intent = client.order_intent(request.intent_id)
        except NotFound:  # Rupa keeps it no longer
            return
        if not intent.order_id:
            return
        snapshot = client.order(intent.order_id)
        as_of = client.now()
    with transaction.atomic():
        order = take_snapshot(request.practice, snapshot, as_of)
        if order.order_intent_id != request.intent_id:  # the answer to a read may leave the intent out
            order.order_intent_id = request.intent_id
            order.save(update_fields=["order_intent_id"])
            note_order(order)


def read_intent_of(request_id: str) -> None:
    read_intent(OrderRequest.objects.select_related("practice").get(pk=request_id))


def expire(request_id: str) -> None:
    """An unused checkout is too old: look at Rupa whether it is unused indeed, then put it away, visibly."""
    request = OrderRequest.objects.select_related("practice").get(pk=request_id)
    if request.state != RequestState.READY or not request.intent_too_old:
        return
    read_intent(request)
    unused = OrderRequest.objects.filter(pk=request.pk, state=RequestState.READY, order_external_id="")
    if unused.update(state=RequestState.EXPIRED, message=EXPIRED[Door(request.door)]):
        log.info("ordering.expired", practice=request.practice.slug, request_id=str(request.pk))
        answer_later(request)


def look_after() -> None:
    """Every minute: what has expired, what can go on, what was left behind. Almost always no call and two queries."""
    _expire_old()
    _hide_mismatched()
    for request in _able_to_go_on():
        OrderRequest.objects.filter(pk=request.pk).update(tried_at=timezone.now())
        start_later(request)


def start_later(request: OrderRequest) -> None:
    """Have a job go on with it."""
    lock = f"{request.practice.slug}:request:{request.pk}"
    jobs.start_request.defer(lock=lock, request_id=str(request.pk))


def _expire_old() -> None:
    now = timezone.now()
    old = OrderRequest.objects.filter(
        Q(tried_at=None) | Q(tried_at__lt=now - LOOK_AGAIN),
        state=RequestState.READY, order_external_id="", intent_at__lt=now - RUPA_ASSUMPTIONS.intent_life,
    )  # fmt: skip
    for request in old.select_related("practice"):
        OrderRequest.objects.filter(pk=request.pk).update(tried_at=now)
        jobs.expire_request.defer(
            lock=f"{request.practice.slug}:request:{request.pk}", request_id=str(request.pk)
        )


def _hide_mismatched() -> None:
    """A link was undone or made anew: its checkouts lead to somebody else's chart and must not be used."""
    ready = OrderRequest.objects.filter(state=RequestState.READY).exclude(rupa_patient_id="")
    other = ready.exclude(chart__link__patient__external_id=F("rupa_patient_id"))
    for request in other.select_related("practice"):
        link = PatientLink.objects.select_related("patient").filter(chart=request.chart_id).first()
        if not is_for(request, link):
            hide(request)


def hide(request: OrderRequest) -> None:
    message = f"{MATCH_CHANGED} {BEGUN_FOR_ANOTHER if request.order_external_id else ''}".strip()
    ready = OrderRequest.objects.filter(pk=request.pk, state=RequestState.READY)
    if ready.update(state=RequestState.RECEIVED, message=message, waits_for=Waits.PATIENT):
        log.warning("ordering.match_changed", practice=request.practice.slug, request_id=str(request.pk))
        answer_later(request)


def _able_to_go_on() -> list[OrderRequest]:
    now = timezone.now()
    waiting = OrderRequest.objects.filter(state__in=[RequestState.RECEIVED, RequestState.FAILED])
    waiting = waiting.exclude(waits_for=Waits.PEER).select_related("practice", "chart")
    left_behind = Q(state=RequestState.RECEIVED, waits_for=Waits.NOTHING) & (
        Q(tried_at__lt=now - STALLED) | Q(tried_at=None, created_at__lt=now - STALLED)
    )
    found = list(waiting.filter(left_behind))
    found += [one for one in waiting.filter(waits_for=Waits.CONNECTION) if _is_connected(one)]
    return found + [one for one in waiting.filter(waits_for=Waits.PATIENT) if _is_decided(one)]


def _is_connected(request: OrderRequest) -> bool:
    """Whether the connection for which it waits is there, told without asking anybody."""
    wanted = request.practitioner_email.strip().casefold()
    usable = rupa_connections(request.practice)
    named = request.door != Door.BUTTON and wanted
    return any(not named or one.account.casefold() == wanted for one in usable)


def _is_decided(request: OrderRequest) -> bool:
    """Whether the patient is linked by now, or the row or the decision changed since the last try."""
    chart, tried = request.chart, request.tried_at
    if chart is None or PatientLink.objects.filter(chart=chart).exists():
        return chart is not None
    cases = ReviewCase.objects.filter(chart=chart)
    if tried is None or cases.filter(state=CaseState.OPEN).exists():
        return tried is None
    return chart.read_at > tried or cases.filter(decided_at__gt=tried).exists()


def order_of(request: OrderRequest) -> Order | None:
    """The order as the mirror holds it."""
    if not request.order_external_id:
        return None
    return Order.objects.filter(practice=request.practice, external_id=request.order_external_id).first()
