"""Encryption at rest: AES-256-GCM with a key id in every value, bound to the place it is stored at.

A sealed value is `version (1) | key id (8) | nonce (12) | ciphertext and tag`. The associated data names table,
column and row, so that a value copied to another row does not open there.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from functools import cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from django.conf import settings

VERSION = b"\x01"
KEY_ID_LENGTH = 8
NONCE_LENGTH = 12
_HEAD = 1 + KEY_ID_LENGTH + NONCE_LENGTH


class CannotOpen(Exception):
    """A stored value does not open: its key is missing from LABBRIDGE_ENCRYPTION_KEYS, or it was altered."""


class Keyring:
    """The encryption keys of this deployment: the first seals, all open."""

    def __init__(self, keys: list[bytes]) -> None:
        if not keys:
            raise CannotOpen("There is no encryption key.")
        self._ciphers = {key_id(key): AESGCM(key) for key in keys}
        self._current = key_id(keys[0])
        # Blind indexes must outlive rotation, so they hang on the oldest key: rotation re-keys them last.
        self._index_key = HKDFExpand(hashes.SHA256(), 32, b"labbridge blind index").derive(keys[-1])

    def seal(self, plain: bytes, place: bytes) -> bytes:
        nonce = os.urandom(NONCE_LENGTH)
        return VERSION + self._current + nonce + self._ciphers[self._current].encrypt(nonce, plain, place)

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
        return hmac.new(self._index_key, message, hashlib.sha256).digest()[:16]


def key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"labbridge key id" + key).digest()[:KEY_ID_LENGTH]


@cache
def keyring() -> Keyring:
    return Keyring(settings.ENCRYPTION_KEYS)
