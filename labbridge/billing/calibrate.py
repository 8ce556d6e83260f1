"""What Rupa's figures mean: told by one price of the catalogue that a person knows (rupa-api.md 5.12)."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from labbridge.mirror.models import LabTest
from labbridge.practices.models import Practice

NEITHER = (
    "Rupa's figure for this test is that price neither in dollars nor in cents, so nothing was changed. Compare "
    "again with the price that Rupa's own catalogue shows today, or take another test."
)


def unit_of(figure: Decimal | None, known: Decimal) -> Literal["dollars", "cents"] | None:
    """The unit in which Rupa's figure is that price; None when it is neither."""
    if figure is None or known <= 0:
        return None
    if figure == known:
        return "dollars"
    return "cents" if figure == known * 100 else None


def tests_named(practice: Practice, text: str) -> list[LabTest]:
    """The test of that id, else all of that name."""
    tests = LabTest.objects.filter(practice=practice)
    return list(tests.filter(external_id=text)) or list(tests.filter(name__iexact=text.strip()))
