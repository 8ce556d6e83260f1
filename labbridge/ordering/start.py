"""The one code path: from a request to a checkout address, with one order intent however often it is asked.

An intent cannot be created twice safely (no idempotency key is known, rupa-api.md 4): that it is being asked for is
committed first, and while the outcome is unknown it is looked up by our mark in its metadata before another try.
"""

from __future__ import annotations

import secrets
from contextlib import AbstractContextManager, nullcontext
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from labbridge.addresses import is_loopback
from labbridge.engine.locks import exclusive
from labbridge.mirror.models import Chart, PatientLink
from labbridge.mirror.pseudonyms import sides_of
from labbridge.ordering.choice import CannotOrder, choose
from labbridge.ordering.models import Door, FormerIntent, OrderRequest, RequestState, Waits
from labbridge.peers.errors import (
    ConnectionEnded,
    NotFound,
    OutcomeUnknown,
    PeerError,
    Rejected,
    Unauthorized,
    Unreadable,
)
from labbridge.peers.lab import LabPeer
from labbridge.peers.rupa.types import OrderIntentData, OrderIntentSnapshot, PatientData
from labbridge.practices.clients import RUPA_ASSUMPTIONS, lab, rupa_connections
from labbridge.practices.models import Connection, Practice
from labbridge.trust.audit import job, record
from labbridge.trust.ids import new_id
from labbridge.trust.keys import keyring

log = structlog.get_logger()

MARK = "labbridge_mark"
REQUEST = "labbridge_request"

REPLACED = "An earlier checkout of this request was put away and replaced by this one. Use only this one."
TO_BE_DECIDED = (
    "It is not decided yet who this patient is at Rupa. Decide the open match in Labbridge; this then goes on by "
    "itself."
)
NOBODY = (
    "Nobody of the practice is connected to Rupa. Have a practitioner connect; this then goes on by itself."
)
UNKNOWN_PRACTITIONER = (
    "No practitioner with this e-mail is connected to Rupa. Correct the practitioner's e-mail, or have them connect; "
    "this then goes on by itself."
)
SEVERAL = "Several practitioners are connected to Rupa. Say by their e-mail who orders."
ENDED = "Rupa no longer accepts this connection. Have the practitioner connect again; this then goes on by itself."
SHARED_EMAIL = (
    "Another patient with this e-mail was sent to Rupa with an order, and Rupa would take both for one person. Ask "
    "this patient for an e-mail of their own."
)


class MustWait(CannotOrder):
    """The order cannot be started yet; once what it waits for is there, it goes on by itself."""

    def __init__(self, sentence: str, waits_for: Waits) -> None:
        super().__init__(sentence)
        self.waits_for = waits_for


def start(request: OrderRequest, new_patient: PatientData | None = None) -> OrderRequest:
    """Give the request a checkout address, or raise with a sentence why not. Repeatable and safe side by side.

    `new_patient`: particulars of a patient whom Rupa is to create with this intent, where it offers no other way.

    Raises:
        CannotOrder: the request itself cannot be fulfilled; MustWait: not yet.
        PeerError: Rupa is away; asking again later continues where this ended.

    """
    with exclusive(f"order-request:{request.pk}"):
        request.refresh_from_db()
        link = link_of(request)
        if is_done(request, link):
            return request
        with lab(connection_for(request), "ordering") as client:
            found = _looked_up(request, client)
            if found is not None and _still_right(request, found, link):
                return _keep(request, found)
            if not put_away(request, found.id if found else request.intent_id):
                return request
            data = _intent_data(request, link, new_patient)
            with _one_new_patient_at_a_time(request, data):
                _commit_to_asking(request, data)
            return _keep(request, _create(request, client, data))


def is_done(request: OrderRequest, link: PatientLink | None) -> bool:
    """Whether there is nothing to ask Rupa for: it was ordered, begun, or has a checkout that still holds."""
    if request.state == RequestState.ORDERED:
        return True
    if request.asked_at is not None or request.state != RequestState.READY or not is_for(request, link):
        return False
    begun = bool(request.order_external_id)
    return begun or (bool(request.intent_id) and not request.intent_too_old)


def is_for(request: OrderRequest, link: PatientLink | None) -> bool:
    """Whether its intent is for the patient with whom the row is linked now: a link may have been undone."""
    wanted = request.rupa_patient_id
    return not wanted or (link is not None and link.patient.external_id == wanted)


def _still_right(request: OrderRequest, found: OrderIntentSnapshot, link: PatientLink | None) -> bool:
    joined = request.brings_patient and link is not None and found.patient_id
    return is_for(request, link) and (not joined or link.patient.external_id == found.patient_id)  # type: ignore[union-attr]  # joined means that there is a link


def connection_for(request: OrderRequest) -> Connection:
    """The practitioner's own connection, else the practice's only one. Raises CannotOrder, MustWait."""
    return connection_of(request.practice, request.practitioner_email, named=request.door != Door.BUTTON)


def connection_of(practice: Practice, email: str, *, named: bool = False) -> Connection:
    """`named`: the e-mail was given to say who orders, so that nobody else may stand in.

    Raises:
        CannotOrder: it is not clear who orders.
        MustWait: nobody is connected, or not the one who was named.

    """
    usable = rupa_connections(practice)
    if not usable:
        raise MustWait(NOBODY, Waits.CONNECTION)
    wanted = email.strip().casefold()
    own = [one for one in usable if one.account.casefold() == wanted]
    if own:
        return own[0]
    if wanted and (named or len(usable) > 1):
        raise MustWait(UNKNOWN_PRACTITIONER, Waits.CONNECTION)
    if len(usable) > 1:
        raise CannotOrder(SEVERAL)
    return usable[0]


def return_hash(token: str) -> bytes:
    return keyring().blind(token, "order return")


def link_of(request: OrderRequest) -> PatientLink | None:
    return PatientLink.objects.select_related("patient").filter(chart=request.chart_id).first()


def _intent_data(
    request: OrderRequest, link: PatientLink | None, new_patient: PatientData | None
) -> OrderIntentData:
    chart = request.chart
    if chart is None or not chart.present or chart.practice_id != request.practice_id:
        raise CannotOrder(
            "There is no such patient in the practice's Caspio table. Correct the patient's key and ask again."
        )
    request.chosen_ids = [test.external_id for test in choose(request.practice, request.chosen_ids)]
    data: OrderIntentData = {"return_url": _return_url(request), "lab_test_ids": request.chosen_ids}
    if link is not None:
        data["patient_id"] = link.patient.external_id
    elif new_patient is not None:
        data["patient"] = new_patient
    else:
        raise MustWait(TO_BE_DECIDED, Waits.PATIENT)
    return data


def _return_url(request: OrderRequest) -> str:
    """An unguessable address, the same over retries: an intent whose answer was lost leads back here too."""
    if request.return_token is None:
        request.return_token = secrets.token_urlsafe(24)
        request.return_hash = return_hash(request.return_token)
    return f"{settings.DEPLOYMENT.public_url}/order/return/{request.return_token}"


# -- asking once ---------------------------------------------------------------------------------------------


def _looked_up(request: OrderRequest, client: LabPeer) -> OrderIntentSnapshot | None:
    """The intent whose answer was lost; None when there surely is none.

    Raises:
        OutcomeUnknown: it was not found, but its creation may still be under way at Rupa.

    """
    if request.asked_at is None:
        return None
    found = client.find_order_intent(MARK, str(request.mark))
    if found is None and request.in_doubt_until is not None:
        left = (request.in_doubt_until - timezone.now()).total_seconds()
        if left > 0:
            raise OutcomeUnknown("rupa", "look for an order intent", code="under_way", retry_after=left)
    return found


def put_away(request: OrderRequest, intent_id: str) -> bool:
    """The intent so far, if any, is no longer the request's; an order from it is still recognised.

    False when an order has come from it meanwhile: then it stays.
    """
    if not intent_id:
        return True
    with transaction.atomic():
        held = OrderRequest.objects.select_for_update().get(pk=request.pk)
        if held.state != RequestState.ORDERED:
            FormerIntent.objects.create(
                request=held, practice_id=held.practice_id, mark=held.mark, intent_id=intent_id,
                order_external_id=held.order_external_id, brings_patient=held.brings_patient,
            )  # fmt: skip
            held.mark, held.state, held.brings_patient = new_id(), RequestState.RECEIVED, False
            held.intent_id, held.intent_at, held.checkout_url, held.rupa_patient_id = "", None, None, ""
            held.order_external_id, held.asked_at, held.in_doubt_until = "", None, None
            held.open_already = None
            held.save()
    request.refresh_from_db()
    if request.state == RequestState.ORDERED:
        return False
    log.info("ordering.intent_put_away", practice=request.practice.slug, request_id=str(request.pk))
    return True


def _one_new_patient_at_a_time(request: OrderRequest, data: OrderIntentData) -> AbstractContextManager[None]:
    """Rupa joins patients by e-mail (rupa-api.md 5.3): two rows with one e-mail must never both be sent."""
    return exclusive(f"patients:{request.practice_id}") if data.get("patient") else nullcontext()


def _commit_to_asking(request: OrderRequest, data: OrderIntentData) -> None:
    if data.get("patient") and _email_was_sent(request):
        raise MustWait(SHARED_EMAIL, Waits.PATIENT)
    now = timezone.now()
    data["metadata"] = {REQUEST: request.key, MARK: str(request.mark)}
    request.rupa_patient_id = data.get("patient_id") or ""
    request.brings_patient = bool(data.get("patient"))
    request.asked_at, request.in_doubt_until = now, now + RUPA_ASSUMPTIONS.intent_doubt
    request.attempts += 1
    request.save(update_fields=[
        "rupa_patient_id", "brings_patient", "asked_at", "in_doubt_until", "attempts", "chosen_ids",
        "return_token", "return_hash",
    ])  # fmt: skip


def _email_was_sent(request: OrderRequest) -> bool:
    chart: Chart | None = request.chart
    others = OrderRequest.objects.filter(
        practice=request.practice,
        brings_patient=True,
        chart__email_index=chart.email_index if chart else None,
    )
    return others.exclude(chart=chart).exclude(chart=None).exists()


def _create(request: OrderRequest, client: LabPeer, data: OrderIntentData) -> OrderIntentSnapshot:
    try:
        return client.create_order_intent(data)
    except OutcomeUnknown as error:
        if error.status is not None:  # it has answered, so whatever it did is done: a listing shows it
            request.in_doubt_until = None
            request.save(update_fields=["in_doubt_until"])
        raise  # `asked_at` stays: the next try looks first
    except PeerError as error:
        request.asked_at, request.brings_patient = None, False  # Rupa has proved that it made nothing
        request.save(update_fields=["asked_at", "brings_patient"])
        raise _in_words(error) from None


def _in_words(error: PeerError) -> Exception:
    if isinstance(error, ConnectionEnded):
        return MustWait(ENDED, Waits.CONNECTION)
    if error.retryable or isinstance(error, Unreadable | Unauthorized):
        return error
    if isinstance(error, NotFound):
        return CannotOrder(
            "Rupa offers no orders to this application. Ask Rupa to allow order intents for it."
        )
    if isinstance(error, Rejected):
        words = {"phone_number": "phone", "shipping_address": "address", "lab_tests": "tests"}
        parts = [name.split(".")[-1] for name in error.fields]
        fields = ", ".join(words.get(name, name.replace("_", " ")) for name in parts)
        return CannotOrder(f"Rupa did not accept {fields or 'this order'}. Correct it and ask again.")
    return CannotOrder(
        f"Rupa refused this order ({error.code or error.status}). Look at it with Rupa's support."
    )


def _keep(request: OrderRequest, intent: OrderIntentSnapshot) -> OrderRequest:
    if not _leads_to_rupa(intent.checkout_url):
        raise CannotOrder("Rupa gave no checkout address that can be used. Ask again in a moment.")
    with transaction.atomic():
        held = OrderRequest.objects.select_for_update().get(pk=request.pk)
        if held.state != RequestState.ORDERED:  # its order may have been quicker than Rupa's answer
            held.state, held.waits_for = RequestState.READY, Waits.NOTHING
            held.message = REPLACED if FormerIntent.objects.filter(request=held).exists() else ""
        held.intent_id, held.intent_at, held.checkout_url = intent.id, timezone.now(), intent.checkout_url
        held.asked_at = held.in_doubt_until = None
        held.save()
        record(
            "intent.create", actor=job("start_request"), practice=held.practice, patient=sides_of(held.chart),
            subject=f"order_request:{held.pk}", why="treatment", count=len(held.chosen_ids),
        )  # fmt: skip
    request.refresh_from_db()
    return request


def _leads_to_rupa(address: str | None) -> bool:
    """An address that a browser may be sent to."""
    try:
        parts = urlsplit(address or "")
        host = parts.hostname or ""
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)))
