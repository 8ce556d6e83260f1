"""Orders and their tests. A key of the class `none` gets the plain shapes, which hold no patient."""

from __future__ import annotations

import uuid

from django.db.models import Model, Prefetch, QuerySet
from django.http import HttpRequest
from ninja import Router

from labbridge.filing.rows import money, result_state
from labbridge.handover.api import shapes
from labbridge.handover.api.auth import audit, key_of, sees_patients
from labbridge.handover.api.calls import get, one
from labbridge.handover.api.paging import Pages, Paging, page
from labbridge.handover.api.problems import Problem
from labbridge.mirror.models import (
    LabTest,
    Order,
    OrderedTest,
    Patient,
    PatientLink,
    Phase,
    Result,
    ResultState,
)
from labbridge.mirror.phases import payment_of
from labbridge.practices.apply import config_of
from labbridge.practices.models import Practice

router = Router(tags=["orders"])
RESULTED = {ResultState.RESULTED, ResultState.AMENDED}


@get(router, "orders", "orders:read", shapes.OrderPage | shapes.PlainOrderPage)
def list_orders(
    request: HttpRequest,
    paging: Paging = Pages,
    phase: Phase | None = None,
    patient_id: uuid.UUID | None = None,
) -> shapes.OrderPage | shapes.PlainOrderPage:
    """Orders in the order in which Labbridge first saw them. `patient_id` is for keys that may see patients."""
    orders = _orders(request)
    if phase is not None:
        orders = orders.filter(phase=phase)
    if not sees_patients(request):
        if patient_id is not None:
            raise Problem("phi_refused", "Asking for a patient's orders needs a key of the class phi.")
        rows, cursor = page(orders, paging)
        return shapes.PlainOrderPage(items=[_plain(row) for row in rows], next_cursor=cursor)
    if patient_id is not None:
        orders = orders.filter(patient__link__chart=patient_id)
    rows, cursor = page(orders, paging)
    audit(request, "order.search", patients=_concerned(rows), count=len(rows))
    unit = config_of(key_of(request).practice).rupa.price_unit
    return shapes.OrderPage(items=[full_order(row, unit) for row in rows], next_cursor=cursor)


@get(router, "orders/{order_id}", "orders:read", shapes.Order | shapes.PlainOrder)
def get_order(request: HttpRequest, order_id: uuid.UUID) -> shapes.Order | shapes.PlainOrder:
    order = one(_orders(request), order_id)
    if not sees_patients(request):
        return _plain(order)
    audit(request, "order.read", patients=_concerned([order]), subject=f"order:{order.pk}")
    return full_order(order, config_of(order.practice).rupa.price_unit)


@get(router, "ordered-tests", "orders:read", shapes.OrderedTestPage | shapes.PlainOrderedTestPage)
def list_ordered_tests(
    request: HttpRequest, paging: Paging = Pages, order_id: uuid.UUID | None = None
) -> shapes.OrderedTestPage | shapes.PlainOrderedTestPage:
    tests = _tests(request)
    if order_id is not None:
        tests = tests.filter(order=order_id)
    rows, cursor = page(tests, paging)
    known = _catalogue(rows)
    if not sees_patients(request):
        plain = [_plain_test(row, known) for row in rows]
        return shapes.PlainOrderedTestPage(items=plain, next_cursor=cursor)
    audit(request, "order.search", patients=_concerned([row.order for row in rows]), count=len(rows))
    return shapes.OrderedTestPage(items=[_full_test(row, known) for row in rows], next_cursor=cursor)


@get(router, "ordered-tests/{ordered_test_id}", "orders:read", shapes.OrderedTest | shapes.PlainOrderedTest)
def get_ordered_test(
    request: HttpRequest, ordered_test_id: uuid.UUID
) -> shapes.OrderedTest | shapes.PlainOrderedTest:
    test = one(_tests(request), ordered_test_id)
    if not sees_patients(request):
        return _plain_test(test, _catalogue([test]))
    audit(request, "order.read", patients=_concerned([test.order]), subject=f"ordered_test:{test.pk}")
    return _full_test(test, _catalogue([test]))


def _orders(request: HttpRequest) -> QuerySet[Order]:
    return orders_of(key_of(request).practice)


def orders_of(practice: Practice) -> QuerySet[Order]:
    """Orders with all that their shapes need."""
    results = Prefetch("ordered_tests__results", Result.objects.defer("named"))
    orders = Order.objects.filter(practice=practice).defer("notes_to_patient")
    return orders.select_related("practice", "patient__link__chart").prefetch_related(
        "ordered_tests", results
    )


def _tests(request: HttpRequest) -> QuerySet[OrderedTest]:
    tests = OrderedTest.objects.filter(practice=key_of(request).practice)
    results = Prefetch("results", Result.objects.defer("named"))
    return tests.select_related("order__patient__link__chart").prefetch_related(results)


def _state(test: OrderedTest) -> ResultState:
    return result_state(test, list(test.results.all()))


def _counts(order: Order) -> tuple[int, int]:
    """Tests on the order, and those with a result. One that was taken off counts while it has a result."""
    states = [_state(test) for test in order.ordered_tests.all() if not test.removed or test.results.all()]
    return len(states), sum(state in RESULTED for state in states)


def _plain(order: Order) -> shapes.PlainOrder:
    total, resulted = _counts(order)
    return shapes.PlainOrder(
        id=order.pk, phase=Phase(order.phase), payment_status=payment_of(order, Phase(order.phase)),
        source=order.source, is_demo=order.is_demo,
        submitted_month=f"{order.submitted_at:%Y-%m}" if order.submitted_at else None,
        tests_total=total, tests_resulted=resulted,
    )  # fmt: skip


def full_order(order: Order, unit: str) -> shapes.Order:
    total, resulted = _counts(order)
    return shapes.Order(
        id=order.pk, rupa_order_id=order.external_id, patient=_patient(order.patient),
        practitioner_name=order.practitioner_name, phase=Phase(order.phase), rupa_status=order.status,
        payment_status=payment_of(order, Phase(order.phase)), payer=order.payer,
        total_price=money(order.total_price, unit), source=order.source, request_id=order.request_id,
        is_demo=order.is_demo, submitted_at=order.submitted_at, paid_at=order.paid_at,
        completed_at=order.completed_at, canceled_at=order.canceled_at, tests_total=total, tests_resulted=resulted,
        filed_at=order.filed_at, problem=order.filing_problem or order.pull_problem,
    )  # fmt: skip


def _link(patient: Patient | None) -> PatientLink | None:
    return getattr(patient, "link", None)


def _patient(patient: Patient | None) -> shapes.PatientRef:
    link = _link(patient)
    return shapes.PatientRef(
        id=link.chart_id if link else None, patient_key=link.chart.key if link else None,
        rupa_patient_id=patient.external_id if patient else None,
    )  # fmt: skip


def _concerned(orders: list[Order]) -> list[Model]:
    """Both sides of every patient on a page, as the audit wants them."""
    found: list[Model] = []
    for order in orders:
        link = _link(order.patient)
        found += [order.patient] if order.patient else []
        found += [link.chart] if link else []
    return found


def _catalogue(tests: list[OrderedTest]) -> dict[str, LabTest]:
    if not tests:
        return {}
    wanted = {test.lab_test_id_external for test in tests}
    known = LabTest.objects.filter(practice=tests[0].practice_id, external_id__in=wanted)
    return {test.external_id: test for test in known}


def _plain_test(test: OrderedTest, known: dict[str, LabTest]) -> shapes.PlainOrderedTest:
    listed = known.get(test.lab_test_id_external)
    return shapes.PlainOrderedTest(
        id=test.pk,
        order_id=test.order_id,
        lab_test_id=listed.pk if listed else None,
        result_state=_state(test),
    )


def _full_test(test: OrderedTest, known: dict[str, LabTest]) -> shapes.OrderedTest:
    listed = known.get(test.lab_test_id_external)
    return shapes.OrderedTest(
        id=test.pk, order_id=test.order_id, rupa_ordered_test_id=test.external_id,
        lab_test_id=listed.pk if listed else None, test_name=listed.name if listed else "",
        lab_company_name=listed.lab_company_name if listed else "", result_state=_state(test),
        results_received_at=test.results_received_at, removed=test.removed, problem=test.problem,
    )  # fmt: skip
