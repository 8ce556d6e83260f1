"""`/order/…`: a practitioner orders labs for one patient, in two clicks from the patient's record."""

from __future__ import annotations

import uuid
from urllib.parse import urlencode, urlsplit

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from labbridge.accounts.access import access_of, require
from labbridge.handlers.jobs import read_returned_order, start_request
from labbridge.handlers.order_requests import note
from labbridge.mirror.models import Chart, LabTest
from labbridge.ordering.choice import CannotOrder, choose
from labbridge.ordering.models import Door, OrderRequest, RequestState
from labbridge.ordering.protocols import protocol_tests
from labbridge.ordering.start import return_hash, start
from labbridge.peers.errors import PeerError
from labbridge.practices.apply import config_of
from labbridge.practices.clients import NotConnected, caspio
from labbridge.practices.models import Practice
from labbridge.settings import is_loopback

FOUND = 20
LATER = "Rupa cannot be reached now. We go on trying; this page shows the checkout as soon as it is there."


@never_cache
@require_http_methods(["GET", "POST"])
@require("orders.place")
def order(request: HttpRequest, slug: str) -> HttpResponse:
    """GET confirms the patient and chooses tests; POST creates one order intent and goes to Rupa's checkout."""
    practice = access_of(request).practice("orders.place", slug)
    query = request.POST if request.method == "POST" else request.GET
    chart = Chart.objects.filter(practice=practice, key=query.get("patient", ""), present=True).first()
    if chart is None:
        raise Http404
    back = allowed_back(practice, query.get("back", ""))
    if request.method == "POST":
        return _begin(request, practice, chart, back)
    context = {
        "practice": practice,
        "chart": chart,
        "person": chart.person,
        "back": back,
        "key": uuid.uuid4(),
    }
    return render(request, "console/order.html", {**context, **_chosen(request, practice)})


def _chosen(request: HttpRequest, practice: Practice) -> dict[str, object]:
    """Preselected tests, and what the search found; each has an address that adds or removes it."""
    query = request.GET
    ids = [one for one in query.get("tests", "").split(",") if one]
    problem = ""
    if query.get("protocol") and not ids:
        try:
            with caspio(practice, "ordering") as client:
                ids = protocol_tests(practice, client, query["protocol"])
        except (CannotOrder, NotConnected) as error:
            problem = str(error)
        except PeerError as error:
            problem = error.advice
    known = {
        test.external_id: test for test in LabTest.objects.filter(practice=practice, external_id__in=ids)
    }
    try:
        choose(practice, ids)
    except CannotOrder as error:
        problem = problem or str(error)
    kept = {name: query[name] for name in ("patient", "back") if query.get(name)}
    text = query.get("q", "").strip()
    mine = [one for one in dict.fromkeys(ids) if one in known]
    found = (
        LabTest.objects.filter(practice=practice, retired=False, name__icontains=text)[:FOUND] if text else []
    )
    return {
        "chosen": [(known[one], _with(kept, [two for two in mine if two != one], text)) for one in mine],
        "found": [
            (one, _with(kept, [*mine, one.external_id], text)) for one in found if one.external_id not in mine
        ],
        "searched": text,
        "tests": ",".join(mine),
        "problem": problem,
        "as_of": practice.catalog_read_at,
        "show_price": config_of(practice).rupa.price_unit == "dollars",
    }


def _with(kept: dict[str, str], ids: list[str], text: str) -> str:
    return "?" + urlencode({**kept, "tests": ",".join(ids), **({"q": text} if text else {})})


def _begin(request: HttpRequest, practice: Practice, chart: Chart, back: str) -> HttpResponse:
    """One request per rendered page: two clicks at once find the same one."""
    wanted = _request(request, practice, chart, back)
    try:
        ready = start(wanted)
    except (CannotOrder, NotConnected) as error:
        note(wanted, RequestState.FAILED, str(error))
    except PeerError:
        note(wanted, RequestState.RECEIVED, LATER)
        start_request.defer(lock=f"{practice.slug}:request:{wanted.pk}", request_id=str(wanted.pk))
    else:
        if ready.state == RequestState.READY and ready.checkout_url:
            return HttpResponseRedirect(ready.checkout_url)
    return redirect("order-request", request_id=wanted.pk)


def _request(request: HttpRequest, practice: Practice, chart: Chart, back: str) -> OrderRequest:
    try:
        key = str(uuid.UUID(request.POST.get("key", "")))
    except ValueError:
        raise Http404 from None
    membership = access_of(request).membership(practice.slug)
    wanted, _ = OrderRequest.objects.get_or_create(
        practice=practice,
        key=key,
        defaults={
            "door": Door.BUTTON,
            "chart": chart,
            "patient_key": chart.key,
            "test_ids": [one for one in request.POST.get("tests", "").split(",") if one],
            "practitioner_email": (membership.rupa_email if membership else "")
            or getattr(request.user, "email", ""),
            "asked_by": request.user.get_username(),
            "back_url": back,
        },
    )
    if wanted.chart_id != chart.pk:
        raise Http404
    return wanted


@never_cache
@require_GET
@require("orders.place")
def request_page(request: HttpRequest, request_id: uuid.UUID) -> HttpResponse:
    """How one request stands."""
    wanted = OrderRequest.objects.select_related("practice").filter(pk=request_id).first()
    if wanted is None:
        raise Http404
    access_of(request).practice("orders.place", wanted.practice.slug)
    return render(request, "console/order_request.html", {"wanted": wanted, "back": wanted.back_url})


@never_cache
@login_not_required  # the session may be over by now; the address is unguessable and shows no patient data
@require_GET
def returned(request: HttpRequest, token: str) -> HttpResponse:
    """Rupa sends the practitioner back here: a hint, no proof (rupa-api.md 10)."""
    wanted = OrderRequest.objects.select_related("practice").filter(return_hash=return_hash(token)).first()
    if wanted is None:
        raise Http404
    if OrderRequest.objects.filter(pk=wanted.pk, returned_at=None).update(returned_at=timezone.now()):
        read_returned_order.defer(
            lock=f"{wanted.practice.slug}:request:{wanted.pk}", request_id=str(wanted.pk)
        )
    back = allowed_back(wanted.practice, wanted.back_url)
    return render(request, "console/order_returned.html", {"wanted": wanted, "back": back})


def allowed_back(practice: Practice, url: str) -> str:
    """`url` if it leads to the practice's own pages, else nothing: no open redirect."""
    config = config_of(practice)
    hosts = {urlsplit(config.caspio.url).hostname, *config.ordering.back_hosts}
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return ""
    secure = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
    plain = "@" not in parts.netloc and "\\" not in url and url.isprintable() and " " not in url
    return url if secure and plain and host in hosts else ""
