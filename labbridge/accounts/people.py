"""Adding people, giving them a role, and helping those who lost their password or phone."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from labbridge.accounts.models import Membership
from labbridge.accounts.roles import Role
from labbridge.practices.models import Practice


class PersonProblem(Exception):
    """What was asked cannot be done; the sentence says why and what to do."""


@dataclass(frozen=True)
class Added:
    user: User
    password: str  # "" when the person gave it or signs in through the directory


def role_of(text: str) -> Role:
    """A role by its name; `front-desk` and `front_desk` are fine too."""
    try:
        return Role(text.strip().lower().replace("-", " ").replace("_", " "))
    except ValueError:
        raise PersonProblem(f"There is no role {text!r}. Roles: {', '.join(Role.values)}.") from None


def person(name: str) -> User:
    found = User.objects.filter(username__iexact=name).first()
    if found is None:
        raise PersonProblem(f"There is no user {name!r}. See `labbridge user list`.")
    return found


@transaction.atomic
def add(name: str, password: str | None, *, generate: bool = False) -> Added:
    """Add a person who may sign in; without a password, only through the practice's Caspio directory."""
    if User.objects.filter(username__iexact=name).exists():
        raise PersonProblem(
            f"There is a user {name!r} already. `labbridge user grant` gives them a practice."
        )
    user = User(username=name, email=name if "@" in name else "")
    if generate:
        password = made_password()
    _set_password(user, password)
    user.save()
    return Added(user, password if generate and password else "")


def grant(user: User, practice: Practice, role: Role | None, rupa_email: str | None = None) -> Membership:
    """Give or change a role. The first person of a practice is its owner when no role is said."""
    membership = Membership.objects.filter(user=user, practice=practice).first()
    if membership is None:
        if role is None and practice.memberships.exists():
            raise PersonProblem(f"Say which role with --role: {', '.join(Role.values)}.")
        membership = Membership(user=user, practice=practice, role=role or Role.OWNER)
    elif role is not None:
        membership.role = role
    if rupa_email is not None:
        membership.rupa_email = rupa_email
    membership.save()
    return membership


def revoke(user: User, practice: Practice) -> None:
    if not Membership.objects.filter(user=user, practice=practice).delete()[0]:
        raise PersonProblem(f"{user.get_username()} does not belong to {practice.slug}.")


@transaction.atomic
def reset(user: User, password: str | None, *, generate: bool = False, second_factor: bool = False) -> str:
    """A new password, which ends all sessions of this person. Returns it when it was generated."""
    if generate:
        password = made_password()
    _set_password(user, password)
    user.save(update_fields=["password"])
    if second_factor:
        Authenticator.objects.filter(user=user).delete()
    return password if generate and password else ""


def made_password() -> str:
    return secrets.token_urlsafe(15)


def _set_password(user: User, password: str | None) -> None:
    if password is None:
        user.set_unusable_password()
        return
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise PersonProblem(" ".join(error.messages)) from None
    user.set_password(password)


def listed() -> list[dict[str, Any]]:  # any: JSON
    """Everybody, with roles and kinds of second factor."""
    people = User.objects.prefetch_related("memberships__practice").order_by("username")
    factors: dict[int, set[str]] = {}
    for user_id, kind in Authenticator.objects.values_list("user_id", "type"):
        factors.setdefault(user_id, set()).add(kind)
    return [
        {
            "user": one.get_username(),
            "email": one.email,
            "active": one.is_active,
            "password": one.has_usable_password(),
            "second_factors": sorted(factors.get(one.pk, ())),
            "last_login": one.last_login,
            "practices": [
                {"practice": each.practice.slug, "role": each.role, "rupa_email": each.rupa_email}
                for each in one.memberships.all()
            ],
        }
        for one in people
    ]
