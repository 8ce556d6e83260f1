"""Data keys: one for each patient, wrapped; kept only with what committed; gone for good when destroyed."""

from __future__ import annotations

import base64
import json
import uuid

import pytest
from django.db import connection, transaction
from typer.testing import CliRunner

from labbridge.cli import app
from labbridge.inbox.models import Event
from labbridge.mirror.models import Chart, Order, OrderedTest, Patient, Result, ResultSource, ResultValue
from labbridge.mirror.results import store_file
from labbridge.practices.models import Connection, Practice
from labbridge.trust import envelope, key_check, keys
from labbridge.trust.envelope import INDEX, KeyDestroyed, data_keys
from labbridge.trust.keys import CannotOpen, Keyring
from labbridge.trust.models import DataKey

pytestmark = pytest.mark.django_db

NEW_YEAR = "2026-01-01T00:00Z"
PERSON = {"first_name": "Testa", "email": "testa@patients.example"}


@pytest.fixture
def willow() -> Practice:
    return Practice.objects.create(slug="willow", name="Willow")


@pytest.fixture
def chart(willow: Practice) -> Chart:
    return Chart.objects.create(practice=willow, key="P-1", person=PERSON)


def head(table: str, column: str, pk: uuid.UUID) -> bytes:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM {table} WHERE id = %s", [pk])
        return bytes(cursor.fetchone()[0])[:17]


def test_each_patients_values_have_a_key_of_their_own(willow: Practice, chart: Chart):
    patient = Patient.objects.create(practice=willow, external_id="pat_1", person=PERSON)
    order = Order.objects.create(practice=willow, external_id="ord_1", patient=patient, notes_to_patient="n")
    test = OrderedTest.objects.create(practice=willow, order=order, external_id="ot_1")
    source = ResultSource.objects.create(
        ordered_test=test,
        as_of="2026-01-01T00:00Z",
        latest_as_of="2026-01-01T00:00Z",
        files={"pdf": "x"},
        fingerprint=b"f",
    )
    result = Result.objects.create(ordered_test=test, version=1, as_of=NEW_YEAR, named=PERSON)
    value = ResultValue.objects.create(result=result, number=1, analyte="a", reading={"text": "1"})
    stored = store_file(willow, b"%PDF-", "pdf", order.sealed_for)
    assert head("mirror_chart", "person", chart.pk) == b"\x02" + chart.pk.bytes
    for table, column, pk in [
        ("mirror_patient", "person", patient.pk),
        ("mirror_order", "notes_to_patient", order.pk),
        ("mirror_resultsource", "files", source.pk),
        ("mirror_result", "named", result.pk),
        ("mirror_resultvalue", "reading", value.pk),
        ("mirror_storedfile", "content", stored.pk),
    ]:
        assert head(table, column, pk) == b"\x02" + patient.pk.bytes, table
    assert Chart.objects.get().person == PERSON
    assert ResultValue.objects.get().reading == {"text": "1"}


def test_a_practices_values_have_its_key_and_the_rest_the_deployments(willow: Practice):
    token = Connection.objects.create(practice=willow, peer="rupa", account="a", credentials={"a": 1})
    event = Event.objects.create(peer="rupa", external_id="e1", type="t", subject="s", body=b"x")
    assert head("practices_connection", "credentials", token.pk) == b"\x02" + willow.pk.bytes
    assert head("inbox_event", "body", event.pk)[:1] == b"\x01"
    assert Connection.objects.get().credentials == {"a": 1}
    assert Event.objects.get().body == b"x"


def test_many_keys_are_read_at_once(willow: Practice, django_assert_num_queries):
    charts = [Chart.objects.create(practice=willow, key=f"P-{n}", person=PERSON) for n in range(5)]
    data_keys.forget()
    data_keys._mine().clear()
    found = list(Chart.objects.all())
    with django_assert_num_queries(1):
        data_keys.prepare([chart.pk for chart in charts])
        assert all(chart.person == PERSON for chart in found)


def test_a_destroyed_key_opens_nothing_and_is_never_made_again(chart: Chart):
    DataKey.objects.filter(pk=chart.pk).update(wrapped=None)
    data_keys.forget()
    data_keys._mine().clear()
    with pytest.raises(KeyDestroyed, match="erased"):
        _ = Chart.objects.get().person
    with pytest.raises(KeyDestroyed):
        envelope.seal(b"x", b"p", chart.pk)


def test_a_value_whose_data_key_is_missing_or_that_was_moved_does_not_open(willow: Practice, chart: Chart):
    sealed = envelope.seal(b"x", b"here", chart.pk)
    assert envelope.open_value(sealed, b"here") == b"x"
    with pytest.raises(CannotOpen, match="altered or moved"):
        envelope.open_value(sealed, b"there")
    with pytest.raises(CannotOpen, match="not in the database"):
        envelope.open_value(sealed[:1] + uuid.uuid4().bytes + sealed[17:], b"here")
    with pytest.raises(CannotOpen, match="sealed form"):
        envelope.open_value(sealed[:20], b"here")


@pytest.mark.django_db(transaction=True)
def test_a_key_of_a_transaction_that_was_rolled_back_seals_nothing(willow: Practice):
    """Else later values would be sealed with a key that lies nowhere: lost for good."""
    owner = uuid.uuid4()
    with transaction.atomic():
        envelope.seal(b"x", b"p", owner)
        transaction.set_rollback(True)
    sealed = envelope.seal(b"kept", b"p", owner)
    data_keys.forget()
    assert envelope.open_value(sealed, b"p") == b"kept"


@pytest.mark.django_db(transaction=True)
def test_nor_a_key_of_a_savepoint_that_was_rolled_back(willow: Practice):
    owner = uuid.uuid4()
    with transaction.atomic():
        with transaction.atomic():
            envelope.seal(b"x", b"p", owner)
            transaction.set_rollback(True)
        sealed = envelope.seal(b"kept", b"p", owner)
    data_keys.forget()
    assert envelope.open_value(sealed, b"p") == b"kept"


@pytest.mark.django_db(transaction=True)
def test_search_hashes_outlive_the_key_that_they_were_first_made_of(monkeypatch: pytest.MonkeyPatch):
    old, new = b"o" * 32, b"n" * 32

    def ring(*held: bytes) -> Keyring:
        made = Keyring(list(held), envelope.kept_index_key)
        monkeypatch.setattr(envelope, "keyring", lambda: made)
        return made

    first = ring(old).blind("testa@patients.example", "email")
    assert first == Keyring([old]).blind("testa@patients.example", "email")  # as versions before kept it
    during = ring(new, old)
    assert during.blind("testa@patients.example", "email") == first
    DataKey.objects.filter(pk=INDEX).update(
        wrapped=during.seal(during.index_key, f"trust_datakey.wrapped:{INDEX}".encode())
    )
    assert ring(new).blind("testa@patients.example", "email") == first


# -- a key management system -------------------------------------------------------------------------------------


class LocalKms:
    """What an adapter looks like: here the wrapping key is a constant, at a cloud it never leaves the cloud."""

    ring = Keyring([b"k" * 32])

    def wrap(self, key: bytes) -> bytes:
        return self.ring.seal(key, b"labbridge")

    def unwrap(self, wrapped: bytes) -> bytes:
        return self.ring.open(wrapped, b"labbridge")


def test_a_key_management_system_keeps_the_deployments_keys(deployment, settings):
    deployment(key_adapter="tests.trust.test_envelope:LocalKms")
    made = CliRunner().invoke(app, ["keys", "new", "--json"])
    shown = json.loads(made.stdout)
    assert shown["wrapped"] is True
    wrapped = base64.b64decode(shown["key"])
    assert len(wrapped) > 32
    settings.ENCRYPTION_KEYS = [wrapped]
    (key,) = keys.deployment_keys()
    assert len(key) == 32
    assert Keyring([key]).open(Keyring([key]).seal(b"x", b"p"), b"p") == b"x"


def test_an_adapter_that_fails_is_a_sentence_and_no_secret(deployment, settings):
    deployment(key_adapter="tests.trust.test_envelope:LocalKms")
    settings.ENCRYPTION_KEYS = [b"nothing that it ever wrapped, and long enough to be"]
    with pytest.raises(CannotOpen, match="did not unwrap"):
        keys.deployment_keys()
    (finding,) = key_check.findings({})
    assert finding.severity == "problem"
    deployment(key_adapter="nowhere.at_all:make")
    with pytest.raises(CannotOpen, match="cannot be loaded"):
        keys.deployment_keys()
