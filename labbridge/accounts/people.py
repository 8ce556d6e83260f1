"""Adding people, giving them a role, and helping those who lost their password or phone."""

from __future__ import annotations

import secrets
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import tomli_w
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from labbridge.accounts.models import Membership
from labbridge.accounts.roles import Role
from labbridge.practices.models import Area, ConfigVersion, Practice
from labbridge.practices.versions import By, CannotUndo
from labbridge.practices.versions import add as add_version
from labbridge.trust.audit import Actor, operator, record


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


def locked(name: str) -> User | None:
    """The account of that name, for this transaction: of two practices that take it, the second sees the first."""
    return User.objects.select_for_update(no_key=True).filter(username__iexact=name).first()


def belongs_elsewhere(user: User, managed: Collection[Practice]) -> bool:
    """Whether the account is of a practice that is none of these.

    Whoever manages that one can make it a new password, so what these give the account would be theirs too.
    """
    return user.memberships.exclude(practice__in=managed).exists()


@transaction.atomic
def add(name: str, password: str | None, *, generate: bool = False, actor: Actor | None = None) -> Added:
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
    record("person.add", actor=actor or operator(), subject=f"user:{user.pk}", name=user.get_username())
    return Added(user, password if generate and password else "")


@transaction.atomic
def grant(
    user: User,
    practice: Practice,
    role: Role | None,
    rupa_email: str | None = None,
    *,
    actor: Actor | None = None,
    why: str = "",
    undoes: ConfigVersion | None = None,
) -> Membership:
    """Give or change a role. The first person of a practice is its owner when no role is said.

    Raises:
        PersonProblem: no role is said, or the practice would be left without an owner.

    """
    held = _lock(practice)
    membership = Membership.objects.filter(user=user, practice=held).first()
    before = _text(membership)
    if membership is None:
        if role is None and practice.memberships.exists():
            raise PersonProblem(f"Say which role with --role: {', '.join(Role.values)}.")
        membership = Membership(user=user, practice=practice, role=role or Role.OWNER)
    elif role is not None:
        _keep_an_owner(membership, role)
        membership.role = role
    if rupa_email is not None:
        membership.rupa_email = rupa_email
    membership.save()
    record(
        "role.grant", actor=actor or operator(), practice=practice, subject=f"user:{user.pk}",
        name=user.get_username(), role=str(membership.role), why=why,
    )  # fmt: skip
    _note(held, user, before, _text(membership), By(actor or operator(), why, undoes=undoes))
    return membership


@transaction.atomic
def revoke(
    user: User,
    practice: Practice,
    *,
    actor: Actor | None = None,
    why: str = "",
    undoes: ConfigVersion | None = None,
) -> None:
    """Take a person out of a practice. Raises PersonProblem for its last owner."""
    held = _lock(practice)
    membership = Membership.objects.filter(user=user, practice=held).first()
    if membership is None:
        raise PersonProblem(f"{user.get_username()} does not belong to {practice.slug}.")
    _keep_an_owner(membership, None)
    before = _text(membership)
    membership.delete()
    subject, name = f"user:{user.pk}", user.get_username()
    record("role.revoke", actor=actor or operator(), practice=practice, subject=subject, name=name, why=why)
    _note(held, user, before, "", By(actor or operator(), why, undoes=undoes))


def _lock(practice: Practice) -> Practice:
    """Roles of a practice change one after another: two owners cannot take each other out at once."""
    return Practice.objects.select_for_update().get(pk=practice.pk)


def _keep_an_owner(membership: Membership, role: Role | None) -> None:
    if membership.role != Role.OWNER or role == Role.OWNER:
        return
    owners = Membership.objects.filter(
        practice=membership.practice, role=Role.OWNER, user__is_active=True
    ).exclude(pk=membership.pk)
    if not owners.exists():
        raise PersonProblem(
            f"{membership.user.get_username()} is the last owner of {membership.practice.slug}: nobody could "
            "manage it. Make somebody else its owner first."
        )


# -- history -----------------------------------------------------------------------------------------------------


def _text(membership: Membership | None) -> str:
    if membership is None or membership.pk is None:
        return ""
    held = {"role": str(membership.role), "rupa_email": membership.rupa_email}
    return tomli_w.dumps({"people": {membership.user.get_username(): held}})


def _note(practice: Practice, user: User, before: str, after: str, by: By) -> None:
    if before != after:
        said = [_said(user.get_username(), _held(before), _held(after))]
        add_version(practice, Area.PEOPLE, before, after, said, by)


def _held(text: str) -> dict[str, str]:
    """Role and e-mail at Rupa; nothing for somebody who has no role."""
    found = tomllib.loads(text).get("people", {}) if text else {}
    return next(iter(found.values()), {})


def _name(version: ConfigVersion) -> str:
    return str(next(iter(tomllib.loads(version.after or version.before)["people"])))


def _said(name: str, before: dict[str, str], after: dict[str, str]) -> str:
    if not after:
        return f"{name} no longer belongs to the practice; before, they were {before['role']}."
    if not before:
        return f"{name} is {after['role']}; before, they did not belong to the practice."
    if before["role"] != after["role"]:
        return f"{name} is {after['role']}; before, {before['role']}."
    old, new = (held["rupa_email"] or "themselves" for held in (before, after))
    return f"{name} orders at Rupa as {new}; before, as {old}."


def would_take_back(version: ConfigVersion, managed: Collection[Practice]) -> list[str]:
    """What undoing a change of roles would do, for an owner of the `managed` practices. Raises CannotUndo."""
    name, before, after = _name(version), _held(version.before), _held(version.after)
    user = User.objects.filter(username=name).first()
    if user is None:
        raise CannotUndo(f"There is no {name} any more.")
    now = Membership.objects.filter(user=user, practice=version.practice).select_related("user").first()
    if _held(_text(now)) != after:
        raise CannotUndo(
            "What it changed was changed again since. Undo the later change first, or set it anew."
        )
    if before and not after:
        _check_hands(user, version, managed)
    return [_said(name, after, before)]


def _check_hands(user: User, version: ConfigVersion, managed: Collection[Practice]) -> None:
    """Raises CannotUndo: since this version took the account out, another practice could set its password."""
    name = user.get_username()
    if belongs_elsewhere(user, managed):
        raise CannotUndo(
            f"{name} belongs to another practice too: whoever runs this service gives them a role here "
            "(labbridge user grant)."
        )
    later = ConfigVersion.objects.filter(area=Area.PEOPLE, made_at__gte=version.made_at)
    if any(_name(one) == name for one in later.exclude(practice__in=managed)):
        raise CannotUndo(
            f"{name} belonged to another practice meanwhile, which could set their password. Invite them again: "
            "that makes a new one."
        )


@transaction.atomic
def take_back(
    version: ConfigVersion, *, managed: Collection[Practice], actor: Actor, why: str = ""
) -> ConfigVersion:
    """Undo a change of roles: a change like any other.

    Raises:
        CannotUndo: it was changed again since, or another practice could have the account.
        PersonProblem: the practice would be left without an owner.

    """
    locked(_name(version))  # before the practice, as whoever invites does
    practice = _lock(version.practice)
    would_take_back(version, managed)
    user, before = person(_name(version)), _held(version.before)
    if before:
        grant(
            user, practice, Role(before["role"]), before["rupa_email"], actor=actor, why=why, undoes=version
        )
    else:
        revoke(user, practice, actor=actor, why=why, undoes=version)
    return practice.versions.filter(area=Area.PEOPLE).order_by("-number")[0]


@transaction.atomic
def reset(
    user: User,
    password: str | None,
    *,
    generate: bool = False,
    second_factor: bool = False,
    actor: Actor | None = None,
) -> str:
    """A new password, which ends all sessions of this person. Returns it when it was generated."""
    if generate:
        password = made_password()
    _set_password(user, password)
    user.save(update_fields=["password"])
    if second_factor:
        Authenticator.objects.filter(user=user).delete()
    record(
        "person.reset", actor=actor or operator(), subject=f"user:{user.pk}", name=user.get_username(),
        second_factor=int(second_factor),
    )  # fmt: skip
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
