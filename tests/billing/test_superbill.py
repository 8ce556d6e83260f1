"""The superbill: read back from the PDF's own text, refused with every reason, numbered without gaps, versioned."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from pypdf import PdfReader

from labbridge.billing.details import details, entered
from labbridge.billing.models import Sending, Superbill
from labbridge.billing.states import CannotSay
from labbridge.billing.superbill import Incomplete
from labbridge.handlers.billing import can_issue, issue, sent, set_words
from labbridge.mirror.models import Chart, LabTest, Order, Patient, PatientLink
from labbridge.practices.models import Practice, Practitioner
from labbridge.trust.audit import Actor
from labbridge.trust.fields import ContentRemoved
from labbridge.trust.models import AuditEntry
from tests.billing.conftest import NPI, PERSON

pytestmark = pytest.mark.django_db(transaction=True)

BILLER = Actor("operator", name="biller")
TODAY = date(2025, 6, 4)
MakeOrder = Callable[..., Order]


NO_NPI = (
    "The practitioner's NPI is missing. Whoever set Labbridge up adds it: `npi` under [[rupa.practitioners]] in "
    "practice.toml."
)


def enter(order: Order, **more: Any) -> Order:
    """All that staff must enter."""
    first, second = (test.external_id for test in order.ordered_tests.order_by("external_id"))
    typed = {
        "icd10": ["r53.83", "K58.9"], "cpt": [f"{first}=87505", f"{first}=83993", f"{second}=82530"],
        "amounts": [f"{first}=399.00", f"{second}=$199.50"], "service_on": date(2025, 5, 6), **more,
    }  # fmt: skip
    set_words(order, [], entered(order, today=TODAY, **typed), actor=BILLER)
    order.refresh_from_db()
    return order


def lines(made: Superbill) -> list[str]:
    reader = PdfReader(io.BytesIO(made.pdf))
    return [
        line.strip() for page in reader.pages for line in page.extract_text().splitlines() if line.strip()
    ]


# -- what it says ----------------------------------------------------------------------------------------------


def test_every_field_is_read_back_from_the_pdf(order_of: MakeOrder) -> None:
    made, new = issue(enter(order_of()), actor=BILLER)
    issued = made.made_at.astimezone(made.practice.zone).date()
    assert new
    assert lines(made) == [
        "Superbill 00001-1",
        f"Issued: {issued}",
        "Practice: Willow Functional Medicine",
        "Practice address: 12 Invented Road, Inventon, OR 97299",
        "Practice phone: (503) 555-0100",
        "Tax ID: 12-3456789",
        "Practitioner: Ada Willow, ND",
        f"NPI: {NPI}",
        "Patient: Inventia Paperwright",
        "Date of birth: 1980-02-03",
        "Patient address: 1 Nowhere Lane, Inventon, OR 97299",
        "Date of service: 2025-05-06",
        "Diagnoses (ICD-10-CM): R53.83, K58.9",
        "Rupa Health order: ord_1",
        "Service (laboratory test) Laboratory Codes (CPT/HCPCS) Amount (USD)",
        "GI Invented Diagnostic Solutions Laboratory 87505, 83993 399.00",
        "Hormones Invented Lab B 82530 199.50",
        "Fees and services that Rupa does not itemise 50.00",
        "Total charged 648.50",
        # 06:30 UTC on the 2nd is still the 1st in the practice's calendar.
        "Payment: 648.50 USD, paid by the patient to Rupa Health on 2025-05-01. Balance due: 0.00.",
        "Rupa's physician services fee: not known to be included.",
        "Codes are as entered by the practice. No claim was submitted to an insurer for this order by Rupa Health.",
        "Superbill 00001-1 - page 1 of 1",
    ]


def test_letters_that_the_font_lacks_are_printed_plainly_and_never_as_a_question_mark(
    order_of: MakeOrder,
) -> None:
    order = enter(order_of())
    names = {"first_name": "Łucja", "last_name": "Nguyễn-Müller"}
    _person(Chart, **names)
    _person(Patient, **names)
    LabTest.objects.filter(external_id="labts_gut").update(name="GI-Invented™ \u03b1\u2011Amylase")
    text = lines(issue(order, actor=BILLER)[0])
    assert "Patient: Lucja Nguyen-Müller" in text
    assert "GI-InventedTM alpha-Amylase Diagnostic Solutions Laboratory 87505, 83993 399.00" in text
    assert not any("?" in line for line in text)


def test_hsa_plan_and_fee_are_told_as_they_were_said(order_of: MakeOrder) -> None:
    from labbridge.billing.models import Source
    from labbridge.billing.states import Said

    def said(order: Order, track: str, word: str) -> None:
        set_words(order, [Said(track, word, Source.STAFF, TODAY, "biller")], None, actor=BILLER)
        order.refresh_from_db()

    order = enter(order_of(1), amounts=[])
    said(order, "hsa_fsa", "confirmed")
    said(order, "physician_services", "charged")
    text = lines(issue(order, actor=BILLER)[0])
    assert "Paid with an HSA or FSA card, as confirmed by the practice." in text
    assert "Rupa's physician services fee: included." in text
    assert "Hormones Invented Lab B 82530 see total" in text
    other = enter(order_of(2))
    said(other, "payment_plan", "active")
    text = lines(issue(other, actor=BILLER)[0])
    assert "The order is paid in instalments through a payment plan, which still runs." in text
    assert not any("Balance due" in line for line in text)


# -- what is missing -------------------------------------------------------------------------------------------


def test_nothing_entered_is_said_line_by_line(order_of: MakeOrder, willow: Practice) -> None:
    willow.config["rupa"]["price_unit"] = "unknown"
    willow.config["rupa"]["practitioners"][0]["npi"] = ""
    willow.save()
    with pytest.raises(Incomplete) as refused:
        issue(order_of(), actor=BILLER)
    assert refused.value.missing == [
        NO_NPI,
        "The date of service is missing: enter it.",
        "GI Invented has no CPT code: enter it.",
        "Hormones Invented has no CPT code: enter it.",
        "There is no diagnosis: enter it.",
        "The price unit is not known: one price that you look up at Rupa tells (docs/billing.md).",
    ]
    assert not Superbill.objects.exists()
    assert Order.objects.get().superbill_status == ""


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"paid_at": None, "completed_at": None}, "its payment is awaiting_patient"),
        ({"status": "Refunded"}, "its payment is refunded"),
        ({"canceled_at": datetime(2025, 5, 30, tzinfo=UTC)}, "its payment is canceled"),
        ({"payer": "practitioner", "paid_at": None}, "its payment is practitioner_pays"),
        ({"payer": "practitioner"}, "the payer is practitioner"),
        ({"payer": ""}, "the payer is unknown"),
        ({"is_demo": True}, "demo order"),
        ({"completed_at": None}, "not all rendered: the order is in_progress"),
        ({"total_price": None}, "gives no price"),
        ({"total_price": Decimal(0)}, "gives no price"),
        ({"total_price": Decimal(500)}, "more than the price"),
        ({"practitioner_id_external": "pra_bo"}, "NPI is missing"),
        ({"practitioner_id_external": ""}, "names no practitioner"),
        ({"payment_plan_status": "failed"}, "what was paid is not known"),
        ({"submitted_at": datetime(2025, 5, 7, 17, 0, tzinfo=UTC)}, "lies before the day"),
        ({"patient": None}, "not matched with a chart"),
    ],
)  # fmt: skip
def test_each_reason(order_of: MakeOrder, fields: dict[str, Any], sentence: str) -> None:
    order = enter(order_of())
    assert can_issue(order) == []
    from labbridge.mirror.phases import phase_of

    for name, value in fields.items():
        setattr(order, name, value)
    order.phase = phase_of(order, [])
    order.save()
    assert any(sentence in reason for reason in can_issue(order)), can_issue(order)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda: _person(Chart, birthday="1981-02-03"), "differ between the chart and Rupa"),
        (lambda: _person(Chart, birthday="soon"), "no birthday that can be read"),
        (lambda: _person(Chart, zipcode=None), "no full address"),
        (lambda: _person(Chart, street="улица 1"), "patient's address has letters that the paper's font lacks"),
        (lambda: LabTest.objects.filter(external_id="labts_gut").update(name="腸"), "A test's or its lab's name has"),
        (lambda: PatientLink.objects.all().delete(), "not matched with a chart"),
        (lambda: LabTest.objects.filter(external_id="labts_gut").update(name=""), "test ordts_11 is not known"),
        (lambda: LabTest.objects.filter(external_id="labts_gut").delete(), "test ordts_11 is not known"),
    ],
)  # fmt: skip
def test_a_chart_or_catalogue_that_does_not_fit(
    order_of: MakeOrder, change: Callable[[], Any], sentence: str
) -> None:
    order = enter(order_of())
    change()
    assert [sentence in reason for reason in can_issue(order)] == [True], can_issue(order)


def _person(model: type[Chart | Patient], **more: Any) -> None:
    row = model.objects.get()
    row.person = {**PERSON, **more}
    row.save()


def test_reasons_name_no_patient(order_of: MakeOrder) -> None:
    order = order_of()
    _person(Chart, birthday="1981-02-03", first_name=None)
    text = " ".join(can_issue(order))
    assert not [word for word in PERSON.values() if word in text]


def test_amounts_for_some_tests_only_are_refused(order_of: MakeOrder) -> None:
    order = enter(order_of(), amounts=["ordts_11=399.00"])
    assert can_issue(order) == ["Some tests have an amount and some have none: enter all, or none."]


def test_the_npi_of_a_colleague_without_a_connection_comes_by_rupas_id(
    order_of: MakeOrder, willow: Practice
) -> None:
    willow.config["rupa"]["practitioners"].append(
        {"email": "bo@willow.example", "id": "pra_bo", "npi": "1245319599"}
    )
    willow.save()
    order = enter(order_of(practitioner_id_external="pra_bo"))
    assert "NPI: 1245319599" in lines(issue(order, actor=BILLER)[0])
    assert Practitioner.objects.count() == 2


# -- what staff enter ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed",
    [
        {"icd10": ["tired"]}, {"icd10": ["R53.83.1"]}, {"cpt": ["ordts_11=1"]}, {"cpt": ["ordts_99=87505"]},
        {"cpt": ["87505"]}, {"amounts": ["ordts_11=NaN"]}, {"amounts": ["ordts_11=-1"]},
        {"amounts": ["ordts_11=1.005"]}, {"amounts": ["ordts_11=1e9"]}, {"service_on": TODAY + timedelta(days=1)},
    ],
)  # fmt: skip
def test_what_has_no_shape_is_refused(order_of: MakeOrder, typed: dict[str, Any]) -> None:
    with pytest.raises(CannotSay):
        entered(order_of(), today=TODAY, **typed)


def test_later_entries_replace_what_they_name(order_of: MakeOrder) -> None:
    order = enter(order_of())
    set_words(order, [], entered(order, cpt=["ordts_12=84144"], today=TODAY), actor=BILLER)
    found = details(order)
    assert found.cpt == {"ordts_11": ["87505", "83993"], "ordts_12": ["84144"]}
    assert (found.icd10, found.service_on) == (["R53.83", "K58.9"], date(2025, 5, 6))


# -- numbers and versions --------------------------------------------------------------------------------------


def test_the_same_facts_are_the_same_version_and_others_a_new_one(order_of: MakeOrder) -> None:
    order = enter(order_of())
    first, _ = issue(order, actor=BILLER)
    again, new = issue(order, actor=BILLER)
    assert (again.pk, new) == (first.pk, False)
    enter(order, icd10=["R53.83"])
    second, new = issue(order, actor=BILLER)
    assert (second.number, second.version, new) == (1, 2, True)
    assert "Replaces: version 1 of this superbill" in lines(second)
    other, _ = issue(enter(order_of(2)), actor=BILLER)
    assert (other.number, other.version) == (2, 1)
    order.refresh_from_db()
    assert (order.superbill_status, order.filing_queued) == ("issued", True)
    assert AuditEntry.objects.filter(action="superbill.make").count() == 3


def test_a_refusal_leaves_no_gap_and_two_at_once_get_two_numbers(order_of: MakeOrder) -> None:
    orders = [enter(order_of(number)) for number in range(1, 4)]
    with pytest.raises(Incomplete):
        issue(order_of(9), actor=BILLER)
    problems: list[Exception] = []

    def go(order: Order) -> None:
        try:
            issue(order, actor=BILLER)
        except Exception as error:  # noqa: BLE001  # whatever it is, the test shows it
            problems.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=go, args=(order,)) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert sorted(Superbill.objects.values_list("number", flat=True)) == [1, 2, 3]


def test_what_was_sent_is_logged_and_a_disclosure(order_of: MakeOrder) -> None:
    order = enter(order_of())
    with pytest.raises(CannotSay):
        sent(order, receiver="patient", way="portal", on=TODAY, actor=BILLER)
    made, _ = issue(order, actor=BILLER)
    for receiver in ("patient", "administrator"):
        sent(order, receiver=receiver, way="post", on=TODAY, actor=BILLER)
    assert [(one.superbill_id, one.receiver) for one in Sending.objects.all()] == [
        (made.pk, "patient"), (made.pk, "administrator"),
    ]  # fmt: skip
    order.refresh_from_db()
    assert order.superbill_status == "sent"
    from labbridge.trust.reports import Question

    disclosed = Question(practice="willow").disclosures().filter(action="superbill.send")
    assert [entry.detail["to"] for entry in disclosed] == ["patient", "administrator"]


def test_it_lies_sealed_and_goes_with_the_patient_but_its_number_stays(order_of: MakeOrder) -> None:
    from labbridge.handlers.erasure import erase

    order = enter(order_of())
    made, _ = issue(order, actor=BILLER)
    with connection.cursor() as cursor:
        cursor.execute("SELECT content, pdf FROM billing_superbill")
        held = b"".join(bytes(one) for one in cursor.fetchone())
    assert b"Paperwright" not in held
    assert b"%PDF" not in held
    erase(order.practice, [order.patient], why="asked", actor=BILLER)
    kept = Superbill.objects.get()
    assert (kept.number, kept.version, kept.sha256) == (1, 1, made.sha256)
    with pytest.raises(ContentRemoved):
        _ = kept.pdf
    with pytest.raises(ContentRemoved):
        _ = kept.content


# -- as typed --------------------------------------------------------------------------------------------------


def test_from_the_list_to_the_paper(order_of: MakeOrder, labbridge: Any, tmp_path: Path) -> None:
    import json

    order = order_of()
    order_of(2, paid_at=None, completed_at=None)
    unpaid = json.loads(labbridge("billing", "list", "--unpaid", "--json").stdout)
    assert [(row["order"], row["payment"], row["amount"]) for row in unpaid] == [
        ("ord_2", "awaiting_patient", "648.50")
    ]
    assert len(json.loads(labbridge("billing", "list", "--json").stdout)) == 2
    lacking = labbridge("billing", "superbill", "ord_1", "--dry-run")
    assert (lacking.exit_code, "There is no diagnosis" in lacking.stdout) == (1, True)
    typed = [
        "--icd10", "R53.83", "--cpt", "ordts_11=87505", "--cpt", "ordts_12=82530", "--service-date", "2025-05-06",
        "--superbill", "requested", "--source", "patient", "--note", "by phone",
    ]  # fmt: skip
    dry = labbridge("billing", "set", "ord_1", *typed, "--dry-run", "--json")
    assert len(json.loads(dry.stdout)["changes"]) == 2
    assert Order.objects.get(pk=order.pk).superbill_status == ""
    assert labbridge("billing", "set", "ord_1", *typed).exit_code == 0
    path = tmp_path / "bill.pdf"
    done = labbridge("billing", "superbill", "ord_1", "--out", str(path), "--json")
    assert (done.exit_code, json.loads(done.stdout)["number"]) == (0, 1)
    assert (path.read_bytes()[:5], path.stat().st_mode & 0o777) == (b"%PDF-", 0o600)
    assert (
        labbridge("billing", "superbill", "ord_1", "--sent-to", "administrator", "--way", "fax").exit_code
        == 0
    )
    shown = json.loads(labbridge("billing", "show", "ord_1", "--json").stdout)
    assert (shown["superbill"], shown["physician_services"], shown["superbill_lacks"]) == (
        "sent",
        "unknown",
        [],
    )
    assert [one["word"] for one in shown["evidence"]] == ["requested", "entered", "issued", "sent"]
    assert shown["superbills"][0]["sent"][0]["receiver"] == "administrator"
    assert "Paperwright" not in json.dumps(shown)
    actions = set(AuditEntry.objects.values_list("action", flat=True))
    assert {
        "money.list",
        "money.read",
        "money.set",
        "superbill.make",
        "superbill.read",
        "superbill.send",
    } <= actions


@pytest.mark.parametrize(
    "typed",
    [
        ("show", "ord_9"), ("set", "ord_1"), ("set", "ord_1", "--hsa-fsa", "paid"),
        ("set", "ord_1", "--hsa-fsa", "reported", "--source", "rumour"),
        ("set", "ord_1", "--hsa-fsa", "reported", "--on", "yesterday"),
        ("superbill", "ord_1", "--sent-to", "nobody", "--way", "post"),
        ("superbill", "ord_1", "--sent-to", "patient", "--way", "post"),
    ],
)  # fmt: skip
def test_wrong_use_is_a_sentence(order_of: MakeOrder, labbridge: Any, typed: tuple[str, ...]) -> None:
    order_of()
    done = labbridge("billing", *typed)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


# -- the price unit --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "code", "unit"),
    [("399.00", 0, "dollars"), ("399", 0, "dollars"), ("3.99", 0, "cents"), ("398.99", 1, None), ("0", 1, None),
     ("dear", 2, None)],
)  # fmt: skip
def test_one_known_price_tells_the_unit(
    willow: Practice, labbridge: Any, price: str, code: int, unit: str
) -> None:
    willow.config["rupa"]["price_unit"] = "unknown"
    willow.save()
    typed = ["practice", "calibrate-price", "--test", "gi invented", "--price", price]
    dry = labbridge(*typed, "--dry-run")
    assert dry.exit_code == code
    assert Practice.objects.get().config["rupa"]["price_unit"] == "unknown"
    done = labbridge(*typed)
    assert done.exit_code == code
    assert Practice.objects.get().config["rupa"]["price_unit"] == (unit or "unknown")
    if unit:
        assert f'price_unit = "{unit}" under [rupa]' in done.stdout
        assert AuditEntry.objects.filter(action="practice.apply").exists()


def test_a_test_that_is_not_there_or_several_are_asked_about(willow: Practice, labbridge: Any) -> None:
    done = labbridge("practice", "calibrate-price", "--test", "labts_none", "--price", "399")
    assert (done.exit_code, "no such test" in done.stderr) == (2, True)
    LabTest.objects.create(practice=willow, external_id="labts_gut2", name="GI Invented")
    done = labbridge("practice", "calibrate-price", "--test", "GI Invented", "--price", "399")
    assert (done.exit_code, "labts_gut, labts_gut2" in done.stderr) == (2, True)


def test_amounts_show_in_caspio_once_the_unit_is_known(order_of: MakeOrder, labbridge: Any) -> None:
    order = order_of()
    Practice.objects.update(
        config={**order.practice.config, "rupa": {"price_unit": "unknown", "practitioners": []}}
    )
    assert labbridge("practice", "calibrate-price", "--test", "labts_gut", "--price", "399").exit_code == 0
    order.refresh_from_db()
    assert (order.revision, order.filing_queued) == (2, True), "its amount is compared with Caspio again"
