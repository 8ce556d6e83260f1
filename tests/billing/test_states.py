"""Who may say what of an order's money, what follows what, and that each word leaves evidence."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from labbridge.billing.models import Evidence, Source
from labbridge.billing.payment import awaiting_payment, payer, proof
from labbridge.billing.states import TRACKS, CannotSay, Said, attention, current
from labbridge.engine.queue import has_job
from labbridge.handlers.billing import set_words
from labbridge.handlers.settle import lock
from labbridge.mirror.models import Order, Phase
from labbridge.practices.models import Practice
from labbridge.trust.audit import Actor
from labbridge.trust.models import AuditEntry

pytestmark = pytest.mark.django_db(transaction=True)

ON = date(2025, 6, 4)
BILLER = Actor("operator", name="biller")
MakeOrder = Callable[..., Order]


def words(order: Order, source: str = "staff", on: date = ON, note: str = "", **said: str) -> list[str]:
    listed = [Said(track, word, Source(source), on, "biller", note) for track, word in said.items()]
    return set_words(order, listed, None, actor=BILLER)


def test_words_are_contracts_and_fit_their_fields() -> None:
    """docs/billing.md has them, and DataPages compare with them."""
    assert {name: sorted(track.words) for name, track in TRACKS.items() if track.column} == {
        "superbill": ["declined", "issued", "requested", "sent", "voided"],
        "hsa_fsa": ["confirmed", "rejected", "reported"],
        "payment_plan": ["active", "canceled", "completed", "declined", "failed", "offered"],
    }
    for track in TRACKS.values():
        assert set(track.moves) <= track.words | {""}, "no word without a way to it"
        assert all(len(word) <= 20 for word in track.words)


def test_a_word_is_recorded_with_who_when_and_from_where_and_is_filed(order_of: MakeOrder) -> None:
    order = order_of()
    assert words(order, "patient", note="said on the phone", hsa_fsa="reported") == [
        "hsa_fsa: nothing said -> reported"
    ]
    order.refresh_from_db()
    assert (order.hsa_fsa_status, order.revision, order.filing_queued) == ("reported", 2, True)
    assert has_job(lock(order, "file"))
    one = Evidence.objects.get()
    assert (one.track, one.before, one.word, one.source, one.happened_on, one.recorded_by, one.content) == (
        "hsa_fsa", "", "reported", "patient", ON, "biller", {"note": "said on the phone"},
    )  # fmt: skip
    entry = AuditEntry.objects.get(action="money.set")
    assert (entry.subject, entry.detail["word"], len(entry.patients)) == (f"order:{order.pk}", "reported", 2)
    assert words(order, "patient", note="said on the phone", hsa_fsa="reported") == [], (
        "the same once more is nothing new"
    )
    assert Evidence.objects.count() == 1
    assert words(order, "staff", hsa_fsa="confirmed") == ["hsa_fsa: reported -> confirmed"]
    assert current(Order.objects.get(), "hsa_fsa") == "confirmed"


def test_a_dry_run_and_a_refusal_change_nothing(order_of: MakeOrder) -> None:
    order = order_of()
    said = [Said("superbill", "requested", Source.PATIENT, ON, "biller")]
    assert set_words(order, said, None, actor=BILLER, dry_run=True) == [
        "superbill: nothing said -> requested"
    ]
    with pytest.raises(CannotSay, match="Payment plan of this order has no word yet"):
        words(order, superbill="requested", payment_plan="completed")
    order.refresh_from_db()
    assert (order.superbill_status, order.revision, Evidence.objects.count()) == ("", 1, 0)
    assert not has_job(lock(order, "file"))


def test_every_move_that_the_table_does_not_have_is_refused(order_of: MakeOrder) -> None:
    order = order_of()
    for name, track in TRACKS.items():
        for before, word, source in product(track.words, track.words, Source):
            if (
                not track.column
                or word in track.by_command
                or source in track.moves.get(before, {}).get(word, ())
            ):
                continue
            if before == word:
                continue  # said once more: evidence, no move
            Order.objects.filter(pk=order.pk).update(**{track.column: before})
            with pytest.raises(CannotSay):
                words(order, str(source), **{name: word})
            assert getattr(Order.objects.get(pk=order.pk), track.column) == before


@pytest.mark.parametrize(
    ("fields", "said", "sentence"),
    [
        ({"payer": "practitioner", "paid_at": None}, {"hsa_fsa": "reported"}, "The practice pays"),
        ({"paid_at": None, "completed_at": None}, {"hsa_fsa": "confirmed"}, "shows no payment"),
        ({"payment_plan_status": "active"}, {"hsa_fsa": "reported"}, "Splitit takes credit cards only"),
        ({"hsa_fsa_status": "confirmed"}, {"payment_plan": "active"}, "Splitit takes credit cards only"),
        ({}, {"payment_plan": "offered"}, "nothing left to pay"),
        ({"tests": ("labts_dutch",)}, {"medicare": "billed"}, "only stool tests of Diagnostic Solutions"),
        ({"is_demo": True}, {"superbill": "requested"}, "demo order"),
        ({}, {"superbill": "issued"}, "by `labbridge billing superbill` alone"),
        ({}, {"superbill": "paid"}, "has no word 'paid'"),
    ],
)  # fmt: skip
def test_what_contradicts_the_facts_is_refused(
    order_of: MakeOrder, fields: dict[str, Any], said: dict[str, str], sentence: str
) -> None:
    with pytest.raises(CannotSay, match=sentence):
        words(order_of(**fields), **said)


def test_a_patient_cannot_confirm_and_nothing_was_said_tomorrow(order_of: MakeOrder) -> None:
    order = order_of()
    with pytest.raises(CannotSay, match="by rupa or staff, not by patient"):
        words(order, "patient", hsa_fsa="confirmed")
    with pytest.raises(CannotSay, match="future"):
        words(order, on=date(2999, 1, 1), hsa_fsa="reported")
    words(order, hsa_fsa="confirmed")
    with pytest.raises(CannotSay, match="not by patient"):
        words(order, "patient", hsa_fsa="confirmed")


def test_medicare_and_the_fee_are_unknown_until_somebody_saw_them(order_of: MakeOrder) -> None:
    order = order_of()
    assert current(order, "physician_services") == ""
    words(order, "rupa", medicare="billed", physician_services="charged")
    assert (current(order, "medicare"), current(order, "physician_services")) == ("billed", "charged")
    order.refresh_from_db()
    assert order.revision == 1, "these two have no field in Caspio, so nothing is filed"


def test_evidence_cannot_be_changed_or_removed(order_of: MakeOrder) -> None:
    words(order_of(), note="kept", hsa_fsa="reported")
    for statement in ("UPDATE billing_evidence SET word = 'confirmed'", "DELETE FROM billing_evidence"):
        with (
            pytest.raises(DatabaseError, match="append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
    assert Evidence.objects.get().content == {"note": "kept"}


def test_a_note_is_sealed(order_of: MakeOrder) -> None:
    words(order_of(), note="Inventia phoned", hsa_fsa="reported")
    with connection.cursor() as cursor:
        cursor.execute("SELECT content FROM billing_evidence")
        (held,) = cursor.fetchone()
    assert b"Inventia" not in bytes(held)


def test_erasing_the_patient_empties_what_was_said_and_keeps_that_it_was(order_of: MakeOrder) -> None:
    from labbridge.handlers.erasure import erase

    order = order_of()
    words(order, note="Inventia phoned", hsa_fsa="reported")
    erase(order.practice, [order.patient], why="asked", actor=BILLER)
    with connection.cursor() as cursor:
        cursor.execute("SELECT word, length(content) FROM billing_evidence")
        assert cursor.fetchone() == ("reported", 0)


def test_what_no_longer_fits_a_refund_is_said(order_of: MakeOrder) -> None:
    order = order_of(superbill_status="sent", hsa_fsa_status="confirmed", payment_plan_status="active")
    assert attention(order) == []
    order.status = "Refunded"
    assert [sentence.partition(",")[0] for sentence in attention(order)] == [
        "A superbill was issued", "An HSA/FSA payment was confirmed", "A payment plan runs",
    ]  # fmt: skip


# -- payment ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "who"),
    [("patient", "patient"), (" Patient ", "patient"), ("Practitioner", "practitioner"), ("clinic", "practitioner"),
     ("", "unknown"), ("insurer", "unknown"), ("patient_plan", "unknown")],
)  # fmt: skip
def test_a_payer_is_never_guessed(said: str, who: str) -> None:
    assert payer(Order(payer=said)) == who


def test_orders_that_wait_for_the_patient_as_plain_python_finds_them(
    order_of: MakeOrder, willow: Practice
) -> None:
    began = datetime(2025, 5, 1, 17, 0, tzinfo=UTC)
    open_ = {"paid_at": None, "completed_at": None}
    order_of(1, **open_)
    order_of(2, **open_, submitted_at=began - timedelta(days=2))
    order_of(3, **open_, submitted_at=began + timedelta(days=2))
    order_of(4, **open_, payer="practitioner")
    order_of(5, **open_, is_demo=True)
    order_of(6, **open_, status="Refunded")
    order_of(7)
    order_of(8, **open_, canceled_at=began)
    found = [order.external_id for order in awaiting_payment(willow, before=began + timedelta(days=1))]
    expected = [
        order.external_id
        for order in sorted(Order.objects.all(), key=lambda one: one.submitted_at)
        if order.phase == Phase.AWAITING_PAYMENT and order.payer == "patient" and not order.is_demo
        and order.status != "Refunded" and order.submitted_at < began + timedelta(days=1)
    ]  # fmt: skip
    assert found == expected == ["ord_2", "ord_1"]


def test_the_watch_reminds_after_the_practices_own_patience(order_of: MakeOrder, willow: Practice) -> None:
    from labbridge.reconcile.watch.work import unpaid

    order = order_of(paid_at=None, completed_at=None)
    assert unpaid(order.submitted_at + timedelta(days=3)) == []
    (finding,) = unpaid(order.submitted_at + timedelta(days=3, minutes=1))
    assert dict(finding.params) == {"count": 1, "span": 3 * 86400, "since": "2025-05-01T17:00:00+00:00"}
    willow.config["alerts"]["unpaid_days"] = 10
    willow.save()
    assert unpaid(order.submitted_at + timedelta(days=9)) == []


def test_the_proof_is_rupas_dates_in_order(order_of: MakeOrder) -> None:
    assert [what for what, _ in proof(order_of())] == ["submitted", "paid"]
