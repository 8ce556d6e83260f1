"""The file: whatever is changed in it, it does not open; and it opens with its own key only."""

from __future__ import annotations

import io
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labbridge.backup import seal
from labbridge.backup.seal import CHUNK, TAG, BackupProblem, read, read_header, write

KEY, OTHER = b"k" * 32, b"o" * 32


def sealed(pieces: Iterable[bytes], key: bytes = KEY) -> bytes:
    target = io.BytesIO()
    write(target, pieces, {"made_at": "2026-03-04", "version": "1"}, key)
    return target.getvalue()


def opened(content: bytes, *keys: bytes) -> bytes:
    source = io.BytesIO(content)
    return b"".join(read(source, read_header(source), keys or (KEY,)))


def start_of_chunks(content: bytes) -> int:
    source = io.BytesIO(content)
    read_header(source)
    return source.tell()


@given(st.lists(st.binary(max_size=3 * 64), max_size=20))
def test_what_goes_in_comes_out(pieces: list[bytes]) -> None:
    assert opened(sealed(pieces)) == b"".join(pieces)


@pytest.mark.parametrize("length", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 5])
def test_the_ends_of_chunks(length: int) -> None:
    content = bytes(length)
    assert opened(sealed([content])) == content


def test_the_key_that_made_it_is_found_among_others() -> None:
    content = sealed([b"x"])
    assert opened(content, OTHER, KEY) == b"x"
    with pytest.raises(BackupProblem, match="sealed with another key"):
        opened(content, OTHER)


@settings(max_examples=60)
@given(st.data())
def test_any_changed_byte_is_found(data: st.DataObject) -> None:
    content = bytearray(sealed([b"a patient" * 20]))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BackupProblem):
        opened(bytes(content))


@settings(max_examples=60)
@given(st.data())
def test_any_cut_is_found(data: st.DataObject) -> None:
    content = sealed([b"a patient" * 20])
    with pytest.raises(BackupProblem):
        opened(content[: data.draw(st.integers(0, len(content) - 1))])


def test_chunks_cannot_be_left_out_moved_or_added() -> None:
    content = sealed([bytes([number]) * CHUNK for number in range(3)] + [b"end"])
    head = start_of_chunks(content)
    size = CHUNK + TAG
    chunks = [content[head + number * size : head + (number + 1) * size] for number in range(4)]
    for wrong in (
        chunks[:3], [chunks[1], chunks[0], *chunks[2:]], [chunks[0], *chunks[2:]], [*chunks, chunks[3]],
        [chunks[0], *chunks],
    ):  # fmt: skip
        with pytest.raises(BackupProblem):
            opened(content[:head] + b"".join(wrong))


def test_two_backups_of_the_same_share_nothing() -> None:
    one, other = sealed([b"same" * 100]), sealed([b"same" * 100])
    assert one[start_of_chunks(one) :] != other[start_of_chunks(other) :]
    with pytest.raises(BackupProblem):
        opened(one[: start_of_chunks(one)] + other[start_of_chunks(other) :])


@pytest.mark.parametrize(
    "content", [b"", b"PGDMP", seal.MAGIC, seal.MAGIC + b"\xff" * 9, seal.MAGIC + bytes(3) + b"\2{}"]
)
def test_what_is_no_backup(content: bytes) -> None:
    with pytest.raises(BackupProblem):
        opened(content)
