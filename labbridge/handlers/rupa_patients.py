"""Rupa's patients, read into the mirror: the whole list of every clinic, or one by their id."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import partial
from itertools import islice

from django.db import transaction
from django.utils import timezone

from labbridge.database.deadlocks import outliving_deadlocks
from labbridge.engine.locks import exclusive
from labbridge.handlers.links import follow_patient
from labbridge.handlers.settle import refile_withheld
from labbridge.mirror.merge import Shown, merge_patient, merge_unchanged, read_at
from labbridge.mirror.models import KEY, Order, Patient
from labbridge.mirror.person import Person
from labbridge.peers.errors import Conflict, NotFound, Rejected
from labbridge.peers.rupa.types import PatientData, PatientSnapshot
from labbridge.practices.clients import lab
from labbridge.practices.connections import connections_by_clinic
from labbridge.practices.models import Connection, Practice

#: A list serves many rows: it is read again when it is older than this, or than twenty times what reading it takes.
LIST_SERVES = timedelta(seconds=60)
TOGETHER = 50  # patients merged at once; as many as one of Rupa's pages has


def read_patients(practice: Practice, *, after: datetime) -> int | None:
    """Read every clinic's own list of patients, unless one that began after `after` still serves.

    Returns how many were read; None when nothing was.

    Raises:
        PeerError: Rupa is away.

    """
    with exclusive(f"patients:{practice.pk}"):  # never while a patient is being created: that must be seen
        practice.refresh_from_db(fields=["patients_read_at", "patients_read_took"])
        began, took = practice.patients_read_at, practice.patients_read_took or timedelta()
        if began is not None and began > after and timezone.now() - began < max(LIST_SERVES, 20 * took):
            return None
        return _read(practice)


def _read(practice: Practice) -> int:
    started, count = timezone.now(), 0
    known = dict(Patient.objects.filter(practice=practice).values_list("external_id", "as_of"))
    for connection in connections_by_clinic(practice):
        with lab(connection, "patients") as peer:
            shown = (
                Shown(one, read_at(peer.now(), known.get(one.id)))
                for one in peer.patients()
                if 0 < len(one.id) <= KEY
            )
            while page := list(islice(shown, TOGETHER)):
                _take_page(practice, page, connection)
                count += len(page)
    practice.patients_read_at, practice.patients_read_took = started, timezone.now() - started
    Practice.objects.filter(pk=practice.pk).update(
        patients_read_at=started, patients_read_took=practice.patients_read_took
    )
    return count


def _take_page(practice: Practice, page: list[Shown], connection: Connection) -> None:
    """Most of a list that is read again is as it was: that costs a few statements for all of them."""
    same = outliving_deadlocks(transaction.atomic(partial(merge_unchanged, practice, page, connection)))
    for shown in page:
        if shown.snapshot.id not in same:
            take_patient(practice, shown.snapshot, shown.as_of, connection)


def age_held(practice: Practice, external_id: str) -> datetime | None:
    """How new what we hold of a patient is. Taken before Rupa is asked: its answer is never older than that."""
    return (
        Patient.objects.filter(practice=practice, external_id=external_id)
        .values_list("as_of", flat=True)
        .first()
    )


def take_patient(
    practice: Practice,
    snapshot: PatientSnapshot,
    as_of: datetime,
    connection: Connection | None,
    *,
    whole: bool = False,
) -> tuple[Patient, bool]:
    """Merge one patient; whoever depends on who they are follows. Returns whether that has changed."""

    @transaction.atomic
    def take() -> tuple[Patient, bool]:
        patient, changed = merge_patient(practice, snapshot, as_of, whole=whole)
        if connection is not None and patient.connection_id != connection.pk:
            Patient.objects.filter(pk=patient.pk).update(connection=connection)
        if changed:
            note_changed(patient)
        return patient, changed

    return outliving_deadlocks(take)


def note_changed(patient: Patient) -> None:
    """Who they are has changed: results that named somebody else, and the row that they are linked with."""
    # All of their orders, in one order: the caller may go on to lock any of them.
    list(
        Order.objects.select_for_update(of=("self",)).filter(patient=patient).order_by("pk").values_list("pk")
    )
    refile_withheld(patient)
    follow_patient(patient)


def patient_at_rupa(practice: Practice, external_id: str) -> Patient | None:
    """A patient read now by their id, in whichever clinic knows them; None when none does."""
    known = age_held(practice, external_id)
    for connection in connections_by_clinic(practice):
        with lab(connection, "patients") as peer:
            try:
                snapshot = peer.patient(external_id)
            except NotFound:
                continue
            if snapshot.id == external_id:
                as_of = read_at(peer.now(), known)
                return take_patient(practice, snapshot, as_of, connection, whole=True)[0]
    return None


def patient_data(person: Person) -> PatientData:
    """A normalised person in the shape of the client; parts without a value are left out."""
    data: PatientData = {}
    for part, value in person.items():
        if value is not None:
            data[part] = date.fromisoformat(value) if part == "birthday" else value  # type: ignore[literal-required]  # PARTS are its keys
    return data


def refused(error: Conflict | Rejected, what: str) -> str:
    """The field that Rupa would not take, in words for the row."""
    words = {"phone_number": "phone", "shipping_address": "address", "email": "the e-mail"}
    names = [name.split(".")[-1] for name in error.fields]
    fields = list(dict.fromkeys(words.get(name, name.replace("_", " ")) for name in names))
    return f"Rupa refused {', '.join(fields) or what}. Correct it on this row."
