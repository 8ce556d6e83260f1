from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labbridge.peers.rupa import types, wire
from labbridge.peers.rupa.jsonapi import Document, Resource
from labbridge.peers.rupa.types import (
    LabTestSnapshot,
    OrderIntentSnapshot,
    OrderSnapshot,
    PatientSnapshot,
    PractitionerSnapshot,
    intent_document,
    intent_flat,
    patient_attributes,
)

KINDS = [
    OrderSnapshot,
    PatientSnapshot,
    PractitionerSnapshot,
    LabTestSnapshot,
    OrderIntentSnapshot,
    types.LabCompanySnapshot,
    types.OrderedTestSnapshot,
]


def resource(kind: str, attributes: dict[str, Any], relationships: dict[str, Any] | None = None) -> Resource:
    body = {
        "data": {"type": kind, "id": "x_1", "attributes": attributes, "relationships": relationships or {}}
    }
    found = Document.parse(json.dumps(body).encode()).data
    assert found is not None
    return found


def primary(raw: bytes) -> Resource:
    found = Document.parse(raw).data
    assert found is not None
    return found


def test_order_of_the_documented_event(sample: Callable[[str], bytes]) -> None:
    order = OrderSnapshot.read(primary(sample("event_new_result")))
    assert order.id == "ord_8Rt2LmN"
    assert (order.status, order.payer, order.total_price) == ("In Progress", "patient", Decimal(0))
    assert order.submitted_at == datetime(2030, 7, 19, 15, 30, 0, 654321, UTC)
    assert order.paid_at == datetime(2031, 1, 20, 17, 0, tzinfo=UTC)
    assert (order.patient_id, order.practitioner_ids) == ("pat_Zk3mQ0a", ("pra_Lw7Vd3x", "pra_Lw7Vd3x"))
    assert order.order_intent_id == "ordin_T5hYb1u"
    (test,) = order.ordered_tests
    assert (test.id, test.lab_test_id) == ("ordts_4kQ9sZe", "labts_9xWcR2e")
    assert test.results_received_at == datetime(2031, 2, 3, 18, 14, 59, 123456, UTC)
    assert {"results_pdf", "results_hl7", "lab_test_id"} <= test.present


def test_absent_null_and_unreadable_are_three_things() -> None:
    order = OrderSnapshot.read(
        resource("order", {"date_paid": None, "date_completed": "soon", "is_demo": "yes"})
    )
    assert "paid_at" in order.present
    assert order.paid_at is None
    assert "submitted_at" not in order.present
    assert "completed_at" not in order.present
    assert set(order.unreadable_fields) == {"completed_at", "is_demo"}


def test_tests_count_as_stated_only_when_all_are_named() -> None:
    linkage = [{"type": "ordered_test", "id": "a"}]
    whole = OrderSnapshot.read(
        resource("order", {}, {"ordered_tests": {"data": linkage, "meta": {"count": 1}}})
    )
    cut = OrderSnapshot.read(
        resource("order", {}, {"ordered_tests": {"data": linkage, "meta": {"count": 2}}})
    )
    silent = OrderSnapshot.read(resource("order", {}))
    assert "ordered_tests" in whole.present
    assert whole.ordered_tests[0].present == frozenset()
    assert "ordered_tests" not in cut.present
    assert len(cut.ordered_tests) == 1
    assert "ordered_tests" not in silent.present


def test_unknown_attributes_do_not_matter() -> None:
    order = OrderSnapshot.read(resource("order", {"status": "Kit On The Moon", "tracking": {"a": [1]}}))
    assert (order.status, order.unreadable_fields) == ("Kit On The Moon", ())


@pytest.mark.parametrize(
    ("wired", "found"), [(0, "0"), (199, "199"), (19.99, "19.99"), ("19.990", "19.990"), ("-5", "-5")]
)
def test_amounts_from_numbers_and_strings(wired: object, found: str) -> None:
    price = OrderSnapshot.read(resource("order", {"total_price": wired})).total_price
    assert price == Decimal(found)
    assert str(price) == found


@pytest.mark.parametrize("wired", [True, "1e400", "12,5", "", "NaN", [], {}, "$5", 10**30])
def test_what_is_no_amount_is_named_not_raised(wired: object) -> None:
    assert OrderSnapshot.read(resource("order", {"total_price": wired})).unreadable_fields == ("total_price",)


def test_gigantic_exponents_cost_nothing() -> None:
    attributes = b'{"total_price":1e999999999,"metadata":{"a":1e999999999}}'
    order = OrderSnapshot.read(
        primary(b'{"data":{"type":"order","id":"1","attributes":' + attributes + b"}}")
    )
    assert order.unreadable_fields == ("total_price",)
    assert json.dumps(order.metadata)


@pytest.mark.parametrize(
    ("written", "hour", "micro"),
    [
        ("2031-02-03T10:15:00-08:00", 18, 0),
        ("2031-02-03T10:15:00.5-0700", 17, 500000),
        ("2031-02-03T10:15:00.123456789Z", 10, 123456),
        ("2031-02-03 10:15:00+00:00", 10, 0),
    ],
)
def test_times_become_utc(written: str, hour: int, micro: int) -> None:
    assert wire.moment(written) == datetime(2031, 2, 3, hour, 15, 0, micro, UTC)


@pytest.mark.parametrize(
    "written",
    [
        "2031-02-03T10:15:00",
        "2031-02-30T10:15:00Z",
        "2031-02-03",
        "",
        5,
        None,
        "0001-01-01T00:00:00+14:00",
        "\u0662031-02-03T10:15:00Z",
    ],
)
def test_times_without_a_zone_or_sense_are_refused(written: object) -> None:
    with pytest.raises((ValueError, OverflowError)):
        wire.moment(written)


def test_metadata_is_looked_for_in_the_intent_too() -> None:
    body = {
        "data": {
            "type": "order",
            "id": "1",
            "relationships": {"order_intent": {"data": {"type": "order_intent", "id": "i"}}},
        },
        "included": [
            {"type": "order_intent", "id": "i", "attributes": {"metadata": {"ehr_request": "req_41"}}}
        ],
    }
    order = OrderSnapshot.read(primary(json.dumps(body).encode()))
    assert order.metadata == {"ehr_request": "req_41"}
    assert "metadata" in order.present


def test_included_patient_and_lab_tests_come_along() -> None:
    body = {
        "data": {
            "type": "order",
            "id": "1",
            "relationships": {
                "patient": {"data": {"type": "patient", "id": "p"}},
                "ordered_tests": {"data": [{"type": "ordered_test", "id": "t"}]},
            },
        },
        "included": [
            {"type": "patient", "id": "p", "attributes": {"first_name": "Ada", "birthday": "1980-01-02"}},
            {
                "type": "ordered_test",
                "id": "t",
                "relationships": {"lab_test": {"data": {"type": "lab_test", "id": "l"}}},
            },
            {
                "type": "lab_test",
                "id": "l",
                "attributes": {"name": "Invented Panel"},
                "relationships": {"lab_company": {"data": {"type": "lab_company", "id": "c"}}},
            },
            {"type": "lab_company", "id": "c", "attributes": {"name": "Sample Lab"}},
        ],
    }
    order = OrderSnapshot.read(primary(json.dumps(body).encode()))
    assert order.patient is not None
    assert order.patient.birthday == date(1980, 1, 2)
    lab_test = order.ordered_tests[0].lab_test
    assert lab_test is not None
    assert lab_test.lab_company is not None
    assert (lab_test.name, lab_test.lab_company.name) == ("Invented Panel", "Sample Lab")


def test_nothing_of_a_patient_shows_in_a_repr() -> None:
    attributes = {
        "first_name": "Zebulon",
        "last_name": "Quagmire",
        "email": "zq@willow.example",
        "birthday": "1980-01-02",
        "phone_number": "+15555550100",
        "gender": "F",
        "shipping_address": {"street": "Elmway", "city": "Testville", "state": "CA", "zipcode": "00001"},
    }
    shown = repr(PatientSnapshot.read(resource("patient", attributes)))
    for hidden in ("Zebulon", "Quagmire", "zq@", "1980", "555", "Elmway", "Testville", "00001"):
        assert hidden not in shown


def test_shipping_address_null_states_all_four_and_absence_none() -> None:
    null = PatientSnapshot.read(resource("patient", {"shipping_address": None}))
    part = PatientSnapshot.read(
        resource("patient", {"shipping_address": {"city": "Testville", "zipcode": 1}})
    )
    assert {"street", "city", "state", "zipcode"} <= null.present
    assert (part.city, part.zipcode, "street" in part.present) == ("Testville", "1", False)
    assert not {"street", "city"} & PatientSnapshot.read(resource("patient", {})).present


def test_practitioner_with_boolean_or_worded_states() -> None:
    read = PractitionerSnapshot.read(
        resource(
            "practitioner",
            {
                "titled_full_name": "Dr. Ada Testcase",
                "verification_status": True,
                "ordering_authorization_status": "approved",
            },
            {"clinic": {"data": {"type": "clinic", "id": "c_1"}}},
        )
    )
    assert (read.full_name, read.verification_status, read.clinic_id) == ("Dr. Ada Testcase", "true", "c_1")


def test_lab_test() -> None:
    read = LabTestSnapshot.read(
        resource(
            "lab_test",
            {
                "name": "Invented Panel",
                "rupa_price": "299.00",
                "estimated_days_for_results": 14,
                "is_addon": True,
                "disabled": False,
                "unavailable_reason": "",
            },
            {
                "parent": {"data": {"type": "lab_test", "id": "labts_p"}},
                "lab_company": {"data": {"type": "lab_company", "id": "lc"}},
            },
        )
    )
    assert (read.price, read.turnaround_days, read.is_addon, read.available) == (
        Decimal("299.00"),
        14,
        True,
        True,
    )
    assert (read.parent_test_id, read.lab_company_id) == ("labts_p", "lc")


def test_text_that_no_database_keeps_is_cleaned() -> None:
    raw = b'{"data":{"type":"order","id":"1","attributes":{"status":"a\\u0000b\\ud800c"}}}'
    assert OrderSnapshot.read(primary(raw)).status == "ab?c"


def test_intents_in_both_wire_formats(sample: Callable[[str], bytes]) -> None:
    server = OrderIntentSnapshot.read_answer(Document.parse(sample("order_intent_answer")))
    flat = OrderIntentSnapshot.read_answer(Document.parse(sample("order_intent_flat_answer")))
    assert server is not None
    assert flat is not None
    assert (server.id, server.checkout_url) == (flat.id, flat.checkout_url)
    assert (server.patient_id, server.lab_test_ids, server.order_id) == (
        "pat_Zk3mQ0a",
        ("labts_9xWcR2e",),
        None,
    )
    assert "order_id" in server.present
    assert "order_id" not in flat.present
    assert OrderIntentSnapshot.read_answer(Document.parse(b"{}")) is None


def test_what_we_send_is_what_is_documented(sample: Callable[[str], bytes]) -> None:
    common = {
        "return_url": "https://ehr.example/rupa/return/8f2",
        "metadata": {"ehr_request": "req_41"},
        "lab_test_ids": ["labts_9xWcR2e"],
    }
    person: types.PatientData = {
        "first_name": "Ada",
        "last_name": "Testcase",
        "email": "ada@willow.example",
        "phone": "+15555550100",
        "birthday": date(1980, 1, 2),
        "gender": "F",
        "street": "1 Sample Street",
        "city": "Testville",
        "state": "CA",
        "zipcode": "00001",
    }
    assert intent_document({**common, "patient_id": "pat_Zk3mQ0a"}) == json.loads(
        sample("order_intent_request")
    )
    assert intent_flat({**common, "patient": person}) == json.loads(sample("order_intent_flat_request"))


def test_patient_write_tells_left_out_from_cleared() -> None:
    assert patient_attributes({"first_name": "Ada"}) == {"first_name": "Ada"}
    assert patient_attributes({"phone": None}) == {"phone_number": None}
    assert patient_attributes({"street": None, "city": None}) == {"shipping_address": None}


# Re-serialising what was read must lose nothing that we name.

TABLES: list[tuple[str, Any, tuple[Any, ...]]] = [
    ("event_new_result", OrderSnapshot, (types.ORDER,)),
    ("event_pending_payment", OrderSnapshot, (types.ORDER,)),
    ("order_intent_answer", OrderIntentSnapshot, (types.ORDER_INTENT,)),
]


@pytest.mark.parametrize(("name", "kind", "tables"), TABLES)
def test_a_sample_passes_through_unchanged(
    name: str, kind: Any, tables: tuple[Any, ...], sample: Callable[[str], bytes]
) -> None:
    document = Document.parse(sample(name))
    assert document.raw == json.loads(sample(name))
    read = document.data
    assert read is not None
    snapshot = kind.read(read)
    assert snapshot.unreadable_fields == ()
    again = kind.model_validate_json(snapshot.model_dump_json())
    assert again == snapshot
    named = {theirs: ours for table in tables for ours, _, all_theirs in table for theirs in all_theirs}
    for theirs, value in read.attributes.items():
        assert theirs in named, f"{theirs} of the documented sample is not taken"
        assert as_wired(getattr(again, named[theirs])) == as_wired(value)


def as_wired(value: Any) -> Any:
    if isinstance(value, str) and value[:2] == "20" and "T" in value:
        return wire.moment(value)
    return list(value) if isinstance(value, tuple) else value


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
WIRE_NAMES = sorted(
    {
        theirs
        for table in (
            types.ORDER,
            types.PATIENT,
            types.PRACTITIONER,
            types.LAB_TEST,
            types.LAB_COMPANY,
            types.ORDERED_TEST,
            types.ORDER_INTENT,
        )
        for _, _, all_theirs in table
        for theirs in all_theirs
    }
    | {"shipping_address"}
)


@given(st.dictionaries(st.sampled_from(WIRE_NAMES), json_values), st.sampled_from(KINDS))
def test_no_attribute_can_make_a_snapshot_fail(attributes: dict[str, Any], kind: Any) -> None:
    snapshot = kind.read(resource("x", attributes))
    assert not set(snapshot.unreadable_fields) & snapshot.present
    assert kind.model_validate_json(snapshot.model_dump_json()) == snapshot
