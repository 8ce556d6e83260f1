from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labbridge.peers.rupa.signature import SignatureRejected, SignatureScheme, sign, verify

NOW = 1_927_909_800.0
BODY = b'{"id":"evt_1"}'


def by_hand(body: bytes, secret: str, stamp: int) -> str:
    """The scheme written out once more, not through our own `sign`."""
    return hmac.new(secret.encode(), str(stamp).encode() + b"." + body, hashlib.sha256).hexdigest()


def reason(body: bytes, header: str | None, secrets: list[str], **options: object) -> str:
    with pytest.raises(SignatureRejected) as caught:
        verify(body, header, secrets, **{"now": NOW, **options})
    return caught.value.reason


def test_documented_layout_is_accepted() -> None:
    verify(BODY, f"t={int(NOW)},v1={by_hand(BODY, 's1', int(NOW))}", ["s1"], now=NOW)


def test_our_own_signature_is_the_same() -> None:
    assert sign(BODY, "s1", now=NOW) == f"t={int(NOW)},v1={by_hand(BODY, 's1', int(NOW))}"
    assert sign(BODY, "s1", now=datetime.fromtimestamp(NOW, UTC)) == sign(BODY, "s1", now=NOW)


def test_rotation_by_several_secrets_and_by_several_signatures() -> None:
    verify(BODY, sign(BODY, "old", now=NOW), ["new", "old"], now=NOW)
    both = f"t={int(NOW)},v1={by_hand(BODY, 'old', int(NOW))},v0=ignored, v1={by_hand(BODY, 'new', int(NOW))}"
    verify(BODY, both, ["new"], now=NOW)


@pytest.mark.parametrize("shift", [-300, 0, 300])
def test_within_tolerance_both_ways(shift: int) -> None:
    verify(BODY, sign(BODY, "s1", now=NOW + shift), ["s1"], now=NOW)


@pytest.mark.parametrize("shift", [-301, 301, -86_400])
def test_stale_both_ways(shift: int) -> None:
    assert reason(BODY, sign(BODY, "s1", now=NOW + shift), ["s1"]) == "stale"


def test_changed_body_time_or_secret_is_a_mismatch() -> None:
    header = sign(BODY, "s1", now=NOW)
    assert reason(BODY + b" ", header, ["s1"]) == "mismatch"
    assert reason(BODY, header.replace(f"t={int(NOW)}", f"t={int(NOW) + 1}"), ["s1"]) == "mismatch"
    assert reason(BODY, header, ["s2"]) == "mismatch"


def test_no_secret_accepts_nothing() -> None:
    assert reason(BODY, sign(BODY, "", now=NOW), []) == "mismatch"
    assert reason(BODY, sign(BODY, "", now=NOW), [""]) == "mismatch"


@pytest.mark.parametrize("header", [None, "", "  "])
def test_missing(header: str | None) -> None:
    assert reason(BODY, header, ["s1"]) == "missing"


@pytest.mark.parametrize(
    "header",
    [
        "nonsense",
        "t=1",
        "v1=ab",
        "t=x,v1=ab",
        "t=-5,v1=ab",
        "t=1,t=2,v1=ab",
        "t=1,v1=zz",
        "t=1,v1=",
        "t=007,v1=ab",
        "t=1_0,v1=ab",
        "t=\u0661,v1=ab",
        "t=1,v1=\u00e4",
        "t=1,v1=" + "a" * 5000,
    ],
)
def test_malformed(header: str) -> None:
    assert reason(BODY, header, ["s1"]) == "malformed"


def test_other_schemes() -> None:
    plain = SignatureScheme(layout="body", encoding="base64", prefix="sha256=")
    digest = base64.b64encode(hmac.new(b"s1", BODY, hashlib.sha256).digest()).decode()
    verify(BODY, f"sha256={digest}", ["s1"], now=NOW, scheme=plain)
    assert sign(BODY, "s1", now=NOW, scheme=plain) == f"sha256={digest}"
    assert reason(BODY, digest, ["s1"], scheme=plain) == "malformed"
    assert reason(b"", f"sha256={digest}", ["s1"], scheme=plain) == "mismatch"
    stamped = SignatureScheme(encoding="base64")
    verify(BODY, sign(BODY, "s1", now=NOW, scheme=stamped), ["s1"], now=NOW, scheme=stamped)


@given(st.binary(), st.text(max_size=200))
def test_no_header_gets_in_without_the_secret_and_none_crashes(body: bytes, header: str) -> None:
    with pytest.raises(SignatureRejected):
        verify(body, header, ["s1"], now=NOW)


@given(st.binary(), st.text(min_size=1), st.integers(0, 10**11))
def test_what_is_signed_is_accepted(body: bytes, secret: str, stamp: int) -> None:
    try:
        secret.encode()
    except UnicodeEncodeError:
        return
    verify(body, sign(body, secret, now=stamp), [secret], now=stamp)
