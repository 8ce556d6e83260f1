"""Audit: who did what, found by filters that stand in the address, and taken away as a file. Shows no patient.

Patients are pseudonyms here; naming one is `labbridge audit whois`. So the address may hold one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

import orjson
from django.contrib import messages
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from labbridge.accounts.access import require
from labbridge.accounts.proof import step_up
from labbridge.console.scope import Viewer, viewer_of
from labbridge.mirror.pseudonyms import PSEUDONYM
from labbridge.practices.models import Practice
from labbridge.trust import sealing
from labbridge.trust.audit import ACTIONS, Outcome, person, record
from labbridge.trust.fhir import audit_event
from labbridge.trust.models import AuditEntry, AuditHead
from labbridge.trust.reports import Question, breach_pdf, csv_lines

PER_PAGE = 50
FORMATS = ("csv", "fhir")
COLUMNS = ("When", "Who", "What", "Patients", "Outcome")


@dataclass(frozen=True)
class Asked:
    """The filters of the address; what cannot be meant is left out."""

    start: str
    end: str
    actor: str
    action: str
    outcome: str
    patient: str

    @classmethod
    def of(cls, request: HttpRequest) -> Asked:
        given = {name: request.GET.get(name, "").strip() for name in
                 ("from", "to", "actor", "action", "outcome", "patient")}  # fmt: skip
        actor = given["actor"] if given["actor"].isprintable() else ""
        return cls(
            start=given["from"] if _day(given["from"]) else "",
            end=given["to"] if _day(given["to"]) else "",
            actor=actor[:150],
            action=given["action"] if given["action"] in ACTIONS else "",
            outcome=given["outcome"] if given["outcome"] in set(Outcome) else "",
            patient=given["patient"] if PSEUDONYM.fullmatch(given["patient"]) else "",
        )

    def question(self, viewer: Viewer) -> Question:
        """Days are those of the practice's own calendar."""
        zone = viewer.practices[0].zone
        start, end = (_day(text) for text in (self.start, self.end))
        one = viewer.practices[0].slug if len(viewer.practices) == 1 and not viewer.everywhere else None
        return Question(
            datetime.combine(start, time.min, zone) if start else None,
            datetime.combine(end + timedelta(days=1), time.min, zone) if end else None,
            one,
            self.actor,
            [self.patient] if self.patient else [],
        )


def _day(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d")  # noqa: DTZ007  # a day; its zone comes with the practice
    except ValueError:
        return None


def _mine(viewer: Viewer, entries: QuerySet[AuditEntry], asked: Asked) -> QuerySet[AuditEntry]:
    """Of the viewer's practices; what concerns no practice is for whoever has all of them."""
    slugs = [one.slug for one in viewer.practices]
    found = entries.filter(practice__in=[*slugs, ""] if viewer.everywhere else slugs)
    if asked.action:
        found = found.filter(action=asked.action)
    return found.filter(outcome=asked.outcome) if asked.outcome else found


@require_GET
@require("audit.see")
def audit_list(request: HttpRequest) -> HttpResponse:
    viewer, asked = viewer_of(request, "audit.see"), Asked.of(request)
    entries = _mine(viewer, asked.question(viewer).entries(), asked).order_by("-at", "-id")
    after = request.GET.get("after", "")
    behind = (
        AuditEntry.objects.filter(pk=int(after)).first() if after.isdecimal() and len(after) < 19 else None
    )
    if behind is not None:
        earlier = Q(at__lt=behind.at) | Q(at=behind.at, pk__lt=behind.pk)
        entries = entries.filter(earlier, at__lte=behind.at)
    rows = list(entries[: PER_PAGE + 1])
    one = viewer.practices[0] if len(viewer.practices) == 1 else None
    export = viewer.at("audit.export")
    context = {
        "rows": [_row(entry) for entry in rows[:PER_PAGE]],
        "more": rows[PER_PAGE - 1].pk if len(rows) > PER_PAGE else None,
        "asked": asked,
        "unreadable": request.GET.get("patient", "").strip() and not asked.patient,
        "actions": sorted((name, action.words) for name, action in ACTIONS.items()),
        "outcomes": list(Outcome),
        "columns": COLUMNS,
        "zone_of": viewer.practices[0],
        "may_export": len(export) == len(viewer.practices),
        "formats": FORMATS,
        "query": _query(viewer, asked),
        "chain": newest_heads(viewer.practices),
        "late": sealing.late(),
        "one": one,
        "report": sealing.verify(one.slug) if one and "verify" in request.GET else None,
    }
    return render(request, "console/audit.html", context)


def _row(entry: AuditEntry) -> dict[str, Any]:  # any: what the template reads
    action = ACTIONS.get(entry.action)
    return {"entry": entry, "words": action.words if action else entry.action}


def _query(viewer: Viewer, asked: Asked) -> str:
    """The filters as understood, for addresses of files: what was typed by mistake goes no further."""
    given = {"from": asked.start, "to": asked.end, "actor": asked.actor, "action": asked.action,
             "outcome": asked.outcome, "patient": asked.patient}  # fmt: skip
    if len(viewer.practices) == 1:
        given["practice"] = viewer.practices[0].slug
    return urlencode({name: value for name, value in given.items() if value})


def newest_heads(practices: list[Practice]) -> list[AuditHead]:
    """Where each practice's chain ends: one step in the index for each, since every minute may have a head."""
    newest = AuditHead.objects.filter(practice=OuterRef("slug")).order_by("-seq").values("pk")[:1]
    mine = Practice.objects.filter(pk__in=[one.pk for one in practices]).order_by()
    return list(AuditHead.objects.filter(pk__in=mine.values_list(Subquery(newest))).order_by("practice"))


# -- files -------------------------------------------------------------------------------------------------------


@require_GET
@require("audit.export")
@step_up
def export(request: HttpRequest) -> HttpResponseBase:
    """What the filters find, as CSV or as FHIR R4 AuditEvents, a resource a line."""
    viewer, asked = viewer_of(request, "audit.export"), Asked.of(request)
    form = request.GET.get("format", "csv")
    form = form if form in FORMATS else "csv"
    for practice in viewer.practices:
        record("audit.export", actor=person(request), practice=practice, format=form)
    sealing.seal()
    entries = _mine(viewer, asked.question(viewer).entries(), asked).iterator(chunk_size=2000)
    lines: Iterator[str | bytes] = (
        (orjson.dumps(audit_event(entry)) + b"\n" for entry in entries)
        if form == "fhir"
        else csv_lines(entries)
    )
    kind = "application/fhir+ndjson" if form == "fhir" else "text/csv; charset=utf-8"
    answer = StreamingHttpResponse(lines, content_type=kind)
    answer["Content-Disposition"] = (
        f'attachment; filename="audit-{_stamp()}.{"ndjson" if form == "fhir" else "csv"}"'
    )
    return answer


@require_GET
@require("audit.export")
@step_up
def breach_report(request: HttpRequest) -> HttpResponseBase:
    """Who reached patient data in a period, as a PDF. It needs its first day, and one practice or all of them."""
    viewer, asked = viewer_of(request, "audit.export"), Asked.of(request)
    problem = _cannot(viewer, asked)
    if problem:
        messages.error(request, problem)
        return redirect(f"{reverse('audit')}?{_query(viewer, asked)}")
    question = asked.question(viewer)
    for practice in viewer.practices:
        record(
            "audit.report", actor=person(request), practice=practice, patient=question.patients, kind="breach"
        )
    sealing.seal()
    entries = list(_mine(viewer, question.touching_patients(), asked))
    answer = HttpResponse(breach_pdf(question, entries), content_type="application/pdf")
    answer["Content-Disposition"] = f'attachment; filename="breach-report-{_stamp()}.pdf"'
    return answer


def _cannot(viewer: Viewer, asked: Asked) -> str:
    if not asked.start:
        return "Say the first day of the period in question, then draw the report again."
    if len(viewer.practices) > 1 and not viewer.everywhere:
        return "Choose one practice, then draw the report again."
    return ""


def _stamp() -> str:
    return timezone.now().strftime("%Y%m%d-%H%M")
