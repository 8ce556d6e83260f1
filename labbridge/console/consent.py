"""`/rupa/connect/{slug}` and `/rupa/callback`: connecting a practitioner's Rupa account."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from labbridge.accounts.access import require
from labbridge.handlers.jobs import learn_practitioners
from labbridge.practices import consent
from labbridge.practices.models import Practice

BACK = "consent_back"  # session: the practice whose guide the person came from


@never_cache
@require_http_methods(["GET", "POST"])
@require("connections.manage")
def connect(request: HttpRequest, slug: str) -> HttpResponse:
    """GET says what will happen; POST goes there, so that no link can start a journey by itself."""
    practice = get_object_or_404(Practice, slug=slug)
    if request.method == "POST":
        request.session[BACK] = practice.slug if request.POST.get("from") == "start" else ""
        try:
            journey = consent.begin(practice, started_by=request.user.get_username())
        except consent.ConsentProblem as problem:
            return render(request, "console/callback.html", {"problem": str(problem)}, status=503)
        return HttpResponseRedirect(journey.address)
    return render(request, "console/connect.html", {"practice": practice})


@never_cache
@login_not_required  # the practitioner comes from Rupa and may have no account here; the state is the proof
@require_GET
def callback(request: HttpRequest) -> HttpResponse:
    query = request.GET
    try:
        connection = consent.finish(query.get("state", ""), query.get("code", ""), query.get("error", ""))
    except consent.ConsentProblem as problem:
        told = {"problem": str(problem), "back_to_start": bool(request.session.get(BACK))}
        return render(request, "console/callback.html", told, status=400)
    learn_practitioners.defer(lock=f"learn:{connection.pk}", connection_id=str(connection.pk))
    request.session["connected"] = connection.practice.name
    return redirect("rupa-connected")  # the code and the state leave the address bar


@never_cache
@login_not_required
@require_GET
def connected(request: HttpRequest) -> HttpResponse:
    name, back = request.session.pop("connected", ""), request.session.pop(BACK, "")
    if name and back and request.user.is_authenticated:
        messages.success(request, "Rupa is connected.")
        return redirect(f"{reverse('start')}?{urlencode({'practice': back})}")
    return render(request, "console/callback.html", {"practice": name})
