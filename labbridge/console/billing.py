"""Billing: who has not paid, one order's money side with its evidence, superbills."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from labbridge.accounts.access import access_of, require
from labbridge.billing.details import Details, details, entered, tests_of
from labbridge.billing.models import Evidence, Source, Superbill
from labbridge.billing.payment import PAYMENTS, payer, payment, proof
from labbridge.billing.states import TRACKS, CannotSay, Said, attention, current
from labbridge.billing.superbill import Incomplete
from labbridge.console import scope
from labbridge.console.results import PDF_POLICY
from labbridge.console.whose import whose
from labbridge.filing.rows import money
from labbridge.handlers.billing import RECEIVERS, WAYS, can_issue, issue, sent, set_words, today
from labbridge.mirror.models import TO_SET_RIGHT, LabTest, Order, PatientLink, Phase
from labbridge.mirror.pseudonyms import sides_of
from labbridge.practices.apply import config_of
from labbridge.practices.models import Practice
from labbridge.trust.audit import Actor, person, record
from labbridge.trust.keys import CannotOpen

PER_PAGE = 50
LAST_PAGE = 400
TABS = {"": "Unpaid", "attention": "To set right", "all": "All orders"}
LONGEST_NOTE = 1000
SOURCES = {"staff": "the practice", "patient": "the patient", "rupa": "seen at Rupa"}
REMINDER = "reminder"
TITLES = {"superbill": "Superbill: asked for, declined, voided"}  # beside the section of the superbill itself


# -- the list ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    order: Order
    key: str  # of the chart
    payment: str
    amount: Any  # any: dollars, or None
    days: int | None  # without payment
    reminded: date | None
    attention: list[str]


@require("money.see")
@require_GET
def billing(request: HttpRequest) -> HttpResponse:
    practices = scope.practices(request, "money.see")
    tab = request.GET.get("show", "")
    tab = tab if tab in TABS else ""
    asked = request.GET.get("page", "1")
    number = min(int(asked), LAST_PAGE) if asked.isdecimal() and len(asked) < 6 and int(asked) else 1
    found = list(_found(practices, tab)[(number - 1) * PER_PAGE : number * PER_PAGE + 1])
    lines = _lines(found[:PER_PAGE])
    for practice, shown in scope.by_practice(lines, lambda line: line.order.practice).items():
        record("money.list", actor=person(request), practice=practice, count=len(shown), why="payment")
    setters = access_of(request).practices("money.set")
    context = {
        "lines": lines, "tab": tab, "tabs": TABS.items(), "number": number, "more": len(found) > PER_PAGE,
        "unpriced": [one for one in practices if _unit(one) == "unknown" and one in setters],
        "patience": {config_of(one).alerts.unpaid_days for one in practices if one.config},
    }  # fmt: skip
    return render(request, "console/billing.html", context)


def _unit(practice: Practice) -> str:
    return config_of(practice).rupa.price_unit if practice.config else "unknown"


def _found(practices: Sequence[Practice], tab: str) -> QuerySet[Order]:
    """The orders of a tab: whose payment is `awaiting_patient`; of which `attention` has something to say; all."""
    orders = Order.objects.filter(practice__in=practices, is_demo=False).select_related("practice")
    if not tab:
        waiting = orders.filter(PAYMENTS["awaiting_patient"], submitted_at__isnull=False)
        return waiting.order_by("submitted_at", "external_id")
    if tab == "attention":
        return orders.filter(TO_SET_RIGHT).order_by("-id")
    return orders.exclude(phase=Phase.DRAFT).order_by("-id")


def _lines(orders: Sequence[Order]) -> list[Line]:
    patients = [one.patient_id for one in orders if one.patient_id]
    keys = dict(PatientLink.objects.filter(patient__in=patients).values_list("patient_id", "chart__key"))
    told = Evidence.objects.filter(order__in=orders, track=REMINDER).order_by("id")
    reminded = dict(told.values_list("order_id", "happened_on"))  # the last of each order stays
    lines = []
    for one in orders:
        state, practice = payment(one), one.practice
        since = one.submitted_at and one.submitted_at.astimezone(practice.zone).date()
        days = (today(practice) - since).days if since and state == "awaiting_patient" else None
        amount = money(one.total_price, _unit(practice))
        key = keys.get(one.patient_id, "") if one.patient_id else ""
        lines.append(Line(one, key, state, amount, days, reminded.get(one.pk), attention(one)))
    return lines


# -- one order ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Choice:
    """What may be said next of one track."""

    track: str
    title: str
    now: str
    words: list[str]


@require("money.see")
@require_GET
def order_billing(request: HttpRequest, order_id: uuid.UUID) -> HttpResponse:
    return _page(request, scope.order(request, order_id, "money.see"), {})


@require("money.set")
@require_POST
def order_billing_act(request: HttpRequest, order_id: uuid.UUID) -> HttpResponse:
    """Record a word with its evidence, enter what a superbill needs, issue it, note where it went."""
    order, actor = scope.order(request, order_id, "money.set"), person(request)
    deed = DEEDS.get(request.POST.get("action", ""))
    if deed is None:
        raise Http404
    try:
        messages.success(request, deed(request, order, actor))
    except CannotSay as problem:
        messages.error(request, str(problem))
        return _page(request, order, request.POST)
    except Incomplete:
        messages.error(request, "It cannot be issued yet: what is missing stands below.")
    return redirect("order-billing", order_id=order.pk)


def _page(request: HttpRequest, order: Order, typed: Any) -> HttpResponse:  # any: what was sent and refused
    practice, access = order.practice, access_of(request)
    record(
        "money.read", actor=person(request), practice=practice, patient=sides_of(order),
        subject=f"order:{order.pk}", why="payment",
    )  # fmt: skip
    known, unit = details(order), _unit(practice)
    context = {
        "order": order, "practice": practice, "who": whose([order])[order.pk],
        "state": payment(order), "payer": payer(order), "proof": proof(order), "line": _lines([order])[0],
        "unit_known": unit != "unknown", "choices": _choices(order), "evidence": _evidence(order),
        "tests": _tests(order, known, typed), "entered": known, "typed": typed, "today": today(practice),
        "lacks": can_issue(order),
        "superbills": list(order.superbills.prefetch_related("sendings").order_by("-version")),
        "may_set": access.may("money.set", practice) and not order.erased_at, "sources": SOURCES.items(),
        "receivers": RECEIVERS, "ways": WAYS, "reminders": _reminders(order),
    }  # fmt: skip
    return render(request, "console/billing_order.html", context)


def _choices(order: Order) -> list[Choice]:
    return [
        Choice(
            name,
            TITLES.get(name, track.title),
            now,
            sorted(set(track.moves.get(now, ())) - track.by_command),
        )
        for name, track in TRACKS.items()
        if name != REMINDER
        for now in (current(order, name),)
    ]


def _reminders(order: Order) -> list[Evidence]:
    return list(Evidence.objects.filter(order=order, track=REMINDER).order_by("-id"))


def _evidence(order: Order) -> list[dict[str, Any]]:
    """Who said what, when, from what source; newest first."""
    shown = []
    for one in order.billing_evidence.order_by("-id"):
        try:
            content = None if order.erased_at else one.content
        except CannotOpen:
            content = None
        title = TRACKS[one.track].title if one.track in TRACKS else "For the superbill"
        shown.append({"one": one, "title": title, "source": SOURCES.get(one.source, one.source),
                      "note": (content or {}).get("note", ""), "said": _said(content or {})})  # fmt: skip
    return shown


def _said(content: dict[str, Any]) -> str:
    """Details as they were entered, in one line."""
    parts = [
        ", ".join(content.get("icd10") or ()),
        ", ".join(f"{test} {' '.join(codes)}" for test, codes in (content.get("cpt") or {}).items()),
        ", ".join(f"{test} ${amount}" for test, amount in (content.get("amounts") or {}).items()),
        f"service on {content['service_on']}" if content.get("service_on") else "",
    ]
    return "; ".join(part for part in parts if part)


def _tests(order: Order, known: Details, typed: Any) -> list[dict[str, Any]]:  # any: what was sent
    found = tests_of(order)
    ids = [one.lab_test_id_external for one in found]
    names = dict(
        LabTest.objects.filter(practice=order.practice, external_id__in=ids).values_list(
            "external_id", "name"
        )
    )
    return [
        {
            "id": one.external_id, "name": names.get(one.lab_test_id_external) or one.external_id,
            "cpt": typed.get(f"cpt-{one.external_id}") or " ".join(known.cpt.get(one.external_id, ())),
            "amount": typed.get(f"amount-{one.external_id}") or known.amounts.get(one.external_id, ""),
        }
        for one in found
    ]  # fmt: skip


# -- what can be done --------------------------------------------------------------------------------------------


def _day(text: str, otherwise: date) -> date:
    try:
        return date.fromisoformat(text) if text else otherwise
    except ValueError:
        raise CannotSay("The day is not a date.") from None


def _say(request: HttpRequest, order: Order, actor: Actor) -> str:
    sent_ = request.POST
    track, word, source = (sent_.get(name, "") for name in ("track", "word", "source"))
    if track not in TRACKS or source not in set(Source):
        raise CannotSay("Choose a word, and who said so.")
    note = " ".join(sent_.get("note", "").split())[:LONGEST_NOTE]
    said = Said(
        track, word, Source(source), _day(sent_.get("on", ""), today(order.practice)), actor.name, note
    )
    return "Recorded." if set_words(order, [said], None, actor=actor) else "That was recorded already."


def _remind(request: HttpRequest, order: Order, actor: Actor) -> str:
    on = _day(request.POST.get("on", ""), today(order.practice))
    note = " ".join(request.POST.get("note", "").split())[:LONGEST_NOTE]
    said = Said(REMINDER, "reminded", Source.STAFF, on, actor.name, note)
    return "Noted." if set_words(order, [said], None, actor=actor) else "That was noted already."


def _enter(request: HttpRequest, order: Order, actor: Actor) -> str:
    given, now, codes, amounts = request.POST, today(order.practice), [], []
    for test in tests_of(order):
        key = test.external_id
        codes += [f"{key}={code}" for code in _words(given.get(f"cpt-{key}", ""))]
        if amount := given.get(f"amount-{key}", "").strip():
            amounts.append(f"{key}={amount}")
    on = given.get("service_on", "")
    made = entered(
        order, icd10=_words(given.get("icd10", "")), cpt=codes, amounts=amounts,
        service_on=_day(on, now) if on else None, today=now,
    )  # fmt: skip
    if not made:
        raise CannotSay("Nothing was entered.")
    if made == details(order):
        return "That was entered already."
    set_words(order, [], made, actor=actor)
    return "Entered."


def _words(text: str) -> list[str]:
    return text.replace(",", " ").replace(";", " ").split()[:50]


def _issue(_request: HttpRequest, order: Order, actor: Actor) -> str:
    made, new = issue(order, actor=actor)
    words = "issued" if new else "as it was issued before"
    return f"Superbill {made.number}, version {made.version}, {words}."


def _sent(request: HttpRequest, order: Order, actor: Actor) -> str:
    receiver, way = request.POST.get("receiver", ""), request.POST.get("way", "")
    if receiver not in RECEIVERS or way not in WAYS:
        raise CannotSay("Choose who received it, and how.")
    on = _day(request.POST.get("on", ""), today(order.practice))
    sent(order, receiver=receiver, way=way, on=on, actor=actor)
    return "Noted: it is in the log and in the disclosures."


DEEDS = {"say": _say, "remind": _remind, "enter": _enter, "issue": _issue, "sent": _sent}


@require("money.see")
@require_GET
def superbill_pdf(request: HttpRequest, superbill_id: uuid.UUID) -> HttpResponse:
    """One version, to be kept or printed by whoever asks: patient data in the clear from there on."""
    made = Superbill.objects.select_related("order__patient", "practice").filter(pk=superbill_id).first()
    if made is None:
        raise Http404
    scope.enter(request, "money.see", made.practice.slug)
    record(
        "superbill.read", actor=person(request), practice=made.practice, patient=sides_of(made.order),
        subject=f"order:{made.order_id}", why="payment", number=made.number, version=made.version,
    )  # fmt: skip
    try:
        content = bytes(made.pdf)
    except CannotOpen:
        raise Http404 from None
    answer = HttpResponse(content, content_type="application/pdf")
    answer["Content-Disposition"] = f'attachment; filename="superbill-{made.number:05d}-{made.version}.pdf"'
    answer["Content-Security-Policy"] = PDF_POLICY
    answer["Cross-Origin-Resource-Policy"] = "same-origin"
    return answer
