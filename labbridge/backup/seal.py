"""The file format of a backup: a header in clear, then sealed chunks.

`magic | length of the header (4) | header, JSON | chunks`. Each chunk is a megabyte (the last one less) under
AES-256-GCM. Its nonce is its number and whether it is the last one, so that chunks cannot be left out, moved or cut
off; its associated data is the hash of all that stands before the chunks. The key is made for this one file from a
key of the deployment and a salt in the header.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from labbridge.trust.keys import key_id

MAGIC = b"labbridge backup 1\n"
CHUNK = 1024 * 1024
TAG = 16
LONGEST_HEADER = 256 * 1024


class BackupProblem(Exception):
    """A backup cannot be made, read or restored. The text is a sentence and what to do."""


@dataclass(frozen=True)
class Header:
    """`facts` are in clear in the file: version, moment, migrations; never data."""

    facts: dict[str, Any]  # any: JSON
    key: str
    salt: str
    bound: bytes = field(default=b"", repr=False)

    def packed(self) -> bytes:
        body = orjson.dumps({"facts": self.facts, "key": self.key, "salt": self.salt})
        return MAGIC + len(body).to_bytes(4, "big") + body


class Sealer:
    """Seals what is written to it, chunk by chunk, and is whole once it was closed. `key` is 32 bytes."""

    def __init__(self, target: IO[bytes], facts: dict[str, Any], key: bytes) -> None:
        header = Header(facts, key_id(key).hex(), os.urandom(32).hex())
        packed = header.packed()
        self._target, self._cipher, self._bound = (
            target,
            _cipher(key, header),
            hashlib.sha256(packed).digest(),
        )
        self._held, self._number = bytearray(), 0
        target.write(packed)

    def write(self, piece: bytes) -> int:
        self._held += piece
        while len(self._held) > CHUNK:  # the last chunk is known only when nothing follows
            self._put(bytes(self._held[:CHUNK]), last=False)
            del self._held[:CHUNK]
        return len(piece)

    def close(self) -> None:
        self._put(bytes(self._held), last=True)

    def _put(self, chunk: bytes, *, last: bool) -> None:
        self._target.write(self._cipher.encrypt(_nonce(self._number, last=last), chunk, self._bound))
        self._number += 1


def write(target: IO[bytes], pieces: Iterable[bytes], facts: dict[str, Any], key: bytes) -> None:
    """Seal what `pieces` yield. `key` is 32 bytes."""
    sealer = Sealer(target, facts, key)
    for piece in pieces:
        sealer.write(piece)
    sealer.close()


def read_header(source: IO[bytes]) -> Header:
    """Raises BackupProblem when it is no backup."""
    start = source.read(len(MAGIC) + 4)
    length = int.from_bytes(start[len(MAGIC) :], "big")
    if not start.startswith(MAGIC) or len(start) < len(MAGIC) + 4 or length > LONGEST_HEADER:
        raise BackupProblem("This file is no backup of Labbridge.")
    body = source.read(length)
    try:
        found = orjson.loads(body)
        header = Header(found["facts"], found["key"], found["salt"], hashlib.sha256(start + body).digest())
        bytes.fromhex(header.salt)
        dict(header.facts)
    except (ValueError, KeyError, TypeError):
        raise BackupProblem("This backup is damaged at its beginning.") from None
    return header


def read(source: IO[bytes], header: Header, keys: Iterable[bytes]) -> Iterator[bytes]:
    """The plain pieces, each proven before it is yielded.

    Raises:
        BackupProblem: no key fits, or the file was altered, damaged or cut off.

    """
    key = next((one for one in keys if key_id(one).hex() == header.key), None)
    if key is None:
        raise BackupProblem(
            "This backup was sealed with another key. Bring the keys of the deployment that made it: put them into "
            "LABBRIDGE_ENCRYPTION_KEYS, or its file keys/encryption_keys into this data directory."
        )
    cipher = _cipher(key, header)
    number, sealed = 0, source.read(CHUNK + TAG)
    while True:
        following = source.read(CHUNK + TAG)
        try:
            yield cipher.decrypt(_nonce(number, last=not following), sealed, header.bound)
        except (InvalidTag, ValueError):
            raise BackupProblem("This backup is damaged or was altered. Use an older one.") from None
        if not following:
            return
        number, sealed = number + 1, following


def _cipher(key: bytes, header: Header) -> AESGCM:
    derived = HKDF(hashes.SHA256(), 32, bytes.fromhex(header.salt), b"labbridge backup").derive(key)
    return AESGCM(derived)


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])
