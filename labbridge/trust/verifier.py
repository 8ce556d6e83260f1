"""Checks exports of Labbridge's audit and completeness ledger. Needs Python 3.9 or newer and nothing else.

    python3 verify.py EXPORT [EXPORT ...] [--anchor FILE] [--key HEX] [--chain NAME]

EXPORT is what `labbridge audit export --format chain` or `labbridge ledger export` wrote. FILE is the anchor file,
from the place outside where it is kept: only it shows that the newest rows were cut off. HEX is a public key in which
you trust (`labbridge audit key` prints it; note it down when Labbridge is installed). Without --key the keys in the
export are believed, which proves nothing against somebody who could sign with a key of their own. NAME is a chain
that must be there, such as `audit:willow`; anchored chains that are not in the export are only named.

Ends with 0 when everything is whole, 1 when something is wrong, 2 when it was used wrongly. The form that is checked
is described in docs/audit-format.md. If the package `cryptography` is installed, signatures are checked by it, which
is quicker; else by the code below, which follows RFC 8032.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

GENESIS = "0" * 64
ENTRY = {"chain", "seq", "previous", "body", "digest", "key", "signature"}
HEAD = {"chain", "seq", "digest", "at", "restart", "key", "signature"}
AUDIT = "audit:"  # chains that are signed by their heads; all others have a signature in every row
LARGEST = 2**53 - 1


class Problem(NamedTuple):
    chain: str
    seq: int | None
    sentence: str

    def __str__(self) -> str:
        return f"{self.chain or 'file'}: {self.sentence}"


# -- Ed25519 (RFC 8032, section 5.1) -----------------------------------------------------------------------------

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)
Point = tuple[int, int, int, int]  # extended coordinates (X, Y, Z, T)
NEUTRAL: Point = (0, 1, 1, 0)


def _add(one: Point, other: Point) -> Point:
    a, b = (one[1] - one[0]) * (other[1] - other[0]) % P, (one[1] + one[0]) * (other[1] + other[0]) % P
    c, d = 2 * one[3] * other[3] * D % P, 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def _times(number: int, point: Point) -> Point:
    sum_ = NEUTRAL
    while number:
        if number & 1:
            sum_ = _add(sum_, point)
        point, number = _add(point, point), number >> 1
    return sum_


def _equal(one: Point, other: Point) -> bool:
    return not (one[0] * other[2] - other[0] * one[2]) % P and not (one[1] * other[2] - other[1] * one[2]) % P


def _point(text: bytes) -> Point | None:
    """The point that 32 bytes stand for, None when they stand for none."""
    y = int.from_bytes(text, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if len(text) != 32 or y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


BASE: Point = _point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little")) or NEUTRAL


def verify_plainly(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether an Ed25519 signature is right, with nothing but Python."""
    if len(signature) != 64:
        return False
    key, r = _point(public), _point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if key is None or r is None or s >= ORDER:
        return False
    hashed = hashlib.sha512(signature[:32] + public + message).digest()
    return _equal(_times(s, BASE), _add(r, _times(int.from_bytes(hashed, "little") % ORDER, key)))


def _verify_quickly() -> Callable[[bytes, bytes, bytes], bool]:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return verify_plainly

    def verify(public: bytes, message: bytes, signature: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True

    return verify


verify_signature = _verify_quickly()


# -- bytes -------------------------------------------------------------------------------------------------------


def canonical(value: Any) -> bytes:
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def digest_of(entry: dict[str, Any]) -> str:
    linked = {name: entry[name] for name in ("chain", "seq", "previous", "body")}
    return hashlib.sha256(b"labbridge link v1\n" + canonical(linked)).hexdigest()


def _whole(text: str) -> int:
    number = int(text)
    if abs(number) > LARGEST:
        raise ValueError("a number is too large")
    return number


def _refuse(text: str) -> Any:
    raise ValueError(f"{text[:20]} is not a whole number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member stands twice")
    return found


def parse(line: bytes) -> dict[str, Any]:
    """One line as an object. Raises ValueError for anything that two readers could understand differently."""
    found = json.loads(
        line, object_pairs_hook=_once, parse_int=_whole, parse_float=_refuse, parse_constant=_refuse
    )
    if not isinstance(found, dict):
        raise ValueError("not an object")  # noqa: TRY004  # what a reader of the line expects
    return found


def is_entry(said: dict[str, Any]) -> bool:
    return (
        set(said) == ENTRY
        and all(isinstance(said[name], str) for name in ENTRY - {"seq", "body"})
        and type(said["seq"]) is int
        and isinstance(said["body"], dict)
    )


def is_head(said: dict[str, Any]) -> bool:
    return (
        set(said) == HEAD
        and all(isinstance(said[name], str) for name in HEAD - {"seq"})
        and type(said["seq"]) is int
    )


class Keys:
    """Whose signatures count: public keys in hexadecimal."""

    def __init__(self, keys: Iterable[str]) -> None:
        raw = [bytes.fromhex(key) for key in keys]
        self._keys = {hashlib.sha256(key).hexdigest()[:16]: key for key in raw}

    def right(self, key: str, message: bytes, signature: str) -> bool:
        try:
            given = base64.b64decode(signature, validate=True)
        except (binascii.Error, ValueError):
            return False
        return key in self._keys and verify_signature(self._keys[key], message, given)

    def head_is_right(self, head: dict[str, Any]) -> bool:
        said = {name: head[name] for name in HEAD - {"key", "signature"}}
        return self.right(head["key"], b"labbridge head v1\n" + canonical(said), head["signature"])

    def entry_is_right(self, entry: dict[str, Any]) -> bool:
        return self.right(
            entry["key"], b"labbridge entry v1\n" + entry["digest"].encode(), entry["signature"]
        )


# -- one chain ---------------------------------------------------------------------------------------------------


class Chain:
    """Follows one chain row by row; `anchored` and `signed` are digests by number, from outside and inside."""

    def __init__(self, name: str, keys: Keys) -> None:
        self.name, self.keys = name, keys
        self.signed: dict[int, str] = {}
        self.anchored: dict[int, str] = {}
        self.seq, self.digest, self.rows = 0, GENESIS, 0
        self.before: tuple[int, str] | None = None  # what the first row here claims to follow
        self.removed: dict[int, str] = {}  # last row removed by retention -> its digest, as later rows say

    def say(self, seq: int | None, sentence: str) -> Problem:
        return Problem(self.name, seq, sentence)

    def take_heads(self, heads: list[dict[str, Any]], *, outside: bool) -> Iterator[Problem]:
        standing: list[dict[str, Any]] = []
        for head in heads:
            if not self.keys.head_is_right(head):
                yield self.say(
                    head["seq"], f"The head for row {head['seq']} was not signed with a trusted key."
                )
                continue
            if head["restart"]:
                standing = [one for one in standing if one["seq"] < head["seq"]]
            standing.append(head)
        (self.anchored if outside else self.signed).update({head["seq"]: head["digest"] for head in standing})

    def follow(self, entry: dict[str, Any]) -> Iterator[Problem]:
        seq = entry["seq"]
        if not self.rows:
            self._begin(entry)
        self.rows += 1
        if seq > self.seq + 1:
            gap = f"Row {seq - 1} is" if seq == self.seq + 2 else f"Rows {self.seq + 1} to {seq - 1} are"
            yield self.say(self.seq + 1, f"{gap} missing.")
        elif seq <= self.seq:
            yield self.say(seq, f"Row {seq} stands after row {self.seq}: it was moved or repeated.")
        elif entry["previous"] != self.digest:
            yield self.say(seq, f"Row {seq} does not follow the row before it: one of them was replaced.")
        if digest_of(entry) != entry["digest"]:
            yield self.say(seq, f"Row {seq} was altered: its contents do not give the hash beside it.")
        elif self._signature_is_wrong(entry):
            yield self.say(seq, f"Row {seq} was not signed with a trusted key.")
        for heads, where in ((self.signed, "in a signed head"), (self.anchored, "in the anchor file")):
            if heads.get(seq, entry["digest"]) != entry["digest"]:
                yield self.say(seq, f"Row {seq} is not the one {where}.")
        self._note_removal(entry["body"])
        self.seq, self.digest = max(self.seq, seq), entry["digest"]

    def _begin(self, entry: dict[str, Any]) -> None:
        if entry["seq"] > 1 and self.name.startswith(AUDIT):
            self.before = (entry["seq"] - 1, entry["previous"])
            self.seq, self.digest = self.before

    def _signature_is_wrong(self, entry: dict[str, Any]) -> bool:
        if self.name.startswith(AUDIT) and not entry["key"] and not entry["signature"]:
            return False  # signed by its heads
        return not self.keys.entry_is_right(entry)

    def _note_removal(self, body: dict[str, Any]) -> None:
        """Older rows may have been removed by policy: then a later row of the chain itself says which."""
        detail = body.get("detail")
        if body.get("action") == "retention.run" and isinstance(detail, dict):
            through, digest = detail.get("removed_through"), detail.get("removed_digest")
            if type(through) is int and isinstance(digest, str):
                self.removed[through] = digest

    def finish(self) -> Iterator[Problem]:
        newest = max([*self.anchored, *self.signed], default=0)
        if newest > self.seq:
            yield self.say(
                newest, f"The newest rows are missing: a head names row {newest}, the last is {self.seq}."
            )
        if self.before and self.removed.get(self.before[0]) != self.before[1]:
            yield self.say(
                1, f"Rows 1 to {self.before[0]} are missing, and no row says that retention removed them."
            )
        if self.rows and self.name.startswith(AUDIT) and self.seq not in {*self.signed, *self.anchored}:
            yield self.say(self.seq, f"No signed head names the last row, {self.seq}.")


# -- files -------------------------------------------------------------------------------------------------------


class Report(NamedTuple):
    problems: list[Problem]
    rows: dict[str, int]  # chain -> rows seen
    newest: dict[str, int]  # chain -> number of its last row
    elsewhere: list[str]  # anchored chains of which nothing is in the export
    believed: list[str]  # public keys taken from the export, because none was given


def check(
    heads: Iterable[bytes],
    entries: Iterable[bytes],
    anchor: Iterable[bytes],
    keys: Iterable[str],
    wanted: Callable[[str], bool] = lambda _chain: False,
) -> Report:
    """Check the lines of an export: first those with its heads, then those with its rows (or all of them twice).

    `anchor` are the lines of the anchor file, `keys` the public keys to trust (none: those in the export), `wanted`
    says of which anchored chains something must be there.
    """
    problems: list[Problem] = []
    inside, carried = _heads(heads, problems)
    trusted = list(keys)
    ring = Keys(trusted or carried)
    chains: dict[str, Chain] = {}

    def chain(name: str) -> Chain:
        return chains.setdefault(name, Chain(name, ring))

    for name, lines in inside.items():
        problems += chain(name).take_heads(lines, outside=False)
    outside = _anchors(anchor, problems)
    for name, lines in outside.items():
        if wanted(name) or name in chains:
            problems += chain(name).take_heads(lines, outside=True)
    for line in entries:
        try:
            said = parse(line)
        except ValueError:
            continue  # named when the heads were read
        if not is_entry(said):
            continue
        if said["chain"] not in chains and said["chain"] in outside:
            problems += chain(said["chain"]).take_heads(outside[said["chain"]], outside=True)
        problems += chain(said["chain"]).follow(said)
    for one in chains.values():
        problems += one.finish()
    return Report(
        problems,
        {name: one.rows for name, one in chains.items()},
        {name: one.seq for name, one in chains.items()},
        sorted(set(outside) - set(chains)),
        [] if trusted else carried,
    )


def _heads(
    lines: Iterable[bytes], problems: list[Problem]
) -> tuple[dict[str, list[dict[str, Any]]], list[str]]:
    heads: dict[str, list[dict[str, Any]]] = {}
    keys: list[str] = []
    for number, line in enumerate(lines, start=1):
        try:
            said = parse(line)
        except ValueError:
            problems.append(Problem("", None, f"Line {number} cannot be read."))
            continue
        if is_head(said):
            heads.setdefault(said["chain"], []).append(said)
        elif set(said) == {"public_keys"}:
            keys += said["public_keys"]
        elif not is_entry(said):
            problems.append(Problem("", None, f"Line {number} is neither a row nor a head."))
    return heads, keys


def _anchors(lines: Iterable[bytes], problems: list[Problem]) -> dict[str, list[dict[str, Any]]]:
    heads: dict[str, list[dict[str, Any]]] = {}
    for number, line in enumerate(lines, start=1):
        try:
            said = parse(line)
        except ValueError:
            said = {}
        if is_head(said):
            heads.setdefault(said["chain"], []).append(said)
        elif line.endswith(b"}\n"):  # the rest of a line whose writer died proves nothing
            problems.append(Problem("", None, f"Line {number} of the anchor file cannot be read."))
    return heads


def _lines(paths: list[str]) -> Iterator[bytes]:
    for path in paths:
        with Path(path).open("rb") as file:
            yield from file


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Check exports of Labbridge's audit and completeness ledger."
    )
    parser.add_argument("export", nargs="+", metavar="EXPORT")
    parser.add_argument("--anchor", metavar="FILE", help="the anchor file, from the place outside")
    parser.add_argument(
        "--key", action="append", default=[], metavar="HEX", help="a public key that you trust"
    )
    parser.add_argument(
        "--chain", action="append", default=[], metavar="NAME", help="a chain that must be there"
    )
    given = parser.parse_args(arguments)
    try:
        anchor = _lines([given.anchor]) if given.anchor else []
        report = check(
            _lines(given.export), _lines(given.export), anchor, given.key, set(given.chain).__contains__
        )
    except (OSError, ValueError, TypeError) as error:
        print(f"Cannot be checked: {type(error).__name__}. Are the files and keys right?", file=sys.stderr)
        return 2
    for problem in report.problems:
        print(problem)
    for name, rows in sorted(report.rows.items()):
        print(f"{name}: {rows} rows, the last is {report.newest[name]}")
    for name in report.elsewhere:
        print(f"{name}: anchored, and not in this export")
    missing = sorted(name for name in given.chain if not report.rows.get(name))
    for name in missing:
        print(f"{name}: there is no row of it")
    if not report.rows:
        print("There is no row in it.")
    for key in report.believed:
        print(f"Believed because the export says so: key {key}. Compare it with the one that you noted down.")
    if not given.anchor:
        print("Without --anchor nothing shows whether the newest rows were cut off before the export.")
    wrong = bool(report.problems or missing)
    print("NOT WHOLE" if wrong else "whole")
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
