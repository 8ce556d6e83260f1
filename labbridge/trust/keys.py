"""The deployment's own keys: AES-256-GCM with a key id in every value, bound to the place it is stored at.

A value sealed by a deployment key is `1 | key id (8) | nonce (12) | ciphertext and tag`. The associated data names
table, column and row, so that a value copied to another row does not open there. Patients' and practices' values are
sealed by data keys, which these keys wrap (trust/envelope.py); docs/keys.md shows the whole.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from django.conf import settings

VERSION = b"\x01"
KEY_ID_LENGTH = 8
SESSION, SECOND_FACTOR = (
    b"session",
    b"second factor",
)  #: places of values that Django and allauth keep as text
NONCE_LENGTH = 12
KEY_LENGTH = 32
_HEAD = 1 + KEY_ID_LENGTH + NONCE_LENGTH


class CannotOpen(Exception):
    """A stored value does not open: its key is missing from LABBRIDGE_ENCRYPTION_KEYS, or it was altered."""


class Keyring:
    """The encryption keys of this deployment: the first seals, all open."""

    def __init__(self, keys: list[bytes], index_key: Callable[[bytes], bytes] | None = None) -> None:
        """`index_key` gives the kept key of the search hashes when it is first needed, from the one made here."""
        if not keys:
            raise CannotOpen("There is no encryption key.")
        self._ciphers = {key_id(key): AESGCM(key) for key in keys}
        self.current = key_id(keys[0])
        # Search hashes outlive every rotation: their key is made of the oldest key once and then kept by itself.
        self._first_index_key = HKDFExpand(hashes.SHA256(), 32, b"labbridge blind index").derive(keys[-1])
        self._kept_index_key = index_key
        self._index_key: bytes | None = None if index_key else self._first_index_key

    def seal(self, plain: bytes, place: bytes) -> bytes:
        nonce = os.urandom(NONCE_LENGTH)
        return VERSION + self.current + nonce + self._ciphers[self.current].encrypt(nonce, plain, place)

    def open(self, sealed: bytes, place: bytes) -> bytes:
        if sealed[:1] != VERSION or len(sealed) < _HEAD + 16:
            raise CannotOpen("A stored value is not in the sealed form.")
        cipher = self._ciphers.get(bytes(sealed[1 : 1 + KEY_ID_LENGTH]))
        if cipher is None:
            raise CannotOpen(
                "A stored value was sealed with a key that LABBRIDGE_ENCRYPTION_KEYS no longer holds."
            )
        try:
            return cipher.decrypt(sealed[1 + KEY_ID_LENGTH : _HEAD], sealed[_HEAD:], place)
        except InvalidTag:
            raise CannotOpen("A stored value was altered or moved.") from None

    def blind(self, text: str, purpose: str) -> bytes:
        """A keyed hash of 16 bytes: equal for equal text, and no way back without the key."""
        message = f"{purpose}\0{text}".encode()
        return hmac.new(self.index_key, message, hashlib.sha256).digest()[:16]

    @property
    def index_key(self) -> bytes:
        if self._index_key is None:
            assert self._kept_index_key is not None  # noqa: S101  # one of the two is always there
            self._index_key = self._kept_index_key(self._first_index_key)
        return self._index_key

    def use_first_index_key(self) -> None:
        """For tests without a database."""
        self._index_key = self._first_index_key

    @property
    def key_ids(self) -> list[bytes]:
        """The keys held, the one that seals first."""
        return list(self._ciphers)


def key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"labbridge key id" + key).digest()[:KEY_ID_LENGTH]


class KeyAdapter(Protocol):
    """A key management system that keeps the deployment's keys: it wraps and unwraps 32 bytes, nothing else.

    `LABBRIDGE_KEY_ADAPTER` names a function `package.module:make` that returns one. LABBRIDGE_ENCRYPTION_KEYS then
    holds what `wrap` gave, in base64 (`labbridge keys new` prints it), and no clear key lies on the host. Called at
    the start of each process, once for each key; an exception stops the start. See docs/keys.md.
    """

    def wrap(self, key: bytes) -> bytes: ...

    def unwrap(self, wrapped: bytes) -> bytes: ...


def adapter() -> KeyAdapter | None:
    """The configured adapter. Raises CannotOpen when it cannot be had."""
    name = settings.DEPLOYMENT.key_adapter
    if not name:
        return None
    module, _, function = name.partition(":")
    try:
        made: KeyAdapter = getattr(import_module(module), function)()
    except (ImportError, AttributeError, ValueError) as error:
        raise CannotOpen(
            f"LABBRIDGE_KEY_ADAPTER names {name}, which cannot be loaded ({type(error).__name__})."
        ) from None
    return made


def deployment_keys() -> list[bytes]:
    kms = adapter()
    if kms is None:
        return list(settings.ENCRYPTION_KEYS)
    try:
        keys = [kms.unwrap(one) for one in settings.ENCRYPTION_KEYS]
    except Exception as error:
        raise CannotOpen(
            f"The key management system did not unwrap LABBRIDGE_ENCRYPTION_KEYS ({type(error).__name__})."
        ) from error
    if any(len(key) != KEY_LENGTH for key in keys):
        raise CannotOpen("The key management system gave a key that is not 32 bytes long.")
    return keys


@cache
def keyring() -> Keyring:
    from labbridge.trust.envelope import kept_index_key

    return Keyring(deployment_keys(), kept_index_key)
