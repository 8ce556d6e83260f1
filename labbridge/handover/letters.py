"""What a letter says: two families of types, made by two functions, which have nothing in common but the envelope.

`phi_body` may tell all that the API tells a key of the class `phi`; `deidentified_body` makes the closed types of
`deidentified.py`. Both read the thing as it is now: a letter that was held up for days tells today's truth,
nothing about a patient lies in the outbox, and what was erased is not told.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta, tzinfo

from django.db.models import Model
from pydantic import BaseModel

from labbridge.alerts.models import Alert, AlertState
from labbridge.alerts.rules import RULES, Owner, Severity
from labbridge.handover import deidentified as safe
from labbridge.handover.api import shapes
from labbridge.handover.api.cases import full_case
from labbridge.handover.api.catalogue import full_test
from labbridge.handover.api.orders import full_order, orders_of
from labbridge.handover.api.practice import full_alert
from labbridge.handover.api.results import full_result, results_of
from labbridge.mirror.lab_tests import NEW, WATCHED
from labbridge.mirror.models import CaseKind, LabCompany, LabTest, Order, Phase, Result, ReviewCase
from labbridge.mirror.phases import PAYMENT_WORDS
from labbridge.mirror.pseudonyms import sides_of
from labbridge.outbox.models import Fact, Kind
from labbridge.practices.apply import config_of
from labbridge.practices.models import Practice

COMMON = timedelta(days=365)  #: in which so many patients must share a lab before a letter names it

PHASES = frozenset(Phase.values)
QUESTIONS = frozenset(CaseKind.values)
CHANGES = frozenset({*WATCHED, NEW})
SEVERITIES, OWNERS = frozenset(map(str, Severity)), frozenset(map(str, Owner))
TOLD_STATES = frozenset({AlertState.OPEN.value, AlertState.RESOLVED.value})


class Gone(Exception):
    """What a fact speaks of was erased, or is no more: its letter is withdrawn."""


class PhiBody(BaseModel):
    """What a destination under a BAA is told: the API's own shapes, and what changed."""

    order: shapes.Order | None = None
    result: shapes.Result | None = None
    review_case: shapes.ReviewCase | None = None
    lab_test: shapes.LabTest | None = None
    alert: shapes.Alert | None = None
    previous_phase: str | None = None
    previous_payment_status: str | None = None
    changed: str | None = None
    before: str | None = None
    after: str | None = None
    month: str | None = None
    counts: dict[str, int] | None = None


def phi_body(fact: Fact) -> tuple[PhiBody, tuple[Model, ...]]:  # noqa: PLR0911  # one case for each kind
    """What is told, and about whom.

    Raises:
        Gone: it was erased.

    """
    words, practice = fact.words, fact.practice
    match fact.kind:
        case Kind.PHASE | Kind.PAYMENT:
            order = _order(fact)
            return PhiBody(
                order=full_order(order, _unit(practice)), previous_phase=words.get("previous_phase"),
                previous_payment_status=words.get("previous_payment_status"),
            ), sides_of(order)  # fmt: skip
        case Kind.RESULT:
            order, result = _order(fact), _result(fact)
            return PhiBody(
                order=full_order(order, _unit(practice)), result=full_result(result)
            ), sides_of(order)  # fmt: skip
        case Kind.REVIEW:
            case = _case(fact)
            return PhiBody(review_case=full_case(case)), tuple(
                side for side in (case.chart, case.patient) if side
            )
        case Kind.CATALOGUE:
            test = _lab_test(fact)
            return PhiBody(
                lab_test=full_test(test, _unit(practice)), changed=words["changed"], before=words["before"],
                after=words["after"],
            ), ()  # fmt: skip
        case Kind.ALERT:
            return PhiBody(alert=full_alert(_alert(fact))), ()
        case Kind.MONTH:
            return PhiBody(month=words["month"], counts={name: words[name] for name in COUNTED}), ()
        case _:
            return PhiBody(), ()


def deidentified_body(fact: Fact) -> safe.Deidentified:  # noqa: PLR0911  # one case for each kind
    """The same, for a destination that may be told nothing about anybody. Raises Gone."""
    words, month = fact.words, safe.Month.of(fact.at, fact.practice.zone)
    match fact.kind:
        case Kind.PHASE:
            return safe.PhaseChanged(
                month=month, phase=safe.Word(words["phase"], PHASES),
                previous_phase=_word(words.get("previous_phase"), PHASES), demo=bool(words["demo"]),
            )  # fmt: skip
        case Kind.PAYMENT:
            return safe.PaymentChanged(
                month=month, payment_status=safe.Word(words["payment_status"], PAYMENT_WORDS),
                previous_payment_status=_word(words.get("previous_payment_status"), PAYMENT_WORDS),
                demo=bool(words["demo"]),
            )  # fmt: skip
        case Kind.RESULT:
            result = _result(fact)
            return safe.ResultFiled(
                month=month, amended=result.version > 1, lab_company=_lab_of(result, fact)
            )
        case Kind.REVIEW:
            return safe.ReviewNeeded(month=month, question=safe.Word(words["question"], QUESTIONS))
        case Kind.CATALOGUE:
            test = _lab_test(fact)
            return safe.CatalogueChanged(
                month=month, lab_test=safe.CatalogueId(test.pk), changed=safe.Word(words["changed"], CHANGES)
            )
        case Kind.ALERT:
            rule = _alert(fact).definition
            return safe.AlertChanged(
                month=month, rule=safe.Word(_alert(fact).rule, RULES), severity=safe.Word(rule.severity, SEVERITIES),
                owner=safe.Word(rule.owner, OWNERS), state=safe.Word(words["state"], TOLD_STATES),
            )  # fmt: skip
        case Kind.MONTH:
            counts = {name: safe.Count(words[name]) for name in COUNTED}
            return safe.MonthCounted(month=month_of(words["month"]), **counts)
        case _:
            return safe.Tried(month=month)


def _word(text: str | None, vocabulary: frozenset[str]) -> safe.Word | None:
    return safe.Word(text, vocabulary) if text else None


COUNTED = ("orders_submitted", "orders_completed", "orders_canceled", "results_found")


def month_of(text: str) -> safe.Month:
    year, month = text.split("-")
    return safe.Month(int(year), int(month))


def _lab_of(result: Result, fact: Fact) -> safe.CatalogueId | None:
    """The lab, where at least eleven patients of this practice had a test of it within a year."""
    known = LabTest.objects.filter(
        practice=fact.practice, external_id=result.ordered_test.lab_test_id_external
    ).first()
    company = known and LabCompany.objects.filter(
        practice=fact.practice, external_id=known.lab_company_id_external
    ).first()  # fmt: skip
    if not known or not company:
        return None
    tests = LabTest.objects.filter(practice=fact.practice, lab_company_id_external=company.external_id)
    orders = Order.objects.filter(
        practice=fact.practice, is_demo=False, submitted_at__gt=fact.at - COMMON,
        ordered_tests__lab_test_id_external__in=tests.values("external_id"),
    )  # fmt: skip
    people = orders.values("patient").distinct().count()
    return safe.CatalogueId.shared_by(company.pk, people)


# -- what a fact speaks of ---------------------------------------------------------------------------------------


def _id(fact: Fact) -> uuid.UUID:
    return uuid.UUID(fact.about.partition(":")[2])


def _order(fact: Fact) -> Order:
    order = orders_of(fact.practice).filter(pk=_id(fact), erased_at=None).first()
    if order is None or (order.patient is not None and order.patient.erased_at):
        raise Gone
    return order


def _result(fact: Fact) -> Result:
    test, _, version = str(fact.words["result_key"]).rpartition("-v")
    results = results_of(fact.practice).filter(
        ordered_test__order=_id(fact), ordered_test__external_id=test, version=int(version)
    )
    result = results.first()
    if result is None or result.ordered_test.order.erased_at:
        raise Gone
    return result


def _case(fact: Fact) -> ReviewCase:
    cases = ReviewCase.objects.filter(practice=fact.practice, pk=_id(fact))
    case = cases.select_related("practice", "chart", "patient", "decided_patient").first()
    if case is None or any(side is not None and side.erased_at for side in (case.chart, case.patient)):
        raise Gone
    return case


def _lab_test(fact: Fact) -> LabTest:
    test = LabTest.objects.filter(practice=fact.practice, external_id=fact.about.partition(":")[2]).first()
    if test is None:
        raise Gone
    return test


def _alert(fact: Fact) -> Alert:
    alert = Alert.objects.select_related("practice").filter(practice=fact.practice, pk=_id(fact)).first()
    if alert is None:
        raise Gone
    return alert


def _unit(practice: Practice) -> str:
    return config_of(practice).rupa.price_unit


# -- examples ----------------------------------------------------------------------------------------------------


def deidentified_example(kind: str, at: datetime, zone: tzinfo = UTC) -> safe.Deidentified:
    month = safe.Month.of(at, zone)
    examples: dict[str, safe.Deidentified] = {
        Kind.PHASE: safe.PhaseChanged(
            month, safe.Word("in_progress", PHASES), safe.Word("awaiting_payment", PHASES), demo=False
        ),
        Kind.RESULT: safe.ResultFiled(month, amended=False, lab_company=safe.CatalogueId(7)),
        Kind.REVIEW: safe.ReviewNeeded(month, safe.Word("identity", QUESTIONS)),
        Kind.PAYMENT: safe.PaymentChanged(
            month, safe.Word("paid", PAYMENT_WORDS), safe.Word("awaiting_patient", PAYMENT_WORDS), demo=False
        ),
        Kind.CATALOGUE: safe.CatalogueChanged(month, safe.CatalogueId(1204), safe.Word("price", CHANGES)),
        Kind.ALERT: safe.AlertChanged(
            month, safe.Word("orders_late", RULES), safe.Word("warning", SEVERITIES),
            safe.Word("front desk", OWNERS), safe.Word("open", TOLD_STATES),
        ),
        Kind.MONTH: safe.MonthCounted(month, safe.Count(42), safe.Count(31), safe.Count(3), safe.Count(57)),
    }  # fmt: skip
    return examples.get(kind, safe.Tried(month))


def phi_example(kind: str, at: datetime) -> PhiBody:
    """Invented, and looking it."""
    one, two, three = (uuid.UUID(int=number) for number in (1, 2, 3))
    order = shapes.Order(
        id=one, rupa_order_id="ord_example",
        patient=shapes.PatientRef(id=two, patient_key="P-EXAMPLE", rupa_patient_id="pat_example"),
        practitioner_name="Ada Sampledoctor", phase=Phase.IN_PROGRESS, rupa_status="Payment received",
        payment_status="paid", payer="patient", total_price=None, source="caspio", request_id="", is_demo=False,
        submitted_at=at, paid_at=at, completed_at=None, canceled_at=None, tests_total=2, tests_resulted=1,
        filed_at=at, problem="",
    )  # fmt: skip
    result = shapes.Result(
        id=three, ordered_test_id=two, order_id=one, result_key="ot_example-v1", version=1, amended=False,
        received_at=at, found_at=at, has_file=True, pdf_sha256="0" * 64, pdf_size=48213, has_values=True,
        withheld=False, superseded=False, problem="",
    )  # fmt: skip
    case = shapes.ReviewCase(
        id=three, kind=CaseKind.IDENTITY, state="open", decision=None, reasons=["The birthdays differ."],  # type: ignore[arg-type]  # pydantic reads the word
        actions=["link", "not_the_same"], ways_out=["Ask the patient."], patient_id=two,
        rupa_patient_id="pat_example", candidates=["pat_example"], fields=[], decided_by=None, opened_at=at,
        decided_at=None, seen="0" * 32,
    )  # fmt: skip
    test = shapes.LabTest(
        id=1204, rupa_id="test_example", name="Sample Panel", lab_company_rupa_id="lab_example",
        lab_company_name="Sample Labs", category="", price=None, turnaround_days=10, shipping_days_min=None,
        shipping_days_max=None, is_addon=False, parent_rupa_id="", available=True, unavailable_reason="", url="",
        sample_report_url="", retired=False,
    )  # fmt: skip
    rule = RULES["orders_late"]
    alert = shapes.Alert(
        id=three, rule="orders_late", severity=rule.severity, owner=rule.owner, state=AlertState.OPEN,
        sentence=rule.sentence.format(count=3), action=rule.action, first_seen=at, last_seen=at, resolved_at=None,
    )  # fmt: skip
    examples: dict[str, PhiBody] = {
        Kind.PHASE: PhiBody(order=order, previous_phase="awaiting_payment"),
        Kind.RESULT: PhiBody(order=order, result=result),
        Kind.REVIEW: PhiBody(review_case=case),
        Kind.PAYMENT: PhiBody(order=order, previous_payment_status="awaiting_patient"),
        Kind.CATALOGUE: PhiBody(lab_test=test, changed="price", before="399", after="419"),
        Kind.ALERT: PhiBody(alert=alert),
        Kind.MONTH: PhiBody(month=f"{at:%Y-%m}", counts=dict.fromkeys(COUNTED, 12)),
    }
    return examples.get(kind, PhiBody())
