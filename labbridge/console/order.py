"""`/order/…`: a practitioner orders labs for one patient, in two clicks from the patient's record."""

from __future__ import annotations

import uuid
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from labbridge.accounts.access import access_of, require
from labbridge.console.back import allowed_back
from labbridge.filing.rows import money
from labbridge.handlers.charts import read_chart_by_key
from labbridge.handlers.order_requests import Asker, Edited, ask, contents
from labbridge.mirror.models import CaseState, Chart, LabTest, PatientLink, Protocol, ReviewCase
from labbridge.mirror.pseudonyms import sides_of
from labbridge.ordering.choice import CannotOrder, choose, find
from labbridge.ordering.models import Door, OrderRequest
from labbridge.ordering.open_tests import already_open, open_elsewhere
from labbridge.ordering.protocols import protocol_tests
from labbridge.ordering.start import TO_BE_DECIDED, connection_of
from labbridge.peers.errors import PeerError
from labbridge.practices.apply import config_of
from labbridge.practices.clients import NotConnected, caspio
from labbridge.practices.models import Practice
from labbridge.trust.audit import person, record

READABLE = 255  # keys and searches longer than this are none


@never_cache
@require_http_methods(["GET", "POST"])
@require("orders.place")
def order(request: HttpRequest, slug: str) -> HttpResponse:
    """GET confirms the patient and chooses tests; POST creates one order intent and goes to Rupa's checkout."""
    practice = access_of(request).practice("orders.place", slug)
    query = request.POST if request.method == "POST" else request.GET
    chart = _chart(practice, _readable(query.get("patient", "")))
    back = allowed_back(practice, query.get("back", ""))
    if request.method == "POST":
        return _begin(request, practice, chart, back)
    record("patient.read", actor=person(request), practice=practice, patient=sides_of(chart), why="ordering")
    context = {
        "practice": practice,
        "chart": chart,
        "person": chart.person,
        "back": back,
        "key": uuid.uuid4(),
        **_who_orders(request, practice),
    }
    return render(request, "console/order.html", {**context, **_chosen(request, practice, chart)})


def _readable(text: str) -> str:
    return text.strip() if text.isprintable() and len(text) <= READABLE else ""


def _chart(practice: Practice, key: str) -> Chart:
    """The patient of this key at this practice; read now when the row is too new to be known. Raises Http404."""
    chart = Chart.objects.filter(practice=practice, key=key, present=True).first() if key else None
    if chart is None and key:
        try:
            with caspio(practice, "ordering") as client:
                chart = read_chart_by_key(practice, client, key)
        except (PeerError, NotConnected):
            chart = None  # whether there is such a patient cannot be told now
    if chart is None:
        raise Http404
    return chart


def practitioner_of(request: HttpRequest, practice: Practice) -> str:
    """The e-mail at Rupa with which the signed-in person orders."""
    membership = access_of(request).membership(practice.slug)
    return (membership.rupa_email if membership else "") or str(getattr(request.user, "email", ""))


def _who_orders(request: HttpRequest, practice: Practice) -> dict[str, str]:
    try:
        return {"orders_as": connection_of(practice, practitioner_of(request, practice)).account}
    except CannotOrder as problem:
        return {"nobody": str(problem)}


# -- choosing ------------------------------------------------------------------------------------------------


def _chosen(request: HttpRequest, practice: Practice, chart: Chart) -> dict[str, object]:
    """Preselected tests, and what the search found; each has an address that adds or removes it."""
    query = request.GET
    ids, problem = _wanted(practice, query.get("tests", ""), _readable(query.get("protocol", "")))
    known = {
        test.external_id: test for test in LabTest.objects.filter(practice=practice, external_id__in=ids)
    }
    try:
        choose(practice, ids)
    except CannotOrder as error:
        problem = problem or str(error)
    back = allowed_back(practice, query.get("back", ""))
    kept = {"patient": chart.key, **({"back": back} if back else {})}
    text = _readable(query.get("q", ""))
    mine = [one for one in ids if one in known]
    found = find(practice, text)
    unit = config_of(practice).rupa.price_unit
    return {
        "chosen": [
            (
                known[one],
                money(known[one].price, unit),
                _with(kept, [two for two in mine if two != one], text),
            )
            for one in mine
        ],
        "found": [
            (one, money(one.price, unit), _with(kept, [*mine, one.external_id], text))
            for one in found
            if one.external_id not in mine
        ],
        "searched": text,
        "tests": ",".join(mine),
        "problem": problem,
        "case": ReviewCase.objects.filter(chart=chart, state=CaseState.OPEN).first(),
        "undecided": TO_BE_DECIDED,
        "linked": PatientLink.objects.filter(chart=chart).exists(),
        "open_already": (warned := already_open(chart, mine)),
        "open_elsewhere": [one for one in open_elsewhere(chart) if one not in warned],
        "protocols": [
            (one, "?" + urlencode({**kept, "tests": ",".join(mine), "protocol": one.external_id}))
            for one in Protocol.objects.filter(practice=practice, present=True, active=True)
        ],
        "as_of": practice.catalog_read_at,
    }


def _wanted(practice: Practice, tests: str, protocol: str) -> tuple[list[str], str]:
    """Ids of the tests that are chosen so far, and what is wrong with the protocol that was to preselect them."""
    ids = contents("", test_ids=tests if tests.isprintable() else "")["test_ids"]
    if not protocol:
        return ids, ""
    try:
        with caspio(practice, "ordering") as client:
            return contents("", test_ids=[*ids, *protocol_tests(practice, client, protocol)])["test_ids"], ""
    except (CannotOrder, NotConnected) as error:
        return ids, str(error)
    except PeerError as error:
        return ids, f"The protocol cannot be read now. {error.advice}"


def _with(kept: dict[str, str], ids: list[str], text: str) -> str:
    return "?" + urlencode({**kept, "tests": ",".join(ids), **({"q": text} if text else {})})


# -- asking --------------------------------------------------------------------------------------------------


def _begin(request: HttpRequest, practice: Practice, chart: Chart, back: str) -> HttpResponse:
    """One request per rendered page: two clicks at once find the same one."""
    try:
        key = str(uuid.UUID(request.POST.get("key", "")))
    except ValueError:
        raise Http404 from None
    tests = request.POST.get("tests", "")
    wanted = contents(chart.key, test_ids=tests, practitioner_email=practitioner_of(request, practice))
    asker = Asker(Door.BUTTON, request.user.get_username(), back, actor=person(request))
    try:
        asked = ask(practice, key, wanted, asker)
    except Edited:
        raise Http404 from None  # another page's key
    return onward(asked)


def onward(asked: OrderRequest) -> HttpResponse:
    """To the checkout where a browser follows a form there (our own content policy), else to the request's page."""
    address = urlsplit(asked.checkout)
    followed = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]["form-action"]
    if f"{address.scheme}://{address.netloc}" in followed:
        return HttpResponseRedirect(asked.checkout)
    return redirect("order-request", request_id=asked.pk)
