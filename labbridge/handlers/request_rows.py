"""The second door: rows that a DataPage writes into the practice's request table, and our answers on them."""

from __future__ import annotations

import structlog

from labbridge.engine.locks import exclusive
from labbridge.filing.requests import answer_row, read_row
from labbridge.handlers.order_requests import Asker, Contents, Edited, ask, contents, note
from labbridge.ordering.models import Door, OrderRequest, RequestState
from labbridge.peers.caspio import Caspio, Row
from labbridge.practices.apply import config_of
from labbridge.practices.clients import caspio
from labbridge.practices.models import Practice

log = structlog.get_logger()

NO_KEY = (
    "This row has no Request_ID, so it could be ordered twice. Give it one of its own; then it is read again."
)
EDITED = (
    "This row was changed after its checkout had been made, so the checkout is hidden. Put the row back as it was, "
    "or make a new row for other tests or another patient."
)
EDITED_ORDERED = "This row was changed after it had been ordered; the order is for what it said before."
DOUBLE = "Another row has the same Request_ID, and was first. Give this row a Request_ID of its own."
DELETED = "Its row in Caspio was deleted."
ASK_AGAIN = {"", RequestState.RECEIVED}  # what a page or a person puts into Request_Status to ask again


def read_request_row(practice: Practice, pk_id: int) -> None:
    """Read one row of the request table, go on with its request, and answer on the row.

    Raises:
        PeerError: Caspio is away.
        FilingProblem: Caspio refuses our answer.

    """
    config = config_of(practice)
    with caspio(practice, "ordering") as client:
        row = read_row(client, config, pk_id)
        if row is None:
            withdraw(practice, pk_id)
            return
        answer = _answer_to(practice, row)
        if isinstance(answer, OrderRequest):
            _answer(client, answer, row)
        else:
            answer_row(client, config, row, answer)


def _answer_to(practice: Practice, row: Row) -> OrderRequest | dict[str, str]:
    """The request of this row, or what to say on a row that is none."""
    key = str(row.get("Request_ID") or "").strip()
    if not key:
        return _failed(NO_KEY)
    pk_id = int(row["PK_ID"])
    former = OrderRequest.objects.filter(practice=practice, row_pk=pk_id).exclude(key=key).first()
    if former is not None and former.fixed:  # its Request_ID was changed: the checkout is still the former's
        return _edited(former)
    known = OrderRequest.objects.filter(practice=practice, key=key).first()
    if known is not None and known.row_pk not in {None, pk_id}:
        return _failed(DOUBLE)
    again = str(row.get("Request_Status") or "").strip().lower() in ASK_AGAIN
    try:
        return ask(practice, key, _wanted(row), Asker(Door.TABLE, row_pk=pk_id), again=again)
    except Edited as edited:
        return _edited(edited.request)


def _wanted(row: Row) -> Contents:
    return contents(
        row.get("Patient_Key"),
        test_ids=row.get("Test_IDs"),
        protocol_id=row.get("Protocol_ID"),
        practitioner_email=row.get("Practitioner_Email"),
    )


def _failed(message: str) -> dict[str, str]:
    return {"Request_Status": RequestState.FAILED, "Checkout_Url": "", "Message": message}


def _edited(request: OrderRequest) -> dict[str, str]:
    if request.state == RequestState.ORDERED:
        return {**answers(request), "Message": f"{EDITED_ORDERED} {request.message}".strip()}
    return {**_failed(EDITED), "Rupa_Order_ID": request.order_external_id}


def answers(request: OrderRequest) -> dict[str, str]:
    """What its row says."""
    return {
        "Request_Status": str(request.state),
        "Checkout_Url": request.checkout,
        "Rupa_Order_ID": request.order_external_id,
        "Message": request.message,
    }


def _answer(client: Caspio, request: OrderRequest, row: Row) -> None:
    """One at a time, with how it stands by then: an older answer must never come last."""
    with exclusive(f"answer:{request.pk}"):
        request.refresh_from_db()
        same = all(getattr(request, name) == value for name, value in _wanted(row).items())
        words = answers(request) if same else _edited(request)
        answer_row(client, config_of(request.practice), row, words)


def answer_again(request_id: str) -> None:
    """Write on its row how a request stands now. Raises as `read_request_row`."""
    request = OrderRequest.objects.select_related("practice").get(pk=request_id)
    if request.row_pk is None:
        return
    with caspio(request.practice, "ordering") as client:
        row = read_row(client, config_of(request.practice), request.row_pk)
        if row is not None and str(row.get("Request_ID") or "").strip() == request.key:
            _answer(client, request, row)


def withdraw(practice: Practice, pk_id: int) -> None:
    """A row was deleted: nothing more is tried for it. What may exist at Rupa is still recognised."""
    for request in OrderRequest.objects.filter(practice=practice, row_pk=pk_id):
        if request.state in {RequestState.RECEIVED, RequestState.READY}:
            state = RequestState.EXPIRED if request.fixed else RequestState.FAILED
            note(request, state, DELETED)
            log.info("ordering.row_deleted", practice=practice.slug, pk_id=pk_id)
