"""Rupa's catalogue into the mirror: what changed, what left, and what must not be believed."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from labbridge.catalog.sync import Listing, SuspiciousListing, keep_catalog
from labbridge.mirror.lab_tests import merge_company, merge_lab_test
from labbridge.mirror.models import LabTest
from labbridge.peers.rupa.types import LabCompanySnapshot, LabTestSnapshot
from labbridge.practices.models import Practice
from tests.mirror.snapshots import at, lab_test

pytestmark = pytest.mark.django_db


def company(key: str = "labco_1", **stated: Any) -> LabCompanySnapshot:
    return LabCompanySnapshot(id=key, present=frozenset(stated), **stated)


def listed(number: int = 1, **stated: Any) -> LabTestSnapshot:
    return lab_test(f"labts_{number}", **{"name": f"Panel {number}", "lab_company_id": "labco_1", **stated})


def keep(
    practice: Practice, *tests: LabTestSnapshot, minute: float = 1, name: str = "Lab", **how: Any
) -> int:
    return keep_catalog(practice, Listing([company(name=name)], list(tests), at(minute)), **how)


def held(number: int = 1) -> LabTest:
    return LabTest.objects.get(external_id=f"labts_{number}")


def test_each_change_counts_once(willow: Practice) -> None:
    assert keep(willow, listed(1), listed(2)) == 2
    assert keep(willow, listed(1), listed(2), minute=2) == 0
    assert keep(willow, listed(1, price=Decimal(9)), listed(2), minute=3) == 1


def test_a_test_listed_twice_is_one(willow: Practice) -> None:
    assert keep(willow, listed(1), listed(1, name="Moved while pages were read")) == 1
    assert LabTest.objects.count() == 1


def test_a_renamed_company_renames_it_on_its_tests(willow: Practice) -> None:
    keep(willow, listed(1))
    keep(willow, listed(1), minute=2, name="Laboratory")
    assert held().lab_company_name == "Laboratory"


def test_a_company_that_is_not_listed_is_taken_from_the_test(willow: Practice) -> None:
    named = company("labco_2", name="Included lab")
    keep(willow, listed(1, lab_company_id="labco_2", lab_company=named))
    assert held().lab_company_name == "Included lab"


def test_a_test_that_left_is_retired_and_may_come_back(willow: Practice) -> None:
    keep(willow, listed(1), listed(2))
    assert keep(willow, listed(1), minute=2) == 1
    assert held(2).retired
    assert keep(willow, listed(1), listed(2), minute=3) == 1
    assert not held(2).retired


def test_a_listing_that_lost_most_of_it_retires_nothing(willow: Practice) -> None:
    keep(willow, *(listed(number) for number in range(10)))
    with pytest.raises(SuspiciousListing, match="10 of 10 tests are missing"):
        keep(willow, minute=2)
    assert not LabTest.objects.filter(retired=True).exists()
    assert keep(willow, minute=3, force=True) == 10


def test_what_an_event_told_meanwhile_is_newer_than_the_listing(willow: Practice) -> None:
    keep(willow, listed(1))
    merge_lab_test(willow, lab_test("labts_1", name="By event"), at(9))
    merge_lab_test(willow, lab_test("labts_2", name="New by event"), at(9))
    assert keep(willow, listed(1), minute=5) == 0
    assert held(1).name == "By event"
    assert not held(2).retired


def test_a_reason_why_it_cannot_be_had_is_no_change_the_second_time(willow: Practice) -> None:
    gone = {"disabled": True, "disabled_reason": "Lab closed", "unavailable_reason": None}
    assert keep(willow, listed(1, **gone)) == 1
    assert keep(willow, listed(1, **gone), minute=2) == 0
    assert (held().available, held().unavailable_reason) == (False, "Lab closed")


def test_an_add_on_names_its_parent(willow: Practice) -> None:
    keep(willow, listed(1, is_addon=True, parent_test_id="labts_0"))
    assert (held().is_addon, held().parent_id_external) == (True, "labts_0")


def test_older_news_of_a_test_or_company_change_nothing(willow: Practice) -> None:
    keep(willow, listed(1), minute=5)
    assert merge_lab_test(willow, lab_test("labts_1", name="Old"), at(1))[1] is False
    assert merge_company(willow, company(name="Old"), at(5) - timedelta(seconds=1))[1] is False
    assert held().name == "Panel 1"


def test_an_event_names_the_company_it_includes_or_that_is_known(willow: Practice) -> None:
    keep(willow)
    known, _ = merge_lab_test(willow, lab_test("labts_8", name="A", lab_company_id="labco_1"), at(2))
    unknown, _ = merge_lab_test(willow, lab_test("labts_9", name="B", lab_company_id="labco_7"), at(2))
    assert (known.lab_company_name, unknown.lab_company_name) == ("Lab", "")
