"""Alerts: when somebody is told, on which channels, and a test of each. Addresses hold passwords: never shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from labbridge.accounts.proof import step_up
from labbridge.alerts.channels import Channel, channels, send, usable
from labbridge.alerts.outside import leads_outside
from labbridge.console.forms import INSIDE_CHANNEL, NO_CHANNEL, ChannelForm
from labbridge.console.settings import fields
from labbridge.console.settings.place import address, at_one_practice, base_of, saved, show
from labbridge.console.settings.sections import TOLD, nothing_follows, section_page
from labbridge.practices.apply import change, is_channel
from labbridge.practices.config import ConfigProblem
from labbridge.practices.models import Practice
from labbridge.practices.versions import By, Secrets, latest
from labbridge.trust.audit import person, record

MOST = 10  #: channels of one practice


@dataclass(frozen=True)
class Masked:
    number: int
    kind: str  #: such as mailtos; the rest of the address may be a password
    key: str


def masked(practice: Practice) -> list[Masked]:
    return [Masked(one.number, urlsplit(one.url).scheme, one.key) for one in _held(practice)]


def _held(practice: Practice) -> tuple[Channel, ...]:
    return channels(practice.alert_channels or [], outside=True)


@require_http_methods(["GET", "POST"])
@at_one_practice("settings.change")
def alerts_page(request: HttpRequest, practice: Practice) -> HttpResponse:
    more = {"channels": masked(practice), "below": "console/settings_channel_list.html"}
    return section_page(request, practice, fields.ALERTS, route="settings-alerts", title="Alerts", template=TOLD,
                        follows=nothing_follows, more=more)  # fmt: skip


def _named(practice: Practice, request: HttpRequest) -> Channel | None:
    return next((one for one in _held(practice) if one.key == request.POST.get("channel")), None)


@at_one_practice("settings.change")
@require_POST
def channel_test(request: HttpRequest, practice: Practice) -> HttpResponse:
    """One message that says that the channel works."""
    channel = _named(practice, request)
    if channel is None:
        messages.warning(request, "There is no such channel any more.")
    else:
        took = send(channel, f"Labbridge {practice.slug}: test", "This channel works.")
        record("alert.test", actor=person(request), practice=practice, outcome="done" if took else "failed",
               number=channel.number)  # fmt: skip
        if took:
            messages.success(request, f"Channel {channel.number} took the test. Look whether it arrived.")
        else:
            messages.error(request, f"Channel {channel.number} did not take it. Remove it and add it anew.")
    return redirect(address(request, practice, "settings-alerts"))


@require_http_methods(["GET", "POST"])
@at_one_practice("settings.change")
@step_up
def channels_page(request: HttpRequest, practice: Practice) -> HttpResponse:
    """Add a channel, or remove one."""
    problem, form = "", ChannelForm(request.POST if request.POST.get("do") == "add" else None)
    if request.method == "POST" and practice.config:
        held = list(practice.alert_channels or [])
        wanted = _added(form, held) if form.is_bound else _without(_named(practice, request), held)
        if wanted is not None:
            by = By(person(request), request.POST.get("why", "").strip(), base_of(practice, request.POST))
            try:
                done = change(practice, {}, by=by, secrets=Secrets(channels=wanted))
            except ConfigProblem as refused:
                problem = str(refused)
            else:
                return saved(request, practice, done, "settings-alerts")
        elif not form.is_bound:
            problem = "There is no such channel."
    context: dict[str, Any] = {  # any: what the template reads
        "channels": masked(practice), "base": latest(practice), "problem": problem, "form": form,
        "configured": bool(practice.config),
    }  # fmt: skip
    return show(request, practice, "console/settings_channels.html", "settings-alerts", context)


def _added(form: ChannelForm, held: list[str]) -> list[str] | None:
    """The channels with the new one; None when the form says what is wrong."""
    if not form.is_valid():
        return None
    url = str(form.cleaned_data["url"])
    wrong = _unusable(url, held)
    if wrong:
        form.add_error("url", wrong)
        return None
    return [*held, url]


def _without(gone: Channel | None, held: list[str]) -> list[str] | None:
    return [url for url in held if url != gone.url] if gone else None


def _unusable(url: str, held: list[str]) -> str:
    if not is_channel(url) or not usable(url):
        return NO_CHANNEL
    if not leads_outside(url):
        return INSIDE_CHANNEL
    if url in held:
        return "The practice has this channel already."
    return "" if len(held) < MOST else f"A practice has {MOST} channels at most: remove one first."
