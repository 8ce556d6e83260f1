from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from labbridge.mirror.person import (
    Person,
    as_text,
    birthdays_differ,
    first_names_differ,
    indexes,
    name_words,
    names_differ,
    normal_birthday,
    normal_email,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        ("", None),
        ("  \u00a0 ", None),
        (" Testa\u00a0B ", "Testa B"),
        (date(1980, 1, 2), "1980-01-02"),
        (datetime(1980, 1, 2, 5, tzinfo=UTC), "1980-01-02"),
        (7, "7"),
    ],
)
def test_as_text(value: object, text: str | None) -> None:
    assert as_text(value) == text


@pytest.mark.parametrize("bad", [None, "", "nobody", "a b@c.example", "a@b", "a@b@c.example"])
def test_no_address(bad: str | None) -> None:
    assert normal_email(bad) is None


def test_addresses_are_one_whatever_their_case() -> None:
    assert normal_email(" Testa@Patients.EXAMPLE ") == "testa@patients.example"


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("1980-01-02", "1980-01-02"),
        ("1980-01-02T00:00:00", "1980-01-02"),
        ("01/02/1980", "1980-01-02"),
        ("2.1.1980", None),
        ("1980-13-40", None),
        (None, None),
    ],
)
def test_birthdays(value: str | None, day: str | None) -> None:
    assert normal_birthday(value) == day


def test_indexes_are_equal_for_equal_people_and_say_nothing() -> None:
    one = indexes({"email": "Testa@patients.example", "birthday": "1980-01-02"})
    other = indexes({"email": "testa@patients.example ", "birthday": "01/02/1980"})
    assert one == other
    assert b"testa" not in (one[0] or b"")
    assert indexes({}) == (None, None)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("O'Brien", {"obrien"}),
        ("José-María Q.", {"jose", "maria"}),
        ("  ", set()),
        (None, set()),
        ("STRASSE", {"strasse"}),
        ("Straße", {"strasse"}),
    ],
)
def test_name_words(name: str | None, words: set[str]) -> None:
    assert name_words({"last_name": name}, "last_name") == words


ADA: Person = {"first_name": "Ada", "last_name": "Testcase", "birthday": "1980-01-02"}


@pytest.mark.parametrize(
    ("other", "birthday", "names", "first"),
    [
        ({"first_name": "ADA", "last_name": "TESTCASE", "birthday": "01/02/1980"}, False, False, False),
        ({"first_name": "Ada Q", "last_name": "Sample"}, False, False, False),
        ({"first_name": "Adalinde", "last_name": "Testcase"}, False, False, False),
        ({"first_name": "Bea", "last_name": "Testcase", "birthday": "1980-01-02"}, False, False, True),
        ({"first_name": "Bea", "last_name": "Sample", "birthday": "1981-01-02"}, True, True, True),
        ({}, False, False, False),
    ],
)
def test_comparing_two_records(other: Person, birthday: bool, names: bool, first: bool) -> None:
    assert birthdays_differ(ADA, other) is birthday
    assert names_differ(ADA, other) is names
    assert first_names_differ(ADA, other) is first
