"""The audit: what is recorded, with whom and about whom, and that nothing of it can be changed or removed."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import DatabaseError, connection, transaction

from labbridge.mirror.models import Chart, Order, Patient, PatientLink
from labbridge.mirror.pseudonyms import sides_of
from labbridge.practices.models import Practice
from labbridge.trust import audit
from labbridge.trust.models import AppendOnly, AuditEntry
from tests.people import somebody

pytestmark = pytest.mark.django_db


@pytest.fixture
def willow() -> Practice:
    return Practice.objects.create(slug="willow", name="Willow")


@pytest.fixture
def chart(willow: Practice) -> Chart:
    return Chart.objects.create(practice=willow, key="P-1", person={"first_name": "Testa"})


@pytest.fixture
def patient(willow: Practice) -> Patient:
    return Patient.objects.create(practice=willow, external_id="pat_1")


def test_an_entry_says_who_what_on_whom_from_where_and_why(rf, willow: Practice, chart: Chart):
    request = rf.get("/", REMOTE_ADDR="192.0.2.7")
    request.user = somebody()
    audit.record(
        "case.read",
        actor=audit.person(request),
        practice=willow,
        patient=chart,
        subject="case:1",
        why="matching",
    )
    (entry,) = AuditEntry.objects.all()
    body = audit.body_of(entry)
    assert body["actor"] == {"kind": "person", "id": str(request.user.pk), "name": "ada@willow.example"}
    assert (body["source"], body["practice"], body["why"]) == ("192.0.2.7", "willow", "matching")
    assert body["patients"] == [audit.pseudonym(chart)]
    assert body["outcome"] == "done"


def test_a_strangers_request_is_nobodys(rf):
    request = rf.get("/", REMOTE_ADDR="192.0.2.7")
    request.user = AnonymousUser()
    assert audit.person(request) == audit.Actor("nobody", source="192.0.2.7")


def test_a_word_outside_the_table_is_refused():
    with pytest.raises(KeyError):
        audit.record("patient.look_at", actor=audit.operator())
    with pytest.raises(ValueError, match="great"):
        audit.record("keys.rotate", actor=audit.operator(), outcome="great")


def test_a_pseudonym_is_steady_and_tells_nothing(chart: Chart, patient: Patient):
    assert audit.pseudonym(chart) == audit.pseudonym(Chart.objects.get())
    assert audit.pseudonym(chart) != audit.pseudonym(patient)
    assert str(chart.pk) not in audit.pseudonym(chart)
    assert chart.pk.hex not in audit.pseudonym(chart)


def test_entries_made_while_two_rows_are_linked_are_found_from_either_for_ever(
    willow: Practice, chart: Chart, patient: Patient
):
    order = Order.objects.create(practice=willow, external_id="ord_1", patient=patient)
    link = PatientLink.objects.create(practice=willow, chart=chart, patient=patient)
    audit.record("order.file", actor=audit.job("file_order"), practice=willow, patient=sides_of(order))
    link.delete()
    for side in (chart, patient):
        assert sides_of(side) == (side,)
        assert AuditEntry.objects.filter(patients__contains=[audit.pseudonym(side)]).count() == 1
    assert sides_of(Order(practice=willow)) == ()


def test_nothing_can_be_changed_or_removed_through_the_model():
    entry = audit.record("keys.rotate", actor=audit.operator())
    with pytest.raises(AppendOnly):
        entry.save()
    with pytest.raises(AppendOnly):
        entry.delete()
    with pytest.raises(AppendOnly):
        AuditEntry.objects.all().delete()
    with pytest.raises(AppendOnly):
        AuditEntry.objects.update(why="other")
    with pytest.raises(AppendOnly):
        AuditEntry.objects.bulk_update([entry], ["why"])


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE trust_auditentry SET why = 'other'",
        "UPDATE trust_auditentry SET seq = 1, why = 'other'",
        "DELETE FROM trust_auditentry",
        "TRUNCATE trust_auditentry",
        "TRUNCATE trust_audithead",
    ],
)
def test_the_database_refuses_as_well(statement: str):
    audit.record("keys.rotate", actor=audit.operator())
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
    assert AuditEntry.objects.get().why == ""


def test_a_place_in_the_chain_is_given_once():
    audit.record("keys.rotate", actor=audit.operator())
    with connection.cursor() as cursor:
        cursor.execute("UPDATE trust_auditentry SET seq = 1, previous = 'a', digest = 'b'")
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("UPDATE trust_auditentry SET seq = 2")


@pytest.mark.django_db(transaction=True)
def test_a_write_is_recorded_with_what_it_wrote_or_not_at_all(willow: Practice):
    with transaction.atomic():
        audit.record("practice.apply", actor=audit.operator(), practice=willow)
        transaction.set_rollback(True)
    assert not AuditEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_look_is_never_recorded_where_a_rollback_could_take_it_back(chart: Chart):
    with pytest.raises(RuntimeError), transaction.atomic():
        audit.record("patient.read", actor=audit.operator(), patient=chart)
    audit.record("patient.read", actor=audit.operator(), patient=chart)
    assert AuditEntry.objects.count() == 1


def test_names_of_actions_say_noun_and_verb_and_are_short_enough():
    field = AuditEntry._meta.get_field("action")
    for name, action in audit.ACTIONS.items():
        noun, _, verb = name.partition(".")
        assert noun, verb
        assert len(name) <= field.max_length
        assert action.code in "CRUDE"
