from datetime import date

import pytest

from labbridge.matching import compare, normalise
from labbridge.matching.compare import birthday_level
from labbridge.matching.evidence import EVIDENCE, Evidence, Field, Level

TODAY = date(2026, 11, 23)


def person(**values: object):
    return normalise(
        {"first_name": "Anna", "last_name": "Meyer", "email": "anna@patients.example", **values}, today=TODAY
    )


def level(field: Field, one: dict[str, object], other: dict[str, object]) -> Level | None:
    return compare(person(**one), person(**other)).level(field)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("Anna", "ANNA", Level.SAME),
        ("José", "Jose", Level.SAME),
        ("Jürgen", "Juergen", Level.SAME),
        ("Mary Ann", "Maryann", Level.SAME),
        ("Mary-Ann", "Mary Ann", Level.SAME),
        ("Phillip", "Philip", Level.VARIANT),
        ("Bob", "Robert", Level.SHORT_FORM),
        ("Kate", "Katherine", Level.NICKNAME),
        ("Hannah", "Anna", Level.NICKNAME),
        ('Robert "Skip"', "Skip", Level.NICKNAME),
        ("John", "John Q.", Level.MIDDLE),
        ("John Quincy", "John Q.", Level.MIDDLE),
        ("Mary Ann", "Mary Beth", Level.DIFFERENT),
        ("Paul A.", "Paula", Level.TYPO),  # his twin, perhaps
        ("Jayden", "Kayden", Level.TYPO),
        ("Jonathan", "Jonahtan", Level.TYPO),
        ("J.", "Jonathan", Level.INITIAL),
        ("Anna Maria", "Maria", Level.PART),
        ("Anna", "Bert", Level.DIFFERENT),
    ],
)
def test_first_names(one, other, expected):
    assert level(Field.FIRST_NAME, {"first_name": one}, {"first_name": other}) is expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("O'Brien", "OBrien", Level.SAME),
        ("De La Cruz", "DelaCruz", Level.SAME),
        ("Müller", "Mueller", Level.SAME),
        ("Meyer", "Meyer-Jones", Level.PART),
        ("García López", "Garcia", Level.PART),
        ("van der Berg", "Berg", Level.PART),
        ("Meyer née Jones", "Jones", Level.PART),
        ("Meyer", "Meier", Level.TYPO),
        ("Schwarzenegger", "Shwarzeneger", Level.TYPO),
        ("Meyer", "Jones", Level.CHANGED),
        ("Li", "Lu", Level.CHANGED),
    ],
)
def test_last_names(one, other, expected):
    assert level(Field.LAST_NAME, {"last_name": one}, {"last_name": other}) is expected


def test_swapped_names_are_one_finding():
    found = compare(person(), person(first_name="MEYER", last_name="Anna"))
    assert found.level(Field.NAME) is Level.SWAPPED
    assert found.level(Field.FIRST_NAME) is None


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("1980-05-17", "1980-05-17", Level.SAME),
        ("1980-05-17", "1980-05-18", Level.ONE_DIGIT),
        ("1980-05-17", "1981-05-17", Level.ONE_DIGIT),
        ("1980-05-12", "1980-05-21", Level.TRANSPOSED),
        ("1980-05-07", "1980-07-05", Level.DAY_MONTH),
        ("1980-05-17", "1979-11-02", Level.DIFFERENT),
        ("1970-01-01", "1970-01-01", Level.COMMON_DEFAULT),
    ],
)
def test_birthdays(one, other, expected):
    assert birthday_level(date.fromisoformat(one), date.fromisoformat(other)) is expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("anna@gmail.com", "anna@gmail.com", Level.SAME),
        ("Anna@gmail.com", "anna@gmail.com", Level.CASE),
        ("anna+labs@gmail.com", "anna@gmail.com", Level.MAILBOX),
        ("a.nna@gmail.com", "anna@googlemail.com", Level.MAILBOX),
        ("a.nna@patients.example", "anna@patients.example", Level.TYPO),  # dots mean something elsewhere
        ("annameyer@gmail.com", "anameyer@gmail.com", Level.TYPO),
        ("anna@gmail.com", "anna@gmial.com", Level.TYPO),
        ("anna@gmail.com", "bert@gmail.com", Level.DIFFERENT),
        ("anna@gmail.com", "", Level.MISSING),
    ],
)
def test_emails(one, other, expected):
    assert level(Field.EMAIL, {"email": one}, {"email": other}) is expected


def test_other_fields():
    assert level(Field.PHONE, {"phone": "415 555 0134"}, {"phone": "+14155550134"}) is Level.SAME
    assert level(Field.SEX, {"gender": "F"}, {"gender": "M"}) is Level.DIFFERENT
    assert level(Field.SEX, {"gender": "F"}, {"gender": "X"}) is Level.MISSING
    assert level(Field.GENERATION, {"last_name": "Meyer Jr."}, {"last_name": "Meyer Sr."}) is Level.DIFFERENT
    here = {"street": "1 Oak St", "zipcode": "62701", "city": "Springfield"}
    assert level(Field.ADDRESS, here, {"street": "1 Oak Street"}) is Level.SAME
    assert level(Field.ADDRESS, here, {**here, "zipcode": "92501", "city": "Riverside"}) is Level.DIFFERENT


def test_every_finding_has_words_and_weights_that_fall_in_order():
    for field, levels in EVIDENCE.items():
        weights = [Evidence(field, one).weight for one in levels]
        ranked = weights[:-1] if Level.MISSING in levels else weights
        assert ranked == sorted(ranked, reverse=True), field
        assert all(Evidence(field, one).words for one in levels)
        assert EVIDENCE[field].get(Level.MISSING, (0, ""))[0] == 0  # what nobody said speaks for nothing
