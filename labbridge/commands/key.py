"""`key add|list|revoke`: keys of the machine API (docs/api.md)."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from labbridge.commands.base import (
    WRONG_USE,
    AsJson,
    DryRun,
    PracticeSlug,
    Secret,
    Stop,
    command,
    print_json,
    print_list,
    print_made,
    the_practice,
)

key_app = typer.Typer(no_args_is_help=True, help="Keys of the machine API.")

Name = Annotated[str, typer.Argument(help="The program that uses the key: the audit calls it by this name.")]


@key_app.command("add")
@command
def add(  # noqa: PLR0917  # a command's options, given by name
    name: Name,
    scope: Annotated[
        list[str], typer.Option(help="What it may do, such as orders:read; once for each (docs/api.md).")
    ],
    phi: Annotated[str, typer.Option(help="phi: it may see patient data; none: it never does.")] = "none",
    baa: Annotated[
        str, typer.Option(help="With --phi phi: the company whose BAA is on file (`labbridge baa list`).")
    ] = "",
    in_house: Annotated[
        bool, typer.Option("--in-house", help="With --phi phi: only the practice's own staff use it.")
    ] = False,
    days: Annotated[int, typer.Option(help="How long it lives.")] = 365,
    per_minute: Annotated[int, typer.Option(help="How many calls a minute it may make.")] = 120,
    practice: PracticeSlug = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Make a key for one program and one practice. It is printed once and cannot be shown again."""
    from django.db import transaction

    from labbridge.handover import agreements, keys
    from labbridge.trust.audit import operator

    place = the_practice(practice)
    with transaction.atomic():
        try:
            made = keys.make(
                place,
                name,
                scope,
                actor=operator(),
                phi_class=phi,
                agreement=agreements.in_force(place, baa) if baa else None,
                in_house=in_house,
                days=days,
                per_minute=per_minute,
            )
        except (keys.KeyProblem, agreements.AgreementProblem) as problem:
            raise Stop(str(problem), WRONG_USE) from None
        if dry_run:
            transaction.set_rollback(True)
    shown = row(made.key)
    said = f"{'Would make' if dry_run else 'Made'} {line(shown)}"
    print_made(shown, said, Secret("key", "Key", made.secret), dry_run=dry_run, as_json=as_json)


@key_app.command("list")
@command
def list_keys(practice: PracticeSlug = "", as_json: AsJson = False) -> None:
    """Keys with their scopes, expiry and last use; never the keys themselves."""
    from labbridge.handover.models import ApiKey

    keys = ApiKey.objects.select_related("practice", "agreement")
    found = [row(key) for key in (keys.filter(practice=the_practice(practice)) if practice else keys)]
    print_list(found, line, "No keys: `labbridge key add NAME --scope SCOPE` makes one.", as_json=as_json)


@key_app.command("revoke")
@command
def revoke(name: Name, practice: PracticeSlug = "", dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """End a key at once, for good."""
    from django.db import transaction

    from labbridge.handover import keys
    from labbridge.trust.audit import operator

    with transaction.atomic():
        try:
            ended = keys.revoke(the_practice(practice), name, actor=operator())
        except keys.KeyProblem as problem:
            raise Stop(str(problem), WRONG_USE) from None
        if dry_run:
            transaction.set_rollback(True)
    if as_json:
        print_json({**row(ended), "dry_run": dry_run})
        return
    print(f"{'Would revoke' if dry_run else 'Revoked'} {name} of {ended.practice.slug}.")


def row(key: Any) -> dict[str, Any]:
    from django.utils import timezone

    now = timezone.now()
    state = "revoked" if key.revoked_at else "expired" if key.expires_at <= now else "usable"
    if state == "usable" and key.held:
        state = "held: its BAA is over"
    return {
        "id": str(key.pk),
        "name": key.name,
        "practice": key.practice.slug,
        "state": state,
        "begins": key.hint,
        "scopes": list(key.scopes),
        "phi": key.phi_class,
        "baa": key.agreement.party if key.agreement else None,
        "in_house": key.in_house,
        "per_minute": key.per_minute,
        "expires_at": key.expires_at.isoformat(),
        "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None,
        "last_used_at": key.last_used_at.isoformat() if key.last_used_at else None,
        "created_by": key.created_by,
    }


def line(one: dict[str, Any]) -> str:
    used = f"last used {one['last_used_at'][:16]}" if one["last_used_at"] else "never used"
    return (
        f"{one['name']} of {one['practice']} ({one['state']}, until {one['expires_at'][:10]}, {used}, "
        f"patient data: {one['phi']}): {' '.join(one['scopes'])}"
    )
