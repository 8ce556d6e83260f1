"""The crosswalk: what other systems call the practice's patients, brought in and taken out as CSV.

It is evidence for matching (judging.py), shown on the patient's page, and asks no peer anything.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, TypeVar

from django.db import transaction

from labbridge.handlers.judging import Finding, judge
from labbridge.handlers.links import link_chart, queue_sync
from labbridge.handlers.questions import open_case
from labbridge.mirror.models import Chart, EhrId, Patient, PatientLink
from labbridge.mirror.pseudonyms import sides_of
from labbridge.practices.models import Practice
from labbridge.trust.audit import Actor, record

COLUMNS = ("caspio_key", "rupa_id", "system", "ehr_id")
MOST_LINES = 200_000
_SYSTEM = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_NAMED_AT_ONCE = 1000
S = TypeVar("S", Chart, Patient)


class CrosswalkProblem(Exception):
    """The file as a whole cannot be read. The text is a sentence and what to do."""


class Refused(Exception):
    """One line cannot be taken; the sentence holds no data."""


@dataclass
class Outcome:
    """`problems` are sentences by line; the other lines were taken."""

    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def lines(file: IO[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Lines by their number in the file. Raises CrosswalkProblem."""
    try:
        reader = csv.DictReader(file, strict=True)
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise CrosswalkProblem(f"The first line must be {','.join(COLUMNS)}; {missing[0]} is missing.")
        for count, row in enumerate(reader, start=1):
            if count > MOST_LINES:
                raise CrosswalkProblem(f"The file has more than {MOST_LINES:,} lines. Bring it in in parts.")
            yield reader.line_num, {name: (row[name] or "").strip() for name in COLUMNS}
    except csv.Error:
        raise CrosswalkProblem(f"Line {reader.line_num} is no CSV: look at its quotes.") from None
    except UnicodeDecodeError:
        raise CrosswalkProblem("The file is not UTF-8. Save it as “CSV UTF-8”.") from None


def bring_in(
    practice: Practice, rows: Iterable[tuple[int, dict[str, str]]], *, actor: Actor, dry_run: bool = False
) -> Outcome:
    """Take every line that can be taken, and have matching look at whom they name."""
    outcome, concerned = Outcome(), list[EhrId]()
    with transaction.atomic():
        Practice.objects.select_for_update().get(pk=practice.pk)  # one file at a time
        for number, row in rows:
            try:
                with transaction.atomic():
                    word, entry = _take(practice, row, actor)
            except Refused as problem:
                outcome.problems.append(f"Line {number}: {problem}")
                continue
            outcome.counts[word] += 1
            if word != "unchanged":
                concerned.append(entry)
        _record(practice, concerned, actor)
        outcome.counts.update(_match(entry.chart for entry in concerned if entry.chart and entry.patient))
        if dry_run:
            transaction.set_rollback(True)
    outcome.counts["refused"] = len(outcome.problems)
    return outcome


def _take(practice: Practice, row: dict[str, str], actor: Actor) -> tuple[str, EhrId]:
    chart, patient = _chart(practice, row["caspio_key"]), _patient(practice, row["rupa_id"])
    if chart is None and patient is None:
        raise Refused(
            "It names neither a key in Caspio nor a patient at Rupa. Fill in caspio_key or rupa_id."
        )
    system = row["system"].lower()
    if not _SYSTEM.fullmatch(system):
        raise Refused("The system must be a short name such as healthie: small letters, digits and hyphens.")
    if not _is_id(row["ehr_id"]):
        raise Refused("The ehr_id is empty, too long, or holds signs that no id has.")
    entry, created = EhrId.objects.select_for_update(of=("self",)).select_related("chart", "patient").get_or_create(
        practice=practice, system=system, external_id=row["ehr_id"],
        defaults={"chart": chart, "patient": patient, "brought_by": actor.name[:150]},
    )  # fmt: skip
    before = (entry.chart_id, entry.patient_id)
    entry.chart = _same(entry.chart, chart, "patient in Caspio")
    entry.patient = _same(entry.patient, patient, "patient at Rupa")
    _agrees_with_links(entry)
    if created:
        return "added", entry
    if before == (entry.chart_id, entry.patient_id):
        return "unchanged", entry
    entry.save(update_fields=["chart", "patient"])
    return "completed", entry


def _chart(practice: Practice, key: str) -> Chart | None:
    if not key:
        return None
    found = (
        Chart.objects.filter(practice=practice, key=key, erased_at=None).first() if len(key) <= 255 else None
    )
    if found is None:
        raise Refused(
            "No patient in Caspio has this caspio_key. Correct it, or run `labbridge sync patients`."
        )
    return found


def _patient(practice: Practice, external_id: str) -> Patient | None:
    if not external_id:
        return None
    found = Patient.objects.filter(practice=practice, external_id=external_id[:64], erased_at=None).first()
    if found is None or found.external_id != external_id:
        raise Refused("No patient at Rupa has this rupa_id. Correct it, or run `labbridge sync patients`.")
    return found


def _is_id(text: str) -> bool:
    """Also nothing that a spreadsheet would take for a formula when the crosswalk is taken out again."""
    return 0 < len(text) <= 255 and text.isprintable() and text[0] not in "=+-@"


def _same(held: S | None, given: S | None, what: str) -> S | None:
    if held is not None and given is not None and held.pk != given.pk:
        raise Refused(
            f"This id is another {what}'s already. Correct it, or take it away first: `labbridge crosswalk remove`."
        )
    return held or given


def _agrees_with_links(entry: EhrId) -> None:
    if entry.chart is None or entry.patient is None:
        return
    links = PatientLink.objects.filter(chart=entry.chart) | PatientLink.objects.filter(patient=entry.patient)
    if any((one.chart_id, one.patient_id) != (entry.chart_id, entry.patient_id) for one in links):
        raise Refused(
            "One of the two is matched with somebody else already. If that match is wrong, undo it first "
            "(`labbridge cases undo`)."
        )


def _record(practice: Practice, entries: list[EhrId], actor: Actor) -> None:
    for start in range(0, len(entries), _NAMED_AT_ONCE):
        some = entries[start : start + _NAMED_AT_ONCE]
        people = {side for entry in some for side in (entry.chart, entry.patient) if side is not None}
        record("crosswalk.import", actor=actor, practice=practice, patient=people, count=len(some))


def _match(charts: Iterable[Chart]) -> Counter[str]:
    """Link whom the crosswalk joins, where nothing speaks against it; else a person is asked."""
    done: Counter[str] = Counter()
    for chart in dict.fromkeys(charts):
        if PatientLink.objects.filter(chart=chart).exists():
            continue
        verdict = judge(chart)
        if verdict.finding is Finding.LINK and link_chart(chart) is not None:
            done["linked"] += 1
            queue_sync(chart)
        elif verdict.finding is Finding.REVIEW and verdict.decision is not None:
            open_case(chart, verdict.decision)
            queue_sync(chart)
            done["in_review"] += 1
    return done


def take_out(practice: Practice, *, actor: Actor) -> list[dict[str, str]]:
    """The whole crosswalk, in the columns that it is brought in with."""
    found = list(EhrId.objects.filter(practice=practice).select_related("chart", "patient"))
    for start in range(0, max(len(found), 1), _NAMED_AT_ONCE):
        some = found[start : start + _NAMED_AT_ONCE]
        people = {side for entry in some for side in (entry.chart, entry.patient) if side is not None}
        record("crosswalk.export", actor=actor, practice=practice, patient=people, count=len(some))
    return [
        {
            "caspio_key": entry.chart.key if entry.chart else "",
            "rupa_id": entry.patient.external_id if entry.patient else "",
            "system": entry.system,
            "ehr_id": entry.external_id,
        }
        for entry in found
    ]


def remove(practice: Practice, system: str, external_id: str, *, actor: Actor) -> bool:
    """Take one id away; a match that it led to stays until somebody undoes it. Returns whether it was there."""
    with transaction.atomic():
        entry = EhrId.objects.filter(practice=practice, system=system, external_id=external_id).first()
        if entry is None:
            return False
        people = {*sides_of(entry.chart), *sides_of(entry.patient)}
        record("crosswalk.remove", actor=actor, practice=practice, patient=people)
        entry.delete()
    return True
