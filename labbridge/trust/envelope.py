"""Envelope encryption: each patient's and each practice's values have a data key of their own, kept wrapped.

A value sealed by a data key is `2 | data key id (16) | nonce (12) | ciphertext and tag`, with the same associated
data as in trust/keys.py. The data key's id is the id of the chart, the patient or the practice that it belongs to.
The deployment's keys wrap data keys; replacing a deployment key re-wraps them and touches no value. Destroying a
patient's data key makes every value under it unreadable, wherever a copy of the value lies.
"""

from __future__ import annotations

import os
import threading
import time
import uuid

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db import connection, transaction

from labbridge.trust.keys import KEY_LENGTH, NONCE_LENGTH, CannotOpen, keyring

VERSION = b"\x02"
_HEAD = 1 + 16 + NONCE_LENGTH
INDEX = uuid.UUID(int=1)  #: the data key that keys the search hashes

_ADD = "INSERT INTO trust_datakey (id, wrapped, made_at) VALUES (%s, %s, now()) ON CONFLICT (id) DO NOTHING"

MOST = 20_000  #: keys held in memory: about 5 MB
FRESH_SECONDS = 300.0  #: how long a process may go on using a key that another one destroyed


class KeyDestroyed(CannotOpen):
    """The patient's data key was destroyed: what it sealed is gone for good."""


class DataKeys:
    """Data keys by id, unwrapped when needed and remembered for a while.

    A key that this transaction made is remembered once it is committed: after a rollback it does not exist, and
    nothing may be sealed with it.
    """

    def __init__(self) -> None:
        self._known: dict[uuid.UUID, AESGCM] = {}
        self._until = 0.0
        self._local = threading.local()

    def seal(self, plain: bytes, place: bytes, owner: uuid.UUID) -> bytes:
        cipher = self._find(owner) or self._make(owner)
        nonce = os.urandom(NONCE_LENGTH)
        return VERSION + owner.bytes + nonce + cipher.encrypt(nonce, plain, place)

    def open(self, sealed: bytes, place: bytes) -> bytes:
        if len(sealed) < _HEAD + 16:
            raise CannotOpen("A stored value is not in the sealed form.")
        cipher = self._find(uuid.UUID(bytes=bytes(sealed[1:17])))
        if cipher is None:
            raise CannotOpen("A stored value was sealed with a data key that is not in the database.")
        try:
            return cipher.decrypt(sealed[17:_HEAD], sealed[_HEAD:], place)
        except InvalidTag:
            raise CannotOpen("A stored value was altered or moved.") from None

    def prepare(self, owners: list[uuid.UUID]) -> None:
        """Read many keys at once, before many values are opened. Those that are not there yet are left out."""
        wanted = [owner for owner in owners if self._remembered(owner) is None]
        if not wanted:
            return
        with connection.cursor() as cursor:
            cursor.execute("SELECT id, wrapped FROM trust_datakey WHERE id = ANY(%s)", [wanted])
            for owner, wrapped in cursor.fetchall():
                if wrapped is not None and not self._ours(owner):
                    self._remember(owner, AESGCM(unwrap(owner, bytes(wrapped))))

    def forget(self) -> None:
        self._known.clear()

    def _find(self, owner: uuid.UUID) -> AESGCM | None:
        cipher = self._remembered(owner)
        if cipher is not None:
            return cipher
        with connection.cursor() as cursor:
            cursor.execute("SELECT wrapped FROM trust_datakey WHERE id = %s", [owner])
            found = cursor.fetchone()
        if found is None:
            return None
        if found[0] is None:
            raise KeyDestroyed("This patient's data was erased: the key that opened it was destroyed.")
        cipher = AESGCM(unwrap(owner, bytes(found[0])))
        if not self._ours(owner):
            self._remember(owner, cipher)
        return cipher

    def _make(self, owner: uuid.UUID) -> AESGCM:
        """A new key; if another process is first, its key is the one."""
        self._mine().add(owner)
        key = os.urandom(KEY_LENGTH)
        with connection.cursor() as cursor:
            cursor.execute(_ADD + " RETURNING 1", [owner, wrap(owner, key)])
            made = cursor.fetchone() is not None
        transaction.on_commit(lambda: self._mine().discard(owner))
        cipher = AESGCM(key) if made else self._find(owner)
        if cipher is None:
            raise CannotOpen("A data key could not be kept.")
        return cipher

    def _mine(self) -> set[uuid.UUID]:
        """Keys made by this thread in a transaction that is not committed, as far as known."""
        if not hasattr(self._local, "made"):
            self._local.made = set()
        made: set[uuid.UUID] = self._local.made
        return made

    def _ours(self, owner: uuid.UUID) -> bool:
        mine = self._mine()
        if not connection.in_atomic_block:
            mine.discard(owner)  # made in a transaction that was rolled back, and again by somebody else
        return owner in mine

    def _remembered(self, owner: uuid.UUID) -> AESGCM | None:
        if time.monotonic() > self._until:
            self._known.clear()
            self._until = time.monotonic() + FRESH_SECONDS
        return self._known.get(owner)

    def _remember(self, owner: uuid.UUID, cipher: AESGCM) -> None:
        if len(self._known) >= MOST:
            self._known.clear()
        self._known[owner] = cipher


def wrap(owner: uuid.UUID, key: bytes) -> bytes:
    return keyring().seal(key, _place(owner))


def unwrap(owner: uuid.UUID, wrapped: bytes) -> bytes:
    return keyring().open(wrapped, _place(owner))


def _place(owner: uuid.UUID) -> bytes:
    return f"trust_datakey.wrapped:{owner}".encode()


data_keys = DataKeys()


def seal(plain: bytes, place: bytes, owner: uuid.UUID | None) -> bytes:
    """By the owner's data key; without an owner by the deployment's own key."""
    return keyring().seal(plain, place) if owner is None else data_keys.seal(plain, place, owner)


def open_value(sealed: bytes, place: bytes) -> bytes:
    """Raises CannotOpen, with a sentence for people."""
    return data_keys.open(sealed, place) if sealed[:1] == VERSION else keyring().open(sealed, place)


def kept_index_key(first: bytes) -> bytes:
    """The key of the search hashes. It is made of the oldest deployment key once, and then outlives it."""
    with connection.cursor() as cursor:
        cursor.execute(_ADD, [INDEX, wrap(INDEX, first)])
        cursor.execute("SELECT wrapped FROM trust_datakey WHERE id = %s", [INDEX])
        return unwrap(INDEX, bytes(cursor.fetchone()[0]))
