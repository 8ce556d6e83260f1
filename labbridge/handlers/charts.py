"""Rows of Caspio's patients table, read into the mirror: by the whole table, or one by its key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
import structlog
from django.db import IntegrityError, transaction
from django.utils import timezone

from labbridge.filing.patients import is_our_echo
from labbridge.handlers import jobs
from labbridge.handlers.links import is_contradicted, link_chart, link_waiting, unlink
from labbridge.handlers.settle import refile_orders, refile_withheld
from labbridge.mirror.models import Chart, Order, Patient, PatientLink
from labbridge.mirror.person import PARTS, Person, as_text, indexes
from labbridge.peers.caspio import Caspio, Row
from labbridge.peers.caspio import where as q
from labbridge.practices.apply import config_of
from labbridge.practices.config import PatientFields
from labbridge.practices.models import Connection, ConnectionState, Practice
from labbridge.trust.keys import keyring

log = structlog.get_logger()


def read_chart(practice: Practice, caspio: Caspio, pk_id: int) -> None:
    """Read one row again by its key and take it over. A row that is gone loses its link, never its data."""
    fields = config_of(practice).caspio.patients
    row = caspio.table(fields.table).first(select=_select(fields), where=q.field("PK_ID") == pk_id)
    if row is None:
        retire_chart(practice, pk_id)
        return
    take_rows(practice, fields, [row])


def read_charts(practice: Practice, caspio: Caspio) -> int:
    """Read the whole patients table. Returns rows read."""
    return take_charts(practice, chart_pages(practice, caspio))


def chart_pages(practice: Practice, caspio: Caspio) -> Iterator[list[Row]]:
    """The whole patients table by keyset pages, without patient data in any address."""
    fields = config_of(practice).caspio.patients
    return caspio.table(fields.table).iterate(select=_select(fields))


def look_in_caspio(patient: Patient, caspio: Caspio) -> None:
    """Ask Caspio for the row with this Rupa patient id: one call, by a key."""
    fields = config_of(patient.practice).caspio.patients
    if fields.rupa_patient_id:
        where = q.field(fields.rupa_patient_id) == patient.external_id
        take_rows(
            patient.practice, fields, caspio.table(fields.table).all(select=_select(fields), where=where)
        )


def take_charts(practice: Practice, pages: Iterable[list[Row]]) -> int:
    """Merge all rows of the patients table; those that are missing are gone. Returns rows taken."""
    fields = config_of(practice).caspio.patients
    started, seen, changed = timezone.now(), set[int](), list[_Changed]()
    for page in pages:
        changed += _keep_rows(practice, fields, page)
        seen.update(row["PK_ID"] for row in page)
    present = Chart.objects.filter(practice=practice, present=True, read_at__lt=started)
    for pk_id in set(present.values_list("pk_id", flat=True)) - seen:
        if pk_id is not None:
            retire_chart(practice, pk_id)
    Practice.objects.filter(pk=practice.pk).update(charts_read_at=started)
    _follow(practice, changed)
    return len(seen)


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


def take_rows(practice: Practice, fields: PatientFields, rows: list[Row]) -> None:
    """Merge rows of the patients table, then make and end links. Never row by row: the next may be a double."""
    _follow(practice, _keep_rows(practice, fields, rows))


def _keep_rows(practice: Practice, fields: PatientFields, rows: list[Row]) -> list[_Changed]:
    theirs = fields.read_fields()
    keys = {str(row.get(theirs["key"])) for row in rows}
    held = {chart.key: chart for chart in Chart.objects.filter(practice=practice, key__in=keys)}
    same, changed = [], []
    for row in rows:
        key = row.get(theirs["key"])
        if key in (None, ""):
            continue  # a row that nobody can point to yet
        content, chart = _Content(row, theirs), held.get(str(key))
        if chart is not None and content.is_in(chart):
            same.append(chart.pk)
        else:
            changed.append(_kept(practice, str(key), content))
    Chart.objects.filter(pk__in=same).update(read_at=timezone.now())
    return changed


class _Content:
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
        held = chart.content_index is not None and bytes(chart.content_index) == self.index
        return held and chart.present and chart.pk_id == self.pk_id


def _kept(practice: Practice, key: str, content: _Content) -> _Changed:
    try:
        with transaction.atomic():
            return _keep(practice, key, content)
    except IntegrityError:  # another job has kept the same new row meanwhile: now it is found
        with transaction.atomic():
            return _keep(practice, key, content)


def _keep(practice: Practice, key: str, content: _Content) -> _Changed:
    """Its content index is written by `_follow`: until then the row counts as changed, whatever happens."""
    chart = _chart_of(practice, key, content.pk_id)
    former = None if chart.email_index is None else bytes(chart.email_index)
    chart.pk_id, chart.read_at, chart.present = content.pk_id, timezone.now(), True
    chart.person, chart.rupa_patient_id, chart.content_index = content.person, content.rupa_patient_id, None
    chart.lookup_keys = None  # found by other keys from now on
    chart.email_index, chart.birthday_index = indexes(content.person)
    chart.save()
    return _Changed(chart.pk, content.index, former if former != chart.email_index else None)


def _chart_of(practice: Practice, key: str, pk_id: int) -> Chart:
    """The chart of a row: by its key; else by its PK_ID, for then its key was changed in Caspio."""
    charts = Chart.objects.select_for_update().filter(practice=practice)
    chart = charts.filter(key=key).first()
    former = charts.filter(pk_id=pk_id, present=True).exclude(key=key).first()
    if chart is not None:
        if former is not None:  # that row has taken over the key of another one
            _retire(former)
        return chart
    if former is None:
        return Chart(practice=practice, key=key)
    former.key = key
    former.save(update_fields=["key"])
    refile_orders(Order.objects.filter(patient__link__chart=former))
    return former


def _follow(practice: Practice, changed: Iterable[_Changed]) -> None:
    """What changed rows mean for links: those that they contradict end, those that wait for them are made."""
    for one in changed:
        with transaction.atomic():
            chart = Chart.objects.select_for_update().get(pk=one.chart_id)
            _follow_one(chart)
            if one.former_email is not None:  # this row no longer stands in somebody else's way
                link_waiting(practice, one.former_email)
            Chart.objects.filter(pk=chart.pk).update(content_index=one.index)
            queue_sync(chart)


def _follow_one(chart: Chart) -> None:
    link = PatientLink.objects.select_related("patient", "chart").filter(chart=chart).first()
    if link is not None and not is_contradicted(link):
        refile_withheld(link.patient)
        return
    if link is not None:
        unlink(link)
    link_chart(chart)


def queue_sync(chart: Chart) -> None:
    """Have the row brought to Rupa, where the practice wants that and is connected."""
    if config_of(chart.practice).sync.patients != "full":
        return
    connected = Connection.objects.filter(practice=chart.practice, peer="rupa", state=ConnectionState.ACTIVE)
    if connected.exists():
        jobs.sync_chart.defer(lock=f"{chart.practice.slug}:sync:{chart.pk}", chart_id=str(chart.pk))


def content_index(person: Person, rupa_patient_id: str) -> bytes:
    """What a row is compared by with what it was."""
    return keyring().blind(orjson.dumps([person, rupa_patient_id]).decode(), "chart content")


def note_rupa_id(chart: Chart, rupa_patient_id: str) -> None:
    """We have written this id on the row: its next reading is no news."""
    if chart.rupa_patient_id != rupa_patient_id:
        chart.rupa_patient_id = rupa_patient_id
        chart.content_index = content_index(chart.person, rupa_patient_id)
        chart.save(update_fields=["rupa_patient_id", "content_index"])


def is_echo(practice: Practice, row: Row) -> bool:
    """Whether a message tells only what we wrote ourselves, or were about to write: no call is needed."""
    theirs = config_of(practice).caspio.patients.read_fields()
    if any(theirs[part] not in row for part in (*PARTS, "key") if part in theirs):
        return False  # keys only, or a chosen few fields: the row has to be read
    chart = Chart.objects.filter(practice=practice, key=str(row.get(theirs["key"])), present=True).first()
    return chart is not None and _Content(row, theirs).person == chart.person and is_our_echo(chart, row)


def read_chart_by_key(practice: Practice, caspio: Caspio, key: str) -> Chart | None:
    """The chart of a practice's own key, read now if it is not known yet. One call."""
    fields = config_of(practice).caspio.patients
    value: int | str = int(key) if fields.key == "PK_ID" and key.isdigit() else key
    row = caspio.table(fields.table).first(select=_select(fields), where=q.field(fields.key) == value)
    if row is not None:
        take_rows(practice, fields, [row])
    return Chart.objects.filter(practice=practice, key=key, present=True).first()


def retire_chart(practice: Practice, pk_id: int) -> None:
    """Its row is gone from Caspio: nothing more may be filed under it."""
    with transaction.atomic():
        for chart in Chart.objects.select_for_update().filter(practice=practice, pk_id=pk_id, present=True):
            _retire(chart)


def _retire(chart: Chart) -> None:
    chart.present = False
    chart.save(update_fields=["present"])
    PatientLink.objects.filter(chart=chart).delete()
    log.warning("patients.row_gone", practice=chart.practice.slug, pk_id=chart.pk_id)
    link_chart(chart)  # patients who were in doubt between this row and another one
    if chart.email_index is not None:
        link_waiting(chart.practice, bytes(chart.email_index))
