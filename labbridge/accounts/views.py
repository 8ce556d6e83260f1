"""The pages of signing in that differ from django-allauth's own."""

from __future__ import annotations

import ipaddress
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from allauth.account.views import LoginView
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.views import AuthenticateView, IndexView
from allauth.mfa.totp.views import ActivateTOTPView
from allauth.mfa.webauthn.views import AddWebAuthnView, RemoveWebAuthnView
from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import Resolver404, resolve, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from labbridge.accounts import proof, saml
from labbridge.accounts.demo import demo_code, only_simulators
from labbridge.accounts.directory import same_site_path
from labbridge.accounts.middleware import AFTER_ENROLMENT
from labbridge.practices.models import Practice

Context = dict[str, Any]  # any: what templates read


def passkeys_possible(request: HttpRequest) -> bool:
    """Passkeys belong to a name: browsers make none for a bare address such as 127.0.0.1."""
    host = request.get_host().rpartition(":")[0] or request.get_host()
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return request.is_secure() or host == "localhost"
    return False


class SignIn(LoginView):
    def get_context_data(self, **kwargs: Any) -> Context:
        more = {
            "directories": _directories(self.request),
            "passkeys": passkeys_possible(self.request),
            "simulators": only_simulators(),
        }
        return {**super().get_context_data(**kwargs), **more}


def _directories(request: HttpRequest) -> list[dict[str, str]]:
    """The directory of the practice that the person wants to go to; the only practice's, where there is one.

    With several practices nothing else is listed: who is a customer here is nobody's business.
    """
    wanted = same_site_path(request.GET.get("next") or request.POST.get("next", ""))
    practices = list(Practice.objects.all()[:2])
    if len(practices) != 1:
        practices = list(Practice.objects.filter(slug=_slug_in(wanted)))
    back = urlencode({"next": wanted})
    return [
        {"name": one.name, "address": f"{reverse('directory-sign-in', args=[one.slug])}?{back}"}
        for one in practices
        if saml.directory_of(one)
    ]


def _slug_in(path: str) -> str:
    parts = urlsplit(path)
    try:
        slug = resolve(parts.path).kwargs.get("slug", "")
    except Resolver404:
        slug = ""
    return str(slug or parse_qs(parts.query).get("practice", [""])[0])


class EnterCode(AuthenticateView):
    def get_context_data(self, **kwargs: Any) -> Context:
        user = self.stage.login.user
        more = {"demo_code": demo_code(user), "passkeys": passkeys_possible(self.request)}
        return {**super().get_context_data(**kwargs), **more}


class Proofs(IndexView):
    """How the person proves who they are; the first page of somebody without a second factor."""

    def get_context_data(self, **kwargs: Any) -> Context:
        more = {
            "enrolling": not proof.has_factor(self.request.user),
            "passkeys": passkeys_possible(self.request),
            "password": self.request.user.has_usable_password(),
        }
        return {**super().get_context_data(**kwargs), **more}


class SetUpApp(ActivateTOTPView):
    def form_valid(self, form: forms.Form) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        proof.note_factor(self.request, "totp")
        return response


class SetUpPasskey(AddWebAuthnView):
    def form_valid(self, form: forms.Form) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        proof.note_factor(self.request, "webauthn")
        return response


class RemovePasskey(RemoveWebAuthnView):
    def form_valid(self, form: forms.Form) -> HttpResponse:
        if not get_adapter().can_delete_authenticator(self.get_object()):
            return render(self.request, "accounts/last_factor.html", status=409)
        removed: HttpResponse = super().form_valid(form)
        return removed


@never_cache
@require_GET
def go_on(request: HttpRequest) -> HttpResponse:
    """After setting up: where the person wanted to go in the first place."""
    return HttpResponseRedirect(same_site_path(request.session.pop(AFTER_ENROLMENT, "")))
