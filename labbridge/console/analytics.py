"""Analytics: each question as a chart and a table that says the same, the orders behind it, and both as a file.

Figures are those of one practice. Amounts have addresses of their own, because they have a permission of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateformat import format as date_format
from django.views.decorators.http import require_GET

from labbridge.accounts.access import access_of, require
from labbridge.accounts.proof import step_up
from labbridge.analytics.answers import Answer, Cell
from labbridge.analytics.chart import said
from labbridge.analytics.files import parquet
from labbridge.analytics.questions import QUESTIONS, Question
from labbridge.analytics.report import NoMonth, month_of, monthly_report
from labbridge.analytics.sharing import shared
from labbridge.analytics.value import value
from labbridge.console import scope
from labbridge.console.charts import address_of, drawing
from labbridge.console.export import csv_line
from labbridge.console.period import Picked, picked, presets
from labbridge.practices.apply import config_of
from labbridge.practices.config import AnalyticsPart
from labbridge.practices.models import Practice
from labbridge.trust.audit import person, record

SHOWN_ROWS = 100  #: of a table on a page; a file has all
FORMATS = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}


@require("analytics.see")
@require_GET
def overview(request: HttpRequest) -> HttpResponse:
    return _page(request, "analytics.see", QUESTIONS["totals"])


@require("analytics.see")
@require_GET
def question(request: HttpRequest) -> HttpResponse:
    return _page(request, "analytics.see", _asked(request, money=False))


@require("money.see")
@require_GET
def money_question(request: HttpRequest) -> HttpResponse:
    return _page(request, "money.see", _asked(request, money=True))


@require("analytics.see")
@step_up
@require_GET
def export(request: HttpRequest) -> HttpResponseBase:
    return _file(request, "analytics.see", _asked(request, money=False))


@require("money.see")
@step_up
@require_GET
def money_export(request: HttpRequest) -> HttpResponseBase:
    return _file(request, "money.see", _asked(request, money=True))


def _asked(request: HttpRequest, *, money: bool) -> Question:
    """The question of the address, else the first of its kind. Amounts cannot be asked for by another address."""
    open_here = [one for one in QUESTIONS.values() if one.money == money]
    name = request.GET.get("show", open_here[0].name)
    found = next((one for one in open_here if one.name == name), None)
    if found is None:
        raise Http404
    return found


def _practice(request: HttpRequest, permission: str) -> Practice | None:
    """The one that the figures are about; None while a person of several has not chosen."""
    found = scope.practices(request, permission)
    return found[0] if len(found) == 1 else None


def today_of(practice: Practice) -> date:
    return timezone.now().astimezone(practice.zone).date()


# -- a page --------------------------------------------------------------------------------------------------


class Assumptions(forms.Form):
    """Other assumptions than the practice's own, to see what they would make of the same counts."""

    patient_minutes_low = forms.FloatField(
        label="Minutes for a new patient, at least", min_value=0, max_value=240
    )
    patient_minutes_high = forms.FloatField(label="At most", min_value=0, max_value=240)
    order_minutes = forms.FloatField(label="For an order", min_value=0, max_value=240)
    result_minutes = forms.FloatField(label="For a result", min_value=0, max_value=240)
    hour_cost = forms.FloatField(label="Dollars for an hour of staff time", min_value=0, max_value=1000)

    @property
    def own(self) -> AnalyticsPart | None:
        """None when the practice's own hold: nothing was given, or nothing that can be meant."""
        if not self.is_bound or not self.is_valid():
            return None
        if self.cleaned_data["patient_minutes_low"] > self.cleaned_data["patient_minutes_high"]:
            self.add_error("patient_minutes_high", "At most cannot be less than at least.")
            return None
        return AnalyticsPart.model_validate(self.cleaned_data)


def _given(request: HttpRequest) -> dict[str, str]:
    """Assumptions that the address brings along."""
    return {name: request.GET[name] for name in Assumptions.base_fields if name in request.GET}


def _compared(asked: Question, time: Picked) -> str:
    """With what the hatched bars compare, as a sentence."""
    if not any(picture.before for picture in asked.pictures) or asked.timeless:
        return ""
    if asked.name.endswith("-month"):
        return "Compared with the same days a year before."
    before = time.period.before()
    first, last = (date_format(day, "M j, Y") for day in (before.first, before.last))
    return f"Compared with {first} to {last}."


def _assumptions(request: HttpRequest, practice: Practice) -> Assumptions:
    theirs = config_of(practice).analytics
    given = _given(request)
    start = {name: getattr(theirs, name) for name in Assumptions.base_fields}
    return Assumptions({**start, **given} if given else None, initial=start)


@dataclass(frozen=True)
class Shown:
    """A cell of the table on the page, and the orders behind it."""

    text: str
    title: str
    address: str
    number: bool


def _page(request: HttpRequest, permission: str, asked: Question) -> HttpResponse:
    practice = _practice(request, permission)
    if practice is None:
        found = scope.practices(request, permission)
        return render(request, "console/analytics_choose.html", {"choice": found})
    today = today_of(practice)
    time = picked(request.GET, today)
    if time.problem:
        messages.error(request, time.problem)
    assumed = _assumptions(request, practice) if asked.name == "value" else None
    answer = _answer(asked, practice, time, today, assumed)
    access = access_of(request)
    several = len(access.memberships) > 1
    kept = {"practice": practice.slug} if several else {}
    with_money = access.may("money.see", practice)
    file = "analytics-money-export" if asked.money else "analytics-export"
    here = {**_given(request), **kept, **time.words, "show": asked.name}
    context = {
        "asked": asked, "answer": answer, "period": time.period, "today": today,
        "drawings": [one for number, picture in enumerate(asked.pictures)
                     if (one := drawing(answer, picture, number, practice, several=several))],
        "columns": answer.columns, "rows": list(_rows(answer, practice, several=several)),
        "left_out": max(0, len(answer.rows) - SHOWN_ROWS),
        "presets": _presets(request, today, time), "kept": kept, "assumed": assumed,
        "menu": _menu(asked, {**kept, **time.words}, with_money=with_money),
        "files": {word: f"{reverse(file)}?{urlencode({**here, 'as': word})}" for word in FORMATS},
        "compared": _compared(asked, time),
        "report": f"?{urlencode({**kept, 'month': month_of(today)})}" if with_money else "",
    }  # fmt: skip
    return render(request, "console/analytics.html", context)


def _answer(
    asked: Question, practice: Practice, time: Picked, today: date, assumed: Assumptions | None = None
) -> Answer:
    own = assumed.own if assumed else None
    return value(practice, time.period, own) if own else asked.ask(practice, time.period, today)


def _rows(answer: Answer, practice: Practice, *, several: bool) -> Iterator[list[Shown]]:
    for place, row in enumerate(answer.rows[:SHOWN_ROWS]):
        yield [
            Shown(
                said(cell, column.kind), column.title,
                _link(answer, column.name, place, cell, practice, several=several),
                column.kind not in {"text", "key", "month", "day"},
            )
            for column, cell in zip(answer.columns, row, strict=True)
        ]  # fmt: skip


def _link(answer: Answer, column: str, place: int, cell: Cell, practice: Practice, *, several: bool) -> str:
    behind = answer.behind.get(column)
    return address_of(behind[place], practice, several=several) if behind and cell else ""


def _presets(request: HttpRequest, today: date, time: Picked) -> list[tuple[str, str, bool]]:
    found = []
    for label, period in presets(today).items():
        query = request.GET.copy()
        for name, text in Picked(period).words.items():
            query[name] = text
        found.append((label, f"?{query.urlencode()}", period == time.period))
    return found


def _menu(asked: Question, kept: dict[str, str], *, with_money: bool) -> list[tuple[str, str, bool]]:
    """Every question that this person may ask, of the same period."""
    found = []
    for one in QUESTIONS.values():
        if one.money and not with_money:
            continue
        if one.name == "totals":
            address = f"{reverse('analytics')}?{urlencode(kept)}"
        else:
            route = "analytics-money" if one.money else "analytics-question"
            address = f"{reverse(route)}?{urlencode({**kept, 'show': one.name})}"
        found.append((one.title, address, one is asked))
    return found


# -- files ---------------------------------------------------------------------------------------------------


def _file(request: HttpRequest, permission: str, asked: Question) -> HttpResponse:
    practice = _practice(request, permission)
    if practice is None:
        return redirect(reverse("analytics"))
    kind, sharing = request.GET.get("as", "csv"), request.GET.get("for") == "sharing"
    if kind not in FORMATS or (sharing and not asked.size):
        raise Http404
    today = today_of(practice)
    time = picked(request.GET, today)
    answer = _answer(
        asked, practice, time, today, _assumptions(request, practice) if asked.name == "value" else None
    )
    if sharing:
        answer = shared(answer, asked.size, asked.within)
    record(
        "figures.export", actor=person(request), practice=practice, count=len(answer.rows),
        why=f"{asked.name} as {kind}", shared=int(sharing),
    )  # fmt: skip
    period = "" if asked.timeless else f"-{time.period.first}-{time.period.last}"
    name = f"{asked.name}{period if not asked.timeless else f'-{today}'}{'-shared' if sharing else ''}.{kind}"
    content = parquet(answer) if kind == "parquet" else "".join(_csv(answer)).encode()
    return HttpResponse(content, content_type=FORMATS[kind], headers={
        "Content-Disposition": f'attachment; filename="{name}"',
    })  # fmt: skip


def _csv(answer: Answer) -> Iterator[str]:
    yield csv_line([column.title for column in answer.columns])
    for row in answer.rows:
        yield csv_line(row)


@require("money.see")
@step_up
@require_GET
def report(request: HttpRequest) -> HttpResponseBase:
    """The monthly report as a PDF."""
    practice = _practice(request, "money.see")
    if practice is None:
        return redirect(reverse("analytics"))
    today, sharing = today_of(practice), request.GET.get("for") == "sharing"
    try:
        month = month_of(today, request.GET.get("month", ""))
    except NoMonth as problem:
        messages.error(request, str(problem))
        return redirect(reverse("analytics"))
    content = monthly_report(practice, month, timezone.now(), sharing=sharing)
    record(
        "figures.export",
        actor=person(request),
        practice=practice,
        why=f"report of {month}",
        shared=int(sharing),
    )
    name = f"labs-{practice.slug}-{month}{'-shared' if sharing else ''}.pdf"
    return HttpResponse(content, content_type="application/pdf", headers={
        "Content-Disposition": f'attachment; filename="{name}"',
    })  # fmt: skip
