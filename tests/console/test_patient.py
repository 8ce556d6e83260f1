"""A patient: both sides, the link and its reasons, values over time, disclosures and looks, all by role."""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from labbridge.accounts.roles import Role
from labbridge.console.readings import Reading
from labbridge.console.trends import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Seen, factor, range_of, trends
from labbridge.mirror.models import Chart, OrderedTest, PatientLink
from labbridge.mirror.pseudonyms import sides_of
from labbridge.practices.models import Practice
from labbridge.trust.audit import job, record
from labbridge.trust.models import AuditEntry
from tests.console.things import make_order, make_patient, make_practice, make_result, text, value
from tests.people import member, sign_in

pages = pytest.mark.django_db(transaction=True)


@pytest.fixture
def willow() -> Practice:
    return make_practice()


@pytest.fixture
def chart(willow: Practice) -> Chart:
    patient = make_patient(willow)
    for number, (days, found) in enumerate([(200, "20"), (100, "60"), (5, "170")]):
        order = make_order(willow, number, patient)
        make_result(order, value("Ferritin", found, "H" if number == 2 else "N"),
                    at=timezone.now() - timedelta(days=days))  # fmt: skip
    return PatientLink.objects.get().chart


@pages
def test_the_newest_result_is_one_click_away(chart: Chart) -> None:
    newest = OrderedTest.objects.get(external_id="ordts_willow_2")
    assert f'href="/orders/{newest.order_id}#{newest.pk}"' in opened(Role.OWNER, chart)
    assert "Newest result" not in opened(Role.FRONT_DESK, chart)


def opened(role: Role, chart: Chart) -> str:
    client = Client()
    sign_in(client, member(chart.practice, role))
    return text(client.get(f"/patients/{chart.pk}"))


@pages
def test_each_role_sees_its_part(chart: Chart) -> None:
    record(
        "order.file",
        actor=job("file_order"),
        practice=chart.practice,
        patient=sides_of(chart),
        subject="order:1",
    )
    for role in (Role.OWNER, Role.ADMINISTRATOR, Role.PRACTITIONER, Role.FRONT_DESK, Role.BILLER):
        shown = opened(role, chart)
        assert "Testa1 Sampleperson" in shown
        assert "E-mail and birthday agree." in shown
        assert ("Values over time" in shown) == (role in {Role.OWNER, Role.PRACTITIONER}), role
        assert ("Who looked" in shown) == (role in {Role.OWNER, Role.ADMINISTRATOR}), role
        assert ("Caspio: filed an order in Caspio" in shown) == (role in {Role.OWNER, Role.ADMINISTRATOR})
        assert "Sampleperson" not in re.findall("<title>(.*?)</title>", shown)[0]
    assert "administrator@willow.example opened a patient" in opened_again(chart)
    entries = AuditEntry.objects.filter(action="patient.read", subject=f"chart:{chart.pk}")
    assert all(len(entry.patients) == 2 for entry in entries)


def opened_again(chart: Chart) -> str:
    client = Client()
    sign_in(client, member(chart.practice, Role.OWNER, "second@willow.example"))
    return text(client.get(f"/patients/{chart.pk}"))


@pages
def test_a_drawing_says_in_words_and_in_a_table_what_it_shows(chart: Chart) -> None:
    shown = opened(Role.PRACTITIONER, chart)
    assert 'aria-label="Ferritin: 3 values, from 20 to 170 ng/mL."' in shown
    assert shown.count("<circle") == 3
    assert 'class="range"' in shown
    for found in ("20 ng/mL", "60 ng/mL", "170 ng/mL"):
        assert found in shown
    assert "style=" not in shown


@pages
def test_nobody_at_rupa_and_nothing_measured(willow: Practice) -> None:
    chart = Chart.objects.create(practice=willow, key="P-7", person={"first_name": "Otto"})
    shown = opened(Role.OWNER, chart)
    assert "not linked" in shown
    assert "No orders." in shown
    assert "Nothing was measured twice yet." in shown


@pages
def test_the_count_of_queries_does_not_grow(
    chart: Chart, client: Client, django_assert_max_num_queries: Any
) -> None:
    sign_in(client, member(chart.practice, Role.OWNER))
    client.get(f"/patients/{chart.pk}")
    with django_assert_max_num_queries(40) as few:
        client.get(f"/patients/{chart.pk}")
    count = len(few.captured_queries)
    patient = PatientLink.objects.get().patient
    for number in range(10, 25):
        make_result(make_order(chart.practice, number, patient), value("Ferritin", "50"), value("Iron", "70"))
    with django_assert_max_num_queries(count):
        client.get(f"/patients/{chart.pk}")


# -- trends, without a database ------------------------------------------------------------------------------

ORDER = UUID(int=1)


def seen(
    number: str, day: int, *, analyte: str = "Ferritin", loinc: str = "", units: str = "ng/mL", of: str = ""
) -> Seen:
    reading = Reading(
        analyte, loinc, number, Decimal(number), units, of, "", "", date(2026, 1, 1) + timedelta(days=day)
    )
    return Seen(reading, ORDER, "ord_1")


@pytest.mark.parametrize(
    ("units", "into", "by"),
    [("mg/dL", "g/L", "0.01"), ("µg/L", "ng/mL", "1"), ("mcg/dL", "ug/dL", "1"), ("nmol/L", "umol/L", "0.001"),
     ("ng/mL", "nmol/L", None), ("mg/dL", "mmol/L", None), ("%", "%", "1"), ("%", "mg/dL", None),
     ("MG/DL", "g/L", None), ("mEq/L", "mmol/L", None), ("IU/L", "U/L", None), ("", "", "1"), ("", "ng/mL", None)],
)  # fmt: skip
def test_units_become_others_only_where_that_is_sure(units: str, into: str, by: str | None) -> None:
    assert factor(units, into) == (None if by is None else Decimal(by))


@pytest.mark.parametrize(
    ("words", "ends"),
    [("30-150", ("30", "150")), ("3.5 \u2013 5.0", ("3.5", "5.0")), ("<5", (None, "5")), (">= 40", ("40", None)),
     ("up to 12", (None, "12")), ("-2 - 2", ("-2", "2")), ("9-3", (None, None)), ("negative", (None, None)),
     ("1:40", (None, None))],
)  # fmt: skip
def test_ranges(words: str, ends: tuple[str | None, str | None]) -> None:
    assert range_of(words) == tuple(None if end is None else Decimal(end) for end in ends)


def test_one_code_is_one_line_in_the_newest_unit() -> None:
    (trend,) = trends(
        [seen("2", 0, loinc="1-1", units="ug/dL", of="1-3"), seen("30", 9, loinc="1-1", of="10-40")]
    )
    assert [one.value for one in trend.points] == [Decimal(20), Decimal(30)]
    assert [one.converted for one in trend.points] == [True, False]
    assert (trend.points[0].low, trend.points[0].high) == (Decimal(10), Decimal(30))
    assert trend.units == "ng/mL"


def test_what_cannot_be_converted_stands_apart() -> None:
    both = [seen("20", day, loinc="1-1") for day in (0, 1)] + [
        seen("50", day, loinc="1-1", units="nmol/L") for day in (2, 3)
    ]
    assert [(one.units, len(one.points)) for one in trends(both)] == [("ng/mL", 2), ("nmol/L", 2)]


def test_without_a_code_name_and_unit_must_agree() -> None:
    assert len(trends([seen("1", 0), seen("2", 1, analyte="FERRITIN ")])) == 1
    assert trends([seen("1", 0), seen("2", 1, units="ug/L")]) == []
    assert trends([seen("1", 0, loinc="1-1"), seen("2", 1)]) == []
    assert trends([seen("1", 0)]) == []


@given(
    st.lists(
        st.tuples(st.decimals(-(10**9), 10**9, allow_nan=False, places=3), st.integers(0, 4000)),
        min_size=2,
        max_size=20,
    ),
    st.sampled_from(["", "1-5", "<7", ">-3"]),
)
def test_every_mark_is_inside_the_drawing(found: list[tuple[Decimal, int]], of: str) -> None:
    (trend,) = trends([seen(str(number), day, of=of) for number, day in found])
    assert [one.on for one in trend.points] == sorted(one.on for one in trend.points)
    for one in trend.points:
        assert LEFT <= one.x <= WIDTH - RIGHT
        assert TOP <= one.y <= HEIGHT - BOTTOM
    if trend.band:
        assert trend.band.y >= TOP
        assert trend.band.y + trend.band.height <= HEIGHT - BOTTOM + 1
