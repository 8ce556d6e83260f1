"""The shared speed limit and meter: one bucket for all threads and processes of an account."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from labbridge.practices.models import CallCount
from labbridge.practices.quota import GROWTH, MAX_BURST, SLOWEST, SharedLimiter, SharedMeter

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def slept(monkeypatch) -> list[float]:
    """What would have been slept, without sleeping: waiting times are decided by the database alone."""
    waits: list[float] = []
    monkeypatch.setattr("labbridge.practices.quota.time.sleep", waits.append)
    return waits


def rate(account: str = "caspio:a") -> float:
    with connection.cursor() as cursor:
        cursor.execute("SELECT rate FROM practices_rate WHERE account = %s", [account])
        return float(cursor.fetchone()[0])


def test_a_burst_passes_at_once_and_the_rest_one_by_one(slept):
    limiter = SharedLimiter("caspio:a", 1)
    for _ in range(4):
        limiter.acquire()
    # Nobody slept here, so each turn comes a second after the one before, less what passed.
    assert slept == pytest.approx([1, 2, 3], abs=0.7)


def test_a_slow_account_has_a_burst_of_one(slept):
    limiter = SharedLimiter("caspio:a", 0.5)
    limiter.acquire()
    limiter.acquire()
    (wait,) = slept
    assert wait == pytest.approx(2, abs=0.2)


def test_a_fast_account_has_no_larger_burst_than_caspio_bears(slept):
    limiter = SharedLimiter("caspio:a", 100)
    for _ in range(MAX_BURST + 20):
        limiter.acquire()
    assert len(slept) >= 15


def test_accounts_do_not_wait_for_each_other(slept):
    for number in range(20):
        SharedLimiter(f"caspio:{number}", 1).acquire()
    assert slept == []


def test_the_rate_holds_across_threads_and_connections():
    limiter, count = SharedLimiter("caspio:a", 50), 60
    gate = threading.Barrier(4)

    def work(_number: int) -> None:
        gate.wait()
        for _ in range(count // 4):
            SharedLimiter("caspio:a", 50).acquire()
        connection.close()

    began = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    took = time.monotonic() - began
    assert limiter.account == "caspio:a"
    assert took >= (count - MAX_BURST) / 50 * 0.95


def test_a_refusal_halves_the_rate_for_all_and_makes_them_pause(slept):
    SharedLimiter("caspio:a", 10).acquire()
    SharedLimiter("caspio:a", 10).slow_down(30)
    assert rate() == 5
    SharedLimiter("caspio:a", 10).acquire()
    (wait,) = slept
    assert wait == pytest.approx(30, abs=1)


@pytest.mark.parametrize(("wish", "pause"), [(None, 1.0), (0.0, 0.0), (10**6, SharedLimiter.MAX_PAUSE)])
def test_the_pause_is_the_peers_wish_within_reason(slept, wish, pause):
    limiter = SharedLimiter("caspio:a", 10)
    limiter.acquire()
    limiter.slow_down(wish)
    limiter.acquire()
    assert (slept[0] if slept else 0.0) == pytest.approx(pause, abs=0.5)


def test_it_gets_no_slower_than_a_tenth_and_recovers_with_every_call(slept):
    limiter = SharedLimiter("caspio:a", 10)
    limiter.acquire()
    for _ in range(10):
        limiter.slow_down(0)
    assert rate() == pytest.approx(10 * SLOWEST)
    limiter.acquire()
    limiter.speed_up()
    assert rate() == pytest.approx(10 * (SLOWEST + GROWTH))
    for _ in range(60):
        limiter.acquire()
    assert rate() == 10


def test_a_lower_setting_holds_at_once(slept):
    SharedLimiter("caspio:a", 100).acquire()
    SharedLimiter("caspio:a", 2).acquire()
    assert rate() == 2


def test_slowing_an_account_that_never_called_is_no_error():
    SharedLimiter("caspio:new", 5).slow_down(3)


def test_counts_of_many_add_up():
    def work(_number: int) -> None:
        SharedMeter("caspio:a", ZoneInfo("UTC")).count("filing", 2)
        connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(10)))
    SharedMeter("caspio:a", ZoneInfo("UTC")).count("sync")
    assert dict(CallCount.objects.values_list("purpose", "calls")) == {"filing": 20, "sync": 1}


def test_the_day_is_the_practices_own():
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):  # 25 hours apart: never on the same day
        SharedMeter("caspio:a", ZoneInfo(zone)).count("filing")
    assert len(set(CallCount.objects.values_list("day", flat=True))) == 2
    assert str(CallCount.objects.first()).startswith("caspio:a filing ")
