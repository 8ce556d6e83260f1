"""What the database keeps beside the orders: when each is expected, and how many stand in each phase."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labbridge.mirror import tally
from labbridge.mirror.late import look_over, overdue
from labbridge.mirror.models import LabTest, Order, OrderedTest, Phase, PhaseTally
from labbridge.mirror.phases import expected_by, is_overdue
from labbridge.practices.models import Practice

pytestmark = pytest.mark.django_db

FIGURES = (None, 0, 3, 2_147_483_647)
PHASES = ("in_progress", "complete", "awaiting_payment", "unknown")
MOMENTS = (None, timedelta(days=2), timedelta(days=9))
#: Four small numbers: what is done, and to which order, test or kind of test.
STEPS = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 2), st.integers(0, 2), st.integers(0, 3)), max_size=25
)


@pytest.fixture
def willow() -> Practice:
    return Practice.objects.create(slug="willow", name="Willow")


def check(practice: Practice) -> None:
    """The same as plain Python finds over the rows."""
    now = timezone.now()
    known = {one.external_id: one for one in LabTest.objects.filter(practice=practice)}
    late = set()
    for order in Order.objects.filter(practice=practice):
        tests = [known.get(one.lab_test_id_external) for one in order.ordered_tests.filter(removed=False)]
        if order.phase in {"in_progress", "awaiting_payment", "partial_results"}:
            huge = any(one and (one.turnaround_days or 0) > 36_500 for one in tests)
            expected = None if huge else expected_by(order, tests)
            if not huge:
                assert order.expected_at == expected
            if is_overdue(order, expected, now):
                late.add(order.pk)
    assert set(overdue(Order.objects.filter(practice=practice), now).values_list("pk", flat=True)) == late
    counted = Counter(Order.objects.filter(is_demo=False).values_list("phase", flat=True))
    assert tally.by_phase([practice]) == dict(counted)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(STEPS)
def test_whatever_is_written_the_figures_hold(
    willow: Practice, steps: list[tuple[int, int, int, int]]
) -> None:
    for model in (OrderedTest, Order, LabTest):
        model.objects.all().delete()
    for step, one, two, more in steps:
        order = Order.objects.filter(external_id=f"ord_{one}")
        test = OrderedTest.objects.filter(external_id=f"ot_{one}_{two}")
        kind = {"practice": willow, "external_id": f"labts_{two}"}
        if step == 0:
            Order.objects.get_or_create(
                practice=willow, external_id=f"ord_{one}", defaults={"is_demo": more == 3}
            )
        elif step == 1 and (held := order.first()):
            OrderedTest.objects.get_or_create(
                practice=willow, external_id=f"ot_{one}_{two}",
                defaults={"order": held, "lab_test_id_external": f"labts_{more}"},
            )  # fmt: skip
        elif step == 2:
            LabTest.objects.update_or_create(**kind, defaults={"turnaround_days": FIGURES[more]})
        elif step == 3:
            LabTest.objects.filter(**kind).update(shipping_days_max=more or None)
        elif step == 4:
            order.update(phase=PHASES[more])
        elif step == 5:
            begun = MOMENTS[two]
            order.update(
                paid_at=begun and timezone.now() - begun, submitted_at=timezone.now() - timedelta(days=more)
            )
        elif step == 6:
            test.update(removed=more % 2 == 0)
        elif step == 7:
            order.update(is_demo=more % 2 == 0)
        elif step == 8:
            test.delete()
        elif step == 9:
            tally.fold(willow)
    check(willow)
    tally.fold(willow)
    assert PhaseTally.objects.count() == len(tally.by_phase([willow]))
    check(willow)


def test_an_order_written_anew_from_what_was_read_before_keeps_its_day(willow: Practice) -> None:
    order = Order.objects.create(
        practice=willow,
        external_id="ord_1",
        phase="in_progress",
        submitted_at=timezone.now() - timedelta(days=9),
    )
    LabTest.objects.create(practice=willow, external_id="labts_1", turnaround_days=3)
    OrderedTest.objects.create(practice=willow, order=order, external_id="ot", lab_test_id_external="labts_1")
    order.revision += 1
    order.save()  # with the None that it was made with
    order.refresh_from_db()
    assert order.submitted_at is not None
    assert order.expected_at == order.submitted_at + timedelta(days=3)


def test_what_a_change_of_the_catalogue_passed_over_is_set_right(willow: Practice) -> None:
    order = Order.objects.create(practice=willow, external_id="ord_1", phase=Phase.IN_PROGRESS)
    Order.objects.filter(pk=order.pk).update(submitted_at=timezone.now() - timedelta(days=9))
    LabTest.objects.create(practice=willow, external_id="labts_1", turnaround_days=3)
    OrderedTest.objects.create(practice=willow, order=order, external_id="ot", lab_test_id_external="labts_1")
    with connection.cursor() as cursor:  # as if somebody had held the order
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE mirror_labtest DISABLE TRIGGER expected")
        LabTest.objects.update(turnaround_days=5)
        cursor.execute("ALTER TABLE mirror_labtest ENABLE TRIGGER expected")
    assert look_over(willow) == 1
    check(willow)
    assert look_over(willow) == 0
