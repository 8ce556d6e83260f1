"""Connections: what works, what to do, the Caspio account's credentials, and ending a Rupa authorisation."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from labbridge.accounts.access import access_of, require
from labbridge.accounts.proof import step_up
from labbridge.console import scope
from labbridge.console.forms import AccountForm
from labbridge.console.health_page import connections_for
from labbridge.console.scope import Viewer
from labbridge.console.settings import fields
from labbridge.console.settings.place import address, at_one_practice, base_of, saved, show
from labbridge.console.settings.sections import TOLD, nothing_follows, section_page
from labbridge.peers.caspio import Caspio
from labbridge.peers.errors import PeerError, Unauthorized
from labbridge.practices.apply import change, config_of
from labbridge.practices.config import ConfigProblem
from labbridge.practices.connections import end
from labbridge.practices.models import Connection, ConnectionState, Practice
from labbridge.practices.versions import By, Secrets, latest
from labbridge.reconcile.applied import follow_later
from labbridge.trust.audit import person


@require_http_methods(["GET", "POST"])
@at_one_practice("connections.manage")
def connections_page(request: HttpRequest, practice: Practice) -> HttpResponse:
    links = connections_for(Viewer.of(access_of(request), [practice]))
    more = {"links": links, "above": "console/settings_links.html"}
    return section_page(request, practice, fields.CASPIO, route="settings-connections", title="Connections",
                        template=TOLD, follows=nothing_follows, more=more)  # fmt: skip


@require_http_methods(["GET", "POST"])
@at_one_practice("connections.manage")
@step_up
def caspio_page(request: HttpRequest, practice: Practice) -> HttpResponse:
    """Other credentials, or another account. They are tried before they are kept; none is shown."""
    held = config_of(practice).caspio.url if practice.config else ""
    form = AccountForm(request.POST or None, initial={"url": held})
    if practice.config and form.is_valid() and _tried(form):
        given = form.cleaned_data
        by = By(person(request), given["why"], base_of(practice, request.POST))
        new = Secrets(given["client_id"], given["client_secret"])
        try:
            with transaction.atomic():
                done = change(practice, {"caspio.url": given["url"]}, by=by, secrets=new)
                follow_later(done)
        except ConfigProblem as refused:
            form.refuse(refused)
        else:
            return saved(request, practice, done, "settings-connections")
    context: dict[str, Any] = {  # any: what the template reads
        "form": form, "base": latest(practice), "configured": bool(practice.config),
        "back": address(request, practice, "settings-connections"),
    }  # fmt: skip
    return show(request, practice, "console/settings_caspio.html", "settings-connections", context)


def _tried(form: AccountForm) -> bool:
    """Whether Caspio answers to this account and its credentials, asked once; the form says why it does not."""
    given, deployment = form.cleaned_data, settings.DEPLOYMENT
    try:
        client = Caspio(
            given["url"].rstrip("/"), given["client_id"], given["client_secret"], purpose="connect",
            allow_http=deployment.allow_http_peers, custom_domains=deployment.caspio_hosts,
        )  # fmt: skip
    except ValueError as error:
        form.add_error("url", f"The address {error}.")
        return False
    try:
        client.tables()
    except Unauthorized:
        form.add_error(
            "client_secret",
            "Caspio does not take this Client ID and Client Secret. Copy both from the Web Services profile again.",
        )
    except PeerError as error:
        form.add_error(None, f"{error}. {error.advice}")
    finally:
        client.close()
    return not form.errors


@require_http_methods(["GET", "POST"])
@require("connections.manage")
@step_up
def rupa_end(request: HttpRequest, connection_id: uuid.UUID) -> HttpResponse:
    found = Connection.objects.select_related("practice").filter(pk=connection_id, peer="rupa").first()
    if found is None:
        raise Http404
    practice = scope.enter(request, "connections.manage", found.practice.slug)
    back = address(request, practice, "settings-connections")
    if found.state == ConnectionState.ENDED:
        messages.info(request, "This connection was ended already.")
        return redirect(back)
    if request.method == "POST":
        why = request.POST.get("why", "").strip() or "Ended in Labbridge."
        end(found, why, actor=person(request))
        messages.success(request, "Ended. Its orders and results stay. To use it again, connect it again.")
        return redirect(back)
    return show(
        request,
        practice,
        "console/settings_rupa_end.html",
        "settings-connections",
        {"one": found, "back": back},
    )
