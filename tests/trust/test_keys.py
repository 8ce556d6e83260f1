"""Sealing: bound to its place, opened by every key of the ring, and never when altered."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labbridge.trust.keys import CannotOpen, Keyring, key_id

OLD, NEW = hashlib.sha256(b"old").digest(), hashlib.sha256(b"new").digest()
PLACE = b"inbox_event.body:1"


@given(st.binary(max_size=2000), st.binary(max_size=60))
def test_what_was_sealed_opens_at_its_place(plain: bytes, place: bytes):
    ring = Keyring([NEW])
    assert ring.open(ring.seal(plain, place), place) == plain


def test_the_same_value_never_looks_the_same_and_never_shows():
    ring = Keyring([NEW])
    first, second = (ring.seal(b"Testa Sampleperson", PLACE) for _ in range(2))
    assert first != second
    assert b"Testa" not in first


def test_a_value_moved_to_another_row_or_column_does_not_open():
    ring = Keyring([NEW])
    sealed = ring.seal(b"hers", PLACE)
    for other in (b"inbox_event.body:2", b"inbox_event.reason:1", b""):
        with pytest.raises(CannotOpen, match="altered or moved"):
            ring.open(sealed, other)


@given(st.data())
def test_an_altered_value_does_not_open(data: st.DataObject):
    ring = Keyring([NEW])
    sealed = bytearray(ring.seal(b"text of a result", PLACE))
    at = data.draw(st.integers(0, len(sealed) - 1))
    sealed[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CannotOpen):
        ring.open(bytes(sealed), PLACE)


@pytest.mark.parametrize(
    "sealed", [b"", b"\x01", b"plain text that nobody sealed, long enough", b"\x02" * 60]
)
def test_what_is_not_sealed_is_named(sealed: bytes):
    with pytest.raises(CannotOpen):
        Keyring([NEW]).open(sealed, PLACE)


def test_rotation_the_first_key_seals_and_all_open():
    before = Keyring([OLD])
    sealed = before.seal(b"kept", PLACE)
    during = Keyring([NEW, OLD])
    assert during.open(sealed, PLACE) == b"kept"
    fresh = during.seal(b"kept", PLACE)
    assert Keyring([NEW]).open(fresh, PLACE) == b"kept"
    with pytest.raises(CannotOpen, match="no longer holds"):
        Keyring([NEW]).open(sealed, PLACE)
    with pytest.raises(CannotOpen, match="no longer holds"):
        before.open(fresh, PLACE)


def test_blind_indexes_outlive_a_rotation():
    before, during = Keyring([OLD]), Keyring([NEW, OLD])
    assert before.blind("testa@patients.example", "email") == during.blind("testa@patients.example", "email")


def test_blind_indexes_tell_purposes_and_keys_apart_and_hide_the_text():
    ring = Keyring([NEW])
    made = ring.blind("testa@patients.example", "email")
    assert len(made) == 16
    assert made == ring.blind("testa@patients.example", "email")
    assert made != ring.blind("testa@patients.example", "name")
    assert made != Keyring([OLD]).blind("testa@patients.example", "email")
    assert made != hashlib.sha256(b"testa@patients.example").digest()[:16]


def test_without_a_key_there_is_no_ring():
    with pytest.raises(CannotOpen, match="no encryption key"):
        Keyring([])


def test_a_key_id_tells_nothing_of_the_key():
    assert len(key_id(NEW)) == 8
    assert key_id(NEW) != key_id(OLD)
    assert base64.b64encode(NEW)[:8] not in base64.b64encode(key_id(NEW))
