"""Retention: what is older than a practice's policy is removed, once a day, unless a legal hold keeps it.

Contents are removed, not rows: ids, states and hashes stay, so that the completeness ledger adds up and an event or a
file that comes once more is recognised. What Caspio holds is never touched.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, models, transaction
from django.db.models import F, Q
from django.utils import timezone
from psycopg import sql

from labbridge.handlers.orders import subject_of
from labbridge.inbox.models import Event, EventState
from labbridge.mirror.models import (
    Chart,
    Order,
    Patient,
    Phase,
    Result,
    ResultSource,
    ResultValue,
    StoredFile,
    Take,
)
from labbridge.outbox.forget import forget, forgettable
from labbridge.practices.apply import config_of
from labbridge.practices.config import RetentionPart
from labbridge.practices.models import DryRun, Practice
from labbridge.trust.audit import Actor, pseudonym, record
from labbridge.trust.models import AuditEntry, AuditHead, LegalHold
from labbridge.trust.sealing import seal

AT_ONCE = 500
DEFAULTS = RetentionPart()

Counts = dict[str, Any]  # any: JSON


def run(actor: Actor, *, dry_run: bool = False, now: datetime | None = None) -> list[Counts]:
    """Apply every practice's policy. Returns what was (or would be) removed, practice by practice.

    What concerns no practice (sign-ins, keys) is kept for six years.
    """
    moment = now or timezone.now()
    if not dry_run:
        DryRun.objects.filter(started_at__lt=moment - DryRun.KEPT).delete()
    found = [_run_practice(practice, actor, moment, dry_run=dry_run) for practice in Practice.objects.all()]
    orphaned = _trim_audit("", DEFAULTS.audit_years, actor, moment, dry_run=dry_run)
    return [*found, {"practice": "", "audit": orphaned}] if orphaned else found


def would_remove(practice: Practice, policy: RetentionPart, now: datetime | None = None) -> Counts:
    """What the next run would remove by another policy."""
    nobody = Actor("nobody")  # nothing is recorded, since nothing is done
    return _run_practice(practice, nobody, now or timezone.now(), dry_run=True, policy=policy)


def _run_practice(
    practice: Practice, actor: Actor, now: datetime, *, dry_run: bool, policy: RetentionPart | None = None
) -> Counts:
    policy = policy or config_of(practice).retention
    if held_back(practice, ()):
        return {
            "practice": practice.slug,
            "held": True,
            "events": 0,
            "facts": 0,
            "files": 0,
            "orders": 0,
            "audit": 0,
        }
    keep = _kept_orders(practice)
    counts: Counts = {
        "practice": practice.slug,
        "held": False,
        "events": _old_events(practice, keep, _before(policy.events_days, now), now, dry_run=dry_run),
        "facts": _old_facts(practice, _before(policy.events_days, now), now, dry_run=dry_run),
        "files": _old_files(practice, keep, _before(policy.files_days, now), now, dry_run=dry_run),
        "orders": _old_orders(practice, keep, _before(policy.mirror_days, now), now, dry_run=dry_run),
    }
    removed = {name: counts[name] for name in ("events", "facts", "files", "orders") if counts[name]}
    if removed and not dry_run:
        record("retention.run", actor=actor, practice=practice, why="policy", **removed)
    counts["audit"] = _trim_audit(practice.slug, policy.audit_years, actor, now, dry_run=dry_run)
    return counts


def _before(days: int, now: datetime) -> datetime | None:
    return now - timedelta(days=days) if days else None


# -- holds -------------------------------------------------------------------------------------------------------


def held_back(practice: Practice, pseudonyms: Sequence[str]) -> bool:
    """Whether a legal hold keeps the whole practice, or one of these."""
    holds = LegalHold.objects.filter(practice=practice.slug, lifted_at=None)
    return holds.filter(Q(patients=[]) | Q(patients__overlap=list(pseudonyms))).exists()


def set_hold(practice: Practice, pseudonyms: Sequence[str], why: str, actor: Actor) -> LegalHold:
    """Keep what is held of these patients, of everybody when none is named, whatever a policy says."""
    with transaction.atomic():
        made = LegalHold.objects.create(
            practice=practice.slug, patients=list(pseudonyms), why=why.strip()[:300], set_by=actor.name
        )
        record("retention.hold", actor=actor, practice=practice, patient=list(pseudonyms), subject=f"hold:{made.pk}",
               why=made.why)  # fmt: skip
    return made


def lift_hold(hold_id: int, why: str, actor: Actor) -> bool:
    """Whether it stood. What a policy says is removed at the next run."""
    with transaction.atomic():
        found = LegalHold.objects.select_for_update().filter(pk=hold_id, lifted_at=None).first()
        if found is None:
            return False
        found.lifted_at = timezone.now()
        found.save()
        record("retention.release", actor=actor, practice=found.practice, patient=found.patients,
               subject=f"hold:{found.pk}", why=why.strip())  # fmt: skip
    return True


def _kept_orders(practice: Practice) -> set[uuid.UUID]:
    """Orders of patients under a hold."""
    holds = LegalHold.objects.filter(practice=practice.slug, lifted_at=None).exclude(patients=[])
    names = {name for hold in holds for name in hold.patients}
    if not names:
        return set()
    charts = [one.pk for one in Chart.objects.filter(practice=practice).only("pk") if pseudonym(one) in names]
    patients = [
        one.pk for one in Patient.objects.filter(practice=practice).only("pk") if pseudonym(one) in names
    ]
    mine = Q(patient__in=patients) | Q(patient__link__chart__in=charts)
    return set(Order.objects.filter(mine, practice=practice).values_list("pk", flat=True))


# -- kinds -------------------------------------------------------------------------------------------------------


def _old_events(
    practice: Practice, keep: set[uuid.UUID], before: datetime | None, now: datetime, *, dry_run: bool
) -> int:
    if before is None:
        return 0
    names = Order.objects.filter(pk__in=keep).values_list("external_id", flat=True)
    held = [subject_of(name) for name in names]
    old = Event.objects.filter(
        practice=practice, state=EventState.HANDLED, settled_at__lt=before, emptied_at=None
    )
    old = old.exclude(subject__in=held)
    if keep:  # rows of the patients table cannot be told apart: all of them stay
        old = old.exclude(peer="caspio")
    if dry_run:
        return old.count()
    done = 0
    while found := list(old.order_by("pk").values_list("pk", flat=True)[:AT_ONCE]):
        with transaction.atomic():
            done += empty_events(found, now)
    return done


def empty_events(keys: Sequence[uuid.UUID], now: datetime) -> int:
    Event.objects.filter(pk__in=keys).update(emptied_at=now)
    return empty(Event, "body", keys)


def _old_facts(practice: Practice, before: datetime | None, now: datetime, *, dry_run: bool) -> int:
    """Facts of the feed with their letters. What was told of whom stays in the audit."""
    if before is None or LegalHold.objects.filter(practice=practice.slug, lifted_at=None).exists():
        return 0  # a fact names its thing by an id of ours, and cannot be told apart by patient
    if dry_run:
        return forgettable(practice.pk, before, now).count()
    return forget(practice.pk, before, now)


def _old_files(
    practice: Practice, keep: set[uuid.UUID], before: datetime | None, now: datetime, *, dry_run: bool
) -> int:
    """Files whose order Caspio holds as it is; without our copy they cannot be filed a second time."""
    if before is None:
        return 0
    unfiled = Q(ordered_test__order__filed_revision__lt=F("ordered_test__order__revision"))
    needed = Result.objects.filter(unfiled | Q(ordered_test__order__in=keep) | Q(withheld=True))
    old = StoredFile.objects.filter(practice=practice, stored_at__lt=before, emptied_at=None)
    old = old.exclude(pk__in=needed.exclude(pdf=None).values("pdf"))
    old = old.exclude(pk__in=needed.exclude(hl7=None).values("hl7"))
    if dry_run:
        return old.count()
    found = list(old.values_list("pk", flat=True))
    with transaction.atomic():
        StoredFile.objects.filter(pk__in=found).update(emptied_at=now)
        return empty(StoredFile, "content", found)


def _old_orders(
    practice: Practice, keep: set[uuid.UUID], before: datetime | None, now: datetime, *, dry_run: bool
) -> int:
    if before is None:
        return 0
    ended = Q(phase=Phase.COMPLETE, completed_at__lt=before) | Q(phase=Phase.CANCELED, canceled_at__lt=before)
    old = Order.objects.filter(ended, practice=practice, erased_at=None, filed_revision=F("revision"))
    old = old.exclude(pk__in=keep)
    if dry_run:
        return old.count()
    keys = list(old.order_by("pk").values_list("pk", flat=True))
    return sum(_empty_order(key, now) for key in keys)


def _empty_order(key: uuid.UUID, now: datetime) -> bool:
    """Remove what an order that ended holds of its patient; Caspio keeps its rows, and we file it no more."""
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=key)
        if order.erased_at or order.filed_revision != order.revision:
            return False
        tests = {"ordered_test__order": order}
        ResultValue.objects.filter(result__ordered_test__order=order).delete()
        empty(ResultSource, "files", list(ResultSource.objects.filter(**tests).values_list("pk", flat=True)))
        for result in Result.objects.filter(**tests).exclude(named=None):
            result.named = None
            result.save(update_fields=["named"])
        _empty_files_of(order, now)
        order.notes_to_patient, order.erased_at = None, now
        order.save(update_fields=["notes_to_patient", "erased_at"])
    return True


def _empty_files_of(order: Order, now: datetime) -> None:
    pairs = [
        *Result.objects.filter(ordered_test__order=order).values_list("pdf", "hl7"),
        *Take.objects.filter(source__ordered_test__order=order).values_list("pdf", "hl7"),
    ]
    mine = {one for pair in pairs for one in pair if one is not None}
    used = Q(pdf__in=mine) | Q(hl7__in=mine)
    elsewhere = Result.objects.filter(used).exclude(ordered_test__order=order)
    shared = {one for pair in elsewhere.values_list("pdf", "hl7") for one in pair}
    gone = list(mine - shared)
    StoredFile.objects.filter(pk__in=gone).update(emptied_at=now)
    empty(StoredFile, "content", gone)


def empty(model: type[models.Model], column: str, keys: Sequence[uuid.UUID]) -> int:
    """Take a sealed column's content away; the rows stay. Returns how many had one."""
    query = sql.SQL("UPDATE {table} SET {column} = '' WHERE id = ANY(%s) AND length({column}) > 0").format(
        table=sql.Identifier(model._meta.db_table), column=sql.Identifier(column)
    )
    with connection.cursor() as cursor:
        cursor.execute(query, [list(keys)])
        return int(cursor.rowcount)


# -- the audit ---------------------------------------------------------------------------------------------------


def _trim_audit(practice: str, years: int, actor: Actor, now: datetime, *, dry_run: bool) -> int:
    """Remove the oldest entries of a chain. A new entry of the chain says so: without it the chain has a gap."""
    if LegalHold.objects.filter(practice=practice, lifted_at=None).exists():
        return 0
    before = now - timedelta(days=round(365.25 * years))
    sealed = AuditEntry.objects.filter(practice=practice, seq__isnull=False)
    young = sealed.filter(at__gte=before).order_by("seq").first()
    old = sealed.filter(at__lt=before, **({"seq__lt": young.seq} if young else {}))
    last = old.order_by("-seq").first()
    if last is None or last.seq is None or dry_run:
        return old.count()
    record(
        "retention.run", actor=actor, practice=practice, why="policy",
        count=old.count(), removed_through=last.seq, removed_digest=last.digest,
    )  # fmt: skip
    seal()  # before anything goes: the chain must not end with what is removed
    return _remove_audit(practice, last.seq)


def _remove_audit(practice: str, through: int) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL labbridge.retention = 'on'")
        cursor.execute("DELETE FROM trust_auditentry WHERE practice = %s AND seq <= %s", [practice, through])
        removed = int(cursor.rowcount)
        AuditHead.objects.filter(practice=practice, seq__lte=through).delete()
        cursor.execute("SET LOCAL labbridge.retention = 'off'")
    return removed
