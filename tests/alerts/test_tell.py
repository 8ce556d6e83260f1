"""Edges, quiet hours, reminders, channels that fail: who is told what, and how often."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from labbridge.alerts.channels import Channel, send, usable
from labbridge.alerts.digest import send_digest, tell_of_report
from labbridge.alerts.models import Alert, Notice
from labbridge.alerts.observe import SETTLED, acknowledge, found, observe, resolve
from labbridge.alerts.tell import LONGEST_LIST, Quiet, Recipient, tell
from labbridge.practices.models import Practice

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 4, 20, 0, tzinfo=UTC)  # in Los Angeles
ZONE = ZoneInfo("America/Los_Angeles")
MINUTE = timedelta(minutes=1)
CHANNEL = Channel(1, "json://nobody.example/1")


class Post:
    """A channel without a network: what it took."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, str, str]] = []
        self.broken: set[int] = set()

    def __call__(self, channel: Channel, title: str, body: str) -> bool:
        if channel.number in self.broken:
            return False
        self.sent.append((channel.number, title, body))
        return True

    @property
    def titles(self) -> list[str]:
        return [title for _, title, _ in self.sent]


@pytest.fixture
def post() -> Post:
    return Post()


def recipient(**changed: Any) -> Recipient:
    return Recipient(
        **{"name": "service", "practice_id": None, "channels": (CHANNEL,), "zone": ZONE, **changed}
    )


def see(now: datetime, *rules: str) -> None:
    words = {"jobs_dead": {"count": 2}, "backup_missing": {}, "jobs_rescued": {"count": 1}}
    observe([found(rule, **words[rule]) for rule in rules], list(words), now)


def test_a_cause_is_told_once_when_it_appears_and_once_when_it_is_gone(post: Post) -> None:
    for minute in range(0, 60, 5):
        now = NOON + minute * MINUTE
        see(now, *(["jobs_dead"] if minute < 30 else []))
        tell(recipient(), now, sending=post)
    assert post.titles == ["Labbridge service: 1 new", "Labbridge service: 1 over"]
    assert "Jobs that were given up: 2." in post.sent[0][2]
    assert "For the operator; since 2026-03-04 12:00" in post.sent[0][2]
    alert = Alert.objects.get()
    assert (alert.state, alert.first_seen, alert.resolved_at) == ("resolved", NOON, NOON + 30 * MINUTE)


def test_a_cause_that_flickers_is_one_alert(post: Post) -> None:
    for minute in range(0, 120, 5):
        now = NOON + minute * MINUTE
        see(now, *(["jobs_dead"] if minute % 10 == 0 else []))
        tell(recipient(), now, sending=post)
    assert post.titles == ["Labbridge service: 1 new"]
    assert Alert.objects.count() == 1


def test_what_mends_itself_is_nobodys_business(post: Post) -> None:
    rule_waits = timedelta(days=1)
    see(NOON, "backup_missing")
    tell(recipient(), NOON, sending=post)
    see(NOON + rule_waits - MINUTE, "backup_missing")
    tell(recipient(), NOON + rule_waits - MINUTE, sending=post)
    assert post.sent == []
    see(NOON + rule_waits, "backup_missing")
    tell(recipient(), NOON + rule_waits, sending=post)
    assert post.titles == ["Labbridge service: 1 new"]


def test_reminders_until_somebody_is_at_it(post: Post) -> None:
    for hour in range(73):
        now = NOON + timedelta(hours=hour)
        see(now, "jobs_dead")
        if hour == 49:
            acknowledge(Alert.objects.get(), now, by="ada")
        tell(recipient(), now, sending=post)
    assert post.titles == ["Labbridge service: 1 new", *["Labbridge service: 1 still open"] * 2]
    see(now + MINUTE)
    tell(recipient(), now + MINUTE + SETTLED, sending=post)
    assert post.titles[-1] == "Labbridge service: 1 over"


def test_one_message_for_all_that_is_due(post: Post) -> None:
    see(NOON, "jobs_rescued", "jobs_dead")
    tell(recipient(), NOON, sending=post)
    assert post.titles == ["Labbridge service: 2 new"]
    body = post.sent[0][2]
    assert body.index("[critical]") < body.index("[warning]")


def test_a_long_list_is_cut_and_counted(post: Post) -> None:
    many = [
        found("disk_low", subject=f"disk:{number}", percent=9, megabytes=1)
        for number in range(LONGEST_LIST + 3)
    ]
    observe(many, ["disk_low"], NOON)
    tell(recipient(), NOON, sending=post)
    assert post.sent[0][2].endswith("And 3 more: `labbridge alerts list`.")


def test_at_night_only_what_is_critical_is_told_and_the_rest_in_the_morning(post: Post) -> None:
    quiet = Quiet(time(20), time(7))
    night = datetime(2026, 3, 5, 7, 0, tzinfo=UTC)  # 23:00 in Los Angeles
    see(night, "jobs_rescued", "jobs_dead")
    tell(recipient(quiet=quiet), night, sending=post)
    (first,) = post.sent
    assert "given up" in first[2]
    assert "workers that died" not in first[2]
    morning = night + timedelta(hours=8)
    see(morning, "jobs_rescued")
    tell(recipient(quiet=quiet), morning, sending=post)
    assert "workers that died" in post.sent[1][2]


@pytest.mark.parametrize(
    ("start", "end", "at", "holds"),
    [
        (20, 7, 23, True),
        (20, 7, 6, True),
        (20, 7, 7, False),
        (12, 14, 13, True),
        (12, 14, 14, False),
        (0, 0, 5, False),
    ],
)
def test_quiet_hours_may_span_midnight(start: int, end: int, at: int, holds: bool) -> None:
    assert Quiet(time(start), time(end)).holds(time(at)) is holds


def test_a_failing_channel_is_tried_again_and_the_other_is_not_told_twice(post: Post) -> None:
    both = recipient(channels=(CHANNEL, Channel(2, "json://nobody.example/2")))
    post.broken.add(2)
    see(NOON, "jobs_dead")
    assert [channel.number for channel in tell(both, NOON, sending=post)] == [2]
    post.broken.clear()
    assert tell(both, NOON + 5 * MINUTE, sending=post) == []
    assert [number for number, _, _ in post.sent] == [1, 2]
    assert Notice.objects.count() == 2


def test_practices_hear_their_own_only(post: Post) -> None:
    willow = Practice.objects.create(slug="willow", name="Willow", time_zone="America/Los_Angeles")
    cedar = Practice.objects.create(slug="cedar", name="Cedar")
    observe(
        [found("jobs_dead", practice_id=willow.pk, count=7), found("jobs_dead", practice_id=cedar.pk, count=8),
         found("jobs_dead", count=9)], ["jobs_dead"], NOON,
    )  # fmt: skip
    tell(recipient(name="willow", practice_id=willow.pk), NOON, sending=post)
    assert "given up: 7." in post.sent[0][2]
    assert post.titles == ["Labbridge willow: 1 new"]
    tell(recipient(channels=(Channel(1, "json://x.example"),), also=(cedar.pk,)), NOON, sending=post)
    assert post.titles[1] == "Labbridge service: 2 new"


def test_a_person_may_say_it_is_over_and_be_wrong(post: Post) -> None:
    see(NOON, "jobs_dead")
    tell(recipient(), NOON, sending=post)
    resolve(Alert.objects.get(), NOON + MINUTE, by="ada")
    see(NOON + 5 * MINUTE, "jobs_dead")
    tell(recipient(), NOON + 5 * MINUTE, sending=post)
    assert post.titles == ["Labbridge service: 1 new"] * 2


def test_what_was_not_looked_at_stays_as_it_is() -> None:
    see(NOON, "jobs_dead")
    observe([], ["jobs_rescued"], NOON + MINUTE)
    assert Alert.objects.get().state == "open"


def test_the_digest_comes_once_a_day_after_its_hour(post: Post) -> None:
    see(NOON, "jobs_dead")
    for hour in range(48):
        send_digest(
            recipient(),
            time(8),
            lambda: {"events": 1203, "results": 4},
            NOON + timedelta(hours=hour),
            sending=post,
        )
    assert len(post.sent) == 3
    assert post.titles[0] == "Labbridge service: 2026-03-04"
    assert post.sent[0][2].splitlines() == [
        "Events received: 1,203", "Results that arrived: 4", "Open alerts: 1",
        "- [critical] Jobs that were given up: 2.",
    ]  # fmt: skip


def test_a_digest_due_between_the_last_look_of_a_day_and_midnight_is_sent_after_it(post: Post) -> None:
    evening = datetime(2026, 3, 4, 23, 40, tzinfo=ZONE)
    for minutes in range(0, 2 * 24 * 60, 5):
        send_digest(recipient(), time(23, 58), dict, evening + minutes * MINUTE, sending=post)
    assert post.titles == ["Labbridge service: 2026-03-04", "Labbridge service: 2026-03-05"]
    send_digest(
        recipient(channels=(Channel(2, "json://nobody.example/2"),)),
        time(8),
        dict,
        evening + 60 * MINUTE,
        sending=post,
    )
    assert len(post.sent) == 2, "a new channel is not told of a day that is long over"


def test_a_digest_that_was_not_taken_is_sent_again(post: Post) -> None:
    post.broken.add(1)
    assert send_digest(recipient(), time(8), dict, NOON, sending=post) == [CHANNEL]
    post.broken.clear()
    assert send_digest(recipient(), time(8), dict, NOON + MINUTE, sending=post) == []
    assert len(post.sent) == 1


def test_the_day_is_counted_only_where_somebody_is_to_be_told(post: Post) -> None:
    counted: list[int] = []

    def count() -> dict[str, int]:
        counted.append(1)
        return {}

    for minutes in (0, 5, 10):
        send_digest(recipient(), time(8), count, NOON + minutes * MINUTE, sending=post)
    send_digest(recipient(), time(23), count, NOON, sending=post)
    assert len(counted) == 1


def test_the_months_report_is_told_once_and_without_a_figure(post: Post) -> None:
    address = "https://labs.example.org/analytics/report?practice=willow"
    first = datetime(2026, 3, 1, 12, tzinfo=UTC)
    for day in range(62):
        tell_of_report(recipient(name="willow"), 3, address, first + timedelta(days=day), sending=post)
    assert post.titles == [
        "Labbridge willow: report of February 2026",
        "Labbridge willow: report of March 2026",
    ]
    assert post.sent[0][2] == f"The report of February 2026 can be drawn:\n{address}&month=2026-02"


def test_a_report_that_a_channel_did_not_take_is_told_again(post: Post) -> None:
    post.broken.add(1)
    assert tell_of_report(recipient(), 1, "https://x.example/?a", NOON, sending=post) == [CHANNEL]
    post.broken.clear()
    assert tell_of_report(recipient(), 1, "https://x.example/?a", NOON, sending=post) == []
    assert len(post.sent) == 1


def test_apprise_sends(ear: Any) -> None:
    channel = Channel(1, ear.url)
    assert send(channel, "A title", "A body\nof two lines")
    assert ear.heard == [("A title", "A body\nof two lines")]
    ear.status = 500
    assert not send(channel, "A title", "A body")


def test_addresses() -> None:
    assert usable("mailtos://user:password@mail.example?to=desk@willow.example")
    assert usable("slack://TokenA1234/TokenB1234/TokenC12345678901234567890/#lab")
    assert not usable("nonsense")
    assert not send(Channel(1, "nonsense"), "x", "x")
    assert "secret" not in repr(Channel(1, "json://user:secret@nobody.example"))
