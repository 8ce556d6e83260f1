"""Results: their versions, their values, and their files by an address that works for five minutes.

What names another patient is withheld until a person decides: its version is told, its contents are not.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from decimal import Decimal

from django.conf import settings
from django.core import signing
from django.db.models import Exists, Model, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Router

from labbridge.filing.rows import REMOVED, value_text
from labbridge.handover.api import shapes
from labbridge.handover.api.auth import actor_of, audit, count, key_of
from labbridge.handover.api.calls import get, one, post
from labbridge.handover.api.paging import Pages, Paging, page
from labbridge.handover.api.problems import GONE, Problem
from labbridge.handover.api.root import PREFIX, no_such_thing
from labbridge.handover.keys import usable
from labbridge.handover.models import ApiKey
from labbridge.mirror.models import Result, ResultValue, StoredFile
from labbridge.mirror.pseudonyms import sides_of
from labbridge.mirror.results import WITHDRAWN
from labbridge.practices.models import Practice
from labbridge.trust.audit import record

router = Router(tags=["results"])
LIFE = timedelta(minutes=5)
SALT = "labbridge.handover.file"
VALUES_REMOVED = "Our copy of these values was removed. They stay in Caspio."
WITHHELD = "This report names another patient, so a person must decide first: see Matches in the console."


@get(router, "results", "results:read", shapes.ResultPage)
def list_results(
    request: HttpRequest, paging: Paging = Pages, order_id: uuid.UUID | None = None,
    ordered_test_id: uuid.UUID | None = None,
) -> shapes.ResultPage:  # fmt: skip
    """Every version of every result, oldest first."""
    results = _results(request)
    if order_id is not None:
        results = results.filter(ordered_test__order=order_id)
    if ordered_test_id is not None:
        results = results.filter(ordered_test=ordered_test_id)
    rows, cursor = page(results, paging)
    patients = [side for row in rows for side in _concerned(row)]
    audit(request, "result.read", patients=patients, count=len(rows))
    return shapes.ResultPage(items=[full_result(row) for row in rows], next_cursor=cursor)


@get(router, "results/{result_id}", "results:read", shapes.Result)
def get_result(request: HttpRequest, result_id: uuid.UUID) -> shapes.Result:
    result = one(_results(request), result_id)
    audit(request, "result.read", patients=_concerned(result), subject=f"result:{result.pk}")
    return full_result(result)


@get(router, "results/{result_id}/values", "results:read", shapes.ResultValues, 409, 410)
def list_result_values(request: HttpRequest, result_id: uuid.UUID) -> shapes.ResultValues:
    """All values of one version, in the order of the lab's report."""
    result = one(_results(request), result_id)
    if result.withheld:
        raise Problem("withheld", WITHHELD)
    audit(request, "result.read", patients=_concerned(result), subject=f"result:{result.pk}", part="values")
    try:
        items = [_value(row) for row in result.values.all()]
    except GONE:
        raise Problem("removed", VALUES_REMOVED) from None
    return shapes.ResultValues(result_id=result.pk, items=items)


@post(router, "results/{result_id}/file-address", "results:read", shapes.FileAddress, 409, 410)
def make_file_address(request: HttpRequest, result_id: uuid.UUID) -> shapes.FileAddress:
    """An address of the report's PDF that needs no key and works for five minutes."""
    result = one(_results(request), result_id)
    _openable(result)
    token = signing.dumps([result.pk.hex, key_of(request).pk.hex], salt=SALT)
    url = f"{settings.DEPLOYMENT.public_url}/{PREFIX}files/{token}"
    return shapes.FileAddress(url=url, expires_at=timezone.now() + LIFE)


@router.get(
    "files/{token}", response=None, auth=None, description="The PDF behind an address of `make_file_address`.",
    openapi_extra={
        "responses": {
            200: {
                "description": "The report",
                "content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}},
            }
        },
        "x-problems": (409, 410, 429),
    },
)  # fmt: skip
def get_file(request: HttpRequest, token: str) -> HttpResponse:
    """The key that made the address must still be usable; the look is recorded as its own."""
    try:
        result_id, key_id = signing.loads(token, salt=SALT, max_age=LIFE)
    except signing.BadSignature:
        raise no_such_thing() from None
    key = ApiKey.objects.select_related("practice", "agreement").filter(pk=key_id).first()
    if key is None or key.held or not usable(key, timezone.now()):
        raise no_such_thing()
    count(request, key)
    result = one(results_of(key.practice), uuid.UUID(result_id))
    _openable(result)
    record(
        "result.read", actor=actor_of(request, key), practice=key.practice, patient=_concerned(result),
        subject=f"result:{result.pk}", why="machine API", part="file",
    )  # fmt: skip
    content = _content(result)
    return HttpResponse(
        content, content_type="application/pdf",
        headers={"Content-Disposition": 'attachment; filename="result.pdf"', "X-Content-Type-Options": "nosniff"},
    )  # fmt: skip


def _content(result: Result) -> bytes:
    assert result.pdf is not None  # noqa: S101  # _openable has seen it
    try:
        return bytes(StoredFile.objects.get(pk=result.pdf.pk).content)
    except GONE:
        raise Problem("removed", REMOVED) from None


def _openable(result: Result) -> None:
    if result.withheld:
        raise Problem("withheld", WITHHELD)
    if result.pdf is None:
        raise Problem("conflict", "This version has no PDF: `problem` or `superseded` says why.")
    if result.pdf.emptied_at:
        raise Problem("removed", REMOVED)


def results_of(practice: Practice) -> QuerySet[Result]:
    """Results with all that their shape needs."""
    results = Result.objects.filter(ordered_test__practice=practice).defer("named", "pdf__content")
    has_values = Exists(ResultValue.objects.filter(result=OuterRef("pk")))
    return results.select_related("pdf", "ordered_test__order__patient").annotate(has_values=has_values)


def _results(request: HttpRequest) -> QuerySet[Result]:
    return results_of(key_of(request).practice)


def _concerned(result: Result) -> list[Model]:
    return list(sides_of(result.ordered_test.order))


def full_result(row: Result) -> shapes.Result:
    pdf = row.pdf
    return shapes.Result(
        id=row.pk, ordered_test_id=row.ordered_test_id, order_id=row.ordered_test.order_id, result_key=str(row),
        version=row.version, amended=row.version > 1, received_at=row.received_at, found_at=row.found_at,
        has_file=pdf is not None, pdf_sha256=pdf.sha256 if pdf else "", pdf_size=pdf.size if pdf else None,
        has_values=bool(row.__dict__["has_values"]), withheld=row.withheld, superseded=row.superseded,
        problem=row.problem,
    )  # fmt: skip


def _value(row: ResultValue) -> shapes.ResultValue:
    """As filing writes it to Caspio: what the lab took back is not shown."""
    reading = row.reading
    withdrawn = reading.get("status") in WITHDRAWN
    number = None if withdrawn else reading.get("number")
    return shapes.ResultValue(
        number=row.number, analyte=row.analyte, loinc=row.loinc, value_text=value_text(reading),
        value_number=Decimal(number) if number is not None else None, units=reading.get("units"),
        reference_range=reading.get("reference_range"), flag=None if withdrawn else reading.get("flag"),
        observed_at=row.observed_at, observed_text=row.observed_text,
    )  # fmt: skip
