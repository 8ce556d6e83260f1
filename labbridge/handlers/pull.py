"""Reading from Rupa what an order speaks of and the mirror does not hold."""

from __future__ import annotations

from django.db import transaction

from labbridge.handlers import jobs
from labbridge.handlers.results import reread, take_pending
from labbridge.mirror.merge import lab_tests_missing, merge_lab_test, merge_patient
from labbridge.mirror.models import LabTest, Order
from labbridge.peers.errors import NotFound
from labbridge.peers.rupa.client import Rupa
from labbridge.practices.clients import rupa, rupa_connection


def pull_now(order: Order) -> None:
    """Patient, names of tests, result files: whatever is missing.

    Raises:
        PeerError: Rupa is away; what was read stays read.
        NotConnected: no connection of the practice can be used.

    """
    with rupa(rupa_connection(order.practice), "orders") as client:
        _pull_patient(order, client)
        for external_id in lab_tests_missing(order):
            _pull_lab_test(order, external_id, client)
        take_pending(order, client)


def reread_now(order: Order) -> None:
    with rupa(rupa_connection(order.practice), "orders") as client:
        reread(order, client, look_again=False)


def _pull_patient(order: Order, client: Rupa) -> None:
    patient = order.patient
    if patient is None or patient.person is not None:
        return
    try:
        snapshot = client.patient(patient.external_id)
    except NotFound:  # then only the id in Caspio can link this order
        patient.person = {}
        patient.save(update_fields=["person"])
        return
    with transaction.atomic():
        order.patient, _ = merge_patient(order.practice, snapshot, client.now())
        _touch(order)


def _pull_lab_test(order: Order, external_id: str, client: Rupa) -> None:
    try:
        snapshot = client.lab_test(external_id)
    except NotFound:  # it left the catalogue: the order keeps its id
        with transaction.atomic():
            LabTest.objects.update_or_create(
                practice=order.practice,
                external_id=external_id,
                defaults={"as_of": client.now(), "retired": True},
            )
        return
    with transaction.atomic():
        merge_lab_test(order.practice, snapshot, client.now())
        _touch(order)
        if order.practice.catalog_read_at is None:
            return  # the catalogue is not kept in Caspio yet; the order has the test's name all the same
        jobs.file_lab_test.defer(
            lock=f"{order.practice.slug}:lab_test:{external_id}",
            practice_id=str(order.practice.pk),
            external_id=external_id,
        )


def _touch(order: Order) -> None:
    """What was read belongs into the order's rows."""
    held = Order.objects.select_for_update().get(pk=order.pk)
    held.revision += 1
    held.save(update_fields=["revision"])
