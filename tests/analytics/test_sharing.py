"""What is shared, as somebody would attack it who knows every sum: no small cell can be read or reckoned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labbridge.analytics.answers import Answer, Column
from labbridge.analytics.facts import refresh
from labbridge.analytics.questions import QUESTIONS
from labbridge.analytics.sharing import shared
from labbridge.practices.models import Practice
from tests.analytics.test_figures import PERIOD, TODAY

COLUMNS = (
    Column("lab", "Lab", "text"), Column("test", "Test", "text"), Column("orders", "Orders"),
    Column("canceled", "Canceled", of="orders"), Column("before", "Before"),
    Column("share", "Share", "share", of="orders"), Column("change", "Change", "change", of="before"),
    Column("amount", "Amount", "money", of="canceled"), Column("remark", "Remark", "text"),
    Column("key", "Key", "key"), Column("order", "Order", "text", shared=False),
)  # fmt: skip


def table(cells: Sequence[tuple[str, int, int, int]]) -> Answer:
    rows: list[tuple[Any, ...]] = [
        (lab, f"test {n}", a, min(a, b), c, a / 100, a - c, Decimal(b), "too few", "k", "ord_1")
        for n, (lab, a, b, c) in enumerate(cells)
    ]
    return Answer("t", COLUMNS, rows, ("Fine.", "3 are left out."), own=("3 are left out.",))


def is_told(cells: Sequence[tuple[int, int | None]]) -> bool:
    """Whether a small count can be told of cells (what is so, what is shown) whose sum is known."""
    if any(0 < kept < 11 for _, kept in cells if kept is not None):
        return True
    if sum(count for count, _ in cells) < 11:
        return False  # no table tells so small a sum
    return 0 < sum(count for count, kept in cells if kept is None) < 11


@given(st.lists(st.tuples(st.sampled_from("AB"), st.integers(0, 60), st.integers(0, 60), st.integers(0, 30)),
                max_size=9))  # fmt: skip
def test_no_sum_tells_of_few(cells: list[tuple[str, int, int, int]]) -> None:
    answer = table(cells)
    out = shared(answer, "orders", "lab")
    assert [column.name for column in out.columns] == [
        "lab", "test", "orders", "canceled", "before", "share", "change", "amount", "remark",
    ]  # fmt: skip
    assert [row[:2] for row in out.rows] == [row[:2] for row in answer.rows]
    was = answer.as_dicts()
    got = out.as_dicts()
    for names in (("orders",), ("canceled",), ("before",), ("orders", "canceled")):
        for labs in ("A", "B", "AB"):
            pairs = [
                (_rest(old, names), _rest(new, names) if all(new[name] is not None for name in names) else None)
                for old, new in zip(was, got, strict=True) if str(old["lab"]) in labs
            ]  # fmt: skip
            everything = all(kept is None for _, kept in pairs)
            assert everything or not is_told(pairs), (names, labs, pairs)
    for row in got:
        assert (row["orders"] is None) == (row["share"] is None) == (row["remark"] is None)
        assert (row["before"] is None) == (row["change"] is None)
        assert (row["canceled"] is None) == (row["amount"] is None)
        assert row["orders"] is not None or row["canceled"] is None
    assert out.notes[0] == "Fine."
    assert not any("3 are" in note for note in out.notes)


def _rest(row: dict[str, Any], names: Sequence[str]) -> int:
    first, *others = (int(row[name]) for name in names)
    return first - sum(others)


def test_what_is_left_is_as_much_as_can_be() -> None:
    columns = (Column("lab", "Lab", "text"), Column("orders", "Orders"))
    rows: list[tuple[Any, ...]] = [("A", 11), ("B", 10), ("C", 0), ("D", 99)]
    out = shared(Answer("t", columns, rows), "orders")
    # A goes too: whoever knows how many there were in all could reckon B.
    assert out.rows == [("A", None), ("B", None), ("C", 0), ("D", 99)]
    assert out.notes[0] == "Rows left out because few orders stand behind them: 2."


def test_one_column_does_not_tell_another() -> None:
    columns = (Column("who", "Who", "text"), Column("orders", "Orders"), Column("canceled", "C", of="orders"))
    rows: list[tuple[Any, ...]] = [("A", 50, 5), ("B", 60, 20), ("C", 70, 15)]
    # The total of canceled orders is told elsewhere: one hidden cell would be what B and C leave of it.
    assert shared(Answer("t", columns, rows), "orders").rows == [
        ("A", 50, None),
        ("B", 60, 20),
        ("C", 70, None),
    ]
    rows = [("A", 50, 45), ("B", 60, 20), ("C", 70, 15)]
    # Nothing is small but what was not canceled of A.
    assert shared(Answer("t", columns, rows), "orders").rows[0] == ("A", 50, None)


@pytest.mark.django_db
def test_two_tables_of_one_thing_do_not_tell_of_each_other(many: Callable[[int, int], Practice]) -> None:
    practice = many(6, 120)
    refresh(practice)
    by_lab, by_test = (
        (one.ask(practice, PERIOD, TODAY), one)
        for one in (QUESTIONS["turnaround-by-lab"], QUESTIONS["turnaround-by-test"])
    )
    labs = {row["lab"]: row for row in shared(by_lab[0], "results").as_dicts()}
    answer, question = by_test
    tests = shared(answer, question.size, question.within).as_dicts()
    assert {row["results"] is None for row in tests} == {True, False}, "the sample has both"
    for name in ("results", "open"):
        for lab, row in labs.items():
            pairs = [
                (int(str(old[name])), new[name])
                for old, new in zip(answer.as_dicts(), tests, strict=True) if old["lab"] == lab
            ]  # fmt: skip
            if row[name] is None:
                assert all(kept is None for _, kept in pairs), (name, lab)
            else:
                away = [count for count, kept in pairs if kept is None and count]
                assert not away or (len(away) > 1 and sum(away) >= 11), (name, lab)


@pytest.mark.django_db
def test_what_adds_up_within_a_row_is_not_shared(many: Callable[[int, int], Practice]) -> None:
    practice = many(6, 60)
    refresh(practice)
    said = {
        name: [column.name for column in shared(one.ask(practice, PERIOD, TODAY), one.size, one.within).columns]
        for name, one in QUESTIONS.items() if one.size
    }  # fmt: skip
    assert said["open-tests"] == ["lab", "open", "late"]
    assert said["due-again"] == ["test", "months", "patients", "due"]
    assert said["revenue-by-lab"] == ["lab", "orders", "priced", "amount"]
    assert set(QUESTIONS) - set(said) == {"funnel", "value", "unpaid", "abandoned"}
