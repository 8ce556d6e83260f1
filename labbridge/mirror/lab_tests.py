"""Merging the catalogue: companies and tests are told whole, so the newest one wins as a whole."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import models

from labbridge.mirror.merge import fitting
from labbridge.mirror.models import LabCompany, LabTest, LabTestChange, Order
from labbridge.outbox.models import Kind
from labbridge.outbox.note import News, note_all
from labbridge.peers.rupa.types import LabCompanySnapshot, LabTestSnapshot, OrderSnapshot
from labbridge.practices.models import Practice

LAB_TEST_FIELDS = (
    "name", "category", "price", "turnaround_days", "shipping_days_min", "shipping_days_max", "is_addon", "url",
    "sample_report_url",
)  # fmt: skip


#: What whoever orders a test wants to know the history of.
WATCHED = ("price", "turnaround_days", "shipping_days_max", "available", "retired")
NEW = "new"

Seen = dict[str, str]


def seen(test: LabTest) -> Seen:
    """What is watched of a test, as its history writes it."""
    return {field: _written(getattr(test, field)) for field in WATCHED}


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")  # 20.0000 read back is the 20 that was given
    return "" if value is None else str(value)


def changes_of(test: LabTest, before: Seen | None, at: datetime) -> list[LabTestChange]:
    """What changed of a test, to be kept; None before: it is new."""

    def made(field: str, old: str = "", new: str = "") -> LabTestChange:
        return LabTestChange(
            practice=test.practice, external_id=test.external_id, field=field, before=old, after=new, at=at
        )

    if before is None:
        return [made(NEW)]
    return [made(field, before[field], now) for field, now in seen(test).items() if before[field] != now]


def keep_changes(practice: Practice, changes: list[LabTestChange]) -> None:
    """Keep what changed, and have others told of it. Inside the transaction of the changes themselves."""
    LabTestChange.objects.bulk_create(changes, batch_size=500)
    note_all(
        practice.pk,
        [
            News(
                Kind.CATALOGUE,
                f"lab_test:{one.external_id}",
                {"changed": one.field, "before": one.before, "after": one.after},
            )
            for one in changes
        ],
    )


def _copy(target: models.Model, snapshot: Any, pairs: dict[str, str]) -> bool:
    """Copy what the snapshot states."""
    changed = False
    for ours, theirs in pairs.items():
        if theirs in snapshot.present:
            value = fitting(target, ours, getattr(snapshot, theirs))
            changed |= getattr(target, ours) != value
            setattr(target, ours, value)
    return changed


def merge_company(
    practice: Practice, snapshot: LabCompanySnapshot, as_of: datetime
) -> tuple[LabCompany, bool]:
    company, created = LabCompany.objects.select_for_update().get_or_create(
        practice=practice, external_id=snapshot.id
    )
    if company.as_of is not None and as_of < company.as_of:
        return company, False
    changed = _copy(company, snapshot, {"name": "name", "short_name": "short_name"})
    company.as_of = as_of
    company.save()
    if changed:
        LabTest.objects.filter(practice=practice, lab_company_id_external=company.external_id).update(
            lab_company_name=company.name
        )
    return company, changed or created


def merge_lab_test(practice: Practice, snapshot: LabTestSnapshot, as_of: datetime) -> tuple[LabTest, bool]:
    test, created = LabTest.objects.select_for_update().get_or_create(
        practice=practice, external_id=snapshot.id
    )
    if test.as_of is not None and as_of < test.as_of:
        return test, False
    company_before, before = test.lab_company_id_external, None if created else seen(test)
    changed = created | fill_lab_test(test, snapshot)
    if test.lab_company_id_external and (not test.lab_company_name or "lab_company_id" in snapshot.present):
        name = _company_name(practice, snapshot, test.lab_company_id_external)
        if not name and test.lab_company_id_external == company_before:
            name = test.lab_company_name  # an order names the company by its id alone: what is known stays
        changed |= name != test.lab_company_name
        test.lab_company_name = name
    test.as_of = as_of
    test.save()
    if not created or practice.catalog_read_at is not None:  # a first reading is no news
        keep_changes(practice, changes_of(test, before, as_of))
    return test, changed


def fill_lab_test(test: LabTest, snapshot: LabTestSnapshot) -> bool:
    """Copy what the snapshot states, without saving."""
    changed = _copy(test, snapshot, {name: name for name in LAB_TEST_FIELDS})
    changed |= _copy(
        test, snapshot, {"lab_company_id_external": "lab_company_id", "parent_id_external": "parent_test_id"}
    )
    if snapshot.present & {"disabled", "unavailable_reason"}:
        reason = snapshot.unavailable_reason or snapshot.disabled_reason or ""
        changed |= (test.available, test.unavailable_reason) != (snapshot.available, reason[:500])
        test.available, test.unavailable_reason = snapshot.available, reason[:500]
    changed |= test.retired
    test.retired = False
    return changed


def _company_name(practice: Practice, snapshot: LabTestSnapshot, company_id: str) -> str:
    if snapshot.lab_company is not None and snapshot.lab_company.name:
        return snapshot.lab_company.name[:255]
    known = LabCompany.objects.filter(practice=practice, external_id=company_id).first()
    return known.name if known else ""


def lab_tests_missing(order: Order) -> list[str]:
    """Ids of this order's tests that nobody has read yet. One that Rupa does not know is not asked for again."""
    wanted = set(
        order.ordered_tests.exclude(lab_test_id_external="").values_list("lab_test_id_external", flat=True)
    )
    read = LabTest.objects.filter(practice=order.practice, external_id__in=wanted, as_of__isnull=False)
    return sorted(wanted - set(read.values_list("external_id", flat=True)))


def included_lab_tests(snapshot: OrderSnapshot) -> Iterable[LabTestSnapshot]:
    return (test.lab_test for test in snapshot.ordered_tests if test.lab_test is not None)
