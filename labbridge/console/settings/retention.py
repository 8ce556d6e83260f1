"""Retention: the policy with what it would remove, and legal holds."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from labbridge.accounts.access import require
from labbridge.accounts.proof import step_up
from labbridge.console import scope
from labbridge.console.forms import HoldForm
from labbridge.console.settings import fields
from labbridge.console.settings.place import address, at_one_practice, show
from labbridge.console.settings.sections import TOLD, of_retention, section_page
from labbridge.handlers.retention import lift_hold, set_hold
from labbridge.mirror.pseudonyms import pseudonyms_of
from labbridge.practices.models import Practice
from labbridge.trust.audit import person
from labbridge.trust.models import LegalHold


@require_http_methods(["GET", "POST"])
@at_one_practice("retention.manage")
def retention_page(request: HttpRequest, practice: Practice) -> HttpResponse:
    held = LegalHold.objects.filter(practice=practice.slug, lifted_at=None)
    more = {"holds": list(held), "below": "console/settings_holds.html"}
    return section_page(request, practice, fields.RETENTION, route="settings-retention", title="Retention",
                        template=TOLD, follows=of_retention, more=more)  # fmt: skip


@require_http_methods(["GET", "POST"])
@at_one_practice("retention.manage")
@step_up
def hold_page(request: HttpRequest, practice: Practice) -> HttpResponse:
    """Set a hold on one patient, or on the whole practice."""
    form = HoldForm(request.POST or None)
    if form.is_valid():
        patient, whole = form.cleaned_data["patient"], form.cleaned_data["whole"]
        names = list(pseudonyms_of(patient, practice.slug)) if patient else []
        if whole == bool(patient):
            form.add_error("patient", "Name one patient, or tick the whole practice; not both.")
        elif patient and not names:
            form.add_error(
                "patient", "There is no such patient. Give the key in Caspio or the Rupa patient id."
            )
        else:
            set_hold(practice, names, form.cleaned_data["why"], person(request))
            messages.success(request, "The hold is set: what it covers stays, whatever the policy says.")
            return redirect(address(request, practice, "settings-retention"))
    return show(request, practice, "console/settings_hold.html", "settings-retention", {"form": form})


@require_http_methods(["GET", "POST"])
@require("retention.manage")
@step_up
def hold_lift(request: HttpRequest, hold_id: int) -> HttpResponse:
    found = LegalHold.objects.filter(pk=hold_id).first()
    if found is None:
        raise Http404
    practice = scope.enter(request, "retention.manage", found.practice)
    back = address(request, practice, "settings-retention")
    if request.method == "POST" or found.lifted_at:
        if lift_hold(hold_id, request.POST.get("why", ""), person(request)):
            messages.success(
                request, "The hold is lifted. What the policy says is removed at the next nightly run."
            )
        else:
            messages.info(request, "This hold was lifted already.")
        return redirect(back)
    return show(
        request,
        practice,
        "console/settings_hold_lift.html",
        "settings-retention",
        {"hold": found, "back": back},
    )
