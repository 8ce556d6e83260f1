"""Asking for labs: the third door of ordering (docs/ordering.md). Each request is made once per idempotency key."""

from __future__ import annotations

import uuid

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from ninja import Router

from labbridge.handlers.order_requests import Asker, ask, contents
from labbridge.handover.api import shapes
from labbridge.handover.api.auth import actor_of, audit, key_of
from labbridge.handover.api.calls import get, one, post
from labbridge.handover.api.once import IdempotencyKey, once
from labbridge.handover.api.paging import Pages, Paging, page
from labbridge.handover.models import KeptCall
from labbridge.mirror.pseudonyms import sides_of
from labbridge.ordering.models import Door, OrderRequest, RequestState
from labbridge.ordering.start import is_for, link_of
from labbridge.trust.keys import CannotOpen

router = Router(tags=["order requests"])
SCOPE = "orders:place"


@post(router, "order-requests", SCOPE, {201: shapes.OrderRequest}, 409, 410)
def create_order_request(
    request: HttpRequest, wish: shapes.OrderWish, idempotency_key: IdempotencyKey
) -> HttpResponse:
    """Ask for labs for a patient. While a peer is away the request is `received` and goes on by itself."""
    key = key_of(request)

    def work(call: KeptCall) -> tuple[int, shapes.OrderRequest]:
        wanted = contents(
            wish.patient_key, test_ids=wish.test_ids, protocol_id=wish.protocol_id,
            practitioner_email=wish.practitioner_email,
        )  # fmt: skip
        asker = Asker(Door.API, key.name, actor=actor_of(request))
        made = ask(key.practice, f"api-{call.pk}", wanted, asker)
        call.concerns = made.chart_id  # its answer holds the address of this patient's checkout
        return 201, _shape(made)

    return once(request, idempotency_key, wish, work)


@get(router, "order-requests", SCOPE, shapes.OrderRequestPage)
def list_order_requests(
    request: HttpRequest, paging: Paging = Pages, state: RequestState | None = None
) -> shapes.OrderRequestPage:
    """Requests of every door, oldest first."""
    requests = _requests(request)
    if state is not None:
        requests = requests.filter(state=state)
    rows, cursor = page(requests, paging)
    patients = [side for row in rows for side in sides_of(row.chart)]
    audit(request, "order.search", patients=patients, count=len(rows), part="requests")
    return shapes.OrderRequestPage(items=[_shape(row) for row in rows], next_cursor=cursor)


@get(router, "order-requests/{request_id}", SCOPE, shapes.OrderRequest)
def get_order_request(request: HttpRequest, request_id: uuid.UUID) -> shapes.OrderRequest:
    found = one(_requests(request), request_id)
    audit(request, "order.read", patients=sides_of(found.chart), subject=f"order_request:{found.pk}")
    return _shape(found)


def _requests(request: HttpRequest) -> QuerySet[OrderRequest]:
    return OrderRequest.objects.filter(practice=key_of(request).practice).select_related("chart")


def _shape(row: OrderRequest) -> shapes.OrderRequest:
    checkout = _checkout(row) if is_for(row, link_of(row)) else ""
    return shapes.OrderRequest(
        id=row.pk, patient_id=row.chart_id, state=RequestState(row.state), message=row.message,
        waits_for=row.waits_for, checkout_url=checkout or None, rupa_order_id=row.order_external_id or None,
        test_ids=row.chosen_ids or row.test_ids, created_at=row.created_at,
        open_already=[shapes.OpenTest(**one) for one in row.open_already or ()],
    )  # fmt: skip


def _checkout(row: OrderRequest) -> str:
    """One that cannot be opened any more is none, and hides no other request of the list."""
    try:
        return row.checkout
    except CannotOpen:
        return ""
