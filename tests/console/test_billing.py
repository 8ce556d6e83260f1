"""Billing in the console: who owes, one order's words with their evidence, superbills, dollars or cents."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from labbridge.accounts.roles import Role
from labbridge.billing.models import Evidence, Sending, Superbill
from labbridge.billing.payment import payment
from labbridge.billing.states import attention
from labbridge.console import billing
from labbridge.mirror.models import LabTest, Order, Phase
from labbridge.practices.models import Practice
from labbridge.trust.models import AuditEntry
from tests.billing.conftest import order_of, willow
from tests.console.things import text
from tests.people import member, sign_in

__all__ = ["order_of", "willow"]  # fixtures

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def biller(willow: Practice) -> Client:
    client = Client()
    sign_in(client, member(willow, Role.BILLER))
    return client


def act(client: Client, order: Order, action: str, **sent: str) -> str:
    """Do it, and what the page says then."""
    return text(client.post(f"/orders/{order.pk}/billing/act", {"action": action, **sent}, follow=True))


ENTERED = {
    "icd10": "r53.83, K58.9", "service_on": "2025-05-06", "cpt-ordts_11": "87505 83993", "cpt-ordts_12": "82530",
}  # fmt: skip


def test_from_nothing_to_a_superbill_that_was_sent(order_of: Any, biller: Client) -> None:
    order = order_of()
    page = text(biller.get(f"/orders/{order.pk}/billing"))
    for words in ("cannot be issued yet", "The date of service is missing", "has no CPT code", "Inventia Paperwright",
                  "$648.50", "by Rupa"):  # fmt: skip
        assert words in page, words
    assert "cannot be issued yet: what is missing" in act(biller, order, "issue")
    refused = act(biller, order, "enter", **{**ENTERED, "icd10": "nonsense"})
    assert "has not the shape of a ICD-10-CM code" in refused
    assert 'value="87505 83993"' in refused, "what was typed is not lost"
    page = act(biller, order, "enter", **ENTERED)
    assert "Nothing is missing" in page
    assert "already" in act(biller, order, "enter", **ENTERED)
    assert "version 1, issued" in act(biller, order, "issue")
    assert "as it was issued before" in act(biller, order, "issue")
    made = Superbill.objects.get()
    answer = biller.get(f"/superbills/{made.pk}.pdf")
    assert answer.content == bytes(made.pdf)
    assert answer["Content-Disposition"] == 'attachment; filename="superbill-00001-1.pdf"'
    assert "no-store" in answer["Cache-Control"]
    assert "sandbox" in answer["Content-Security-Policy"]
    assert "Choose who received it" in act(biller, order, "sent", receiver="press", way="fax")
    page = act(biller, order, "sent", receiver="administrator", way="fax", on="2025-06-01")
    assert "Jun 1, 2025: to the administrator, by fax" in page
    assert Sending.objects.count() == 1
    assert act(biller, order, "enter", **{"amount-ordts_11": "399.00", "amount-ordts_12": "249.50"})
    assert "version 2, issued" in act(biller, order, "issue")
    done = set(AuditEntry.objects.values_list("action", flat=True))
    assert done >= {"money.read", "money.set", "superbill.make", "superbill.read", "superbill.send"}


def test_words_are_recorded_with_their_evidence(order_of: Any, biller: Client) -> None:
    order = order_of()
    said = {
        "track": "hsa_fsa",
        "word": "reported",
        "source": "patient",
        "on": "2025-05-30",
        "note": "on the phone",
    }
    page = act(biller, order, "say", **said)
    for words in ("HSA/FSA: reported", "May 30, 2025 · the patient · recorded by", "on the phone"):
        assert words in page, words
    assert "recorded already" in act(biller, order, "say", **said)
    order.refresh_from_db()
    assert order.hsa_fsa_status == "reported"
    assert "Splitit takes credit cards only" in act(
        biller, order, "say", track="payment_plan", word="active", source="staff"
    )
    for wrong in (
        {**said, "word": "confirmed"}, {**said, "track": "no"}, {**said, "source": "gossip"}, {**said, "on": "soon"},
        {**said, "on": "2999-01-01"}, {"track": "superbill", "word": "issued", "source": "staff"},
    ):  # fmt: skip
        act(biller, order, "say", **wrong)
    assert Evidence.objects.count() == 1
    assert biller.post(f"/orders/{order.pk}/billing/act", {"action": "invent"}).status_code == 404


def test_who_owes_and_who_was_reminded(order_of: Any, biller: Client, willow: Practice) -> None:
    owes = {"paid_at": None, "completed_at": None, "submitted_at": timezone.now() - timedelta(days=5)}
    order = order_of(7, **owes)
    paid = order_of(8)
    page = text(biller.get("/billing"))
    assert order.external_id in page
    assert "for 5 days" in page
    assert paid.external_id not in page
    assert "Inventia" not in page
    page = act(biller, order, "remind", note="called")
    assert "Reminded 1 time" in page
    assert "noted already" in act(biller, order, "remind", note="called")
    assert "nothing to be reminded of" in act(biller, paid, "remind")
    assert "reminded" in text(biller.get("/billing"))
    assert paid.external_id in text(biller.get("/billing?show=all"))
    Order.objects.filter(pk=paid.pk).update(
        canceled_at=timezone.now(), phase=Phase.CANCELED, hsa_fsa_status="confirmed"
    )
    assert "the account must be told" in text(biller.get("/billing?show=attention"))
    for odd in ("?page=0", "?page=x", "?page=99999", "?show=no"):
        assert biller.get(f"/billing{odd}").status_code == 200


def test_a_tab_holds_what_each_order_says_of_itself(order_of: Any, biller: Client, monkeypatch: Any) -> None:
    """The tabs ask the database, each order is judged by code: no combination may fall between the two."""
    monkeypatch.setattr(billing, "PER_PAGE", 10_000)
    template, made = order_of(1), []
    for number, (phase, status, payer_, paid, superbill, hsa, plan) in enumerate(product(
        ("awaiting_payment", "canceled", "complete"), ("", "Refunded", "Order canceled"), ("patient", "Provider", ""),
        (None, timezone.now()), ("", "issued", "sent", "voided"), ("", "confirmed", "rejected"),
        ("", "active", "completed"),
    )):  # fmt: skip
        made.append(Order(
            practice=template.practice, external_id=f"ord_each_{number}", submitted_at=timezone.now(), phase=phase,
            status=status, payer=payer_, paid_at=paid, superbill_status=superbill, hsa_fsa_status=hsa,
            payment_plan_status=plan,
        ))  # fmt: skip
    Order.objects.bulk_create(made)
    for tab, belongs in (("", lambda one: payment(one) == "awaiting_patient"), ("attention", attention)):
        page = biller.get(f"/billing?show={tab}")
        shown = {line.order.external_id for line in page.context["lines"]}
        assert shown == {one.external_id for one in made if belongs(one)}, tab
        assert len(shown) > 50


def test_a_page_of_a_tab_is_full_while_there_are_more(order_of: Any, biller: Client) -> None:
    owes = {"paid_at": None, "completed_at": None, "tests": ()}
    for number in range(4 * billing.PER_PAGE):  # all but one in four are paid for by the practice
        order_of(number, payer="practitioner" if number % 4 else "patient", **owes)
    page = biller.get("/billing")
    assert len(page.context["lines"]) == billing.PER_PAGE
    assert not page.context["more"]


def test_dollars_or_cents_by_one_known_price(biller: Client, willow: Practice) -> None:
    willow.config["rupa"]["price_unit"] = "unknown"
    willow.save()
    LabTest.objects.filter(external_id="labts_gut").update(price=Decimal(39900))
    assert "Find out by one known price" in text(biller.get("/billing"))
    address = "/billing/price/willow"
    assert "neither in dollars nor in cents" in text(
        biller.post(address, {"test": "GI Invented", "price": "12.00"})
    )
    assert "has no test of that name" in text(biller.post(address, {"test": "Nothing", "price": "12.00"}))
    assert "dollars and cents" in text(biller.post(address, {"test": "GI Invented", "price": "a lot"}))
    asked = {"test": "GI Invented", "price": "399.00"}
    page = text(biller.post(address, asked))
    assert re.search("figures are <strong>cents", page)
    willow.refresh_from_db()
    assert willow.config["rupa"]["price_unit"] == "unknown", "nothing is applied by looking"
    assert 'price_unit = "cents"' in text(biller.post(address, {**asked, "apply": "1"}))
    willow.refresh_from_db()
    assert willow.config["rupa"]["price_unit"] == "cents"
    assert AuditEntry.objects.filter(action="practice.apply").latest("at").actor_kind == "person"


def test_an_erased_order_says_only_what_stands(order_of: Any, biller: Client) -> None:
    order = order_of()
    act(biller, order, "enter", **ENTERED)
    act(biller, order, "issue")
    Order.objects.filter(pk=order.pk).update(erased_at=timezone.now())
    page = text(biller.get(f"/orders/{order.pk}/billing"))
    assert "were erased here" in page
    assert "R53.83" not in page
    assert "Download" not in page


def test_more_orders_cost_no_more_queries(order_of: Any, biller: Client) -> None:
    owes = {"paid_at": None, "completed_at": None, "submitted_at": timezone.now() - timedelta(days=5)}

    def queries() -> list[int]:
        counts = []
        for tab in ("", "all"):
            with CaptureQueriesContext(connection) as asked:
                biller.get(f"/billing?show={tab}")
            counts.append(len(asked))
        return counts

    order_of(1, **owes)
    biller.get("/billing")
    few = queries()
    for number in range(2, 6):
        order_of(number, **owes)
    assert queries() == few
