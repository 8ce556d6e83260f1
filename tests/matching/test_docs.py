"""docs/matching.md tells the weights and rules that the code has."""

import re
from pathlib import Path

from labbridge.matching.compare import COMMON_DEFAULTS
from labbridge.matching.decide import WORTH_A_LOOK
from labbridge.matching.evidence import EVIDENCE

PAGE = (Path(__file__).parents[2] / "docs" / "matching.md").read_text()


def test_every_weight_is_told_and_none_is_invented():
    told = re.findall(r"^\| ([a-z ]+) \| ([A-Z][^|]+) \| ([+-]?\d+) \|$", PAGE, re.MULTILINE)
    held = [
        (field.value.replace("_", " "), words, weight)
        for field, levels in EVIDENCE.items()
        for weight, words in levels.values()
    ]
    assert [(field, words, int(weight)) for field, words, weight in told] == held


def test_the_limit_and_the_default_birthdays_are_told():
    assert f"reaches {WORTH_A_LOOK} points" in PAGE
    assert "1 January of 1970, 1980, 1990 or 2000, or 11 November 1911" in PAGE
    assert {day.isoformat() for day in COMMON_DEFAULTS} == {
        "1970-01-01",
        "1980-01-01",
        "1990-01-01",
        "2000-01-01",
        "1911-11-11",
    }


def test_the_measured_table_keeps_the_promise():
    same, different = (
        [int(number) for number in re.findall(r"\d+", line)]
        for line in re.findall(
            r"^\| (?:same person|different people) +\|((?: +\d+ \|)+)$", PAGE, re.MULTILINE
        )
    )
    assert different[0] == 0
    assert sum(same) + sum(different) >= 100_000
    assert (same[0] + same[1]) / sum(same) >= 0.98
