"""The tasks: what runs in the background, with its retry policy and what people see when it does not succeed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Sum
from django.db.models.functions import Length

from labbridge.engine.jobs import JobFailed, NotYet, task
from labbridge.engine.locks import try_exclusive
from labbridge.engine.retry import OWN, PEER, RetryPolicy
from labbridge.filing.execute import FilingProblem
from labbridge.filing.models import ProtocolEdit
from labbridge.inbox.models import Event, EventState
from labbridge.mirror.models import Chart, LabTest, Order, RowTouch
from labbridge.peers.errors import NotFound
from labbridge.practices.clients import NotConnected
from labbridge.practices.models import Connection, Practice

#: Caspio refuses until a person mends its tables: try less often, for as long.
MENDED_BY_A_PERSON = RetryPolicy(first=timedelta(seconds=2), cap=timedelta(minutes=15))


# -- events --------------------------------------------------------------------------------------------------


def _event_waits(reason: str, event_id: str) -> None:
    Event.objects.filter(pk=event_id).update(reason=reason[:300])


def _event_dead(reason: str, event_id: str) -> None:
    Event.objects.filter(pk=event_id).update(state=EventState.DEAD, reason=reason[:300])


#: Bodies of events that are read together, in bytes: what a worker needs stays the same however many wait.
TOGETHER = 4 * 1024 * 1024


def _handle_events(jobs: Sequence[Mapping[str, Any]]) -> bool:
    from labbridge.handlers.table import handle_together

    keys = [ids["event_id"] for ids in jobs]
    events = Event.objects.filter(pk__in=keys)
    if (events.aggregate(size=Sum(Length("body")))["size"] or 0) > TOGETHER:
        return False
    known = {str(event.pk): event for event in events.select_related("practice")}
    handle_together([known[key] for key in keys if key in known and known[key].is_new])
    return True


@task("handle_event", policy=OWN, on_retry=_event_waits, on_dead=_event_dead, together=_handle_events)
def handle_event(event_id: str) -> None:
    """Merge one event into the mirror and queue what follows. Touches no peer, so no peer can hold it up."""
    from labbridge.handlers.table import handler_for

    event = Event.objects.select_related("practice").filter(pk=event_id).first()
    if event is not None and event.is_new:
        handler_for(event)(event)


# -- orders --------------------------------------------------------------------------------------------------


def _pull_again(reason: str, order_id: str) -> None:
    Order.objects.filter(pk=order_id).update(pull_queued=True, pull_problem=reason[:300])
    _tell_events(order_id, reason, EventState.RECEIVED)


def _pull_dead(reason: str, order_id: str) -> None:
    Order.objects.filter(pk=order_id).update(pull_queued=False, pull_problem=reason[:300])
    _tell_events(order_id, reason, EventState.DEAD)


def _file_again(reason: str, order_id: str) -> None:
    Order.objects.filter(pk=order_id).update(filing_queued=True, filing_problem=reason[:300])
    _tell_events(order_id, reason, EventState.RECEIVED)


def _file_dead(reason: str, order_id: str) -> None:
    Order.objects.filter(pk=order_id).update(filing_queued=False, filing_problem=reason[:300])
    _tell_events(order_id, reason, EventState.DEAD)


def _tell_events(order_id: str, reason: str, state: EventState) -> None:
    from labbridge.handlers.orders import subject_of

    order = Order.objects.select_related("practice").get(pk=order_id)
    opened = Event.objects.open_for(order.practice, subject_of(order.external_id))
    opened.update(state=state, reason=reason[:300])


@task("pull_order", policy=PEER, on_retry=_pull_again, on_dead=_pull_dead)
def pull_order(order_id: str) -> None:
    """Read from Rupa what the order speaks of: its patient, its tests' names, its result files.

    What is known already is filed meanwhile: a file that cannot be had must not hold the status back.
    """
    from labbridge.handlers.pull import pull_now
    from labbridge.handlers.settle import queue_filing

    order = _claim(order_id, "pull_queued")
    try:
        pull_now(order)
    except NotConnected as error:
        raise NotYet(str(error)) from None
    finally:
        with transaction.atomic():
            held = Order.objects.select_related("practice").select_for_update(of=("self",)).get(pk=order_id)
            if held.revision > held.filed_revision:
                queue_filing(held)
    _clear_pull(order_id)


def _clear_pull(order_id: str) -> None:
    from labbridge.handlers.settle import queue_filing

    with transaction.atomic():
        order = Order.objects.select_related("practice").select_for_update(of=("self",)).get(pk=order_id)
        order.pull_problem = ""
        order.save(update_fields=["pull_problem"])
        queue_filing(order)  # also when nothing changed: its events come to rest there


@task("file_order", policy=MENDED_BY_A_PERSON, on_retry=_file_again, on_dead=_file_dead)
def file_order(order_id: str) -> None:
    """Bring Caspio to what the mirror knows of one order."""
    from labbridge.handlers.filing import file_now

    with try_exclusive(f"file:{order_id}") as held:
        if not held:  # a worker believed dead is still at it
            raise NotYet("Another worker is filing this order.", retry_after=5)
        order = _claim(order_id, "filing_queued")
        try:
            file_now(order)
        except FilingProblem as problem:
            raise JobFailed(problem.sentence, retry=True, retry_after=problem.retry_after) from None
        except NotConnected as error:
            raise NotYet(str(error)) from None


def _claim(order_id: str, flag: str) -> Order:
    """Start: from here on, a change queues a new job."""
    Order.objects.filter(pk=order_id).update(**{flag: False})
    return Order.objects.select_related("practice", "patient").get(pk=order_id)


def _poll_again(_reason: str, order_id: str) -> None:
    Order.objects.filter(pk=order_id).update(poll_queued=True)


def _poll_dead(_reason: str, order_id: str) -> None:
    Order.objects.filter(pk=order_id).update(poll_queued=False)


@task("poll_order", policy=PEER, on_retry=_poll_again, on_dead=_poll_dead)
def poll_order(order_id: str) -> None:
    """Read an order again whose lab has reported a date but no file."""
    from labbridge.handlers.pull import reread_now
    from labbridge.handlers.settle import queue_poll

    order = _claim(order_id, "poll_queued")
    try:
        reread_now(order)
    except NotConnected as error:
        raise NotYet(str(error)) from None
    with transaction.atomic():
        queue_poll(Order.objects.select_related("practice").select_for_update(of=("self",)).get(pk=order_id))


# -- patients ------------------------------------------------------------------------------------------------


def _touch_again(reason: str, practice_id: str, pk_id: int) -> None:
    from labbridge.handlers.patients import tell_rows

    RowTouch.objects.filter(practice_id=practice_id, pk_id=pk_id).update(queued=True)
    tell_rows(practice_id, pk_id, EventState.RECEIVED, reason)


def _touch_dead(reason: str, practice_id: str, pk_id: int) -> None:
    from labbridge.handlers.patients import tell_rows

    RowTouch.objects.filter(practice_id=practice_id, pk_id=pk_id).update(queued=False)
    tell_rows(practice_id, pk_id, EventState.DEAD, reason)


@task("pull_chart", policy=PEER, on_retry=_touch_again, on_dead=_touch_dead)
def pull_chart(practice_id: str, pk_id: int) -> None:
    """Read one row of the patients table again."""
    from labbridge.handlers.charts import read_chart
    from labbridge.handlers.patients import tell_rows
    from labbridge.practices.clients import caspio

    RowTouch.objects.filter(practice_id=practice_id, pk_id=pk_id).update(queued=False)
    practice = Practice.objects.get(pk=practice_id)
    try:
        with caspio(practice, "patients") as client:
            read_chart(practice, client, pk_id)
    except NotConnected as error:
        raise NotYet(str(error)) from None
    if not RowTouch.objects.filter(practice_id=practice_id, pk_id=pk_id, queued=True).exists():
        tell_rows(practice_id, pk_id, EventState.HANDLED)


# -- catalogue and connections -------------------------------------------------------------------------------


def _lab_test_again(reason: str, practice_id: str, external_id: str) -> None:
    from labbridge.handlers.catalog import tell_events

    del practice_id
    tell_events(external_id, EventState.RECEIVED, reason)


def _lab_test_dead(reason: str, practice_id: str, external_id: str) -> None:
    from labbridge.handlers.catalog import tell_events

    del practice_id
    tell_events(external_id, EventState.DEAD, reason)


@task("file_lab_test", policy=MENDED_BY_A_PERSON, on_retry=_lab_test_again, on_dead=_lab_test_dead)
def file_lab_test(practice_id: str, external_id: str) -> None:
    """File one changed test of the catalogue."""
    from labbridge.catalog.filing import Busy, file_one
    from labbridge.handlers.catalog import settle_events

    practice = Practice.objects.get(pk=practice_id)
    test = LabTest.objects.get(practice=practice, external_id=external_id)
    try:
        file_one(practice, test)
    except FilingProblem as problem:
        raise JobFailed(problem.sentence, retry=True, retry_after=problem.retry_after) from None
    except (NotConnected, Busy) as error:
        raise NotYet(str(error)) from None
    settle_events(external_id)


def _protocol_waits(reason: str, edit_id: str) -> None:
    ProtocolEdit.objects.filter(pk=edit_id).update(problem=reason[:300])


@task("file_protocol", policy=MENDED_BY_A_PERSON, on_retry=_protocol_waits, on_dead=_protocol_waits)
def file_protocol(edit_id: str) -> None:
    """Write what somebody made of a protocol to Caspio."""
    from labbridge.handlers.protocols import file_edit

    file_edit(edit_id)


def _learn_waits(reason: str, connection_id: str) -> None:
    Connection.objects.filter(pk=connection_id).update(problem=reason[:300])


@task("learn_practitioners", policy=PEER, on_retry=_learn_waits, on_dead=_learn_waits)
def learn_practitioners(connection_id: str) -> None:
    """Read who works in the clinic of a connection, so that their events find the practice."""
    from labbridge.handlers.connections import learn_now

    try:
        learn_now(connection_id)
    except NotFound as error:
        raise JobFailed(f"{error}. {error.advice}", retry=False) from None


# -- patients to Rupa, and orders from here ------------------------------------------------------------------


def _chart_again(reason: str, chart_id: str) -> None:
    Chart.objects.filter(pk=chart_id).update(sync_problem=reason[:300])


@task("sync_chart", policy=MENDED_BY_A_PERSON, on_retry=_chart_again, on_dead=_chart_again)
def sync_chart(chart_id: str) -> None:
    """Bring one patient of Caspio to Rupa: linked, created, updated, or a question for a person."""
    from labbridge.handlers.charts import read_table
    from labbridge.handlers.patient_sync import sync_now

    chart = Chart.objects.select_related("practice").get(pk=chart_id)
    try:
        if chart.pk_id is None:  # the table has moved
            read_table(chart.practice)
        sync_now(chart)
    except FilingProblem as problem:
        raise JobFailed(problem.sentence, retry=True, retry_after=problem.retry_after) from None
    except NotConnected as error:
        raise NotYet(str(error)) from None
    Chart.objects.filter(pk=chart_id).update(sync_problem="")


@task("answer_request_row", policy=MENDED_BY_A_PERSON)
def answer_request_row(practice_id: str, pk_id: int) -> None:
    """Read one row of the practice's request table and answer it."""
    from labbridge.handlers.request_rows import read_request_row

    try:
        read_request_row(Practice.objects.get(pk=practice_id), pk_id)
    except FilingProblem as problem:
        raise JobFailed(problem.sentence, retry=True, retry_after=problem.retry_after) from None
    except NotConnected as error:
        raise NotYet(str(error)) from None


@task("answer_request", policy=MENDED_BY_A_PERSON)
def answer_request(request_id: str) -> None:
    """Write on the request's row what became of it."""
    from labbridge.handlers.request_rows import answer_again

    try:
        answer_again(request_id)
    except FilingProblem as problem:
        raise JobFailed(problem.sentence, retry=True, retry_after=problem.retry_after) from None
    except NotConnected as error:
        raise NotYet(str(error)) from None


def _request_given_up(reason: str, request_id: str) -> None:
    from labbridge.handlers.order_requests import give_up

    give_up(reason, request_id)


@task("start_request", policy=PEER, on_dead=_request_given_up)
def start_request(request_id: str) -> None:
    """Go on with a request that waited for a peer, a patient or a connection."""
    from labbridge.handlers.order_requests import go_on

    go_on(request_id)


@task("expire_request", policy=PEER)
def expire_request(request_id: str) -> None:
    """Put a checkout away that was not used for days."""
    from labbridge.handlers.intents import expire

    _read_intent(expire, request_id)


@task("read_returned_order", policy=PEER)
def read_returned_order(request_id: str) -> None:
    """The practitioner came back from Rupa: read what became of the intent, without waiting for its event."""
    from labbridge.handlers.intents import read_intent_of

    _read_intent(read_intent_of, request_id)


def _read_intent(act: Callable[[str], None], request_id: str) -> None:
    from labbridge.ordering.choice import CannotOrder

    try:
        act(request_id)
    except (NotConnected, CannotOrder) as error:  # nobody is connected at the moment
        raise NotYet(str(error)) from None
