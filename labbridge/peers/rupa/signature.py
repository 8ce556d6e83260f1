"""Rupa's webhook signature: who sent this body, and when.

The guide names the header `Rupa-Signature`, HMAC-SHA256 and a validated timestamp; the layout is not
published (rupa-api.md 0 and 16.1), so the scheme is a setting (`LABBRIDGE_RUPA_SIGNATURE`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Reason = Literal["missing", "malformed", "mismatch", "stale"]

TOLERANCE = 300  #: seconds, both ways
MAX_HEADER = 4096  #: characters
MAX_SIGNATURES = 8  #: `v1=` parts looked at: two or three while a secret rotates


class SignatureRejected(Exception):
    """The body cannot be shown to be Rupa's. `reason` is one word; nothing of the delivery is in it."""

    def __init__(self, reason: Reason) -> None:
        self.reason: Reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class SignatureScheme:
    """Where the signature stands and how it is made.

    `timestamped` is `t=<unix seconds>,v1=<signature of "{t}.{raw body}">`, `v1` repeated while a secret
    rotates. `body` is one signature of the raw body alone, after an optional `prefix` such as "sha256=";
    it has no time, so only the event's id protects against replay.
    """

    header: str = "Rupa-Signature"
    layout: Literal["timestamped", "body"] = "timestamped"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""

    @property
    def variable(self) -> str:
        """The header's name as web servers have it, without `HTTP_`."""
        return self.header.upper().replace("-", "_")


DEFAULT_SCHEME = SignatureScheme()


def verify(
    body: bytes,
    header: str | None,
    secrets: Sequence[str],
    *,
    now: float | datetime,
    tolerance: float = TOLERANCE,
    scheme: SignatureScheme = DEFAULT_SCHEME,
) -> None:
    """Return when any of `secrets` signed exactly these bytes within `tolerance` seconds of `now`.

    `now` is unix seconds or an aware datetime. Without a usable secret everything is a mismatch.
    Compares in constant time. Raises SignatureRejected.
    """
    if not header or not header.strip():
        raise SignatureRejected("missing")
    if len(header) > MAX_HEADER:
        raise SignatureRejected("malformed")
    if scheme.layout == "body":
        _check(body, [_whole_header(header, scheme)], secrets)
        return
    stamp, signatures = _parts(header, scheme)
    _check(b"%d.%b" % (stamp, body), signatures, secrets)
    seconds = now.timestamp() if isinstance(now, datetime) else now
    if abs(seconds - stamp) > tolerance:
        raise SignatureRejected("stale")


def sign(body: bytes, secret: str, *, now: float | datetime, scheme: SignatureScheme = DEFAULT_SCHEME) -> str:
    """The header that `verify` accepts, for tests and for `labbridge trigger`."""
    stamp = int(now.timestamp() if isinstance(now, datetime) else now)
    if scheme.layout == "body":
        return scheme.prefix + _encode(_hmac(secret, body), scheme)
    return f"t={stamp},v1={_encode(_hmac(secret, b'%d.%b' % (stamp, body)), scheme)}"


def _parts(header: str, scheme: SignatureScheme) -> tuple[int, list[bytes]]:
    """The time and the readable signatures; parts with other names are left for the future."""
    stamps: list[str] = []
    texts: list[str] = []
    for part in header.split(","):
        name, _, value = part.strip().partition("=")
        if name == "t":
            stamps.append(value)
        elif name == "v1":
            texts.append(value)
    signatures = [found for text in texts[:MAX_SIGNATURES] if (found := _decode(text, scheme)) is not None]
    if len(stamps) != 1 or not re.fullmatch(r"[0-9]{1,12}", stamps[0]) or not signatures:
        raise SignatureRejected("malformed")
    # The signed text holds `t` as it was sent; a form such as 007 would be signed otherwise than we do.
    if stamps[0] != str(int(stamps[0])):
        raise SignatureRejected("malformed")
    return int(stamps[0]), signatures


def _whole_header(header: str, scheme: SignatureScheme) -> bytes:
    text = header.strip()
    signature = _decode(text.removeprefix(scheme.prefix), scheme) if text.startswith(scheme.prefix) else None
    if signature is None:
        raise SignatureRejected("malformed")
    return signature


def _check(signed: bytes, signatures: Iterable[bytes], secrets: Sequence[str]) -> None:
    """Every secret is compared with every signature, so that time does not tell which one fits."""
    expected = [_hmac(secret, signed) for secret in secrets if secret]  # an empty key is anybody's key
    matches = [hmac.compare_digest(ours, theirs) for theirs in signatures for ours in expected]
    if not any(matches):
        raise SignatureRejected("mismatch")


def _hmac(secret: str, signed: bytes) -> bytes:
    return hmac.new(secret.encode(), signed, hashlib.sha256).digest()


def _encode(digest: bytes, scheme: SignatureScheme) -> str:
    return digest.hex() if scheme.encoding == "hex" else base64.b64encode(digest).decode()


def _decode(text: str, scheme: SignatureScheme) -> bytes | None:
    if not text:
        return None
    try:
        if scheme.encoding == "hex":
            return binascii.unhexlify(text)
        return base64.b64decode(text, validate=True)
    except ValueError:  # binascii.Error is one, and so is text outside of ASCII
        return None
