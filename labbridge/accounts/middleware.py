"""Every request passes here: how long a session lasts, and what it reaches before it is proved twice."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import Resolver404, resolve, reverse
from django.utils.cache import add_never_cache_headers

from labbridge.accounts import directory, proof
from labbridge.accounts.roles import ROUTES
from labbridge.trust.audit import Outcome, person, record

STARTED, SEEN = "started_at", "seen_at"  # session: seconds since the epoch
TOUCH_SECONDS = 30  #: how exactly the last request is remembered; a session never idles longer than the limit
QUIET = "X-Labbridge-Quiet"  #: a page that looks for news by itself says so: that is no activity of a person

Answer = Callable[[HttpRequest], HttpResponseBase]

SIGN_OUT = {"account_logout", "sign-out"}
ENROL = SIGN_OUT | {"mfa_index", "mfa_activate_totp", "mfa_add_webauthn"}
SHOW_FACTOR = SIGN_OUT | {"mfa_reauthenticate", "mfa_reauthenticate_webauthn"}
PROVING = {"account_reauthenticate", "mfa_reauthenticate", "mfa_reauthenticate_webauthn"}
PROOFS = {"mfa_activate_totp", "mfa_deactivate_totp", "mfa_add_webauthn", "mfa_remove_webauthn",
          "mfa_edit_webauthn", "mfa_view_recovery_codes", "mfa_generate_recovery_codes",
          "mfa_download_recovery_codes", "account_change_password"}  # fmt: skip
ASKS_ITSELF = {"account_change_password"}  # for the old password
#: Pages about oneself, open to every role.
OWN = ENROL | SHOW_FACTOR | PROOFS | {"mfa_list_webauthn", "account_reauthenticate", "continue", "here"}
AFTER_ENROLMENT = "after_enrolment"  # session: where the person wanted to go


def end_of(started: float, seen: float, now: float) -> str:
    """Why a session has ended, as a sentence, or "" while it lasts. Times in seconds."""
    idle: timedelta = settings.SESSION_IDLE
    absolute: timedelta = settings.SESSION_ABSOLUTE
    if now - started >= absolute.total_seconds():
        return f"You were signed out: a session lasts {absolute.total_seconds() / 3600:.0f} hours at most."
    if now - seen >= idle.total_seconds():
        return f"You were signed out after {idle.total_seconds() / 60:.0f} minutes without activity."
    return ""


class SessionLimits:
    """Ends sessions that are idle or old (design.md 8). The request goes on, signed out."""

    def __init__(self, get_response: Answer, clock: Callable[[], float] = time.time) -> None:
        self.get_response, self.clock = get_response, clock

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if settings.SESSION_COOKIE_NAME in request.COOKIES and request.user.is_authenticated:
            self._check(request)
        return self.get_response(request)

    def _check(self, request: HttpRequest) -> None:
        now, session = self.clock(), request.session
        started, seen = session.get(STARTED, now), session.get(SEEN, now)
        sentence = end_of(started, seen, now)
        if sentence:
            logout(request)
            messages.info(request, sentence)
        elif STARTED not in session or (now - seen >= TOUCH_SECONDS and QUIET not in request.headers):
            session[STARTED], session[SEEN] = started, now


class SignInRequired(LoginRequiredMiddleware):
    """Sends strangers to the sign-in page; those who come to order, straight to their practice's directory."""

    def handle_no_permission(  # type: ignore[override]  # Django's stub knows of redirects only
        self, request: HttpRequest, view_func: Callable[..., Any]
    ) -> HttpResponseBase:
        if "HX-Request" in request.headers:  # the sign-in page is no part of the page that asked
            return HttpResponse(status=401, headers={"HX-Refresh": "true"})
        address = directory.address_for(request) if request.method == "GET" else ""
        if address:
            return HttpResponseRedirect(address)
        return super().handle_no_permission(request, view_func)


_PERSONAL = "_labbridge_personal"


class Guard:
    """Second factor for all, no page without a permission, and no page of a signed-in person in any cache.

    Both the table of addresses and the view itself must name the permission, and the same one.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        before = proof.last_proof(request) if _proves_again(request) else None
        answer = self.get_response(request)
        if before is not None:
            outcome = Outcome.DONE if proof.last_proof(request) > before else Outcome.REFUSED
            record("session.step_up", actor=person(request), outcome=outcome)
        # A public page shows who is signed in, too. By the cookie: webhooks have none, and it costs no look-up.
        named = settings.SESSION_COOKIE_NAME in request.COOKIES and not answer.has_header("Cache-Control")
        if request.__dict__.get(_PERSONAL) or request.resolver_match is None or named:
            add_never_cache_headers(answer)
        return answer

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], _args: Any, _kwargs: Any
    ) -> HttpResponseBase | None:
        user = request.user if getattr(view, "login_required", True) else None
        if user is None or not user.is_authenticated:
            return None  # a public page, or SignInRequired has spoken
        request.__dict__[_PERSONAL] = True
        name = (request.resolver_match and request.resolver_match.url_name) or ""
        if not proof.proved_twice(request):
            return _towards_second_factor(request, name)
        if name in PROOFS and not proof.may_change_proofs(request):
            raise PermissionDenied("Sign in with your password to change how you sign in.")
        # allauth asks only those who have something of ours to show, and a directory's people may have nothing.
        if name in PROOFS - ASKS_ITSELF and not proof.freshly_proved(request):
            return HttpResponseRedirect(proof.proof_address(request, request.get_full_path()))
        if name not in OWN and getattr(view, "permission", None) != ROUTES.get(name, ""):
            self.process_exception(request, PermissionDenied())
            raise PermissionDenied
        return None

    def process_exception(self, request: HttpRequest, error: Exception) -> None:
        """What a signed-in person was not let into is recorded, by the name of the page: addresses may hold ids."""
        if isinstance(error, PermissionDenied) and request.user.is_authenticated:
            match = request.resolver_match
            record(
                "access.refuse", actor=person(request), practice=match.kwargs.get("slug", "") if match else "",
                outcome=Outcome.REFUSED, page=(match and match.url_name) or "",
            )  # fmt: skip


def _proves_again(request: HttpRequest) -> bool:
    """Whether this is the sending of a form by which a signed-in person proves again who they are."""
    if request.method != "POST" or not request.user.is_authenticated:
        return False
    try:
        return resolve(request.path_info).url_name in PROVING
    except Resolver404:
        return False


def _towards_second_factor(request: HttpRequest, name: str) -> HttpResponseBase | None:
    if proof.has_factor(request.user):  # type: ignore[arg-type]  # the caller knows that they are signed in
        if name in SHOW_FACTOR:
            return None
        back = request.get_full_path() if request.method == "GET" else reverse("home")
        return HttpResponseRedirect(f"{reverse('mfa_reauthenticate')}?{urlencode({'next': back})}")
    if name in ENROL:
        if name in PROOFS and not proof.may_change_proofs(request):
            raise PermissionDenied("Sign in with your password once to set up your second factor.")
        return None
    if request.method == "GET":
        request.session[AFTER_ENROLMENT] = request.get_full_path()
    return HttpResponseRedirect(reverse("mfa_index"))
