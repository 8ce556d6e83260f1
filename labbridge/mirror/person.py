"""A person's particulars as one plain document, and the keyed hashes by which two of them are compared."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from datetime import date, datetime
from typing import Any

import orjson

from labbridge.trust.keys import keyring

PARTS = (
    "first_name", "last_name", "email", "phone", "birthday", "gender", "street", "city", "state", "zipcode",
)  # fmt: skip

Person = dict[str, str | None]


def person_of(source: Any, present: Collection[str]) -> Person:
    """The parts that `source` states, as text; a birthday as YYYY-MM-DD."""
    return {part: as_text(getattr(source, part)) for part in PARTS if part in present}


def as_text(value: object) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, datetime | date):
        return value.isoformat()[:10]
    return str(value).replace("\u00a0", " ").strip() or None


def normal_email(value: str | None) -> str | None:
    """Lower case, without spaces around; None when it is no address at all."""
    text = (value or "").strip().casefold()
    return text if re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", text) else None


def normal_birthday(value: str | None) -> str | None:
    """YYYY-MM-DD from ISO text or the American form; None when it is neither."""
    text = (value or "").strip()
    for pattern in ("%Y-%m-%d", "%m/%d/%Y"):
        try:
            return datetime.strptime(text[:10], pattern).date().isoformat()  # noqa: DTZ007  # a day has no zone
        except ValueError:
            continue
    return None


def name_words(person: Person, part: str) -> set[str]:
    """The words of a name that two records can be compared by: no accents, no case, no initials."""
    plain = unicodedata.normalize("NFKD", person.get(part) or "").casefold()
    letters = "".join(sign if sign.isalnum() else "" if _joins(sign) else " " for sign in plain)
    return {word for word in letters.split() if len(word) > 1}


def _joins(sign: str) -> bool:
    """Accents and apostrophes are left out without parting a word: O'Brien is OBRIEN."""
    return bool(unicodedata.combining(sign)) or sign in "'\u2019"


def birthdays_differ(one: Person, other: Person) -> bool:
    """Whether both are known and cannot be one."""
    ours, theirs = normal_birthday(one.get("birthday")), normal_birthday(other.get("birthday"))
    return bool(ours and theirs) and ours != theirs


def names_differ(one: Person, other: Person) -> bool:
    """Whether both are known and have no word in common, given or family name."""
    ours, theirs = (name_words(who, "first_name") | name_words(who, "last_name") for who in (one, other))
    return bool(ours and theirs) and not ours & theirs


def first_names_differ(one: Person, other: Person) -> bool:
    """Whether two records of one e-mail and birthday may be twins: two first names that cannot be one.

    A short form ("Rob", "Robert") is no difference; a name that is not known is none either.
    """
    ours, theirs = name_words(one, "first_name"), name_words(other, "first_name")
    alike = any(a.startswith(b) or b.startswith(a) for a in ours for b in theirs)
    return bool(ours and theirs) and not alike


def content_index(person: Person, rupa_patient_id: str) -> bytes:
    """What a row is compared by with what it was."""
    return keyring().blind(orjson.dumps([person, rupa_patient_id]).decode(), "chart content")


def indexes(person: Person) -> tuple[bytes | None, bytes | None]:
    """Keyed hashes of e-mail and birthday: equal when they are equal, telling nothing else."""
    email, birthday = normal_email(person.get("email")), normal_birthday(person.get("birthday"))
    return (
        keyring().blind(email, "email") if email else None,
        keyring().blind(birthday, "birthday") if birthday else None,
    )
