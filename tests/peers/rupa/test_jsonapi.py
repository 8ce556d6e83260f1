from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labbridge.peers.errors import Unreadable
from labbridge.peers.rupa.jsonapi import Document, Ref, same_host

URL = "https://api.rupahealth.com/orders/?page=1"


def document(data: Any, **more: Any) -> Document:
    return Document.parse({"data": data, **more})


def test_relationships_resolve_through_included() -> None:
    read = document(
        {
            "type": "order",
            "id": "ord_1",
            "relationships": {
                "patient": {"data": {"type": "patient", "id": "pat_1"}},
                "ordered_tests": {
                    "data": [{"type": "ordered_test", "id": "a"}, {"type": "ordered_test", "id": "b"}],
                    "meta": {"count": 2},
                },
            },
        },
        included=[
            {
                "type": "ordered_test",
                "id": "b",
                "attributes": {"x": 1},
                "relationships": {"order": {"data": {"type": "order", "id": "ord_1"}}},
            }
        ],
    ).data
    assert read is not None
    first, second = read.many("ordered_tests")
    assert (first.id, first.named_only, second.id, second.attributes) == ("a", True, "b", {"x": 1})
    assert second.ref("order") == Ref("order", "ord_1")
    patient = read.one("patient")
    assert patient is not None
    assert (patient.id, patient.named_only) == ("pat_1", True)
    assert read.count("ordered_tests") == 2


@pytest.mark.parametrize(
    "relationships", [None, [], "x", {}, {"patient": None}, {"patient": {}}, {"patient": []}]
)
def test_a_missing_relationship_is_no_error(relationships: Any) -> None:
    read = document({"type": "order", "id": "ord_1", "relationships": relationships}).data
    assert read is not None
    assert read.one("patient") is None
    assert read.many("patient") == []
    assert not read.says("patient")


def test_null_relationship_is_a_statement() -> None:
    read = document({"type": "order", "id": "1", "relationships": {"patient": {"data": None}}}).data
    assert read is not None
    assert read.says("patient")
    assert read.ref("patient") is None


def test_null_and_empty_data() -> None:
    assert document(None).data is None
    assert document([]).items == []


def test_event_shape_has_object_and_included_inside_data(sample: Callable[[str], bytes]) -> None:
    read = Document.parse(sample("event_new_result"))
    assert read.data is not None
    assert read.data.id == "ord_8Rt2LmN"
    assert [one.id for one in read.data.many("ordered_tests")] == ["ordts_4kQ9sZe"]
    assert read.data.many("ordered_tests")[0].attributes["results_pdf"] is None
    assert [one.id for one in read.of_type("ordered_test")] == ["ordts_4kQ9sZe"]


def test_an_attribute_called_object_makes_no_event() -> None:
    read = document({"type": "thing", "id": "1", "object": {"type": "order", "id": "2"}}).data
    assert read is not None
    assert read.id == "1"


def test_money_is_never_a_float() -> None:
    read = Document.parse(b'{"data":{"type":"order","id":"1","attributes":{"total_price":19.99}}}').data
    assert read is not None
    assert read.attributes["total_price"] == Decimal("19.99")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"1",
        b'"x"',
        b"\xff\xfe",
        b"<html>",
        b"{'a': 1}",
        b'{"a": NaN}',
        b"[" * 100_000,
        b'{"data": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_object_is_unreadable_and_not_quoted(raw: bytes) -> None:
    with pytest.raises(Unreadable) as caught:
        Document.parse(raw)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert "html" not in str(caught.value)


@pytest.mark.parametrize("key", ["", " x", "a\nb", "\x00", 5.5, None, True, [], "x" * 201])
def test_resources_without_a_usable_id_are_left_out(key: Any) -> None:
    assert document([{"type": "order", "id": key}, {"type": "order", "id": 7}]).items[-1].id == "7"
    assert len(document([{"type": "order", "id": key}]).items) == 0


@pytest.mark.parametrize(
    ("link", "found"),
    [
        ("https://api.rupahealth.com/orders/?page=2", "https://api.rupahealth.com/orders/?page=2"),
        ("http://API.rupahealth.com:80/orders/?page=2", "https://api.rupahealth.com/orders/?page=2"),
        ("/orders/?page=2", "https://api.rupahealth.com/orders/?page=2"),
        ("?page=2", "https://api.rupahealth.com/orders/?page=2"),
        ({"href": "?page=2"}, "https://api.rupahealth.com/orders/?page=2"),
        (None, None),
        ("", None),
    ],
)
def test_next_page_stays_on_our_scheme_and_host(link: Any, found: str | None) -> None:
    assert document([], links={"next": link}).next_url(URL) == found


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/orders/",
        "//evil.example/",
        "https://api.rupahealth.com:8443/",
        "https://api.rupahealth.com@evil.example/",
        "javascript:x",
        "orders",
        "/\\evil.example",
        "https://[",
        "https://api.rupahealth.com:99999/",
    ],
)
def test_a_link_to_elsewhere_is_an_error(link: str) -> None:
    with pytest.raises(Unreadable):
        same_host(link, URL)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "data",
                    "type",
                    "id",
                    "attributes",
                    "relationships",
                    "included",
                    "object",
                    "links",
                    "next",
                    "meta",
                    "count",
                    "x",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=30,
)


@given(json_values)
def test_any_json_is_read_or_unreadable(value: Any) -> None:
    try:
        read = Document.parse(json.dumps(value).encode())
        for one in read.items:
            one.one("x"), one.many("data"), one.count("x"), one.says("x")
        assert read.total is None or isinstance(read.total, int)
        read.next_url(URL)
    except Unreadable:
        pass
