"""One order: how it stands for everybody, whose it is and what was found by role; why it is not filed; actions."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from labbridge.accounts.roles import Role
from labbridge.engine.queue import jobs_of
from labbridge.filing.models import FiledRow, RowState
from labbridge.handlers.settle import lock
from labbridge.inbox.models import Event, EventState
from labbridge.mirror.merge import merge_order
from labbridge.mirror.models import Chart, Order, OrderedTest, OrderNote, ReviewCase
from labbridge.peers.rupa.types import OrderedTestSnapshot, OrderSnapshot
from labbridge.practices.models import Practice
from labbridge.trust.models import AuditEntry
from tests.console.things import PDF, make_order, make_patient, make_practice, make_result, text, value
from tests.people import member, sign_in

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def willow() -> Practice:
    return make_practice()


@pytest.fixture
def order(willow: Practice) -> Order:
    return make_order(willow, patient=make_patient(willow))


def as_(role: Role, practice: Practice) -> Client:
    client = Client()
    sign_in(client, member(practice, role))
    return client


def test_why_it_is_late(willow: Practice) -> None:
    long_ago = timezone.now() - timedelta(days=60)
    late = make_order(willow, 1, make_patient(willow), submitted_at=long_ago, paid_at=long_ago)
    desk = as_(Role.FRONT_DESK, willow)
    shown = text(desk.get(f"/orders/{late.pk}"))
    assert "Why this is late:</strong> Invented Panel takes 10 days at the lab" in shown
    assert "Missing: Invented Panel." in shown
    make_result(late, value())
    assert "Missing: nothing but" in text(desk.get(f"/orders/{late.pk}"))
    Order.objects.filter(pk=late.pk).update(phase="complete")
    assert "Why this is late" not in text(desk.get(f"/orders/{late.pk}"))


def test_each_role_sees_its_part(willow: Practice, order: Order) -> None:
    make_result(order, value("Ferritin", "12", "L"))
    OrderNote.objects.create(order=order, text="Called, kit was lost.", by="desk")
    seen = {role: text(as_(role, willow).get(f"/orders/{order.pk}")) for role in Role}
    for role, shown in seen.items():
        assert order.external_id in shown
        assert ("Testa1 Sampleperson" in shown) == (role != Role.AUDITOR), role
        assert ("Ferritin" in shown) == (role in {Role.OWNER, Role.PRACTITIONER}), role
        assert ("/pdf" in shown) == (role in {Role.OWNER, Role.PRACTITIONER}), role
        assert ("price is hidden" in shown) == (role in {Role.OWNER, Role.ADMINISTRATOR, Role.BILLER}), role
        assert ("kit was lost" in shown) == (role != Role.AUDITOR), role
        assert "$199" not in shown, "the unit of Rupa's prices is not known"
        assert "Sampleperson" not in re.findall("<title>(.*?)</title>", shown)[0]
    entries = AuditEntry.objects.filter(action="order.read", subject=f"order:{order.pk}")
    assert entries.count() == len(Role)
    assert all(len(entry.patients) == 2 for entry in entries)


def test_the_price_shows_once_its_unit_is_known(willow: Practice, order: Order) -> None:
    willow.config["rupa"]["price_unit"] = "dollars"
    willow.save()
    assert "$199.00" in text(as_(Role.BILLER, willow).get(f"/orders/{order.pk}"))


def test_the_timeline_tells_everything(willow: Practice, order: Order) -> None:
    told = {
        "type": "order",
        "id": order.external_id,
        "attributes": {"status": "Awaiting Lab Director Signature"},
    }
    body = {"id": "evt_1", "type": "order.updated", "data": told}
    Event.objects.create(
        peer="rupa", external_id="evt_1", type="order.updated", subject=f"order:{order.external_id}", practice=willow,
        body=orjson.dumps(body), state=EventState.WAITING, reason="A person must look.", deliveries=3,
    )  # fmt: skip
    FiledRow.objects.create(
        practice=willow, table="lab_orders", key=order.external_id, group=f"order:{order.pk}", pk_id=4711,
        state=RowState.CONFIRMED,
    )  # fmt: skip
    client = as_(Role.FRONT_DESK, willow)
    client.post(f"/orders/{order.pk}/act", {"action": "refile"})
    shown = text(client.get(f"/orders/{order.pk}"))
    for words in ("Rupa said “Awaiting Lab Director Signature”", "delivered 3 times", "A person must look.",
                  "PK_ID 4711", "File in Caspio: waiting", "Had orders filed again",
                  "front.desk@willow.example"):  # fmt: skip
        assert words in shown, words


def test_the_timeline_tells_how_it_moved(willow: Practice, order: Order) -> None:
    told = {"payer": "patient", "canceled_at": None, "completed_at": None}
    start = timezone.now() - timedelta(days=9)
    for day, status, paid, result in (
        (0, "Draft", None, None),
        (2, "In Progress", 1, None),
        (8, "Complete", 1, 7),
    ):
        dates = {"paid_at": paid and start + timedelta(days=paid), "submitted_at": paid and start}
        received = result and start + timedelta(days=result)
        test = OrderedTestSnapshot(
            id="ordts_h", results_received_at=received, lab_test_id="labts_1",
            present={"results_received_at", "lab_test_id"},
        )  # fmt: skip
        stated = {"status": status, **told, **dates}
        snapshot = OrderSnapshot(
            id=order.external_id, ordered_tests=(test,), present={"ordered_tests", *stated}, **stated
        )
        with transaction.atomic():
            merge_order(willow, snapshot, start + timedelta(days=day))
    shown = text(as_(Role.FRONT_DESK, willow).get(f"/orders/{order.pk}"))
    for words in ("Rupa showed “Draft”; Order draft; Payment not due", "Order in progress; Payment paid",
                  "Before: awaiting", "Result of", "Order complete"):  # fmt: skip
        assert words in shown, words


class TestWhyNotInCaspio:
    def sentence(self, order: Order) -> str:
        shown = text(as_(Role.FRONT_DESK, order.practice).get(f"/orders/{order.pk}"))
        found = re.findall(r"in Caspio(?: yet)?:</strong> (.*?)</p>", shown)
        return found[0] if found else ""

    def test_it_is(self, order: Order) -> None:
        assert self.sentence(order) == ""

    @pytest.mark.parametrize(
        ("state", "words"),
        [({"filing_problem": "Caspio has no table Lab_Orders."}, "Caspio has no table Lab_Orders."),
         ({"pull_problem": "Rupa is away."}, "Rupa is away."),
         ({"pull_queued": True}, "It is being read from Rupa now"),
         ({"filing_queued": True}, "It is being filed now."),
         ({"revision": 7}, "No job stands for it."), ({"filed_at": None}, "No job stands for it."),
         ({"erased_at": timezone.now()}, "data was erased here")],
    )  # fmt: skip
    def test_by_the_order_itself(self, order: Order, state: dict[str, Any], words: str) -> None:
        Order.objects.filter(pk=order.pk).update(**state)
        assert words in self.sentence(order)

    def test_by_a_test(self, order: Order) -> None:
        OrderedTest.objects.update(problem="The file is no PDF.")
        assert self.sentence(order) == "The file is no PDF."

    def test_nobody_knows_whose_it_is(self, willow: Practice) -> None:
        assert "names no patient" in self.sentence(make_order(willow))

    def test_a_match_waits_to_be_decided(self, willow: Practice) -> None:
        patient = make_patient(willow, linked=False)
        chart = Chart.objects.create(practice=willow, key="P-9")
        case = ReviewCase.objects.create(practice=willow, chart=chart, patient=patient)
        shown = text(as_(Role.FRONT_DESK, willow).get(f"/orders/{make_order(willow, patient=patient).pk}"))
        assert f'href="/cases/{case.pk}">Decide who this is' in shown


def test_an_open_test_says_when_it_is_expected(willow: Practice) -> None:
    late = make_order(willow, patient=make_patient(willow), paid_at=timezone.now() - timedelta(days=30))
    shown = text(as_(Role.FRONT_DESK, willow).get(f"/orders/{late.pk}"))
    assert "Expected by" in shown
    assert "by the catalogue" in shown
    assert "overdue" in shown


def test_actions_queue_one_job_and_are_recorded(willow: Practice, order: Order) -> None:
    client = as_(Role.FRONT_DESK, willow)
    for action, kind in (("refresh", "poll"), ("refile", "file")):
        for _ in range(2):
            client.post(f"/orders/{order.pk}/act", {"action": action})
        assert len(jobs_of([lock(order, kind)])) == 1, action
        assert AuditEntry.objects.filter(action=f"order.{action}").count() == 2
    client.post(f"/orders/{order.pk}/act", {"action": "note", "note": "Call <b>again</b>"})
    client.post(f"/orders/{order.pk}/act", {"action": "assign", "to": "front.desk@willow.example"})
    shown = text(client.get(f"/orders/{order.pk}"))
    assert "Call &lt;b&gt;again&lt;/b&gt;" in shown
    assert "front.desk@willow.example sees to it" in shown
    client.post(f"/orders/{order.pk}/act", {"action": "assign", "to": "stranger@elsewhere.example"})
    order.refresh_from_db()
    assert order.assigned_to == ""


def test_what_names_another_patient_stays_closed(willow: Practice, order: Order) -> None:
    result = make_result(
        order, value("Ferritin", "12", "L"), withheld=True, problem="The report names another."
    )
    client = as_(Role.PRACTITIONER, willow)
    shown = text(client.get(f"/orders/{order.pk}"))
    assert "The report names another." in shown
    assert "Ferritin" not in shown
    assert client.get(f"/results/{result.pk}/pdf").status_code == 404


def test_the_report_is_shown_in_a_frame_and_kept_nowhere(willow: Practice, order: Order) -> None:
    result = make_result(order)
    answer = as_(Role.PRACTITIONER, willow).get(f"/results/{result.pk}/pdf")
    assert answer.status_code == 200
    assert answer.content == PDF
    assert answer["Content-Type"] == "application/pdf"
    assert answer["Content-Disposition"] == 'inline; filename="result.pdf"'
    assert "no-store" in answer["Cache-Control"]
    assert answer["X-Frame-Options"] == "SAMEORIGIN"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox;" in answer["Content-Security-Policy"]
    assert "default-src 'none'" in answer["Content-Security-Policy"]
    assert "frame-ancestors 'self'" in answer["Content-Security-Policy"]
    (entry,) = AuditEntry.objects.filter(action="result.read")
    assert (entry.subject, len(entry.patients)) == (f"result:{result.pk}", 2)


def test_the_count_of_queries_does_not_grow(
    willow: Practice, order: Order, django_assert_max_num_queries: Any
) -> None:
    client = as_(Role.OWNER, willow)
    make_result(order, *(value(f"Analyte {number}") for number in range(2)))
    client.get(f"/orders/{order.pk}")
    with django_assert_max_num_queries(40) as few:
        client.get(f"/orders/{order.pk}")
    count = len(few.captured_queries)
    for version in range(2, 6):
        make_result(order, *(value(f"Analyte {number}") for number in range(20)), version=version)
    with django_assert_max_num_queries(count):
        client.get(f"/orders/{order.pk}")
