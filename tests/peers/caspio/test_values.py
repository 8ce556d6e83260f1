"""Values: never cut off, never rounded, never moved to another day."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labbridge.peers.caspio.types import FieldType as T
from labbridge.peers.caspio.values import UnfitValueError, read_date, read_number, read_time, to_wire

PACIFIC = ZoneInfo("America/Los_Angeles")


def wire(kind, value):
    return to_wire("Field_1", kind, value, zone=PACIFIC)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (T.STRING, "", ""),
        (T.STRING, None, None),
        (T.STRING, "x" * 255, "x" * 255),
        (T.STRING, UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (T.TEXT, "line\nline", "line\nline"),
        (T.DATE_TIME, datetime(2026, 1, 16, 19, 56, 38, 999, tzinfo=UTC), "2026-01-16T11:56:38"),
        (T.DATE_TIME, datetime.fromisoformat("2026-07-16T19:56:38"), "2026-07-16T19:56:38"),
        (T.DATE_TIME, date(1980, 2, 29), "1980-02-29T00:00:00"),
        (T.DATE_TIME, None, None),
        (T.YES_NO, True, True),
        (T.INTEGER, -5, -5),
        (T.NUMBER, Decimal("0.1"), 0.1),
        (T.NUMBER, 1e-7, 1e-7),
        (T.NUMBER, Decimal("1E+3"), 1000),
        (T.CURRENCY, Decimal("19.9900"), 19.99),
        (T.CURRENCY, 12, 12),
    ],
)
def test_values_as_caspio_takes_them(kind, value, expected):
    result = wire(kind, value)
    assert (result, type(result)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (T.STRING, "x" * 256),
        (T.STRING, "\N{PEDESTRIAN}" * 128),  # two characters each, as SQL Server counts
        (T.STRING, "Oriole\0"),
        (T.STRING, "\ud800"),
        (T.STRING, 5),
        (T.TEXT, "x" * 64_001),
        (T.DATE_TIME, ""),
        (T.DATE_TIME, "2026-01-01"),
        (T.YES_NO, None),
        (T.YES_NO, 1),
        (T.INTEGER, True),
        (T.INTEGER, 2**31),
        (T.INTEGER, 1.0),
        (T.NUMBER, Decimal("1234567890.123456")),
        (T.NUMBER, float("nan")),
        (T.NUMBER, Decimal("1E+400")),
        (T.NUMBER, "5"),
        (T.CURRENCY, Decimal("0.00001")),
        (T.GUID, "x"),
        (T.TIMESTAMP, datetime(2026, 1, 1, tzinfo=UTC)),
        (T.ATTACHMENT, "x"),
        (T.LIST_STRING, "x"),
        (T.PASSWORD, "x"),
    ],
)
def test_what_does_not_fit_is_named_and_not_quoted(kind, value):
    with pytest.raises(UnfitValueError, match=r"^Field_1: ") as caught:
        wire(kind, value)
    assert caught.value.field == "Field_1"
    assert not isinstance(value, str) or len(value) < 2 or value not in str(caught.value)


@given(st.decimals(min_value=-(10**10), max_value=10**10, places=4))
def test_money_survives_the_way_there_and_back(amount):
    there = orjson.dumps(wire(T.CURRENCY, amount))
    assert read_number(orjson.loads(there)) == amount


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis wants naive bounds
def test_times_survive_unless_the_clock_is_set_back(time):
    there = read_time(wire(T.DATE_TIME, time), PACIFIC)
    assert abs(there - time) < timedelta(seconds=1) or abs(there - time + timedelta(hours=1)) < timedelta(
        seconds=1
    )


def test_times_that_come_back():
    expected = datetime(2026, 1, 16, 19, 56, 38, tzinfo=PACIFIC)
    assert read_time("2026-01-16T19:56:38", PACIFIC) == expected
    assert read_time("1/16/2026 7:56:38 PM", PACIFIC) == expected
    assert read_time("2026-01-16T19:56:38Z", PACIFIC) == datetime(2026, 1, 16, 19, 56, 38, tzinfo=UTC)
    assert read_time("2026-01-16T19:56:38.5+02:00", PACIFIC).utcoffset() == timezone(
        timedelta(hours=2)
    ).utcoffset(None)
    assert read_date("1980-02-29T00:00:00") == date(1980, 2, 29)


@pytest.mark.parametrize("text", ["", "Oriole", "13/45/2026 7:00:00 AM"])
def test_what_is_no_time_is_not_quoted(text):
    for read in (lambda: read_time(text, PACIFIC), lambda: read_date(text)):
        with pytest.raises(ValueError, match="as Caspio writes it") as caught:
            read()
        assert not text or text not in str(caught.value)


def test_number_cells():
    assert read_number(0.1) == Decimal("0.1")
    assert read_number(None) is None
    for cell in ("5", True):
        with pytest.raises(TypeError):
            read_number(cell)


@pytest.mark.parametrize(
    ("text", "kind"),
    [("yes/no", T.YES_NO), ("RANDOM_ID", T.RANDOM_ID), ("DateTime", T.DATE_TIME), ("MAP", None)],
)
def test_spellings_of_types(text, kind):
    assert T.of(text) is kind
