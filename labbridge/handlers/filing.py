"""Filing one order: the patient's link first, then the plan, then the ledger; and what becomes of its events."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from labbridge.filing.execute import Filer, FilingProblem
from labbridge.filing.rows import OrderRows
from labbridge.handlers.orders import subject_of
from labbridge.handlers.patients import UNLINKED, link_patient, look_in_caspio, read_charts
from labbridge.handlers.settle import has_pending_sources, queue_poll
from labbridge.inbox.models import Event, EventState
from labbridge.mirror.models import Order, PatientLink, Result
from labbridge.mirror.results import OTHER_PATIENT
from labbridge.peers.caspio import Caspio
from labbridge.practices.apply import config_of
from labbridge.practices.clients import caspio
from labbridge.practices.models import Practitioner

#: The patients table is read whole for an unlinked order, but not more often than this.
CHARTS_FRESH = timedelta(minutes=10)


def file_now(order: Order) -> None:
    """Bring Caspio to what the mirror knows of this order.

    Raises:
        FilingProblem: Caspio refuses something; the sentence is on the order.
        PeerError: Caspio is away.

    """
    started, revision = timezone.now(), order.revision
    with caspio(order.practice, "filing") as client:
        link = _link(order, client)
        if link is None:
            _wait(order, UNLINKED)
            return
        rows = OrderRows(order, config_of(order.practice), link.chart.key, practitioner_name(order)).all()
        Filer(order.practice, config_of(order.practice), client).file(rows, group=f"order:{order.pk}")
    with transaction.atomic():
        held = Order.objects.select_for_update().get(pk=order.pk)
        held.filed_revision = max(held.filed_revision, revision)
        held.filed_at, held.filing_problem = timezone.now(), ""
        held.save(update_fields=["filed_revision", "filed_at", "filing_problem"])
        queue_poll(held)
        _settle_events(held, started)


def practitioner_name(order: Order) -> str:
    known = Practitioner.objects.filter(external_id=order.practitioner_id_external).first()
    return known.name if known else order.practitioner_name


def _link(order: Order, client: Caspio) -> PatientLink | None:
    patient = order.patient
    if patient is None:
        return None
    link = link_patient(patient)
    if link is None:
        link = look_in_caspio(patient, client)
    practice = order.practice
    stale = practice.charts_read_at is None or timezone.now() - practice.charts_read_at > CHARTS_FRESH
    if link is None and stale:
        read_charts(practice, client.speaking_for(purpose="patients"))
        link = link_patient(patient)
    return link


def _wait(order: Order, reason: str) -> None:
    """Nothing can be filed before a person has decided: the order and its events say so."""
    with transaction.atomic():
        Order.objects.filter(pk=order.pk).update(filing_problem=reason)
        Event.objects.open_for(order.practice, subject_of(order.external_id)).update(
            state=EventState.WAITING, reason=reason, settled_at=timezone.now()
        )


def _settle_events(order: Order, started: object) -> None:
    """Events merged before this filing began are done, unless a file is still to be taken or a person asked."""
    merged = Event.objects.open_for(order.practice, subject_of(order.external_id)).filter(
        merged_at__lte=started
    )
    if has_pending_sources(order):
        return
    now = timezone.now()
    if Result.objects.filter(ordered_test__order=order, withheld=True).exists():
        merged.update(state=EventState.WAITING, reason=OTHER_PATIENT, settled_at=now)
        return
    merged.update(state=EventState.HANDLED, reason="", settled_at=now)


__all__ = ["FilingProblem", "file_now"]
