"""Retry policies are values: waits grow, are capped, jittered, and honour the peer's wish."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labbridge.engine.retry import OWN, PEER, RetryPolicy

STILL = RetryPolicy(first=timedelta(seconds=2), cap=timedelta(minutes=1), jitter=0)


def test_waits_double_up_to_the_cap():
    assert [STILL.wait(attempt).total_seconds() for attempt in range(1, 8)] == [2, 4, 8, 16, 32, 60, 60]


def test_the_peers_wish_is_the_least_and_a_mad_one_is_capped():
    assert STILL.wait(1, 30) == timedelta(seconds=30)
    assert STILL.wait(7, 30) == timedelta(seconds=60)
    assert STILL.wait(1, 10**9) == timedelta(days=1)


@given(attempt=st.integers(1, 10**6), wish=st.none() | st.floats(0, 10**7))
def test_no_wait_is_negative_or_overflows(attempt: int, wish: float | None):
    wait = PEER.wait(attempt, wish)
    assert timedelta(0) < wait <= timedelta(days=1)


def test_jitter_spreads_by_a_fifth_and_no_more():
    waits = {PEER.wait(3).total_seconds() for _ in range(200)}
    assert len(waits) > 100
    assert 8 * 0.8 <= min(waits) <= max(waits) <= 8 * 1.2


def test_the_number_of_attempts_fills_the_time_given():
    policy = RetryPolicy(
        first=timedelta(seconds=1), cap=timedelta(seconds=4), give_up_after=timedelta(seconds=15)
    )
    assert policy.attempts == 6  # after waits of 1, 2, 4, 4 and 4 seconds; one more would end after 15
    assert PEER.attempts > 24 * 5
    assert OWN.attempts > 6 * 12


@pytest.mark.parametrize(("policy", "least"), [(PEER, timedelta(days=4)), (OWN, timedelta(hours=5))])
def test_trying_goes_on_for_days_with_peers_and_hours_with_our_own_rows(
    policy: RetryPolicy, least: timedelta
):
    still = RetryPolicy(policy.first, policy.factor, policy.cap, policy.give_up_after, jitter=0)
    waited = sum((still.wait(attempt) for attempt in range(1, still.attempts)), timedelta())
    assert least < waited <= policy.give_up_after
