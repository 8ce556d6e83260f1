"""A person's particulars as one plain document, and the keyed hashes by which two of them are compared."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date, datetime
from typing import Any

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


def indexes(person: Person) -> tuple[bytes | None, bytes | None]:
    """Keyed hashes of e-mail and birthday: equal when they are equal, telling nothing else."""
    email, birthday = normal_email(person.get("email")), normal_birthday(person.get("birthday"))
    return (
        keyring().blind(email, "email") if email else None,
        keyring().blind(birthday, "birthday") if birthday else None,
    )
