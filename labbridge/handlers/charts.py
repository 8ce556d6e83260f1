"""Rows of Caspio's patients table, read into the mirror: by the whole table, or one by its key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from labbridge.database.deadlocks import outliving_deadlocks
from labbridge.engine.locks import exclusive
from labbridge.filing.patients import forget_row, is_our_echo
from labbridge.handlers.judging import index_all
from labbridge.handlers.links import (
    contradiction,
    leave_without_outcome,
    link_chart,
    link_of,
    link_patient,
    link_waiting,
    queue_sync,
    queue_sync_of_each,
    queue_syncs,
    unlink,
)
from labbridge.handlers.questions import close_cases
from labbridge.handlers.settle import refile_orders, refile_withheld
from labbridge.mirror.merge import age_of
from labbridge.mirror.models import Chart, Order, Patient
from labbridge.mirror.names import index
from labbridge.mirror.person import PARTS, as_text, content_index
from labbridge.peers.caspio import Caspio, Row
from labbridge.peers.caspio import where as q
from labbridge.practices.apply import config_of
from labbridge.practices.clients import caspio as caspio_of
from labbridge.practices.config import PatientFields
from labbridge.practices.models import Practice

log = structlog.get_logger()

TOGETHER = 100  #: rows of an import that are followed in one transaction


@dataclass(frozen=True)
class Page:
    """Rows of the patients table as Caspio gave them.

    They may be taken over long after: what is known of a row from a later question, or from our own write, stays.
    """

    asked: datetime  #: just before Caspio was asked: they are at least as new as that
    rows: list[Row] = field(repr=False)


def read_chart(practice: Practice, caspio: Caspio, pk_id: int) -> None:
    """Read one row again by its key and take it over. A row that is gone loses its link, never its data."""
    fields, asked = config_of(practice).caspio.patients, timezone.now()
    row = caspio.table(fields.table).first(select=_select(fields), where=q.field("PK_ID") == pk_id)
    if row is None:
        retire_chart(practice, pk_id, asked=asked)
        return
    _take_found(practice, caspio, Page(asked, [row]))


def read_table(practice: Practice) -> None:
    """Have the whole table read, once, where that was not done yet: before the first time, or after it moved."""
    with exclusive(f"charts:{practice.pk}"):
        practice.refresh_from_db(fields=["charts_read_at"])
        if practice.charts_read_at is None:
            with caspio_of(practice, "patients") as client:
                read_charts(practice, client, queue=False)
            practice.refresh_from_db(fields=["charts_read_at"])


def read_charts(practice: Practice, caspio: Caspio, *, queue: bool = True) -> int:
    """Read the whole patients table. Returns rows read. Without `queue`, nothing new goes to Rupa for it."""
    return take_charts(practice, chart_pages(practice, caspio), queue=queue)


def chart_pages(practice: Practice, caspio: Caspio) -> Iterator[Page]:
    """The whole patients table by keyset pages, without patient data in any address."""
    fields, asked = config_of(practice).caspio.patients, timezone.now()
    for rows in caspio.table(fields.table).iterate(select=_select(fields)):
        yield Page(asked, rows)
        asked = timezone.now()  # the next one is asked for when the caller is done with this one


def look_in_caspio(patient: Patient, caspio: Caspio) -> None:
    """Ask Caspio for the row with this Rupa patient id: one call, by a key."""
    fields = config_of(patient.practice).caspio.patients
    if fields.rupa_patient_id:
        where, asked = q.field(fields.rupa_patient_id) == patient.external_id, timezone.now()
        found = caspio.table(fields.table).all(select=_select(fields), where=where)
        _take_found(patient.practice, caspio, Page(asked, found))


def take_charts(
    practice: Practice,
    pages: Iterable[Page],
    *,
    began: datetime | None = None,
    queue: bool = True,
    brake: bool = True,
) -> int:
    """Merge all rows of the patients table; those that are missing are gone. Returns rows taken.

    `began`: when their reading began, where that was before this call; charts read since then are not missing.
    Without `queue`, nothing new goes to Rupa for it. With `brake`, nobody is taken as gone while so many are missing
    that it looks like an import that has emptied the table: that is for a sweep to say, and for a person to decide.
    """
    fields, started = config_of(practice).caspio.patients, began or timezone.now()
    key, seen, count = fields.read_fields()["key"], set[str](), 0
    changed, put_off = list[_Changed](), list[Page]()
    for page in pages:
        changed += _keep_rows(practice, fields, page, put_off)
        seen.update(str(row.get(key)) for row in page.rows)
        count += len(page.rows)
    for page in put_off:
        changed += _keep_rows(practice, fields, page)
    present = Chart.objects.filter(practice=practice, present=True, read_at__lt=started)
    gone = [pk for pk, held in present.values_list("pk", "key") if held not in seen]
    if brake and config_of(practice).sync.is_too_much(len(gone), len(gone) + count):
        log.warning("patients.too_many_gone", practice=practice.slug, count=len(gone))
        gone = []
    for pk in gone:
        _retire_all(Chart.objects.filter(pk=pk), started)
    _where_it_was(practice).update(charts_read_at=started)
    _follow(practice, changed, queue=queue)
    return count


@dataclass(frozen=True)
class ChartsCompared:
    """How the patients table differs from the charts that are held."""

    held: int
    new: int
    changed: int
    gone: int


def compare_charts(practice: Practice, pages: Iterable[Page]) -> ChartsCompared:
    """Compare all rows of the patients table with what is held, by their content. Changes nothing."""
    theirs = config_of(practice).caspio.patients.read_fields()
    held = {
        chart.key: chart for chart in Chart.objects.filter(practice=practice, present=True).defer("person")
    }
    new, changed, seen = 0, 0, set[str]()
    for row in (row for page in pages for row in page.rows):
        key = row.get(theirs["key"])
        if key in (None, ""):
            continue
        seen.add(str(key))
        chart = held.get(str(key))
        new += chart is None
        changed += chart is not None and Content(row, theirs).is_news_to(chart)
    return ChartsCompared(len(held), new, changed, len(held.keys() - seen))


def _select(fields: PatientFields) -> list[str]:
    theirs = fields.read_fields()
    wanted = [*PARTS, "key", "rupa_patient_id"]
    return [theirs[ours] for ours in wanted if ours in theirs and theirs[ours] != "PK_ID"]


# -- rows ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Changed:
    """A chart whose row is new or another: what it means for links is still to be found out."""

    chart_id: UUID
    index: bytes  # of what its row says now
    former_email: bytes | None


def take_rows(practice: Practice, fields: PatientFields, page: Page) -> None:
    """Merge rows of the patients table, then make and end links. Never row by row: the next may be a double.

    A row that was read before anybody told of it, as the first reading of the table does, has no outcome yet: now it
    gets one, though nothing in it has changed.
    """
    changed = _keep_rows(practice, fields, page)
    _follow(practice, changed)
    keys = {str(row.get(fields.read_fields()["key"])) for row in page.rows}
    silent = Chart.objects.filter(practice=practice, key__in=keys, present=True, sync_status="")
    queue_syncs(practice, silent.exclude(pk__in=[one.chart_id for one in changed]))


def _take_found(practice: Practice, caspio: Caspio, page: Page) -> None:
    """Rows that were asked for alone. One may have the number of a chart with another key.

    Either that chart's key was changed or given away in Caspio, or the rows of a restored table have new numbers:
    then the chart's own row is there, and is looked for by its key, which is one call.
    """
    fields = config_of(practice).caspio.patients
    theirs, numbers = fields.read_fields()["key"], [row["PK_ID"] for row in page.rows]
    others = Chart.objects.filter(practice=practice, present=True, pk_id__in=numbers).exclude(
        key__in=[str(row.get(theirs)) for row in page.rows]
    )
    gone = []
    for key in [] if theirs == "PK_ID" else list(others.values_list("key", flat=True)):
        found = _row_by_key(practice, caspio, key)
        if found.rows:
            take_rows(practice, fields, found)
        else:
            gone.append(key)
    take_rows(practice, fields, page)
    _retire_all(Chart.objects.filter(practice=practice, key__in=gone, pk_id=None), page.asked)


def _where_it_was(practice: Practice) -> QuerySet[Practice]:
    """The practice, unless its patients table has moved since its settings were read: what was read is of another."""
    read = practice.config["caspio"]
    return Practice.objects.filter(
        pk=practice.pk,
        config__caspio__url=read["url"],
        config__caspio__patients__table=read["patients"]["table"],
    )


def _keep_rows(
    practice: Practice, fields: PatientFields, page: Page, put_off: list[Page] | None = None
) -> list[_Changed]:
    """Merge rows.

    `put_off` takes those with a new key and a number that some chart has: whether its key was changed, or its own row
    has another number by now, is known when the whole table was read.
    """
    theirs = fields.read_fields()
    keys = {str(row.get(theirs["key"])) for row in page.rows}
    held = {chart.key: chart for chart in Chart.objects.filter(practice=practice, key__in=keys)}
    same, others = list[UUID](), list[tuple[str, Content]]()
    for row in page.rows:
        key = row.get(theirs["key"])
        if key in (None, ""):
            continue  # a row that nobody can point to yet
        content, chart = Content(row, theirs), held.get(str(key))
        if chart is not None and (chart.erased_at or content.is_in(chart)):
            same.append(chart.pk)
        else:
            others.append((str(key), content))
    Chart.objects.filter(pk__in=same, read_at__lt=page.asked).update(read_at=page.asked)
    new = [content.pk_id for key, content in others if key not in held]
    if put_off is not None and new:
        numbered = Chart.objects.filter(practice=practice, present=True, pk_id__in=new)
        later = set(numbered.values_list("pk_id", flat=True))
        if later:
            put_off.append(Page(page.asked, [row for row in page.rows if row["PK_ID"] in later]))
            others = [(key, content) for key, content in others if content.pk_id not in later]
    if others and not _where_it_was(practice).exists():
        return []
    changed = [
        outliving_deadlocks(partial(_kept, practice, key, content, page.asked)) for key, content in others
    ]
    return [one for one in changed if one is not None]


class Content:
    """What a row says, in our words."""

    def __init__(self, row: Row, theirs: dict[str, str]) -> None:
        self.pk_id = int(row["PK_ID"])
        self.person = {part: as_text(row.get(theirs[part])) for part in PARTS if part in theirs}
        if self.person.get("birthday"):
            self.person["birthday"] = str(self.person["birthday"])[:10]
        written: Any = row.get(theirs.get("rupa_patient_id", "")) or ""  # any: whatever the field is made of
        self.rupa_patient_id = str(written).strip()[:64]
        self.index = content_index(self.person, self.rupa_patient_id)

    def is_in(self, chart: Chart) -> bool:
        return self._is_said_by(chart) and chart.pk_id == self.pk_id

    def is_news_to(self, chart: Chart) -> bool:
        """Whether the chart would become another. A number that is not known since the table moved is none."""
        return not self._is_said_by(chart) or chart.pk_id not in {None, self.pk_id}

    def _is_said_by(self, chart: Chart) -> bool:
        held = chart.content_index is not None and bytes(chart.content_index) == self.index
        return held and chart.present


def _kept(practice: Practice, key: str, content: Content, asked: datetime) -> _Changed | None:
    try:
        with transaction.atomic():
            return _keep(practice, key, content, asked)
    except IntegrityError:  # another job has kept the same new row meanwhile: now it is found
        with transaction.atomic():
            return _keep(practice, key, content, asked)


def _keep(practice: Practice, key: str, content: Content, asked: datetime) -> _Changed | None:
    """Its content index is written by `_follow`: until then the row counts as changed, whatever happens.

    None where a newer word about the row is held than one that was asked for at `asked`.
    """
    chart = _chart_of(practice, key, content.pk_id, asked)
    if chart is None:
        return None
    if chart.erased_at:  # its key was changed in Caspio since
        return _Changed(chart.pk, b"", None)
    former = None if chart.email_index is None else bytes(chart.email_index)
    new, other_row = chart._state.adding, not chart.present or chart.pk_id != content.pk_id  # noqa: SLF001
    if other_row:
        forget_row(chart)  # another row under the same key: it holds nothing of what we wrote
    now = timezone.now()
    for part, value in content.person.items():
        if chart.person.get(part) != value:
            chart.changed[part] = age_of(now)
    chart.pk_id, chart.read_at, chart.present = content.pk_id, asked, True
    chart.person, chart.rupa_patient_id, chart.content_index = content.person, content.rupa_patient_id, None
    index(chart, content.person)
    chart.save()
    if not new:
        _end_contradicted(chart, other_row=other_row)
    return _Changed(chart.pk, content.index, former if former != chart.email_index else None)


def _end_contradicted(chart: Chart, *, other_row: bool) -> None:
    """With the row, not after it: while the link stood, results of one patient would go to another's chart."""
    made = link_of(chart)
    why = "" if made is None else contradiction(made, other_row=other_row)
    if made is not None and why:
        unlink(made, why=why)


def _chart_of(practice: Practice, key: str, pk_id: int, asked: datetime) -> Chart | None:
    """The chart of a row: by its key; else by its PK_ID, for then its key was changed in Caspio.

    None where either was read or written after `asked`.
    """
    charts = Chart.objects.select_for_update(no_key=True).filter(practice=practice)
    chart = charts.filter(key=key).first()
    former = charts.filter(pk_id=pk_id, present=True).exclude(key=key).first()
    if any(one is not None and one.read_at > asked for one in (chart, former)):
        return None
    if chart is not None:
        if former is not None:  # it gave its key away, or its own row has another number and will tell
            former.pk_id = None
            former.save(update_fields=["pk_id"])
        return chart
    if former is None:
        return Chart(practice=practice, key=key)
    former.key = key
    former.save(update_fields=["key"])
    refile_orders(Order.objects.filter(patient__link__chart=former))
    return former


def _follow(practice: Practice, changed: Sequence[_Changed], *, queue: bool = True) -> None:
    """What changed rows mean for links: those that they contradict end, those that wait for them are made."""
    if not changed:
        return
    outliving_deadlocks(partial(index_all, practice))  # of an import, not in the transaction of its first row
    waits = Patient.objects.filter(practice=practice, link__isnull=True).exists()
    for first in range(0, len(changed), TOGETHER):
        some = changed[first : first + TOGETHER]
        done = set() if waits else outliving_deadlocks(partial(_follow_new, practice, some, queue=queue))
        for one in some:
            if one.chart_id not in done:
                outliving_deadlocks(partial(_follow_changed, practice, one, queue=queue))


@transaction.atomic
def _follow_new(practice: Practice, some: Sequence[_Changed], *, queue: bool) -> set[UUID]:
    """Rows that name nobody, while nobody at Rupa waits for a row: nothing is to be judged, their jobs do the rest.

    Returns whose they are. An import of many thousands is made of them.
    """
    index_of = {one.chart_id: one.index for one in some if one.former_email is None}
    charts = Chart.objects.select_for_update(no_key=True, of=("self",)).filter(
        pk__in=list(index_of), link__isnull=True, rupa_patient_id="", erased_at=None
    )
    found = list(charts.order_by("pk"))
    for chart in found:
        chart.practice, chart.content_index = practice, index_of[chart.pk]
    Chart.objects.bulk_update(found, ["content_index"])
    if queue:
        queue_sync_of_each(practice, found)
    else:
        leave_without_outcome([chart.pk for chart in found])
    return {chart.pk for chart in found}


def _follow_changed(practice: Practice, one: _Changed, *, queue: bool) -> None:
    with transaction.atomic():
        chart = Chart.objects.select_for_update(no_key=True).get(pk=one.chart_id)
        if chart.erased_at:
            return
        chart.practice = practice  # no query for each
        _follow_one(chart)
        if one.former_email is not None:  # this row no longer stands in somebody else's way
            link_waiting(practice, one.former_email)
        Chart.objects.filter(pk=chart.pk).update(content_index=one.index)
        if queue or link_of(chart) is not None:
            queue_sync(chart)
        else:
            leave_without_outcome([chart.pk])


def _follow_one(chart: Chart) -> None:
    made = link_of(chart)
    if made is None:
        link_chart(chart)
    else:
        refile_withheld(made.patient)


def is_echo(practice: Practice, row: Row) -> bool:
    """Whether a message tells only what we wrote ourselves, or were about to write: no call is needed."""
    theirs = config_of(practice).caspio.patients.read_fields()
    if any(theirs[part] not in row for part in (*PARTS, "key") if part in theirs):
        return False  # keys only, or a chosen few fields: the row has to be read
    chart = Chart.objects.filter(practice=practice, key=str(row.get(theirs["key"])), present=True).first()
    if chart is None or chart.content_index is None or str(chart.pk_id) != str(row.get("PK_ID")):
        return False  # not read to the end yet, or another row
    content = Content(row, theirs)
    return is_our_echo(chart, row, content.person, content.rupa_patient_id)


def read_chart_by_key(practice: Practice, caspio: Caspio, key: str) -> Chart | None:
    """The chart of a practice's own key, read now if it is not known yet. One call, as a rule."""
    page = _row_by_key(practice, caspio, key)
    if page.rows:
        _take_found(practice, caspio, page)
    return Chart.objects.filter(practice=practice, key=key, present=True).first()


def _row_by_key(practice: Practice, caspio: Caspio, key: str) -> Page:
    """The row with this key, if there is one."""
    fields, asked = config_of(practice).caspio.patients, timezone.now()
    value: int | str = int(key) if fields.key == "PK_ID" and key.isdigit() else key
    row = caspio.table(fields.table).first(select=_select(fields), where=q.field(fields.key) == value)
    return Page(asked, [] if row is None else [row])


def retire_chart(practice: Practice, pk_id: int, *, asked: datetime) -> None:
    """Its row is gone from Caspio, deleted or merged into another: nothing more may be filed under it.

    `asked`: when Caspio was asked for it. A row that was read since is there.
    """
    _retire_all(Chart.objects.filter(practice=practice, pk_id=pk_id), asked)


def _retire_all(charts: QuerySet[Chart], asked: datetime) -> None:
    with transaction.atomic():
        for chart in charts.select_for_update(no_key=True).filter(present=True, read_at__lte=asked):
            _retire(chart, asked)


def _retire(chart: Chart, asked: datetime) -> None:
    """Unlink, here only: at Rupa nothing is deleted. The orders leave this chart, and go to whoever is left."""
    chart.present, chart.sync_status, chart.sync_message = False, "", ""
    chart.read_at = asked  # an older page that still has the row does not bring it back
    chart.save(update_fields=["present", "sync_status", "sync_message", "read_at"])
    made = link_of(chart)
    close_cases(chart, "row_gone")
    if made is not None:
        unlink(made)
        link_patient(made.patient)
    log.warning("patients.row_gone", practice=chart.practice.slug, pk_id=chart.pk_id)
    if chart.rupa_patient_id:  # patients who were in doubt between this row and another one
        for patient in Patient.objects.filter(practice=chart.practice, external_id=chart.rupa_patient_id):
            link_patient(patient)
    if chart.email_index is not None:
        link_waiting(chart.practice, bytes(chart.email_index))
