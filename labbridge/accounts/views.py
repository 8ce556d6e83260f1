"""The pages of signing in that differ from django-allauth's own."""

from __future__ import annotations

import ipaddress
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from allauth.account.views import LoginView
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.views import AuthenticateView, IndexView
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.views import ActivateTOTPView
from allauth.mfa.webauthn.views import AddWebAuthnView, RemoveWebAuthnView
from django import forms
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import Resolver404, resolve, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from labbridge.accounts import first, proof, saml
from labbridge.accounts.demo import demo_code, only_simulators
from labbridge.accounts.directory import same_site_path
from labbridge.accounts.middleware import AFTER_ENROLMENT
from labbridge.practices.models import Practice
from labbridge.trust.audit import person, record

Context = dict[str, Any]  # any: what templates read


def passkeys_possible(request: HttpRequest) -> bool:
    """Passkeys belong to a name: browsers make none for a bare address such as 127.0.0.1."""
    host = request.get_host().rpartition(":")[0] or request.get_host()
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return request.is_secure() or host == "localhost"
    return False


@method_decorator(login_not_required, name="dispatch")
class SignIn(LoginView):
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if (
            first.nobody_yet() and not Practice.objects.exists()
        ):  # a practice may have a directory to sign in by
            return redirect("start-owner")
        response: HttpResponse = super().dispatch(request, *args, **kwargs)
        return response

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
            "app_stays": self._app_stays(),
        }
        return {**super().get_context_data(**kwargs), **more}

    def _app_stays(self) -> bool:
        """Whether the app is the only second step: it cannot be removed then."""
        app = Authenticator.objects.filter(user_id=self.request.user.pk, type=Authenticator.Type.TOTP).first()
        return app is not None and not get_adapter().can_delete_authenticator(app)


class SetUpApp(ActivateTOTPView):
    def form_valid(self, form: forms.Form) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        proof.note_factor(self.request, "totp")
        record("proof.change", actor=person(self.request), change="authenticator app added")
        return response


class SetUpPasskey(AddWebAuthnView):
    def form_valid(self, form: forms.Form) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        proof.note_factor(self.request, "webauthn")
        record("proof.change", actor=person(self.request), change="passkey added")
        return response


class RemovePasskey(RemoveWebAuthnView):
    def get_context_data(self, **kwargs: Any) -> Context:
        stays = not get_adapter().can_delete_authenticator(self.object)
        return {**super().get_context_data(**kwargs), "stays": stays}

    def form_valid(self, form: forms.Form) -> HttpResponse:
        if not get_adapter().can_delete_authenticator(self.get_object()):
            return render(self.request, "accounts/last_factor.html", status=409)
        removed: HttpResponse = super().form_valid(form)
        record("proof.change", actor=person(self.request), change="passkey removed")
        return removed


@never_cache
@require_GET
def go_on(request: HttpRequest) -> HttpResponse:
    """After setting up: where the person wanted to go in the first place."""
    return HttpResponseRedirect(same_site_path(request.session.pop(AFTER_ENROLMENT, "")))


@require_GET
def here(_request: HttpRequest) -> HttpResponse:
    """The person is at work on a page that asks for nothing: their session goes on (`labbridge.js`)."""
    return HttpResponse(status=204)
