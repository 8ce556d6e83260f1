"""The first page: where orders stand, and what needs a person. The full console has an issue of its own."""

from __future__ import annotations

from django.db.models import Count, F, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from labbridge.engine import queue
from labbridge.inbox.models import Event, EventState
from labbridge.mirror.models import Order, OrderedTest
from labbridge.practices.models import Connection, ConnectionState

RECENT = 50


@never_cache
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    orders = Order.objects.select_related("practice").annotate(
        tests=Count("ordered_tests", filter=Q(ordered_tests__removed=False), distinct=True),
        resulted=Count("ordered_tests__results__ordered_test", distinct=True),
    )
    needs = {
        "connections": Connection.objects.exclude(state=ConnectionState.ACTIVE).select_related("practice"),
        "events": Event.objects.exclude(state__in=[EventState.HANDLED, EventState.RECEIVED])
        .select_related("practice")
        .order_by("-received_at")[:RECENT],
        "orders": Order.objects.exclude(filing_problem="", pull_problem="").select_related("practice")[
            :RECENT
        ],
        "tests": OrderedTest.objects.exclude(problem="").select_related("order")[:RECENT],
    }
    context = {
        "orders": orders.order_by(F("as_of").desc(nulls_last=True))[:RECENT],
        "phases": Order.objects.filter(is_demo=False)
        .values("phase")
        .annotate(count=Count("id"))
        .order_by("phase"),
        "needs": needs,
        "calm": not any(needs.values()),
        "jobs_due": queue.due(),
        "events_pending": Event.objects.filter(state=EventState.RECEIVED).count(),
    }
    return render(request, "console/home.html", context)
