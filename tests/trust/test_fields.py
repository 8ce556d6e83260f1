"""Sealed columns: what lies in the database, what a row gives back, and what is refused."""

from __future__ import annotations

import pytest
from django.core import serializers
from django.db import connection

from labbridge.inbox.models import Event
from labbridge.practices.models import Connection, Practice
from labbridge.trust import keys
from labbridge.trust.fields import SealedJSONField, SealedTextField
from labbridge.trust.keys import CannotOpen, Keyring

pytestmark = pytest.mark.django_db

PLANTED = b"Testa Sampleperson, born 1961-02-15"


@pytest.fixture
def event() -> Event:
    return Event.objects.create(peer="rupa", external_id="evt_1", type="t", subject="s", body=PLANTED)


def stored(event: Event) -> bytes:
    with connection.cursor() as cursor:
        cursor.execute("SELECT body FROM inbox_event WHERE id = %s", [event.pk])
        return bytes(cursor.fetchone()[0])


def test_the_database_holds_no_plain_value(event: Event):
    assert PLANTED not in stored(event)
    assert Event.objects.get().body == PLANTED


def test_a_value_copied_to_another_row_does_not_open(event: Event):
    other = Event.objects.create(peer="rupa", external_id="evt_2", type="t", subject="s", body=b"other")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE inbox_event SET body = %s WHERE id = %s", [stored(event), other.pk])
    with pytest.raises(CannotOpen):
        _ = Event.objects.get(pk=other.pk).body


def test_a_row_read_without_its_body_fetches_it_when_asked(event: Event):
    read = Event.objects.defer("body").get(pk=event.pk)
    assert "body" in read.get_deferred_fields()
    assert read.body == PLANTED


def test_saving_a_row_that_never_opened_its_value_keeps_it_as_it_lies(event: Event):
    lying = stored(event)
    read = Event.objects.get(pk=event.pk)
    read.reason = "seen"
    read.save()
    assert stored(event) == lying
    assert Event.objects.get().body == PLANTED


def test_a_changed_value_is_sealed_again(event: Event):
    event.body = b"newer"
    event.save(update_fields=["body"])
    assert Event.objects.get().body == b"newer"


def test_sealed_columns_take_no_part_in_queries_or_dumps(event: Event):
    with pytest.raises(TypeError, match="sealed"):
        Event.objects.filter(body=PLANTED).exists()
    with pytest.raises(TypeError, match="sealed"):
        Event.objects.update(body=PLANTED)
    with pytest.raises(TypeError, match="not serialised"):
        serializers.serialize("json", [event])


def test_a_row_without_its_key_cannot_be_sealed():
    with pytest.raises(ValueError, match="needs its key"):
        Event(id=None, body=b"x")._meta.get_field("body").place(Event(id=None))


def test_json_comes_back_as_it_was_and_none_stays_none():
    practice = Practice.objects.create(slug="willow", name="Willow")
    made = Connection.objects.create(
        practice=practice, peer="rupa", account="a", credentials={"a": ["é", 1, None]}
    )
    assert Connection.objects.get().credentials == {"a": ["é", 1, None]}
    made.credentials = None
    made.save()
    assert Connection.objects.get().credentials is None


def test_text_keeps_the_empty_apart_from_none():
    field = SealedTextField()
    assert field.unpack(field.pack("")) == ""
    assert field.unpack(field.pack("Größe")) == "Größe"
    assert SealedJSONField().unpack(SealedJSONField().pack([])) == []


def test_a_key_that_is_gone_is_a_sentence(event: Event, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("labbridge.trust.envelope.keyring", lambda: Keyring([b"x" * 32]))
    with pytest.raises(CannotOpen, match="LABBRIDGE_ENCRYPTION_KEYS"):
        _ = Event.objects.get().body


def test_the_ring_is_made_of_the_settings(settings):
    keys.keyring.cache_clear()
    settings.ENCRYPTION_KEYS = [b"n" * 32]
    try:
        assert keys.keyring().open(Keyring([b"n" * 32]).seal(b"x", b"p"), b"p") == b"x"
    finally:
        keys.keyring.cache_clear()
