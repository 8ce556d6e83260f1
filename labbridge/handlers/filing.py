"""Filing one order: the patient's link first, then the plan, then the ledger; and what becomes of its events."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from labbridge.engine.locks import exclusive
from labbridge.filing.execute import Filer
from labbridge.filing.rows import OrderRows
from labbridge.handlers.charts import look_in_caspio, read_charts
from labbridge.handlers.links import link_patient, why_unlinked
from labbridge.handlers.orders import subject_of
from labbridge.handlers.settle import outcome, queue_poll, unread
from labbridge.inbox.models import Event, EventState
from labbridge.mirror.models import Order, PatientLink
from labbridge.mirror.results import check_names
from labbridge.peers.caspio import Caspio
from labbridge.practices.apply import config_of
from labbridge.practices.clients import caspio
from labbridge.practices.models import Practice, Practitioner

#: The patients table is read whole for an unlinked order, but not more often than this.
CHARTS_FRESH = timedelta(minutes=10)

NAMELESS = "Rupa's order names no patient. Look at it in Rupa; it is filed when it does."


def file_now(order: Order) -> None:
    """Bring Caspio to what the mirror knows of this order.

    Raises:
        FilingProblem: Caspio refuses something; the sentence is on the order.
        PeerError: Caspio is away.

    """
    with caspio(order.practice, "filing") as client:
        link = _link(order, client)
        if link is None:
            _file(order, client, patient_key="", create=False)
            _wait(order, why_unlinked(order.patient) if order.patient else NAMELESS)
            return
        current = _current(order, link)
        if current is None:
            return  # it is another patient's meanwhile: the change has queued a filing of its own
        _file(current, client, patient_key=link.chart.key)
    with transaction.atomic():
        held = (
            Order.objects.select_related("practice", "patient")
            .select_for_update(of=("self",))
            .get(pk=order.pk)
        )
        held.filed_revision = max(held.filed_revision, current.revision)
        held.filed_at, held.filing_problem = timezone.now(), ""
        held.save(update_fields=["filed_revision", "filed_at", "filing_problem"])
        queue_poll(held)
        if held.revision == current.revision:  # else the change since then has queued a filing of its own
            _settle_events(held)


def _file(order: Order, client: Caspio, *, patient_key: str, create: bool = True) -> None:
    """Without a chart no row is made, and those that are there leave the chart that they were in."""
    config = config_of(order.practice)
    rows = OrderRows(order, config, patient_key, practitioner_name(order)).all()
    Filer(order.practice, config, client).file(rows, group=f"order:{order.pk}", create=create)


def _current(order: Order, link: PatientLink) -> Order | None:
    """The order as it is now, its results compared with whom they are about to be filed under."""
    with transaction.atomic():
        held = (
            Order.objects.select_related("practice", "patient")
            .select_for_update(of=("self",))
            .get(pk=order.pk)
        )
        if held.patient is None or held.patient.pk != link.patient_id:
            return None
        if check_names(held, [held.patient.person, link.chart.person], link.chart):
            held.revision += 1
            held.save(update_fields=["revision"])
        return held


def practitioner_name(order: Order) -> str:
    known = Practitioner.objects.filter(external_id=order.practitioner_id_external).first()
    return known.name if known else order.practitioner_name


def _link(order: Order, client: Caspio) -> PatientLink | None:
    """The patient's link; for one without, Caspio is asked by the id, and the whole table is read now and then."""
    patient, practice = order.patient, order.practice
    if patient is None:
        return None
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
                read_charts(practice, client.speaking_for(purpose="patients"))
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


def _settle_events(order: Order) -> None:
    """All that was merged is in Caspio, so its events come to rest; not while Rupa still is to be asked."""
    if unread(order):
        return
    state, reason = outcome(order)
    opened = Event.objects.open_for(order.practice, subject_of(order.external_id))
    opened.update(state=state, reason=reason, settled_at=timezone.now())
