"""The rules that an automatic link must pass. Each that does not hold is told in one sentence."""

from __future__ import annotations

from collections.abc import Collection

from labbridge.matching.compare import Comparison
from labbridge.matching.evidence import Field, Level

CONFIRM = ("birthday", "name")  #: the words of `[sync] confirm` in practice.toml

SAME_EMAIL = {Level.SAME, Level.CASE}
#: A doubled letter is not among them: a slip makes Elen of Helen, and her twin may be Ellen.
CERTAIN_FIRST = {Level.SAME, Level.SHORT_FORM}
CERTAIN_LAST = {Level.SAME, Level.VARIANT, Level.PART, Level.TYPO}
SAME_LAST = {Level.SAME, Level.VARIANT, Level.PART}
BIRTHDAYS_DIFFER = {Level.DIFFERENT, Level.ONE_DIGIT, Level.TRANSPOSED, Level.DAY_MONTH}


def obstacles(found: Comparison, confirm: Collection[str]) -> list[str]:
    """Why these two cannot be linked without a person; empty where they can."""
    checks = (
        (not found.has(Field.EMAIL, SAME_EMAIL), "The e-mail, which is the key, is not the same."),
        (found.has(Field.BIRTHDAY, BIRTHDAYS_DIFFER), "The birthdays differ."),
        (_unconfirmed_birthday(found, confirm), "The birthday cannot confirm that it is the same person."),
        (found.has(Field.SEX, {Level.DIFFERENT}), "The sex differs."),
        (
            found.has(Field.GENERATION, {Level.DIFFERENT}),
            "One is a junior and one a senior: they may be parent and child.",
        ),
        (
            _maybe_household(found),
            "Another first name: they may be twins, or a family that shares an address.",
        ),
        (_unconfirmed_name(found, confirm), "The name cannot confirm that it is the same person."),
    )
    return [words for stops, words in checks if stops]


def _maybe_household(found: Comparison) -> bool:
    """Whoever shares e-mail, birthday and surname but is not certainly called the same may be a twin."""
    first = found.level(Field.FIRST_NAME)
    return first is not None and first not in CERTAIN_FIRST


def _unconfirmed_birthday(found: Comparison, confirm: Collection[str]) -> bool:
    return "birthday" in confirm and found.has(Field.BIRTHDAY, {Level.MISSING, Level.COMMON_DEFAULT})


def _unconfirmed_name(found: Comparison, confirm: Collection[str]) -> bool:
    """Where nothing else is sure, the name must be the same to the letter."""
    if found.has(Field.NAME, {Level.SWAPPED}):
        return not found.has(Field.BIRTHDAY, {Level.SAME})
    first, last = found.level(Field.FIRST_NAME), found.level(Field.LAST_NAME)
    if not found.has(Field.BIRTHDAY, {Level.SAME}):
        return not (first is Level.SAME and last is Level.SAME)
    if "name" not in confirm:
        return False
    if first not in CERTAIN_FIRST:
        return True
    if first is Level.SHORT_FORM:
        return last not in SAME_LAST
    return last not in CERTAIN_LAST and not _changed_surname(found)


def _changed_surname(found: Comparison) -> bool:
    """A new surname is believed where the phone number or the address is the same as well."""
    household = found.has(Field.PHONE, {Level.SAME}) or found.has(Field.ADDRESS, {Level.SAME})
    return found.has(Field.LAST_NAME, {Level.CHANGED}) and household
