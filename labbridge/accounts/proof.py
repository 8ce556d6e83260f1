"""How a session proved who it is: second factor, fresh proof for grave actions, and what a directory may change."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast
from urllib.parse import urlencode

from allauth.account.internal.flows.login import get_authentication_records, record_authentication
from allauth.account.internal.flows.reauthentication import get_reauthentication_flows
from allauth.mfa.models import Authenticator
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse

from labbridge.accounts.access import DIRECTORY_PRACTICE
from labbridge.accounts.models import Membership
from labbridge.practices.models import Practice

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]

FRESH_SECONDS = 300  #: a proof is good for grave actions for so long
DIRECTORY = "directory"  # our word among allauth's methods (password, mfa)


def _records(request: HttpRequest) -> list[dict[str, Any]]:  # any: allauth's own notes
    return list(get_authentication_records(request, _person(request)))


def _person(request: HttpRequest) -> AbstractBaseUser | None:
    return request.user if request.user.is_authenticated else None


def has_factor(user: AbstractBaseUser) -> bool:
    """Whether this person has a second factor of ours. Recovery codes are a spare, not a factor."""
    kinds = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]
    return bool(Authenticator.objects.filter(user_id=user.pk, type__in=kinds).exists())


def proved_twice(request: HttpRequest) -> bool:
    """Whether this session showed a second factor: ours, or the directory's where the practice says it asks one."""
    return any(
        record["method"] == "mfa" or (record["method"] == DIRECTORY and record.get("two_factor"))
        for record in _records(request)
    )


def directory_asked_twice(request: HttpRequest, user: AbstractBaseUser | None) -> bool:
    """As above for a sign-in that is not finished: the directory's second factor stands for ours."""
    records = get_authentication_records(request, user)
    vouched = request.session.get(DIRECTORY_PRACTICE)
    return bool(vouched) and any(
        record["method"] == DIRECTORY and record.get("two_factor") and record.get("practice") == vouched
        for record in records
    )


def note_factor(request: HttpRequest, kind: str) -> None:
    """Setting a factor up proves that one holds it."""
    record_authentication(request, _person(request), method="mfa", type=kind, reauthenticated=True)
    request.session.cycle_key()  # more rights from here on: a new key


def note_directory(
    request: HttpRequest, user: AbstractBaseUser, practice: Practice, *, two_factor: bool, fresh: bool
) -> None:
    record_authentication(
        request,
        user,
        method=DIRECTORY,
        practice=str(practice.pk),
        two_factor=two_factor,
        reauthenticated=fresh or None,
    )


def may_change_proofs(request: HttpRequest) -> bool:
    """A practice's directory may not set passwords or factors of somebody who also belongs elsewhere."""
    vouched = request.session.get(DIRECTORY_PRACTICE)
    if not vouched:
        return True
    return not Membership.objects.filter(user_id=request.user.pk or 0).exclude(practice_id=vouched).exists()


# -- step-up ---------------------------------------------------------------------------------------------


def freshly_proved(request: HttpRequest, now: float | None = None) -> bool:
    moment = time.time() if now is None else now
    return moment - last_proof(request) < FRESH_SECONDS


def last_proof(request: HttpRequest) -> float:
    """When this session last proved who it is, in seconds since the epoch; 0 when it never did.

    A directory whose own session lives answers without asking anything: its word opens a session and proves nothing
    anew, unless it was asked for the password.
    """
    return max(
        (
            record["at"]
            for record in _records(request)
            if record["method"] != DIRECTORY or record.get("reauthenticated")
        ),
        default=0.0,
    )


def proof_address(request: HttpRequest, back: str) -> str:
    """Where to prove again: our own password or factor, or the directory that vouched."""
    user = _person(request)
    vouched = request.session.get(DIRECTORY_PRACTICE)
    if user is not None and vouched and not get_reauthentication_flows(user):
        slug = Practice.objects.values_list("slug", flat=True).get(pk=vouched)
        return f"{reverse('directory-sign-in', args=[slug])}?{urlencode({'next': back, 'fresh': 1})}"
    return f"{reverse('account_reauthenticate')}?{urlencode({'next': back})}"


def step_up(view: View[P]) -> View[P]:
    """Guard a grave action: whoever proved longer than five minutes ago proves again first.

    A POST that comes too late is not repeated by itself: the person sees the page once more.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not freshly_proved(request):
            return HttpResponseRedirect(proof_address(request, request.get_full_path()))
        return view(request, *args, **kwargs)

    return cast("View[P]", guarded)
