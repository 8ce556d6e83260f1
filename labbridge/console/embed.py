"""`/embed/…`: what a practice's DataPages load from here. No patient data goes into an address, only the key."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import urlsplit

from csp.decorators import csp_update
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_cache_control
from django.views.decorators.cache import never_cache
from django.views.decorators.http import etag, require_GET, require_POST

from labbridge.accounts.access import access_of, require
from labbridge.accounts.demo import only_simulators
from labbridge.console.order import practitioner_of
from labbridge.mirror.models import Chart, LabTest, PatientLink
from labbridge.mirror.pseudonyms import sides_of
from labbridge.ordering.choice import CannotOrder
from labbridge.ordering.script import script_for, script_version
from labbridge.ordering.start import connection_of
from labbridge.peers.errors import NotFound, PeerError
from labbridge.practices.clients import rupa
from labbridge.practices.models import Practice
from labbridge.trust.audit import person, record

SHOWN = 12  #: tests on the demo's page for rupa-js


@login_not_required  # a script for the practice's pages; it holds nothing but addresses
@require_GET
@etag(lambda _request, slug: script_version(slug))
def script(request: HttpRequest, slug: str) -> HttpResponse:
    """The DataPage script: turns `<a data-labbridge-order data-patient="…">` into the order button."""
    if not Practice.objects.filter(slug=slug).exists():
        raise Http404
    answer = HttpResponse(script_for(slug), content_type="text/javascript; charset=utf-8")
    patch_cache_control(answer, public=True, **kept_for(request.GET.get("v"), script_version(slug)))
    answer["Cross-Origin-Resource-Policy"] = "cross-origin"
    return answer


def kept_for(asked: str | None, current: str) -> dict[str, int | bool]:
    """A day by its own version; asked for in another way it is compared again after five minutes."""
    return {"max_age": 86_400, "immutable": True} if asked == current else {"max_age": 300}


@never_cache
@require("orders.place")
@require_POST
def publishable_key(request: HttpRequest, slug: str) -> JsonResponse:
    """A key for rupa-js, for the signed-in practitioner's own connection (rupa-api.md 5.10)."""
    practice = access_of(request).practice("orders.place", slug)
    try:
        with rupa(connection_of(practice, practitioner_of(request, practice)), "ordering") as client:
            key = client.publishable_key()
    except CannotOrder as problem:
        return JsonResponse({"detail": str(problem)}, status=409)
    except NotFound:
        return JsonResponse({"detail": "Rupa offers no publishable keys to this application."}, status=409)
    except PeerError as error:
        return JsonResponse({"detail": error.advice}, status=503)
    ends = key.expires_at.isoformat() if key.expires_at else None
    return JsonResponse({"publishable_key": key.key, "expires_at": ends})


@never_cache
@require("orders.place")
@require_GET
def rupa_js(request: HttpRequest, slug: str) -> HttpResponse:
    """A page that orders by rupa-js (rupa-api.md 9), for demos: only where Rupa is a simulator on this machine."""
    practice = access_of(request).practice("orders.place", slug)
    key = request.GET.get("patient", "")
    charts = Chart.objects.filter(practice=practice, key=key, present=True)
    chart = charts.first() if key.isprintable() else None
    if chart is None:
        raise Http404
    link = PatientLink.objects.select_related("patient").filter(chart=chart).first()
    context: dict[str, Any] = {"practice": practice, "chart": chart}  # any: a template's
    if link is None or not only_simulators():
        problem = "This page is for the demo, and for patients who are linked with Rupa."
        return render(request, "console/rupa_js.html", {**context, "problem": problem})
    record("patient.read", actor=person(request), practice=practice, patient=sides_of(chart), why="ordering")
    address = urlsplit(settings.DEPLOYMENT.rupa_api_url)
    rupa_host = f"{address.scheme}://{address.netloc}"
    tests = LabTest.objects.filter(practice=practice, available=True, retired=False, is_addon=False)
    context |= {
        "patient": link.patient.external_id,
        "tests": tests.order_by("name")[:SHOWN],
        "rupa": rupa_host,
        "back": request.build_absolute_uri(reverse("home")),
    }
    policy = csp_update({"script-src": ["'self'", rupa_host], "connect-src": ["'self'", rupa_host]})
    page = policy(lambda asked: render(asked, "console/rupa_js.html", context))
    return cast("HttpResponse", page(request))
