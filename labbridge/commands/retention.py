"""`retention run|erase|hold|release|holds|log`: what is kept, how long, and what was removed."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from labbridge.commands.base import (
    PROBLEMS,
    WRONG_USE,
    AsJson,
    DryRun,
    PracticeSlug,
    Stop,
    command,
    print_counts,
    print_json,
    print_list,
    the_practice,
)

retention_app = typer.Typer(no_args_is_help=True, help="What is kept, how long, and what was removed.")

Patient = Annotated[
    str, typer.Option("--patient", help="The patient's key in Caspio, a Rupa patient id, or a pseudonym.")
]
Why = Annotated[str, typer.Option("--why", help="The reason, for the record. Names no patient.")]


@retention_app.command("run")
@command
def run(dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Remove what is older than each practice's policy. Done by itself every night while the service runs."""
    from labbridge.handlers.retention import run as apply
    from labbridge.trust.audit import operator

    found = apply(operator(), dry_run=dry_run)
    if as_json:
        print_json(found)
        return
    for one in found:
        counts = ", ".join(
            f"{one[name]} {name}" for name in ("events", "facts", "files", "orders", "audit") if one.get(name)
        )
        said = "held: nothing is removed" if one.get("held") else counts or "nothing"
        print(f"{one['practice'] or 'no practice'}: {'would remove ' if dry_run and counts else ''}{said}")


@retention_app.command("erase")
@command
def erase(
    patient: Patient = "",
    why: Why = "",
    practice: PracticeSlug = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Erase one patient here for good: contents are removed and their keys destroyed. Caspio is not touched."""
    from labbridge.handlers.erasure import CannotErase
    from labbridge.handlers.erasure import erase as carry_out
    from labbridge.mirror.pseudonyms import sides_named
    from labbridge.trust.audit import operator

    if not patient or not why.strip():
        raise Stop("Say whom with --patient and the reason with --why.", WRONG_USE)
    one = the_practice(practice)
    sides = sides_named(patient, one.slug)
    if not sides:
        raise Stop(
            "There is no such patient. Give the key in Caspio, a Rupa patient id or a pseudonym.", WRONG_USE
        )
    try:
        counts = carry_out(one, sides, why=why.strip(), actor=operator(), dry_run=dry_run)
    except CannotErase as problem:
        raise Stop(str(problem), PROBLEMS) from None
    print_counts({**counts, "dry_run": dry_run} if as_json else counts, as_json=as_json)
    if not as_json:
        print(
            "Nothing was changed."
            if dry_run
            else "Erased. Backups from before still hold it: docs/retention.md."
        )


@retention_app.command("hold")
@command
def hold(  # noqa: PLR0917  # options are given by name
    patient: Patient = "",
    whole: Annotated[bool, typer.Option("--whole-practice", help="Keep everything of the practice.")] = False,
    why: Why = "",
    practice: PracticeSlug = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Keep a patient's data, or a whole practice's, whatever the policy says."""
    from labbridge.handlers.retention import set_hold
    from labbridge.mirror.pseudonyms import pseudonyms_of
    from labbridge.trust.audit import operator

    if bool(patient) == whole or not why.strip():
        raise Stop("Say --patient KEY or --whole-practice, and the reason with --why.", WRONG_USE)
    one = the_practice(practice)
    names = list(pseudonyms_of(patient, one.slug)) if patient else []
    if patient and not names:
        raise Stop("There is no such patient.", WRONG_USE)
    held = None if dry_run else set_hold(one, names, why, operator())
    if as_json:
        print_json({"id": held.pk if held else None, "patients": names, "dry_run": dry_run})
    else:
        print(f"Hold {held.pk} is set." if held else "The hold would be set. Nothing was changed.")


@retention_app.command("release")
@command
def release(
    hold_id: Annotated[int, typer.Argument(metavar="ID")],
    why: Why = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Lift a hold. What its policy says is removed at the next run."""
    from labbridge.handlers.retention import lift_hold
    from labbridge.trust.audit import operator
    from labbridge.trust.models import LegalHold

    stands = LegalHold.objects.filter(pk=hold_id, lifted_at=None).exists()
    if not (stands if dry_run else lift_hold(hold_id, why, operator())):
        raise Stop("There is no such hold. `labbridge retention holds` shows them.", WRONG_USE)
    if as_json:
        print_json({"id": hold_id, "dry_run": dry_run})
    else:
        print(
            f"Hold {hold_id} would be lifted. Nothing was changed."
            if dry_run
            else f"Hold {hold_id} is lifted."
        )


@retention_app.command("holds")
@command
def holds(as_json: AsJson = False) -> None:
    """Holds that stand."""
    from labbridge.trust.models import LegalHold

    found = [
        {
            "id": one.pk,
            "practice": one.practice,
            "patients": one.patients,
            "why": one.why,
            "set_by": one.set_by,
            "set_at": one.set_at.isoformat(),
        }
        for one in LegalHold.objects.filter(lifted_at=None)
    ]
    print_list(found, _hold_line, "No hold stands.", as_json=as_json)


def _hold_line(one: dict[str, Any]) -> str:
    return (
        f"{one['id']}  {one['practice']}  {' '.join(one['patients']) or 'the whole practice'}  {one['why']}"
    )


@retention_app.command("log")
@command
def log(as_json: AsJson = False) -> None:
    """What was erased, removed and held, from the audit: ids and counts, no patient data."""
    from labbridge.trust.audit import body_of
    from labbridge.trust.models import AuditEntry

    entries = [body_of(one) for one in AuditEntry.objects.filter(action__startswith="retention.")]
    print_list(entries, _entry_line, "Nothing yet.", as_json=as_json)


def _entry_line(one: dict[str, Any]) -> str:
    counts = ", ".join(f"{number} {name}" for name, number in one["detail"].items())
    who = " ".join(one["patients"]) or one["practice"]
    return f"{one['at'][:19]}  {one['action']}  {who}  {one['actor']['name']}  {one['why']}  {counts}"
