"""What the signed-in person may do: the one place that reads memberships and the table of permissions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase

from labbridge.accounts.models import Membership
from labbridge.accounts.roles import PERMISSIONS, allows
from labbridge.practices.models import Practice

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]

DIRECTORY_PRACTICE = "directory_practice"  # session: the practice whose directory vouched for this person
_KEPT = "_labbridge_access"


@dataclass(frozen=True)
class Access:
    memberships: tuple[Membership, ...]
    user_name: str = ""

    def practices(self, permission: str) -> list[Practice]:
        """The practices at which this person has the permission."""
        return [one.practice for one in self.memberships if allows(one.role, permission)]

    def may(self, permission: str, practice: Practice) -> bool:
        return practice in self.practices(permission)

    def membership(self, slug: str) -> Membership | None:
        return next((one for one in self.memberships if one.practice.slug == slug), None)

    def practice(self, permission: str, slug: str) -> Practice:
        """The practice of that slug, for somebody who may do this there.

        Raises:
            Http404: not a practice of theirs; whether it exists is not told.
            PermissionDenied: it is, but their role does not include it.

        """
        membership = self.membership(slug)
        if membership is None:
            raise Http404
        if not allows(membership.role, permission):
            raise PermissionDenied
        return membership.practice


def access_of(request: HttpRequest) -> Access:
    """What this request may do; one query.

    A sign-in through a practice's directory reaches that practice only, since whoever keeps that directory could
    name anybody in it.
    """
    kept = request.__dict__.get(_KEPT)
    if isinstance(kept, Access):
        return kept
    found = Membership.objects.filter(user_id=request.user.pk or 0).select_related("practice")
    vouched = request.session.get(DIRECTORY_PRACTICE)
    if vouched:
        found = found.filter(practice_id=vouched)
    access = Access(tuple(found), request.user.get_username())
    request.__dict__[_KEPT] = access
    return access


def require(permission: str) -> Callable[[View[P]], View[P]]:
    """Guard a view. With a `slug` in its address, at that practice; without, at one of theirs at least."""
    if permission not in PERMISSIONS:
        raise KeyError(permission)

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            access, slug = access_of(request), kwargs.get("slug")
            if isinstance(slug, str):
                access.practice(permission, slug)
            elif not access.practices(permission):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        guarded.permission = permission  # type: ignore[attr-defined]  # read by the middleware and a test
        return cast("View[P]", guarded)

    return decorate
