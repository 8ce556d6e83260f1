"""Reading from Rupa what an order speaks of and the mirror does not hold."""

from __future__ import annotations

from django.db import transaction

from labbridge.handlers import jobs
from labbridge.handlers.results import reread, take_pending
from labbridge.handlers.rupa_patients import note_changed
from labbridge.handlers.settle import has_withheld
from labbridge.mirror.lab_tests import lab_tests_missing, merge_lab_test
from labbridge.mirror.merge import merge_patient, read_at
from labbridge.mirror.models import LabTest, Order, Patient
from labbridge.mirror.person import PARTS
from labbridge.peers.errors import NotFound
from labbridge.peers.lab import LabPeer
from labbridge.peers.rupa.types import LabTestSnapshot, PatientSnapshot
from labbridge.practices.clients import lab
from labbridge.practices.connections import connection_of_practitioner
from labbridge.practices.models import Connection


def pull_now(order: Order) -> None:
    """Patient, names of tests, result files: whatever is missing.

    Raises:
        PeerError: Rupa is away; what was read stays read.
        NotConnected: no connection of the practice can be used.

    """
    if order.erased_at or (order.patient and order.patient.erased_at):
        return
    with lab(_connection(order), "orders") as client:
        _pull_patient(order, client)
        for external_id in lab_tests_missing(order):
            _pull_lab_test(order, external_id, client)
        take_pending(order, client)


def reread_now(order: Order) -> None:
    """Raises as `pull_now` does."""
    if order.erased_at or (order.patient and order.patient.erased_at):
        return
    with lab(_connection(order), "orders") as client:
        reread(order, client)


def _connection(order: Order) -> Connection:
    """One of the order's own clinic: a practice may have several."""
    return connection_of_practitioner(order.practice, order.practitioner_id_external)


def _pull_patient(order: Order, client: LabPeer) -> None:
    patient = order.patient
    if patient is None or not (patient.unread or has_withheld(order)):
        return
    snapshot = _patient_at_rupa(patient.external_id, client)
    with transaction.atomic():
        if snapshot is None:  # then only the id in Caspio can link this order
            held = Patient.objects.select_for_update(no_key=True).get(pk=patient.pk)
            held.person = {**dict.fromkeys(PARTS), **(held.person or {})}
            held.save(update_fields=["person"])
            return
        as_of = read_at(client.now(), patient.as_of)
        patient, changed = merge_patient(order.practice, snapshot, as_of, whole=True)
        if changed:
            note_changed(patient)
            _touch(order)


def _patient_at_rupa(external_id: str, client: LabPeer) -> PatientSnapshot | None:
    """None when Rupa does not know them, or answers with somebody else."""
    try:
        snapshot = client.patient(external_id)
    except NotFound:
        return None
    return snapshot if snapshot.id == external_id else None


def _pull_lab_test(order: Order, external_id: str, client: LabPeer) -> None:
    snapshot = _lab_test_at_rupa(external_id, client)
    with transaction.atomic():
        if snapshot is None:  # it left the catalogue: the order keeps its id
            LabTest.objects.update_or_create(
                practice=order.practice,
                external_id=external_id,
                defaults={"as_of": client.now(), "retired": True},
            )
            return
        merge_lab_test(order.practice, snapshot, client.now())
        _touch(order)
        if order.practice.catalog_read_at is None:
            return  # the catalogue is not kept in Caspio yet; the order has the test's name all the same
        jobs.file_lab_test.defer(
            lock=f"{order.practice.slug}:lab_test:{external_id}",
            practice_id=str(order.practice.pk),
            external_id=external_id,
        )


def _lab_test_at_rupa(external_id: str, client: LabPeer) -> LabTestSnapshot | None:
    try:
        snapshot = client.lab_test(external_id)
    except NotFound:
        return None
    return snapshot if snapshot.id == external_id else None


def _touch(order: Order) -> None:
    """What was read belongs into the order's rows."""
    held = Order.objects.select_for_update().get(pk=order.pk)
    held.revision += 1
    held.save(update_fields=["revision"])
