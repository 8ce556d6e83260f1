"""The first account of an empty installation: whoever can read what `serve` prints may make it, and nobody else.

Without this the first stranger to find the address would own the installation. The code is derived from this
deployment's own key, so every process of it prints and takes the same one, and it works only while nobody has an
account: after that the page is gone.
"""

from __future__ import annotations

import base64
from functools import wraps
from typing import cast

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.crypto import constant_time_compare

from labbridge.accounts import people
from labbridge.accounts.access import DIRECTORY_PRACTICE, P, View, access_of
from labbridge.accounts.roles import Role
from labbridge.engine.locks import exclusive
from labbridge.practices.models import Practice
from labbridge.trust.audit import Actor, address_of
from labbridge.trust.keys import keyring

MANAGE = "connections.manage"  #: the permission of the guide
GROUP = 4  #: characters between two dashes; 16 in all are 80 random bits


class WrongCode(Exception):
    """The code is not the one that the service printed."""


def nobody_yet() -> bool:
    return not User.objects.exists()


def setup_code() -> str:
    """What `serve` prints while nobody has an account, such as ABCD-EFGH-IJKL-MNOP."""
    text = base64.b32encode(keyring().blind("the first account", "setup code")).decode()[: 4 * GROUP]
    return "-".join(text[at : at + GROUP] for at in range(0, len(text), GROUP))


def _plain(code: str) -> str:
    return "".join(code.split()).replace("-", "").upper()


def make_first(request: HttpRequest, code: str, name: str, password: str) -> User:
    """The first account. It owns the practice when there is exactly one already.

    Raises:
        WrongCode: nothing was made.
        PersonProblem: somebody was first, or the password will not do.

    """
    if not constant_time_compare(_plain(code), _plain(setup_code())):
        raise WrongCode
    actor = Actor("nobody", source=address_of(request))
    with exclusive("first account"), transaction.atomic():  # two at once: one of them is first
        if not nobody_yet():
            raise people.PersonProblem("Somebody has made the first account just now. Sign in, or ask them.")
        user = people.add(name, password, actor=actor).user
        practices = list(Practice.objects.all()[:2])
        if len(practices) == 1 and not practices[0].memberships.exists():
            people.grant(user, practices[0], Role.OWNER, actor=actor)
    return user


def sets_up(request: HttpRequest) -> bool:
    """Whether this is the person who sets an installation up that has no practice yet: its first account."""
    if not request.user.is_authenticated or request.session.get(DIRECTORY_PRACTICE):
        return False
    if Practice.objects.exists():
        return False
    first = User.objects.order_by("pk").values_list("pk", flat=True).first()
    return bool(first == request.user.pk)


def require_setup(view: View[P]) -> View[P]:
    """Guard the guide: whoever manages the connections of a practice; before there is one, the first account."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not access_of(request).practices(MANAGE) and not sets_up(request):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    guarded.permission = MANAGE  # type: ignore[attr-defined]  # read by the middleware and a test
    return cast("View[P]", guarded)


def towards_setup(view: View[P]) -> View[P]:
    """Lead the first account to the guide while there is no practice whose day could be shown."""

    @wraps(view)
    def led(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not access_of(request).memberships and sets_up(request):
            return redirect("start")
        return view(request, *args, **kwargs)

    return cast("View[P]", led)
