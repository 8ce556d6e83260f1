"""Erasing a patient here: contents are removed, their keys destroyed, and what is left are ids, states and a record.

What Caspio and Rupa hold is not touched: it is the practice's own. The skeleton of each order stays, so that the
completeness ledger still adds up and nothing is read in again.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone
from psycopg import sql

from labbridge.billing.models import Evidence, Superbill
from labbridge.filing.models import FiledRow
from labbridge.handlers.orders import subject_of
from labbridge.handlers.retention import empty, empty_events, held_back
from labbridge.inbox.models import Event, EventState
from labbridge.mirror.models import (
    CaseState,
    Chart,
    EhrId,
    Order,
    Patient,
    PatientLink,
    Result,
    ResultSource,
    ResultValue,
    ReviewCase,
    StoredFile,
    Take,
)
from labbridge.mirror.pseudonyms import Side
from labbridge.ordering.models import OrderRequest
from labbridge.practices.models import Practice
from labbridge.trust.audit import Actor, pseudonym, record
from labbridge.trust.envelope import VERSION, data_keys
from labbridge.trust.fields import SealedField
from labbridge.trust.models import DataKey

ERASED = "The patient was erased here. What Caspio and Rupa hold was not touched."


class CannotErase(Exception):
    """The sentence says why, and what to do."""


def erase(
    practice: Practice, sides: Sequence[Side], *, why: str, actor: Actor, dry_run: bool = False
) -> Counter[str]:
    """Erase one person: their rows on both sides with everything that hangs on them. Returns what was removed.

    Raises:
        CannotErase: a legal hold stands in the way, or there is nothing to erase.

    """
    charts = sorted(one.pk for one in sides if isinstance(one, Chart))
    patients = sorted(one.pk for one in sides if isinstance(one, Patient))
    names = sorted(pseudonym(one) for one in sides)
    with transaction.atomic():
        erasing = _Erasing(practice, _lock(Chart, charts), _lock(Patient, patients))
        if not erasing.rows:
            raise CannotErase("There is no such patient, or they were erased already.")
        if held_back(practice, names):
            raise CannotErase("A legal hold keeps this patient's data: `labbridge retention holds` shows it.")
        counts = erasing.run()
        removed: dict[str, Any] = {name: number for name, number in counts.items() if number}
        record("retention.erase", actor=actor, practice=practice, patient=names, why=why, **removed)
        if dry_run:
            transaction.set_rollback(True)
    data_keys.forget()
    return counts


def _lock(model: type[Side], keys: list[uuid.UUID]) -> list[Any]:  # any: rows of that model
    rows = model.objects.select_for_update().filter(pk__in=keys, erased_at=None)
    return list(rows.order_by("pk"))


class _Erasing:
    """Rows of patients first, orders after them in the order of their keys: the lock order of the whole service."""

    def __init__(self, practice: Practice, charts: list[Chart], patients: list[Patient]) -> None:
        self.practice, self.charts, self.patients = practice, charts, patients
        self.now = timezone.now()
        self.orders = list(Order.objects.select_for_update().filter(patient__in=patients).order_by("pk"))
        self.counts: Counter[str] = Counter()

    @property
    def rows(self) -> list[Side]:
        return [*self.charts, *self.patients]

    def run(self) -> Counter[str]:
        self._events()
        self._requests()
        self._orders()
        self._cases()
        self._people()
        self._destroy_keys()
        return self.counts

    def _events(self) -> None:
        """All that told of them. A message about several rows at once may hold this one: it is emptied too."""
        subjects = [subject_of(order.external_id) for order in self.orders]
        rows = Q(subject__startswith=f"{self.practice.slug}:rows:")
        for chart in self.charts:
            rows |= Q(subject__startswith=f"{self.practice.slug}:", subject__endswith=f":{chart.pk_id}")
        told = Event.objects.filter(practice=self.practice, emptied_at=None)
        found = list(told.filter(Q(subject__in=subjects) | rows).values_list("pk", flat=True))
        self.counts["events"] = empty_events(found, self.now)
        waiting = Event.objects.filter(pk__in=found).exclude(state=EventState.HANDLED)
        waiting.update(state=EventState.HANDLED, reason=ERASED, settled_at=self.now)

    def _requests(self) -> None:
        requests = OrderRequest.objects.filter(chart__in=self.charts)
        emptied = {"checkout_url": None, "return_token": None, "return_hash": None, "patient_key": ""}
        for one in requests:
            for name, value in emptied.items():
                setattr(one, name, value)
            one.save(update_fields=list(emptied))
            self.counts["order_requests"] += 1

    def _orders(self) -> None:
        tests = {"ordered_test__order__in": self.orders}
        self.counts["orders"] = len(self.orders)
        self.counts["result_values"] = ResultValue.objects.filter(
            result__ordered_test__order__in=self.orders
        ).delete()[0]
        self.counts["files"] = self._files()
        sources = ResultSource.objects.filter(**tests).values_list("pk", flat=True)
        self.counts["sources"] = empty(ResultSource, "files", list(sources))
        evidence = Evidence.objects.filter(order__in=self.orders).exclude(content=None)
        self.counts["billing"] = empty(Evidence, "content", list(evidence.values_list("pk", flat=True)))
        superbills = list(Superbill.objects.filter(order__in=self.orders).values_list("pk", flat=True))
        self.counts["superbills"] = empty(Superbill, "content", superbills)
        empty(Superbill, "pdf", superbills)
        for result in Result.objects.filter(**tests).exclude(named=None):
            result.named = None
            result.save(update_fields=["named"])
        for order in self.orders:
            order.notes_to_patient, order.erased_at = None, self.now
            order.filing_queued = order.pull_queued = order.poll_queued = False
            order.filing_problem = order.pull_problem = ""
            order.save()
        groups = [f"order:{order.pk}" for order in self.orders]
        FiledRow.objects.filter(practice=self.practice, group__in=groups).update(fields={}, intended={})

    def _files(self) -> int:
        """Those that no other patient's result has; the others get the practice's key."""
        results = Result.objects.filter(ordered_test__order__in=self.orders)
        takes = Take.objects.filter(source__ordered_test__order__in=self.orders)
        mine = _files_of(results.values_list("pdf", "hl7")) | _files_of(takes.values_list("pdf", "hl7"))
        elsewhere = Result.objects.exclude(ordered_test__order__in=self.orders)
        others = Take.objects.exclude(source__ordered_test__order__in=self.orders)
        used = Q(pdf__in=mine) | Q(hl7__in=mine)
        shared = mine & (
            _files_of(elsewhere.filter(used).values_list("pdf", "hl7"))
            | _files_of(others.filter(used).values_list("pdf", "hl7"))
        )
        gone = list(mine - shared)
        StoredFile.objects.filter(pk__in=gone).update(emptied_at=self.now)
        return empty(StoredFile, "content", gone)

    def _cases(self) -> None:
        cases = ReviewCase.objects.filter(Q(chart__in=self.charts) | Q(patient__in=self.patients))
        found = list(cases.values_list("pk", flat=True))
        cases.filter(state=CaseState.OPEN).update(
            state=CaseState.DECIDED, decision="erased", decided_at=self.now
        )
        cases.update(why="", candidates=[], rows=[], before={})
        self.counts["cases"] = empty(ReviewCase, "seen", found)

    def _people(self) -> None:
        nobody: dict[str, Any] = {
            "email_index": None,
            "birthday_index": None,
            "name_tags": None,
            "lookup_keys": None,
            "erased_at": self.now,
        }
        for chart in self.charts:
            for name, value in {
                **nobody,
                "content_index": None,
                "rupa_patient_id": "",
                "sync_problem": "",
            }.items():
                setattr(chart, name, value)
            chart.person = {}
            chart.save()
        for patient in self.patients:
            for name, value in {**nobody, "person": None, "clock": {}}.items():
                setattr(patient, name, value)
            patient.save()
        PatientLink.objects.filter(chart__in=self.charts).update(base=None)
        EhrId.objects.filter(Q(chart__in=self.charts) | Q(patient__in=self.patients)).delete()
        keys = [chart.key for chart in self.charts]
        FiledRow.objects.filter(practice=self.practice, table="patients", key__in=keys).update(
            fields={}, intended={}
        )
        self.counts["charts"], self.counts["patients"] = len(self.charts), len(self.patients)

    def _destroy_keys(self) -> None:
        owners = [one.pk for one in self.rows]
        for owner in owners:
            self.counts["kept_for_others"] += _seal_for_others(owner)
        DataKey.objects.filter(pk__in=owners).update(wrapped=None, destroyed_at=self.now)
        missing = set(owners) - set(DataKey.objects.filter(pk__in=owners).values_list("pk", flat=True))
        DataKey.objects.bulk_create(DataKey(pk=owner, destroyed_at=self.now) for owner in missing)


def _files_of(pairs: Iterable[tuple[uuid.UUID | None, uuid.UUID | None]]) -> set[uuid.UUID]:
    return {one for pair in pairs for one in pair if one is not None}


def _seal_for_others(owner: uuid.UUID) -> int:
    """Values under this key that belong to somebody else by now (an order moved, a file shared) get another key."""
    from django.apps import apps

    done = 0
    for model in apps.get_models():
        for field in model._meta.local_concrete_fields:
            if isinstance(field, SealedField):
                query = sql.SQL("SELECT id FROM {table} WHERE substr({column}, 1, 17) = %s").format(
                    table=sql.Identifier(model._meta.db_table), column=sql.Identifier(str(field.column))
                )
                with connection.cursor() as cursor:
                    cursor.execute(query, [VERSION + owner.bytes])
                    keys = [key for (key,) in cursor.fetchall()]
                for row in model._default_manager.filter(pk__in=keys):  # noqa: SLF001  # every model has it
                    getattr(row, field.attname)  # opened now, and sealed anew by saving
                    row.save(update_fields=[field.attname])
                    done += 1
    return done
