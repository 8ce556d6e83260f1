"""A second factor that can be read off the screen, for deployments that reach nothing but simulators.

Two locks, each enough: every address of Rupa and our own is on loopback (a real deployment reaches the real Rupa),
and the factor itself is marked as a demo's.
"""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, generate_totp_secret, hotp_value
from allauth.mfa.utils import decrypt, encrypt
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser

from labbridge.accounts.people import PersonProblem
from labbridge.addresses import is_loopback
from labbridge.settings import Deployment

STEP_SECONDS = 30


def only_simulators() -> bool:
    """Whether nothing of this deployment leaves the machine."""
    deployment: Deployment = settings.DEPLOYMENT
    addresses = (
        deployment.public_url, deployment.rupa_api_url, deployment.rupa_authorize_url, deployment.rupa_token_url,
    )  # fmt: skip
    return all(is_loopback(urlsplit(address).hostname or "") for address in addresses)


def give_demo_factor(user: AbstractBaseUser) -> None:
    """A TOTP factor whose codes `labbridge user code` and the sign-in page show."""
    if not only_simulators():
        raise PersonProblem("A demo's second factor exists only where Rupa is a simulator on this machine.")
    data = {"secret": encrypt(generate_totp_secret()), "demo": True}
    Authenticator.objects.update_or_create(
        user_id=user.pk, type=Authenticator.Type.TOTP, defaults={"data": data}
    )


def demo_code(user: AbstractBaseUser, now: float | None = None) -> str:
    """The code of this moment, or "" for everybody but a demo's people."""
    if not only_simulators():
        return ""
    factor = Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.TOTP).first()
    if factor is None or not factor.data.get("demo"):
        return ""
    moment = time.time() if now is None else now
    return str(format_hotp_value(hotp_value(decrypt(factor.data["secret"]), int(moment // STEP_SECONDS))))
