"""Our choices inside django-allauth."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.stages import AuthenticateStage
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.models import Session
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from labbridge.accounts import proof
from labbridge.accounts.access import DIRECTORY_PRACTICE
from labbridge.accounts.middleware import SEEN, STARTED
from labbridge.practices.models import Practice
from labbridge.trust.audit import Actor, address_of, record
from labbridge.trust.keys import SECOND_FACTOR, keyring

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


def _vouching(request: HttpRequest) -> str:
    """The practice whose directory vouches for this session; "" when the person signed in by themselves."""
    vouched = request.session.get(DIRECTORY_PRACTICE)
    practice = Practice.objects.filter(pk=vouched).first() if vouched else None
    return practice.slug if practice else ""


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
        self._record("session.open", request, user)
        request.session[STARTED] = request.session[SEEN] = time.time()
        Session.objects.filter(expire_date__lt=timezone.now()).delete()  # nobody else sweeps them up

    def logout(self, request: HttpRequest) -> None:
        if request.user.is_authenticated:
            self._record("session.close", request, request.user)
        super().logout(request)

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:  # any: allauth's shape
        """What was typed is kept only when it names somebody: people type passwords into the wrong field."""
        super().authentication_failed(request, **credentials)
        typed = str(credentials.get("username", ""))
        user = get_user_model().objects.filter(username__iexact=typed).first() if typed else None
        record(
            "session.refuse", actor=Actor("nobody", source=address_of(request)), outcome="refused",
            subject=f"user:{user.pk}" if user else "", name=user.get_username() if user else "",
        )  # fmt: skip

    @staticmethod
    def _record(action: str, request: HttpRequest, user: AbstractBaseUser) -> None:
        actor = Actor("person", str(user.pk), user.get_username(), address_of(request))
        record(action, actor=actor, practice=_vouching(request))

    def is_reauthentication_required(self, *, app: str, **_more: Any) -> bool:  # any: allauth's shape
        """Not for somebody's first factor: they gave the password a moment ago, or the `Guard` has asked them."""
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
        return keyring().seal(text.encode(), SECOND_FACTOR).hex()

    def decrypt(self, encrypted_text: str) -> str:
        return keyring().open(bytes.fromhex(encrypted_text), SECOND_FACTOR).decode()

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
