"""Two patients compared field by field. Symmetric: who comes first does not matter."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from rapidfuzz.distance import OSA

from labbridge.matching.compare_names import family_level, given_level, swapped
from labbridge.matching.evidence import Evidence, Field, Level, Reason
from labbridge.matching.identity import Identity

#: Days that programs fill in where nobody stated one (the first of a century, an epoch). Real ones are rare.
COMMON_DEFAULTS = {date(1970, 1, 1), date(2000, 1, 1), date(1980, 1, 1), date(1990, 1, 1), date(1911, 11, 11)}


@dataclass(frozen=True, slots=True)
class Comparison:
    evidence: tuple[Evidence, ...]

    @property
    def score(self) -> int:
        return sum(one.weight for one in self.evidence)

    @property
    def reasons(self) -> tuple[Reason, ...]:
        return tuple(one.reason for one in self.evidence)

    def level(self, field: Field) -> Level | None:
        """None where the field was not compared: `name` unless swapped, first and last name if swapped."""
        return next((one.level for one in self.evidence if one.field is field), None)

    def has(self, field: Field, levels: Collection[Level]) -> bool:
        return self.level(field) in levels


def compare(one: Identity, other: Identity) -> Comparison:
    """All evidence, strongest fields first."""
    evidence = [
        Evidence(Field.EMAIL, email_level(one, other)),
        Evidence(Field.BIRTHDAY, birthday_level(one.birthday, other.birthday)),
        *_names(one, other),
        Evidence(Field.PHONE, _equal(one.phone, other.phone)),
        Evidence(Field.ADDRESS, address_level(one, other)),
        Evidence(Field.SEX, sex_level(one.gender, other.gender)),
    ]
    if one.generation or other.generation:
        evidence.append(Evidence(Field.GENERATION, _equal(one.generation, other.generation)))
    return Comparison(tuple(evidence))


def _names(one: Identity, other: Identity) -> tuple[Evidence, ...]:
    first = given_level(one.given, other.given)
    last = family_level(one.family, other.family)
    if not (first is Level.SAME and last is Level.SAME) and swapped(one, other):
        return (Evidence(Field.NAME, Level.SWAPPED),)
    return Evidence(Field.FIRST_NAME, first), Evidence(Field.LAST_NAME, last)


def _equal(one: str | None, other: str | None) -> Level:
    if not one or not other:
        return Level.MISSING
    return Level.SAME if one == other else Level.DIFFERENT


def email_level(one: Identity, other: Identity) -> Level:
    if not one.email or not other.email:
        return Level.MISSING
    if one.email == other.email:
        return Level.SAME
    if one.email_key == other.email_key:
        return Level.CASE
    if one.mailbox == other.mailbox:
        return Level.MAILBOX
    return Level.TYPO if _email_typo(one.email.casefold(), other.email.casefold()) else Level.DIFFERENT


def _email_typo(one: str, other: str) -> bool:
    """One half is the same, the other differs by at most two letters, or by one where it is short."""
    halves = list(zip(one.rpartition("@")[::2], other.rpartition("@")[::2], strict=True))
    unequal = [pair for pair in halves if pair[0] != pair[1]]
    if len(unequal) != 1:
        return False
    allowed = 2 if min(map(len, unequal[0])) >= 8 else 1
    return OSA.distance(*unequal[0], score_cutoff=allowed) <= allowed


def birthday_level(one: date | None, other: date | None) -> Level:
    if one is None or other is None:
        return Level.MISSING
    if one == other:
        return Level.COMMON_DEFAULT if one in COMMON_DEFAULTS else Level.SAME
    if (one.year, one.month, one.day) == (other.year, other.day, other.month):
        return Level.DAY_MONTH
    return _digits_level(f"{one:%Y%m%d}", f"{other:%Y%m%d}")


def _digits_level(one: str, other: str) -> Level:
    places = [place for place, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]
    if len(places) == 1:
        return Level.ONE_DIGIT
    if len(places) == 2 and places[1] - places[0] == 1:
        left, right = places
        if (one[left], one[right]) == (other[right], other[left]):
            return Level.TRANSPOSED
    return Level.DIFFERENT


def address_level(one: Identity, other: Identity) -> Level:
    """The street decides, in one spelling; a ZIP code or city that contradicts it makes it another one."""
    if not one.street_key or not other.street_key:
        return Level.MISSING
    if one.street_key != other.street_key:
        return Level.DIFFERENT
    zips = {identity.zipcode[:5] for identity in (one, other) if identity.zipcode}
    cities = {identity.city_key for identity in (one, other) if identity.city_key}
    return Level.DIFFERENT if len(zips) == 2 and len(cities) == 2 else Level.SAME


def sex_level(one: str | None, other: str | None) -> Level:
    if not one or not other:
        return Level.MISSING
    if one == other:
        return Level.SAME
    return Level.DIFFERENT if {one, other} == {"F", "M"} else Level.MISSING
