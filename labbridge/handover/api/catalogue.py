"""The catalogue: lab companies and tests, as the practice's own Rupa account lists them."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest
from ninja import Path, Router

from labbridge.filing.rows import money
from labbridge.handover.api import shapes
from labbridge.handover.api.auth import key_of
from labbridge.handover.api.calls import get, one
from labbridge.handover.api.paging import LARGEST_ID, Pages, Paging, page
from labbridge.mirror.models import LabCompany, LabTest
from labbridge.practices.apply import config_of

router = Router(tags=["catalogue"])
SCOPE = "catalogue:read"
Id = Annotated[int, Path(ge=1, le=LARGEST_ID)]


@get(router, "lab-companies", SCOPE, shapes.LabCompanyPage)
def list_lab_companies(request: HttpRequest, paging: Paging = Pages) -> shapes.LabCompanyPage:
    rows, cursor = page(LabCompany.objects.filter(practice=key_of(request).practice), paging)
    items = [
        shapes.LabCompany(id=row.pk, rupa_id=row.external_id, name=row.name, short_name=row.short_name)
        for row in rows
    ]
    return shapes.LabCompanyPage(items=items, next_cursor=cursor)


@get(router, "lab-tests", SCOPE, shapes.LabTestPage)
def list_lab_tests(
    request: HttpRequest, paging: Paging = Pages, available: bool | None = None
) -> shapes.LabTestPage:
    practice = key_of(request).practice
    tests = LabTest.objects.filter(practice=practice)
    if available is not None:
        tests = (tests.filter if available else tests.exclude)(available=True, retired=False)
    rows, cursor = page(tests, paging)
    unit = config_of(practice).rupa.price_unit
    return shapes.LabTestPage(items=[full_test(row, unit) for row in rows], next_cursor=cursor)


@get(router, "lab-tests/{lab_test_id}", SCOPE, shapes.LabTest)
def get_lab_test(request: HttpRequest, lab_test_id: Id) -> shapes.LabTest:
    practice = key_of(request).practice
    row = one(LabTest.objects.filter(practice=practice), lab_test_id)
    return full_test(row, config_of(practice).rupa.price_unit)


def full_test(row: LabTest, unit: str) -> shapes.LabTest:
    return shapes.LabTest(
        id=row.pk, rupa_id=row.external_id, name=row.name, lab_company_rupa_id=row.lab_company_id_external,
        lab_company_name=row.lab_company_name, category=row.category, price=money(row.price, unit),
        turnaround_days=row.turnaround_days, shipping_days_min=row.shipping_days_min,
        shipping_days_max=row.shipping_days_max, is_addon=row.is_addon, parent_rupa_id=row.parent_id_external,
        available=row.available and not row.retired, unavailable_reason=row.unavailable_reason, url=row.url,
        sample_report_url=row.sample_report_url, retired=row.retired,
    )  # fmt: skip
