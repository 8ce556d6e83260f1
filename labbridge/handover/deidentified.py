"""What a de-identified letter can hold: a closed list of types, none of which can carry a patient.

A field of a `Deidentified` payload is a `Month`, a `Word` out of a vocabulary of ours, a `Count` that hides small
numbers, a `CatalogueId`, a bool, or nothing. There is no type for text, for an id of a patient, an order or a result,
or for a day. Three things keep it so, each tested: mypy refuses other values, a class with another field cannot be
defined, and a value that slipped by as `Any` is refused when the payload is made. This module imports nothing of
Django's, so that mypy can judge it in a test.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, fields
from datetime import datetime, tzinfo
from types import UnionType
from typing import Union, get_args, get_origin, get_type_hints

SMALLEST_CELL = (
    11  #: the US health authorities' own rule for published tables (CMS cell size suppression policy)
)


class NotSafe(TypeError):
    """A value or a field that a de-identified letter cannot hold. Names the field or the type, never the value."""


@dataclass(frozen=True)
class Month:
    """A date, to the month. Made with `of`."""

    year: int
    month: int

    @classmethod
    def of(cls, moment: datetime, zone: tzinfo) -> Month:
        local = moment.astimezone(zone)
        return cls(local.year, local.month)

    def __post_init__(self) -> None:
        if type(self.year) is not int or type(self.month) is not int or not 1 <= self.month <= 12:
            raise NotSafe("not a month")

    def plain(self) -> str:
        return f"{self.year:04}-{self.month:02}"


@dataclass(frozen=True)
class Word:
    """A word out of a vocabulary that stands in our code.

    Raises:
        NotSafe: it is not in the vocabulary. The word is not repeated.

    """

    text: str
    vocabulary: Collection[str] = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.text not in self.vocabulary:
            raise NotSafe("not a word of ours")

    def plain(self) -> str:
        return str(self.text)


@dataclass(frozen=True)
class Count:
    """How many; below `SMALLEST_CELL` only that it is less. Nought is told: it is about nobody."""

    number: int

    def __post_init__(self) -> None:
        if type(self.number) is not int or self.number < 0:
            raise NotSafe("not a count")

    def plain(self) -> int | None:
        return self.number if self.number == 0 or self.number >= SMALLEST_CELL else None


@dataclass(frozen=True)
class CatalogueId:
    """Our number of a lab test or a lab company of the public catalogue, as `/api/v1/lab-tests` lists them."""

    number: int

    def __post_init__(self) -> None:
        if type(self.number) is not int:
            raise NotSafe("not a number of the catalogue")

    @classmethod
    def shared_by(cls, number: int, people: int) -> CatalogueId | None:
        """What an event is about, told only where so many share it that it points at nobody."""
        return cls(number) if people >= SMALLEST_CELL else None

    def plain(self) -> int:
        return self.number


Safe = Month | Word | Count | CatalogueId | bool | None
SAFE: frozenset[type] = frozenset({Month, Word, Count, CatalogueId, bool, type(None)})


@dataclass(frozen=True)
class Deidentified:
    """The base of all de-identified payloads. A subclass with a field of another type cannot be defined."""

    def __init_subclass__(cls) -> None:
        for name, hint in get_type_hints(cls).items():
            parts = get_args(hint) if get_origin(hint) in {Union, UnionType} else (hint,)
            if not SAFE.issuperset(parts):
                raise NotSafe(f"{cls.__name__}.{name} has a type that may carry patient data")

    def __post_init__(self) -> None:
        for one in fields(self):
            if type(getattr(self, one.name)) not in SAFE:
                raise NotSafe(f"{type(self).__name__}.{one.name} was given something that is not safe")

    def said(self) -> dict[str, Safe]:
        return {one.name: getattr(self, one.name) for one in fields(self)}


@dataclass(frozen=True)
class PhaseChanged(Deidentified):
    month: Month
    phase: Word
    previous_phase: Word | None
    demo: bool


@dataclass(frozen=True)
class ResultFiled(Deidentified):
    month: Month
    amended: bool
    lab_company: CatalogueId | None


@dataclass(frozen=True)
class ReviewNeeded(Deidentified):
    month: Month
    question: Word


@dataclass(frozen=True)
class PaymentChanged(Deidentified):
    month: Month
    payment_status: Word
    previous_payment_status: Word | None
    demo: bool


@dataclass(frozen=True)
class CatalogueChanged(Deidentified):
    month: Month
    lab_test: CatalogueId | None
    changed: Word


@dataclass(frozen=True)
class AlertChanged(Deidentified):
    month: Month
    rule: Word
    severity: Word
    owner: Word
    state: Word


@dataclass(frozen=True)
class MonthCounted(Deidentified):
    month: Month
    orders_submitted: Count
    orders_completed: Count
    orders_canceled: Count
    results_found: Count


@dataclass(frozen=True)
class Tried(Deidentified):
    """A test letter."""

    month: Month


def plain(payload: Deidentified) -> dict[str, str | int | bool | None]:
    """As JSON says it."""
    return {name: _plain(value) for name, value in payload.said().items()}


def _plain(value: Safe) -> str | int | bool | None:
    match value:
        case None | bool():
            return value
        case Month() | Word() | Count() | CatalogueId():
            return value.plain()
