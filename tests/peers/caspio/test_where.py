"""Conditions: what SQL Server would read in them is exactly what was meant, whatever the values are."""

from datetime import date, datetime, timezone
from decimal import Decimal
from enum import StrEnum
from urllib.parse import quote
from uuid import UUID

import pytest
import sqlglot
from hypothesis import assume, given
from hypothesis import strategies as st
from sqlglot import exp

from labbridge.peers.caspio.where import PK_ID, And, Field, In, encoded_length, field, split

SAFE_TEXT = st.text(st.characters(exclude_categories=("Cc", "Cs")))
NASTY = st.sampled_from(
    [
        "'",
        "''",
        "' OR '1'='1",
        "'; DROP TABLE Patients; --",
        "/*",
        "*/",
        "--",
        "\\'",
        "\\",
        "%",
        "]]",
        "[",
        "N'",
    ]
)
TEXT = st.one_of(SAFE_TEXT, NASTY, st.lists(NASTY).map("".join))
NAMES = st.from_regex(r"\AF_[A-Za-z0-9_]{0,20}\Z")


def parsed(where, **options):
    return (
        sqlglot.parse_one(f"SELECT 1 FROM t WHERE {where.sql(**options)}", dialect="tsql").args["where"].this
    )


def shape(node):
    """The tree without its values, so that a value that became grammar shows."""
    if isinstance(node, exp.Paren):
        return shape(node.this)
    if isinstance(node, exp.And | exp.Or):
        return (type(node).__name__, shape(node.left), shape(node.right))
    if isinstance(node, exp.Not):
        return ("Not", shape(node.this))
    if isinstance(node, exp.In):
        return ("In", node.this.name, len(node.expressions))
    return (type(node).__name__, node.this.name)


@given(NAMES, TEXT, st.booleans())
def test_any_text_comes_back_as_one_literal(name, text, unicode):
    node = parsed(field(name) == text, unicode=unicode)
    assert isinstance(node, exp.EQ)
    assert (node.left.name, node.right.name) == (name, text)
    assert isinstance(node.right, exp.National if unicode else exp.Literal)


@given(TEXT, TEXT, TEXT, st.lists(TEXT, min_size=1, max_size=5, unique=True))
def test_no_value_changes_the_tree(first, second, third, many):
    where = ((field("A") == first) | (field("B") > second)) & ~(field("C") != third) & field("D").is_in(many)
    assert shape(parsed(where)) == (
        "And",
        ("And", ("Or", ("EQ", "A"), ("GT", "B")), ("Not", ("NEQ", "C"))),
        ("In", "D", len(many)),
    )
    assert [value.name for value in parsed(where).find(exp.In).expressions] == many


@given(st.integers(-(2**63), 2**63 - 1))
def test_whole_numbers(number):
    node = parsed(field("A") >= number)
    assert int(node.right.sql()) == number


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15, places=4))
def test_decimals_are_exact(number):
    assert Decimal(parsed(field("A") < number).right.sql()) == number


@given(st.datetimes().map(lambda time: time.replace(microsecond=0)))
def test_times_are_wall_clock(time):
    assert datetime.fromisoformat(parsed(field("A") <= time).right.name) == time


@given(TEXT.filter(bool), TEXT)
def test_contains_finds_the_text_itself(needle, around):
    pattern = parsed(field("A").contains(needle)).expression.name
    assert like(pattern, around + needle + around)
    starts = parsed(field("A").starts_with(needle)).expression.name
    assert like(starts, needle + around)


def like(pattern, text):
    """SQL Server's LIKE over [%], [_], [[] and plain characters, case sensitive."""
    assert pattern.endswith("%")
    anchored = not pattern.startswith("%")
    body = pattern[0 if anchored else 1 : -1]
    plain = body.replace("[%]", "%").replace("[_]", "_").replace("[[]", "[")
    return text.startswith(plain) if anchored else plain in text


@pytest.mark.parametrize(
    ("where", "sql"),
    [
        (field("X") == "O'Reilly", "X='O''Reilly'"),
        (field("X") != 3, "X<>3"),
        (field("X") == True, "X=1"),  # noqa: E712 - the condition, not a test of truth
        (field("X") == False, "X=0"),  # noqa: E712 - as above
        (field("X") == date(2026, 1, 31), "X='2026-01-31'"),
        (field("X") >= datetime.fromisoformat("2026-01-31T08:00:00"), "X>='2026-01-31T08:00:00'"),
        (field("X") == UUID(int=7), "X='00000000-0000-0000-0000-000000000007'"),
        (field("X") > Decimal("1E+2"), "X>100"),
        (field("X").is_null(), "X IS NULL"),
        (~field("X").is_null(), "NOT (X IS NULL)"),
        (field("X").is_empty(), "X IS NULL OR X=''"),
        (field("X").is_empty() & (PK_ID > 4), "(X IS NULL OR X='') AND PK_ID>4"),
        ((field("A") == 1) & ((field("B") == 2) & (field("C") == 3)), "A=1 AND B=2 AND C=3"),
        (field("X").contains("50%_[a]"), "X LIKE '%50[%][_][[]a]%'"),
        (field("X").is_in([1, 2, 2, True]), "X IN (1,2)"),
        (field("_status") == "Active", "_status='Active'"),
    ],
)
def test_the_text(where, sql):
    assert where.sql() == sql


def test_an_enum_is_its_value():
    class State(StrEnum):
        OPEN = "open"

    assert (field("X") == State.OPEN).sql() == "X='open'"


@pytest.mark.parametrize(
    "name",
    ["", "1A", "A B", "A]", "A;B", "A'", "Ä", "A--", "null", "NOT", "Current_User", "A.B", "A" * 200, "A\n"],
)
def test_a_name_that_is_not_a_name_is_refused(name):
    with pytest.raises(ValueError, match="name"):
        field(name)


@pytest.mark.parametrize("text", ["a\0b", "a\nb", "\x7f", "\x85", "\ud800", "\t"])
def test_control_characters_are_refused_without_being_quoted(text):
    with pytest.raises(ValueError, match="control characters") as caught:
        field("A").is_in(["fine", text])
    assert text not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        2**63,
        Decimal("NaN"),
        Decimal("Infinity"),
        Decimal(10) ** 40,
        datetime(2026, 1, 1, tzinfo=timezone.utc),  # noqa: UP017 - an aware time, however spelled
        datetime.fromisoformat("2026-01-01T00:00:00.000001"),
    ],
)
def test_values_that_would_be_misread_are_refused(value):
    with pytest.raises(ValueError):  # noqa: PT011 - each has a sentence of its own
        field("A") == value  # noqa: B015 - building is what is refused


@pytest.mark.parametrize("value", [None, 1.5, b"x", ["x"], object()])
def test_other_types_are_refused(value):
    with pytest.raises(TypeError):
        field("A") == value  # noqa: B015 - building is what is refused


def test_and_or_not_of_python_are_refused():
    with pytest.raises(TypeError, match="combine"):
        bool(field("A") == 1)


def test_nothing_is_asked_for_an_empty_list_or_text():
    with pytest.raises(ValueError, match="empty list"):
        field("A").is_in([])
    with pytest.raises(ValueError, match="empty text"):
        field("A").contains("")


def test_a_repr_shows_fields_and_no_value():
    where = (field("Email") == "oriole@test.example") & field("Name").is_in(["Oriole"])
    assert repr(where) == "<And on Email, Name>"
    assert where.fields == {"Email", "Name"}


def test_conditions_are_values_and_fields_are_not_keys():
    assert hash(field("A") == 1) == hash(field("A") == 1)
    with pytest.raises(TypeError):
        hash(Field("A"))


@given(st.lists(TEXT, min_size=1, max_size=60, unique=True), st.integers(0, 400), st.booleans())
def test_a_split_list_fits_and_loses_nothing(values, extra, unicode):
    where = (field("B") == "fixed") & field("A").is_in(values)
    longest = max(
        encoded_length((field("B") == "fixed") & field("A").is_in([v]), unicode=unicode) for v in values
    )
    pieces = list(split(where, longest + extra, unicode=unicode))
    assert all(len(quote(piece.sql(unicode=unicode), safe="")) <= longest + extra for piece in pieces)
    lists = [part for piece in pieces for part in piece.parts if isinstance(part, In)]
    assert [value for part in lists for value in part.values] == values
    assert all(isinstance(piece, And) and (field("B") == "fixed").sql() in piece.sql() for piece in pieces)


def test_ids_are_packed_densely():
    pieces = list(split(field("Lab_ID").is_in(range(10_000, 11_000)), 1000))
    assert len(pieces) == 9  # 8 characters each, encoded


def test_what_cannot_be_cut_is_refused():
    for where in (
        field("A") == "x" * 500,
        ~field("A").is_in(range(500)),
        field("A").is_in(range(500)) | (field("B") == 1),
        field("A").is_in(["x" * 500]),
        field("A").is_in(["a", "x" * 500]),
    ):
        with pytest.raises(ValueError, match="too long"):
            list(split(where, 100))


@given(st.text())
def test_whatever_is_accepted_is_safe(text):
    try:
        where = field("A") == text
    except ValueError:
        return
    assume(text is not None)
    assert shape(parsed(where)) == ("EQ", "A")
