from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labbridge.filing.tables import TABLES, Field, canonical, fit

TEXT, LONG = Field("Name"), Field("Notes", "TEXT")
KEY = Field("Key", unique=True)
NUMBER, WHOLE, MONEY = Field("N", "NUMBER"), Field("I", "INTEGER"), Field("M", "CURRENCY")
WHEN, FLAG = Field("At", "DATE/TIME"), Field("Yes", "YES/NO")


def units(text: object) -> int:
    return len(str(text).encode("utf-16-le")) // 2


# -- fit ---------------------------------------------------------------------------------------------------


@given(st.text(max_size=600))
def test_a_text_fits_and_says_when_it_was_cut(text: str) -> None:
    fitted = fit(TEXT, text)
    clean = text.replace("\x00", "")
    assert units(fitted) <= 255
    assert fitted == clean or (str(fitted).endswith("…") and clean.startswith(str(fitted)[:-1]))
    if units(clean) > 255:
        assert units(fitted) >= 254


def test_a_long_text_has_more_room() -> None:
    assert fit(LONG, "x" * 64_000) == "x" * 64_000
    assert fit(LONG, "x" * 64_001) == "x" * 63_999 + "…"


def test_a_key_is_never_cut_and_an_error_never_quotes_it() -> None:
    assert fit(KEY, "k" * 255) == "k" * 255
    with pytest.raises(ValueError, match="256 characters") as raised:
        fit(KEY, "k" * 256)
    assert "kkk" not in str(raised.value)


@pytest.mark.parametrize("value", [None, True, False])
def test_nothing_and_yes_and_no_stay(value: bool | None) -> None:
    assert fit(FLAG, value) is value


@pytest.mark.parametrize("moment", [datetime(2031, 2, 3, tzinfo=UTC), date(2031, 2, 3)])
def test_a_date_must_be_a_wall_clock_by_now(moment: date) -> None:
    with pytest.raises(ValueError, match="wall clock"):
        fit(WHEN, moment)


@pytest.mark.parametrize(
    ("field", "value", "fitted"),
    [
        (WHOLE, 7, 7),
        (WHOLE, 2**31, None),
        (MONEY, Decimal("1.23456"), Decimal("1.2346")),
        (MONEY, Decimal(10) ** 15, None),
        (NUMBER, Decimal("1.234567890123456789"), Decimal("1.23456789012346")),
        (NUMBER, Decimal("1e15"), None),
        (NUMBER, Decimal("NaN"), None),
        (NUMBER, Decimal(0), Decimal(0)),
        (WHEN, "1752-12-31T00:00:00", None),
        (WHEN, "1753-01-01T00:00:00", "1753-01-01T00:00:00"),
        (WHEN, "9999-12-31T23:59:59", "9999-12-31T23:59:59"),
    ],
)
def test_what_caspio_cannot_hold_is_left_out(field: Field, value: object, fitted: object) -> None:
    assert fit(field, value) == fitted


# -- canonical -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "ours", "theirs"),
    [
        (TEXT, None, ""),
        (LONG, "", None),
        (FLAG, None, False),
        (FLAG, True, "Yes"),
        (FLAG, True, 1),
        (FLAG, True, "true"),
        (NUMBER, None, ""),
        (NUMBER, Decimal("2.50"), 2.5),
        (NUMBER, Decimal("-0.0"), 0),
        (NUMBER, Decimal("1E+3"), 1000),
        (MONEY, Decimal(309), 309.0),
        (WHOLE, 12, "12"),
        (WHEN, "2031-02-03T10:00:00", "2031-02-03T10:00:00.000"),
        (WHEN, "2031-02-03T10:00:00", "2031-02-03 10:00:00"),
        (WHEN, None, None),
    ],
)
def test_one_meaning_has_one_text(field: Field, ours: object, theirs: object) -> None:
    assert canonical(field, ours) == canonical(field, theirs)


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [
        (TEXT, "a", "A"),
        (TEXT, "", "0"),
        (NUMBER, 0, None),
        (FLAG, True, False),
        (WHEN, "2031-02-03T10:00:00", "2031-02-03T10:00:01"),
        (NUMBER, "odd", "strange"),
    ],
)
def test_two_meanings_have_two(field: Field, one: object, other: object) -> None:
    assert canonical(field, one) != canonical(field, other)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**14), max_value=10**14))
def test_a_number_is_the_same_after_its_journey_as_json(number: Decimal) -> None:
    """Fifteen digits survive a float, which is what JSON carries (caspio-api.md 3.5)."""
    fitted = fit(NUMBER, number)
    assert isinstance(fitted, Decimal)
    assert canonical(NUMBER, fitted) == canonical(NUMBER, float(fitted))


@given(st.sampled_from([TEXT, LONG]), st.text(max_size=300))
def test_a_text_is_the_same_after_its_journey(field: Field, text: str) -> None:
    fitted = fit(field, text)
    assert canonical(field, fitted) == canonical(field, fitted or None)


def test_every_table_has_one_unique_field_and_every_name_fits_caspio() -> None:
    for spec in TABLES.values():
        assert sum(field.unique for field in spec.fields) == 1
        names = [field.name for field in spec.fields]
        assert len(names) == len(set(names))
        assert all(len(name) <= 32 and name.isidentifier() for name in names)
