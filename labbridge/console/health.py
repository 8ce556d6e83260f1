"""`/healthz`, `/readyz`, `/metrics`: for machines that watch."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden, JsonResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_GET
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from labbridge.addresses import is_loopback
from labbridge.backup.models import backup_age
from labbridge.console.figures import figures
from labbridge.database import DatabaseProblem
from labbridge.engine import queue
from labbridge.engine.rescue import rescue_alive
from labbridge.inbox.models import Event, EventState
from labbridge.mirror.models import CaseState, ReviewCase


@login_not_required
@require_GET
def healthz(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("alive\n", content_type="text/plain")


@login_not_required
@require_GET
def readyz(_request: HttpRequest) -> JsonResponse:
    """Able to store and run: the database answers and a worker gives signs of life (design.md 6.1)."""
    try:
        working = rescue_alive()
        body = {
            "status": "ready" if working else "no worker",
            "events_pending": Event.objects.filter(state=EventState.RECEIVED).count(),
            "jobs_pending": queue.due(),
            "cases_open": ReviewCase.objects.filter(state=CaseState.OPEN).count(),
            "backup_age_seconds": backup_age(timezone.now()),
        }
    except (DatabaseError, InterfaceError, DatabaseProblem):
        return JsonResponse(
            {
                "status": "no database",
                "events_pending": None,
                "jobs_pending": None,
                "cases_open": None,
                "backup_age_seconds": None,
            },
            status=503,
        )
    return JsonResponse(body, status=200 if working else 503)


@login_not_required
@require_GET
def metrics(request: HttpRequest) -> HttpResponse:
    """Loopback, or whoever shows LABBRIDGE_METRICS_TOKEN as a bearer token."""
    token = settings.DEPLOYMENT.metrics_token
    shown = request.headers.get("Authorization", "").removeprefix("Bearer ")
    proxied = "X-Forwarded-For" in request.headers
    if not (token and constant_time_compare(shown, token)) and (
        proxied or not is_loopback(request.META.get("REMOTE_ADDR", ""))
    ):
        return HttpResponseForbidden("Metrics are for loopback or LABBRIDGE_METRICS_TOKEN.\n")
    own = generate_latest()
    try:
        held = figures()
    except (DatabaseError, InterfaceError, DatabaseProblem):  # this process can still be watched
        held = b""
    return HttpResponse(own + held, content_type=CONTENT_TYPE_LATEST)
