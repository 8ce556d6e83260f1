"""Which tests may be ordered together: known, available, add-ons only with their parents."""

from __future__ import annotations

from collections.abc import Sequence

from labbridge.mirror.models import LabTest
from labbridge.practices.models import Practice

FOUND = 20  #: tests that a search lists


class CannotOrder(Exception):
    """An order that cannot be started; the sentence is for the person who asked."""


def choose(practice: Practice, ids: Sequence[str]) -> list[LabTest]:
    """The tests of these ids, each once, in this order.

    Raises:
        CannotOrder: a test is unknown, unavailable, retired, or an add-on whose parent is missing.

    """
    wanted = list(dict.fromkeys(one.strip() for one in ids if one.strip()))
    known = {
        test.external_id: test for test in LabTest.objects.filter(practice=practice, external_id__in=wanted)
    }
    for external_id in wanted:
        if external_id not in known:
            raise CannotOrder(
                f"The catalogue has no test {external_id}. Choose another, or sync the catalogue."
            )
        _check(known[external_id], wanted)
    return [known[external_id] for external_id in wanted]


def _check(test: LabTest, wanted: Sequence[str]) -> None:
    if test.retired:
        raise CannotOrder(f"{test.name} is no longer in Rupa's catalogue. Choose another test.")
    if not test.available:
        reason = f": {test.unavailable_reason}" if test.unavailable_reason else ""
        raise CannotOrder(f"{test.name} cannot be ordered now{reason}. Choose another test.")
    if test.is_addon and test.parent_id_external and test.parent_id_external not in wanted:
        raise CannotOrder(f"{test.name} is an add-on: order it together with the test it belongs to.")


def find(practice: Practice, text: str) -> list[LabTest]:
    """Tests by every word, in the name of the test or the lab; what can be ordered comes first."""
    if not text:
        return []
    tests = LabTest.objects.filter(practice=practice, retired=False)
    for word in text.split()[:10]:
        tests = tests.filter(name__icontains=word) | tests.filter(lab_company_name__icontains=word)
    return list(tests.order_by("-available", "name")[:FOUND])
