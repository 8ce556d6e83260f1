"""Facts follow the mirror: only what changed, in the practice's calendar, over daylight saving and odd clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labbridge.analytics import facts
from labbridge.analytics.answers import Period
from labbridge.analytics.facts import day, refresh
from labbridge.analytics.models import OrderFact, TestFact
from labbridge.analytics.survival import Waits
from labbridge.mirror.models import Order, Result
from labbridge.practices.models import Practice
from tests.analytics.conftest import NOW, put


def test_only_changed_orders_are_made_again(practice: Practice) -> None:
    for number in range(3):
        put(practice, number, [("labts_0", None)], submitted_at=NOW)
    assert refresh(practice) == 3
    assert refresh(practice) == 0
    Order.objects.filter(external_id="ord_1").update(paid_at=NOW, revision=2)
    assert refresh(practice) == 1
    assert OrderFact.objects.get(order__external_id="ord_1").paid_on == day(NOW, practice.zone)


def test_another_time_zone_makes_all_anew(practice: Practice) -> None:
    put(practice, 1, [("labts_0", None)], submitted_at=datetime(2031, 3, 1, 2, 0, tzinfo=UTC))
    refresh(practice)
    assert str(OrderFact.objects.get().counted_on) == "2031-02-28"
    practice.time_zone = "Asia/Tokyo"
    practice.save()
    assert refresh(practice) == 1
    assert str(OrderFact.objects.get().counted_on) == "2031-03-01"


def test_demos_and_drafts_never_count(practice: Practice) -> None:
    put(practice, 1, [("labts_0", None)], submitted_at=NOW, is_demo=True)
    put(practice, 2, [("labts_0", None)], status="Draft")
    put(practice, 3, [("labts_0", None)], submitted_at=NOW)
    refresh(practice)
    assert dict(OrderFact.objects.values_list("order__external_id", "counts")) == {
        "ord_1": False, "ord_2": False, "ord_3": True,
    }  # fmt: skip


def test_a_clock_that_ran_backwards_is_marked(practice: Practice) -> None:
    put(practice, 1, [("labts_0", NOW - timedelta(days=3))], submitted_at=NOW, paid_at=NOW)
    refresh(practice)
    assert OrderFact.objects.get().backwards


def test_an_amended_result_does_not_move_the_first(practice: Practice) -> None:
    order = put(
        practice, 1, [("labts_0", NOW)], submitted_at=NOW - timedelta(days=9), paid_at=NOW - timedelta(days=9)
    )
    test = order.ordered_tests.get()
    later = NOW + timedelta(days=5)
    Result.objects.create(ordered_test=test, version=2, as_of=later, received_at=later)
    test.results_received_at = later
    test.save()
    refresh(practice)
    assert TestFact.objects.get().resulted_on == day(NOW, practice.zone)


def test_orders_without_dates_count_on_the_day_they_were_seen(practice: Practice) -> None:
    put(practice, 1, [])
    refresh(practice)
    fact = OrderFact.objects.get()
    assert (fact.dated, fact.counted_on) == (False, day(NOW, practice.zone))


@settings(suppress_health_check=[HealthCheck.too_slow])  # the first draw reads the zones from the disk
@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001  # hypothesis adds the zone
    st.sampled_from(["America/Los_Angeles", "Australia/Lord_Howe", "Pacific/Kiritimati", "America/St_Johns"]),
)
def test_a_day_holds_every_moment_between_its_midnights(moment: datetime, name: str) -> None:
    zone = ZoneInfo(name)
    found = day(moment, zone)
    assert found is not None
    begins = datetime(found.year, found.month, found.day, tzinfo=zone)
    follows = found + timedelta(days=1)
    ends = datetime(follows.year, follows.month, follows.day, tzinfo=zone)
    assert begins.astimezone(UTC) <= moment < ends.astimezone(UTC)


@given(st.lists(st.tuples(st.integers(0, 60), st.booleans()), min_size=1, max_size=80))
def test_percentiles_never_fall_and_open_tests_never_shorten_them(waits: list[tuple[int, bool]]) -> None:
    resulted: dict[int, int] = {}
    open_tests: dict[int, int] = {}
    for days, done in waits:
        kept = resulted if done else open_tests
        kept[days] = kept.get(days, 0) + 1
    honest = [Waits(resulted, open_tests).percentile(share) for share in (0.5, 0.9, 0.99)]
    naive = [Waits(resulted, {}).percentile(share) for share in (0.5, 0.9, 0.99)]
    reached = [days for days in honest if days is not None]
    assert reached == sorted(reached)
    for with_open, without in zip(honest, naive, strict=True):
        assert with_open is None or without is None or with_open >= without


def test_the_period_before_is_as_long() -> None:
    period = Period(datetime(2031, 3, 1).date(), datetime(2031, 3, 31).date())  # noqa: DTZ001  # only the date
    assert period.before() == Period(datetime(2031, 2, 1).date(), datetime(2031, 2, 28).date())  # noqa: DTZ001
    days = Period(datetime(2031, 3, 2).date(), datetime(2031, 3, 31).date())  # noqa: DTZ001
    assert days.before() == Period(datetime(2031, 1, 31).date(), datetime(2031, 3, 1).date())  # noqa: DTZ001
    quarter = Period(datetime(2031, 1, 1).date(), datetime(2031, 3, 31).date())  # noqa: DTZ001
    assert quarter.before() == Period(datetime(2030, 10, 1).date(), datetime(2030, 12, 31).date())  # noqa: DTZ001
    with pytest.raises(ValueError, match="before it begins"):
        Period(period.last, period.first)


def test_whatever_changed_is_found_in_whichever_range_of_keys_it_lies(
    practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Orders whose keys came late or out of order, with others between them that did not change, and of others."""
    other = Practice.objects.create(
        slug="juniper", name="Juniper", time_zone=practice.time_zone, config=practice.config
    )
    monkeypatch.setattr(facts, "COMPARED", 3)
    monkeypatch.setattr(facts, "BATCH", 2)
    for number in range(11):
        put(other if number % 5 == 1 else practice, number, [("labts_0", None)], submitted_at=NOW)
    put(practice, 11, [("labts_0", None)], submitted_at=NOW, id=UUID(int=5))
    put(practice, 12, [("labts_0", None)], submitted_at=NOW, id=UUID(int=2**128 - 1))
    mine = Order.objects.filter(practice=practice)
    assert refresh(practice) == mine.count() == 11
    assert set(OrderFact.objects.values_list("pk", flat=True)) == set(mine.values_list("pk", flat=True))
    changes: list[tuple[str, dict[str, Any]]] = [
        ("ord_0", {"revision": 2}), ("ord_4", {"filed_at": NOW}), ("ord_7", {"erased_at": NOW}),
        ("ord_11", {"revision": 2}), ("ord_12", {"revision": 2}),
    ]  # fmt: skip
    for key, change in changes:
        Order.objects.filter(external_id=key).update(**change)
    OrderFact.objects.filter(order__external_id="ord_9").delete()
    assert refresh(practice) == len(changes) + 1
    put(
        practice, 13, [("labts_0", None)], submitted_at=NOW, id=UUID(int=4)
    )  # its key is older than all others
    assert refresh(practice) == 1
    assert refresh(practice) == 0
    assert refresh(other) == 2
    assert OrderFact.objects.filter(practice=practice).count() == mine.count() == 12
    practice.time_zone = "Asia/Tokyo"
    practice.save()
    assert refresh(practice) == 12
