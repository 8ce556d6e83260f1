"""The pipeline as a CSV file, recorded before its first line is sent."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from labbridge.accounts.access import access_of, require
from labbridge.accounts.proof import step_up
from labbridge.console import scope
from labbridge.console.filters import Filters
from labbridge.filing.rows import money, wall_clock
from labbridge.mirror.models import Order, Phase
from labbridge.mirror.phases import payment_of
from labbridge.practices.apply import config_of
from labbridge.practices.models import Practice
from labbridge.trust.audit import person, record

AT_ONCE = 2000
COLUMNS = ("Practice", "Order", "Phase", "Rupa says", "Payment", "Source", "Submitted", "Paid", "Completed",
           "Canceled", "Filed", "Problem")  # fmt: skip
FORMULA = "=+-@\t\r"  #: with what a spreadsheet takes a cell for a formula


@require("orders.export")
@step_up
@require_GET
def pipeline_export(
    request: HttpRequest,
) -> Any:  # any: a streamed answer is no HttpResponse to the type checker
    """Ids, states and days; the key of the patient's chart and the price only where the role may see them.

    Training orders are marked in the last column and have no price.
    """
    practices = scope.practices(request, "orders.export")
    access = access_of(request)
    with_patients = set(practices) <= set(access.practices("patients.see"))
    with_money = set(practices) <= set(access.practices("money.see"))
    found = Filters(request.GET, practices, request.user.get_username()).orders(timezone.now())
    counts = dict(found.order_by().values_list("practice_id").annotate(Count("pk")))
    for practice in practices:
        record(
            "data.export", actor=person(request), practice=practice, count=counts.get(practice.pk, 0),
            why="a CSV file of the pipeline", patients=int(with_patients), prices=int(with_money),
        )  # fmt: skip
    answer: HttpResponseBase = StreamingHttpResponse(
        _lines(found, practices, with_patients=with_patients, with_money=with_money),
        content_type="text/csv; charset=utf-8",
    )
    answer["Content-Disposition"] = 'attachment; filename="orders.csv"'
    return answer


def _lines(
    found: QuerySet[Order], practices: Sequence[Practice], *, with_patients: bool, with_money: bool
) -> Iterator[str]:
    known = {one.pk: one for one in practices}
    units = {one.pk: config_of(one).rupa.price_unit if with_money else "unknown" for one in practices}
    more = (("Chart",) if with_patients else ()) + (("Price",) if with_money else ())
    yield csv_line((*COLUMNS, *more, "Training"))
    rows = found.select_related("patient__link__chart") if with_patients else found
    for order in rows.defer("notes_to_patient", "clock").order_by("-id").iterator(chunk_size=AT_ONCE):
        cells = _cells(order, known[order.practice_id])
        if with_patients:
            cells.append(_key(order))
        if with_money:
            # Nobody pays for training: summed up, the column has real money only (design.md 6.6.6).
            cells.append(None if order.is_demo else money(order.total_price, units[order.practice_id]))
        yield csv_line([*cells, "yes" if order.is_demo else ""])


def _cells(order: Order, practice: Practice) -> list[Any]:  # any: cells
    moments = (order.submitted_at, order.paid_at, order.completed_at, order.canceled_at, order.filed_at)
    days: list[Any] = [_day(one, practice) for one in moments]
    state = [
        practice.slug,
        order.external_id,
        order.phase,
        order.status,
        payment_of(order, Phase(order.phase)),
    ]
    return [*state, order.source, *days, order.filing_problem or order.pull_problem]


def _day(moment: datetime | None, practice: Practice) -> str:
    return wall_clock(moment, practice.zone) or ""


def _key(order: Order) -> str:
    link = getattr(order.patient, "link", None)
    return link.chart.key if link else ""


def csv_line(cells: Sequence[Any]) -> str:  # any: cells
    """Numbers as they are; texts so that no spreadsheet runs them."""
    out = io.StringIO()
    csv.writer(out).writerow(
        [
            cell if isinstance(cell, int | float | Decimal) else safe("" if cell is None else str(cell))
            for cell in cells
        ]
    )
    return out.getvalue()


def safe(text: str) -> str:
    """A cell that a spreadsheet would run is made a text."""
    return f"'{text}" if text[:1] and text[0] in FORMULA else text
