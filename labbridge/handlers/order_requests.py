"""Order requests after they were made: rows of the practice's table, answers on them, the orders they became."""

from __future__ import annotations

import structlog
from django.db import transaction

from labbridge.filing.execute import FilingProblem
from labbridge.handlers import jobs
from labbridge.handlers.charts import read_chart_by_key
from labbridge.handlers.orders import take_snapshot
from labbridge.mirror.models import Chart, Order
from labbridge.ordering.choice import CannotOrder
from labbridge.ordering.models import Door, OrderRequest, RequestState
from labbridge.ordering.protocols import protocol_tests
from labbridge.ordering.start import connection_for, start
from labbridge.peers.caspio import Caspio, Row
from labbridge.peers.caspio import where as q
from labbridge.peers.errors import Forbidden, NotFound, PeerError, Rejected
from labbridge.practices.apply import config_of
from labbridge.practices.clients import NotConnected, caspio, rupa
from labbridge.practices.models import Practice

log = structlog.get_logger()

INPUTS = ("Request_ID", "Patient_Key", "Protocol_ID", "Test_IDs", "Practitioner_Email")
CHANGED = "This request was answered already. Make a new one for other tests or another patient."
LATER = "Rupa cannot be reached now. It is tried again by itself; the checkout address then appears here."


def answer_row(practice: Practice, pk_id: int) -> None:
    """Read one row of the request table and answer on it.

    Raises:
        PeerError: a peer is away; the row says so and the job tries again.
        FilingProblem: Caspio refuses our answer.

    """
    with caspio(practice, "ordering") as client:
        table = client.table(config_of(practice).caspio.tables.lab_order_requests)
        row = table.first(where=q.field("PK_ID") == pk_id, select=[*INPUTS, "Request_Status"])
        key = str((row or {}).get("Request_ID") or "").strip()
        if row is None or not key:
            return  # deleted, or nothing to find it again by
        request = _request(practice, key, row)
        if request is None:
            _answer(practice, client, key, Message=CHANGED)
            return
        _start(practice, client, request)


def _request(practice: Practice, key: str, row: Row) -> OrderRequest | None:
    """The request of this row; None when an answered row was edited."""
    wanted = {
        "patient_key": str(row.get("Patient_Key") or "").strip(),
        "protocol_id": str(row.get("Protocol_ID") or "").strip(),
        "practitioner_email": str(row.get("Practitioner_Email") or "").strip(),
    }
    test_ids = [one.strip() for one in str(row.get("Test_IDs") or "").split(",") if one.strip()]
    with transaction.atomic():
        request, created = OrderRequest.objects.select_for_update().get_or_create(
            practice=practice, key=key, defaults={"door": Door.TABLE, "test_ids": test_ids, **wanted}
        )
        answered = request.state in {RequestState.READY, RequestState.ORDERED}
        changed = any(getattr(request, name) != value for name, value in wanted.items())
        changed |= bool(test_ids) and request.test_ids != test_ids
        if not created and answered and changed:
            return None
        for name, value in wanted.items():
            setattr(request, name, value)
        request.test_ids = test_ids or (request.test_ids if answered else [])
        request.chart = Chart.objects.filter(practice=practice, key=request.patient_key, present=True).first()
        request.save()
    return request


def _start(practice: Practice, client: Caspio, request: OrderRequest) -> None:
    try:
        if request.protocol_id and not request.test_ids:
            request.test_ids = protocol_tests(practice, client, request.protocol_id)
        if request.chart is None and request.patient_key:
            request.chart = read_chart_by_key(practice, client, request.patient_key)
        request.save(update_fields=["test_ids", "chart"])
        request = start(request)
    except (CannotOrder, NotConnected) as error:
        note(request, RequestState.FAILED, str(error))
    except PeerError:
        note(request, RequestState.RECEIVED, LATER)
        _answer_request(practice, client, request)
        raise
    _answer_request(practice, client, request)


def note(request: OrderRequest, state: RequestState, message: str) -> None:
    request.state, request.message = state, message[:500]
    request.save(update_fields=["state", "message"])


def _answer_request(practice: Practice, client: Caspio, request: OrderRequest) -> None:
    _answer(
        practice,
        client,
        request.key,
        Request_Status=request.state,
        Checkout_Url=request.checkout_url or "",
        Rupa_Order_ID=request.order_external_id,
        Message=request.message,
    )


def _answer(practice: Practice, client: Caspio, key: str, **values: str) -> None:
    """Write on the row, found by its Request_ID."""
    table = client.table(config_of(practice).caspio.tables.lab_order_requests)
    try:
        table.update(q.field("Request_ID") == key, values)
    except (NotFound, Forbidden, Rejected) as error:
        raise FilingProblem(
            f"Caspio refused our answer on the table {table.name} ({error.code or error.status}). Run "
            "`labbridge provision`, and give the API profile permission to write there."
        ) from None


def answer_again(request_id: str) -> None:
    """Write once more how a request stands. Raises as `answer_row`."""
    request = OrderRequest.objects.select_related("practice").get(pk=request_id)
    with caspio(request.practice, "ordering") as client:
        _answer_request(request.practice, client, request)


def start_again(request_id: str) -> None:
    """Go on with a request of the button's door. Raises PeerError while Rupa is away."""
    request = OrderRequest.objects.select_related("practice", "chart").get(pk=request_id)
    try:
        start(request)
    except (CannotOrder, NotConnected) as error:
        note(request, RequestState.FAILED, str(error))


def note_order(order: Order) -> None:
    """An order came from one of our requests: say so on the request, and on its row when it has one."""
    request = OrderRequest.objects.filter(practice=order.practice, key=order.request_id or "-").first()
    if request is None:
        return
    state = RequestState.ORDERED if order.submitted_at is not None else RequestState(request.state)
    if (request.order_external_id, request.state) == (order.external_id, state):
        return
    request.order_external_id, request.state = order.external_id, state
    request.save(update_fields=["order_external_id", "state"])
    if request.door == Door.TABLE:
        jobs.answer_request.defer(
            lock=f"{order.practice.slug}:request:{request.pk}", request_id=str(request.pk)
        )


def read_returned(request_id: str) -> None:
    """Read the intent, and its order when it has one, with the connection that it was made with."""
    request = OrderRequest.objects.select_related("practice").get(pk=request_id)
    if not request.intent_id:
        return
    with rupa(connection_for(request.practice, request.practitioner_email), "ordering") as client:
        intent = client.order_intent(request.intent_id)
        if not intent.order_id:
            return
        snapshot = client.order(intent.order_id)
        as_of = client.now()
    with transaction.atomic():
        order = take_snapshot(request.practice, snapshot, as_of)
        if not order.request_id:  # the answer to a read may leave the metadata out
            order.request_id, order.source = request.key, "caspio"
            order.revision += 1
            order.save(update_fields=["request_id", "source", "revision"])
        note_order(order)
