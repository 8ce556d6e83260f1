"""Rupa's list of patients read again: what is as it was costs little, and still counts as read just now."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from labbridge.handlers.rupa_patients import LIST_SERVES, read_patients
from labbridge.mirror.merge import merge_patient
from labbridge.mirror.models import Patient
from labbridge.peers.rupa.types import PatientSnapshot
from labbridge.practices.models import Practice

pytestmark = pytest.mark.django_db(transaction=True)


def read(practice: Practice) -> int:
    """Statements of one reading that the list held so far does not spare."""
    with CaptureQueriesContext(connection) as asked:
        assert read_patients(practice, after=timezone.now()) is not None
    return len(asked.captured_queries)


def test_patients_who_are_as_they_were_cost_the_same_for_three_or_thirty(
    practice: Practice, rupa_sim: Any
) -> None:
    for number in range(3):
        rupa_sim.patient(number)
    read(practice)
    few = read(practice)
    for number in range(3, 30):
        rupa_sim.patient(number)
    read(practice)
    assert Patient.objects.count() >= 30
    assert read(practice) == few


def test_they_count_as_read_now(practice: Practice, rupa_sim: Any) -> None:
    known = rupa_sim.patient(1)
    read(practice)
    before = Patient.objects.get(external_id=known["id"])
    read(practice)
    after = Patient.objects.get(external_id=known["id"])
    assert (after.person, after.changed) == (before.person, before.changed)
    assert before.as_of < after.as_of
    late = PatientSnapshot(id=known["id"], last_name="Oldname", present=frozenset({"last_name"}))
    with transaction.atomic():
        patient, changed = merge_patient(practice, late, before.as_of + (after.as_of - before.as_of) / 2)
    assert not changed, "what was so in between does not win over what was read since"
    assert patient.person["last_name"] == before.person["last_name"]


def test_one_of_many_who_changed_is_taken(practice: Practice, rupa_sim: Any, change_at_rupa: Any) -> None:
    ids = [rupa_sim.patient(number)["id"] for number in range(5)]
    read(practice)
    change_at_rupa(ids[2], last_name="Othername")
    read(practice)
    names = [Patient.objects.get(external_id=one).person["last_name"] for one in ids]
    assert names[2] == "Othername"
    assert "Othername" not in names[:2] + names[3:]


def test_a_list_that_takes_long_serves_long(practice: Practice, rupa_sim: Any) -> None:
    """Otherwise, where reading takes a minute, each of ten thousand rows would have it read again."""
    asked = timezone.now()
    read(practice)
    old = timezone.now() - LIST_SERVES - timedelta(seconds=1)
    practice.patients_read_at, practice.patients_read_took = old, timedelta(seconds=1)
    practice.save()
    assert read_patients(practice, after=old - timedelta(seconds=1)) is not None
    practice.patients_read_at, practice.patients_read_took = old, timedelta(seconds=30)
    practice.save()
    assert read_patients(practice, after=old - timedelta(seconds=1)) is None
    assert read_patients(practice, after=asked) is not None, "a row that was read since wants a newer list"
