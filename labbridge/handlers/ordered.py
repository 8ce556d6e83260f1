"""Orders that came from our requests: recognised by our mark, told on the request, and linked to its patient.

Called wherever an order is merged, inside of that transaction: the practitioner need not come back for it.
Locks: the order's row first, then the request's.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import structlog
from django.db import transaction

from labbridge.handlers import jobs
from labbridge.handlers.judging import is_held
from labbridge.handlers.links import AlreadyLinked, Overtaken, link, queue_sync
from labbridge.handlers.settle import settle
from labbridge.mirror.models import NotSame, Order, PatientLink
from labbridge.mirror.person import birthdays_differ, first_names_differ, names_differ
from labbridge.ordering.models import Door, FormerIntent, OrderRequest, RequestState, Waits
from labbridge.ordering.start import MARK
from labbridge.practices.apply import config_of

log = structlog.get_logger()

SOURCE = "caspio"
BEGUN = "An order was begun at Rupa and is not submitted yet. Continue there."
CANCELED = "The order was canceled at Rupa."
CANCELED_DRAFT = "The order that was begun at Rupa was canceled there. Ask again for a new checkout."
BY_FORMER = "It came from an earlier checkout of this request; the newer one is not needed."
BROUGHT = "Rupa created this patient with the order that was asked for from this row."
ANOTHERS = (
    "This order was asked for from the row of one patient, and at Rupa it is under the patient of another row: both "
    "have the same e-mail. Cancel it at Rupa and order again under an e-mail of the patient's own; it is not filed "
    "meanwhile."
)


def two_orders(first: str, second: str) -> str:
    return (
        f"Two orders came from this request: {first} and {second}. Cancel one at Rupa if that was not meant."
    )


# -- recognising ---------------------------------------------------------------------------------------------


def note_order(order: Order, metadata: dict[str, Any] | None = None) -> None:
    """Whether this order is one of ours; then its request says so, and its row when it has one."""
    found = _by_mark(order, metadata) or _by_intent(order)
    if found is None:
        _note_ehr(order, metadata or {})
        return
    request_id, former = found
    request = OrderRequest.objects.select_for_update().get(pk=request_id)
    _tell_order(order, request)
    _take_order(request, order, former)
    _stand(request, order)


def note_intent(request: OrderRequest) -> None:
    """The order may have been quicker than Rupa's answer to the question for an intent."""
    if not request.intent_id or request.order_external_id:
        return
    order = Order.objects.filter(practice=request.practice, order_intent_id=request.intent_id).first()
    if order is not None:
        with transaction.atomic():
            note_order(
                Order.objects.select_related("practice").select_for_update(of=("self",)).get(pk=order.pk)
            )


def _by_mark(order: Order, metadata: dict[str, Any] | None) -> tuple[UUID, FormerIntent | None] | None:
    try:
        mark = UUID(str((metadata or {}).get(MARK, "")))
    except ValueError:
        return None
    return _found(order, mark=mark)


def _by_intent(order: Order) -> tuple[UUID, FormerIntent | None] | None:
    """What an answer to a read says may leave the metadata out; the intent's id is as good."""
    return _found(order, intent_id=order.order_intent_id) if order.order_intent_id else None


def _found(order: Order, **by: object) -> tuple[UUID, FormerIntent | None] | None:
    living = OrderRequest.objects.filter(practice=order.practice, **by).values_list("pk", flat=True).first()
    if living is not None:
        return living, None
    former = FormerIntent.objects.filter(practice=order.practice, **by).first()
    return None if former is None else (former.request_id, former)


def _tell_order(order: Order, request: OrderRequest) -> None:
    if order.request_id != request.key or order.source != SOURCE:
        order.request_id, order.source = request.key, SOURCE
        order.revision += 1
        order.save(update_fields=["request_id", "source", "revision"])
        settle(order)


def _note_ehr(order: Order, metadata: dict[str, Any]) -> None:
    """An order of another application, as far as the practice has said how its orders are known. Never a guess."""
    if order.source == SOURCE or not metadata:
        return
    known = config_of(order.practice).ordering.ehr
    name = next((name for name, key in known.items() if metadata.get(key) not in (None, "")), None)
    if name is not None and order.source != f"ehr:{name}":
        order.source = f"ehr:{name}"
        order.revision += 1
        order.save(update_fields=["source", "revision"])


# -- telling -------------------------------------------------------------------------------------------------


def _take_order(request: OrderRequest, order: Order, former: FormerIntent | None) -> None:
    """Which order is the request's: one that was submitted and lives goes before drafts and canceled ones."""
    if former is not None and former.order_external_id != order.external_id:
        former.order_external_id = order.external_id
        former.save(update_fields=["order_external_id"])
    if request.order_external_id in {"", order.external_id}:
        if former is None or _counts(order) or request.order_external_id:
            request.order_external_id = order.external_id
        return
    held = Order.objects.filter(practice=request.practice, external_id=request.order_external_id).first()
    if held is None or not _counts(held):
        request.order_external_id = order.external_id
    elif _counts(order):
        request.other_order_id = order.external_id
        log.warning("ordering.two_orders", practice=order.practice.slug, request_id=str(request.pk))


def _counts(order: Order) -> bool:
    return order.submitted_at is not None and order.canceled_at is None


def _stand(request: OrderRequest, order: Order) -> None:
    """Put state and message as the request's own order has them now."""
    own, other = (_held(request, key, order) for key in (request.order_external_id, request.other_order_id))
    if other is not None and not _counts(other):  # canceled, as we had asked
        other = None
    elif other is not None and own is not None and not _counts(own):
        own, other = other, None
    request.order_external_id = own.external_id if own else request.order_external_id
    request.other_order_id = other.external_id if other else ""
    if own is not None:
        request.state, request.message = _standing(request, own)
    if own is not None and other is not None:
        request.message = two_orders(own.external_id, other.external_id)
    if request.state == RequestState.ORDERED:
        request.waits_for = Waits.NOTHING
    _save(request, ("state", "message", "order_external_id", "other_order_id", "waits_for"))


def _held(request: OrderRequest, external_id: str, order: Order) -> Order | None:
    if external_id in {"", order.external_id}:
        return order if external_id else None
    return Order.objects.filter(practice=request.practice, external_id=external_id).first()


def _save(request: OrderRequest, names: tuple[str, ...]) -> None:
    """And have its row say so, when there is something new to say."""
    known = OrderRequest.objects.get(pk=request.pk)
    if all(getattr(known, name) == getattr(request, name) for name in names):
        return
    request.save(update_fields=names)
    answer_later(request)


def answer_later(request: OrderRequest) -> None:
    """Have its row say how it stands, where it has one."""
    if request.door == Door.TABLE:
        lock = f"{request.practice.slug}:answer:{request.pk}"
        jobs.answer_request.defer(lock=lock, request_id=str(request.pk))


def _standing(request: OrderRequest, order: Order) -> tuple[RequestState, str]:
    if order.canceled_at is not None:
        if order.submitted_at is None:
            return RequestState.EXPIRED, CANCELED_DRAFT
        return RequestState.ORDERED, CANCELED
    if order.submitted_at is None:
        return RequestState.READY if request.intent_id else RequestState(request.state), BEGUN
    by_former = request.former_intents.filter(order_external_id=order.external_id).exists()
    return RequestState.ORDERED, BY_FORMER if by_former else ""


# -- the patient whom an order brought -----------------------------------------------------------------------


def link_brought_patient(order: Order) -> PatientLink | None:
    """Link the row for which the order was asked with the patient whom Rupa created for it.

    Our mark proves where the order came from. Whether Rupa created the patient, or took somebody else with the same
    e-mail, is told by the particulars: when they conflict, a person decides.
    """
    request = _brought(order)
    patient = order.patient
    if request is None or request.chart is None or patient is None or patient.person is None:
        return None
    chart = request.chart
    if not chart.present or PatientLink.objects.filter(chart=chart).exists():
        return None
    ours, theirs = chart.person, patient.person
    if is_held(chart) or NotSame.objects.filter(chart=chart, patient=patient).exists():
        return None  # a person has said otherwise
    if birthdays_differ(ours, theirs) or names_differ(ours, theirs) or first_names_differ(ours, theirs):
        _match_anew(request)
        return None
    try:
        made = link(chart, patient, [BROUGHT], made_by="labbridge")
    except (AlreadyLinked, Overtaken):
        return None
    _match_anew(request)  # the row gets its Rupa patient id
    return made


def is_anothers(order: Order, made: PatientLink) -> bool:
    """Whether Rupa has put an order under another row's patient than the one it was asked for."""
    request = _brought(order)
    if request is None or request.chart_id is None or order.canceled_at is not None:
        return False
    return made.chart_id != request.chart_id and made.made_by == "labbridge"


def _brought(order: Order) -> OrderRequest | None:
    """The request of this order if it carried a patient's particulars."""
    if not order.request_id:
        return None
    request = (
        OrderRequest.objects.select_related("chart__practice")
        .filter(practice=order.practice, key=order.request_id)
        .first()
    )
    if request is None:
        return None
    former = request.former_intents.filter(order_external_id=order.external_id).first()
    living = request.order_external_id == order.external_id and former is None and request.brings_patient
    return request if living or (former is not None and former.brings_patient) else None


def _match_anew(request: OrderRequest) -> None:
    if request.chart is not None:
        queue_sync(request.chart)
