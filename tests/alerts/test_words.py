"""Alerts can say nothing but typed words: whatever is planted anywhere, it does not get in."""

from __future__ import annotations

import string
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labbridge.alerts.observe import found
from labbridge.alerts.rules import RULES
from labbridge.alerts.words import Kind, LabName, NotAWord, checked, span_words, spoken

PERSON = "Quorblatina Zyxwenhuber"
GOOD: dict[Kind, Any] = {
    Kind.COUNT: 1234,
    Kind.SPAN: timedelta(hours=3),
    Kind.MOMENT: datetime(2026, 3, 4, 23, 30, tzinfo=UTC),
    Kind.DAY: date(2026, 3, 4),
    Kind.PEER: "rupa",
    Kind.ID: "ord_1a2b3c4",
    Kind.TABLE: "Lab_Orders",
    Kind.LAB: LabName("Genova Diagnostics"),
}


@pytest.mark.parametrize("name", RULES)
def test_every_rule_can_be_said(name: str) -> None:
    rule = RULES[name]
    fields = {field for _, field, _, _ in string.Formatter().parse(rule.sentence) if field}
    assert fields == set(rule.params), "each word of the sentence has a kind, and none is unused"
    stored = checked(rule.params, {word: GOOD[kind] for word, kind in rule.params.items()}, name)
    sentence = rule.sentence.format(**spoken(rule.params, stored, UTC))
    assert sentence.endswith(".")
    assert "{" not in sentence
    assert "{" not in rule.action
    assert rule.action.endswith((".", ")."))


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize(
    "planted", [PERSON, "quorblatina@planted.example", "1937-11-23", ["x"], {"a": 1}, 1.5, None]
)
def test_no_rule_takes_text(name: str, planted: Any) -> None:
    for word in RULES[name].params:
        values = {other: GOOD[kind] for other, kind in RULES[name].params.items()} | {word: planted}
        if RULES[name].params[word] is Kind.ID:
            continue
        with pytest.raises(NotAWord) as caught:
            found(name, **values)
        assert str(planted) not in str(caught.value)


@given(st.text())
def test_whatever_the_text_no_kind_lets_a_sentence_in(text: str) -> None:
    for kind in Kind:
        try:
            (stored,) = checked({"word": kind}, {"word": text}, "rule").values()
        except NotAWord:
            continue
        assert kind in {Kind.ID, Kind.TABLE, Kind.PEER}
        assert " " not in str(stored)
        assert "@" not in str(stored)


def test_the_subject_is_a_key_too() -> None:
    with pytest.raises(NotAWord):
        found("peer_silent", subject=PERSON, peer="rupa", since=GOOD[Kind.MOMENT], gap=GOOD[Kind.SPAN])


def test_words_that_are_missing_or_too_many_are_refused() -> None:
    with pytest.raises(NotAWord):
        found("jobs_dead")
    with pytest.raises(NotAWord):
        found("jobs_dead", count=1, patient=PERSON)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(5, "5 seconds"), (90, "1.5 minutes"), (3600, "60 minutes"), (5400, "1.5 hours"), (86400 * 3, "3 days")],
)
def test_spans(seconds: int, words: str) -> None:
    assert span_words(seconds) == words


def test_a_labs_name_is_no_command_of_a_chat_system() -> None:
    kinds = {"lab": Kind.LAB}
    stored = checked(
        kinds, {"lab": LabName("<!channel> *Lab* @all [x](http://evil.example)\n Labs & Co.")}, "rule"
    )
    assert stored["lab"] == "channel Lab all x (http //evil.example) Labs & Co."
    assert checked(kinds, {"lab": LabName("<>")}, "rule")["lab"] == "a lab without a name"
