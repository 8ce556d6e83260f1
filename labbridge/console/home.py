"""The first page: where orders stand, and what needs a person. The full console has an issue of its own."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, F, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from labbridge.accounts.access import access_of, require
from labbridge.engine import queue
from labbridge.inbox.models import Event, EventState
from labbridge.mirror.models import Order, OrderedTest
from labbridge.practices.models import Connection, ConnectionState, Practice

RECENT = 50


@never_cache
@require_GET
@require("pipeline.see")
def home(request: HttpRequest) -> HttpResponse:
    mine = access_of(request).practices("pipeline.see")
    orders = (
        Order.objects.filter(practice__in=mine)
        .select_related("practice")
        .annotate(
            tests=Count("ordered_tests", filter=Q(ordered_tests__removed=False), distinct=True),
            resulted=Count("ordered_tests__results__ordered_test", distinct=True),
        )
    )
    needs = _needs(mine)
    context = {
        "orders": orders.order_by(F("as_of").desc(nulls_last=True))[:RECENT],
        "phases": Order.objects.filter(practice__in=mine, is_demo=False)
        .values("phase")
        .annotate(count=Count("id"))
        .order_by("phase"),
        "needs": needs,
        "calm": not any(needs.values()),
        "jobs_due": queue.due(),
        "events_pending": Event.objects.filter(state=EventState.RECEIVED).count(),
    }
    return render(request, "console/home.html", context)


def _needs(mine: list[Practice]) -> dict[str, QuerySet[Any]]:  # any: rows of four models
    """What waits for a person at these practices."""
    events = Q(practice__in=mine)
    if len(mine) == Practice.objects.count():
        events |= Q(practice=None)  # events that name no known practice are for whoever has all of them
    return {
        "connections": Connection.objects.filter(practice__in=mine)
        .exclude(state=ConnectionState.ACTIVE, problem="")
        .select_related("practice"),
        "events": Event.objects.filter(events)
        .exclude(state__in=[EventState.HANDLED, EventState.RECEIVED])
        .select_related("practice")
        .order_by("-received_at")[:RECENT],
        "orders": Order.objects.filter(practice__in=mine)
        .exclude(filing_problem="", pull_problem="")
        .select_related("practice")[:RECENT],
        "tests": OrderedTest.objects.filter(order__practice__in=mine)
        .exclude(problem="")
        .select_related("order")[:RECENT],
    }
