"""A smaller run of bench/matching.py, and proof that its people come from nowhere near the matcher."""

import ast
import inspect
import sys

import pytest

from bench import matching, matching_names, matching_people
from labbridge.matching import Action


@pytest.fixture(scope="module")
def drawn():
    return list(matching_people.cases(5_000, seed=7))


def test_no_wrong_link_and_hardly_a_missed_one(drawn):
    tally, _ = matching.measure_pairs(drawn)
    assert tally.wrong == []
    assert tally.of(Action.LINK, same=True) > 1_500
    assert tally.recall_with_review >= 0.98


def test_no_wrong_link_within_a_whole_clinic(drawn):
    found = matching.measure_clinic(drawn)
    assert found["linked, WRONG"] == 0
    assert found["linked, right"] > 1_500
    assert found["created, a double"] + found["asked, others shown"] <= 0.01 * len(drawn)


def test_every_kind_is_drawn_and_labelled(drawn):
    kinds = {(case.same, case.kind) for case in drawn}
    assert {kind for same, kind in kinds if same} == set(matching_people.SAME_KINDS)
    assert {kind for same, kind in kinds if not same} == set(matching_people.DIFFERENT_KINDS)


def test_the_same_seed_draws_the_same_people(drawn):
    assert list(matching_people.cases(200, seed=7)) == drawn[:200]


@pytest.mark.parametrize("module", [matching_people, matching_names])
def test_the_people_are_drawn_without_the_matcher_and_its_libraries(module):
    imported = set()
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module)
    imported.discard("bench.matching_names")
    assert {name.partition(".")[0] for name in imported} <= set(sys.stdlib_module_names)
