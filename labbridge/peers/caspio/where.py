"""Conditions for Caspio, built from typed values. The only place that quotes.

Caspio hands the text to SQL Server (caspio-api.md 3.3), so a value that is pasted in is SQL injection.

    where = (field("Status") == "Open") & field("Lab_ID").is_in(ids) & ~field("Note").is_empty()

A condition's repr names fields and never values. Comparison is SQL's: case does not matter, trailing
blanks do not matter, and nothing equals null.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import NoReturn
from urllib.parse import quote
from uuid import UUID

Value = str | int | Decimal | bool | date | datetime | UUID

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)

# Words that SQL Server would read as a value or an operator where a field's name is meant. Caspio forbids
# reserved words as names (caspio-api.md 3.5); the others can only end in a refusal.
NOT_NAMES = frozenset(
    (
        *(
            "all",
            "and",
            "any",
            "between",
            "exists",
            "in",
            "is",
            "like",
            "not",
            "null",
            "or",
            "select",
            "some",
        ),
        *("case", "coalesce", "convert", "nullif", "current_date", "current_time", "current_timestamp"),
        *("current_user", "session_user", "system_user", "user"),
    )
)


class Where:
    """A condition. Combine with `&`, `|` and `~`."""

    __slots__ = ()

    def sql(self, *, unicode: bool = False) -> str:
        """The text for `q.where`. `unicode` writes strings as N'…' (unproven on v3, caspio-api.md 9)."""
        raise NotImplementedError

    @property
    def fields(self) -> frozenset[str]:
        """The names of all fields mentioned."""
        raise NotImplementedError

    def __and__(self, other: Where) -> Where:
        return And((*parts_of(self, And), *parts_of(other, And)))

    def __or__(self, other: Where) -> Where:
        return Or((*parts_of(self, Or), *parts_of(other, Or)))

    def __invert__(self) -> Where:
        return Not(self)

    def __bool__(self) -> NoReturn:
        raise TypeError("combine conditions with & | ~, not with and/or/not")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} on {', '.join(sorted(self.fields))}>"


class Field:
    """A field in a condition; `field("Name")` is the usual way to write it."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = check_name(name)

    def __eq__(self, value: Value) -> Where:  # type: ignore[override]  # builds a condition, like an ORM
        return Comparison(self.name, "=", checked(value))

    def __ne__(self, value: Value) -> Where:  # type: ignore[override]  # builds a condition, like an ORM
        return Comparison(self.name, "<>", checked(value))

    __hash__ = None  # type: ignore[assignment]  # what cannot be compared cannot be a key

    def __lt__(self, value: Value) -> Where:
        return Comparison(self.name, "<", checked(value))

    def __le__(self, value: Value) -> Where:
        return Comparison(self.name, "<=", checked(value))

    def __gt__(self, value: Value) -> Where:
        return Comparison(self.name, ">", checked(value))

    def __ge__(self, value: Value) -> Where:
        return Comparison(self.name, ">=", checked(value))

    def is_in(self, values: Iterable[Value]) -> Where:
        """One of `values`; see `split` for lists that are too long for an address."""
        distinct = tuple({literal(value): value for value in values}.values())
        if not distinct:
            raise ValueError(f"{self.name}: an empty list matches nothing, so do not ask")
        return In(self.name, distinct)

    def is_null(self) -> Where:
        return Null(self.name)

    def is_empty(self) -> Where:
        """Null or "": Caspio returns text that was never set as "" (caspio-api.md 2.2). Text fields only."""
        return Or((Null(self.name), Comparison(self.name, "=", "")))

    def contains(self, text: str) -> Where:
        return Like(self.name, f"%{escape_like(text)}%")

    def starts_with(self, text: str) -> Where:
        return Like(self.name, f"{escape_like(text)}%")


def field(name: str) -> Field:
    """Begin a condition. Raises ValueError for a name that is not letters, digits and _."""
    return Field(name)


@dataclass(frozen=True, slots=True, repr=False)
class Comparison(Where):
    name: str
    operator: str
    value: Value

    def sql(self, *, unicode: bool = False) -> str:
        return f"{self.name}{self.operator}{literal(self.value, unicode=unicode)}"

    @property
    def fields(self) -> frozenset[str]:
        return frozenset((self.name,))


@dataclass(frozen=True, slots=True, repr=False)
class In(Where):
    name: str
    values: tuple[Value, ...]

    def sql(self, *, unicode: bool = False) -> str:
        return f"{self.name} IN ({','.join(literal(value, unicode=unicode) for value in self.values)})"

    @property
    def fields(self) -> frozenset[str]:
        return frozenset((self.name,))


@dataclass(frozen=True, slots=True, repr=False)
class Null(Where):
    name: str

    def sql(self, *, unicode: bool = False) -> str:  # noqa: ARG002 - no literal in it
        return f"{self.name} IS NULL"

    @property
    def fields(self) -> frozenset[str]:
        return frozenset((self.name,))


@dataclass(frozen=True, slots=True, repr=False)
class Like(Where):
    name: str
    pattern: str

    def sql(self, *, unicode: bool = False) -> str:
        return f"{self.name} LIKE {literal(self.pattern, unicode=unicode)}"

    @property
    def fields(self) -> frozenset[str]:
        return frozenset((self.name,))


@dataclass(frozen=True, slots=True, repr=False)
class Group(Where):
    parts: tuple[Where, ...]

    def joined(self, word: str, *, unicode: bool) -> str:
        texts = (part.sql(unicode=unicode) for part in self.parts)
        return f" {word} ".join(
            f"({text})" if isinstance(part, Group) else text
            for part, text in zip(self.parts, texts, strict=True)
        )

    @property
    def fields(self) -> frozenset[str]:
        return frozenset().union(*(part.fields for part in self.parts))


class And(Group):
    __slots__ = ()

    def sql(self, *, unicode: bool = False) -> str:
        return self.joined("AND", unicode=unicode)


class Or(Group):
    __slots__ = ()

    def sql(self, *, unicode: bool = False) -> str:
        return self.joined("OR", unicode=unicode)


@dataclass(frozen=True, slots=True, repr=False)
class Not(Where):
    part: Where

    def sql(self, *, unicode: bool = False) -> str:
        return f"NOT ({self.part.sql(unicode=unicode)})"

    @property
    def fields(self) -> frozenset[str]:
        return self.part.fields


def parts_of(where: Where, kind: type[Group]) -> tuple[Where, ...]:
    return where.parts if isinstance(where, kind) else (where,)


def check_name(name: str) -> str:
    if not NAME.fullmatch(name) or name.lower() in NOT_NAMES:
        raise ValueError("a field's name is letters, digits and _, begins with no digit, and is no SQL word")
    return name


def checked(value: Value) -> Value:
    literal(value)
    return value


def escape_like(text: str) -> str:
    """The wildcards % _ [ stand for themselves inside brackets (caspio-api.md 3.3)."""
    if not text:
        raise ValueError("an empty text is contained in everything")
    return re.sub(r"[%_\[]", r"[\g<0>]", text)


def literal(value: Value, *, unicode: bool = False) -> str:
    """The value as SQL. Raises ValueError or TypeError, whose texts never hold the value."""
    match value:
        case bool():  # before int, which it also is; =true is refused (caspio-api.md 3.3)
            return "1" if value else "0"
        case int():
            return integer(value)
        case Decimal():
            return number(value)
        case str():
            return text_literal(value, unicode=unicode)
        case datetime():
            return f"'{wall_clock(value)}'"
        case date() | UUID():
            return f"'{value}'"
    raise TypeError(f"no condition can be built from {type(value).__name__}")


def integer(value: int) -> str:
    if not -(2**63) <= value < 2**63:
        raise ValueError("a whole number beyond 64 bits")
    return int.__repr__(value)  # an enum's own str would be its name


def number(value: Decimal) -> str:
    if not value.is_finite():
        raise ValueError("not a finite number")
    text = format(value, "f")
    if len(text.strip("-").replace(".", "")) > 38:  # what SQL Server can hold
        raise ValueError("a number of more than 38 digits")
    return text


def text_literal(value: str, *, unicode: bool) -> str:
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in value):
        raise ValueError("control characters cannot stand in a condition")
    return ("N" if unicode else "") + "'" + str.replace(value, "'", "''") + "'"


def wall_clock(value: datetime) -> str:
    """Caspio's times have no zone and mangle one that is sent (caspio-api.md 3.4)."""
    if value.tzinfo is not None:
        raise ValueError("turn an aware time into the practice's wall clock first")
    if value.microsecond:
        raise ValueError("Caspio compares whole seconds")
    return value.isoformat(timespec="seconds")


def encoded_length(where: Where, *, unicode: bool = False) -> int:
    """Characters that the condition takes in an address."""
    return len(quote(where.sql(unicode=unicode), safe=""))


def split(where: Where, max_length: int, *, unicode: bool = False) -> Iterator[Where]:
    """Yield conditions of at most `max_length` encoded characters that together match the same rows.

    Only an IN list that stands alone or in a conjunction can be cut. Raises ValueError when that does not
    suffice. A row may match two pieces when two values differ in case only.
    """
    if encoded_length(where, unicode=unicode) <= max_length:
        yield where
        return
    parts = parts_of(where, And)
    lists = [part for part in parts if isinstance(part, In)]
    if not lists:
        raise ValueError("the condition is too long for an address and has no list to cut")
    longest = max(lists, key=lambda part: len(part.sql()))
    others = tuple(part for part in parts if part is not longest)

    def with_values(values: Sequence[Value]) -> Where:
        piece = replace(longest, values=tuple(values))
        return And((*others, piece)) if others else piece

    yield from _cut(longest.values, with_values, max_length, unicode=unicode)


def _cut(
    values: Sequence[Value], build: Callable[[Sequence[Value]], Where], max_length: int, *, unicode: bool
) -> Iterator[Where]:
    """Fill each piece with as many values as fit."""
    comma = len(quote(",", safe=""))
    room = max_length - encoded_length(build(()), unicode=unicode)
    taken: list[Value] = []
    used = 0
    for value in values:
        cost = len(quote(literal(value, unicode=unicode), safe=""))
        if cost > room:
            raise ValueError("the condition is too long for an address even with one value in its list")
        if taken and used + comma + cost > room:
            yield build(taken)
            taken, used = [], 0
        used += cost + (comma if taken else 0)
        taken.append(value)
    yield build(taken)


PK_ID = Field("PK_ID")
