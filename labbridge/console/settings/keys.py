"""API keys: made and shown once, with what they may do and until when; revoked for good. For owners."""

from __future__ import annotations

import uuid
from datetime import date, datetime

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from labbridge.accounts.access import require
from labbridge.accounts.proof import step_up
from labbridge.console import scope
from labbridge.console.forms import IN_HOUSE, KeyForm
from labbridge.console.settings.place import address, at_one_practice, show
from labbridge.handover.keys import KeyProblem, make, revoke, usable
from labbridge.handover.models import ApiKey, PhiClass
from labbridge.outbox.models import Agreement
from labbridge.practices.models import Practice
from labbridge.trust.audit import person

COLUMNS = ("Program", "State", "May", "Patient data", "Until", "Last used")


@require_GET
@at_one_practice("apikeys.manage")
def keys_page(request: HttpRequest, practice: Practice) -> HttpResponse:
    now = timezone.now()
    rows = [
        {"key": one, "state": _state(one, now)}
        for one in practice.api_keys.select_related("practice", "agreement").order_by("-created_at")
    ]
    return show(
        request, practice, "console/settings_keys.html", "settings-keys", {"rows": rows, "columns": COLUMNS}
    )


def _state(key: ApiKey, now: datetime) -> str:
    if key.revoked_at:
        return "revoked"
    return "usable" if usable(key, now) else "expired"


@require_http_methods(["GET", "POST"])
@at_one_practice("apikeys.manage")
@step_up
def key_new(request: HttpRequest, practice: Practice) -> HttpResponse:
    agreements = _in_force(practice)
    form = KeyForm(agreements, request.POST or None)
    if form.is_valid():
        given = form.cleaned_data
        under = next((one for one in agreements if str(one.pk) == given["phi"]), None)
        try:
            made = make(
                practice, given["name"], given["scope"], actor=person(request),
                phi_class=PhiClass.NONE if given["phi"] == "none" else PhiClass.PHI, agreement=under,
                in_house=given["phi"] == IN_HOUSE, days=given["days"], per_minute=given["per_minute"],
            )  # fmt: skip
        except KeyProblem as refused:
            form.refuse_key(refused)
        else:
            return show(request, practice, "console/settings_key_made.html", "settings-keys", {"made": made})
    context = {"form": form, "back": address(request, practice, "settings-keys")}
    return show(request, practice, "console/settings_key_new.html", "settings-keys", context)


def _in_force(practice: Practice) -> dict[Agreement, date]:
    """Those that hold today, and until when: the last day of what was agreed with that company. One query."""
    today = timezone.now().astimezone(practice.zone).date()
    held = list(Agreement.objects.filter(practice=practice, ended_at=None))
    last: dict[str, date] = {}
    for one in held:
        last[one.party] = max(one.expires_on, last.get(one.party, one.expires_on))
    return {one: last[one.party] for one in held if one.holds(today)}


@require_http_methods(["GET", "POST"])
@require("apikeys.manage")
@step_up
def key_revoke(request: HttpRequest, key_id: uuid.UUID) -> HttpResponse:
    key = ApiKey.objects.select_related("practice").filter(pk=key_id).first()
    if key is None:
        raise Http404
    practice = scope.enter(request, "apikeys.manage", key.practice.slug)
    back = address(request, practice, "settings-keys")
    if request.method == "POST" or key.revoked_at:
        try:
            revoke(practice, key.name, actor=person(request))
        except KeyProblem:
            messages.info(request, f"The key {key.name} was revoked already.")
        else:
            messages.success(request, f"The key {key.name} opens nothing any more.")
        return redirect(back)
    return show(
        request, practice, "console/settings_key_revoke.html", "settings-keys", {"key": key, "back": back}
    )
