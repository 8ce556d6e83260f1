"""The feed over real HTTP: signatures, order, days of failure, dead letters, replay, a breaker, foreign hosts."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone
from standardwebhooks import Webhook, WebhookVerificationError

from labbridge.engine.locks import exclusive
from labbridge.engine.worker import run_until_idle
from labbridge.handover import carry as carrying
from labbridge.handover import feeds
from labbridge.handover.agreements import AgreementProblem, end
from labbridge.handover.carry import LIFE, TROUBLED, Post, try_out, wake_due
from labbridge.handover.feeds import FeedProblem, Range, Wish
from labbridge.handover.hosts import service_without_baa
from labbridge.handover.target import Held
from labbridge.mirror.models import Chart, Order, PatientLink
from labbridge.outbox.models import Delivery, DeliveryState, Destination, Fact, Kind
from labbridge.outbox.note import News, note, note_all, wake
from labbridge.trust.audit import pseudonym
from labbridge.trust.models import AuditEntry
from tests.handover.machine import OPERATOR
from tests.handover.receiver import Calendar, Connector, agreement, carry_all, destination

pytestmark = pytest.mark.django_db
with_worker = pytest.mark.django_db(transaction=True)


def tell(practice: Any, about: str, *phases: str) -> None:
    with transaction.atomic():
        news = [News(Kind.PHASE, about, {"phase": one, "demo": False}) for one in phases]
        note_all(practice.pk, news)


def phases(connector: Connector) -> list[str]:
    return [said["data"]["phase"] for said in connector.said]


def states() -> list[str]:
    return list(Delivery.objects.values_list("state", flat=True))


@with_worker
def test_a_fact_outside_of_its_transaction_is_refused(willow: Any):
    with pytest.raises(RuntimeError, match="inside the transaction"):
        note(willow.pk, Kind.PHASE, "order:1")


def test_what_is_rolled_back_is_told_to_nobody(willow: Any, connector: Connector):
    one = destination(willow, connector.url)
    with transaction.atomic():
        note(willow.pk, Kind.PHASE, "order:1", phase="draft", demo=False)
        transaction.set_rollback(True)
    carry_all(one)
    assert not Fact.objects.exists()
    assert not connector.arrived


@with_worker
def test_the_worker_carries_what_was_committed(willow: Any, birch: Any, connector: Connector, run_jobs: Any):
    destination(willow, connector.url, kinds=[Kind.PHASE])
    tell(willow, "order:1", "draft", "complete")
    tell(birch, "order:2", "canceled")
    with transaction.atomic():
        note(willow.pk, Kind.PAYMENT, "order:1", payment_status="paid", demo=False)  # not subscribed
    run_jobs()
    assert phases(connector) == ["draft", "complete"]
    assert states() == ["delivered", "delivered"]
    assert Destination.objects.get().delivered_at is not None


def test_a_third_party_verifies_with_the_old_secret_and_the_new(willow: Any, connector: Connector):
    one = destination(willow, connector.url)
    old = one.secret
    tell(willow, "order:1", "draft")
    carry_all(one)
    new = feeds.rotate(one, actor=OPERATOR)
    tell(willow, "order:1", "complete")
    carry_all(one)
    first, second = connector.arrived
    assert Webhook(old).verify(first.content, first.headers)["type"] == "order.phase_changed"
    for secret in (old, new):
        assert Webhook(secret).verify(second.content, second.headers)["data"]["phase"] == "complete"
    with pytest.raises(WebhookVerificationError):
        Webhook(new).verify(first.content, first.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(second.content + b" ", second.headers)
    with pytest.raises(FeedProblem, match="not over"):
        feeds.rotate(one, actor=OPERATOR)
    Destination.objects.update(old_until=timezone.now() - timedelta(seconds=1))
    tell(willow, "order:1", "canceled")
    carry_all(one)
    third = connector.arrived[-1]
    Webhook(new).verify(third.content, third.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(third.content, third.headers)
    assert feeds.rotate(one, actor=OPERATOR, overlap=timedelta(0)).startswith("whsec_")
    assert Destination.objects.get().old_secret is None


def test_the_signature_is_that_of_the_specification(willow: Any, connector: Connector):
    """By hand, so that a fault of the library cannot prove itself right; and no secret lies in the clear."""
    one = destination(willow, connector.url)
    now = datetime(2026, 11, 2, 3, 4, 5, 678, tzinfo=UTC)
    headers = carrying.headers_of(one, "msg_1", b'{"a":1}', now)
    key = base64.b64decode(one.secret.removeprefix("whsec_"))
    signed = hmac.new(key, f"msg_1.{int(now.timestamp())}.".encode() + b'{"a":1}', hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(signed).decode()}"
    assert 24 <= len(key) <= 64
    raw = bytes(Destination.objects.get().__dict__["secret"])
    assert one.secret.encode() not in raw


def test_seventy_five_hours_of_failure_lose_nothing_and_double_nothing(willow: Any, connector: Connector):
    """Every try is answered 503, after the letter was read; then the receiver is well again."""
    one, clock = destination(willow, connector.url), Calendar()
    end_of_trouble = clock.now + timedelta(hours=75)
    acted: dict[str, str] = {}

    def answer(letter: Any) -> int:
        acted[letter.id] = letter.said["data"]["phase"]  # it acts, and its answer is lost all the same
        return 503 if clock.now < end_of_trouble else 200

    connector.answer = answer
    wanted = ["draft", "awaiting_payment", "in_progress"]
    for number in range(3):
        tell(willow, f"order:{number}", *wanted)
    tries: list[datetime] = []
    while "pending" in states() and clock.now < end_of_trouble + timedelta(hours=10):
        before = len(connector.arrived)
        carry_all(one, clock)
        tries += [clock.now] * (len(connector.arrived) - before)
        clock.forward(minutes=15)
    assert states() == ["delivered"] * 9
    assert len(acted) == 9  # by id, each once
    for number in range(3):
        letters = Delivery.objects.filter(about=f"order:{number}").order_by("settled_at", "fact")
        assert [acted[str(letter)] for letter in letters] == wanted
    assert len(tries) < 9 + 75 * 3  # and it was left in peace between
    assert Destination.objects.get().failures == 0


def test_jitter_and_the_receivers_own_wish():
    waits = {carrying.SCHEDULE.wait(3).total_seconds() for _ in range(20)}
    assert len(waits) > 10
    assert all(96 <= wait <= 144 for wait in waits)
    assert carrying.SCHEDULE.wait(1, 600).total_seconds() == 600


def test_retry_after_is_honoured_by_the_whole_destination(willow: Any, connector: Connector):
    one, clock = destination(willow, connector.url), Calendar()
    connector.answer, connector.headers = (lambda _: 429), {"Retry-After": "3600"}
    tell(willow, "order:1", "draft")
    tell(willow, "order:2", "draft")
    carry_all(one, clock)
    clock.forward(minutes=59)
    carry_all(one, clock)
    assert len(connector.arrived) == 1
    connector.answer = lambda _: 204
    clock.forward(minutes=2)
    carry_all(one, clock)
    assert len(connector.effects) == 2


def test_a_letter_that_is_refused_holds_up_its_own_thing_only(willow: Any, connector: Connector):
    one, clock = destination(willow, connector.url), Calendar()
    connector.answer = lambda letter: 422 if letter.said["data"]["phase"] == "draft" else 200
    tell(willow, "order:1", "draft", "complete")
    tell(willow, "order:2", "canceled")
    carry_all(one, clock)
    assert phases(connector) == ["canceled"]
    assert Destination.objects.get().failures == 0
    connector.answer = lambda _: 200
    clock.forward(minutes=1)
    carry_all(one, clock)
    assert phases(connector) == ["canceled", "draft", "complete"]


def test_dead_letters_never_expire_and_are_replayed_with_their_ids(willow: Any, connector: Connector):
    one, clock = destination(willow, connector.url), Calendar()
    connector.answer = lambda letter: 400 if letter.said["data"]["phase"] == "draft" else 200
    tell(willow, "order:1", "draft", "complete")
    last = clock.now
    while "dead" not in states():
        carry_all(one, clock)
        last = clock.now
        clock.forward(hours=1)
    assert last - connector_start(one) >= LIFE > timedelta(hours=75)
    clock.forward(days=3000)
    carry_all(one, clock)
    assert sorted(states()) == ["dead", "delivered"]
    dead = Delivery.objects.get(state="dead")
    connector.answer = lambda _: 200
    assert feeds.replay(one, Range(dead=True), actor=OPERATOR) == 1
    carry_all(one)
    dead.refresh_from_db()
    assert dead.state == "delivered"
    assert connector.arrived[-1].id == connector.arrived[0].id == str(dead)


def connector_start(one: Destination) -> datetime:
    return Delivery.objects.filter(destination=one).order_by("fact").first().first_tried_at  # type: ignore[union-attr, return-value]


def test_replay_by_time_and_kind(willow: Any, connector: Connector):
    one = destination(willow, connector.url, kinds=[Kind.PHASE, Kind.PAYMENT])
    tell(willow, "order:1", "draft")
    with transaction.atomic():
        note(willow.pk, Kind.PAYMENT, "order:1", payment_status="paid", demo=False)
        note(willow.pk, Kind.REVIEW, "case:1", question="identity")
    carry_all(one)
    ids = set(connector.effects)
    middle = timezone.now()
    tell(willow, "order:1", "complete")
    carry_all(one)
    again = feeds.replay(one, Range(until=middle, since=middle - timedelta(hours=1)), actor=OPERATOR)
    carry_all(one)
    assert again == 2
    assert {letter.id for letter in connector.arrived[-2:]} == ids
    assert feeds.replay(one, Range(since=middle - timedelta(1), kinds=[Kind.PAYMENT]), actor=OPERATOR) == 1
    assert feeds.replay(one, Range(since=timezone.now()), actor=OPERATOR) == 0
    with pytest.raises(FeedProblem, match="from when"):
        feeds.replay(one, Range(), actor=OPERATOR)
    with pytest.raises(FeedProblem, match="no kind"):
        feeds.replay(one, Range(since=middle, kinds=["nonsense"]), actor=OPERATOR)
    late = destination(willow, connector.url, name="late", kinds=[Kind.PHASE])
    assert (
        feeds.replay(late, Range(since=middle - timedelta(hours=1)), actor=OPERATOR) == 2
    )  # from before it was


def test_the_breaker_opens_probes_and_closes(willow: Any, connector: Connector):
    one, clock = destination(willow, connector.url), Calendar()
    connector.answer = lambda _: 500
    for number in range(30):
        tell(willow, f"order:{number}", "draft")
    for _ in range(40):
        carry_all(one, clock)
        clock.forward(seconds=1)
    one.refresh_from_db()
    assert len(connector.arrived) == carrying.FAILURES
    assert one.closed(clock.now)
    assert one.problem == "It answered 500."
    clock.forward(hours=1)
    carry_all(one, clock)
    assert len(connector.arrived) == carrying.FAILURES + 1  # one letter tries, and the breaker stays open
    connector.answer = lambda _: 200
    clock.forward(hours=1)
    carry_all(one, clock)
    one.refresh_from_db()
    assert states() == ["delivered"] * 30
    assert (one.failures, one.problem, one.failing_since) == (0, "", None)


def test_a_dead_destination_slows_nobody(willow: Any, connector: Connector):
    """Those in trouble share one lane: while one holds it, the next gives its thread back, and the well go on."""
    well = destination(willow, connector.url, name="well")
    deaf = destination(willow, "http://127.0.0.1:9/", name="deaf")
    tell(willow, "order:1", "draft", "complete")
    carry_all(deaf)
    assert Destination.objects.get(name="deaf").failures == 1
    Delivery.objects.update(next_at=timezone.now())
    attempts = Delivery.objects.filter(destination=deaf).values_list("attempts", flat=True)
    with other_session(TROUBLED):
        carry_all(deaf)
        assert max(attempts) == 1
        carry_all(well)
    assert phases(connector) == ["draft", "complete"]


@with_worker
def test_a_slow_one_lets_the_others_in_trouble_go_first(willow: Any, connector: Connector, monkeypatch: Any):
    """Each turn is over after one letter; who had found the lane taken would have waited for the next minute."""
    slow = destination(willow, connector.url, name="slow")
    other = destination(willow, connector.url, name="other")
    tell(willow, "order:1", "draft", "complete", "canceled")
    Destination.objects.update(failures=1)
    Delivery.objects.filter(destination=other).exclude(fact__words__phase="draft").delete()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")
    monkeypatch.setattr(carrying, "TURN", 0.0)
    monkeypatch.setattr(carrying, "_troubled", lambda _destination: True)
    with transaction.atomic():
        wake(slow.pk)
    run_until_idle(concurrency=1)
    assert states() == ["delivered"] * 4
    assert phases(connector) == ["draft", "draft", "complete", "canceled"]


class other_session:  # noqa: N801  # reads as a word
    """Holds a lock in another database session."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        import threading

        self.held, self.over = threading.Event(), threading.Event()

        def hold() -> None:
            from django.db import connection

            with exclusive(self.name):
                self.held.set()
                self.over.wait(30)
            connection.close()

        self.thread = threading.Thread(target=hold)
        self.thread.start()
        assert self.held.wait(10)

    def __exit__(self, *_error: object) -> None:
        self.over.set()
        self.thread.join(10)


def test_a_slow_destination_goes_to_the_lane_of_those_in_trouble(
    willow: Any, connector: Connector, monkeypatch: Any
):
    monkeypatch.setattr(carrying, "SLOW", 0.05)
    one = destination(willow, connector.url)
    connector.delay = 0.1
    tell(willow, "order:1", "draft", "complete")
    carry_all(one)
    assert states() == ["delivered", "pending"]
    connector.delay = 0
    monkeypatch.setattr(carrying, "SLOW", 60)  # a busy machine is no slow destination
    carry_all(one)
    assert states() == ["delivered", "delivered"]
    assert not Destination.objects.get().slow


def test_an_answer_that_drips_ends_with_the_deadline(willow: Any):
    import socket
    import threading
    import time

    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            talk, _ = server.accept()
            with talk:
                try:
                    for _ in range(100):
                        talk.sendall(b"H")
                        time.sleep(0.05)
                except OSError:
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        one = destination(willow, f"http://127.0.0.1:{server.getsockname()[1]}/")
        tell(willow, "order:1", "draft")
        began = time.monotonic()
        carry_all(one, seconds=0.4)
        assert time.monotonic() - began < 3
        thread.join(10)
    assert Delivery.objects.get().problem


@with_worker
def test_pause_resume_remove(willow: Any, connector: Connector, run_jobs: Any):
    one = destination(willow, connector.url)
    feeds.pause(one, actor=OPERATOR)
    tell(willow, "order:1", "draft")
    run_jobs()
    assert not connector.arrived
    assert wake_due(timezone.now()) == 0
    feeds.resume(one, actor=OPERATOR)
    run_jobs()
    assert phases(connector) == ["draft"]
    feeds.remove(one, actor=OPERATOR)
    tell(willow, "order:1", "complete")
    run_jobs()
    assert phases(connector) == ["draft"]
    with pytest.raises(FeedProblem, match="removed"):
        feeds.resume(one, actor=OPERATOR)
    assert AuditEntry.objects.filter(action__startswith="feed.").count() == 4


@with_worker
def test_a_lost_job_is_found_by_the_clock(willow: Any, connector: Connector, run_jobs: Any):
    from django.db import connection

    destination(willow, connector.url)
    tell(willow, "order:1", "draft")
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs WHERE task_name = 'carry_letters'")
    assert wake_due(timezone.now()) == 1
    assert wake_due(timezone.now()) == 0  # its job is there
    run_jobs()
    assert phases(connector) == ["draft"]


def test_an_answer_of_410_pauses(willow: Any, connector: Connector):
    one = destination(willow, connector.url)
    connector.answer = lambda _: 410
    tell(willow, "order:1", "draft")
    carry_all(one)
    held = Destination.objects.get()
    assert held.paused_at
    assert "410" in held.paused_why
    assert states() == ["pending"]


# -- where it goes -----------------------------------------------------------------------------------------------

RESOLVED = {
    "inside.example": ["10.0.0.7"], "both.example": ["93.184.215.14", "192.168.1.1"], "six.example": ["::1"],
    "mapped.example": ["::ffff:127.0.0.1"], "nat.example": ["64:ff9b::a00:1"], "meta.example": ["169.254.169.254"],
    "shared.example": ["100.64.0.1"], "multi.example": ["224.0.0.1"], "none.example": [],
}  # fmt: skip


@pytest.mark.parametrize("host", sorted(RESOLVED))
def test_names_that_lead_inside_get_nothing(willow: Any, host: str):
    one = destination(willow, f"https://{host}/hook")
    tell(willow, "order:1", "draft")
    carry_all(one, resolving=lambda name, _port: RESOLVED[name])
    letter = Delivery.objects.get()
    assert (letter.state, letter.problem) == (
        "pending",
        "Its name leads into a private network, where nothing is sent.",
    )


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "localhost", "10.1.2.3", "169.254.169.254", "2130706433"]
)
def test_addresses_that_lead_inside_get_nothing(
    willow: Any, connector: Connector, deployment: Any, host: str
):
    deployment(allow_http_peers=False)
    one = destination(willow, f"https://{host}:{connector.server.server_port}/hook")
    tell(willow, "order:1", "draft")
    carry_all(one)
    assert Delivery.objects.get().problem.startswith(("Its name leads into", "Its name is not known"))
    assert not connector.arrived


def test_the_address_that_was_looked_at_is_the_one_that_is_called(
    willow: Any, connector: Connector, monkeypatch: Any
):
    """A name server that answers differently the second time gains nothing: there is no second time."""
    import httpcore2

    asked: list[str] = []
    called: list[str] = []

    def connect(_self: Any, host: str, *_more: Any) -> Any:
        called.append(host)
        raise httpcore2.ConnectError("not from here")

    def resolving(name: str, _port: int) -> list[str]:
        asked.append(name)
        return ["93.184.215.14"] if len(asked) == 1 else ["127.0.0.1"]

    monkeypatch.setattr(httpcore2.SyncBackend, "connect_tcp", connect)
    one = destination(willow, "https://turncoat.example/hook")
    tell(willow, "order:1", "draft")
    carry_all(one, resolving=resolving)
    assert (asked, called) == (["turncoat.example"], ["93.184.215.14"])


@pytest.mark.parametrize("to", ["http://127.0.0.1:1/", "https://hooks.zapier.com/x", "/elsewhere"])
def test_redirects_lead_nowhere(willow: Any, connector: Connector, to: str):
    """So neither a private address nor Zapier is reached through a host that was allowed."""
    one = destination(willow, connector.url, phi=True, kinds=[Kind.MONTH])
    connector.answer, connector.headers = (lambda _: 307), {"Location": to}
    with transaction.atomic():
        note(
            willow.pk, Kind.MONTH, "month:2026-10", month="2026-10", orders_submitted=1, orders_completed=1,
            orders_canceled=0, results_found=2,
        )  # fmt: skip
    carry_all(one)
    assert len(connector.arrived) == 1
    assert "redirect" in Delivery.objects.get().problem


@pytest.mark.parametrize(
    "host",
    [
        "hooks.zapier.com",
        "zapier.com",
        "HOOKS.ZAPIER.COM",
        "hook.eu1.make.com",
        "make.com.",
        "hook.integromat.com",
    ],
)
def test_patient_data_never_goes_to_zapier_or_make(willow: Any, host: str):
    with pytest.raises(FeedProblem, match="signs no BAA"):
        destination(willow, f"https://{host}/hooks/catch/1", phi=True)
    one = destination(willow, f"https://{host}/hooks/catch/1")
    Destination.objects.update(data_class="phi", agreement=agreement(willow))  # whatever happens to its row
    tell(willow, "order:1", "draft")
    carry_all(one, resolving=lambda *_: pytest.fail("it was called"))
    held = Destination.objects.get()
    assert "signs no BAA" in held.problem
    with pytest.raises(Held):
        try_out(held)


@pytest.mark.parametrize("host", ["makers.com", "notzapier.com", "zapier.com.example.org", "make.community"])
def test_hosts_that_only_look_like_them(host: str):
    assert service_without_baa(host) == ""


# -- patient data needs an agreement -------------------------------------------------------------------------------


def test_no_patient_data_without_an_agreement_in_force(willow: Any, birch: Any, connector: Connector):
    for wrong in (None, agreement(birch)):
        with pytest.raises(FeedProblem, match="BAA"):
            destination(willow, connector.url, phi=True, agreement=wrong)
    today = timezone.now().astimezone(willow.zone).date()
    old = agreement(
        willow,
        "Old",
        signed_on=today - timedelta(days=400),
        expires_on=today - timedelta(days=1),
        sha256="b" * 64,
    )
    with pytest.raises(FeedProblem, match="BAA"):
        destination(willow, connector.url, phi=True, agreement=old)


def test_an_ended_agreement_holds_letters_until_the_new_one(willow: Any, connector: Connector, things: Any):
    made = things(willow)
    one = destination(willow, connector.url, phi=True)
    end(willow, "Keragon", actor=OPERATOR)
    with transaction.atomic():
        note(willow.pk, Kind.PHASE, f"order:{made['order_id']}", phase="complete", demo=False)
    carry_all(one)
    assert not connector.arrived
    assert "No BAA with Keragon is in force" in Destination.objects.get().problem
    agreement(willow, sha256="c" * 64)  # the new one with the same company is found by itself
    carry_all(one)
    assert len(connector.effects) == 1
    assert Destination.objects.get().problem == ""
    with pytest.raises(AgreementProblem):
        agreement(willow)  # the ended document does not come back


def test_patient_data_is_in_the_audit_once_and_before_it_goes(willow: Any, connector: Connector, things: Any):
    made, clock = things(willow), Calendar()
    one = destination(willow, connector.url, phi=True, name="keragon")
    connector.answer = lambda _: 500 if len(connector.arrived) == 1 else 200
    with transaction.atomic():
        note(willow.pk, Kind.PHASE, f"order:{made['order_id']}", phase="complete", demo=False)
    carry_all(one, clock)
    clock.forward(hours=1)
    carry_all(one, clock)
    (entry,) = AuditEntry.objects.filter(action="handover.send")
    assert entry.detail == {"receiver": "keragon", "host": "127.0.0.1"}
    assert len(entry.patients) == 2
    (said,) = connector.said
    assert said["data"]["order"]["patient"]["patient_key"] == "P-willow"
    assert said["sequence"] == Fact.objects.get().pk
    assert "a note for" not in str(said)


def test_a_replayed_letter_is_a_disclosure_of_its_own(willow: Any, connector: Connector, things: Any):
    made = things(willow)
    one = destination(willow, connector.url, phi=True)
    with transaction.atomic():
        note(willow.pk, Kind.PHASE, f"order:{made['order_id']}", phase="complete", demo=False)
    carry_all(one)
    feeds.replay(one, Range(since=timezone.now() - timedelta(hours=1)), actor=OPERATOR)
    carry_all(one)
    assert len(connector.arrived) == 2
    first, second = AuditEntry.objects.filter(action="handover.send")
    assert first.patients == second.patients


def test_a_letter_that_came_to_be_about_another_is_in_the_audit_of_both(
    willow: Any, connector: Connector, things: Any
):
    """While the destination was down the match was undone, and the order's patient linked to somebody else."""
    made, clock = things(willow), Calendar()
    one = destination(willow, connector.url, phi=True)
    connector.answer = lambda _: 500 if len(connector.arrived) == 1 else 200
    with transaction.atomic():
        note(willow.pk, Kind.PHASE, f"order:{made['order_id']}", phase="complete", demo=False)
    carry_all(one, clock)
    other = Chart.objects.create(practice=willow, key="P-other", person={"first_name": "Otto"})
    PatientLink.objects.update(chart=other)
    clock.forward(hours=1)
    carry_all(one, clock)
    assert connector.arrived[-1].said["data"]["order"]["patient"]["patient_key"] == "P-other"
    chart = Chart.objects.get(pk=made["patient_id"])
    entries = AuditEntry.objects.filter(action="handover.send").order_by("pk")
    found = [(pseudonym(chart) in entry.patients, pseudonym(other) in entry.patients) for entry in entries]
    assert found == [(True, False), (False, True)]


def test_what_was_erased_is_not_told(willow: Any, connector: Connector, things: Any):
    made = things(willow)
    one = destination(willow, connector.url, phi=True)
    with transaction.atomic():
        for kind, about in ((Kind.PHASE, "order_id"), (Kind.REVIEW, "case_id")):
            note(
                willow.pk, kind, f"{kind.split('.')[0]}:{made[about]}", phase="complete", question="identity"
            )
    Order.objects.update(erased_at=timezone.now())
    Chart.objects.update(erased_at=timezone.now())
    carry_all(one)
    assert not connector.arrived
    assert states() == ["withdrawn", "withdrawn"]
    assert not AuditEntry.objects.filter(action="handover.send").exists()


def test_a_letter_that_cannot_be_written_holds_up_its_own_thing_only(willow: Any, connector: Connector):
    one, clock = destination(willow, connector.url), Calendar()
    tell(willow, "order:1", "a phase of another version", "complete")
    tell(willow, "order:2", "canceled")
    carry_all(one, clock)
    assert phases(connector) == ["canceled"]
    letter = Delivery.objects.order_by("fact").first()
    assert letter is not None
    assert (letter.state, letter.attempts, letter.status) == ("pending", 1, None)
    assert letter.problem == carrying.UNWRITABLE
    one.refresh_from_db()
    assert (one.failures, one.problem) == (0, ""), "nothing of it is the receiver's fault"
    clock.forward(days=30)
    carry_all(one, clock)
    carry_all(one, clock)
    assert states() == ["dead", "delivered", "delivered"]


# -- adding and trying ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"url": "http://example.org/x"}, "https"), ({"url": "https://u:p@example.org/"}, "https"),
        ({"url": "ftp://x"}, "https"), ({"url": "nonsense"}, "https"), ({"url": "https://exämple.org/"}, "letters"),
        ({"url": "https://e.example/\n"}, None), ({"kinds": []}, "told of"), ({"kinds": ["all"]}, "no kind all"),
        ({"name": ""}, "name"), ({"name": "a\x00b"}, "name"), ({"data_class": "some"}, "class"),
    ],
)  # fmt: skip
def test_destinations_that_make_no_sense(willow: Any, change: dict[str, Any], says: str | None):
    wish = Wish(**{"name": "x", "url": "https://example.org/secret", "kinds": [Kind.PHASE], **change})
    if says is None:
        feeds.add(willow, wish, actor=OPERATOR)
        return
    with pytest.raises(FeedProblem, match=says) as problem:
        feeds.add(willow, wish, actor=OPERATOR)
    assert "secret" not in str(problem.value)


def test_a_name_is_never_given_twice(willow: Any, connector: Connector):
    feeds.remove(destination(willow, connector.url), actor=OPERATOR)
    with pytest.raises(FeedProblem, match="tells them apart"):
        destination(willow, connector.url)


def test_a_test_letter_goes_past_the_pause_and_is_never_repeated(willow: Any, connector: Connector):
    one = destination(willow, connector.url)
    feeds.pause(one, actor=OPERATOR)
    one.refresh_from_db()
    assert try_out(one).state == DeliveryState.DELIVERED
    (letter,) = connector.arrived
    assert Webhook(one.secret).verify(letter.content, letter.headers)["type"] == "test"
    connector.answer = lambda _: 404
    failed = try_out(one, Post())
    assert (failed.problem, failed.status) == ("It answered 404.", 404)
    feeds.resume(one, actor=OPERATOR)
    carry_all(one)
    assert feeds.replay(one, Range(since=timezone.now() - timedelta(hours=1)), actor=OPERATOR) == 0
    assert len(connector.arrived) == 2


def test_an_address_is_neither_stored_nor_told_in_the_clear(
    willow: Any, connector: Connector, labbridge: Any
):
    one = destination(willow, connector.url)
    tell(willow, "order:1", "draft")
    connector.answer = lambda _: 500
    carry_all(one)
    held = Destination.objects.get()
    assert b"sEcReT" not in bytes(held.__dict__["url"])
    seen = [vars(entry) for entry in AuditEntry.objects.all()] + [vars(one) for one in Delivery.objects.all()]
    assert "sEcReT" not in str(seen) + held.problem
