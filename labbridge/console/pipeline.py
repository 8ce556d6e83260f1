"""All orders of the practice as a table or a board: filters in the address, pages by key, news without reload."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import Exists, OuterRef, Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from labbridge.accounts.access import access_of, require
from labbridge.console import scope
from labbridge.console.filters import Filters
from labbridge.console.models import SavedView
from labbridge.console.order_page import act_on, assign, people_of
from labbridge.mirror.models import Order, OrderedTest, PatientLink, Phase, Result
from labbridge.mirror.phases import payment_of
from labbridge.practices.models import Practice
from labbridge.trust.audit import person

PER_PAGE = 25
PER_COLUMN = 8  #: of the board
LONGEST_ID = 18  #: digits of a number that a database can hold
VIEWS = 20  #: that one person may keep
STAMP = "X-Labbridge-Stamp"  #: what the page that asks for news shows already
COLUMNS = ("Order", "Phase", "Payment", "Results", "Submitted", "In Caspio", "Who sees to it")
BOARD = (Phase.DRAFT, Phase.AWAITING_PAYMENT, Phase.IN_PROGRESS, Phase.PARTIAL_RESULTS, Phase.COMPLETE)
ACTIONS = {"refresh": "Refresh from Rupa", "refile": "File again", "assign": "Assign"}


@require("pipeline.see")
@require_GET
def pipeline(request: HttpRequest) -> HttpResponse:
    practices = scope.practices(request, "pipeline.see")
    filters = Filters(request.GET, practices, request.user.get_username())
    found = filters.orders(timezone.now())
    board = request.GET.get("as") == "board"
    pages = _board(found) if board else [_page(found, request.GET)]
    stamp = _stamp(order for page in pages for order in page.orders)
    if request.headers.get(STAMP) == stamp:
        return HttpResponse(status=204)  # nothing new: htmx leaves the page as it is
    access = access_of(request)
    context = {
        **shared(request, filters),
        "board": board,
        "pages": _columns(pages, access.practices("patients.see")) if board else [],
        "page": pages[0],
        "lines": [] if board else lines(pages[0].orders, access.practices("patients.see")),
        "columns": COLUMNS if scope.chosen(request) else (*COLUMNS, "Practice"),
        "stamp": stamp,
        "newer": _query(request.GET, after=None) if request.GET.get("after") else "",
        "older": _query(request.GET, after=str(pages[0].orders[-1].pk))
        if pages[0].more and not board
        else "",
    }
    return render(request, "console/pipeline.html", context)


def shared(request: HttpRequest, filters: Filters) -> dict[str, object]:
    """What stands around the orders, and around those that a search found."""
    access = access_of(request)
    chosen = {
        **filters.chosen,
        **({"practice": request.GET["practice"]} if request.GET.get("practice") else {}),
    }
    return {
        "filters": filters,
        "chosen": filters.chosen,
        "plain": urlencode({name: value for name, value in chosen.items() if name == "practice"}),
        "query": urlencode(chosen),
        "views": SavedView.objects.filter(user_id=request.user.pk or 0)[:VIEWS],
        "may_search": bool(access.practices("patients.see")),
        "may_work": bool(access.practices("orders.work")),
        "may_export": bool(access.practices("orders.export")),
        "actions": ACTIONS,
    }


def _query(given: QueryDict, **changed: str | None) -> str:
    query = {name: value for name, value in given.items() if name not in changed}
    return urlencode({**query, **{name: value for name, value in changed.items() if value}})


# -- pages ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Page:
    orders: list[Order]
    more: bool
    phase: str = ""


@dataclass(frozen=True)
class Line:
    order: Order
    tests: int
    resulted: int
    payment: str
    key: str  # of the chart in Caspio, for those who may see patients

    @property
    def problem(self) -> str:
        return self.order.filing_problem or self.order.pull_problem


def with_tests(found: QuerySet[Order]) -> QuerySet[Order]:
    with_file = Result.objects.filter(ordered_test=OuterRef("pk"))
    tests = OrderedTest.objects.filter(removed=False).defer("clock").annotate(resulted=Exists(with_file))
    rows = found.select_related("practice").prefetch_related(Prefetch("ordered_tests", tests))
    return rows.defer("notes_to_patient", "clock")


def _page(found: QuerySet[Order], given: QueryDict) -> Page:
    """By our own ids, which grow with time: an index gives each page, however far behind it is."""
    with suppress(ValueError):  # the first page
        found = found.filter(id__lt=uuid.UUID(given.get("after", "")))
    orders = list(with_tests(found).order_by("-id")[: PER_PAGE + 1])
    return Page(orders[:PER_PAGE], len(orders) > PER_PAGE)


def _board(found: QuerySet[Order]) -> list[Page]:
    """The newest of each phase, all in two queries."""
    newest = [found.filter(phase=phase).order_by("-id").values("pk")[: PER_COLUMN + 1] for phase in BOARD]
    ids = newest[0].union(*newest[1:], all=True)
    held: dict[str, list[Order]] = {phase: [] for phase in BOARD}
    for order in with_tests(Order.objects.filter(pk__in=list(ids.values_list("pk", flat=True)))).order_by(
        "-id"
    ):
        held[order.phase].append(order)
    return [Page(orders[:PER_COLUMN], len(orders) > PER_COLUMN, phase) for phase, orders in held.items()]


def _columns(pages: Sequence[Page], seeing: Sequence[Practice]) -> list[tuple[Page, list[Line]]]:
    """All columns at once: one query for the charts of all of them."""
    known = {line.order.pk: line for line in lines([one for page in pages for one in page.orders], seeing)}
    return [(page, [known[one.pk] for one in page.orders]) for page in pages]


def lines(orders: Sequence[Order], seeing: Sequence[Practice]) -> list[Line]:
    patients = [one.patient_id for one in orders if one.practice in seeing and one.patient_id]
    keys = dict(PatientLink.objects.filter(patient__in=patients).values_list("patient", "chart__key"))
    return [_line(one, keys.get(one.patient_id, "") if one.practice in seeing else "") for one in orders]  # type: ignore[arg-type]  # no patient, no key


def _line(order: Order, key: str) -> Line:
    tests = list(order.ordered_tests.all())
    resulted = sum(one.resulted for one in tests)  # type: ignore[attr-defined]  # annotated above
    return Line(order, len(tests), resulted, payment_of(order, Phase(order.phase)), key)


def _stamp(orders: Iterable[Order]) -> str:
    """Another one as soon as anything that the page shows is another."""
    shown = [
        (one.pk, one.revision, one.filed_revision, one.filed_at, one.phase, one.assigned_to, one.filing_problem,
         one.pull_problem)
        for one in orders
    ]  # fmt: skip
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:20]


# -- views and actions on several ----------------------------------------------------------------------------


@require("pipeline.see")
@require_POST
def pipeline_views(request: HttpRequest) -> HttpResponse:
    """Keep the filters of this address under a name, or forget a name."""
    practices = scope.practices(request, "pipeline.see")
    mine, name = (
        SavedView.objects.filter(user_id=request.user.pk or 0),
        request.POST.get("name", "").strip()[:60],
    )
    if request.POST.get("action") == "forget":
        view = request.POST.get("view", "")
        mine.filter(
            pk=int(view) if view.isascii() and view.isdigit() and len(view) < LONGEST_ID else 0
        ).delete()
        return redirect("pipeline")
    given = QueryDict(request.POST.get("query", ""))
    chosen = Filters(given, practices, request.user.get_username()).chosen
    slug = given.get("practice", "")
    if slug in {one.slug for one in access_of(request).practices("pipeline.see")}:
        chosen["practice"] = slug
    if given.get("as") == "board":
        chosen["as"] = "board"
    if name and chosen and mine.count() < VIEWS:
        mine.update_or_create(user_id=request.user.pk or 0, name=name, defaults={"query": urlencode(chosen)})
    elif chosen:
        messages.error(request, f"Give it a name. {VIEWS} views can be kept: forget one to keep another.")
    else:
        messages.error(request, "Choose at least one filter: a view keeps filters.")
    return redirect(f"{reverse('pipeline')}?{urlencode(chosen)}")


@require("orders.work")
@require_POST
def pipeline_act(request: HttpRequest) -> HttpResponse:
    """One action on the orders that were ticked: first it says on how many, then it does it."""
    allowed = scope.practices(request, "orders.work")
    orders = list(_ticked(request, allowed))
    action = request.POST.get("action", "")
    if not orders or action not in ACTIONS:
        messages.error(request, "Tick at least one order of the list.")
        return redirect("pipeline")
    if "sure" not in request.POST:
        people = sorted({name for one in {order.practice for order in orders} for name in people_of(one)})
        context = {"orders": orders, "action": action, "label": ACTIONS[action], "people": people}
        return render(request, "console/pipeline_act.html", context)
    for order in orders:
        if action == "assign":
            assign(order, request.POST.get("to", ""), person(request))
        else:
            act_on(order, action, person(request))
    messages.success(request, f"{ACTIONS[action]}: {len(orders)} order{'s' if len(orders) > 1 else ''}.")
    return redirect("pipeline")


def _ticked(request: HttpRequest, allowed: Sequence[Practice]) -> QuerySet[Order]:
    """In the order of their keys, as orders are locked everywhere; those of other practices are left out."""
    ids = []
    for text in request.POST.getlist("order")[: PER_PAGE * 2]:
        try:
            ids.append(uuid.UUID(text))
        except ValueError:
            continue
    found = Order.objects.select_related("practice", "patient").filter(practice__in=allowed, pk__in=ids)
    return found.order_by("pk")
