"""`audit verify|export|breach-report|disclosures|whois|key`: what was done with patient data, and proof of it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labbridge.commands.base import (
    PROBLEMS,
    WRONG_USE,
    AsJson,
    Stop,
    command,
    print_json,
    print_list,
    the_practice,
)

if TYPE_CHECKING:  # Django is not there yet when this module is imported
    from labbridge.trust.reports import Question

audit_app = typer.Typer(no_args_is_help=True, help="Who did what with patient data, and proof of it.")

AtPractice = Annotated[
    str, typer.Option("--practice", "-p", help="Slug of a practice; everything when left out.")
]
From = Annotated[str, typer.Option("--from", help="First day, YYYY-MM-DD (UTC).")]
To = Annotated[str, typer.Option("--to", help="Last day, YYYY-MM-DD (UTC).")]
ByActor = Annotated[str, typer.Option("--actor", help="A user name, a user's id, or a job's name.")]
OnPatient = Annotated[
    str, typer.Option("--patient", help="The patient's key in Caspio, a Rupa patient id, or a pseudonym.")
]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="File to write; standard output when left out.")
]


@audit_app.command("verify")
@command
def verify(
    practice: AtPractice = "",
    anchor: Annotated[
        Path | None, typer.Option(help="Anchor file; LABBRIDGE_ANCHOR_PATH when left out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check that no entry was altered, removed or moved, and none cut off at the end."""
    from labbridge.trust import sealing
    from labbridge.trust.audit import operator, record

    if anchor is not None and not anchor.exists():
        raise Stop(f"There is no anchor file at {anchor}.", WRONG_USE)
    late = sealing.late()
    report = sealing.verify(_slug(practice), anchor)
    outcome = "failed" if report.problems else "done"
    record(
        "audit.verify", actor=operator(), practice=practice, outcome=outcome, count=sum(report.rows.values())
    )
    if as_json:
        problems = [{"chain": one.chain, "seq": one.seq, "sentence": one.sentence} for one in report.problems]
        print_json({"whole": not problems, "rows": report.rows, "problems": problems, "late": late})
    else:
        for problem in report.problems:
            print(problem)
        for name, rows in sorted(report.rows.items()):
            print(f"{name}: {rows} rows, the last is {report.newest[name]}")
        if late:
            print(f"{late} entries had waited for their place in the chain: is a worker running?")
        print(
            "NOT WHOLE: keep the database as it is and tell the compliance officer."
            if report.problems
            else "whole"
        )
    if report.problems:
        raise typer.Exit(PROBLEMS)


@audit_app.command("export")
@command
def export(  # noqa: PLR0917  # a command's options, given by name
    form: Annotated[
        str, typer.Option("--format", help="fhir (a resource a line), bundle (one FHIR Bundle) or chain.")
    ] = "fhir",
    practice: AtPractice = "",
    start: From = "",
    end: To = "",
    out: Out = None,
    with_verifier: Annotated[
        Path | None, typer.Option(help="Also write the offline verifier to this file.")
    ] = None,
) -> None:
    """Write the audit as FHIR R4 AuditEvents, or as the chain that the offline verifier checks."""
    from labbridge.trust import sealing
    from labbridge.trust.audit import operator, record

    if form not in {"fhir", "bundle", "chain"}:
        raise Stop("Known formats: fhir, bundle, chain.", WRONG_USE)
    if form == "chain" and (start or end):
        raise Stop("A chain is exported whole: leave --from and --to out.", WRONG_USE)
    question = _question(practice, start, end)
    record("audit.export", actor=operator(), practice=practice, format=form)
    sealing.seal()
    with_verifier and with_verifier.write_bytes(_verifier())
    _write(sealing.export_lines(question.practice) if form == "chain" else _fhir(question, form), out)


def _verifier() -> bytes:
    from labbridge.trust import verifier

    return Path(verifier.__file__).read_bytes()


def _fhir(question: Question, form: str) -> Any:  # any: an iterator of bytes
    import orjson

    from labbridge.trust.fhir import audit_event, bundle

    events = (audit_event(entry) for entry in question.entries().iterator(chunk_size=2000))
    if form == "bundle":
        yield orjson.dumps(bundle(list(events)), option=orjson.OPT_INDENT_2) + b"\n"
    else:
        for event in events:
            yield orjson.dumps(event) + b"\n"


def _write(lines: Any, out: Path | None) -> None:  # any: an iterable of bytes
    if out is None:
        sys.stdout.flush()
        sys.stdout.buffer.writelines(lines)
        return
    with out.open("wb") as file:
        out.chmod(0o600)
        file.writelines(lines)


@audit_app.command("breach-report")
@command
def breach_report(  # noqa: PLR0917  # a command's options, given by name
    start: From = "",
    end: To = "",
    actor: ByActor = "",
    patient: OnPatient = "",
    practice: AtPractice = "",
    pdf: Annotated[Path | None, typer.Option(help="Write a PDF to this file.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write a CSV to this file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Who reached patient data in a period: what a breach is assessed by. Patients appear as pseudonyms."""
    from labbridge.trust import reports, sealing
    from labbridge.trust.audit import operator, record

    if not start:
        raise Stop("Say the first day with --from YYYY-MM-DD.", WRONG_USE)
    question = _question(practice, start, end, actor, patient)
    record("audit.report", actor=operator(), practice=practice, patient=question.patients, kind="breach")
    sealing.seal()
    entries = list(question.touching_patients())
    if pdf:
        pdf.write_bytes(reports.breach_pdf(question, entries))
    if csv:
        csv.write_text(reports.as_csv(entries), encoding="utf-8", newline="")
    counts = reports.summary(entries)
    if as_json:
        print_json({**counts, "rows": [reports.row(entry) for entry in entries]})
    elif not pdf and not csv:
        print(reports.as_csv(entries), end="")
    else:
        print(f"{counts['entries']} entries, {counts['actors']} actors, {counts['pseudonyms']} pseudonyms")


@audit_app.command("disclosures")
@command
def disclosures(
    patient: OnPatient = "",
    practice: AtPractice = "",
    start: From = "",
    end: To = "",
    as_json: AsJson = False,
) -> None:
    """To whom a patient's data went, when and for what purpose: the accounting that a patient may ask for."""
    from labbridge.trust import reports, sealing
    from labbridge.trust.audit import operator, record

    if not patient:
        raise Stop("Say which patient with --patient KEY.", WRONG_USE)
    question = _question(practice, start, end, "", patient)
    record("audit.report", actor=operator(), practice=practice, patient=question.patients, kind="disclosures")
    sealing.seal()
    rows = [reports.row(entry) for entry in question.disclosures()]
    print_list(rows, _disclosure_line, "No disclosure is recorded.", as_json=as_json)


def _disclosure_line(one: dict[str, Any]) -> str:
    more = f" ({one['why']})" if one["why"] else ""
    return f"{one['at']}  {one['disclosed_to']}  {one['what']}  {one['subject']}{more}"


@audit_app.command("whois")
@command
def whois(
    pseudonym: Annotated[str, typer.Argument(metavar="PSEUDONYM")],
    practice: AtPractice = "",
    as_json: AsJson = False,
) -> None:
    """Which patient a pseudonym stands for, by their keys at the peers. Recorded like opening the patient."""
    from labbridge.mirror.pseudonyms import named
    from labbridge.trust.audit import operator, record

    found = named(pseudonym, _slug(practice))
    if found is None:
        raise Stop("No patient here has this pseudonym. Perhaps the patient was erased.")
    record("patient.read", actor=operator(), practice=found.practice, patient=found, why="audit whois")
    keys = {
        "practice": found.practice.slug,
        "caspio_key": getattr(found, "key", None),
        "rupa_patient_id": getattr(found, "external_id", None) or getattr(found, "rupa_patient_id", None),
    }
    if as_json:
        print_json(keys)
        return
    for name, value in keys.items():
        print(f"{name:<16} {value or '-'}")


@audit_app.command("key")
@command
def key(as_json: AsJson = False) -> None:
    """The public keys that sign the chains: note them down where an intruder cannot change them."""
    from labbridge.trust.signing import public_keys

    keys = public_keys().in_hex()
    if as_json:
        print_json(keys)
        return
    for one in keys:
        print(one)


# -- what was asked ----------------------------------------------------------------------------------------------


def _slug(practice: str) -> str | None:
    return the_practice(practice).slug if practice else None


def _question(practice: str, start: str, end: str, actor: str = "", patient: str = "") -> Question:
    from labbridge.mirror.pseudonyms import pseudonyms_of
    from labbridge.trust.reports import Question

    slug = _slug(practice)
    first, behind = _day(start), _day(end, after=True)
    if first and behind and behind <= first:
        raise Stop("The first day (--from) lies after the last (--to).", WRONG_USE)
    pseudonyms = pseudonyms_of(patient, slug) if patient else ()
    if patient and not pseudonyms:
        raise Stop(
            "There is no such patient. Give the key in Caspio, a Rupa patient id or a pseudonym.", WRONG_USE
        )
    return Question(first, behind, slug, actor, pseudonyms)


def _day(text: str, *, after: bool = False) -> datetime | None:
    if not text:
        return None
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise Stop("Days are written YYYY-MM-DD.", WRONG_USE) from None
    return day + timedelta(days=1) if after else day
