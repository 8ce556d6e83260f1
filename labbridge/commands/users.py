"""`user add|list|grant|revoke|reset|code`: people who may sign in, and what they are at which practice."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, ParamSpec

import typer

from labbridge.commands.base import (
    WRONG_USE,
    AsJson,
    DryRun,
    PracticeSlug,
    Stop,
    command,
    print_json,
    the_practice,
)

user_app = typer.Typer(no_args_is_help=True, help="People who may sign in.")

P = ParamSpec("P")
Name = Annotated[str, typer.Argument(help="User name, best an e-mail address.")]
RoleName = Annotated[
    str,
    typer.Option(
        "--role",
        help="owner, administrator, practitioner, front-desk, biller or auditor; owner for the first.",
    ),
]
RupaEmail = Annotated[
    str | None, typer.Option("--rupa-email", help="The practitioner at Rupa to order with, where it differs.")
]
Generate = Annotated[bool, typer.Option("--generate", help="Make a password and print it once.")]


def _plainly(function: Callable[P, None]) -> Callable[P, None]:
    """Turn what people can put right into a sentence."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        from labbridge.accounts.people import PersonProblem

        try:
            function(*args, **kwargs)
        except PersonProblem as problem:
            raise Stop(str(problem), WRONG_USE) from None

    return run


@user_app.command("add")
@command
@_plainly
def add(  # noqa: PLR0917  # a command's options, given by name
    name: Name,
    role: RoleName = "",
    practice: PracticeSlug = "",
    rupa_email: RupaEmail = None,
    generate: Generate = False,
    no_password: Annotated[
        bool, typer.Option("--no-password", help="They sign in through the practice's Caspio directory only.")
    ] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Add a person. Asks for the password, or reads it from standard input."""
    from django.db import transaction

    from labbridge.accounts import people

    chosen = people.role_of(role) if role else None
    at = _practice(practice, needed=bool(role or rupa_email))
    password = None if generate or no_password else _ask()
    with transaction.atomic():
        added = people.add(name, password, generate=generate)
        member = people.grant(added.user, at, chosen, rupa_email) if at else None
        if dry_run:
            transaction.set_rollback(True)
    shown: dict[str, Any] = {"user": name, "dry_run": dry_run}
    if added.password and not dry_run:
        shown["password"] = added.password
    if member:
        shown |= {"practice": member.practice.slug, "role": member.role}
    if as_json:
        print_json(shown)
        return
    print(("Would add " if dry_run else "Added ") + name + (f" as {member}." if member else "."))
    if "password" in shown:
        print(f"Password, shown once: {added.password}")
    if member is None:
        print("They belong to no practice yet: `labbridge user grant` gives them one.")


def _practice(slug: str, *, needed: bool) -> Any:
    """The practice meant; none when nothing was said and there is none yet, or more than one."""
    from labbridge.practices.models import Practice

    if slug or needed or Practice.objects.count() == 1:
        return the_practice(slug)
    return None


@user_app.command("grant")
@command
@_plainly
def grant(
    name: Name,
    role: RoleName = "",
    practice: PracticeSlug = "",
    rupa_email: RupaEmail = None,
    dry_run: DryRun = False,
) -> None:
    """Give a person a role at a practice, or change it."""
    from django.db import transaction

    from labbridge.accounts import people

    chosen = people.role_of(role) if role else None
    with transaction.atomic():
        member = people.grant(people.person(name), the_practice(practice), chosen, rupa_email)
        others = [one.practice.slug for one in member.user.memberships.exclude(pk=member.pk)]
        if dry_run:
            transaction.set_rollback(True)
    print(f"{name} {'would be' if dry_run else 'is'} {member}.")
    if others:
        print(
            f"The account is of {', '.join(others)} too, whose owner may have set its password: make sure that it is "
            f"theirs, or run `labbridge user reset {name} --second-factor`."
        )


@user_app.command("revoke")
@command
@_plainly
def revoke(name: Name, practice: PracticeSlug = "", dry_run: DryRun = False) -> None:
    """Take a person out of a practice; their account stays."""
    from django.db import transaction

    from labbridge.accounts import people

    at = the_practice(practice)
    with transaction.atomic():
        people.revoke(people.person(name), at)
        if dry_run:
            transaction.set_rollback(True)
    print(f"{name} {'would no longer belong' if dry_run else 'no longer belongs'} to {at.slug}.")


@user_app.command("reset")
@command
@_plainly
def reset(
    name: Name,
    generate: Generate = False,
    second_factor: Annotated[
        bool, typer.Option("--second-factor", help="Also forget app, keys and codes: a lost phone.")
    ] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """A new password for a person; ends all of their sessions. Make sure who is asking before you do this."""
    from labbridge.accounts import people

    user = people.person(name)
    if dry_run:
        more = " and forget their second factors" if second_factor else ""
        print(f"Would set a new password for {name}{more}.")
        return
    password = people.reset(
        user, None if generate else _ask(), generate=generate, second_factor=second_factor
    )
    if as_json:
        print_json({"user": name, **({"password": password} if password else {})})
        return
    print(f"{name} has a new password." + (f" Shown once: {password}" if password else ""))
    if second_factor:
        print("They set up a second step again when they next sign in.")


@user_app.command("list")
@command
def list_people(as_json: AsJson = False) -> None:
    """Everybody who may sign in."""
    from labbridge.accounts.people import listed

    everybody = listed()
    if as_json:
        print_json(everybody)
        return
    for one in everybody:
        places = ", ".join(f"{at['role']} of {at['practice']}" for at in one["practices"]) or "no practice"
        proofs = [*(["password"] if one["password"] else []), *one["second_factors"]] or ["directory only"]
        print(f"{one['user']}: {places} ({', '.join(proofs)}){'' if one['active'] else ' [not active]'}")
    if not everybody:
        print("Nobody yet: `labbridge user add NAME`.")


@user_app.command("code")
@command
@_plainly
def code(name: Name) -> None:
    """The second step's code of a demo's person. Answers on this machine's simulators only."""
    from labbridge.accounts.demo import demo_code
    from labbridge.accounts.people import person

    shown = demo_code(person(name))
    if not shown:
        raise Stop(
            "Only a demo's people have codes that can be printed; others have them on their phone.", WRONG_USE
        )
    print(shown)


def _ask() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    first = getpass.getpass("Password: ")
    if first != getpass.getpass("Again: "):
        raise Stop("The two passwords differ.", WRONG_USE)
    return first
