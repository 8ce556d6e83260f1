"""Results and their versions: numbered in the order in which the peer showed them, however late we hear of one.

Content decides: the same hash is nothing new, a new hash is a new version. Every function runs inside the
caller's transaction with the order's row locked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from labbridge.mirror.hl7 import ObservedValue, OruReport, Pid
from labbridge.mirror.models import (
    OrderedTest,
    Result,
    ResultSource,
    ResultValue,
    SourceState,
    StoredFile,
)
from labbridge.mirror.person import Person, normal_birthday
from labbridge.practices.models import Practice

SUPERSEDED = "Replaced by a newer version before its file could be fetched."
OTHER_PATIENT = (
    "The lab's own report names a patient with another birthday or name than the order does. Look at the "
    "result in Rupa; it is filed when the patient at Rupa has been corrected and the event is replayed."
)


@dataclass(frozen=True)
class Content:
    """What was taken from one source."""

    pdf: bytes | None = field(default=None, repr=False)
    hl7: str | None = field(default=None, repr=False)
    report: OruReport | None = field(default=None, repr=False)


def keep_content(source: ResultSource, content: Content, person: Person | None) -> bool:
    """File what a source held under its version. Returns whether anything changed."""
    test = source.ordered_test
    pdf = store_file(test.practice, content.pdf, "pdf") if content.pdf is not None else None
    hl7 = store_file(test.practice, content.hl7.encode(), "hl7") if content.hl7 is not None else None
    as_of = source.as_of if source.takes == 0 else source.latest_as_of
    source.state, source.reason, source.takes = SourceState.TAKEN, "", source.takes + 1
    source.save()
    withheld = content.report is not None and names_another(content.report.patient, person)
    result, changed = _version(test, as_of, pdf, hl7, source.received_at)
    if content.report is not None and not result.values.exists():
        ResultValue.objects.bulk_create(_values(result, content.report.values))
        changed = True
    problem = OTHER_PATIENT if withheld else ""
    if (result.withheld, result.problem) != (withheld, problem):
        result.withheld, result.problem = withheld, problem
        result.save(update_fields=["withheld", "problem"])
        changed = True
    return _set_problem(test, problem) or changed


def _version(
    test: OrderedTest,
    as_of: datetime,
    pdf: StoredFile | None,
    hl7: StoredFile | None,
    received_at: datetime | None,
) -> tuple[Result, bool]:
    """The version that holds this content, made or completed as needed."""
    results = sorted(test.results.all(), key=lambda result: (result.as_of, result.version))
    before = [result for result in results if result.as_of <= as_of]
    after = [result for result in results if result.as_of > as_of]
    for neighbour in before[-1:] + after[:1]:
        if _same(neighbour, pdf, hl7):
            return neighbour, _complete(neighbour, as_of, pdf, hl7, received_at)
    result = Result(ordered_test=test, version=0, as_of=as_of, received_at=received_at, pdf=pdf, hl7=hl7)
    _renumber([*before, result, *after])
    return result, True


def _same(result: Result, pdf: StoredFile | None, hl7: StoredFile | None) -> bool:
    """Equal in what both hold; a PDF that comes later than the values completes the same version."""
    pairs = [(result.pdf_id, pdf.pk if pdf else None), (result.hl7_id, hl7.pk if hl7 else None)]
    both = [(held, new) for held, new in pairs if held and new]
    if not both:  # one brought the PDF, the other the values, under the same date of the lab
        return bool(result.pdf_id or result.hl7_id)
    return all(held == new for held, new in both)


def _complete(
    result: Result,
    as_of: datetime,
    pdf: StoredFile | None,
    hl7: StoredFile | None,
    received_at: datetime | None,
) -> bool:
    before = (result.pdf_id, result.hl7_id, result.received_at)
    result.as_of = min(result.as_of, as_of)
    result.pdf = result.pdf or pdf
    result.hl7 = result.hl7 or hl7
    result.received_at = result.received_at or received_at
    result.save()
    return before != (result.pdf_id, result.hl7_id, result.received_at)


def _renumber(results: Sequence[Result]) -> None:
    for number, result in enumerate(results, start=1):
        if result.version != number:
            result.version = number
            result.save()


def mark_gone(source: ResultSource) -> bool:
    """Its address is over. If something newer has replaced it, that version is recorded without a file.

    Returns whether anything changed that Caspio should hold.
    """
    test = source.ordered_test
    source.state, source.reason = SourceState.GONE, SUPERSEDED
    source.save(update_fields=["state", "reason"])
    replaced = test.sources.filter(as_of__gt=source.as_of).exclude(received_at=source.received_at).exists()
    known = source.takes > 0 or test.results.filter(received_at=source.received_at).exists()
    if not replaced or known or source.received_at is None:
        return False
    results = sorted(test.results.all(), key=lambda result: (result.as_of, result.version))
    before = [result for result in results if result.as_of <= source.as_of]
    lost = Result(
        ordered_test=test,
        version=0,
        as_of=source.as_of,
        received_at=source.received_at,
        superseded=True,
        problem=SUPERSEDED,
    )
    _renumber([*before, lost, *results[len(before) :]])
    return True


def refuse(source: ResultSource, reason: str) -> bool:
    """The file cannot be kept: say so on the ordered test."""
    source.state, source.reason = SourceState.REFUSED, reason[:300]
    source.save(update_fields=["state", "reason"])
    return _set_problem(source.ordered_test, reason)


def clear_problem(test: OrderedTest) -> bool:
    return _set_problem(test, "")


def _set_problem(test: OrderedTest, problem: str) -> bool:
    if test.problem == problem[:300]:
        return False
    test.problem = problem[:300]
    test.save(update_fields=["problem"])
    return True


def store_file(practice: Practice, content: bytes, kind: str) -> StoredFile:
    digest = hashlib.sha256(content).hexdigest()
    held = StoredFile.objects.filter(practice=practice, sha256=digest).defer("content").first()
    if held is not None:
        return held
    return StoredFile.objects.create(
        practice=practice, sha256=digest, kind=kind, size=len(content), content=content
    )


def names_another(pid: Pid, person: Person | None) -> bool:
    """Whether the lab's report is about somebody else: another birthday, or no name in common.

    A report that does not say is no conflict; a wrong chart is worse than a question (design.md 2.3).
    """
    if person is None:
        return False
    birthday = normal_birthday(person.get("birthday"))
    if pid.birthday is not None and birthday is not None and pid.birthday.isoformat() != birthday:
        return True
    theirs = _name_words(pid.first, pid.last)
    ours = _name_words(person.get("first_name"), person.get("last_name"))
    return bool(theirs and ours) and not theirs & ours


def _name_words(*names: str | None) -> set[str]:
    text = " ".join(name or "" for name in names).casefold()
    return {
        word for word in "".join(sign if sign.isalnum() else " " for sign in text).split() if len(word) > 1
    }


def _values(result: Result, values: Sequence[ObservedValue]) -> list[ResultValue]:
    rows = []
    for value in values:
        naive = value.observed_at is not None and value.observed_at.tzinfo is None
        rows.append(
            ResultValue(
                result=result,
                number=value.number,
                analyte=value.analyte[:255],
                loinc=(value.loinc or "")[:20],
                reading={
                    "text": value.value_text,
                    "number": None if value.value_number is None else str(value.value_number),
                    "units": value.units,
                    "reference_range": value.reference_range,
                    "flag": value.flag,
                    "status": value.status,
                    "comments": list(value.comments),
                },
                observed_at=None if naive else value.observed_at,
                observed_text=value.observed_at.isoformat()[:19] if naive and value.observed_at else "",
            )
        )
    return rows
