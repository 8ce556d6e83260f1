"""The catalogue: search, compare, and how price, turnaround and availability changed."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from labbridge.accounts.roles import Role
from labbridge.catalog.sync import Listing, keep_catalog
from labbridge.mirror.lab_tests import merge_lab_test
from labbridge.mirror.models import LabTest, LabTestChange
from labbridge.peers.rupa.types import LabTestSnapshot
from labbridge.practices.config import parse
from labbridge.practices.models import Practice
from tests.people import member, sign_in
from tests.world import PRACTICE_TOML

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def configured(unit: str = "dollars") -> dict[str, Any]:
    toml = PRACTICE_TOML.format(caspio="https://c0abc123.caspio.com", rate=5, refresh_token="t")
    return dict(parse(toml.replace('"dollars"', f'"{unit}"')).model_dump(mode="json"))


@pytest.fixture
def willow() -> Practice:
    return Practice.objects.create(slug="willow", name="Willow", config=configured())


@pytest.fixture
def desk(client: Client, willow: Practice) -> Client:
    sign_in(client, member(willow, Role.FRONT_DESK))
    return client


def text(answer: Any) -> str:
    assert answer.status_code == 200, answer.status_code
    return str(answer.content.decode())


def lab_test(practice: Practice, number: int = 1, **more: Any) -> LabTest:
    given = {
        "name": f"Test {number}",
        "price": Decimal("250.5"),
        "turnaround_days": 10,
        "shipping_days_max": 4,
    }
    return LabTest.objects.create(practice=practice, external_id=f"labts_{number}", **{**given, **more})


def told(number: int = 1, **values: Any) -> LabTestSnapshot:
    given = {"name": f"Test {number}", "price": Decimal(200), "turnaround_days": 10, **values}
    return LabTestSnapshot(id=f"labts_{number}", present=frozenset(given), **given)


def history() -> list[tuple[str, str, str]]:
    return list(LabTestChange.objects.values_list("field", "before", "after"))


def test_search_by_name_lab_and_category(desk: Client, willow: Practice) -> None:
    lab_test(willow, 1, name="Hormones Complete", lab_company_name="Fern Labs")
    lab_test(willow, 2, name="Stool", category="Gut")
    lab_test(willow, 3, name="Gone", retired=True)
    assert "Stool" in text(desk.get("/catalogue?q=gut"))
    shown = text(desk.get("/catalogue?q=fern+hormones"))
    assert "Hormones Complete" in shown
    assert "Stool" not in shown
    assert "$250.50" in shown
    assert "10 days at the lab + 4 of shipping" in shown
    assert "Gone" not in text(desk.get("/catalogue"))
    assert "Gone" in text(desk.get("/catalogue?state=retired"))
    assert "No test fits." in text(desk.get("/catalogue?q=nothing"))


def test_prices_are_hidden_while_their_unit_is_unknown(desk: Client, willow: Practice) -> None:
    Practice.objects.filter(pk=willow.pk).update(config=configured("unknown"))
    test = lab_test(willow)
    LabTestChange.objects.create(
        practice=willow, external_id=test.external_id, field="price", before="250.5", after="99.75", at=NOW
    )
    for address in ("/catalogue", f"/catalogue/compare?test={test.pk}", "/catalogue/news"):
        shown = text(desk.get(address))
        assert "250" not in shown, address
        assert "99.75" not in shown, address
    assert "Prices are hidden" in text(desk.get("/catalogue"))


def test_side_by_side_with_what_changed(desk: Client, willow: Practice) -> None:
    one, other = (
        lab_test(willow, 1),
        lab_test(willow, 2, available=False, unavailable_reason="Lab is moving."),
    )
    LabTestChange.objects.create(
        practice=willow, external_id="labts_1", field="price", before="200", after="250.5", at=NOW
    )
    shown = text(desk.get(f"/catalogue/compare?test={one.pk}&test={other.pk}"))
    assert "Price: $200.00 → $250.50" in shown
    assert "Lab is moving." in shown
    assert shown.index("Test 1</h2>") < shown.index("Test 2</h2>")
    assert "No test is marked." in text(desk.get("/catalogue/compare"))


def test_another_practices_tests_are_not_there(desk: Client) -> None:
    theirs = lab_test(Practice.objects.create(slug="birch", name="Birch"), 7)
    assert "Test 7" not in text(desk.get("/catalogue?state=all"))
    assert desk.get(f"/catalogue/compare?test={theirs.pk}").status_code == 404


def test_a_month_of_changes(desk: Client, willow: Practice) -> None:
    lab_test(willow)
    for field, before, after, days in (
        ("available", "yes", "no", 2), ("turnaround_days", "10", "14", 3), ("price", "1", "2", 40),
    ):  # fmt: skip
        LabTestChange.objects.create(
            practice=willow, external_id="labts_1", field=field, before=before, after=after,
            at=NOW - timedelta(days=days),
        )  # fmt: skip
    shown = text(desk.get("/catalogue/news"))
    assert "Cannot be ordered" in shown
    assert "Days at the lab: 10 → 14" in shown
    assert "$2.00" not in shown


def test_a_month_of_many_changes_has_pages(desk: Client, willow: Practice) -> None:
    lab_test(willow)
    LabTestChange.objects.bulk_create(
        LabTestChange(practice=willow, external_id="labts_1", field="turnaround_days", before="1",
                      after=str(1000 + number), at=NOW - timedelta(hours=number))
        for number in range(60)
    )  # fmt: skip
    first, second = (text(desk.get(f"/catalogue/news?page={page}")) for page in (1, 2))
    assert "1 → 1000" in first
    assert "1 → 1050" not in first
    assert re.search("Page 1 of 2", first)
    assert "1 → 1050" in second
    willow.config["rupa"]["price_unit"] = "unknown"
    willow.save()
    LabTestChange.objects.update(field="price")
    LabTestChange.objects.create(
        practice=willow, external_id="labts_1", field="turnaround_days", before="1", after="2",
        at=NOW - timedelta(days=9),
    )  # fmt: skip
    assert "1 → 2" in text(desk.get("/catalogue/news")), "what is not told takes no page"


def test_the_number_of_queries_is_constant(desk: Client, willow: Practice) -> None:
    lab_test(willow, 0)
    desk.get("/catalogue")
    with CaptureQueriesContext(connection) as few:
        desk.get("/catalogue")
    for number in range(1, 60):
        lab_test(willow, number)
    with CaptureQueriesContext(connection) as many:
        shown = text(desk.get("/catalogue"))
    assert len(many) == len(few)
    assert re.search("Page 1 of 2", shown)


# -- the history that reading the catalogue leaves ---------------------------------------------------------------


def test_the_first_reading_is_no_news_and_the_second_tells_what_changed(willow: Practice) -> None:
    keep_catalog(willow, Listing([], [told(1), told(2)], datetime(2026, 5, 1, tzinfo=UTC)))
    assert history() == []
    willow.refresh_from_db()
    second = [told(1, price=Decimal("220.50"), turnaround_days=12), told(3), told(3)]
    keep_catalog(willow, Listing([], second, datetime(2026, 5, 2, tzinfo=UTC)))
    assert sorted(history()) == [
        ("new", "", ""), ("price", "200", "220.5"), ("retired", "no", "yes"), ("turnaround_days", "10", "12"),
    ]  # fmt: skip
    keep_catalog(willow, Listing([], second, datetime(2026, 5, 3, tzinfo=UTC)))
    assert len(history()) == 4, "nothing changed"


def test_an_event_leaves_history_once_and_an_older_one_none(willow: Practice) -> None:
    lab_test(willow, 1, price=Decimal(200))
    newer, older = datetime(2026, 5, 2, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)
    for _ in range(2):
        merge_lab_test(willow, told(1, price=Decimal(300)), newer)
    merge_lab_test(willow, told(1, price=Decimal(100)), older)
    assert history() == [("price", "200", "300")]
