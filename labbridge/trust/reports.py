"""What a compliance officer asks of the audit: who saw what in a period, and to whom a patient's data went."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import Q, QuerySet
from django.utils import timezone

from labbridge.trust.audit import ACTIONS
from labbridge.trust.models import AuditEntry
from labbridge.trust.paper import Column, report

FIELDS = (
    "number", "at", "action", "what", "actor_kind", "actor", "source", "patients", "subject", "why", "outcome",
    "count", "disclosed_to",
)  # fmt: skip
DISCLOSING = sorted(name for name, action in ACTIONS.items() if action.discloses)


@dataclass(frozen=True)
class Question:
    """Which entries are meant. Times are aware; `end` is not included."""

    start: datetime | None = None
    end: datetime | None = None
    practice: str | None = None
    actor: str = ""  # a user name, an id, or a job's name
    patients: Sequence[str] = ()  # pseudonyms of one patient

    def entries(self) -> QuerySet[AuditEntry]:
        found = AuditEntry.objects.order_by("at", "id")
        if self.start:
            found = found.filter(at__gte=self.start)
        if self.end:
            found = found.filter(at__lt=self.end)
        if self.practice is not None:
            found = found.filter(practice=self.practice)
        if self.actor:
            found = found.filter(Q(actor_name__iexact=self.actor) | Q(actor_id=self.actor))
        if self.patients:
            found = found.filter(patients__overlap=list(self.patients))
        return found

    def touching_patients(self) -> QuerySet[AuditEntry]:
        """Entries that concern a patient, or so many at once that they are not named one by one."""
        return self.entries().filter(~Q(patients=[]) | Q(action__in=_MASS))

    def disclosures(self) -> QuerySet[AuditEntry]:
        """Entries by which the patient's data went to somebody else."""
        return self.entries().filter(action__in=DISCLOSING)


_MASS = sorted(
    {name for name, action in ACTIONS.items() if action.kind in {"read", "search", "export"}}
    - {"audit.export", "audit.report", "ledger.export", "figures.export"}
)


def row(entry: AuditEntry) -> dict[str, str]:
    action = ACTIONS.get(entry.action)
    return {
        "number": "" if entry.seq is None else str(entry.seq),
        "at": entry.at.astimezone(UTC).isoformat(timespec="seconds"),
        "action": entry.action,
        "what": action.words if action else entry.action,
        "actor_kind": entry.actor_kind,
        "actor": entry.actor_name or entry.actor_id,
        "source": entry.source,
        "patients": " ".join(entry.patients),
        "subject": entry.subject,
        "why": entry.why,
        "outcome": entry.outcome,
        "count": "" if entry.count is None else str(entry.count),
        "disclosed_to": str(entry.detail.get("to", action.discloses if action else "")),
    }


def as_csv(entries: Iterable[AuditEntry]) -> str:
    return "".join(csv_lines(entries))


def csv_lines(entries: Iterable[AuditEntry]) -> Iterator[str]:
    """Line by line, for as many entries as there are."""
    text = io.StringIO()
    writer = csv.DictWriter(text, FIELDS)
    writer.writeheader()
    for entry in entries:
        yield text.getvalue()
        text.seek(0)
        text.truncate()
        writer.writerow({name: _inert(value) for name, value in row(entry).items()})
    yield text.getvalue()


def _inert(value: str) -> str:
    """A cell that a spreadsheet would run as a formula is text."""
    return "'" + value if value[:1] in {"=", "+", "-", "@", "\t", "\r"} else value


def summary(entries: Iterable[AuditEntry]) -> dict[str, int]:
    """How many entries, people and patients (as pseudonyms: a linked patient has two)."""
    count, actors, patients = 0, set[str](), set[str]()
    for entry in entries:
        count += 1
        actors.add(f"{entry.actor_kind}:{entry.actor_id}:{entry.actor_name}")
        patients.update(entry.patients)
    return {"entries": count, "actors": len(actors), "pseudonyms": len(patients)}


def breach_pdf(question: Question, entries: Sequence[AuditEntry]) -> bytes:
    counts = summary(entries)
    facts = [
        ("Period", f"{_moment(question.start, 'the beginning')} to {_moment(question.end, 'now')} (UTC)"),
        ("Practice", "all" if question.practice is None else question.practice or "none"),
        ("Actor", question.actor or "all"),
        ("Patient", " ".join(question.patients) or "all"),
        (
            "Found",
            f"{counts['entries']} entries by {counts['actors']} actors on {counts['pseudonyms']} pseudonyms",
        ),
        ("Drawn", _moment(timezone.now(), "")),
    ]
    columns = [
        Column("No.", 12), Column("When (UTC)", 30), Column("Who", 42), Column("From", 26), Column("What", 46),
        Column("Patients (pseudonyms)", 56), Column("Outcome", 16), Column("Count", 12),
    ]  # fmt: skip
    rows = (
        (one["number"], one["at"][:19].replace("T", " "), f"{one['actor']} ({one['actor_kind']})", one["source"],
         one["what"], one["patients"], one["outcome"], one["count"])
        for one in map(row, entries)
    )  # fmt: skip
    notes = [
        "Patients are shown as pseudonyms; `labbridge audit whois` names the patient of one, and is itself recorded.",
        "A linked patient has two pseudonyms, one of the chart in Caspio and one of the patient at Rupa.",
    ]
    return report(
        "Access to patient data", facts, columns, rows, at=timezone.now(), notes=notes, landscape=True
    )


def _moment(when: datetime | None, otherwise: str) -> str:
    return when.astimezone(UTC).isoformat(sep=" ", timespec="minutes")[:16] if when else otherwise
