"""Every call of the machine API, by the generated client: what it answers, to whom, and what the audit says."""

from __future__ import annotations

import importlib
import pkgutil
import threading
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from labbridge.handover import keys
from labbridge.handover.api import shapes
from labbridge.handover.api.urls import api as ninja_api
from labbridge.handover.models import ApiKey, KeptCall
from labbridge.mirror.models import Order, Result, ReviewCase, StoredFile
from labbridge.trust.audit import ACTIONS, LOOKS, pseudonym
from labbridge.trust.models import AuditEntry
from tests.handover.conftest import PDF
from tests.handover.machine import OPERATOR, connect

pytestmark = pytest.mark.django_db

LISTS = (
    "list_lab_companies", "list_lab_tests", "list_ledger", "list_alerts", "list_patients", "list_orders",
    "list_ordered_tests", "list_results", "list_order_requests", "list_review_cases",
)  # fmt: skip
ONES = {
    "get_lab_test": "lab_test_id", "get_ledger_row": "seq", "get_alert": "alert_id", "get_patient": "patient_id",
    "get_order": "order_id", "get_ordered_test": "ordered_test_id", "get_result": "result_id",
    "list_result_values": "result_id", "get_order_request": "request_id", "get_review_case": "case_id",
}  # fmt: skip
DOING = {
    "make_file_address": "result_id", "sync_patient": "patient_id", "decide_review_case": "case_id",
}  # fmt: skip
OTHER = {"get_health", "look_up_patient", "create_order_request", "get_file"}


FILTERS = (
    ("list_results", "order_id"), ("list_results", "ordered_test_id"), ("list_ordered_tests", "order_id"),
    ("list_orders", "patient_id"),
)  # fmt: skip


def call(name: str) -> Any:
    """The generated module of one call."""
    import labbridge_client.api as parts

    for part in pkgutil.iter_modules(parts.__path__):
        package = importlib.import_module(f"{parts.__name__}.{part.name}")
        if name in {module.name for module in pkgutil.iter_modules(package.__path__)}:
            return importlib.import_module(f"{package.__name__}.{name}")
    raise KeyError(name)


def detailed(client: Any, name: str, *args: Any, **more: Any) -> Any:
    return call(name).sync_detailed(*args, client=client, **more)


def arguments(name: str) -> dict[str, Any]:
    from labbridge_client.models.decision import Decision
    from labbridge_client.models.decision_action import DecisionAction

    once = {"idempotency_key": uuid.uuid4().hex}
    return {
        "make_file_address": {},
        "sync_patient": once,
        "decide_review_case": {**once, "body": Decision(action=DecisionAction.NOT_THE_SAME)},
    }[name]


def test_the_tables_above_name_every_call():
    document = ninja_api.get_openapi_schema()
    named = {one["operationId"] for methods in document["paths"].values() for one in methods.values()}
    assert named == {*LISTS, *ONES, *DOING, *OTHER}


def test_lists_hold_what_is_ours(willow: Any, birch: Any, key: Any, api: Any, things: Any):
    things(willow)
    things(birch)
    client = api(key(willow))
    for name in LISTS:
        answer = detailed(client, name)
        assert answer.status_code == 200, name
        assert len(answer.parsed.items) == 1, name
        assert "birch" not in answer.content.decode(), name
        assert answer.headers["Cache-Control"] == "no-store", name


def test_each_thing_by_its_id(willow: Any, key: Any, api: Any, things: Any):
    ids = things(willow)
    client = api(key(willow))
    for name, which in ONES.items():
        answer = detailed(client, name, ids[which])
        assert answer.status_code == 200, name
        assert str(ids[which]) in answer.content.decode(), name
    health = call("get_health").sync(client=client)
    assert (health.practice, health.status.value, health.alerts_open) == ("willow", "attention", 1)


def test_no_id_of_another_practice_is_known(willow: Any, birch: Any, key: Any, api: Any, things: Any):
    """Every id of willow with a key of birch answers as an id that nobody has; nothing is changed or recorded."""
    ids = things(willow)
    client = api(key(birch))
    for name, which in {**ONES, **DOING}.items():
        more = arguments(name) if name in DOING else {}
        theirs = detailed(client, name, ids[which], **more)
        nobody = detailed(client, name, 999 if isinstance(ids[which], int) else uuid.uuid4(), **more)
        assert theirs.status_code == 404, name
        assert theirs.content == nobody.content, name
    for name, which in FILTERS:
        assert detailed(client, name, **{which: ids[which]}).parsed.items == [], name
    look_up = call("look_up_patient")
    for question in ({"patient_key": "P-willow"}, {"rupa_patient_id": "pat_willow"}):
        answer = look_up.sync_detailed(client=client, body=_question(**question))
        assert answer.status_code == 404
    assert not AuditEntry.objects.filter(practice="willow", actor_kind="key").exists()
    assert not KeptCall.objects.exists()


def _question(**given: str) -> Any:
    from labbridge_client.models.patient_question import PatientQuestion

    return PatientQuestion(**given)


def test_a_patient_is_looked_up_without_an_address(willow: Any, key: Any, api: Any, things: Any):
    ids = things(willow)
    client = api(key(willow))
    for question in ({"patient_key": "P-willow"}, {"rupa_patient_id": "pat_willow"}):
        found = call("look_up_patient").sync(client=client, body=_question(**question))
        assert found.id == ids["patient_id"]
    both = call("look_up_patient").sync_detailed(
        client=client, body=_question(patient_key="P-willow", rupa_patient_id="pat_willow")
    )
    assert both.status_code == 422


# -- patient data ------------------------------------------------------------------------------------------------

LOOKED = {
    "list_patients": "patient.search", "get_patient": "patient.read", "list_orders": "order.search",
    "get_order": "order.read", "list_ordered_tests": "order.search", "get_ordered_test": "order.read",
    "list_results": "result.read", "get_result": "result.read", "list_result_values": "result.read",
    "list_order_requests": "order.search", "get_order_request": "order.read", "list_review_cases": "case.list",
    "get_review_case": "case.read",
}  # fmt: skip


def test_every_look_at_a_patient_is_recorded_with_the_keys_name(willow: Any, key: Any, api: Any, things: Any):
    ids = things(willow)
    client = api(key(willow, name="night report"))
    order = Order.objects.get()
    for name, action in LOOKED.items():
        before = AuditEntry.objects.count()
        detailed(client, name, *([ids[ONES[name]]] if name in ONES else []))
        (entry,) = AuditEntry.objects.order_by("id")[before:]
        assert (entry.action, entry.actor_name, entry.practice) == (action, "night report", "willow"), name
        assert (entry.actor_kind, entry.source) == ("key", "127.0.0.1")
        assert ACTIONS[entry.action].kind in LOOKS
        assert {pseudonym(order.patient), pseudonym(order.patient.link.chart)} <= set(entry.patients), name


def test_what_cannot_be_recorded_is_not_told(
    willow: Any, key: Any, api: Any, things: Any, monkeypatch: pytest.MonkeyPatch
):
    ids = things(willow)
    client = api(key(willow))

    def refuse(*_args: Any, **_kwargs: Any) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(AuditEntry, "save", refuse)
    answer = detailed(client, "get_order", ids["order_id"])
    assert answer.status_code == 500
    assert "willow" not in answer.content.decode()
    assert "full" not in answer.content.decode()


#: All that a key of the class `none` can ever be told: one name more fails here, and is then thought about.
PLAIN = {
    shapes.PlainOrder: {
        "shape", "id", "phase", "payment_status", "source", "is_demo", "submitted_month", "tests_total",
        "tests_resulted",
    },
    shapes.PlainOrderedTest: {"shape", "id", "order_id", "lab_test_id", "result_state"},
    shapes.LabCompany: None, shapes.LabTest: None, shapes.Health: None, shapes.ConnectionHealth: None,
    shapes.LedgerRow: None, shapes.Alert: None,
}  # fmt: skip


def test_plain_shapes_are_a_closed_list():
    known = {one for one in vars(shapes).values() if isinstance(one, type) and issubclass(one, shapes.Plain)}
    assert known - {shapes.Plain} == PLAIN.keys()
    for shape, fields in PLAIN.items():
        if fields is not None:
            assert shape.model_fields.keys() == fields
        assert not {"patient", "patient_id", "patient_key", "rupa_patient_id"} & shape.model_fields.keys()


def test_a_key_of_class_none_is_told_nothing_of_a_patient(willow: Any, key: Any, things: Any, client: Client):
    """Planted in every field: none of it comes out, whatever such a key asks for."""
    ids = things(willow)
    asked = {"Authorization": f"Bearer {key(willow, phi='none')}"}
    answers = {}
    for address in ninja_api.get_openapi_schema()["paths"]:
        if "get" not in ninja_api.get_openapi_schema()["paths"][address]:
            continue
        filled = address
        for which, value in ids.items():
            filled = filled.replace("{" + which + "}", str(value))
        answers[address] = client.get(filled.replace("{token}", "x"), headers=asked)
    assert answers["/api/v1/orders"].json()["items"][0].keys() == PLAIN[shapes.PlainOrder]
    assert answers["/api/v1/orders/{order_id}"].json()["shape"] == "plain"
    assert answers["/api/v1/ordered-tests"].json()["items"][0]["shape"] == "plain"
    for name in ("patients", "results", "order-requests", "review-cases"):
        assert answers[f"/api/v1/{name}"].status_code == 403
    everything = "".join(answer.content.decode() for answer in answers.values())
    for planted in ("P-willow", "pat_willow", "ord_willow", "ot_willow", "Testa", "Ada Sampledoctor", "a note",
                    "Cortisol", "5.4", str(ids["patient_id"]), f"{timezone.now():%Y-%m-%d}T00:00:00"):  # fmt: skip
        assert planted not in everything, planted
    refused = client.get(f"/api/v1/orders?patient_id={ids['patient_id']}", headers=asked)
    assert refused.status_code == 403
    assert not AuditEntry.objects.filter(action__in=("order.read", "order.search")).exists()


# -- files -------------------------------------------------------------------------------------------------------


def test_a_file_by_its_short_lived_address(willow: Any, key: Any, api: Any, things: Any, client: Client):
    ids = things(willow)
    made = detailed(api(key(willow, name="archive")), "make_file_address", ids["result_id"]).parsed
    assert made.expires_at - timezone.now() < timedelta(minutes=6)
    address = made.url.removeprefix("http://127.0.0.1:8000")
    got = client.get(address)
    assert (got.status_code, got.content, got["Content-Type"]) == (200, PDF, "application/pdf")
    assert got["Cache-Control"] == "no-store"
    (entry,) = AuditEntry.objects.filter(action="result.read")
    assert (entry.actor_name, entry.detail["part"]) == ("archive", "file")
    for wrong in (address[:-1], address + "x", address.replace("files/", "files/x")):
        assert client.get(wrong).status_code == 404
    keys.revoke(willow, "archive", actor=OPERATOR)
    assert client.get(address).status_code == 404


def test_an_old_address_is_dead(
    willow: Any, key: Any, api: Any, things: Any, client: Client, monkeypatch: pytest.MonkeyPatch
):
    from labbridge.handover.api import results

    ids = things(willow)
    made = detailed(api(key(willow)), "make_file_address", ids["result_id"]).parsed
    monkeypatch.setattr(results, "LIFE", timedelta(seconds=-1))
    assert client.get(made.url.removeprefix("http://127.0.0.1:8000")).status_code == 404


def test_a_withheld_result_gives_out_nothing(willow: Any, key: Any, api: Any, things: Any, client: Client):
    ids = things(willow)
    one = api(key(willow))
    address = detailed(one, "make_file_address", ids["result_id"]).parsed.url
    Result.objects.update(withheld=True)
    assert detailed(one, "get_result", ids["result_id"]).parsed.withheld is True
    for name in ("make_file_address", "list_result_values"):
        answer = detailed(one, name, ids["result_id"])
        assert (answer.status_code, answer.parsed.code) == (409, "withheld")
    assert client.get(address.removeprefix("http://127.0.0.1:8000")).status_code == 409


def test_a_removed_file_says_so(willow: Any, key: Any, api: Any, things: Any):
    ids = things(willow)
    StoredFile.objects.update(emptied_at=timezone.now())
    answer = detailed(api(key(willow)), "make_file_address", ids["result_id"])
    assert (answer.status_code, answer.parsed.code) == (410, "removed")


# -- pages, tags, mistakes ---------------------------------------------------------------------------------------


def test_pages_neither_skip_nor_repeat_while_rows_come_and_go(willow: Any, key: Any, api: Any):
    client = api(key(willow, per_minute=600))
    made = [Order.objects.create(practice=willow, external_id=f"ord_{number}") for number in range(7)]
    expected = [one.pk for one in made]
    seen: list[uuid.UUID] = []
    cursor = ""
    while True:
        page = call("list_orders").sync(client=client, limit=2, cursor=cursor)
        seen += [one.id for one in page.items]
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
        if len(seen) == 2:
            made[0].delete()  # a row on a page that was read already
            expected.append(Order.objects.create(practice=willow, external_id="ord_new").pk)
    assert seen == expected
    assert len(set(seen)) == 8


@pytest.mark.parametrize("cursor", ["x", "AAAA", "____________", "ÿ", "/////////////////////w", "A" * 100])
@pytest.mark.parametrize("where", ["orders", "lab-tests"])
def test_a_cursor_of_somebody_elses_making(willow: Any, key: Any, client: Client, where: str, cursor: str):
    answer = client.get(
        f"/api/v1/{where}", {"cursor": cursor}, headers={"Authorization": f"Bearer {key(willow)}"}
    )
    assert answer.status_code in {200, 422}
    assert "next_cursor" in answer.json() or answer.json()["code"] == "unacceptable"


def test_what_has_not_changed_is_not_sent_again(willow: Any, key: Any, client: Client, things: Any):
    ids = things(willow)
    asked = {"Authorization": f"Bearer {key(willow)}"}
    address = f"/api/v1/orders/{ids['order_id']}"
    tag = client.get(address, headers=asked)["ETag"]
    for given in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = client.get(address, headers={**asked, "If-None-Match": given})
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", tag)
        assert "RateLimit-Remaining" in again
    Order.objects.update(phase="canceled")
    changed = client.get(address, headers={**asked, "If-None-Match": tag})
    assert changed.status_code == 200
    assert changed["ETag"] != tag


@pytest.mark.parametrize(
    ("method", "address", "status"),
    [
        ("get", "/api/v1/nothing", 404), ("get", "/api/v1/", 404), ("get", "/api/v1/orders/not-an-id", 422),
        ("delete", "/api/v1/orders", 405), ("put", "/api/v1/openapi.json", 405),
        ("get", "/api/v1/orders?limit=0", 422), ("get", "/api/v1/orders?limit=x", 422),
        ("get", "/api/v1/lab-tests/99999999999999999999", 422), ("post", "/api/v1/order-requests", 400),
    ],
)  # fmt: skip
def test_every_error_is_a_problem(
    willow: Any, key: Any, client: Client, method: str, address: str, status: int
):
    given = {"Authorization": f"Bearer {key(willow)}", "Idempotency-Key": "0123456789"}
    more = {"data": b"{", "content_type": "application/json"} if method == "post" else {}
    answer = getattr(client, method)(address, headers=given, **more)
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    said = answer.json()
    assert said["status"] == status
    assert said["type"] == f"urn:labbridge:problem:{said['code']}"


def test_a_mistake_is_named_and_never_repeated(willow: Any, key: Any, client: Client):
    answer = client.post(
        "/api/v1/order-requests", {"patient_key": ["Testa Sampleperson"], "test_ids": 7},
        content_type="application/json",
        headers={"Authorization": f"Bearer {key(willow)}", "Idempotency-Key": "0123456789"},
    )  # fmt: skip
    assert answer.status_code == 422
    assert {one["where"] for one in answer.json()["errors"]} == {
        "body.wish.patient_key",
        "body.wish.test_ids",
    }
    assert "Sampleperson" not in answer.content.decode()


def test_an_enormous_body(willow: Any, key: Any, client: Client, settings: Any):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    answer = client.post(
        "/api/v1/patients/lookup", {"patient_key": "x" * 200}, content_type="application/json",
        headers={"Authorization": f"Bearer {key(willow)}"},
    )  # fmt: skip
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_neither_a_session_nor_a_cookie_opens_anything(willow: Any, client: Client):
    from tests.people import member, sign_in

    sign_in(client, member(willow))
    assert client.get("/api/v1/orders").status_code == 401
    document = client.get("/api/v1/openapi.json")
    assert document.json()["openapi"] == "3.1.0"


# -- once --------------------------------------------------------------------------------------------------------


def decide(client: Any, case: Any, key: str, action: str = "not_the_same", **more: Any) -> Any:
    from labbridge_client.models.decision import Decision
    from labbridge_client.models.decision_action import DecisionAction

    body = Decision(action=DecisionAction(action), **more)
    return detailed(client, "decide_review_case", case, body=body, idempotency_key=key)


@pytest.mark.django_db(transaction=True)
def test_a_decision_once_with_its_answer_kept(willow: Any, key: Any, api: Any, things: Any):
    ids = things(willow)
    client = api(key(willow, name="desk bot"))
    first = decide(client, ids["case_id"], "key-number-1")
    assert (first.status_code, first.parsed.decision, first.parsed.decided_by) == (
        200,
        "not_the_same",
        "desk bot",
    )
    again = decide(client, ids["case_id"], "key-number-1")
    assert (again.content, again.headers["Idempotent-Replayed"]) == (first.content, "true")
    other = decide(client, ids["case_id"], "key-number-1", "ask_patient")
    assert (other.status_code, other.parsed.code) == (422, "key_reused")
    late = decide(client, ids["case_id"], "key-number-2", "ask_patient")
    assert (late.status_code, late.parsed.code) == (409, "conflict")
    (entry,) = AuditEntry.objects.filter(action="case.decide")
    assert (entry.actor_kind, entry.actor_name) == ("key", "desk bot")


@pytest.mark.django_db(transaction=True)
def test_a_decision_is_about_what_was_seen(willow: Any, key: Any, api: Any, things: Any):
    ids = things(willow)
    client = api(key(willow))
    (listed,) = detailed(client, "list_review_cases").parsed.items
    assert listed.seen == detailed(client, "get_review_case", ids["case_id"]).parsed.seen
    ReviewCase.objects.update(candidates=["pat_other"])
    late = decide(client, ids["case_id"], "key-number-1", seen=listed.seen)
    assert (late.status_code, late.parsed.code) == (409, "conflict")
    now = detailed(client, "get_review_case", ids["case_id"]).parsed.seen
    done = decide(client, ids["case_id"], "key-number-2", seen=now)
    assert (done.status_code, done.parsed.decision, done.parsed.seen) == (200, "not_the_same", None)


@pytest.mark.django_db(transaction=True)
def test_an_answer_that_was_lost_in_a_crash_is_made_again(willow: Any, key: Any, api: Any, things: Any):
    ids = things(willow)
    client = api(key(willow))
    first = decide(client, ids["case_id"], "key-number-1")
    KeptCall.objects.update(status=None, answer=None, answered_at=None)  # died between deciding and keeping
    again = decide(client, ids["case_id"], "key-number-1")
    assert (again.status_code, again.parsed.decision) == (200, "not_the_same")
    assert again.content == first.content
    assert AuditEntry.objects.filter(action="case.decide").count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_at_once_are_one(willow: Any, key: Any, things: Any, monkeypatch: pytest.MonkeyPatch):
    """The second comes while the first is at work: it is told so, and nothing is done twice."""
    from labbridge.handover.api import cases

    ids, text = things(willow), key(willow)
    inside, go_on = threading.Event(), threading.Event()
    really, answers = cases.decide, {}

    def slowly(*args: Any, **more: Any) -> Any:
        inside.set()
        assert go_on.wait(60)
        return really(*args, **more)

    def first() -> None:
        answers["first"] = decide(connect(text), ids["case_id"], "key-number-1")
        connection.close()

    monkeypatch.setattr(cases, "decide", slowly)
    thread = threading.Thread(target=first)
    thread.start()
    assert inside.wait(60)
    second = decide(connect(text), ids["case_id"], "key-number-1")
    go_on.set()
    thread.join(60)
    assert (second.status_code, second.parsed.code) == (409, "in_progress")
    assert second.headers["Retry-After"] == "1"
    assert answers["first"].status_code == 200
    assert decide(connect(text), ids["case_id"], "key-number-1").content == answers["first"].content
    assert KeptCall.objects.count() == 1


def test_keys_of_two_programs_do_not_meet(willow: Any, key: Any, api: Any, things: Any):
    """The same idempotency key in two programs' hands is two calls."""
    ids = things(willow)
    for _ in range(2):
        answer = detailed(
            api(key(willow)), "sync_patient", ids["patient_id"], idempotency_key="same-for-both"
        )
        assert (answer.status_code, answer.parsed.code) == (409, "conflict")  # nobody is connected here
    assert KeptCall.objects.filter(answered_at=None).count() == 2
    assert ApiKey.objects.count() == 2


@pytest.mark.parametrize("given", ["", "short", "with blank", "ü" * 10, "x" * 256])
def test_idempotency_keys_that_are_none(willow: Any, key: Any, client: Client, things: Any, given: str):
    ids = things(willow)
    headers = {"Authorization": f"Bearer {key(willow)}", "Idempotency-Key": given.encode().decode("latin-1")}
    answer = client.post(f"/api/v1/patients/{ids['patient_id']}/sync", headers=headers)
    assert answer.status_code == 422
