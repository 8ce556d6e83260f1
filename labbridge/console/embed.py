"""`/embed/…`: what a practice's DataPages load from here. No patient data goes into an address, only the key."""

from __future__ import annotations

from importlib import resources

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.http import require_GET, require_POST

from labbridge.accounts.access import access_of, require
from labbridge.ordering.choice import CannotOrder
from labbridge.ordering.start import connection_for
from labbridge.peers.errors import NotFound, PeerError
from labbridge.practices.clients import rupa
from labbridge.practices.models import Practice


@login_not_required  # a script for the practice's pages; it holds nothing but addresses
@require_GET
@cache_control(public=True, max_age=300)
def script(_request: HttpRequest, slug: str) -> HttpResponse:
    """The DataPage script: turns `<a data-labbridge-order data-patient="…">` into the order button."""
    if not Practice.objects.filter(slug=slug).exists():
        raise Http404
    text = resources.files("labbridge.ordering").joinpath("datapage.js").read_text(encoding="utf-8")
    text = text.replace("__ORDER_ADDRESS__", f"{settings.DEPLOYMENT.public_url}/order/{slug}")
    answer = HttpResponse(text, content_type="text/javascript; charset=utf-8")
    answer["Cross-Origin-Resource-Policy"] = "cross-origin"
    return answer


@never_cache
@require("orders.place")
@require_POST
def publishable_key(request: HttpRequest, slug: str) -> JsonResponse:
    """A key for rupa-js, for the signed-in practitioner's own connection (rupa-api.md 5.10)."""
    practice = access_of(request).practice("orders.place", slug)
    membership = access_of(request).membership(slug)
    email = (membership.rupa_email if membership else "") or getattr(request.user, "email", "")
    try:
        with rupa(connection_for(practice, email), "ordering") as client:
            key = client.publishable_key()
    except CannotOrder as problem:
        return JsonResponse({"detail": str(problem)}, status=409)
    except NotFound:
        return JsonResponse({"detail": "Rupa offers no publishable keys to this application."}, status=409)
    except PeerError as error:
        return JsonResponse({"detail": error.advice}, status=503)
    ends = key.expires_at.isoformat() if key.expires_at else None
    return JsonResponse({"publishable_key": key.key, "expires_at": ends})
