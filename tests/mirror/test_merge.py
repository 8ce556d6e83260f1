from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labbridge.mirror.merge import Contradiction, merge_order, merge_patient
from labbridge.mirror.models import Order, OrderedTest, Patient, Phase, ResultSource, SourceState
from labbridge.peers.rupa.types import OrderSnapshot, PatientSnapshot
from labbridge.practices.models import Practice
from tests.mirror.snapshots import at, order, ordered_test, patient

pytestmark = pytest.mark.django_db


def merged(practice: Practice, *snapshots: tuple[float, OrderSnapshot], **how: Any) -> Order:
    for minute, snapshot in snapshots:
        with transaction.atomic():
            held, _ = merge_order(practice, snapshot, at(minute), **how)
    return held


# -- newest wins, field by field ---------------------------------------------------------------------------


def test_a_partial_snapshot_erases_nothing(willow: Practice) -> None:
    held = merged(
        willow,
        (1, order(ordered_test(), status="Draft", payer="patient", total_price=Decimal("9.90"))),
        (2, order(status="Pending Payment", whole=False)),
    )
    assert (held.status, held.payer, held.total_price) == ("Pending Payment", "patient", Decimal("9.9"))
    assert held.ordered_tests.filter(removed=False).count() == 1


def test_what_a_newer_partial_snapshot_left_out_is_taken_from_an_older_one_that_comes_late(
    willow: Practice,
) -> None:
    held = merged(
        willow,
        (2, order(status="In Progress", whole=False)),
        (1, order(ordered_test(), status="Draft", payer="patient", paid_at=at(0))),
    )
    assert (held.status, held.payer, held.paid_at) == ("In Progress", "patient", at(0))


def test_a_stated_null_clears(willow: Practice) -> None:
    held = merged(willow, (1, order(paid_at=at(0), status="Paid")), (2, order(paid_at=None, status=None)))
    assert (held.paid_at, held.status) == (None, "")


def test_an_older_snapshot_changes_nothing_and_costs_no_filing(willow: Practice) -> None:
    first = merged(willow, (5, order(ordered_test(), status="In Progress", paid_at=at(0))))
    later = merged(willow, (1, order(ordered_test(), status="Draft", paid_at=None)))
    assert (later.status, later.phase, later.revision) == ("In Progress", Phase.IN_PROGRESS, first.revision)


def test_the_same_snapshot_twice_is_one_revision(willow: Practice) -> None:
    snapshot = order(ordered_test(results_received_at=at(0)), status="In Progress", patient_id="pat_1")
    assert merged(willow, (1, snapshot), (1, snapshot), (2, snapshot)).revision == 1


def test_of_one_age_the_further_along_wins(willow: Practice) -> None:
    draft, paid = order(status="Draft", paid_at=None), order(status="In Progress", paid_at=at(0))
    for snapshots in ([draft, paid], [paid, draft]):
        with transaction.atomic():
            held = merged(willow, *((1, snapshot) for snapshot in snapshots))
            assert (held.status, held.paid_at) == ("In Progress", at(0))
            transaction.set_rollback(True)


def test_texts_and_amounts_are_made_to_fit(willow: Practice) -> None:
    held = merged(willow, (1, order(status="x" * 400, total_price=Decimal("1.23456789"))))
    held.refresh_from_db()
    assert (len(held.status), held.total_price) == (255, Decimal("1.2346"))
    held = merged(willow, (2, order(total_price=Decimal(10) ** 11)))
    held.refresh_from_db()
    assert held.total_price is None


def test_a_repeated_long_amount_is_no_change(willow: Practice) -> None:
    snapshot = order(total_price=Decimal("1.23456789"))
    assert merged(willow, (1, snapshot), (2, snapshot)).revision == 1


def test_the_patient_may_change_but_never_back_by_older_news(willow: Practice) -> None:
    held = merged(
        willow, (1, order(patient_id="pat_1")), (3, order(patient_id="pat_2")), (2, order(patient_id="pat_1"))
    )
    assert held.patient is not None
    assert (held.patient.external_id, held.revision) == ("pat_2", 2)
    assert merged(willow, (4, order(patient_id=None))).patient == held.patient


def test_our_mark_in_the_metadata_tells_the_request(willow: Practice) -> None:
    held = merged(willow, (1, order(metadata={"labbridge_request": "req-7"})), (2, order(metadata={})))
    assert (held.request_id, held.source) == ("req-7", "caspio")
    other = merged(willow, (3, order(metadata={"labbridge_request": 7})))
    assert other.request_id == "req-7"


def test_an_order_made_elsewhere_stays_one(willow: Practice) -> None:
    held = merged(willow, (1, order(metadata={"other": "ehr"})))
    assert (held.request_id, held.source) == ("", "rupa")


# -- phases ------------------------------------------------------------------------------------------------


def test_a_phase_never_goes_back_by_older_news(willow: Practice) -> None:
    held = merged(
        willow,
        (3, order(ordered_test(results_received_at=at(2)), submitted_at=at(0), paid_at=at(1))),
        (2, order(ordered_test(results_received_at=None), submitted_at=at(0), paid_at=at(1))),
        (1, order(ordered_test(), submitted_at=at(0))),
    )
    assert held.phase == Phase.COMPLETE


def test_results_of_some_tests_are_no_completion_while_others_may_be_unknown(willow: Practice) -> None:
    snapshot = order(ordered_test(results_received_at=at(1)), whole=False, paid_at=at(0))
    assert merged(willow, (2, snapshot)).phase == Phase.PARTIAL_RESULTS


def test_canceled_after_a_result(willow: Practice) -> None:
    test = ordered_test(results_received_at=at(1))
    held = merged(willow, (2, order(test, paid_at=at(0))), (3, order(test, paid_at=at(0), canceled_at=at(3))))
    assert held.phase == Phase.CANCELED


# -- tests that come and go --------------------------------------------------------------------------------


def removed(practice: Practice) -> dict[str, bool]:
    return dict(OrderedTest.objects.filter(practice=practice).values_list("external_id", "removed"))


def test_a_test_that_a_whole_list_leaves_out_was_taken_off(willow: Practice) -> None:
    merged(willow, (1, order(ordered_test("a"), ordered_test("b"))), (2, order(ordered_test("b"))))
    assert removed(willow) == {"a": True, "b": False}


def test_older_news_of_it_do_not_bring_it_back(willow: Practice) -> None:
    merged(
        willow, (3, order(ordered_test("b"))), (1, order(ordered_test("a"))), (2, order(ordered_test("a")))
    )
    assert removed(willow) == {"a": True, "b": False}
    merged(willow, (4, order(ordered_test("a"), ordered_test("b"))))
    assert removed(willow) == {"a": False, "b": False}


def test_half_a_list_takes_nothing_off(willow: Practice) -> None:
    merged(willow, (1, order(ordered_test("a"))), (2, order(ordered_test("b"), whole=False)))
    assert removed(willow) == {"a": False, "b": False}


def test_a_cancellation_that_lists_no_tests_takes_none_off(willow: Practice) -> None:
    merged(willow, (1, order(ordered_test("a"))), (2, order(canceled_at=at(2))))
    assert removed(willow) == {"a": False}


def test_a_test_named_twice_is_one(willow: Practice) -> None:
    merged(willow, (1, order(ordered_test("a"), ordered_test("a", results_received_at=at(0)))))
    assert OrderedTest.objects.get(external_id="a").results_received_at == at(0)


def test_a_test_of_another_order_is_never_taken_over(willow: Practice) -> None:
    merged(willow, (1, order(ordered_test("a"))))
    other = OrderSnapshot(
        id="ord_2", present=frozenset({"ordered_tests"}), ordered_tests=(ordered_test("a"),)
    )
    with pytest.raises(Contradiction, match="ord_1 and ord_2"), transaction.atomic():
        merge_order(willow, other, at(2))
    assert not Order.objects.filter(external_id="ord_2").exists()


# -- files ----------------------------------------------------------------------------------------------------

URL = "https://files.rupahealth.com/{}?signature={}"


def source(practice: Practice) -> ResultSource:
    return ResultSource.objects.get(ordered_test__practice=practice)


def shown(name: str = "f1", signature: str = "s", **more: Any) -> OrderSnapshot:
    stated = {"results_pdf": URL.format(name, signature), "results_received_at": at(0), **more}
    return order(ordered_test(**stated))


def test_another_signature_is_the_same_source_with_a_fresher_address(willow: Practice) -> None:
    merged(willow, (2, shown(signature="s2")), (3, shown(signature="s3")), (1, shown(signature="s1")))
    held = source(willow)
    assert held.files["pdf"] == URL.format("f1", "s3")
    assert (held.as_of, held.latest_as_of) == (at(1), at(3))


def test_another_date_or_address_is_another_source(willow: Practice) -> None:
    merged(willow, (1, shown()), (2, shown(results_received_at=at(2))), (3, shown("f2")))
    assert ResultSource.objects.count() == 3


def test_no_files_are_no_source(willow: Practice) -> None:
    merged(willow, (1, order(ordered_test(results_received_at=at(0), results_pdf=None))))
    assert not ResultSource.objects.exists()


@pytest.mark.parametrize(
    ("state", "minute", "look_again", "after"),
    [
        (SourceState.TAKEN, 2, False, SourceState.TAKEN),
        (SourceState.TAKEN, 2, True, SourceState.PENDING),
        (SourceState.TAKEN, 1, True, SourceState.PENDING),  # the same event, replayed
        (SourceState.TAKEN, 0, True, SourceState.TAKEN),
        (SourceState.GONE, 2, False, SourceState.PENDING),
        (SourceState.REFUSED, 2, False, SourceState.PENDING),
        (SourceState.REFUSED, 1, False, SourceState.PENDING),
        (SourceState.REFUSED, 0, False, SourceState.PENDING),  # an older event, replayed by a person
    ],
)
def test_when_a_file_is_taken_again(
    willow: Practice, state: SourceState, minute: int, look_again: bool, after: SourceState
) -> None:
    merged(willow, (1, shown()))
    ResultSource.objects.update(state=state, reason="because")
    merged(willow, (minute, shown()), look_again=look_again)
    assert source(willow).state == after


# -- patients ---------------------------------------------------------------------------------------------------


def merged_patient(practice: Practice, *snapshots: tuple[float, PatientSnapshot], **how: Any) -> Patient:
    for minute, snapshot in snapshots:
        with transaction.atomic():
            held, _ = merge_patient(practice, snapshot, at(minute), **how)
    return held


def test_a_patient_is_merged_part_by_part(willow: Practice) -> None:
    born = date(1980, 1, 2)
    held = merged_patient(
        willow,
        (3, patient(email="new@patients.example")),
        (1, patient(first_name="Ada", email="old@patients.example")),
        (2, patient(birthday=born)),
    )
    assert held.person == {"email": "new@patients.example", "first_name": "Ada", "birthday": "1980-01-02"}
    assert held.email_index is not None
    assert held.birthday_index is not None


def test_half_a_patient_is_still_to_be_read(willow: Practice) -> None:
    assert merged_patient(willow, (1, patient(first_name="Ada"))).unread
    assert not merged_patient(willow, (2, patient(first_name="Ada")), whole=True).unread


def test_the_same_patient_again_is_no_change(willow: Practice) -> None:
    with transaction.atomic():
        assert merge_patient(willow, patient(first_name="Ada"), at(1))[1]
        assert not merge_patient(willow, patient(first_name="Ada"), at(2))[1]
        assert not merge_patient(willow, patient(first_name="Bea"), at(1))[1]


# -- any order, any repetition ------------------------------------------------------------------------------------

moments = st.sampled_from([None, at(-9), at(-8)])
tests = st.builds(
    lambda name, stated: ordered_test(name, **stated),
    st.sampled_from("abc"),
    st.fixed_dictionaries(
        {},
        optional={
            "results_received_at": moments,
            "lab_test_id": st.sampled_from(["labts_1", "labts_2"]),
            "results_pdf": st.sampled_from([None, URL.format("f1", "x"), URL.format("f2", "x")]),
        },
    ),
)
orders = st.builds(
    lambda named, whole, stated: order(*named, whole=whole, **stated),
    st.lists(tests, max_size=3, unique_by=lambda test: test.id),
    st.booleans(),
    st.fixed_dictionaries(
        {},
        optional={
            "status": st.sampled_from([None, "Draft", "In Progress", "Canceled", "Frobnicated", "Other"]),
            "payer": st.sampled_from(["patient", "practitioner"]),
            "total_price": st.sampled_from([None, Decimal(1), Decimal("1.50")]),
            "submitted_at": moments,
            "paid_at": moments,
            "canceled_at": moments,
            "is_demo": st.booleans(),
            "patient_id": st.sampled_from(["pat_1", "pat_2"]),
            "notes_to_patient": st.sampled_from([None, "", "Rest."]),
        },
    ),
)
histories = st.lists(st.tuples(st.integers(0, 3), orders), min_size=1, max_size=6)


def state_after(practice: Practice, history: list[tuple[int, OrderSnapshot]]) -> list[Any]:
    with transaction.atomic():
        held = merged(practice, *history)
        held.refresh_from_db()
        columns = [
            getattr(held, name)
            for name in (
                "status", "phase", "payer", "total_price", "submitted_at", "paid_at", "canceled_at", "is_demo",
                "notes_to_patient", "as_of", "clock",
            )
        ]  # fmt: skip
        columns.append(held.patient and held.patient.external_id)
        tests = OrderedTest.objects.order_by("external_id")
        columns += list(
            tests.values_list(
                "external_id", "removed", "results_received_at", "lab_test_id_external", "as_of", "clock"
            )
        )
        sources = ResultSource.objects.order_by("ordered_test__external_id", "fingerprint")
        columns += [
            (one.ordered_test.external_id, one.as_of, one.latest_as_of, one.files["pdf"]) for one in sources
        ]
        transaction.set_rollback(True)
    return columns


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_order_and_repetition_ends_in_the_same_mirror(willow: Practice, data: st.DataObject) -> None:
    history = data.draw(histories)
    shuffled = data.draw(st.permutations(history + history[:2]))
    assert state_after(willow, history) == state_after(willow, shuffled)


@pytest.mark.parametrize("reverse", [False, True])
def test_removed_and_named_at_one_moment_stays(willow: Practice, reverse: bool) -> None:
    pair = [(1.0, order(ordered_test("a"))), (1.0, order(ordered_test("b")))]
    merged(willow, *(reversed(pair) if reverse else pair))
    assert removed(willow) == {"a": False, "b": False}
