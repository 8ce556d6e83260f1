"""Our choices inside django-allauth."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.stages import AuthenticateStage
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.models import Session
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from labbridge.accounts import proof
from labbridge.accounts.middleware import SEEN, STARTED
from labbridge.trust.keys import keyring

PLACE = b"second factor"
QUIET = {
    "account/messages/logged_in.txt",
    "account/messages/logged_out.txt",
    "mfa/messages/recovery_codes_generated.txt",
}  # the page itself says so


class AskSecondFactor(AuthenticateStage):
    """Asked after password or directory, unless the directory asked for one itself."""

    def handle(self) -> tuple[HttpResponse | None, bool]:
        if proof.directory_asked_twice(self.request, self.login.user):
            return None, True
        response, go_on = super().handle()
        return response, go_on


class AccountAdapter(DefaultAccountAdapter):
    error_messages: ClassVar = {
        **DefaultAccountAdapter.error_messages,
        "username_password_mismatch": "User name and password do not match.",
        "too_many_login_attempts": "Too many failed attempts. Wait five minutes and try again.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:  # noqa: ARG002  # allauth's shape
        return False

    def get_login_stages(self) -> list[str]:
        return ["labbridge.accounts.adapters.AskSecondFactor"]

    def login(self, request: HttpRequest, user: AbstractBaseUser) -> None:
        super().login(request, user)
        request.session[STARTED] = request.session[SEEN] = time.time()
        Session.objects.filter(expire_date__lt=timezone.now()).delete()  # nobody else sweeps them up

    def is_reauthentication_required(self, *, app: str, **_more: Any) -> bool:  # any: allauth's shape
        """The password was asked a moment ago when somebody sets up their first factor."""
        user = self.request.user
        if app == "allauth.mfa" and user.is_authenticated and not proof.has_factor(user):
            return False
        return bool(super().is_reauthentication_required(app=app))

    def add_message(
        self,
        request: HttpRequest,
        level: int,
        message_template: str | None = None,
        *more: Any,
        **named: Any,  # any: allauth's shape
    ) -> None:
        if message_template not in QUIET:
            super().add_message(request, level, message_template, *more, **named)


class MfaAdapter(DefaultMFAAdapter):
    def encrypt(self, text: str) -> str:
        return keyring().seal(text.encode(), PLACE).hex()

    def decrypt(self, encrypted_text: str) -> str:
        return keyring().open(bytes.fromhex(encrypted_text), PLACE).decode()

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        """Never the last one: a second factor is required of all."""
        kinds = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]
        others = Authenticator.objects.filter(user_id=authenticator.user_id, type__in=kinds)
        return bool(others.exclude(pk=authenticator.pk).exists())

    def build_totp_svg(self, url: str) -> str:
        """Without its XML declaration: the picture stands in the page, since data: addresses are not allowed."""
        svg = str(super().build_totp_svg(url))
        return svg[svg.index("<svg") :]

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        return {**super().get_public_key_credential_rp_entity(), "name": "Labbridge"}
