"""The history of an order: the same whatever came when, nothing made up, nothing taken back."""

from __future__ import annotations

from datetime import UTC
from uuid import uuid4

import pytest
from django.db import DatabaseError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labbridge.mirror.merge import merge_order
from labbridge.mirror.models import Order, OrderChange, OrderMoment, What
from labbridge.mirror.phases import plain_status
from labbridge.peers.rupa.types import OrderSnapshot
from labbridge.practices.models import Practice
from tests.mirror.snapshots import at, order, ordered_test

pytestmark = pytest.mark.django_db

NONE = {"payer": "patient", "submitted_at": None, "paid_at": None, "completed_at": None, "canceled_at": None}


def whole(status: str, *received: float | None, **dates: float | None) -> OrderSnapshot:
    stated = {name: None if minute is None else at(minute) for name, minute in dates.items()}
    tests = [
        ordered_test(f"ordts_{number}", results_received_at=None if minute is None else at(minute))
        for number, minute in enumerate(received)
    ]
    return order(*tests, status=status, **(NONE | stated))


def heard(practice: Practice, *snapshots: tuple[float, OrderSnapshot]) -> Order:
    for minute, snapshot in snapshots:
        with transaction.atomic():
            held, _ = merge_order(practice, snapshot, at(minute))
    return held


def changes(what: str) -> list[tuple[float, str | None, str]]:
    return [
        ((one.at - at(0)).total_seconds() / 60, one.before, one.after)
        for one in OrderChange.objects.filter(what=what)
    ]


def test_only_words_of_statuses_are_kept_in_the_clear() -> None:
    for status in ("", "Kit Shipped", "in_progress", "Pending Payment", "Awaiting Lab Director Signature"):
        assert plain_status(status) == status
    for odd in ("Zyxwenhuber", "Shipped to Zyxwenhuber", "Draft 1961-02-15", "Sample: 55512", "Größe"):
        assert plain_status(odd) == "another status"


A_LIFE = (
    (1, whole("Draft", None, None)),
    (4, whole("Pending Payment", None, None, submitted_at=3)),
    (8, whole("In Progress", None, None, submitted_at=3, paid_at=7)),
    (20, whole("Partial Results", 19, None, submitted_at=3, paid_at=7)),
    (30, whole("Complete", 19, 29, submitted_at=3, paid_at=7, completed_at=30)),
)


def test_a_life_is_told_by_rupas_own_dates(willow: Practice) -> None:
    held = heard(willow, *A_LIFE)
    assert changes("phase") == [
        (1, None, "draft"), (3, "draft", "awaiting_payment"), (7, "awaiting_payment", "in_progress"),
        (19, "in_progress", "partial_results"), (29, "partial_results", "complete"),
    ]  # fmt: skip
    assert changes("payment") == [
        (1, None, "not_due"), (3, "not_due", "awaiting_patient"), (7, "awaiting_patient", "paid"),
    ]  # fmt: skip
    assert [after for _, _, after in changes("status")] == [snapshot.status for _, snapshot in A_LIFE]
    assert [minute for minute, _, _ in changes("result")] == [19, 29]
    assert OrderChange.objects.filter(order=held, what="phase").last().after == held.phase


def test_one_late_reading_tells_the_same_but_for_the_words_nobody_heard(willow: Practice) -> None:
    heard(willow, A_LIFE[-1])
    assert [after for _, _, after in changes("phase")] == [
        "awaiting_payment", "in_progress", "partial_results", "complete",
    ]  # fmt: skip
    assert changes("status") == [(30, None, "Complete")]


def test_a_late_event_makes_no_state_up(willow: Practice) -> None:
    heard(willow, A_LIFE[-1], A_LIFE[0])
    assert changes("status") == [(1, None, "Draft"), (30, "Draft", "Complete")]
    assert changes("phase")[-1][2] == "complete"


def test_a_replay_adds_nothing(willow: Practice) -> None:
    heard(willow, *A_LIFE)
    rows = OrderMoment.objects.count()
    heard(willow, *A_LIFE, *reversed(A_LIFE))
    assert OrderMoment.objects.count() == rows


def test_there_and_back(willow: Practice) -> None:
    on = whole("In Progress", None, submitted_at=1, paid_at=2)
    canceled = whole("Canceled", None, submitted_at=1, paid_at=2, canceled_at=5)
    heard(willow, (7, on), (6, canceled), (3, on))
    assert [after for _, _, after in changes("phase")] == [
        "awaiting_payment", "in_progress", "canceled", "in_progress",
    ]  # fmt: skip
    assert [after for _, _, after in changes("status")] == ["In Progress", "Canceled", "In Progress"]


def test_clocks_that_run_backwards(willow: Practice) -> None:
    heard(willow, (9, whole("In Progress", None, submitted_at=6, paid_at=5)))
    assert changes("phase") == [(5, None, "in_progress")]
    assert changes("payment") == [(5, None, "paid")]


def test_a_date_to_come_is_told_no_later_than_it_was_heard(willow: Practice) -> None:
    heard(willow, (2, whole("In Progress", None, submitted_at=1, paid_at=500)))
    assert changes("payment") == [(1, None, "awaiting_patient"), (2, "awaiting_patient", "paid")]


def test_a_refund(willow: Practice) -> None:
    paid = {"submitted_at": 1, "paid_at": 2}
    heard(
        willow, (3, whole("In Progress", None, **paid)), (9, whole("Refunded", None, **paid, canceled_at=8))
    )
    assert changes("payment")[-2:] == [(8, "paid", "canceled"), (9, "canceled", "refunded")]


def test_who_pays_unsaid_nobody_is_said_to_owe(willow: Practice) -> None:
    heard(willow, (9, whole("In Progress", None)), (3, order(whole=False, submitted_at=at(1), paid_at=at(2))))
    assert changes("payment")[0] == (2, None, "paid")


def test_a_partial_snapshot_tells_what_it_states(willow: Practice) -> None:
    heard(willow, A_LIFE[3], (5, order(status="Kit Shipped", whole=False)))
    assert [after for _, _, after in changes("status")] == ["Kit Shipped", "Partial Results"]
    assert [after for _, _, after in changes("phase")] == [
        "awaiting_payment",
        "in_progress",
        "partial_results",
    ]
    heard(willow, (25, order(completed_at=at(24), whole=False)))
    assert changes("phase")[-1] == (24, "partial_results", "complete")


def test_an_amended_result_is_told_again(willow: Practice) -> None:
    heard(willow, (5, whole("Complete", 4)), (9, whole("Complete", 8)))
    first, second = OrderChange.objects.filter(what=What.RESULT)
    assert (first.before, second.before) == (None, first.after)
    assert second.after == at(8).astimezone(UTC).isoformat()


def test_which_event_told_it(willow: Practice) -> None:
    event = uuid4()
    with transaction.atomic():
        merge_order(willow, A_LIFE[0][1], at(1), event_id=event)
    assert set(OrderMoment.objects.values_list("event_id", flat=True)) == {event}


def test_nothing_is_changed_or_removed(willow: Practice) -> None:
    heard(willow, A_LIFE[0])
    for attempt in (lambda rows: rows.update(value="x"), lambda rows: rows.delete()):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            attempt(OrderMoment.objects.all())


def test_an_erased_order_tells_nothing_more(willow: Practice) -> None:
    held = heard(willow, A_LIFE[0])
    rows = OrderMoment.objects.count()
    held.erased_at = at(2)
    held.save()
    heard(willow, A_LIFE[-1])
    assert OrderMoment.objects.count() == rows


WORDS = ("Draft", "Pending Payment", "In Progress", "On Hold", "Complete", "Canceled", "Refunded")
snapshots = st.lists(
    st.tuples(st.integers(1, 6), st.sampled_from(WORDS), st.sampled_from([None, 0, 3]), st.sampled_from([None, 2, 4]),
              st.sampled_from([None, 3])),
    min_size=2, max_size=5,
)  # fmt: skip


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=snapshots, shuffled=st.randoms(use_true_random=False))
def test_whatever_came_when_it_is_one_history(willow: Practice, told: list[tuple], shuffled) -> None:
    seen = [
        (minute, whole(word, result, submitted_at=submitted, paid_at=submitted and paid))
        for minute, word, submitted, paid, result in told
    ]
    other = [*seen, *seen]
    shuffled.shuffle(other)
    histories = []
    for way in (seen, other):
        with transaction.atomic():
            heard(willow, *way)
            histories.append({what: changes(what) for what in What.values})
            transaction.set_rollback(True)
    assert histories[0] == histories[1]
