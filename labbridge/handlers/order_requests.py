"""Asking for labs: one path behind three doors, the order page, the request table and the machine API.

A request says what is wanted; it is kept before anything is tried, so that a crash or a peer that is away only
delays it. What holds it up is a sentence for the person who asked; what it waits for lets it go on by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

import structlog
from django.db import transaction
from django.utils import timezone

from labbridge.engine.jobs import NotYet
from labbridge.filing.execute import FilingProblem
from labbridge.handlers.charts import read_chart_by_key
from labbridge.handlers.intents import read_intent, start_later
from labbridge.handlers.ordered import answer_later, note_intent
from labbridge.handlers.patient_sync import sync_now
from labbridge.handlers.rupa_patients import patient_data
from labbridge.matching.normalise import normalise
from labbridge.mirror.models import CaseState, Chart, PatientLink, ReviewCase
from labbridge.mirror.pseudonyms import sides_of
from labbridge.ordering.choice import CannotOrder
from labbridge.ordering.models import Door, OrderRequest, RequestState, Waits
from labbridge.ordering.open_tests import already_open
from labbridge.ordering.protocols import protocol_tests
from labbridge.ordering.start import TO_BE_DECIDED, MustWait, is_done, link_of, start
from labbridge.peers.errors import PeerError
from labbridge.peers.rupa.types import PatientData
from labbridge.practices.apply import config_of
from labbridge.practices.clients import NotConnected, caspio
from labbridge.practices.models import Practice
from labbridge.trust.audit import Actor, job, record

log = structlog.get_logger()

MOST_TESTS = 100  # of one request: more is a mistake in a page, not an order
LATER = "Rupa cannot be reached now. We go on trying by ourselves; the checkout then appears here."
CASPIO_AWAY = "Caspio cannot be reached now. We go on trying by ourselves; the checkout then appears here."
IN_CHANGE = "The patient's row was changed a moment ago and is matched again. The checkout then appears here."
GAVE_UP = "Rupa could not be reached for days, so this was given up. Ask again when Rupa works."
NO_PATIENT = (
    "There is no patient with this key in the practice's Caspio table. Correct the key and ask again."
)
UNMATCHED = (
    "This patient is not matched with a patient at Rupa. Put their Rupa patient id on the patient's row in Caspio; "
    "this then goes on by itself."
)
NOT_SENT = (
    "This patient cannot be sent to Rupa yet: Rupa_Sync_Message on the patient's row says why. Correct it there; "
    "this then goes on by itself."
)


class Contents(TypedDict):
    """What is wanted, as every door gives it."""

    patient_key: str
    test_ids: list[str]
    protocol_id: str
    practitioner_email: str


@dataclass(frozen=True)
class Asker:
    """Who asks, by which door, and where the return page leads back to."""

    door: Door
    name: str = ""
    back_url: str = ""
    row_pk: int | None = None
    actor: Actor | None = None  # as the audit has them; a job's, when nobody is signed in


class Edited(Exception):
    """The key asked for something else before, and an intent may exist for that."""

    def __init__(self, request: OrderRequest) -> None:
        super().__init__(str(request.pk))
        self.request = request


def contents(
    patient_key: object, *, test_ids: object = "", protocol_id: object = "", practitioner_email: object = ""
) -> Contents:
    """From whatever a row, a form or a caller holds. Tests as a list, or as text with commas."""
    tests = test_ids if isinstance(test_ids, list | tuple) else str(test_ids or "").split(",")
    return {
        "patient_key": _text(patient_key),
        "test_ids": list(dict.fromkeys(one for test in tests if (one := _text(test))))[: MOST_TESTS + 1],
        "protocol_id": _text(protocol_id),
        "practitioner_email": _text(practitioner_email),
    }


def _text(value: object) -> str:
    return str("" if value is None else value).replace("\0", "").strip()[:255]


def ask(practice: Practice, key: str, wanted: Contents, by: Asker, *, again: bool = False) -> OrderRequest:
    """Ask for labs, once per key, and try at once. The request that comes back says how it stands.

    The same key and contents again: the same request, with the same checkout. `again`: one that has expired gets a
    new checkout. When a peer is away the request stays `received`, and a job goes on with it.

    Raises:
        Edited: the key is known, asked for something else, and was answered.

    """
    request = take(practice, key, wanted, by, again=again)
    if request.state in {RequestState.ORDERED, RequestState.EXPIRED} and not again:
        return request
    try:
        return fulfil(request, by.actor)
    except (PeerError, NotYet):
        start_later(request)
        request.refresh_from_db()
        return request


def again(request: OrderRequest) -> OrderRequest:
    """Ask once more for what was asked: after it expired, or after what it failed for was mended."""
    wanted: Contents = {
        "patient_key": request.patient_key, "test_ids": request.test_ids, "protocol_id": request.protocol_id,
        "practitioner_email": request.practitioner_email,
    }  # fmt: skip
    asker = Asker(Door(request.door), request.asked_by, request.back_url, request.row_pk)
    asked = ask(request.practice, request.key, wanted, asker, again=True)
    answer_later(asked)
    return asked


def take(practice: Practice, key: str, wanted: Contents, by: Asker, *, again: bool = False) -> OrderRequest:
    """Keep the request, or find it. Raises Edited."""
    chart = Chart.objects.filter(practice=practice, key=wanted["patient_key"], present=True).first()
    first = {
        **wanted, "door": by.door, "chart": chart, "asked_by": by.name[:150], "back_url": by.back_url,
        "row_pk": by.row_pk,
    }  # fmt: skip
    with transaction.atomic():
        request, created = OrderRequest.objects.select_for_update().get_or_create(
            practice=practice, key=key, defaults=first
        )
        if created:
            record(
                "order.request", actor=by.actor or job("answer_request_row"), practice=practice,
                patient=sides_of(chart), subject=f"order_request:{request.pk}", door=str(by.door),
            )  # fmt: skip
            return request
        same = request.door == by.door and all(
            getattr(request, name) == value for name, value in wanted.items()
        )
        if not same and (request.fixed or request.door != by.door):
            raise Edited(request)
        if request.state == RequestState.EXPIRED and not again:
            return request
        for name, value in wanted.items():
            setattr(request, name, value)
        request.chart = chart if not same or request.chart is None else request.chart
        request.row_pk = by.row_pk or request.row_pk
        request.save(update_fields=[*wanted, "chart", "row_pk"])
    return request


def fulfil(request: OrderRequest, actor: Actor | None = None) -> OrderRequest:
    """One try, from the request to its checkout. What holds it up is noted on it.

    Raises:
        PeerError: a peer is away; the request says so.
        NotYet: the patient's row is being changed; it is matched again in a moment.

    """
    OrderRequest.objects.filter(pk=request.pk).update(tried_at=timezone.now())
    try:
        request = _start(request)
        _warn(request, actor or job("start_request"))
    except MustWait as wait:
        note(request, RequestState.RECEIVED, str(wait), wait.waits_for)
    except CannotOrder as problem:
        note(request, RequestState.FAILED, str(problem))
    except NotConnected as problem:
        note(request, RequestState.RECEIVED, str(problem), Waits.CONNECTION)
    except FilingProblem as problem:
        note(request, RequestState.FAILED, problem.sentence, Waits.PATIENT)
    except PeerError as error:
        words = CASPIO_AWAY if error.peer == "caspio" else LATER
        note(request, RequestState.RECEIVED, words, Waits.PEER)
        raise
    except NotYet:
        note(request, RequestState.RECEIVED, IN_CHANGE, Waits.PATIENT)
        raise
    request.refresh_from_db()
    return request


def _start(request: OrderRequest) -> OrderRequest:
    request.refresh_from_db()
    if is_done(request, link_of(request)):
        return request
    if request.intent_id and request.intent_too_old and not request.order_external_id:
        read_intent(request)  # perhaps it was used after all
        request.refresh_from_db()
    if not request.fixed:
        _complete(request)
    request = start(request, _new_patient(request))
    note_intent(request)
    return request


def _complete(request: OrderRequest) -> None:
    """Find the patient's row, and the tests of the protocol. Raises CannotOrder."""
    if len(request.test_ids) > MOST_TESTS:
        raise CannotOrder(
            f"More than {MOST_TESTS} tests were asked for at once. Correct Test_IDs and ask again."
        )
    chosen = list(request.test_ids)
    if request.protocol_id or request.chart is None:
        with caspio(request.practice, "ordering") as client:
            if request.chart is None and request.patient_key:
                request.chart = read_chart_by_key(request.practice, client, request.patient_key)
            if request.protocol_id:
                chosen = [*protocol_tests(request.practice, client, request.protocol_id), *chosen]
    if request.chart is None:
        raise CannotOrder(NO_PATIENT)
    request.chosen_ids = chosen
    request.save(update_fields=["chart", "chosen_ids"])


def _new_patient(request: OrderRequest) -> PatientData | None:
    """The particulars of a patient whom Rupa does not know and creates only with an order; None for all others.

    Raises:
        MustWait: it is not certain who this is at Rupa.

    """
    chart = request.chart
    if request.state == RequestState.ORDERED or chart is None or _is_linked(chart):
        return None
    if ReviewCase.objects.filter(chart=chart, state=CaseState.OPEN).exists():
        raise MustWait(TO_BE_DECIDED, Waits.PATIENT)
    if config_of(request.practice).sync.patients != "full":
        sync_now(chart)  # perhaps Rupa has this one, who had no order yet that would have told us
        if not _is_linked(chart):
            raise MustWait(UNMATCHED, Waits.PATIENT)
        return None
    outcome = sync_now(chart)
    if _is_linked(chart):
        return None
    if outcome == "waiting":
        chart.refresh_from_db()
        today = timezone.now().astimezone(request.practice.zone).date()
        return patient_data(normalise(chart.person, today=today).as_person())
    raise MustWait(TO_BE_DECIDED if outcome == "review" else NOT_SENT, Waits.PATIENT)


def _is_linked(chart: Chart) -> bool:
    return PatientLink.objects.filter(chart=chart).exists()


def _warn(request: OrderRequest, actor: Actor) -> None:
    """A checkout for a test that is open already is given, with a word about it: a repeat may be meant."""
    if request.state != RequestState.READY or request.chart is None or request.message:
        return
    found = already_open(request.chart, request.chosen_ids, besides=request)
    if found:
        note(request, RequestState.READY, " ".join(one.sentence for one in found))
        OrderRequest.objects.filter(pk=request.pk).update(open_already=[one.ids for one in found])
        record(
            "order.repeat", actor=actor, practice=request.practice, patient=sides_of(request.chart),
            subject=f"order_request:{request.pk}", count=len(found), door=str(request.door),
        )  # fmt: skip


def note(request: OrderRequest, state: RequestState, message: str, waits_for: Waits = Waits.NOTHING) -> None:
    """Say how it stands; never over an order that has come meanwhile."""
    values = {"state": state, "message": message[:500], "waits_for": waits_for}
    OrderRequest.objects.filter(pk=request.pk).exclude(state=RequestState.ORDERED).update(**values)
    request.refresh_from_db()


def go_on(request_id: str) -> None:
    """Go on with a request in a job, and answer its row. Raises PeerError while a peer is away."""
    request = OrderRequest.objects.select_related("practice", "chart").get(pk=request_id)
    before = (request.state, request.message)
    try:
        request = fulfil(request)
    finally:
        request.refresh_from_db()
        if (request.state, request.message) != before:
            answer_later(request)


def give_up(reason: str, request_id: str) -> None:
    """The job's attempts are used up."""
    del reason  # for the log: it names the peer's code
    request = OrderRequest.objects.select_related("practice").get(pk=request_id)
    if request.state == RequestState.RECEIVED:
        note(request, RequestState.FAILED, GAVE_UP)
        answer_later(request)
