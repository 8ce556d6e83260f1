"""The folder that an export is: files, each sealed or not, and a manifest that is written last.

Without a manifest a folder is no export, so a half-written one is never taken for a whole one. The manifest names
each file with its length and SHA-256 as it lies there, and is signed by the installation that made it.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import orjson

from labbridge.backup.seal import BackupProblem, Sealer, read, read_header
from labbridge.trust.chain import PublicKeys, canonical, key_name
from labbridge.trust.signing import signer

MANIFEST = "manifest.json"
UNFINISHED = "export.unfinished"
FORM = "labbridge practice export 1"
SEALED = ".sealed"
_NAME = re.compile(r"(data|parquet|files|chains)/[A-Za-z0-9_.-]+")
_SIGNED = b"labbridge practice export v1\n"
_PIECE = 1024 * 1024


class LeavingProblem(Exception):
    """A practice cannot be taken out or brought in. The text is a sentence and what to do, and names no patient."""


class Writing:
    """A folder that is being filled."""

    def __init__(self, place: Path, key: bytes | None) -> None:
        self.place, self.key = place, key
        self.files: dict[str, dict[str, Any]] = {}  # any: JSON

    def begin(self) -> None:
        """A new folder, or one that an export which did not come to its end has left."""
        if self.place.exists() and any(self.place.iterdir()) and not (self.place / UNFINISHED).exists():
            raise LeavingProblem(f"{self.place} is not empty. Name a new folder.")
        self.place.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.place.chmod(0o700)
        (self.place / UNFINISHED).touch(0o600)
        for part in ("data", "parquet", "files", "chains"):
            folder = self.place / part
            folder.mkdir(mode=0o700, exist_ok=True)
            for left in folder.iterdir():
                left.unlink()

    @contextmanager
    def file(self, name: str) -> Iterator[IO[bytes]]:
        """Write one file, sealed where that was asked for; it is in the manifest when the block has ended."""
        path = self.place / (name + (SEALED if self.key else ""))
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as raw:
            counted = _Counted(raw)
            sealer = Sealer(counted, {"file": name}, self.key) if self.key else None  # type: ignore[arg-type]  # it only writes
            yield _Sink(sealer or counted)  # type: ignore[misc]  # what is asked of a file here, it has
            if sealer:
                sealer.close()
            raw.flush()
            os.fsync(raw.fileno())
        self.files[path.relative_to(self.place).as_posix()] = {
            "bytes": counted.size,
            "sha256": counted.digest(),
        }

    def end(self, facts: dict[str, Any]) -> dict[str, Any]:
        """Sign and put the manifest there: from now on it is an export."""
        ours = signer()
        said = {"form": FORM, **facts, "sealed": self.key is not None, "files": self.files,
                "public_key": ours.public.hex()}  # fmt: skip
        said["signature"] = ours.sign(_SIGNED + canonical(said))
        unfinished = self.place / (MANIFEST + ".unfinished")
        handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(orjson.dumps(said, option=orjson.OPT_INDENT_2))
            file.flush()
            os.fsync(file.fileno())
        (self.place / UNFINISHED).unlink()
        unfinished.replace(self.place / MANIFEST)
        folder = os.open(self.place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return said


class _Counted:
    def __init__(self, raw: IO[bytes]) -> None:
        self._raw, self._hash, self.size = raw, hashlib.sha256(), 0

    def write(self, piece: bytes) -> int:
        self._hash.update(piece)
        self.size += len(piece)
        return self._raw.write(piece)

    def digest(self) -> str:
        return self._hash.hexdigest()


class _Sink:
    """As much of a file as writers of Parquet ask for."""

    closed = False

    def __init__(self, target: Any) -> None:  # any: a file or a sealer
        self._target, self._at = target, 0

    def write(self, piece: Any) -> int:  # any: bytes or a buffer
        self._target.write(bytes(piece))
        self._at += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._at

    def flush(self) -> None:
        """It is written through when it is closed."""

    def writable(self) -> bool:
        return True

    def close(self) -> None:
        """The folder closes it."""


class Reading:
    """A whole export: its manifest is read, its signature right, its files all there and as they were."""

    def __init__(self, place: Path, key: bytes | None, trusted: str = "") -> None:
        """`trusted`: the public key that the manifest must be signed with; the one that it carries when empty."""
        self.place, self.key = place, key
        self.manifest = _manifest(place, trusted)
        if self.manifest["sealed"] and key is None:
            raise LeavingProblem("This export is sealed. Give its key with --key-file.")

    def prove(self, progress: Any = lambda _done, _total: None) -> None:  # any: called with two numbers
        """Every file against the manifest, and no file beside them. Raises LeavingProblem."""
        files: dict[str, dict[str, Any]] = self.manifest["files"]
        there = {
            path.relative_to(self.place).as_posix() for path in self.place.rglob("*") if not path.is_dir()
        }
        if beyond := sorted(there - files.keys() - {MANIFEST}):
            raise LeavingProblem(
                f"{beyond[0]} is not part of this export. Take it away, or use another copy."
            )
        for number, (name, said) in enumerate(files.items(), start=1):
            path = self.place / name
            if not path.is_file() or path.is_symlink():
                raise LeavingProblem(f"{name} is missing. Use a whole copy of the export.")
            if (path.stat().st_size, _sha256(path)) != (said["bytes"], said["sha256"]):
                raise LeavingProblem(f"{name} was altered or damaged. Use another copy of the export.")
            progress(number, len(files))

    @contextmanager
    def pieces(self, name: str) -> Iterator[Iterator[bytes]]:
        if not self.has(name):  # a row may name anything; the manifest says what there is
            raise LeavingProblem("The export speaks of a file that it does not hold. Run the export again.")
        with (self.place / self._lies_at(name)).open("rb") as file:
            yield (
                self._opened(name, file)
                if self.key and self.manifest["sealed"]
                else iter(lambda: file.read(_PIECE), b"")
            )

    def _opened(self, name: str, file: IO[bytes]) -> Iterator[bytes]:
        try:
            header = read_header(file)
            if header.facts.get("file") != name:
                raise LeavingProblem(f"{name} was exchanged for another file of the export.")
            yield from read(file, header, [self.key] if self.key else [])
        except BackupProblem:
            raise LeavingProblem(f"{name} does not open with this key, or was altered.") from None

    def content(self, name: str) -> bytes:
        with self.pieces(name) as pieces:
            return b"".join(pieces)

    def lines(self, name: str) -> Iterator[bytes]:
        rest = b""
        with self.pieces(name) as pieces:
            for piece in pieces:
                *whole, rest = (rest + piece).split(b"\n")
                yield from whole
        if rest:
            yield rest

    def has(self, name: str) -> bool:
        return self._lies_at(name) in self.manifest["files"]

    def _lies_at(self, name: str) -> str:
        return name + (SEALED if self.manifest["sealed"] else "")


def _manifest(place: Path, trusted: str) -> dict[str, Any]:
    path = place / MANIFEST
    if not path.is_file():
        raise LeavingProblem(
            f"{place} is no whole export: it has no {MANIFEST}, which is written last. Run the export again."
        )
    try:
        said = orjson.loads(path.read_bytes())
        signature, public = said.pop("signature"), said["public_key"]
        keys = PublicKeys([bytes.fromhex(public)])
        right = keys.verify(key_name(bytes.fromhex(public)), _SIGNED + canonical(said), signature)
        names = all(_NAME.fullmatch(name) for name in said["files"])
        whole = {"practice", "chains", "rows", "migrations", "sealed"} <= said.keys()
    except (ValueError, KeyError, TypeError, AttributeError):
        right = names = whole = False
    if not (right and names and whole):
        raise LeavingProblem(f"{path} was altered or damaged. Use another copy of the export.")
    if said["form"] != FORM:
        raise LeavingProblem(
            "This export has a form that this version does not know. Install a newer Labbridge."
        )
    if trusted and trusted.lower() != public:
        raise LeavingProblem("This export was signed with another key than the one that you trust.")
    found: dict[str, Any] = said
    return found


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
