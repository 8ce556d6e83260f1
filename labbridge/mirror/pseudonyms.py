"""Who a pseudonym of the audit is: both sides of a person, and the way there and back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from labbridge.mirror.models import Chart, Order, Patient, PatientLink, ReviewCase
from labbridge.trust.audit import pseudonym
from labbridge.trust.models import FormerPseudonym

Side = Chart | Patient
PSEUDONYM = re.compile(r"[0-9a-f]{32}")


def sides_of(person: Side | Order | None) -> tuple[Side, ...]:
    """The row itself and, when it is linked, the other side: what an audit entry is about.

    An entry made while two rows were linked names both, so it is found from either, also after the link was undone.
    """
    match person:
        case Order():
            return sides_of(person.patient)
        case Chart():
            link = PatientLink.objects.select_related("patient").filter(chart=person).first()
            return (person, link.patient) if link else (person,)
        case Patient():
            link = PatientLink.objects.select_related("chart").filter(patient=person).first()
            return (link.chart, person) if link else (person,)
        case _:
            return ()


def pseudonyms_of(text: str, practice: str | None = None) -> tuple[str, ...]:
    """The pseudonyms of one patient, by the chart's key in Caspio, a Rupa patient id, or one of the pseudonyms.

    A chart leads to the patient that it is linked with, or was by a decision, and the other way round. A pseudonym
    of nobody who is here any more stands for itself.
    """
    rows = {one for row in _rows_named(text, practice) for one in _connected(row)}
    found = called(rows)
    return found or ((text,) if PSEUDONYM.fullmatch(text) else ())


def called(rows: Iterable[Side]) -> tuple[str, ...]:
    """All that these rows are or were called in the audit."""
    known = set(rows)
    return tuple(sorted({*map(pseudonym, known), *_former(known)}))


def _former(rows: set[Side]) -> Iterator[str]:
    """What they were called where the practice came from: entries of that time name them so."""
    for row in rows:
        was = FormerPseudonym.objects.filter(model=row._meta.label_lower, row=row.pk)
        yield from was.values_list("pseudonym", flat=True)


def sides_named(text: str, practice: str) -> tuple[Side, ...]:
    """As `pseudonyms_of`, the rows themselves; only those that are linked now."""
    return tuple({one for row in _rows_named(text, practice) for one in sides_of(row)})


def _rows_named(text: str, practice: str | None) -> list[Side]:
    if PSEUDONYM.fullmatch(text):
        found = named(text, practice)
        return [] if found is None else [found]
    return [*_at(Chart, practice, key=text), *_at(Patient, practice, external_id=text)]


def _at(model: type[Chart | Patient], practice: str | None, **wanted: str) -> Iterator[Side]:
    found = model.objects.select_related("practice").filter(**wanted)
    yield from found.filter(practice__slug=practice) if practice is not None else found


def _connected(row: Side) -> set[Side]:
    mine = {"chart": row} if isinstance(row, Chart) else {"decided_patient": row}
    cases = ReviewCase.objects.filter(**mine, decision__in=("link", "choose_another", "create"))
    past = {case.decided_patient if isinstance(row, Chart) else case.chart for case in cases}
    return {*sides_of(row), *(one for one in past if one is not None)}


def named(text: str, practice: str | None = None) -> Side | None:
    """The row that a pseudonym stands for. Looks at every row, since a pseudonym has no way back."""
    was = FormerPseudonym.objects.filter(pseudonym=text)
    was = was if practice is None else was.filter(practice=practice)
    for model in (Chart, Patient):
        known = was.filter(model=model._meta.label_lower).values("row")
        if (found := model.objects.select_related("practice").filter(pk__in=known).first()) is not None:
            return found
        rows = model.objects.order_by().only("pk")
        if practice is not None:
            rows = rows.filter(practice__slug=practice)
        for row in rows.iterator(chunk_size=5000):
            if pseudonym(row) == text:
                return model.objects.select_related("practice").get(pk=row.pk)
    return None
