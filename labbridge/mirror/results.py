"""Results and their versions: numbered in the order in which the peer showed them, however late we hear of one.

Content decides: the same hash is nothing new, a new hash is a new version. What is kept are the sources and what
was taken from them; the versions are worked out anew from all of it (versions.py). Every function runs inside the
caller's transaction with the order's row locked, and returns whether anything changed that Caspio should hold.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils import timezone

from labbridge.mirror.hl7 import ObservedValue, Pid, read_oru
from labbridge.mirror.models import (
    Chart,
    Order,
    OrderedTest,
    Result,
    ResultSource,
    ResultValue,
    SourceState,
    StoredFile,
    Take,
    Urgency,
)
from labbridge.mirror.person import Person, birthdays_differ, names_differ
from labbridge.mirror.pseudonyms import sides_of
from labbridge.mirror.versions import Sight, Version, versions_of
from labbridge.practices.models import Practice
from labbridge.trust.audit import job, record

CRITICAL = frozenset({"HH", "LL", "AA"})  # HL7 table 0078
WITHDRAWN = frozenset("DW")  # HL7 table 0085: deleted by the lab, or withdrawn

SUPERSEDED = "Replaced by a newer version before its file could be fetched."
OUT_OF_DATE = "Its address is over; it is taken when the order shows a fresh one."
OTHER_PATIENT = (
    "The lab's own report names a patient with another birthday or name than the order or the chart does. Look at "
    "the result in Rupa, correct the patient there or in Caspio, and replay the event; the result is then filed."
)


@dataclass(frozen=True)
class Content:
    """What was taken from one source. `note` says what of it could not be used."""

    pdf: bytes | None = field(default=None, repr=False)
    hl7: str | None = field(default=None, repr=False)
    note: str = ""


# -- what became of a source ---------------------------------------------------------------------------------


def keep_content(source: ResultSource, content: Content) -> bool:
    """Keep what a source held and work out the versions. `source` is as it was when the fetching began."""
    test = source.ordered_test
    practice, owner = test.practice, test.order.sealed_for
    pdf = store_file(practice, content.pdf, "pdf", owner) if content.pdf is not None else None
    hl7 = store_file(practice, content.hl7.encode(), "hl7", owner) if content.hl7 is not None else None
    if pdf or hl7:
        record(
            "result.fetch", actor=job("pull_order"), practice=test.practice, patient=sides_of(test.order),
            subject=f"ordered_test:{test.pk}", why="treatment", count=bool(pdf) + bool(hl7),
        )  # fmt: skip
    before = source.takes.last()
    if before is None or (before.pdf_id, before.hl7_id) != (pdf and pdf.pk, hl7 and hl7.pk):
        Take.objects.create(source=source, as_of=source.latest_as_of, pdf=pdf, hl7=hl7)
    _finish(source, SourceState.TAKEN, content.note)
    changed = refold(test)
    return refresh_problem(test) or changed


def mark_gone(source: ResultSource) -> bool:
    """Its address is over. Once something newer is held, that version is recorded without a file."""
    if not _finish(source, SourceState.GONE, OUT_OF_DATE):
        return False
    changed = refold(source.ordered_test)
    return refresh_problem(source.ordered_test) or changed


def refuse(source: ResultSource, reason: str) -> bool:
    """The file cannot be kept: say so on the ordered test."""
    return _finish(source, SourceState.REFUSED, reason) and refresh_problem(source.ordered_test)


def _finish(source: ResultSource, state: SourceState, reason: str) -> bool:
    """Settle a source, unless it was shown anew while it was being fetched: then it is fetched once more."""
    source.state, source.reason = state, reason[:300]
    untouched = ResultSource.objects.filter(pk=source.pk, latest_as_of=source.latest_as_of)
    return untouched.update(state=source.state, reason=source.reason) == 1


def refresh_problem(test: OrderedTest) -> bool:
    """Why the newest result of a test is not in the chart, if it is not."""
    newest = test.sources.order_by("-latest_as_of", "-as_of", "-id").first()
    problem = ""
    if newest is not None and (newest.state == SourceState.REFUSED or _lacks_its_pdf(newest)):
        problem = newest.reason
    elif test.results.filter(withheld=True).exists():
        problem = OTHER_PATIENT[:300]
    test.problem = problem
    return bool(OrderedTest.objects.filter(pk=test.pk).exclude(problem=problem).update(problem=problem))


def _lacks_its_pdf(source: ResultSource) -> bool:
    """Its values are kept and its PDF was refused. A PDF without values is no problem: the result is in the chart."""
    if source.state != SourceState.TAKEN or not source.reason:
        return False
    take = source.takes.last()
    return take is not None and take.pdf_id is None


# -- versions ------------------------------------------------------------------------------------------------


def refold(test: OrderedTest) -> bool:
    """Make a test's results what its sources and takes say."""
    sights, files = _seen(test)
    results = list(test.results.select_related("pdf", "hl7").defer("pdf__content", "hl7__content"))
    versions = versions_of(sights)
    changed = False
    for number, version in enumerate(versions, start=1):
        result = results[number - 1] if number <= len(results) else Result(ordered_test=test, version=number)
        changed |= _write(result, version, files)
    for surplus in results[len(versions) :]:
        surplus.delete()
        changed = True
    return changed


def _seen(test: OrderedTest) -> tuple[list[Sight], dict[str, StoredFile]]:
    """Every sight of this test's result, and the files by their hashes.

    A source's content held from when it was first shown until it was shown last; a later take that found another
    content dates that one by the snapshot which led to it.
    """
    sights: list[Sight] = []
    files: dict[str, StoredFile] = {}
    for source in test.sources.all():
        takes = list(source.takes.select_related("pdf", "hl7").defer("pdf__content", "hl7__content"))
        for number, take in enumerate(takes):
            files |= {file.sha256: file for file in (take.pdf, take.hl7) if file is not None}
            hashes = (take.pdf.sha256 if take.pdf else "", take.hl7.sha256 if take.hl7 else "")
            moments = [source.as_of if number == 0 else take.as_of]
            if number == len(takes) - 1:
                moments.append(source.latest_as_of)
            sights += [Sight(moment, source.received_at, *hashes) for moment in moments]
        if not takes and source.state == SourceState.GONE:
            sights.append(Sight(source.as_of, source.received_at))
    return sights, files


def _write(result: Result, version: Version, files: dict[str, StoredFile]) -> bool:
    hl7_before = result.hl7_id
    pdf, hl7 = files.get(version.pdf), files.get(version.hl7)
    held = (result.pdf_id, hl7_before, result.received_at, result.superseded)
    changed = held != (pdf and pdf.pk, hl7 and hl7.pk, version.received_at, version.lost)
    if not changed and result.as_of == version.as_of:
        return False
    result.pdf, result.hl7, result.as_of = pdf, hl7, version.as_of
    result.received_at, result.superseded = version.received_at, version.lost
    if held[:2] != (pdf and pdf.pk, hl7 and hl7.pk):
        _review_anew(result)
    if changed:
        result.problem = SUPERSEDED if version.lost else OTHER_PATIENT[:300] if result.withheld else ""
    result.save()
    if result.hl7_id != hl7_before:
        _read_values(result)
    return changed


def _review_anew(result: Result) -> None:
    """Other contents than somebody has seen. Caspio is told, also when only the values are others."""
    if result.reviewed_at is not None:
        result.reviewed_at, result.reviewed_by = None, ""
        result.review_changed_at, result.review_unfiled = timezone.now(), True


def urgency_of(readings: Iterable[dict[str, object]]) -> Urgency:
    """By the worst flag among the readings; a value that the lab took back counts for nothing."""
    flags = [one.get("flag") for one in readings if one.get("status") not in WITHDRAWN]
    if not flags:
        return Urgency.UNREAD
    if any(flag in CRITICAL for flag in flags):
        return Urgency.CRITICAL
    return Urgency.ABNORMAL if any(flag and flag != "N" for flag in flags) else Urgency.IN_RANGE


def _read_values(result: Result) -> None:
    result.values.all().delete()
    result.named, result.chart, result.urgency = None, None, Urgency.UNREAD
    if result.hl7_id is not None:
        stored = StoredFile.objects.get(pk=result.hl7_id)
        report = read_oru(bytes(stored.content).decode())  # it was readable when it was taken
        values = _values(result, report.values)
        result.urgency = urgency_of(value.reading for value in values)
        ResultValue.objects.bulk_create(values)
        result.named = _named(report.patient)
    result.save(update_fields=["named", "chart", "urgency"])


# -- whose results they are ----------------------------------------------------------------------------------


def check_names(order: Order, people: Sequence[Person | None], chart: Chart | None = None) -> bool:
    """Withhold results whose own report names somebody else than these records of one person do.

    What was found to belong into `chart` stays there when somebody's particulars are edited later; it is looked at
    again when another chart is meant.
    """
    changed = False
    for result in Result.objects.filter(ordered_test__order=order).select_related("ordered_test"):
        if result.chart_id is not None and (chart is None or result.chart_id == chart.pk):
            continue
        withheld = any(names_another(result.named, person) for person in people)
        held = (result.withheld, result.chart_id)
        result.withheld, result.chart = withheld, None if withheld else chart
        if held != (withheld, result.chart_id):
            result.problem = OTHER_PATIENT[:300] if withheld else SUPERSEDED if result.superseded else ""
            result.save(update_fields=["withheld", "problem", "chart"])
            refresh_problem(result.ordered_test)
            changed |= held[0] != withheld
    return changed


def names_another(named: Person | None, person: Person | None) -> bool:
    """Whether the lab's report is about somebody else: another birthday, or no name in common.

    A report that does not say is no conflict; a wrong chart is worse than a question (design.md 2.3).
    """
    if not named or not person:
        return False
    return birthdays_differ(named, person) or names_differ(named, person)


def _named(pid: Pid) -> Person:
    return {
        "first_name": pid.first,
        "last_name": pid.last,
        "birthday": pid.birthday.isoformat() if pid.birthday else None,
    }


# -- files and values ----------------------------------------------------------------------------------------


def store_file(practice: Practice, content: bytes, kind: str, owner: uuid.UUID | None = None) -> StoredFile:
    """Keep a content once, also when two orders bring it at the same moment."""
    digest = hashlib.sha256(content).hexdigest()
    held = StoredFile.objects.filter(practice=practice, sha256=digest).defer("content").first()
    if held is not None:
        return held
    made = StoredFile(practice=practice, sha256=digest, kind=kind, size=len(content), content=content)
    made.owner = owner
    try:
        with transaction.atomic():
            made.save(force_insert=True)
    except IntegrityError:
        return StoredFile.objects.defer("content").get(practice=practice, sha256=digest)
    return made


def _values(result: Result, values: Iterable[ObservedValue]) -> list[ResultValue]:
    return [
        ResultValue(
            result=result,
            number=value.number,
            analyte=(value.analyte or value.panel)[:255],
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
            observed_at=value.observed_at if _has_zone(value.observed_at) else None,
            observed_text="" if _has_zone(value.observed_at) else _wall_clock(value.observed_at),
        )
        for value in values
    ]


def _has_zone(moment: datetime | None) -> bool:
    return moment is not None and moment.tzinfo is not None


def _wall_clock(moment: datetime | None) -> str:
    return "" if moment is None else moment.isoformat()[:19]
