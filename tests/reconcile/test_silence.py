"""A silent peer is found within two of its usual gaps, and a night or a Sunday is no silence."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from labbridge.alerts.models import Alert
from labbridge.alerts.observe import observe
from labbridge.inbox.models import Event
from labbridge.practices.models import Connection, ConnectionState, Practice
from labbridge.reconcile.watch import peers
from labbridge.reconcile.watch.silence import LEAST_GAP, Listener, profile

ZONE = ZoneInfo("America/Los_Angeles")
MONDAY = datetime(2026, 3, 2, tzinfo=ZONE)  # summer time begins on the Sunday after it
LOOK_EVERY = timedelta(minutes=5)


def office_hours(start: datetime, end: datetime, gap_minutes: float, seed: int = 1) -> Iterator[datetime]:
    """Events of a practice that works from 8 to 17 from Monday to Friday, by its own clock."""
    chance = random.Random(seed)
    day = start
    while day < end:
        if day.weekday() < 5:
            at = day.replace(hour=8) + timedelta(minutes=chance.uniform(0, gap_minutes))
            while at < day.replace(hour=17):
                yield at
                at += timedelta(minutes=gap_minutes * chance.uniform(0.4, 1.6))
        day += timedelta(days=1)


def around_the_clock(start: datetime, end: datetime, gap_minutes: float, seed: int = 1) -> Iterator[datetime]:
    chance, at = random.Random(seed), start
    while at < end:
        yield at
        at += timedelta(minutes=gap_minutes * chance.uniform(0.4, 1.6))


PATTERNS: dict[str, tuple[Callable[..., Iterator[datetime]], float]] = {
    "a busy office": (office_hours, 12),
    "an office": (office_hours, 45),
    "a quiet office": (office_hours, 150),
    "day and night": (around_the_clock, 120),
    "now and then": (around_the_clock, 900),
}


@pytest.fixture
def willow(db: None) -> Practice:
    return Practice.objects.create(slug="willow", name="Willow", time_zone=str(ZONE))


def store(practice: Practice, moments: list[datetime], peer: str = "rupa") -> None:
    Event.objects.bulk_create(
        Event(peer=peer, external_id=f"evt_{peer}_{number}", type="order.updated", subject="order:x",
              practice=practice, body=b"{}", received_at=moment)
        for number, moment in enumerate(moments)
    )  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_simulated_week(willow: Practice, pattern: str) -> None:
    """Four weeks of history, then a week that goes on as usual until Wednesday, 11:20, when the peer falls silent."""
    events, gap = PATTERNS[pattern]
    silent_from = MONDAY + timedelta(days=28 + 2, hours=11, minutes=20)
    moments = [moment for moment in events(MONDAY, MONDAY + timedelta(days=35), gap) if moment < silent_from]
    store(willow, moments)
    listener, now, raised_at = Listener(), MONDAY + timedelta(days=28), None
    usual = profile(moments, ZONE)
    assert usual is not None
    while raised_at is None and now < silent_from + timedelta(days=7):
        if peers.silence(now, listener):
            raised_at = now
        now += LOOK_EVERY
    assert raised_at is not None
    assert raised_at >= silent_from, "no alarm while all was well, by night and on Sunday"
    counted = usual.counted(moments[-1], raised_at)
    assert counted <= 2 * usual.gap, "within two of its usual gaps"
    if pattern != "now and then":
        assert usual.gap <= 3 * max(timedelta(minutes=gap), LEAST_GAP), (
            "what is usual is not guessed too long"
        )


def test_a_silence_of_months_is_told_until_the_peer_is_heard(willow: Practice) -> None:
    """By then nobody knows any more what was usual."""
    moments = list(around_the_clock(MONDAY, MONDAY + timedelta(days=26), 60))
    store(willow, moments)
    listener = Listener()
    for days in (1, 10, 24, 27, 40, 90):
        now = moments[-1] + timedelta(days=days)
        observe(peers.silence(now, listener), ["peer_silent"], now)
        assert Alert.objects.get().state == "open", days
    Event.objects.create(
        peer="rupa", external_id="evt_again", type="x", subject="order:x", practice=willow, body=b"{}",
        received_at=now + timedelta(hours=1),
    )  # fmt: skip
    now += timedelta(hours=2)
    observe(peers.silence(now, listener), ["peer_silent"], now)
    assert Alert.objects.get().state == "resolved"


def test_nothing_is_expected_of_a_peer_whose_connection_was_ended(willow: Practice) -> None:
    moments = list(around_the_clock(MONDAY, MONDAY + timedelta(days=26), 60))
    store(willow, moments)
    store(willow, moments, "caspio")
    one = Connection.objects.create(practice=willow, peer="rupa", account="a", state=ConnectionState.ENDED)
    now = moments[-1] + timedelta(days=2)
    assert [finding.subject for finding in peers.silence(now, Listener())] == ["caspio"]
    Connection.objects.filter(pk=one.pk).update(state=ConnectionState.RECONNECT)
    assert {finding.subject for finding in peers.silence(now, Listener())} == {"caspio", "rupa"}


def test_what_is_said(willow: Practice) -> None:
    moments = list(office_hours(MONDAY, MONDAY + timedelta(days=26), 40))
    store(willow, moments)
    (finding,) = peers.silence(moments[-1] + timedelta(days=5), Listener())
    assert (finding.rule, finding.practice_id, finding.subject) == ("peer_silent", willow.pk, "rupa")
    assert dict(finding.params)["since"] == moments[-1].astimezone(UTC).isoformat(timespec="seconds")


def test_peers_are_told_apart(willow: Practice) -> None:
    until = MONDAY + timedelta(days=26)
    store(willow, list(around_the_clock(MONDAY, until, 60)), "caspio")
    store(willow, list(around_the_clock(MONDAY, until - timedelta(days=2), 60)), "rupa")
    assert [finding.subject for finding in peers.silence(until, Listener())] == ["rupa"]


def test_too_little_is_known(willow: Practice) -> None:
    store(willow, list(around_the_clock(MONDAY, MONDAY + timedelta(days=2), 10)))
    assert peers.silence(MONDAY + timedelta(days=20), Listener()) == []
    assert profile([], ZONE) is None
    assert profile([MONDAY] * 50, ZONE) is None


def test_one_outage_is_nothing_to_get_used_to() -> None:
    moments = list(around_the_clock(MONDAY, MONDAY + timedelta(days=28), 60))
    usual = profile(moments, ZONE)
    hole = [one for one in moments if not timedelta(days=10) < one - MONDAY < timedelta(days=13)]
    with_hole = profile(hole, ZONE)
    assert usual is not None
    assert with_hole is not None
    assert with_hole.gap <= 2 * usual.gap


def test_a_look_reads_no_row_of_events_it_need_not(willow: Practice, django_assert_num_queries) -> None:
    store(willow, list(around_the_clock(MONDAY, MONDAY + timedelta(days=26), 60)))
    listener, now = Listener(), MONDAY + timedelta(days=26)
    peers.silence(now, listener)
    with django_assert_num_queries(4, connection=connection):
        peers.silence(now + timedelta(minutes=5), listener)
