"""Orders and results for tests of screens, made in the mirror without a peer."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.utils import timezone

from labbridge.mirror.models import (
    Chart,
    LabCompany,
    LabTest,
    Order,
    OrderedTest,
    Patient,
    PatientLink,
    Phase,
    Result,
    ResultValue,
    StoredFile,
)
from labbridge.mirror.names import index
from labbridge.mirror.person import Person
from labbridge.mirror.results import urgency_of
from labbridge.practices.config import parse
from labbridge.practices.models import Practice
from tests.world import PRACTICE_TOML

Side = TypeVar("Side", Chart, Patient)
PDF = b"%PDF-1.7 invented"


def make_practice(slug: str = "willow") -> Practice:
    toml = PRACTICE_TOML.format(caspio="https://c0abc123.caspio.com", rate=5, refresh_token="t")
    config = parse(toml).model_dump(mode="json")
    config["rupa"]["price_unit"] = "unknown"
    return Practice.objects.create(
        slug=slug, name=slug.title(), time_zone="America/Los_Angeles", config=config
    )


def make_patient(practice: Practice, number: int = 1, *, linked: bool = True, **person: Any) -> Patient:
    known = {
        "first_name": f"Testa{number}", "last_name": "Sampleperson", "birthday": "1978-08-16",
        "email": f"testa{number}@patients.example", **person,
    }  # fmt: skip
    patient = kept(Patient(practice=practice, external_id=f"pat_{practice.slug}_{number}"), known)
    if linked:
        chart = kept(Chart(practice=practice, key=f"P-{number}"), known)
        PatientLink.objects.create(
            practice=practice, chart=chart, patient=patient, reasons=["E-mail and birthday agree."]
        )
    return patient


def kept(row: Side, person: Person) -> Side:
    """Saved with its particulars, and found by them."""
    row.person = person
    index(row, person)
    row.save()
    return row


def make_order(practice: Practice, number: int = 1, patient: Patient | None = None, **more: Any) -> Order:
    given = {
        "phase": Phase.IN_PROGRESS, "status": "In Progress", "submitted_at": timezone.now() - timedelta(days=3),
        "paid_at": timezone.now() - timedelta(days=3), "revision": 1, "filed_revision": 1, "filed_at": timezone.now(),
        "total_price": 199, **more,
    }  # fmt: skip
    order = Order.objects.create(
        practice=practice, external_id=f"ord_{practice.slug}_{number}", patient=patient, **given
    )
    LabCompany.objects.get_or_create(practice=practice, external_id="co_1", defaults={"name": "Invented Lab"})
    LabTest.objects.get_or_create(
        practice=practice, external_id="labts_1",
        defaults={"name": "Invented Panel", "lab_company_name": "Invented Lab", "lab_company_id_external": "co_1",
                  "turnaround_days": 10},
    )  # fmt: skip
    OrderedTest.objects.create(
        practice=practice, order=order, external_id=f"ordts_{practice.slug}_{number}", lab_test_id_external="labts_1"
    )  # fmt: skip
    return order


def value(
    analyte: str = "Ferritin", number: str = "42", flag: str | None = "N", **more: Any
) -> dict[str, Any]:
    return {
        "analyte": analyte, "loinc": "2276-4", "number": number, "text": number, "units": "ng/mL",
        "reference_range": "30-150", "flag": flag, "status": "F", "comments": [], **more,
    }  # fmt: skip


def make_result(
    order: Order,
    *values: dict[str, Any],
    version: int = 1,
    pdf: bool = True,
    at: datetime | None = None,
    **more: Any,
) -> Result:
    test = order.ordered_tests.get()
    stored = None
    if pdf:
        stored, _ = StoredFile.objects.get_or_create(
            practice=order.practice, sha256=f"{order.pk.hex}{version}".ljust(64, "0"),
            defaults={"kind": "pdf", "size": len(PDF), "content": PDF},
        )  # fmt: skip
    hl7 = None
    if values:
        hl7, _ = StoredFile.objects.get_or_create(
            practice=order.practice, sha256=f"{order.pk.hex}{version}".ljust(64, "f"),
            defaults={"kind": "hl7", "size": 3, "content": b"MSH"},
        )  # fmt: skip
    moment = at or timezone.now()
    result = Result.objects.create(
        ordered_test=test, version=version, as_of=moment, received_at=moment, pdf=stored, hl7=hl7,
        urgency=urgency_of(values), **more,
    )  # fmt: skip
    for number, one in enumerate(values, start=1):
        read = dict(one)
        analyte, loinc = read.pop("analyte"), read.pop("loinc")
        ResultValue.objects.create(
            result=result, number=number, analyte=analyte, loinc=loinc, reading=read, observed_at=moment
        )
    OrderedTest.objects.filter(pk=test.pk).update(results_received_at=moment)
    return result


def text(answer: Any) -> str:
    assert answer.status_code == 200, answer.status_code
    assert "no-store" in answer["Cache-Control"]
    return str(answer.content.decode())
