"""Which results wait for somebody to look at them: the newest of each test that is in the chart, worst first."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from labbridge.mirror.models import Result
from labbridge.practices.models import Practice

#: Neither replaced before it was fetched nor withheld: such a version takes no earlier one's place.
SEEN = Q(superseded=False, withheld=False)


def newest() -> QuerySet[Result]:
    """The newest version of each test that can be seen: neither withheld nor replaced before it was fetched."""
    later = Result.objects.filter(
        SEEN, ordered_test=OuterRef("ordered_test"), version__gt=OuterRef("version")
    )
    return Result.objects.filter(SEEN).exclude(Exists(later))


def to_review(practices: Collection[Practice]) -> QuerySet[Result]:
    """Training orders and erased ones wait for nobody."""
    return newest().filter(
        Q(pdf__isnull=False) | Q(hl7__isnull=False),
        reviewed_at=None,
        practice__in=practices,
        ordered_test__order__is_demo=False,
        ordered_test__order__erased_at=None,
    ).order_by(F("urgency").desc(), "found_at", "id")  # fmt: skip


def reviewed(practices: Collection[Practice]) -> QuerySet[Result]:
    """What somebody has looked at, the latest first."""
    done = newest().filter(practice__in=practices, reviewed_at__isnull=False)
    return done.order_by("-reviewed_at", "-id")


def waiting_behind(found: QuerySet[Result], last: Result) -> QuerySet[Result]:
    """What comes after that one in the queue, whatever became of it meanwhile: no page costs more than the first."""
    later = Q(found_at__gt=last.found_at) | Q(found_at=last.found_at, id__gt=last.pk)
    return found.filter(
        Q(urgency__lt=last.urgency) | (Q(urgency=last.urgency) & later), urgency__lte=last.urgency
    )


def reviewed_behind(found: QuerySet[Result], last: Result) -> QuerySet[Result]:
    """As `waiting_behind`, of those that were reviewed. One whose review was taken back leads to the first page."""
    if last.reviewed_at is None:
        return found
    same = Q(reviewed_at=last.reviewed_at, id__lt=last.pk)
    return found.filter(Q(reviewed_at__lt=last.reviewed_at) | same, reviewed_at__lte=last.reviewed_at)


def due_on(result: Result, practice: Practice, review_days: float) -> date:
    """The day by which it should be reviewed: as somebody set it, else the practice's own number of days."""
    return result.due_on or (result.found_at + timedelta(days=review_days)).astimezone(practice.zone).date()
