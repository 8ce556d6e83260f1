"""Reviews of results: said here and filed, or said in Caspio and learnt from there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from labbridge.filing.tables import TABLES
from labbridge.handlers.settle import queue_filing
from labbridge.mirror.models import Order, Result
from labbridge.mirror.pseudonyms import sides_of
from labbridge.mirror.reviews import SEEN
from labbridge.peers.caspio import Row
from labbridge.practices.models import Practice
from labbridge.trust.audit import Actor, job, record

FIELDS = ("Review_Status", "Reviewed_By", "Reviewed_At")
REVIEWED = "reviewed"
CASPIO = job("sweep")


class CannotReview(Exception):
    """The sentence says why, and what to do."""


REPLACED = "A newer version of this result came in. Review that one."
WITHHELD = "The lab's own report names another patient: look at the match first."


def mark(result: Result, *, reviewed: bool, by: str, actor: Actor) -> bool:
    """Say that a result was reviewed, or take that back, and have Caspio told. Saying it again changes nothing.

    Raises:
        CannotReview: it is not the newest, or perhaps somebody else's.

    """
    with transaction.atomic():
        order = _locked(result)
        held = Result.objects.select_related("ordered_test").select_for_update(of=("self",)).get(pk=result.pk)
        if held.withheld:
            raise CannotReview(WITHHELD)
        if reviewed and held.ordered_test.results.filter(SEEN, version__gt=held.version).exists():
            raise CannotReview(REPLACED)
        if (held.reviewed_at is not None) == reviewed:
            return False
        now = timezone.now()
        held.reviewed_at, held.reviewed_by = (now, by[:150]) if reviewed else (None, "")
        held.review_changed_at, held.review_unfiled = now, True
        held.save(update_fields=["reviewed_at", "reviewed_by", "review_changed_at", "review_unfiled"])
        queue_filing(order)
        record(
            "result.review" if reviewed else "result.unreview", actor=actor, practice=order.practice,
            patient=sides_of(order), subject=f"result:{held.pk}", why="treatment",
        )  # fmt: skip
    return True


def _locked(result: Result) -> Order:
    orders = Order.objects.select_related("practice", "patient").select_for_update(of=("self",))
    return orders.get(ordered_tests__results=result)


# -- said in Caspio ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Said:
    """A review as it stands in Caspio, and not so here."""

    result: Result = field(repr=False)
    at: datetime | None
    by: str


def said_in_caspio(practice: Practice, rows: Sequence[Row], *, began: datetime) -> list[Said]:
    """Of rows of Lab_Results read since `began`: whose review is another one than ours. Changes nothing.

    What was said here since then, or is still to be filed, is newer than what was read.
    """
    rows = [row for row in rows if "Review_Status" in row]
    standing = {str(row.get(TABLES["lab_results"].unique)): row for row in rows}
    tests = {key.rpartition("-v")[0] for key in standing}
    held = Result.objects.filter(
        ordered_test__practice=practice, ordered_test__external_id__in=tests, review_unfiled=False
    ).select_related("ordered_test__order__patient")
    return [
        _said(one, standing[str(one)], practice)
        for one in held
        if str(one) in standing
        and (one.review_changed_at is None or one.review_changed_at < began)
        and _is_reviewed(standing[str(one)]) != (one.reviewed_at is not None)
    ]


def _is_reviewed(row: Row) -> bool:
    return str(row.get("Review_Status") or "").strip().casefold() == REVIEWED


def _said(result: Result, row: Row, practice: Practice) -> Said:
    if not _is_reviewed(row):
        return Said(result, None, "")
    try:
        at = datetime.fromisoformat(str(row.get("Reviewed_At")))
        at = at if at.tzinfo else at.replace(tzinfo=practice.zone)
    except ValueError:  # the practice marks it without a date
        at = timezone.now()
    return Said(result, at, str(row.get("Reviewed_By") or "")[:150] or "somebody in Caspio")


def learn(practice: Practice, reviews: Iterable[Said]) -> int:
    """Take over what was said in Caspio, unless somebody has said something here meanwhile. Returns how many."""
    done = 0
    for one in reviews:
        with transaction.atomic():
            same = Result.objects.filter(
                pk=one.result.pk, review_unfiled=False, review_changed_at=one.result.review_changed_at
            )
            changed = same.update(reviewed_at=one.at, reviewed_by=one.by, review_changed_at=timezone.now())
            if changed:
                record(
                    "result.review" if one.at else "result.unreview", actor=CASPIO, practice=practice,
                    patient=sides_of(one.result.ordered_test.order), subject=f"result:{one.result.pk}",
                    why="said in Caspio",
                )  # fmt: skip
            done += changed
    return done
