"""The search itself can find, or the tests that find nothing would prove nothing."""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.phi.needles import Search

WORD = "Quorblatina Zyx+huber/7"


@pytest.mark.parametrize("before", [b"", b"a", b"ab", b"abc"])
@pytest.mark.parametrize("after", [b"", b"!", b"!!"])
def test_base64_anywhere(before: bytes, after: bytes) -> None:
    packed = base64.b64encode(before + WORD.encode() + after)
    assert Search([WORD]).found_in(b"x" + packed) == {WORD}
    assert Search([WORD]).found_in(base64.urlsafe_b64encode(before + WORD.encode() + after)) == {WORD}


@pytest.mark.parametrize(
    "content",
    [
        WORD.encode(),
        WORD.upper().encode(),
        WORD.encode("utf-16"),
        WORD.encode("utf-16-be"),
        WORD.encode().hex().encode(),
        quote(WORD, safe="").encode(),
        b"\0\xff" + WORD.encode() + b"\0",
    ],
)
def test_forms(content: bytes, tmp_path: Path) -> None:
    assert Search([WORD]).found_in(content) == {WORD}
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_bytes(content)
    assert Search([WORD]).found_below(tmp_path) == {"deep/file": {WORD}}


def test_nothing() -> None:
    assert Search([WORD]).found_in(b"Quorblatina Zyx huber") == set()


@pytest.mark.parametrize("address", [f"/a?q={quote(WORD)}", f"/a?q={quote(quote(WORD))}", f"/{WORD}"])
def test_addresses(address: str) -> None:
    assert Search([WORD]).found_in_address(address) == {WORD}
