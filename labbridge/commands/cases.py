"""`cases list|show|decide|undo`: questions for a person."""

from __future__ import annotations

import getpass
import uuid
from typing import Annotated, Any

import typer

from labbridge.commands.base import (
    WRONG_USE,
    AsJson,
    DryRun,
    PracticeSlug,
    Stop,
    command,
    print_json,
    print_list,
    the_practice,
)

cases_app = typer.Typer(no_args_is_help=True, help="Review cases: is this the same patient?")

CaseId = Annotated[str, typer.Argument(metavar="ID")]
Why = Annotated[str, typer.Option(help="A note for the record.")]


def row(case: Any) -> dict[str, Any]:
    """One case as `cases list --json` gives it (design.md 6.1)."""
    patient = case.decided_patient or case.patient
    undo = ["undo"] if case.state == "decided" else []
    return {
        "id": str(case.pk),
        "practice": case.practice.slug,
        "state": case.state,
        "decision": case.decision or None,
        "reasons": [reason["words"] for reason in case.reasons],
        "actions": case.actions if case.state == "open" else undo,
        "caspio_key": case.chart.key if case.chart else None,
        "rupa_patient_id": patient.external_id if patient else None,
        "kind": case.kind,
        "candidates": case.candidates,
        "rows": case.rows,
        "fields": case.parts,
        "ways_out": [way["words"] for way in case.ways_out],
        "decided_by": case.decided_by or None,
        "why": case.why or None,
        "undone_by": case.undone_by or None,
        "opened_at": case.opened_at.isoformat(),
    }


@cases_app.command("list")
@command
def list_cases(
    state: Annotated[str, typer.Option(help="open, decided or undone.")] = "",
    practice: Annotated[str, typer.Option("--practice", "-p", help="Slug of a practice.")] = "",
    as_json: AsJson = False,
) -> None:
    """Cases, oldest first."""
    from labbridge.mirror.models import CaseState

    if state and state not in CaseState.values:
        raise Stop(f"There is no state {state!r}. Known: {', '.join(CaseState.values)}.", WRONG_USE)
    cases = _cases()
    if state:
        cases = cases.filter(state=state)
    if practice:
        cases = cases.filter(practice=the_practice(practice))
    rows = [row(case) for case in cases]
    print_list(rows, _line, "No cases.", as_json=as_json)


def _line(one: dict[str, Any]) -> str:
    return (
        f"{one['id']}  {one['state']:<8}  {one['practice']}  {one['caspio_key'] or one['rupa_patient_id']}  "
        f"{' '.join(one['reasons'])}"
    )


def _cases() -> Any:  # any: a queryset; Django is not there yet when this module is imported
    from labbridge.mirror.models import ReviewCase

    return ReviewCase.objects.select_related("practice", "chart", "patient", "decided_patient")


def _find(case_id: str) -> Any:  # any: as above
    try:
        case = _cases().filter(pk=uuid.UUID(case_id)).first()
    except ValueError:
        case = None
    if case is None:
        raise Stop("There is no such case. `labbridge cases list` shows the ids.", WRONG_USE)
    return case


@cases_app.command("show")
@command
def show(case_id: CaseId, as_json: AsJson = False) -> None:
    """One case without patient data; the console shows both sides."""
    from labbridge.handlers.questions import fingerprint
    from labbridge.trust.audit import operator, record

    case = _find(case_id)
    about = tuple(one for one in (case.chart, case.decided_patient or case.patient) if one is not None)
    record("case.read", actor=operator(), practice=case.practice, patient=about, subject=f"case:{case.pk}")
    found = {**row(case), "seen": fingerprint(case)}
    if as_json:
        print_json(found)
        return
    for name, value in found.items():
        print(f"{name:<16} {value if value is not None else '-'}")


@cases_app.command("decide")
@command
def decide(  # noqa: PLR0917  # a command's options, each by its name
    case_id: CaseId,
    action: Annotated[
        str,
        typer.Argument(
            help="link, choose_another, create, not_the_same or ask_patient; of values: use_caspio, use_rupa."
        ),
    ],
    choose: Annotated[
        str,
        typer.Option(
            help="With choose_another: the Rupa patient id, or the row's key where no row is known."
        ),
    ] = "",
    why: Why = "",
    seen: Annotated[
        str, typer.Option(help="What `cases show` said: what has changed since is not decided.")
    ] = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Carry out one of the case's allowed actions."""
    from labbridge.handlers.cases import CannotDecide
    from labbridge.handlers.cases import decide as carry_out
    from labbridge.trust.audit import operator

    case = _find(case_id)
    allowed = row(case)["actions"]
    if action not in allowed or action == "undo":
        raise Stop(f"Allowed here: {', '.join(allowed) or 'nothing'}.", WRONG_USE)
    if not dry_run:
        try:
            carry_out(case, action, by=_me(), why=why, choose=choose, seen=seen or None, actor=operator())
        except CannotDecide as problem:
            raise Stop(str(problem), WRONG_USE) from None
    _show_again(case_id, as_json=as_json)


@cases_app.command("undo")
@command
def undo(  # noqa: PLR0917  # a command's options, each by its name
    case_id: Annotated[str, typer.Argument(metavar="ID")] = "",
    row: Annotated[str, typer.Option(help="Instead of ID: the key of a row that was linked by itself.")] = "",
    practice: PracticeSlug = "",
    why: Why = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Take a decision or a link back: break it, withdraw what was filed, open the question again."""
    from labbridge.handlers.cases import CannotDecide
    from labbridge.handlers.undo import undo as take_back
    from labbridge.handlers.undo import undo_link
    from labbridge.trust.audit import operator

    if bool(case_id) == bool(row):
        raise Stop("Give the id of a case, or --row with the key of a linked row.", WRONG_USE)
    chart = _chart(practice, row) if row else None
    case = _find(case_id) if case_id else None
    if not dry_run:
        try:
            if chart is not None:
                case_id = str(undo_link(chart, by=_me(), why=why, actor=operator()).pk)
            elif case is not None:
                take_back(case, by=_me(), why=why, actor=operator())
        except CannotDecide as problem:
            raise Stop(str(problem), WRONG_USE) from None
    if case_id:
        _show_again(case_id, as_json=as_json)


def _chart(slug: str, key: str) -> Any:  # any: as above
    from labbridge.mirror.models import Chart

    one = the_practice(slug)
    chart = Chart.objects.select_related("practice").filter(practice=one, key=key, present=True).first()
    if chart is None:
        raise Stop(f"The practice {one.slug} has no row {key!r} in its patients table.", WRONG_USE)
    return chart


def _show_again(case_id: str, *, as_json: bool) -> None:
    found = row(_find(case_id))
    if as_json:
        print_json(found)
    else:
        print(f"{found['state']}: {found['decision'] or '-'}")


def _me() -> str:
    return f"{getpass.getuser()} (command line)"
