"""A proposal for `[caspio.patients]` from the names and types of a Caspio table's fields, with its reasons.

A proposal is for a person to look at: nothing is matched in silence, and what is not sure is left open.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz

from labbridge.peers.caspio.types import Field, FieldType

#: What practices call their patients' table; the first is the likeliest.
TABLES = ("patients", "patient", "clients", "client", "members", "people", "contacts", "customers")

#: What they call its fields. Words are compared without case, blanks and underscores.
NAMES: dict[str, tuple[str, ...]] = {
    "first_name": ("first name", "given name", "fname", "patient first name", "legal first name", "forename"),
    "last_name": ("last name", "surname", "family name", "lname", "patient last name", "legal last name"),
    "email": ("email", "e mail", "email address", "patient email", "primary email"),
    "birthday": ("date of birth", "dob", "birthday", "birth date", "birthdate", "patient dob"),
    "phone": ("phone", "phone number", "mobile", "mobile phone", "cell", "cell phone", "telephone"),
    "gender": ("sex", "gender", "sex at birth"),
    "street": ("street", "address", "address 1", "street address", "address line 1"),
    "city": ("city", "town"),
    "state": ("state", "province", "state province"),
    "zipcode": ("zip", "zip code", "zipcode", "postal code", "postcode"),
}
NEEDED = ("first_name", "last_name", "email", "birthday")
KEYS = ("patient id", "patient key", "client id", "patient number", "mrn", "id", "guid", "record id")

_TEXT = frozenset({FieldType.STRING, FieldType.TEXT})
_LISTS = frozenset({FieldType.LIST_STRING})
TYPES: dict[str, frozenset[FieldType]] = {
    **dict.fromkeys(NAMES, _TEXT),
    "birthday": frozenset({FieldType.DATE_TIME, FieldType.STRING}),
    "zipcode": _TEXT | {FieldType.INTEGER, FieldType.NUMBER},
    "gender": _TEXT | _LISTS,
    "state": _TEXT | _LISTS,
}
PLAIN = "its name says so"
SURE = 88  #: of 100; less alike is not proposed


@dataclass(frozen=True)
class Proposal:
    ours: str
    theirs: str  #: "" when nothing fits
    reason: str


def likely_tables(tables: Iterable[str], most: int = 6) -> list[str]:
    """Tables that may hold the patients, the likeliest first."""
    scored = sorted(
        ((_table_score(name), name) for name in tables), key=lambda one: (-one[0], one[1].lower())
    )
    return [name for score, name in scored if score >= 60][:most]


def _table_score(name: str) -> float:
    plain = _plain(name)
    return max(fuzz.ratio(plain, _plain(word)) - 2 * place for place, word in enumerate(TABLES))


def fitness(fields: Sequence[Field]) -> int:
    """How many of the needed fields a table has."""
    return sum(1 for one in propose(fields) if one.ours in NEEDED and one.theirs)


def propose(fields: Sequence[Field], chosen: Mapping[str, str] | None = None) -> list[Proposal]:
    """One proposal for the key and for each field of ours. `chosen` was decided by a person: ours to theirs."""
    chosen = dict(chosen or {})
    free = [one for one in fields if one.name not in chosen.values()]
    made = [_key(fields, chosen)]
    pairs = sorted(
        (
            (_score(ours, one.name), ours, one)
            for ours in NAMES if ours not in chosen
            for one in free if one.kind in TYPES[ours]
        ),
        key=lambda pair: (-pair[0], list(NAMES).index(pair[1]), pair[2].name),
    )  # fmt: skip
    best: dict[str, tuple[float, Field]] = {}
    for score, ours, one in pairs:  # the most alike take their fields first; none is given twice
        if score >= SURE and ours not in best and one.name not in {taken.name for _, taken in best.values()}:
            best[ours] = (score, one)
    for ours in NAMES:
        if ours in chosen:
            made.append(Proposal(ours, chosen[ours], "as you said"))
        elif ours in best:
            score, one = best[ours]
            made.append(Proposal(ours, one.name, _reason(score, one)))
        else:
            made.append(Proposal(ours, "", "no field has such a name and a fitting type"))
    return made


def _reason(score: float, one: Field) -> str:
    alike = PLAIN if score == 100 else f"its name is {score:.0f} % alike"
    return f"{alike}, and it is of the type {one.type}"


def _score(ours: str, theirs: str) -> float:
    plain = _plain(theirs)
    return max(fuzz.ratio(plain, _plain(word)) for word in (ours, *NAMES[ours]))


def _key(fields: Sequence[Field], chosen: Mapping[str, str]) -> Proposal:
    """A unique field with the name of a key; PK_ID, which every table has, is as good."""
    if "key" in chosen:
        return Proposal("key", chosen["key"], "as you said")
    for word in KEYS:
        for one in fields:
            if one.unique and _plain(one.name) == _plain(word):
                return Proposal("key", one.name, "it is unique, and its name is that of a key")
    return Proposal("key", "PK_ID", "every table has it, and no other unique field looks like a key")


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
