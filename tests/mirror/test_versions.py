"""Versions are a function of what was seen when, not of the order in which it was heard."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from labbridge.mirror.versions import Sight, Version, versions_of

START = datetime(2031, 2, 3, 10, tzinfo=UTC)
D1, D2 = START - timedelta(days=2), START - timedelta(days=1)


def sight(minute: int, pdf: str = "", hl7: str = "", date: datetime | None = D1) -> Sight:
    return Sight(START + timedelta(minutes=minute), date, pdf, hl7)


def contents(*sights: Sight) -> list[tuple[str, str]]:
    return [(version.pdf, version.hl7) for version in versions_of(sights)]


def test_one_content_is_one_version_however_often_it_is_seen() -> None:
    assert contents(sight(1, "a"), sight(2, "a"), sight(5, "a")) == [("a", "")]


def test_another_content_under_the_same_date_is_a_new_version() -> None:
    assert contents(sight(1, "a"), sight(2, "b")) == [("a", ""), ("b", "")]


def test_content_that_came_back_is_a_version_of_its_own() -> None:
    assert contents(sight(1, "a"), sight(2, "b"), sight(3, "a")) == [("a", ""), ("b", ""), ("a", "")]


def test_a_late_pdf_completes_the_version_of_its_values() -> None:
    (version,) = versions_of([sight(1, "", "h"), sight(9, "p", "h")])
    assert version == Version(sight(1).as_of, D1, "p", "h")


def test_the_pdf_alone_completes_only_under_the_same_date() -> None:
    assert contents(sight(1, "", "h"), sight(9, "p")) == [("p", "h")]
    assert contents(sight(1, "", "h"), sight(9, "p", date=D2)) == [("", "h"), ("p", "")]


def test_new_values_beside_the_same_pdf_are_a_new_version() -> None:
    assert contents(sight(1, "p", "h"), sight(2, "p", "i")) == [("p", "h"), ("p", "i")]


def test_a_snapshot_that_leaves_the_values_out_is_no_new_version() -> None:
    assert contents(sight(1, "p", "h"), sight(2, "p")) == [("p", "h")]


def test_the_date_is_completed_too() -> None:
    (version,) = versions_of([sight(1, "p", date=None), sight(2, "p", date=D2)])
    assert version.received_at == D2


def test_what_was_lost_counts_once_it_was_replaced() -> None:
    lost, newer = sight(1, date=D1), sight(5, "b", date=D2)
    assert [version.lost for version in versions_of([newer, lost])] == [True, False]
    assert versions_of([lost]) == []


def test_what_was_lost_does_not_count_when_its_date_is_held_or_unknown() -> None:
    assert contents(sight(1), sight(2, "a"), sight(5, "b", date=D2)) == [("a", ""), ("b", "")]
    assert contents(sight(1, date=None), sight(5, "b", date=D2)) == [("b", "")]


def test_two_that_were_lost_are_two_versions() -> None:
    last = sight(9, "c", date=START)
    assert [version.received_at for version in versions_of([sight(1), sight(2, date=D2), last])] == [
        D1,
        D2,
        START,
    ]


sights = st.lists(
    st.builds(
        sight,
        st.integers(0, 4),
        st.sampled_from(["", "p", "q"]),
        st.sampled_from(["", "h", "i"]),
        st.sampled_from([None, D1, D2]),
    ),
    max_size=7,
)


@given(sights.flatmap(lambda one: st.tuples(st.just(one), st.permutations(one + one[:3]))))
def test_order_and_repetition_change_nothing(pair: tuple[list[Sight], list[Sight]]) -> None:
    once, shuffled = pair
    assert versions_of(once) == versions_of(shuffled)


@given(sights)
def test_versions_are_in_order_and_neighbours_differ(seen: list[Sight]) -> None:
    versions = versions_of(seen)
    assert [one.as_of for one in versions] == sorted(one.as_of for one in versions)
    for one, other in pairwise(versions):
        assert (one.pdf, one.hl7, one.received_at) != (other.pdf, other.hl7, other.received_at)
    newest = max(seen, key=lambda one: one.age, default=None)
    if newest is not None and not newest.lost:
        assert newest.pdf in ("", versions[-1].pdf)
        assert newest.hl7 in ("", versions[-1].hl7)
