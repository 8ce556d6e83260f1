"""`user add`: people who may sign in."""

from __future__ import annotations

import getpass
import secrets
import sys
from typing import Annotated

import typer

from labbridge.commands.base import WRONG_USE, AsJson, Stop, command, print_json

user_app = typer.Typer(no_args_is_help=True, help="People who may sign in.")


@user_app.command("add")
@command
def add(
    name: Annotated[str, typer.Argument(help="User name, best an e-mail address.")],
    generate: Annotated[bool, typer.Option(help="Make a password and print it once.")] = False,
    as_json: AsJson = False,
) -> None:
    """Add a person. Asks for the password, or reads it from standard input."""
    from django.contrib.auth import get_user_model
    from django.contrib.auth.password_validation import validate_password
    from django.core.exceptions import ValidationError

    users = get_user_model()
    if users.objects.filter(username=name).exists():
        raise Stop(f"There is a user {name!r} already.", WRONG_USE)
    password = secrets.token_urlsafe(15) if generate else _ask()
    user = users(username=name, email=name if "@" in name else "")
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise Stop(" ".join(error.messages), WRONG_USE) from None
    user.set_password(password)
    user.save()
    shown = {"user": name, **({"password": password} if generate else {})}
    if as_json:
        print_json(shown)
    else:
        print(f"Added {name}." + (f" Password, shown once: {password}" if generate else ""))


def _ask() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    first = getpass.getpass("Password: ")
    if first != getpass.getpass("Again: "):
        raise Stop("The two passwords differ.", WRONG_USE)
    return first
