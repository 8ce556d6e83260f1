"""A patient's values from Caspio or Rupa, checked and made comparable. Pure: no database, no network, no clock."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import TypeVar

from labbridge.matching import address, contact, names
from labbridge.matching.identity import Identity, Problem
from labbridge.matching.text import clean, fold

OLDEST = 120  # years
LONGEST_LINE = 255
REQUIRED = {"first_name", "last_name", "email"}  # by Rupa (rupa-api.md 5.6)

MONTHS = {
    "january": 1, "february": 2, "march": 3, "april": 4, "may": 5, "june": 6, "july": 7, "august": 8,
    "september": 9, "october": 10, "november": 11, "december": 12, "sept": 9,
}  # fmt: skip
MONTHS |= {name[:3]: number for name, number in MONTHS.items()}
SEXES = {
    "f": "F", "female": "F", "woman": "F", "girl": "F", "w": "F",
    "m": "M", "male": "M", "man": "M", "boy": "M",
    "x": "X", "nonbinary": "X", "other": "X", "o": "X", "intersex": "X",
}  # fmt: skip
SEX_UNSTATED = {"u", "unknown", "notspecified", "declined", "prefernottosay", "notstated", "na"}

Fault = tuple[str, str] | None
T = TypeVar("T")


class _Reader:
    """Takes the values of one patient and keeps the problems."""

    def __init__(self, person: Mapping[str, object]) -> None:
        self._person = person
        self.problems: list[Problem] = []

    def take(self, field: str, read: Callable[[object], tuple[T, Fault]]) -> T:
        value, fault = read(self._person.get(field))
        if fault:
            code, sentence = fault
            self.problems.append(Problem(field, f"{field}.{code}", sentence, field in REQUIRED))
        return value


def normalise(person: Mapping[str, object], *, today: date, region: str = "US") -> Identity:
    """A patient in comparable form. `person` has the keys of identity.PARTS; absent, None and "" are the same.

    Values may be text, dates or numbers. `today` is the practice's own day, `region` the country of phone numbers
    without one. Unusable values are left out and told in `problems`. Never raises on a value.
    """
    reader = _Reader(person)
    first = reader.take("first_name", lambda value: names.read_name(value, "first name"))
    last = reader.take("last_name", lambda value: names.read_name(value, "last name"))
    email = reader.take("email", contact.read_email)
    birthday = reader.take("birthday", lambda value: read_birthday(value, today))
    phone = reader.take("phone", lambda value: contact.read_phone(value, region))
    gender = reader.take("gender", read_sex)
    street, city = reader.take("street", _line), reader.take("city", _line)
    state = reader.take("state", address.read_state)
    zipcode = reader.take("zipcode", lambda value: address.read_zipcode(value, state))
    given, generation_beside_given = names.given_name(first)
    family, generation = names.family_name(last)
    return Identity(
        first_name=first, last_name=last, email=email, phone=phone, birthday=birthday, gender=gender,
        street=street, city=city, state=state, zipcode=zipcode,
        given=given, family=family, generation=generation or generation_beside_given,
        mailbox=contact.mailbox(email) if email else None,
        street_key=address.street_key(street or ""), city_key=" ".join(fold(city or "")),
        problems=tuple(reader.problems),
    )  # fmt: skip


def _line(value: object) -> tuple[str | None, Fault]:
    text = clean(value)
    if re.search(r"[<>]", text):
        return None, ("markup", "The address contains markup, such as < or >. That part is left out.")
    if len(text) > LONGEST_LINE:
        return None, ("long", f"The address is longer than {LONGEST_LINE} characters. That part is left out.")
    return text or None, None


def read_birthday(value: object, today: date) -> tuple[date | None, Fault]:
    """The day, and what is wrong. A two-digit year is refused: 1/2/24 may be a child or a centenarian."""
    if isinstance(value, datetime):
        value = value.date()
    text = value.isoformat() if isinstance(value, date) else clean(value)
    if not text:
        return None, ("missing", "The birthday is missing.")
    parts = _year_month_day(text)
    if parts is None:
        short = re.fullmatch(r"[0-9]{1,2}[/.-][0-9]{1,2}[/.-][0-9]{2}", text)
        if short:
            return None, ("short_year", "The birthday's year has two digits. Write all four.")
        return None, ("unreadable", "The birthday cannot be read as a date.")
    try:
        day = date(*parts)
    except ValueError:
        return None, ("no_such_day", "The birthday is a day that does not exist.")
    return _sensible(day, today)


def _sensible(day: date, today: date) -> tuple[date | None, Fault]:
    if day > today:
        return None, ("future", "The birthday lies in the future.")
    if today.year - day.year - ((today.month, today.day) < (day.month, day.day)) > OLDEST:
        return None, ("too_old", f"The birthday is more than {OLDEST} years ago.")
    return day, None


def _year_month_day(text: str) -> tuple[int, int, int] | None:
    """From 1980-05-17 (with or without a time), 19800517, 5/17/1980 (American) and May 17, 1980."""
    if found := re.fullmatch(r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})(?:[T ][0-9:.]+(?:Z|[+-][0-9:]+)?)?", text):
        return int(found[1]), int(found[2]), int(found[3])
    if found := re.fullmatch(r"([0-9]{1,2})([/.-])([0-9]{1,2})\2([0-9]{4})(?: [0-9:]+(?: ?[AP]M)?)?", text):
        return int(found[4]), int(found[1]), int(found[3])
    if found := re.fullmatch(r"([A-Za-z]{3,9})\.? ([0-9]{1,2})(?:st|nd|rd|th)?,? ([0-9]{4})", text):
        month = MONTHS.get(found[1].casefold())
        return (int(found[3]), month, int(found[2])) if month else None
    return None


def read_sex(value: object) -> tuple[str | None, Fault]:
    """F, M or X, and what is wrong. What the patient did not state is no problem."""
    word = "".join(fold(clean(value)))
    if not word or word in SEX_UNSTATED:
        return None, None
    known = SEXES.get(word)
    return (
        (known, None)
        if known
        else (None, ("unknown", "The sex cannot be read; use F, M or X. It is left out."))
    )
