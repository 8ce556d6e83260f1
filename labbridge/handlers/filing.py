"""Filing one order: the patient's link first, then the plan, then the ledger; and what becomes of its events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.db import connection, transaction
from django.utils import timezone

from labbridge.engine.locks import exclusive
from labbridge.filing.execute import Filer
from labbridge.filing.reviews import file_reviews
from labbridge.filing.rows import OrderRows, Row
from labbridge.handlers.charts import look_in_caspio, read_charts
from labbridge.handlers.links import ask_about, link_patient, why_unlinked
from labbridge.handlers.ordered import ANOTHERS, is_anothers, link_brought_patient
from labbridge.handlers.orders import subject_of
from labbridge.handlers.settle import Standing, outcome, queue_poll, standing_of, unread
from labbridge.inbox.models import Event, EventState
from labbridge.mirror.models import Chart, Order, Patient, PatientLink
from labbridge.mirror.results import check_names
from labbridge.peers.caspio import Caspio
from labbridge.practices.apply import config_of
from labbridge.practices.clients import caspio
from labbridge.practices.models import Practice, Practitioner
from labbridge.trust.audit import job, record

#: The patients table is read whole for an unlinked order, but not more often than this.
CHARTS_FRESH = timedelta(minutes=10)

FILER = job("file_order")

ERASED = (
    "This patient's data was erased here, so nothing new is filed for them. Look at the order in Rupa, and at "
    "docs/retention.md if the patient has come back."
)
NAMELESS = "Rupa's order names no patient. Look at it in Rupa; it is filed when it does."


def file_now(order: Order) -> None:
    """Bring Caspio to what the mirror knows of this order.

    Raises:
        FilingProblem: Caspio refuses something; the sentence is on the order.
        PeerError: Caspio is away.

    """
    if order.erased_at:
        return  # what Caspio holds of it is the practice's own
    if order.patient is not None and order.patient.erased_at:
        _wait(order, ERASED)
        return
    with caspio(order.practice, "filing") as client:
        link = _link(order, client)
        anothers = link is not None and is_anothers(order, link)
        if link is None or anothers:
            _file(order, client, [order.patient], _rows(order, ""), create=False)
            if link is None and order.patient is not None and not order.patient.unread:
                ask_about(order.patient)
            unlinked = why_unlinked(order.patient) if order.patient else NAMELESS
            _wait(order, ANOTHERS if anothers else unlinked)
            return
        found = _current(order, link)
        if found is None:
            return  # it is another patient's meanwhile: the change has queued a filing of its own
        current, rows, results = found
        people: list[Chart | Patient | None] = [link.chart, link.patient]
        _file(current, client, people, rows)
        if results and (reviews := file_reviews(current, config_of(current.practice), client)):
            _record(current, people, reviews)
    with transaction.atomic():
        revision = _filed(current)
        standing = standing_of(current)
        if standing.dated:
            queue_poll(_locked(current))
        if revision == current.revision:  # else the change since then has queued a filing of its own
            _settle_events(current, standing)


_FILED = """
UPDATE mirror_order SET filed_revision = greatest(filed_revision, %s), filed_at = now(), filing_problem = ''
 WHERE id = %s RETURNING revision
"""


def _filed(order: Order) -> int:
    """Note that this much is in Caspio; locks the order. Returns its revision as it is now."""
    with connection.cursor() as cursor:
        cursor.execute(_FILED, [order.revision, order.pk])
        return int(cursor.fetchone()[0])


def _locked(order: Order) -> Order:
    """The order as it is now, until the transaction ends."""
    held = Order.objects.select_for_update().get(pk=order.pk)
    held.practice = order.practice
    if held.patient_id == order.patient_id and not (order.patient and order.patient.unread):
        held.patient = order.patient
    return held


def _file(
    order: Order,
    client: Caspio,
    people: Sequence[Chart | Patient | None],
    rows: Sequence[Row],
    *,
    create: bool = True,
) -> None:
    """Without a chart no row is made, and those that are there leave the chart that they were in.

    What Caspio took is recorded as being about `people`, also when it refused a part.
    """
    filer = Filer(order.practice, config_of(order.practice), client)
    try:
        filer.file(rows, group=f"order:{order.pk}", create=create)
    finally:
        written = filer.done.total() - filer.done["unchanged"] - filer.done["looked_up"]
        if written:
            _record(order, people, written)


def _record(order: Order, people: Sequence[Chart | Patient | None], written: int) -> None:
    record(
        "order.file", actor=FILER, practice=order.practice, patient=people, subject=f"order:{order.pk}",
        why="treatment", count=written,
    )  # fmt: skip


def _current(order: Order, link: PatientLink) -> tuple[Order, list[Row], bool] | None:
    """The order as it is now, what is to be filed of it, and whether it has results. None: it is another patient's.

    Its results are compared with whom they are about to be filed under, and read while the order is still locked: one
    that is taken a moment later is not filed before it was compared too.
    """
    standing = standing_of(order)
    if not standing.results and (standing.revision, standing.patient_id) == (order.revision, link.patient_id):
        return order, _rows(order, link.chart.key, with_results=False), False
    with transaction.atomic():
        held = _locked(order)
        if held.patient is None or held.patient.pk != link.patient_id:
            return None
        if check_names(held, [held.patient.person, link.chart.person], link.chart):
            held.revision += 1
            held.save(update_fields=["revision"])
        return held, _rows(held, link.chart.key), True


def _rows(order: Order, patient_key: str, *, with_results: bool = True) -> list[Row]:
    config = config_of(order.practice)
    return OrderRows(order, config, patient_key, practitioner_name(order), with_results=with_results).all()


def practitioner_name(order: Order) -> str:
    known = Practitioner.objects.filter(external_id=order.practitioner_id_external)
    name = known.values_list("name", flat=True).first()
    return order.practitioner_name if name is None else name


def _link(order: Order, client: Caspio) -> PatientLink | None:
    """The patient's link; for one without, Caspio is asked by the id, and the whole table is read now and then."""
    patient, practice = order.patient, order.practice
    if patient is None:
        return None
    if (link := link_brought_patient(order)) is not None:
        return link
    if (link := link_patient(patient)) is not None:
        return link
    look_in_caspio(patient, client)
    if (link := link_patient(patient)) is not None:
        return link
    if _is_stale(practice):
        with exclusive(
            f"charts:{practice.pk}"
        ):  # many orders may come at once, and one reading serves them all
            practice.refresh_from_db(fields=["charts_read_at"])
            if _is_stale(practice):
                # To find one patient is no reason to send others to Rupa: that is for `sync patients` and sweeps.
                read_charts(practice, client.speaking_for(purpose="patients"), queue=False)
    return link_patient(patient)


def _is_stale(practice: Practice) -> bool:
    return practice.charts_read_at is None or timezone.now() - practice.charts_read_at > CHARTS_FRESH


def _wait(order: Order, reason: str) -> None:
    """Nothing can be filed before a person has decided: the order and its events say so."""
    with transaction.atomic():
        Order.objects.filter(pk=order.pk).update(filing_problem=reason)
        Event.objects.open_for(order.practice, subject_of(order.external_id)).update(
            state=EventState.WAITING, reason=reason, settled_at=timezone.now()
        )


def _settle_events(order: Order, standing: Standing) -> None:
    """All that was merged is in Caspio, so its events come to rest; not while Rupa still is to be asked."""
    if unread(order, standing):
        return
    state, reason = outcome(standing)
    opened = Event.objects.open_for(order.practice, subject_of(order.external_id))
    opened.update(state=state, reason=reason, settled_at=timezone.now())
