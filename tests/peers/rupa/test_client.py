from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from itertools import islice
from typing import Any

import httpx2
import pytest

from labbridge.peers.errors import (
    Conflict,
    NotFound,
    OutcomeUnknown,
    PeerError,
    Rejected,
    Unauthorized,
    Unavailable,
    Unreadable,
)
from labbridge.peers.ports import LocalMeter
from labbridge.peers.rupa.assumptions import RupaAssumptions
from labbridge.peers.rupa.client import Rupa
from labbridge.peers.rupa.spellings import Spellings

Make = Callable[..., Rupa]
ADA = {
    "first_name": "Ada",
    "last_name": "Testcase",
    "email": "ada@willow.example",
    "birthday": date(1980, 1, 2),
}
INTENT = {
    "return_url": "https://ehr.example/rupa/return/8f2",
    "metadata": {"ehr_request": "req_41"},
    "patient_id": "pat_Zk3mQ0a",
    "lab_test_ids": ["labts_9xWcR2e"],
}


def one(kind: str, key: str, **attributes: Any) -> dict[str, Any]:
    return {"data": {"type": kind, "id": key, "attributes": attributes}}


def numbered(peer: Any, count: int, size: int, **meta: Any) -> Callable[[httpx2.Request], httpx2.Response]:
    """A listing by page[number] without links."""

    def handle(request: httpx2.Request) -> httpx2.Response:
        number = int(request.url.params.get("page[number]", "1"))
        ids = [str(n) for n in range((number - 1) * size, min(number * size, count))]
        return peer.listing("patient", *ids, **meta) if ids or number == 1 else peer.answer(404, {})

    return handle


# Bearer


def test_bearer_and_media_type(make: Make, peer: Any) -> None:
    peer.on("GET /orders/ord_1/", peer.answer(200, one("order", "ord_1", status="In Progress")))
    assert make().order("ord_1").status == "In Progress"
    assert peer.requests[0].headers["authorization"] == "Bearer at-1"
    assert "application/vnd.api+json" in peer.requests[0].headers["accept"]


def test_a_401_renews_once(make: Make, peer: Any, tokens: Any) -> None:
    peer.on("GET /orders/ord_1/", peer.answer(401, {}), peer.answer(200, one("order", "ord_1")))
    assert make().order("ord_1").id == "ord_1"
    assert [request.headers["authorization"] for request in peer.requests] == ["Bearer at-1", "Bearer at-2"]
    peer.on("GET /orders/ord_2/", peer.answer(401, {}))
    with pytest.raises(Unauthorized):
        make().order("ord_2")
    assert tokens.renewed == ["at-1", "at-2"]


def test_a_write_is_sent_again_after_a_401_because_nothing_was_written(make: Make, peer: Any) -> None:
    peer.on("POST /patients/", peer.answer(401, {}), peer.answer(201, one("patient", "pat_1")))
    assert make().create_patient(ADA).id == "pat_1"


# Spellings of paths (rupa-api.md 2.1)


def test_the_slash_is_tried_first_and_the_form_that_works_is_remembered(make: Make, peer: Any) -> None:
    peer.on("GET /patients", peer.listing("patient", "pat_1"))
    peer.on("GET /patients/pat_1", peer.answer(200, one("patient", "pat_1")))
    rupa = make()
    assert [patient.id for patient in rupa.patients()] == ["pat_1"]
    assert peer.lines == ["GET /patients/", "GET /patients"]
    assert rupa.patient("pat_1").id == "pat_1"
    assert peer.lines[2:] == ["GET /patients/pat_1"]
    assert rupa.spellings.dump()["paths"] == {"patients": "patients"}


def test_kebab_and_snake(make: Make, peer: Any) -> None:
    peer.on("GET /lab-tests/", peer.listing("lab_test", "labts_1"))
    rupa = make()
    assert [test.id for test in rupa.lab_tests()] == ["labts_1"]
    assert peer.lines == ["GET /lab_tests/", "GET /lab_tests", "GET /lab-tests/"]
    again = make(spellings=Spellings.load(rupa.spellings.dump()))
    assert [test.id for test in again.lab_tests()] == ["labts_1"]
    assert peer.lines[3:] == ["GET /lab-tests/"]


def test_a_known_path_makes_a_404_about_the_item(make: Make, peer: Any) -> None:
    with pytest.raises(NotFound):
        make(spellings=Spellings({"orders": "orders/"})).order("ord_gone")
    assert peer.lines == ["GET /orders/ord_gone/"]


def test_a_known_path_that_has_moved_is_found_again(make: Make, peer: Any) -> None:
    peer.on("GET /orders", peer.listing("order", "ord_1"))
    rupa = make(spellings=Spellings({"orders": "orders/"}))
    assert [order.id for order in rupa.orders()] == ["ord_1"]
    assert rupa.spellings.known("orders") == "orders"


def test_a_redirect_to_the_slash_is_followed_with_bearer_and_remembered(make: Make, peer: Any) -> None:
    peer.on(
        "GET /patients/",
        peer.answer(301, b"", location="http://api.rupahealth.com/patients?page%5Bsize%5D=50"),
    )
    peer.on("GET /patients", peer.listing("patient", "pat_1"))
    rupa = make()
    assert [patient.id for patient in rupa.patients()] == ["pat_1"]
    assert peer.requests[1].url.scheme == "https"
    assert peer.requests[1].headers["authorization"] == "Bearer at-1"
    assert rupa.spellings.known("patients") == "patients"


def test_a_redirect_of_a_write_is_sent_whole_to_the_other_slash(make: Make, peer: Any) -> None:
    peer.on("POST /patients/", peer.answer(301, b"", location="/patients"))
    peer.on("POST /patients", peer.answer(201, one("patient", "pat_1")))
    make().create_patient(ADA)
    assert peer.requests[1].content == peer.requests[0].content != b""


@pytest.mark.parametrize("location", ["https://evil.example/patients", "//evil.example/", ""])
def test_a_redirect_to_elsewhere_gets_no_bearer(location: str, make: Make, peer: Any) -> None:
    peer.on("GET /patients/", peer.answer(302, b"", location=location))
    with pytest.raises(Unreadable):
        list(make().patients())
    assert len(peer.requests) == 1


def test_a_write_is_not_redirected_to_another_path(make: Make, peer: Any) -> None:
    peer.on("POST /patients/", peer.answer(302, b"", location="/login/"))
    with pytest.raises(Unreadable):
        make().create_patient(ADA)
    assert peer.lines == ["POST /patients/"]


def test_a_patient_endpoint_that_is_not_offered_is_not_found(make: Make, peer: Any) -> None:
    with pytest.raises(NotFound):
        make().create_patient(ADA)
    peer.on("POST /patients/", peer.answer(405, {}))
    with pytest.raises(NotFound) as caught:
        make().create_patient(ADA)
    assert caught.value.status == 405


@pytest.mark.parametrize("key", ["a/b", "../me", "a?b", "a b", "é"])
def test_an_id_is_one_segment(key: str, make: Make, peer: Any) -> None:
    with pytest.raises(NotFound):
        make().order(key)
    assert all(request.url.raw_path.startswith(b"/orders/") for request in peer.requests)
    assert all(request.url.raw_path.split(b"?")[0].strip(b"/").count(b"/") == 1 for request in peer.requests)


@pytest.mark.parametrize("key", ["", ".", ".."])
def test_dots_are_no_ids(key: str, make: Make) -> None:
    with pytest.raises(ValueError, match="not an id"):
        make().order(key)


# Parameters that Rupa may refuse (rupa-api.md 4)


def refusing(peer: Any, *names: str, naming: bool) -> Callable[[httpx2.Request], httpx2.Response]:
    def handle(request: httpx2.Request) -> httpx2.Response:
        bad = [name for name in names if name in request.url.params]
        body = (
            {"errors": [{"code": "invalid", "source": {"parameter": bad[0]} if naming else {}}]}
            if bad
            else None
        )
        return peer.answer(400, body) if bad else peer.listing("order", "ord_1")

    return handle


@pytest.mark.parametrize("naming", [True, False])
def test_refused_parameters_are_dropped_for_good(naming: bool, make: Make, peer: Any) -> None:
    peer.on("GET /orders/", refusing(peer, "sort", "include", naming=naming))
    rupa = make()
    assert [order.id for order in rupa.orders()] == ["ord_1"]
    assert not rupa.sorts_orders
    assert len(peer.requests) == 3
    assert [order.id for order in rupa.orders()] == ["ord_1"]
    assert len(peer.requests) == 4
    assert rupa.spellings.dump()["refused"] == ["orders include", "orders sort"]


def test_a_named_parameter_does_not_cost_the_others(make: Make, peer: Any) -> None:
    peer.on("GET /orders/", refusing(peer, "include", naming=True))
    rupa = make()
    list(rupa.orders())
    assert rupa.sorts_orders
    assert rupa.spellings.dump()["refused"] == ["orders include"]


def test_a_400_that_no_parameter_causes_is_raised_and_teaches_nothing(make: Make, peer: Any) -> None:
    peer.on("GET /orders/", peer.answer(400, {}))
    rupa = make()
    with pytest.raises(Rejected):
        list(rupa.orders())
    assert rupa.spellings.dump()["refused"] == []


def test_no_filter_is_ever_sent(make: Make, peer: Any) -> None:
    peer.on("GET /patients/", peer.listing("patient", "pat_1"))
    peer.on("GET /orders/", peer.listing("order", "ord_1"))
    list(make().patients()), list(make().orders())
    assert {name for request in peer.requests for name in request.url.params} == {
        "page[size]",
        "include",
        "sort",
    }


# Pages


def test_links_are_followed_verbatim_until_null(make: Make, peer: Any) -> None:
    second = "http://api.rupahealth.com/orders/?cursor=b&x=%2F"
    peer.on("GET /orders/", peer.listing("order", "a", links={"next": second}))
    peer.on("GET /orders/?cursor=b&x=%2F", peer.listing("order", "a", "b", links={"next": None}))
    assert [[order.id for order in page] for page in make().order_pages()] == [["a"], ["b"]]
    assert str(peer.requests[1].url) == second.replace("http:", "https:")


def test_pages_are_read_only_when_wanted(make: Make, peer: Any) -> None:
    peer.on("GET /orders/", peer.listing("order", "a", links={"next": "?page=2"}))
    assert [order.id for order in islice(make().orders(), 1)] == ["a"]
    assert len(peer.requests) == 1


@pytest.mark.parametrize(("count", "calls"), [(0, 1), (49, 1), (120, 3), (75, 2)])
def test_without_links_pages_are_counted(count: int, calls: int, make: Make, peer: Any) -> None:
    peer.on("GET /patients/", numbered(peer, count, 50))
    assert len(list(make().patients())) == count
    assert len(peer.requests) == calls


def test_a_full_last_page_and_a_404_behind_it_end_the_listing(make: Make, peer: Any) -> None:
    peer.on("GET /patients/", numbered(peer, 100, 50))
    assert len(list(make().patients())) == 100


def test_a_smaller_page_than_asked_is_not_the_end_when_more_are_counted(make: Make, peer: Any) -> None:
    peer.on("GET /patients/", numbered(peer, 55, 20, meta={"pagination": {"count": 55}}))
    assert len(list(make().patients())) == 55
    assert len(peer.requests) == 3


def test_a_peer_that_ignores_page_numbers_ends_the_listing(make: Make, peer: Any) -> None:
    peer.on("GET /patients/", peer.listing("patient", *map(str, range(50))))
    assert len(list(make().patients())) == 50
    assert len(peer.requests) == 2


def test_a_link_to_itself_ends_and_an_endless_list_is_an_error(make: Make, peer: Any) -> None:
    counter = iter(range(1000))
    peer.on(
        "GET /orders/",
        lambda _: peer.listing("order", str(next(counter)), links={"next": f"?page={next(counter)}"}),
    )
    with pytest.raises(Unreadable) as caught:
        list(make(assumptions=RupaAssumptions(max_pages=5)).orders())
    assert caught.value.code == "too_many_pages"
    assert len(peer.requests) <= 6


def test_a_next_page_elsewhere_is_an_error_not_an_end(make: Make, peer: Any) -> None:
    peer.on("GET /orders/", peer.listing("order", "a", links={"next": "https://evil.example/orders/?page=2"}))
    with pytest.raises(Unreadable):
        list(make().orders())


# Order intents


def test_create_an_intent_in_json_api(make: Make, peer: Any, sample: Callable[[str], bytes]) -> None:
    peer.on("POST /order-intents/", peer.answer(201, sample("order_intent_answer")))
    intent = make().create_order_intent(INTENT)
    assert intent.checkout_url == "https://labs.rupahealth.com/order-intents/ordin_T5hYb1u"
    assert json.loads(peer.requests[0].content) == json.loads(sample("order_intent_request"))
    assert peer.requests[0].headers["content-type"] == "application/vnd.api+json"


def test_create_an_intent_as_rupa_js_does(make: Make, peer: Any, sample: Callable[[str], bytes]) -> None:
    peer.on("POST /order-intents/", peer.answer(200, sample("order_intent_flat_answer")))
    rupa = make(assumptions=RupaAssumptions(wire_format="flat"))
    assert rupa.create_order_intent(INTENT).id == "ordin_T5hYb1u"
    assert json.loads(peer.requests[0].content) == {
        "return_url": INTENT["return_url"],
        "metadata": INTENT["metadata"],
        "patient": "pat_Zk3mQ0a",
        "lab_tests": ["labts_9xWcR2e"],
    }
    assert peer.requests[0].headers["content-type"] == "application/json"


@pytest.mark.parametrize("changes", [{"return_url": ""}, {"patient_id": None}, {"patient": ADA}])
def test_half_an_intent_is_our_own_mistake(changes: dict[str, Any], make: Make, peer: Any) -> None:
    with pytest.raises(ValueError, match="return_url"):
        make().create_order_intent({**INTENT, **changes})
    assert peer.requests == []


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.ReadTimeout("x"),
        httpx2.Response(503),
        httpx2.Response(500),
        httpx2.Response(200, content=b"<html>", headers={"content-type": "text/html"}),
        httpx2.Response(200, content=b"{}"),
        httpx2.Response(204),
    ],
)
def test_a_create_without_a_usable_answer_is_an_open_outcome_and_never_repeated(
    answer: Any, make: Make, peer: Any
) -> None:
    peer.on("POST /order-intents/", answer)
    with pytest.raises(OutcomeUnknown):
        make().create_order_intent(INTENT)
    assert len(peer.requests) == 1


def test_a_refused_connection_is_tried_again(make: Make, peer: Any, sample: Callable[[str], bytes]) -> None:
    peer.on("POST /order-intents/", httpx2.ConnectError("x"), peer.answer(201, sample("order_intent_answer")))
    assert make().create_order_intent(INTENT).id == "ordin_T5hYb1u"


def test_find_an_intent_by_its_metadata(make: Make, peer: Any) -> None:
    intents = [
        {"type": "order_intent", "id": f"ordin_{n}", "attributes": {"metadata": {"ehr_request": f"req_{n}"}}}
        for n in range(3)
    ]
    peer.on(
        "GET /order-intents/", peer.answer(200, {"data": [*intents, {"type": "order_intent", "id": "bare"}]})
    )
    found = make().find_order_intent("ehr_request", "req_1")
    assert found is not None
    assert found.id == "ordin_1"
    assert make().find_order_intent("ehr_request", "req_9") is None


def test_a_listing_that_is_not_there_does_not_mean_that_no_intent_is(make: Make) -> None:
    with pytest.raises(NotFound):
        make().find_order_intent("ehr_request", "req_1")


# The other nouns


def test_me_from_its_path_or_as_the_only_one_listed(make: Make, peer: Any) -> None:
    peer.on("GET /practitioners/", peer.listing("practitioner", "pra_1"))
    assert make().me().id == "pra_1"
    peer.on("GET /practitioners/", peer.listing("practitioner", "pra_1", "pra_2"))
    with pytest.raises(NotFound):
        make().me()
    peer.on("GET /practitioners/me/", peer.answer(200, one("practitioner", "pra_2")))
    assert make().me().id == "pra_2"


def test_patient_update_sends_only_what_is_named(make: Make, peer: Any) -> None:
    peer.on("PATCH /patients/pat_1/", peer.answer(200, one("patient", "pat_1", last_name="Other")))
    assert make().update_patient("pat_1", {"last_name": "Other", "phone": None}).last_name == "Other"
    assert json.loads(peer.requests[0].content) == {
        "data": {"type": "patient", "id": "pat_1", "attributes": {"last_name": "Other", "phone_number": None}}
    }
    peer.on("PATCH /patients/pat_1/", peer.answer(204))
    peer.on("GET /patients/pat_1/", peer.answer(200, one("patient", "pat_1", last_name="Read")))
    assert make().update_patient("pat_1", {"last_name": "Read"}).last_name == "Read"


def test_a_taken_email_is_a_conflict(make: Make, peer: Any) -> None:
    peer.on(
        "POST /patients/", peer.answer(409, {"errors": [{"source": {"pointer": "/data/attributes/email"}}]})
    )
    with pytest.raises(Conflict) as caught:
        make().create_patient(ADA)
    assert caught.value.fields == ("email",)


@pytest.mark.parametrize(
    ("body", "expires"),
    [
        ({"publishable_key": "pk_1", "expires_in": 60}, True),
        ({"key": "pk_1", "expires_at": "2031-02-03T18:01:00Z"}, True),
        ({"data": {"type": "publishable_key", "id": "x", "attributes": {"key": "pk_1"}}}, False),
    ],
)
def test_publishable_key(body: Any, expires: bool, make: Make, peer: Any) -> None:
    peer.on("POST /publishable-keys/", peer.answer(201, body))
    key = make().publishable_key()
    assert (key.key, key.expires_at is not None) == ("pk_1", expires)
    assert "pk_1" not in repr(key)


def test_no_publishable_key_is_not_found(make: Make) -> None:
    with pytest.raises(NotFound):
        make().publishable_key()


@pytest.mark.parametrize("body", [{"data": None}, {"data": []}, {"data": {"id": "1"}}, {"data": "x"}, []])
def test_an_answer_without_the_thing_is_unreadable(body: Any, make: Make, peer: Any) -> None:
    peer.on("GET /orders/ord_1/", peer.answer(200, body))
    with pytest.raises(Unreadable):
        make().order("ord_1")


def test_a_maintenance_page_passes(make: Make, peer: Any) -> None:
    peer.on("GET /orders/ord_1/", peer.answer(200, b"<html>Zebulon", content_type="text/html"))
    with pytest.raises((Unavailable, Unreadable)) as caught:
        make().order("ord_1")
    assert "Zebulon" not in repr(caught.value)


def test_reads_are_tried_again_and_every_try_is_counted(make: Make, peer: Any) -> None:
    peer.on("GET /orders/ord_1/", peer.answer(503, {}), peer.answer(200, one("order", "ord_1")))
    meter = LocalMeter()
    assert make(meter=meter, purpose="sweep").order("ord_1").id == "ord_1"
    assert meter.calls == {"sweep": 2}


def test_no_error_holds_what_was_sent(make: Make, peer: Any) -> None:
    peer.on(
        "POST /patients/", peer.answer(400, {"errors": [{"detail": "ada@willow.example", "code": "invalid"}]})
    )
    with pytest.raises(PeerError) as caught:
        make().create_patient(ADA)
    told = f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"
    for hidden in ("ada@", "Testcase", "1980", "at-1"):
        assert hidden not in told
