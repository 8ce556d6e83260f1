"""The pipeline: filters in the address, keyed pages, news, search by POST, saved views, several at once, CSV."""

from __future__ import annotations

import csv
import io
import re
import time
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from django.http import QueryDict
from django.test import Client
from django.utils import timezone

from labbridge.accounts.roles import Role
from labbridge.billing.payment import PAYMENTS
from labbridge.console.export import safe
from labbridge.console.filters import Filters
from labbridge.console.models import SavedView
from labbridge.console.search import FOUND
from labbridge.handlers.schedule import index_names
from labbridge.mirror.models import Chart, LabTest, Order, OrderedTest, Patient, Phase
from labbridge.mirror.phases import payment_of
from labbridge.practices.models import Practice
from labbridge.trust.models import AuditEntry
from tests.console.things import kept, make_order, make_patient, make_practice, make_result, text, value
from tests.people import member, sign_in

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def willow() -> Practice:
    return make_practice()


@pytest.fixture
def desk(client: Client, willow: Practice) -> Client:
    sign_in(client, member(willow, Role.FRONT_DESK))
    return client


def shown_orders(answer: Any) -> list[str]:
    return list(dict.fromkeys(re.findall(r">(ord_\w+)</a>", text(answer))))


def test_newest_first_by_key_and_a_constant_number_of_queries(
    desk: Client, willow: Practice, django_assert_max_num_queries: Any
) -> None:
    for number in range(3):
        make_order(willow, number, make_patient(willow, number))
    desk.get("/pipeline")
    with django_assert_max_num_queries(25) as few:
        desk.get("/pipeline")
    count = len(few.captured_queries)
    for number in range(3, 60):
        make_order(willow, number, make_patient(willow, number))
    seen, address = [], "/pipeline"
    for _ in range(3):
        with django_assert_max_num_queries(count):
            answer = desk.get(address)
        seen += shown_orders(answer)
        older = re.findall(r'rel="next" href="([^"]+)"', answer.content.decode())
        address = f"/pipeline{older[0]}" if older else ""
    assert seen == [f"ord_willow_{number}" for number in reversed(range(60))]
    assert address == ""
    with django_assert_max_num_queries(count + 8):
        desk.get("/pipeline?as=board")


def test_a_list_shows_the_charts_key_by_role_and_never_a_name(willow: Practice) -> None:
    make_order(willow, 1, make_patient(willow, 1))
    for role in Role:
        client = Client()
        sign_in(client, member(willow, role))
        shown = text(client.get("/pipeline"))
        assert ("P-1" in shown) == (role != Role.AUDITOR), role
        assert "Sampleperson" not in shown
        assert ('type="search"' in shown) == (role != Role.AUDITOR)


def test_each_filter_narrows_and_nonsense_is_left_out(desk: Client, willow: Practice) -> None:
    make_order(willow, 1, phase=Phase.AWAITING_PAYMENT, paid_at=None)
    make_order(willow, 2, source="ehr:Healthie")
    make_order(willow, 3, filing_problem="Caspio is away.", assigned_to="front.desk@willow.example")
    make_order(willow, 4, paid_at=timezone.now() - timedelta(days=40))
    make_order(willow, 5, practitioner_id_external="prac_1")
    OrderedTest.objects.filter(external_id="ordts_willow_5").update(lab_test_id_external="other")
    for query, numbers in {
        "phase=awaiting_payment": [1], "payment=awaiting_patient": [1], "payment=paid": [5, 4, 3, 2],
        "source=ehr": [2], "state=stuck": [3], "state=mine": [3], "state=overdue": [4], "lab=co_1": [4, 3, 2, 1],
        "state=nobody": [5, 4, 2, 1], "phase=nonsense": [5, 4, 3, 2, 1], "after=nonsense": [5, 4, 3, 2, 1],
        "source=ehr&phase=draft": [],
    }.items():  # fmt: skip
        assert shown_orders(desk.get(f"/pipeline?{query}")) == [f"ord_willow_{one}" for one in numbers], query
    assert "No order fits these filters." in text(desk.get("/pipeline?source=ehr&phase=draft"))


def test_no_order_at_all(desk: Client) -> None:
    assert "No orders yet." in text(desk.get("/pipeline"))
    assert "None" in text(desk.get("/pipeline?as=board"))


def test_the_payment_filters_say_what_payment_of_says(willow: Practice) -> None:
    now = timezone.now()
    kinds = product(
        Phase, ["", "Refunded", "Paid"], ["", "Practitioner", "patient"], [None, now], [None, now]
    )
    Order.objects.bulk_create(
        Order(practice=willow, external_id=f"ord_{number}", phase=phase, status=status, payer=payer, paid_at=paid,
              submitted_at=submitted)
        for number, (phase, status, payer, paid, submitted) in enumerate(kinds)
    )  # fmt: skip
    said = {one.pk: payment_of(one, Phase(one.phase)) for one in Order.objects.all()}
    for name, condition in PAYMENTS.items():
        found = set(Order.objects.filter(condition).values_list("pk", flat=True))
        assert found == {pk for pk, word in said.items() if word == name} != set(), name


def test_overdue_is_what_today_calls_late(desk: Client, willow: Practice) -> None:
    for number, (days, turnaround) in enumerate([(5, 10), (12, 10), (40, None), (40, 10)]):
        order = make_order(willow, number, paid_at=timezone.now() - timedelta(days=days))
        LabTest.objects.create(
            practice=willow, external_id=f"labts_{number}x", turnaround_days=turnaround, shipping_days_max=2
        )
        OrderedTest.objects.create(
            practice=willow,
            order=order,
            external_id=f"more_{number}",
            lab_test_id_external=f"labts_{number}x",
        )
    now = timezone.now()
    found = Filters(QueryDict("state=overdue"), [willow], "").orders(now)
    assert {one.external_id for one in found} == {"ord_willow_3"}
    assert "Order ord_willow_3" in text(desk.get("/"))


def test_news_come_only_when_there_are_some(desk: Client, willow: Practice) -> None:
    order = make_order(willow, 1)
    stamp = re.findall(r'X-Labbridge-Stamp": "(\w+)"', text(desk.get("/pipeline")))[0]
    same = desk.get("/pipeline", headers={"X-Labbridge-Stamp": stamp, "X-Labbridge-Quiet": "1"})
    assert (same.status_code, same.content) == (204, b"")
    Order.objects.filter(pk=order.pk).update(phase=Phase.COMPLETE)
    news = desk.get("/pipeline", headers={"X-Labbridge-Stamp": stamp, "X-Labbridge-Quiet": "1"})
    assert news.status_code == 200
    assert "complete" in text(news)


class TestSearch:
    @pytest.mark.parametrize(
        "words", ["testa2@patients.example", "TESTA2@patients.example", "1979-01-02", "1/2/1979", "P-2", "testa2",
                  "sample testa2", "pat_willow_2"],
    )  # fmt: skip
    def test_by_what_is_said_on_the_telephone(self, desk: Client, willow: Practice, words: str) -> None:
        for number, birthday in ((1, "1978-08-16"), (2, "1979-01-02")):
            make_order(willow, number, make_patient(willow, number, birthday=birthday))
        shown = text(desk.post("/pipeline/search", {"words": words}))
        assert "Testa2 Sampleperson" in shown
        assert "Testa1 Sampleperson" not in shown
        assert "ord_willow_2" in shown
        assert words not in str(AuditEntry.objects.values())
        (entry,) = AuditEntry.objects.filter(action="patient.search")
        assert (entry.count, len(entry.patients)) == (1, 2)

    def test_by_either_sides_name(self, desk: Client, willow: Practice) -> None:
        known = {"first_name": "Áda", "last_name": "Née-Testing"}
        patient = make_patient(willow, 1, **known)
        kept(patient, {**known, "last_name": "O\u2019Married"})  # at Rupa, after the wedding
        make_patient(willow, 2, first_name="Adam", last_name="Married")
        for words in ("ada test", "Testing, Ada", "ADA", "née", "omarr", "ad om", "a. ada"):
            shown = text(desk.post("/pipeline/search", {"words": words}))
            assert shown.count("Áda Née-Testing") == 1, words
        for words in ("ada tesla", "ing", "testing married", "a", "-", "adaa"):
            assert "Áda" not in text(desk.post("/pipeline/search", {"words": words})), words

    def test_the_newest_of_many_are_shown(self, desk: Client, willow: Practice) -> None:
        for number in range(FOUND + 5):
            make_patient(willow, number, linked=bool(number % 2))
        for words in ("sample", "1978-08-16"):
            shown = text(desk.post("/pipeline/search", {"words": words}))
            assert f"{FOUND} patients; there may be more" in shown
            assert f"Testa{FOUND + 4} Sampleperson" in shown

    def test_who_cannot_be_found_yet_after_an_upgrade_is_told(self, desk: Client, willow: Practice) -> None:
        make_patient(willow, 1)
        assert "still learning" not in text(desk.post("/pipeline/search", {"words": "sample"}))
        Chart.objects.update(name_tags=None)
        Patient.objects.update(name_tags=None)
        shown = text(desk.post("/pipeline/search", {"words": "sample"}))
        assert "still learning" in shown
        assert "Nobody was found." in shown
        index_names()
        shown = text(desk.post("/pipeline/search", {"words": "sample"}))
        assert "still learning" not in shown
        assert "Testa1 Sampleperson" in shown

    def test_an_order_id_opens_the_order(self, desk: Client, willow: Practice) -> None:
        order = make_order(willow, 1)
        answer = desk.post("/pipeline/search", {"words": "ord_willow_1"})
        assert answer["Location"] == f"/orders/{order.pk}"

    def test_another_practices_patients_are_not_found(self, desk: Client) -> None:
        birch = make_practice("birch")
        make_order(birch, 1, make_patient(birch, 1))
        for words in ("testa1", "testa1@patients.example", "P-1", "ord_birch_1"):
            assert "Nobody was found." in text(desk.post("/pipeline/search", {"words": words}))

    @pytest.mark.parametrize(("role", "sees"), [(Role.OWNER, True), (Role.FRONT_DESK, False)])
    def test_the_newest_result_is_one_click_away_for_who_sees_results(
        self, willow: Practice, role: Role, sees: bool
    ) -> None:
        patient, client = make_patient(willow), Client()
        for number, days in ((1, 5), (2, 100)):
            when = timezone.now() - timedelta(days=days)
            make_result(make_order(willow, number, patient), value(), at=when)
        sign_in(client, member(willow, role))
        shown = text(client.post("/pipeline/search", {"words": "P-1"}))
        newest = OrderedTest.objects.get(external_id="ordts_willow_1")
        assert (f'href="/orders/{newest.order_id}#{newest.pk}"' in shown) == sees
        assert shown.count("Newest result of") == int(sees)

    def test_who_is_at_rupa_only_is_found_too(self, desk: Client, willow: Practice) -> None:
        make_order(willow, 1, make_patient(willow, 1, linked=False))
        assert "at Rupa only" in text(desk.post("/pipeline/search", {"words": "sampleperson"}))


def test_views_keep_filters_and_nothing_else(desk: Client) -> None:
    query = "phase=draft&practice=willow&words=Testa&after=x&as=board"
    desk.post("/pipeline/views", {"name": "Drafts", "query": query})
    view = SavedView.objects.get()
    assert sorted(view.query.split("&")) == ["as=board", "phase=draft", "practice=willow"]
    assert "Drafts" in text(desk.get("/pipeline"))
    desk.post("/pipeline/views", {"name": "All", "query": ""})
    assert SavedView.objects.count() == 1
    other = Client()
    sign_in(other, member(Practice.objects.get(), Role.OWNER))
    assert "Drafts" not in text(other.get("/pipeline"))
    other.post("/pipeline/views", {"action": "forget", "view": view.pk})
    assert SavedView.objects.count() == 1
    desk.post("/pipeline/views", {"action": "forget", "view": view.pk})
    assert SavedView.objects.count() == 0


def test_several_at_once_after_a_question(desk: Client, willow: Practice) -> None:
    orders = [make_order(willow, number) for number in range(3)]
    birch = make_order(make_practice("birch"), 9)
    ticked = {"order": [str(one.pk) for one in (*orders[:2], birch)] + ["nonsense"], "action": "refile"}
    asked = text(desk.post("/pipeline/act", ticked))
    assert "File again: 2 orders" in asked
    assert "ord_birch" not in asked
    assert not Order.objects.filter(filing_queued=True).exists()
    text(desk.post("/pipeline/act", {**ticked, "sure": "1"}, follow=True))
    queued = Order.objects.filter(filing_queued=True).values_list("external_id", flat=True)
    assert sorted(queued) == ["ord_willow_0", "ord_willow_1"]
    assert "Tick at least one" in text(desk.post("/pipeline/act", {"action": "refile"}, follow=True))


class TestExport:
    def rows(self, answer: Any) -> list[dict[str, str]]:
        assert answer.status_code == 200
        assert "no-store" in answer["Cache-Control"]
        return list(csv.DictReader(io.StringIO(answer.getvalue().decode())))

    def test_by_role_and_recorded(self, willow: Practice) -> None:
        make_order(willow, 1, make_patient(willow, 1))
        make_order(willow, 2, phase=Phase.DRAFT)
        for role in (Role.ADMINISTRATOR, Role.AUDITOR):
            client = Client()
            sign_in(client, member(willow, role))
            rows = self.rows(client.get("/pipeline/orders.csv?phase=in_progress"))
            assert [one["Order"] for one in rows] == ["ord_willow_1"]
            assert rows[0].get("Chart") == ("P-1" if role == Role.ADMINISTRATOR else None)
            assert ("Price" in rows[0]) == (role == Role.ADMINISTRATOR)
            assert "Sampleperson" not in str(rows)
        entries = AuditEntry.objects.filter(action="data.export").order_by("id")
        assert [(one.count, one.detail) for one in entries] == [
            (1, {"patients": 1, "prices": 1}), (1, {"patients": 0, "prices": 0}),
        ]  # fmt: skip

    def test_training_is_marked_and_costs_nothing(self, client: Client, willow: Practice) -> None:
        willow.config["rupa"]["price_unit"] = "dollars"
        willow.save()
        make_order(willow, 1)
        make_order(willow, 2, is_demo=True)
        sign_in(client, member(willow, Role.ADMINISTRATOR))
        rows = self.rows(client.get("/pipeline/orders.csv"))
        found = {one["Order"]: (one["Training"], one["Price"]) for one in rows}
        assert found["ord_willow_2"] == ("yes", "")
        assert found["ord_willow_1"][0] == ""
        assert float(found["ord_willow_1"][1]) == 199
        assert list(rows[0])[-1] == "Training"

    def test_it_asks_for_a_fresh_proof(self, client: Client, willow: Practice) -> None:
        sign_in(client, member(willow, Role.OWNER))
        session = client.session
        session["account_authentication_methods"] = [
            {**one, "at": time.time() - 301} for one in session["account_authentication_methods"]
        ]
        session.save()
        assert client.get("/pipeline/orders.csv")["Location"].startswith("/accounts/confirm?")
        assert not AuditEntry.objects.filter(action="data.export").exists()

    def test_no_cell_is_a_formula(self) -> None:
        assert safe("=1+1") == "'=1+1"
        assert safe("ord_1") == "ord_1"
        assert safe("") == ""
