"""One order: how it stands, its tests and results, everything that happened to it, and what a person can do."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import date

from django.contrib import messages
from django.db import transaction
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from labbridge.accounts.access import access_of, require
from labbridge.accounts.models import Membership
from labbridge.console import scope
from labbridge.console.readings import Reading, readings
from labbridge.console.state import Expected, expected, payment, why_late, why_not_filed
from labbridge.console.story import story
from labbridge.console.whose import whose
from labbridge.filing.rows import result_state
from labbridge.handlers.schedule import with_order
from labbridge.handlers.settle import file_again, refresh
from labbridge.mirror.models import LabTest, Order, OrderedTest, OrderNote, PatientLink, Result, StoredFile
from labbridge.mirror.pseudonyms import sides_of
from labbridge.practices.models import Practice
from labbridge.trust.audit import Actor, person, record
from labbridge.trust.keys import CannotOpen

LONGEST_NOTE = 2000


@require("pipeline.see")
@require_GET
def order_page(request: HttpRequest, order_id: uuid.UUID) -> HttpResponse:
    """Everybody of the practice sees how it stands; whose it is, its results and its price by role."""
    order = scope.order(request, order_id, "pipeline.see")
    access, practice = access_of(request), order.practice
    sees = {
        name: access.may(permission, practice)
        for name, permission in (
            ("patient", "patients.see"), ("results", "results.see"), ("review", "results.review"),
            ("money", "money.see"), ("work", "orders.work"), ("decide", "cases.decide"),
        )
    }  # fmt: skip
    link = PatientLink.objects.select_related("chart").filter(patient=order.patient).first()
    record(
        "order.read", actor=person(request), practice=practice, patient=sides_of(order),
        subject=f"order:{order.pk}", why="care", results=int(sees["results"]),
    )  # fmt: skip
    named = _named(order)
    tests = _tests(order, named)
    blocked = why_not_filed(order, link, [one.test for one in tests])
    context = {
        "order": order,
        "practice": practice,
        "sees": sees,
        "link": link,
        "who": whose([order])[order.pk] if sees["patient"] else None,
        "tests": [one.with_readings() if sees["results"] else one for one in tests],
        "blocked": blocked,
        "late": why_late(order, [one.test for one in tests], named, timezone.now()),
        "payment": payment(order, with_price=sees["money"]),
        "story": story(order, with_notes=sees["work"]),
        "people": people_of(practice) if sees["work"] else [],
    }
    return render(request, "console/order_page.html", context)


@require("orders.work")
@require_POST
def order_act(request: HttpRequest, order_id: uuid.UUID) -> HttpResponse:
    order = scope.order(request, order_id, "orders.work")
    action = request.POST.get("action", "")
    if action in {"refresh", "refile"}:
        act_on(order, action, person(request))
        messages.success(request, DONE[action])
    elif action == "note" and (text := request.POST.get("note", "").strip()):
        with transaction.atomic():
            by = request.user.get_username()
            OrderNote.objects.create(order=order, text=text[:LONGEST_NOTE], by=by)
            _record("order.note", order, person(request))
        messages.success(request, "Noted.")
    elif action == "assign":
        name = assign(order, request.POST.get("to", ""), person(request))
        messages.success(request, f"{name} sees to it." if name else "Nobody in particular sees to it.")
    return redirect("order-page", order_id=order.pk)


DONE = {
    "refresh": "It is being read from Rupa again. What is new appears here within a minute.",
    "refile": "It is being compared with Caspio and filed again.",
}


def act_on(order: Order, action: str, actor: Actor) -> None:
    """Have one order read from Rupa again (`refresh`), or filed again (`refile`)."""
    with transaction.atomic():
        with_order(order.pk, refresh if action == "refresh" else file_again)
        _record(f"order.{action}", order, actor)


def assign(order: Order, name: str, actor: Actor) -> str:
    """Give an order to somebody of its practice; anything else means nobody. Returns the user name."""
    name = name if name in people_of(order.practice) else ""
    with transaction.atomic():
        Order.objects.filter(pk=order.pk).update(assigned_to=name)
        _record("order.assign", order, actor)
    return name


def people_of(practice: Practice) -> list[str]:
    members = Membership.objects.filter(practice=practice, user__is_active=True)
    return list(members.order_by("user__username").values_list("user__username", flat=True))


def _record(action: str, order: Order, actor: Actor) -> None:
    record(
        action, actor=actor, practice=order.practice, patient=sides_of(order), subject=f"order:{order.pk}",
        why="care",
    )  # fmt: skip


# -- tests and results ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Version:
    result: Result
    newest: bool
    readings: tuple[Reading, ...] = ()
    unopened: bool = False  # there are values, and what they are sealed with is gone

    def opened(self) -> Version:
        """What names another patient stays closed: it may be theirs."""
        if self.result.withheld:
            return self
        try:
            return replace(self, readings=readings(self.result))
        except CannotOpen:
            return replace(self, unopened=True)


@dataclass(frozen=True)
class Test:
    __test__ = False  # pytest takes every class of this name for its own

    test: OrderedTest
    name: str
    lab: str
    state: str
    expected: Expected | None
    versions: tuple[Version, ...]

    def with_readings(self) -> Test:
        return replace(self, versions=tuple(one.opened() for one in self.versions))


def _named(order: Order) -> dict[str, LabTest]:
    """The order's tests in the catalogue, by Rupa's id."""
    ids = order.ordered_tests.values("lab_test_id_external")
    return {
        one.external_id: one for one in LabTest.objects.filter(practice=order.practice, external_id__in=ids)
    }


def _tests(order: Order, named: dict[str, LabTest]) -> list[Test]:
    """Those on the order, and those that were taken off and have a result all the same; newest version first."""
    files = Prefetch("results__pdf", StoredFile.objects.defer("content"))
    found = list(order.ordered_tests.prefetch_related("results__values", files).order_by("external_id"))
    today = timezone.now().astimezone(order.practice.zone).date()
    shown = [one for one in found if not one.removed or one.results.all()]
    return [_test(order, one, named.get(one.lab_test_id_external), today) for one in shown]


def _test(order: Order, test: OrderedTest, known: LabTest | None, today: date) -> Test:
    results = list(test.results.all())
    for one in results:
        test.order = order  # opened by the order's own key: no query for each
        one.ordered_test = test
    seen = [one for one in results if not (one.superseded or one.withheld)]
    versions = tuple(Version(one, newest=bool(seen) and one is seen[-1]) for one in reversed(results))
    return Test(
        test, known.name if known and known.name else test.lab_test_id_external or test.external_id,
        known.lab_company_name if known else "", result_state(test, results), expected(order, test, today), versions,
    )  # fmt: skip
