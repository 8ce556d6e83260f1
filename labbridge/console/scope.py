"""Which practice a page is about: the one its address names, else all at which the person may open it.

The choice stands in the address (`?practice=willow`) and nowhere else, so that two windows can show two practices and
a link shows somebody else the same page. A practice that is not theirs is a 404.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Func, IntegerField, Model, OuterRef, QuerySet
from django.http import Http404, HttpRequest

from labbridge.accounts.access import Access, access_of
from labbridge.mirror.models import Order
from labbridge.practices.models import Practice

_CHOSEN = "_labbridge_chosen"
M = TypeVar("M", bound=Model)
Row = TypeVar("Row")
Place = TypeVar("Place", bound=Practice | None)


def practices(request: HttpRequest, permission: str) -> list[Practice]:
    """The practices that a list shows.

    Raises:
        Http404: the address names a practice that is not theirs, or none at all.
        PermissionDenied: it is theirs, but their role there does not include this.

    """
    slug = request.GET.get("practice", "")
    if not slug:
        return access_of(request).practices(permission)
    return [enter(request, permission, slug)]


def enter(request: HttpRequest, permission: str, slug: str) -> Practice:
    """The practice of the thing that a page shows; the navigation stays there. Raises as `practices` does."""
    practice = access_of(request).practice(permission, slug)
    request.__dict__[_CHOSEN] = practice
    return practice


def chosen(request: HttpRequest) -> Practice | None:
    """The one practice that this page is about, once the view has said so; for a person with one, that."""
    kept = request.__dict__.get(_CHOSEN)
    if isinstance(kept, Practice):
        return kept
    mine = access_of(request).memberships
    return mine[0].practice if len(mine) == 1 else None


def first_of(rows: QuerySet[M], practices: Sequence[Practice], count: int) -> QuerySet[M]:
    """The first `count` of these rows in their order.

    An index that begins with the practice has the first of one practice and not of several, so the first of each are
    found by themselves.
    """
    if len(practices) == 1:
        return rows[:count]
    each = ArraySubquery(_of_each(rows, count))
    ids = [key for keys in _plain(practices).values_list(each, flat=True) for key in keys]
    return rows.filter(pk__in=ids)[:count]


def count_of(rows: QuerySet[M], practices: Sequence[Practice], most: int) -> int:
    """How many there are, counted no further than `most` at each practice: that many, or more."""
    each = Func(ArraySubquery(_of_each(rows, most)), function="cardinality", output_field=IntegerField())
    return sum(_plain(practices).values_list(each, flat=True))


def first_and_count(
    rows: QuerySet[M], practices: Sequence[Practice], count: int, most: int
) -> tuple[list[M], int]:
    """What `first_of` and `count_of` say, of several practices in two queries; of one, it is counted if need be."""
    if len(practices) == 1:
        first = list(rows[:count])
        return first, len(first) if len(first) < count else count_of(rows, practices, most)
    each = ArraySubquery(_of_each(rows, count))
    number = Func(ArraySubquery(_of_each(rows, most)), function="cardinality", output_field=IntegerField())
    found = list(_plain(practices).values_list(each, number))
    ids = [key for keys, _ in found for key in keys]
    return list(rows.filter(pk__in=ids)[:count]) if ids else [], sum(of_each for _, of_each in found)


def _of_each(rows: QuerySet[M], count: int) -> QuerySet[M, dict[str, Any]]:
    return rows.select_related(None).filter(practice=OuterRef("pk")).values("pk")[:count]


def _plain(practices: Sequence[Practice]) -> QuerySet[Practice]:
    return Practice.objects.filter(pk__in=[one.pk for one in practices]).order_by()


def by_practice(
    rows: Iterable[Row], where: Callable[[Row], Place], asked: Iterable[Place] = ()
) -> dict[Place, list[Row]]:
    """The rows of each practice, for an entry in the audit of each; one that was `asked` may have none.

    A practice sees in its audit what names it: an entry for several at once would be in none of theirs.
    """
    groups: dict[Place, list[Row]] = {practice: [] for practice in asked}
    for row in rows:
        groups.setdefault(where(row), []).append(row)
    return groups


@dataclass(frozen=True)
class Viewer:
    """For whom: the practices that the page is about, and what this person may do at each."""

    access: Access
    practices: list[Practice]
    everywhere: bool  # all practices of the service: what belongs to none is theirs to see too

    @classmethod
    def of(cls, access: Access, practices: list[Practice]) -> Viewer:
        return cls(access, practices, everywhere=len(practices) == Practice.objects.count())

    def at(self, permission: str) -> list[Practice]:
        return [one for one in self.access.practices(permission) if one in self.practices]

    def place(self, practice_id: UUID) -> Practice:
        """One of these practices: it is known already, so no row of a list brings it along."""
        return next(one for one in self.practices if one.pk == practice_id)


def viewer_of(request: HttpRequest, permission: str) -> Viewer:
    """For whom a list is, by the practices that its address names. Raises as `practices` does."""
    return Viewer.of(access_of(request), practices(request, permission))


def order(request: HttpRequest, order_id: UUID, permission: str) -> Order:
    """One order whose page is opened, of a practice where this person has that permission. Raises Http404."""
    found = Order.objects.select_related("practice", "patient").filter(pk=order_id).first()
    if found is None:
        raise Http404
    enter(request, permission, found.practice.slug)
    return found
