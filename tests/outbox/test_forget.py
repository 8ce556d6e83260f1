"""Facts of the feed and their letters go when a practice's policy says so, and never while anybody waits for them."""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Thread
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from labbridge.handlers import retention
from labbridge.handover import feeds
from labbridge.handover.jobs import count_month
from labbridge.outbox.forget import forget
from labbridge.outbox.models import Delivery, DeliveryState, Destination, Fact, Kind
from labbridge.practices.config import parse
from labbridge.practices.models import Practice
from labbridge.trust.audit import Actor
from labbridge.trust.models import LegalHold
from tests.world import PRACTICE_TOML

pytestmark = pytest.mark.django_db(transaction=True)

WHO = Actor("operator", name="ops")
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _anchor(settings: Any, tmp_path: Any) -> None:
    settings.ANCHOR_PATH = tmp_path / "anchors.jsonl"


@pytest.fixture
def willow() -> Practice:
    text = PRACTICE_TOML.format(caspio="https://c0abc123.caspio.com", rate=5, refresh_token="t")
    config = {**parse(text).model_dump(mode="json"), "retention": {"events_days": 30}}
    return Practice.objects.create(slug="willow", name="Willow", config=config)


@pytest.fixture
def two(willow: Practice) -> list[Destination]:
    """Two destinations that hear of results."""
    return [
        feeds.add(willow, feeds.Wish(name, f"https://{name}.example/x", [Kind.RESULT]), actor=WHO).destination
        for name in ("one", "two")
    ]


def fact(practice: Practice, at: datetime, kind: str = Kind.RESULT) -> Fact:
    return Fact.objects.create(practice=practice, kind=kind, about="order:1", at=at)


def letter(
    of: Fact, to: Destination, state: DeliveryState, settled_at: datetime | None
) -> Delivery:  # as carried
    return Delivery.objects.create(
        destination=to, fact=of, about=of.about, state=state, next_at=of.at, settled_at=settled_at
    )


def removed(found: list[dict[str, Any]]) -> int:
    (counts,) = [one for one in found if one["practice"] == "willow"]
    return int(counts["facts"])


def test_what_everybody_has_taken_goes_and_what_anybody_waits_for_stays(
    willow: Practice, two: list[Destination]
) -> None:
    now = timezone.now()
    old, one, other = now - 60 * DAY, *two
    taken, untold, young = fact(willow, old), fact(willow, old), fact(willow, now - DAY)
    letter(taken, one, DeliveryState.DELIVERED, old)
    letter(taken, other, DeliveryState.WITHDRAWN, old)
    kept = {}
    for name, state, settled in (
        ("waits", DeliveryState.PENDING, None),
        ("dead", DeliveryState.DEAD, old),
        ("late", DeliveryState.DELIVERED, now - DAY),
    ):
        kept[name] = fact(willow, old)
        letter(kept[name], one, DeliveryState.DELIVERED, old)
        letter(kept[name], other, state, settled)
    assert removed(retention.run(WHO, dry_run=True, now=now)) == 2
    assert Fact.objects.count() == 6
    assert removed(retention.run(WHO, now=now)) == 2
    assert not Fact.objects.filter(pk__in=[taken.pk, untold.pk]).exists()
    assert set(Fact.objects.values_list("pk", flat=True)) == {young.pk, *(one.pk for one in kept.values())}
    assert Delivery.objects.count() == 6, "with their letters, those that were delivered too"
    assert removed(retention.run(WHO, now=now + 60 * DAY)) == 2, "the young one, and the one taken late"
    assert set(Delivery.objects.values_list("state", flat=True)) >= {"dead", "pending"}


def test_nothing_goes_while_a_hold_stands_or_the_policy_keeps_all(willow: Practice) -> None:
    now = timezone.now()
    fact(willow, now - 60 * DAY)
    hold = LegalHold.objects.create(practice="willow", patients=["p1"], why="suit", set_by="ops")
    assert removed(retention.run(WHO, now=now)) == 0
    hold.lifted_at = now
    hold.save()
    willow.config["retention"] = {"events_days": 0}
    willow.save()
    assert removed(retention.run(WHO, now=now)) == 0
    willow.config["retention"] = {"events_days": 59}
    willow.save()
    assert removed(retention.run(WHO, now=now)) == 1


def test_a_month_is_not_counted_twice_because_its_fact_went(willow: Practice) -> None:
    feeds.add(willow, feeds.Wish("m", "https://m.example/x", [Kind.MONTH]), actor=WHO)
    first = timezone.now().astimezone(willow.zone).replace(day=1, hour=1)
    assert count_month(willow, first)
    Delivery.objects.update(state=DeliveryState.DELIVERED, settled_at=first)
    Fact.objects.update(at=first)
    last = first + 27 * DAY
    forget(willow.pk, last - DAY, last)
    assert not count_month(willow, last)
    forget(willow.pk, first + 63 * DAY, first + 64 * DAY)
    assert not Fact.objects.exists()


def test_other_practices_keep_theirs_and_many_go_in_steps(
    willow: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    birch = Practice.objects.create(slug="birch", name="Birch", config=willow.config)
    for practice in (willow, willow, willow, birch):
        fact(practice, now - 60 * DAY)
    monkeypatch.setattr("labbridge.outbox.forget.AT_ONCE", 2)
    assert forget(willow.pk, now - 30 * DAY, now) == 3
    assert Fact.objects.get().practice_id == birch.pk


def test_what_is_being_sent_again_is_left_alone(willow: Practice, two: list[Destination]) -> None:
    """A replay that has chosen its facts and not ended: none of them goes under its hands."""
    now = timezone.now()
    letter(fact(willow, now - 60 * DAY), two[0], DeliveryState.DELIVERED, now - 60 * DAY)
    gone: list[int] = []

    def other() -> None:
        gone.append(forget(willow.pk, now - 30 * DAY, now))
        connection.close()

    with transaction.atomic():
        assert feeds.replay(two[1], feeds.Range(since=now - 90 * DAY), actor=WHO) == 1
        thread = Thread(target=other)
        thread.start()
        thread.join()
    assert gone == [0]
    assert Delivery.objects.filter(state=DeliveryState.PENDING).count() == 1
    assert forget(willow.pk, now - 30 * DAY, now) == 0
