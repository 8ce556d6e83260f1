"""Another field mapping, tried before it counts: the fields of the table, one real record, and all rows in a dry run.

Nothing is written, here or at a peer. What is kept of a dry run are keys of rows and names of parts; the values are
read again when somebody looks at them.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone

from labbridge.engine.jobs import NotYet, task
from labbridge.engine.retry import RetryPolicy
from labbridge.handlers.charts import Content
from labbridge.handlers.judging import identity_of
from labbridge.handlers.policies import Plan, plan
from labbridge.mirror.merge import age_of
from labbridge.mirror.models import Chart, PatientLink
from labbridge.mirror.person import PARTS, Person
from labbridge.peers.caspio import Caspio, Row
from labbridge.peers.caspio import where as q
from labbridge.peers.caspio.types import Field, FieldType
from labbridge.practices.apply import config_of
from labbridge.practices.clients import NotConnected, caspio
from labbridge.practices.config import PatientFields
from labbridge.practices.models import DryRun, Practice
from labbridge.practices.propose import NEEDED, TYPES

KEPT_ROWS = 1000  #: of a dry run: which rows differ
WRITTEN: tuple[str, ...] = PatientFields.model_fields["WRITTEN"].default
OURS = ("key", *PARTS, *WRITTEN)  #: everything that can be mapped
_TEXT = frozenset({FieldType.STRING, FieldType.TEXT})
_NO_KEY = frozenset({FieldType.TEXT, FieldType.YES_NO, FieldType.FILE, FieldType.ATTACHMENT, FieldType.PASSWORD,
                     FieldType.LIST_STRING, FieldType.LIST_NUMBER, FieldType.LIST_DATE_TIME})  # fmt: skip
FITS: dict[str, frozenset[FieldType]] = {
    **TYPES,
    "key": frozenset(FieldType) - _NO_KEY,
    **dict.fromkeys(WRITTEN, _TEXT),
    "synced_at": _TEXT | {FieldType.DATE_TIME},
}
#: A dry run is somebody's question of now: a peer that is away is told after minutes, not after days.
ASKED = RetryPolicy(give_up_after=RetryPolicy.first * 30)


def fields_of(practice: Practice, table: str) -> tuple[list[str], list[Field]]:
    """The names of all tables, and the fields of that one; none when there is no such table. Two calls.

    Raises:
        PeerError: Caspio is away or refuses.
        NotConnected: no account.

    """
    with caspio(practice, "settings") as client:
        tables = sorted(client.tables(), key=str.lower)
        name = next((one for one in tables if one.lower() == table.lower()), None)
        return tables, client.table(name).fields() if name else []


def problems(proposal: Mapping[str, str], fields: Sequence[Field], now: Mapping[str, str]) -> dict[str, str]:
    """What is wrong, by our name: a field that is not there, of a type that cannot hold it, or used twice.

    A type is no fault of a line that counts already: whoever applied it by the file knows why.
    """
    held = {one.name.lower(): one for one in fields}
    found, taken = {}, dict[str, str]()
    for ours in OURS:
        theirs = proposal.get(ours, "")
        if not theirs:
            if ours in NEEDED or ours == "key":
                found[ours] = "is needed: choose a field"
            continue
        twin = taken.setdefault(theirs.lower(), ours)
        changed = now.get(ours) != theirs
        if problem := _problem(ours, theirs, held, changed=changed):
            found[ours] = problem
        if twin != ours and "key" not in {twin, ours}:  # said at the line that was changed
            found[ours if changed else twin] = f"the field {theirs} is chosen twice"
    return found


def _problem(  # noqa: PLR0911  # one return for each thing that can be wrong
    ours: str, theirs: str, held: Mapping[str, Field], *, changed: bool
) -> str:
    if theirs == "PK_ID":
        return "" if ours == "key" else "PK_ID is a row's number, so only the key can be read from it"
    one = held.get(theirs.lower())
    if one is None:
        return f"Caspio has no field {theirs} in this table" if ours not in WRITTEN else (
            f"Caspio has no field {theirs} in this table yet: labbridge provision makes it" if changed else ""
        )  # fmt: skip
    if ours == "key" and one.unique is False:
        return f"{theirs} is not unique in Caspio: two patients could share it. Tick Unique there, or choose another"
    if not changed:
        return ""
    if one.kind not in FITS[ours]:
        fits = (
            ", ".join(sorted(kind.value for kind in FITS[ours]))
            if ours != "key"
            else "a number or short text"
        )
        return f"{theirs} is of the type {one.type}; this needs {fits}"
    if ours in WRITTEN and not one.writable:
        return f"{theirs} cannot be written to (a formula, or made by Caspio)"
    return ""


# -- what a row says by both mappings ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """One of our fields on one record. `fate`: what would become of it, in words."""

    ours: str
    theirs: str
    now: str | None = field(repr=False)
    then: str | None = field(repr=False)
    understood: str | None = field(repr=False)
    rupa: str | None = field(repr=False)
    fate: str = ""
    problem: str = ""

    @property
    def differs(self) -> bool:
        return self.now != self.then


@dataclass(frozen=True)
class Look:
    """One record, read with the mapping that counts and with the proposed one."""

    key: str
    pk_id: int
    chart: Chart | None = field(repr=False)
    linked: bool
    parts: tuple[Part, ...] = field(repr=False)


def _select(*mappings: PatientFields) -> list[str]:
    names = [theirs for one in mappings for theirs in one.read_fields().values()]
    return [name for name in dict.fromkeys(names) if name != "PK_ID"]


@dataclass
class Compared:
    """Reads rows by the proposed mapping and by the one that counts."""

    practice: Practice
    proposed: PatientFields

    def __post_init__(self) -> None:
        self.config = config_of(self.practice)
        self.current = self.config.caspio.patients
        self.same_table = self.current.table.lower() == self.proposed.table.lower()

    def select(self, fields: Sequence[Field] | None = None) -> list[str]:
        """Fields of both, where they are in the same table; only those that the table has, where that is known."""
        wanted = _select(self.proposed, self.current) if self.same_table else _select(self.proposed)
        there = None if fields is None else {one.name.lower() for one in fields}
        return [name for name in wanted if there is None or name.lower() in there]

    def charts(self, rows: Iterable[Row]) -> dict[int, Chart]:
        """The charts of these rows, by PK_ID; in another table, those with the same key."""
        held = Chart.objects.filter(practice=self.practice, present=True).select_related("practice")
        listed = list(rows)
        if self.same_table:
            return {
                one.pk_id: one for one in held.filter(pk_id__in=[row["PK_ID"] for row in listed]) if one.pk_id
            }
        name = self.proposed.read_fields()["key"]
        keys = {str(row.get(name)): row["PK_ID"] for row in listed}
        return {keys[one.key]: one for one in held.filter(key__in=keys)}

    def before(self, row: Row, chart: Chart | None) -> tuple[Person, str, str]:
        """Person, key and Rupa id of a row by what counts now."""
        if self.same_table:
            content, theirs = Content(row, self.current.read_fields()), self.current.read_fields()
            return content.person, str(row.get(theirs["key"]) or ""), content.rupa_patient_id
        return (chart.person, chart.key, chart.rupa_patient_id) if chart else ({}, "", "")

    def after(self, row: Row) -> tuple[Person, str, str]:
        theirs = self.proposed.read_fields()
        content = Content(row, theirs)
        return content.person, str(row.get(theirs["key"]) or ""), content.rupa_patient_id

    def differing(self, row: Row, chart: Chart | None) -> list[str]:
        (old, old_key, old_id), (new, new_key, new_id) = self.before(row, chart), self.after(row)
        parts = [part for part in PARTS if old.get(part) != new.get(part)]
        parts += ["key"] if old_key != new_key else []
        return parts + (["rupa_patient_id"] if old_id != new_id else [])

    def moved(self, chart: Chart, person: Person, made: PatientLink) -> Plan:
        """What the practice's policies would do with a linked chart that says this."""
        return plan(made, self.simulated(chart, person), made.patient, self.config.sync)

    def simulated(self, chart: Chart, person: Person) -> Chart:
        other = copy.copy(chart)
        now = age_of(timezone.now())
        changed = {part: now for part, value in person.items() if chart.person.get(part) != value}
        other.person, other.changed = person, {**chart.changed, **changed}
        return other


def look(practice: Practice, proposed: PatientFields, fields: Sequence[Field], key: str) -> Look | None:
    """One record by its key as it is known now, the first of the table when none is said. One call."""
    compared = Compared(practice, proposed)
    by = compared.current if compared.same_table else proposed
    where = None
    if key:
        value: int | str = int(key) if by.key == "PK_ID" and key.isdecimal() and len(key) < 16 else key
        where = q.field(by.key) == value
    with caspio(practice, "settings") as client:
        row = client.table(proposed.table).first(select=compared.select(fields), where=where)
    if row is None:
        return None
    chart = compared.charts([row]).get(row["PK_ID"])
    return None if chart is not None and chart.erased_at else _look(compared, row, chart)


def _look(compared: Compared, row: Row, chart: Chart | None) -> Look:
    (old, _, old_id), (new, key, new_id) = compared.before(row, chart), compared.after(row)
    made = PatientLink.objects.select_related("patient").filter(chart=chart).first() if chart else None
    seen = compared.simulated(chart or Chart(practice=compared.practice), new)
    identity = identity_of(seen)
    wrong = {one.field: one.sentence for one in identity.problems}
    moves = compared.moved(chart, new, made) if chart and made else Plan()
    theirs, understood = compared.proposed.read_fields(), identity.as_person()
    rupa = (made.patient.person or {}) if made else {}
    parts = [
        Part(part, theirs.get(part, ""), old.get(part), new.get(part), understood.get(part), rupa.get(part),
             _fate(part, moves), wrong.get(part, ""))
        for part in PARTS if part in theirs or old.get(part)
    ]  # fmt: skip
    told, field_name = new_id or None, theirs.get("rupa_patient_id", "")
    known = made.patient.external_id if made else None
    parts.append(Part("rupa_patient_id", field_name, old_id or None, told, told, known))
    return Look(key, row["PK_ID"], chart, made is not None, tuple(parts))


def _fate(part: str, moves: Plan) -> str:
    if part in moves.to_rupa:
        return "goes to Rupa"
    if part in moves.to_caspio:
        return "is replaced by Rupa's"
    if part in moves.to_ask:
        return "a person is asked"
    return "stays as it is at Rupa" if part in moves.stays_at_rupa else ""


# -- all rows ----------------------------------------------------------------------------------------------------


def start(practice: Practice, proposed: PatientFields, base: int, by: str) -> DryRun:
    """Queue a dry run; those before it are forgotten."""
    practice.dry_runs.all().delete()
    run = practice.dry_runs.create(
        base=base, proposal=proposed.model_dump(mode="json"), started_by=by,
        expected=Chart.objects.filter(practice=practice, present=True).count(),
    )  # fmt: skip
    dry_run.defer(lock=f"dry-run:{practice.slug}", run_id=str(run.pk))
    return run


def _waits(reason: str, run_id: str) -> None:
    DryRun.objects.filter(pk=run_id).update(problem=reason[:300])


def _dead(reason: str, run_id: str) -> None:
    DryRun.objects.filter(pk=run_id).update(problem=reason[:300], finished_at=timezone.now())


@task("dry_run", policy=ASKED, on_retry=_waits, on_dead=_dead)
def dry_run(run_id: str) -> None:
    """Read the patients table by a proposed mapping and count what would be different. Writes to no peer."""
    run = DryRun.objects.select_related("practice").filter(pk=run_id, finished_at=None).first()
    if run is None:
        return  # another one was asked for meanwhile
    try:
        with caspio(run.practice, "settings") as client:
            _count(run, client)
    except NotConnected as error:
        raise NotYet(str(error)) from None


def _count(run: DryRun, client: Caspio) -> None:
    compared = Compared(run.practice, PatientFields.model_validate(run.proposal))
    tally, kept, keys, seen = _Tally(), list[list[Any]](), Counter[str](), 0
    for page in client.table(compared.proposed.table).iterate(select=compared.select()):
        charts = compared.charts(page)
        links = {
            one.chart_id: one
            for one in PatientLink.objects.select_related("patient__practice").filter(
                chart__in=charts.values()
            )
        }
        for row in page:
            chart = charts.get(row["PK_ID"])
            if chart is not None and chart.erased_at:
                continue
            keys[compared.after(row)[1]] += 1
            parts = tally.add(compared, row, chart, links.get(chart.pk) if chart else None)
            if parts and len(kept) < KEPT_ROWS:
                kept.append([row["PK_ID"], parts])
        seen += len(page)
        if not DryRun.objects.filter(pk=run.pk).update(read=seen):
            return
    counts = tally.counts | {"rows": seen, "doubled": sum(1 for key, count in keys.items() if key and count > 1),
                             "parts": tally.parts, "moves": tally.moves}  # fmt: skip
    DryRun.objects.filter(pk=run.pk).update(
        read=seen, counts=counts, rows=kept, problem="", finished_at=timezone.now()
    )


class _Tally:
    def __init__(self) -> None:
        self.counts: dict[str, int] = dict.fromkeys(
            ("changed", "new", "without_key", "unusable", "unlinked"), 0
        )
        self.parts: dict[str, dict[str, int]] = {}
        self.moves: dict[str, dict[str, int]] = {}

    def add(self, compared: Compared, row: Row, chart: Chart | None, made: PatientLink | None) -> list[str]:
        """Count one row. Returns the parts that differ."""
        person, key, _ = compared.after(row)
        if not key:
            self.counts["without_key"] += 1
            return []
        if chart is None and not compared.same_table:
            self.counts["new"] += 1
            return []
        parts = compared.differing(row, chart)
        if not parts:
            return []
        self.counts["changed"] += 1
        old = compared.before(row, chart)[0]
        for part in parts:
            self._count(
                self.parts, part, _kind(old.get(part), person.get(part)) if part in PARTS else "changed"
            )
        seen = compared.simulated(chart or Chart(practice=compared.practice), person)
        if any(problem.blocking for problem in identity_of(seen).problems):
            self.counts["unusable"] += 1
        if made is None or chart is None:
            self.counts["unlinked"] += 1
            return parts
        moves = compared.moved(chart, person, made)
        for word, moved in (
            ("to_rupa", moves.to_rupa),
            ("to_caspio", moves.to_caspio),
            ("to_ask", moves.to_ask),
        ):
            for part in moved:
                if part in parts:
                    self._count(self.moves, part, word)
        return parts

    @staticmethod
    def _count(into: dict[str, dict[str, int]], part: str, word: str) -> None:
        held = into.setdefault(part, {})
        held[word] = held.get(word, 0) + 1


def _kind(old: str | None, new: str | None) -> str:
    return "filled" if old is None else "emptied" if new is None else "changed"


def differences(run: DryRun, rows: Sequence[Sequence[Any]]) -> Iterator[Look]:
    """The exact differences of some rows, read again now. One call."""
    compared = Compared(run.practice, PatientFields.model_validate(run.proposal))
    wanted = {pk_id: set(parts) for pk_id, parts in rows}
    if not wanted:
        return
    with caspio(run.practice, "settings") as client:
        found = client.table(compared.proposed.table).all(
            select=compared.select(), where=q.field("PK_ID").is_in(wanted)
        )
    charts = compared.charts(found)
    for row in found:
        chart = charts.get(row["PK_ID"])
        if chart is None or not chart.erased_at:
            yield _look(compared, row, chart)
