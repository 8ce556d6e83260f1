"""The bounded run of `make test`: every reader against damaged samples. `make fuzz` runs the same for longer."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS

EXAMPLES = 400


def damaged(seeds: tuple[bytes, ...]) -> st.SearchStrategy[bytes]:
    """A sample with pieces cut out, doubled, swapped for others' pieces, or overwritten; or anything at all."""
    piece = st.one_of(
        st.binary(max_size=12), st.sampled_from([b"\0", b"'", b'"', b"|", b"^", b"\\", b"{", b"]", b"%"])
    )
    edit = st.tuples(st.integers(0, 2**16), st.integers(0, 64), piece, st.integers(1, 3))

    def apply(sample: bytes, edits: list[tuple[int, int, bytes, int]]) -> bytes:
        for place, length, inserted, times in edits:
            at = place % (len(sample) + 1)
            sample = sample[:at] + inserted * times + sample[at + length :]
        return sample

    return st.one_of(
        st.builds(apply, st.sampled_from(seeds), st.lists(edit, max_size=8)),
        st.builds(bytes.__add__, st.sampled_from(seeds), st.sampled_from(seeds)),
        st.binary(max_size=400),
    )


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_breaks_a_reader(name: str) -> None:
    fuzzed = TARGETS[name]

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(damaged(fuzzed.seeds))
    def run(data: bytes) -> None:
        fuzzed.target(data)

    run()


@pytest.mark.parametrize("name", TARGETS)
def test_every_sample_is_read(name: str) -> None:
    for seed in TARGETS[name].seeds:
        TARGETS[name].target(seed)


def test_a_target_notices_what_it_must() -> None:
    """A header that our own secret signed is let in, so the check behind it is reached."""
    signed = TARGETS["signature_header"].seeds[0]
    assert b"v1=" in signed
    TARGETS["signature_header"].target(signed)
