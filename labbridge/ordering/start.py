"""The one code path: from a request to a checkout address, with one order intent however often it is asked.

An intent cannot be created twice safely (no idempotency key is known, rupa-api.md 4): that it is being asked for is
committed first, and while the outcome is unknown it is looked up by our mark in its metadata before another try.
"""

from __future__ import annotations

import secrets

import structlog
from django.conf import settings
from django.utils import timezone

from labbridge.engine.locks import exclusive
from labbridge.mirror.models import Chart, PatientLink
from labbridge.ordering.choice import CannotOrder, choose
from labbridge.ordering.models import OrderRequest, RequestState
from labbridge.peers.errors import ConnectionEnded, OutcomeUnknown, PeerError, Rejected
from labbridge.peers.rupa.client import Rupa
from labbridge.peers.rupa.types import OrderIntentData, OrderIntentSnapshot, PatientData
from labbridge.practices.clients import rupa, rupa_connections
from labbridge.practices.models import Connection, Practice
from labbridge.trust.ids import new_id
from labbridge.trust.keys import keyring

log = structlog.get_logger()

MARK = "labbridge_mark"
REQUEST = "labbridge_request"
TO_BE_DECIDED = "This patient is not matched with Rupa yet. Decide the open match in Labbridge first."


def start(request: OrderRequest, new_patient: PatientData | None = None) -> OrderRequest:
    """Give the request a checkout address, or raise with a sentence why not. Repeatable and safe side by side.

    `new_patient`: particulars of a patient whom Rupa is to create with this intent, where it offers no other way.

    Raises:
        CannotOrder: the request itself cannot be fulfilled.
        PeerError: Rupa is away; asking again later continues where this ended.

    """
    with exclusive(f"order-request:{request.pk}"):
        request.refresh_from_db()
        if request.state == RequestState.ORDERED or (request.intent_id and not request.intent_too_old):
            return request
        chart = _chart(request)
        tests = [test.external_id for test in choose(request.practice, request.test_ids)]
        connection = connection_for(request.practice, request.practitioner_email)
        data = _intent_data(request, chart, tests, new_patient)
        with rupa(connection, "ordering") as client:
            return _keep(request, _intent(request, client, data))


def connection_for(practice: Practice, practitioner_email: str) -> Connection:
    """The practitioner's own connection, else the practice's only one.

    Raises:
        CannotOrder: nobody is connected, or it is not clear who orders.

    """
    usable = rupa_connections(practice)
    own = [one for one in usable if one.account.casefold() == practitioner_email.strip().casefold()]
    if own:
        return own[0]
    if not usable:
        raise CannotOrder("The practice is not connected to Rupa. Ask the administrator to connect it.")
    if len(usable) > 1:
        raise CannotOrder(
            "Several practitioners are connected to Rupa and none with this e-mail. Say who orders, or connect them."
        )
    return usable[0]


def return_hash(token: str) -> bytes:
    return keyring().blind(token, "order return")


def _chart(request: OrderRequest) -> Chart:
    chart = request.chart
    if chart is None or not chart.present or chart.practice_id != request.practice_id:
        raise CannotOrder("There is no such patient in the practice's Caspio table.")
    return chart


def _intent_data(
    request: OrderRequest, chart: Chart, test_ids: list[str], new_patient: PatientData | None
) -> OrderIntentData:
    data: OrderIntentData = {"return_url": _return_url(request), "lab_test_ids": test_ids}
    link = PatientLink.objects.select_related("patient").filter(chart=chart).first()
    if link is not None:
        data["patient_id"] = link.patient.external_id
    elif new_patient is not None:
        data["patient"] = new_patient
    else:
        raise CannotOrder(TO_BE_DECIDED)
    return data


def _return_url(request: OrderRequest) -> str:
    """An unguessable address, the same over retries: an intent whose answer was lost leads back here too."""
    if request.return_token is None:
        request.return_token = secrets.token_urlsafe(24)
        request.return_hash = return_hash(request.return_token)
    return f"{settings.DEPLOYMENT.public_url}/order/return/{request.return_token}"


def _intent(request: OrderRequest, client: Rupa, data: OrderIntentData) -> OrderIntentSnapshot:
    if request.asked_at is not None:  # an earlier answer was lost: look before asking again
        found = client.find_order_intent(MARK, str(request.mark))
        if found is not None:
            return found
    elif request.intent_id:  # unused and too old: replaced, under a new mark
        log.info("ordering.intent_replaced", practice=request.practice.slug, reason="older than its life")
        request.mark, request.intent_id = new_id(), ""
    data["metadata"] = {REQUEST: request.key, MARK: str(request.mark)}
    request.asked_at, request.attempts = timezone.now(), request.attempts + 1
    request.save()
    return _create(request, client, data)


def _create(request: OrderRequest, client: Rupa, data: OrderIntentData) -> OrderIntentSnapshot:
    try:
        return client.create_order_intent(data)
    except OutcomeUnknown:
        raise  # `asked_at` stays: the next try looks first
    except PeerError as error:
        request.asked_at = None  # Rupa has proved that it made nothing
        request.save()
        if isinstance(error, ConnectionEnded):
            raise CannotOrder(
                "Rupa no longer accepts this connection. Ask the administrator to reconnect."
            ) from None
        if isinstance(error, Rejected):
            fields = ", ".join(error.fields)
            raise CannotOrder(
                f"Rupa did not accept {fields or 'this order'}. Correct it and try again."
            ) from None
        raise


def _keep(request: OrderRequest, intent: OrderIntentSnapshot) -> OrderRequest:
    if not intent.checkout_url:
        raise CannotOrder("Rupa gave no checkout address. Try again in a moment.")
    request.intent_id, request.intent_at, request.asked_at = intent.id, timezone.now(), None
    request.checkout_url, request.state, request.message = intent.checkout_url, RequestState.READY, ""
    request.save()
    return request
