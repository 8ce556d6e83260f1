"""The chain module by itself: any single change to any entry is seen, and nothing is seen where nothing changed."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labbridge.trust.chain import (
    GENESIS,
    AnchorFile,
    Entry,
    Finding,
    Head,
    PublicKeys,
    Signer,
    canonical,
    check,
    key_name,
    link,
)

OURS, THEIRS = Signer(b"a seed for tests, nothing else.."), Signer(b"somebody else who also can sign.")
KEYS = PublicKeys([OURS.public])


bodies = st.dictionaries(
    st.sampled_from(["a", "b", "listed"]),
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(max_size=5)
    | st.lists(st.text("é\n", max_size=3)),
    max_size=3,
)
patiently = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


def chain_of(texts: list[dict], signer: Signer | None = OURS, chain: str = "ledger:willow") -> list[Entry]:
    entries: list[Entry] = []
    for body in texts:
        entries.append(link(chain, entries[-1].head if entries else None, body, signer))
    return entries


def wrong(entries: list[Entry], heads: list[Head] | tuple = (), **options) -> list[Finding]:
    return list(check(entries, KEYS, chain="ledger:willow", heads=heads, **options))


def head_of(entry: Entry, **more) -> Head:
    return Head(entry.chain, entry.seq, entry.digest, "2026-03-01T00:00:00+00:00", **more)


def test_the_canonical_bytes_and_the_digest_are_as_documented():
    assert (
        canonical({"b": [1, None, True], "a": 'é"\n\x1f'})
        == '{"a":"é\\"\\n\\u001f","b":[1,null,true]}'.encode()
    )
    entry = link("c", None, {"x": 1}, OURS)
    said = b'{"body":{"x":1},"chain":"c","previous":"' + GENESIS.encode() + b'","seq":1}'
    assert entry.digest == hashlib.sha256(b"labbridge link v1\n" + said).hexdigest()
    assert KEYS.verify(entry.key, b"labbridge entry v1\n" + entry.digest.encode(), entry.signature)
    assert entry.key == hashlib.sha256(OURS.public).hexdigest()[:16] == key_name(OURS.public)


@pytest.mark.parametrize("value", [1.5, 2**53, {"é": 1}, {1: 2}, b"bytes", "\ud800"])
def test_values_that_readers_may_read_differently_are_refused(value):
    with pytest.raises(ValueError, match=r"chain|surrogates"):
        canonical({"x": value})


@patiently
@given(st.lists(bodies, min_size=1, max_size=6))
def test_a_whole_chain_has_no_findings(texts):
    entries = chain_of(texts)
    assert wrong(entries, [head_of(entry) for entry in entries]) == []
    assert wrong(entries[1:], after=entries[0].head) == []


@patiently
@given(st.lists(bodies, min_size=2, max_size=6), st.data())
def test_altering_any_part_of_any_entry_is_seen(texts, data):
    entries = chain_of(texts)
    number = data.draw(st.integers(0, len(entries) - 1))
    entry = entries[number]
    change = data.draw(
        st.sampled_from(
            [
                {"body": {**entry.body, "more": 1}},
                {"seq": entry.seq + 1},
                {"previous": "f" * 64},
                {"digest": "f" * 64},
                {"chain": "ledger:oak"},
                {"key": "0" * 16},
                {"signature": "AAAA"},
                {"signature": "not base64"},
            ]
        )
    )
    findings = wrong([*entries[:number], dataclasses.replace(entry, **change), *entries[number + 1 :]])
    assert findings
    assert findings[0].seq in {entry.seq, entry.seq + 1}


@patiently
@given(st.lists(bodies, min_size=2, max_size=6), st.data())
def test_removing_or_moving_any_entry_is_seen(texts, data):
    entries = chain_of(texts)
    number = data.draw(st.integers(0, len(entries) - 1))
    without = entries[:number] + entries[number + 1 :]
    assert wrong(without, [head_of(entries[-1])])
    to = data.draw(st.integers(0, len(without)).filter(lambda place: place != number))
    assert wrong([*without[:to], entries[number], *without[to:]])


def test_an_entry_replaced_and_hashed_again_is_seen_by_its_signature_and_by_the_anchor():
    entries = chain_of([{"n": 1}, {"n": 2}])
    forged = link("ledger:willow", entries[0].head, {"n": 3}, THEIRS)
    assert "not signed" in wrong([entries[0], forged])[0].sentence
    with_our_key = link("ledger:willow", entries[0].head, {"n": 3}, OURS)
    assert wrong([entries[0], with_our_key]) == []  # the chain alone cannot know
    assert "anchored outside" in wrong([entries[0], with_our_key], [head_of(entries[1])])[0].sentence


def test_newest_entries_cut_off_are_seen_by_the_anchor_alone():
    entries = chain_of([{"n": 1}, {"n": 2}, {"n": 3}])
    assert wrong(entries[:2]) == []
    (finding,) = wrong(entries[:2], [head_of(entries[2])])
    assert finding.seq == 3
    assert wrong([], [head_of(entries[0])])


def test_a_restart_voids_only_the_heads_beyond_it_that_stood_before():
    old = chain_of([{"n": 1}, {"n": 2}, {"n": 3}])
    new = [*old[:1], link("ledger:willow", old[0].head, {"n": 9}, OURS)]
    heads = [head_of(entry) for entry in old]
    assert wrong(new, heads)
    restarted = [*heads, head_of(old[0], restart="Restored from a backup.")]
    assert wrong(new, restarted) == []
    assert wrong(new[:1], [*restarted, head_of(new[1])])


def test_chains_that_are_signed_by_their_heads_only():
    entries = chain_of([{"n": 1}, {"n": 2}], signer=None)
    assert wrong(entries, signed=False) == []
    assert len(wrong(entries)) == 2


def test_heads_go_through_the_anchor_file(tmp_path: Path):
    file, entries = AnchorFile(tmp_path / "anchors.jsonl"), chain_of([{"n": 1}, {"n": 2}])
    other = chain_of([{"n": 1}], chain="ledger:oak")
    assert file.heads("ledger:willow", KEYS) == ([], [])
    for entry in [*entries, *other]:
        file.append(head_of(entry), OURS)
    assert file.heads("ledger:willow", KEYS) == ([head_of(entry) for entry in entries], [])
    assert oct((tmp_path / "anchors.jsonl").stat().st_mode)[-3:] == "600"


def test_a_torn_line_is_passed_over_and_an_altered_one_is_not(tmp_path: Path):
    path = tmp_path / "anchors.jsonl"
    file, entries = AnchorFile(path), chain_of([{"n": 1}, {"n": 2}])
    file.append(head_of(entries[0]), OURS)
    whole = path.read_bytes()
    with path.open("ab") as handle:
        handle.write(whole[:60])
    assert file.heads("ledger:willow", KEYS) == ([head_of(entries[0])], [])
    file.append(head_of(entries[1]), OURS)
    assert file.heads("ledger:willow", KEYS) == ([head_of(entry) for entry in entries], [])
    path.write_bytes(path.read_bytes().replace(b'"seq":2', b'"seq":9'))
    heads, findings = file.heads("ledger:willow", KEYS)
    assert heads == [head_of(entries[0])]
    assert "Line 3" in findings[0].sentence


def test_a_head_signed_by_somebody_else_does_not_count(tmp_path: Path):
    file, entries = AnchorFile(tmp_path / "anchors.jsonl"), chain_of([{"n": 1}])
    file.append(head_of(entries[0]), THEIRS)
    heads, findings = file.heads("ledger:willow", KEYS)
    assert (heads, len(findings)) == ([], 1)


def test_an_anchor_that_cannot_be_written_says_so(tmp_path: Path):
    with pytest.raises(OSError, match=os.strerror(2)):
        AnchorFile(tmp_path / "missing" / "anchors.jsonl").append(head_of(chain_of([{}])[0]), OURS)
