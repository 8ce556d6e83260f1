"""Chains of entries that cannot be altered, removed or reordered unseen, and signed heads kept outside.

Pure: no database, no settings. The form is described in docs/audit-format.md, so that anybody can check a chain with
nothing of ours. An entry is `{chain, seq, previous, body}`; its digest hangs on the digest before it; its signature
(Ed25519) shows who wrote it. What no chain can show by itself is that its newest entries were cut off: for that,
each head is also written to an anchor file on another path.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

GENESIS = "0" * 64  #: `previous` of the first entry of a chain
LARGEST = 2**53 - 1  #: whole numbers beyond it are not the same in every JSON reader
_LINK, _ENTRY, _HEAD = b"labbridge link v1\n", b"labbridge entry v1\n", b"labbridge head v1\n"

Json = Any  #: any: None, bool, int, str, and lists and objects of them; `canonical` refuses the rest


@dataclass(frozen=True)
class Entry:
    """One link of a chain, as stored and exported. `key` and `signature` are empty where only heads are signed."""

    chain: str
    seq: int  # from 1, without gaps
    previous: str
    body: Mapping[str, Json]
    digest: str
    key: str = ""
    signature: str = ""

    @property
    def head(self) -> tuple[int, str]:
        return self.seq, self.digest


@dataclass(frozen=True)
class Head:
    """A statement kept outside: at that time the chain ended with this entry.

    `restart` says why heads beyond this one no longer hold (a backup was restored); empty otherwise.
    """

    chain: str
    seq: int
    digest: str
    at: str  # ISO 8601, UTC
    restart: str = ""


@dataclass(frozen=True)
class Finding:
    """Something wrong with a chain: the entry's number, or None for the chain as a whole, and a sentence."""

    seq: int | None
    sentence: str


# -- bytes -------------------------------------------------------------------------------------------------------


def canonical(value: Json) -> bytes:
    """The one serialisation: RFC 8785 for the values that are allowed (names in ASCII, whole numbers only).

    Raises:
        ValueError: for anything else. The value is not repeated.

    """
    _allow(value)
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def _allow(value: Json) -> None:
    match value:
        case None | bool() | str():
            return
        case int():
            if abs(value) > LARGEST:
                raise ValueError("A number is too large for a chain.")
        case list() | tuple():
            for one in value:
                _allow(one)
        case dict():
            for name, one in value.items():
                if not isinstance(name, str) or not name.isascii():
                    raise ValueError("A name in a chain's entry is not plain ASCII.")
                _allow(one)
        case _:
            raise ValueError(f"A {type(value).__name__} cannot be part of a chain.")


def digest_of(chain: str, seq: int, previous: str, body: Mapping[str, Json]) -> str:
    link = {"chain": chain, "seq": seq, "previous": previous, "body": dict(body)}
    return hashlib.sha256(_LINK + canonical(link)).hexdigest()


# -- keys --------------------------------------------------------------------------------------------------------


class Signer:
    """The signing key of this deployment: a seed of 32 bytes."""

    def __init__(self, seed: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._private.public_key().public_bytes_raw()
        self.key = key_name(self.public)

    def sign(self, message: bytes) -> str:
        return base64.b64encode(self._private.sign(message)).decode()


class PublicKeys:
    """Whose signatures count: raw Ed25519 public keys of 32 bytes."""

    def __init__(self, keys: Iterable[bytes]) -> None:
        self._keys = {key_name(key): Ed25519PublicKey.from_public_bytes(key) for key in keys}

    def in_hex(self) -> list[str]:
        return [key.public_bytes_raw().hex() for key in self._keys.values()]

    def verify(self, key: str, message: bytes, signature: str) -> bool:
        public = self._keys.get(key)
        if public is None:
            return False
        try:
            public.verify(base64.b64decode(signature, validate=True), message)
        except (InvalidSignature, binascii.Error, ValueError):
            return False
        return True


def key_name(public: bytes) -> str:
    """What a public key is called in entries and heads: 16 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(public).hexdigest()[:16]


# -- writing and checking a chain --------------------------------------------------------------------------------


def link(
    chain: str, last: tuple[int, str] | None, body: Mapping[str, Json], signer: Signer | None = None
) -> Entry:
    """The next entry after `last`, the head of the chain so far (None: it begins). The caller holds the lock."""
    seq, previous = (last[0] + 1, last[1]) if last else (1, GENESIS)
    digest = digest_of(chain, seq, previous, body)
    if signer is None:
        return Entry(chain, seq, previous, body, digest)
    return Entry(chain, seq, previous, body, digest, signer.key, signer.sign(_ENTRY + digest.encode()))


def check(
    entries: Iterable[Entry],
    keys: PublicKeys,
    *,
    chain: str,
    heads: Sequence[Head] = (),
    after: tuple[int, str] | None = None,
    signed: bool = True,
) -> Iterator[Finding]:
    """Whatever is wrong with one chain, oldest first; nothing when it is whole.

    `entries` come in their order. `heads` are those of the anchor file, in the file's order. `after` is the head
    that the first entry must follow where older ones were removed lawfully. With `signed`, every entry must carry
    a signature of `keys`.
    """
    anchored = {head.seq: head.digest for head in standing(heads)}
    seq, digest = after or (0, GENESIS)
    for entry in entries:
        yield from _gap(entry, seq, digest)
        yield from _inside(entry, chain, keys, signed=signed)
        if anchored.get(entry.seq, entry.digest) != entry.digest:
            yield Finding(entry.seq, f"Row {entry.seq} is not the one that was anchored outside.")
        seq, digest = max(seq, entry.seq), entry.digest
    newest = max(anchored, default=0)
    if newest > seq:
        yield Finding(
            newest,
            f"The newest rows are missing: row {newest} was anchored outside, and the last row here is {seq}.",
        )


def _gap(entry: Entry, seq: int, digest: str) -> Iterator[Finding]:
    if entry.seq == seq + 1:
        if entry.previous != digest:
            yield Finding(
                entry.seq, f"Row {entry.seq} does not follow the row before it: one of them was replaced."
            )
    elif entry.seq > seq + 1:
        missing = f"Row {seq + 1} is" if entry.seq == seq + 2 else f"Rows {seq + 1} to {entry.seq - 1} are"
        yield Finding(seq + 1, f"{missing} missing.")
    else:
        yield Finding(entry.seq, f"Row {entry.seq} stands after row {seq}: it was moved or repeated.")


def _inside(entry: Entry, chain: str, keys: PublicKeys, *, signed: bool) -> Iterator[Finding]:
    try:
        right = digest_of(entry.chain, entry.seq, entry.previous, entry.body) == entry.digest
    except ValueError:
        right = False
    if not right:
        yield Finding(entry.seq, f"Row {entry.seq} was altered: its contents do not give the hash beside it.")
    elif entry.chain != chain:
        yield Finding(entry.seq, f"Row {entry.seq} belongs to another chain.")
    elif (signed or entry.signature) and not keys.verify(
        entry.key, _ENTRY + entry.digest.encode(), entry.signature
    ):
        yield Finding(entry.seq, f"Row {entry.seq} was not signed with a key of this deployment.")


# -- heads kept outside ------------------------------------------------------------------------------------------


def standing(heads: Sequence[Head]) -> list[Head]:
    """The heads that still hold: a restart makes those beyond it void that were written before it."""
    held: list[Head] = []
    for head in heads:
        if head.restart:
            held = [one for one in held if one.seq < head.seq]
        held.append(head)
    return held


def head_line(head: Head, signer: Signer) -> bytes:
    """A head, signed, as one line of the anchor file."""
    said = asdict(head)
    return canonical({**said, "key": signer.key, "signature": signer.sign(_HEAD + canonical(said))}) + b"\n"


class AnchorFile:
    """One JSON object a line, appended only: `Head` with `key` and `signature`.

    It belongs where whoever can write to the database cannot write: another disk, another host, a store that
    keeps what it was given.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, head: Head, signer: Signer) -> None:
        """Write one head through to the disk. Raises OSError."""
        line = head_line(head, signer)
        handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(handle, "r+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            size = file.seek(0, os.SEEK_END)
            if size and os.pread(handle, 1, size - 1) != b"\n":  # a writer died in the middle of its line
                line = b"\n" + line
            os.write(handle, line)
            os.fsync(handle)

    def heads(self, chain: str, keys: PublicKeys) -> tuple[list[Head], list[Finding]]:
        """The heads of one chain in the file's order, and what is wrong with its lines. No file: no heads."""
        heads: list[Head] = []
        findings: list[Finding] = []
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return [], []
        wanted = b'"chain":' + canonical(chain) + b","  # canonical lines: others need not be parsed
        with file:
            for number, line in enumerate(file, start=1):
                if wanted not in line:
                    continue
                head = _read_head(line, keys)
                if head is not None and head.chain == chain:
                    heads.append(head)
                elif line.endswith(b"}\n"):  # what a writer that died has left of its line proves nothing
                    findings.append(
                        Finding(
                            None, f"Line {number} of the anchor file was altered: its signature is not ours."
                        )
                    )
        return heads, findings


def _read_head(line: bytes, keys: PublicKeys) -> Head | None:
    try:
        said = json.loads(line)
        key, signature = str(said.pop("key")), str(said.pop("signature"))
        head = Head(**said)
        right = keys.verify(key, _HEAD + canonical(said), signature)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return head if right else None
