"""How one order request stands, and where Rupa sends the practitioner back to."""

from __future__ import annotations

import uuid

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from labbridge.accounts.access import access_of, require
from labbridge.console.back import allowed_back
from labbridge.console.order import onward
from labbridge.console.start_steps import IN_GUIDE
from labbridge.handlers.intents import order_of
from labbridge.handlers.jobs import read_returned_order
from labbridge.handlers.order_requests import again
from labbridge.ordering.models import OrderRequest, RequestState, Waits
from labbridge.ordering.start import is_for, link_of, return_hash
from labbridge.reconcile.watch.wishes import by_mail

LONGEST_TOKEN = 100


@never_cache
@require_http_methods(["GET", "POST"])
@require("orders.place")
def request_page(request: HttpRequest, request_id: uuid.UUID) -> HttpResponse:
    """GET shows how it stands; POST asks for a new checkout, or to be told when Rupa answers again."""
    wanted = OrderRequest.objects.select_related("practice", "chart").filter(pk=request_id).first()
    if wanted is None:
        raise Http404
    access_of(request).practice("orders.place", wanted.practice.slug)
    if request.method == "POST":
        return _act(request, wanted)
    context = {
        "wanted": wanted,
        "checkout": wanted.checkout if is_for(wanted, link_of(wanted)) else "",
        "order": order_of(wanted),
        "back": allowed_back(wanted.practice, wanted.back_url),
        "rupa_is_away": wanted.state == RequestState.RECEIVED and wanted.waits_for == Waits.PEER,
        "by_mail": by_mail(wanted.practice, wanted.wish_by or request.user.get_username()) is not None,
        "may_ask_again": wanted.state in {RequestState.EXPIRED, RequestState.FAILED},
    }
    return render(request, "console/order_request.html", context)


def _act(request: HttpRequest, wanted: OrderRequest) -> HttpResponse:
    if request.POST.get("action") == "tell":
        untold = OrderRequest.objects.filter(pk=wanted.pk, wish_at=None)
        untold.update(wish_at=timezone.now(), wish_by=request.user.get_username())
    elif request.POST.get("action") == "again":
        return onward(again(wanted))
    return redirect("order-request", request_id=wanted.pk)


@never_cache
@login_not_required  # the session may be over by now; the address is unguessable and shows no patient data
@require_GET
def returned(request: HttpRequest, token: str) -> HttpResponse:
    """Rupa sends the practitioner back here: a hint, no proof (rupa-api.md 10). Only that they came is noted."""
    known = OrderRequest.objects.select_related("practice")
    wanted = known.filter(return_hash=return_hash(token)).first() if len(token) <= LONGEST_TOKEN else None
    if wanted is None:
        return render(request, "console/order_returned.html", status=404)
    if OrderRequest.objects.filter(pk=wanted.pk, returned_at=None).update(returned_at=timezone.now()):
        read_returned_order.defer(
            lock=f"{wanted.practice.slug}:returned:{wanted.pk}", request_id=str(wanted.pk)
        )
    context = {
        "wanted": wanted,
        "order": order_of(wanted),
        "back": allowed_back(wanted.practice, wanted.back_url),
        "in_guide": request.session.get(IN_GUIDE) == wanted.practice.slug,
    }
    return render(request, "console/order_returned.html", context)
