"""Signing keys of installations that a practice came from: believed for what came along, and for nothing newer."""

from __future__ import annotations

from collections.abc import Iterator

from labbridge.trust.chain import Head, PublicKeys, canonical, key_name
from labbridge.trust.models import FormerKey
from labbridge.trust.signing import public_keys, signer

_STATEMENT = b"labbridge former key v1\n"


def believe(chain: str, head: tuple[int, str], public: str, at: str) -> FormerKey:
    """From now on `public` counts for the rows of this chain up to `head`."""
    seq, digest = head
    ours = signer()
    signature = ours.sign(_said(chain, seq, digest, public, at))
    return FormerKey.objects.create(
        chain=chain, seq=seq, digest=digest, public=public, at=at, key=ours.key, signature=signature
    )


def former_keys(chain: str) -> list[FormerKey]:
    """Those whose statement carries a signature of ours, or of a key that was believed before them."""
    trusted, found = public_keys(), []
    for row in FormerKey.objects.filter(chain=chain).order_by("-id"):  # the newest statement is signed by us
        if trusted.verify(row.key, _said(row.chain, row.seq, row.digest, row.public, row.at), row.signature):
            found.append(row)
            trusted = PublicKeys(bytes.fromhex(one) for one in (*trusted.in_hex(), row.public))
    return found


def _said(chain: str, seq: int, digest: str, public: str, at: str) -> bytes:
    return _STATEMENT + canonical({"chain": chain, "seq": seq, "digest": digest, "public": public, "at": at})


def keys_of(chain: str) -> PublicKeys:
    """Whose signatures count in this chain: ours, and those of where its first rows come from."""
    return PublicKeys(bytes.fromhex(one) for one in hex_keys_of(chain))


def hex_keys_of(chain: str) -> list[str]:
    return list(dict.fromkeys([*public_keys().in_hex(), *(one.public for one in former_keys(chain))]))


def heads_of(chain: str) -> list[Head]:
    """Where the chain stood when it came: as good as an anchored head, since we signed it."""
    found = [Head(one.chain, one.seq, one.digest, one.at) for one in former_keys(chain) if one.seq]
    return sorted(found, key=lambda head: head.seq)


def too_new(chain: str) -> dict[str, int]:
    """Names of former keys, with the last row that each may have signed. Our own keys are not among them."""
    ours = {key_name(bytes.fromhex(one)) for one in public_keys().in_hex()}
    limits: dict[str, int] = {}
    for one in former_keys(chain):
        name = key_name(bytes.fromhex(one.public))
        if name not in ours:
            limits[name] = max(one.seq, limits.get(name, 0))
    return limits


def signed_too_late(rows: Iterator[tuple[int, str]], chain: str) -> Iterator[int]:
    """Rows `(seq, key name)` that a former key signed after its chain had moved away from it."""
    limits = too_new(chain)
    return (seq for seq, name in rows if name in limits and seq > limits[name])
