"""Two names compared. The first name tells twins apart, so there only what cannot be a sibling counts as same."""

from __future__ import annotations

from rapidfuzz.distance import OSA, JaroWinkler

from labbridge.matching import names
from labbridge.matching.evidence import Level
from labbridge.matching.identity import Identity, Name
from labbridge.matching.text import squeeze

SIMILAR = 0.92  # Jaro-Winkler


def given_level(one: Name, other: Name) -> Level:
    if not one or not other:
        return Level.MISSING
    if one.spellings & other.spellings:
        return Level.SAME
    if len(one.words) == len(other.words) and _squeezed(one) & _squeezed(other):
        return Level.VARIANT
    if one.words[0] == other.words[0]:
        return _middle_level(one, other)
    return _loose_given_level(one, other)


def _middle_level(one: Name, other: Name) -> Level:
    """The first word is the same; what follows is not. Mary Ann and Mary Beth may be sisters, and so may Mary."""
    fits = all(_fits(a, b) for a, b in zip(one.words[1:], other.words[1:], strict=False))
    return Level.MIDDLE if fits else Level.DIFFERENT


def _fits(one: str, other: str) -> bool:
    return one == other or (1 in {len(one), len(other)} and one[0] == other[0])


def _loose_given_level(one: Name, other: Name) -> Level:
    single = len(one.words) == len(other.words) == 1
    if single and names.short_for_one(one.words[0], other.words[0]):
        return Level.SHORT_FORM
    if _known_as(one, other) or names.nicknames(one.words[0], other.words[0]):
        return Level.NICKNAME
    if _any_similar(one, other):
        return Level.TYPO
    if 1 in {len(one.words[0]), len(other.words[0])} and one.words[0][0] == other.words[0][0]:
        return Level.INITIAL
    shared = set(one.words) & set(other.words)
    return Level.PART if any(len(word) > 1 for word in shared) else Level.DIFFERENT


def _known_as(one: Name, other: Name) -> bool:
    """A nickname that is written on the record itself, in quotes or brackets."""
    return bool(one.also & {*other.words, *other.also} or other.also & set(one.words))


def family_level(one: Name, other: Name) -> Level:
    if not one or not other:
        return Level.MISSING
    if one.spellings & other.spellings:
        return Level.SAME
    if _squeezed(one) & _squeezed(other):
        return Level.VARIANT
    if _share_a_part(one, other):
        return Level.PART
    return Level.TYPO if _any_similar(one, other) else Level.CHANGED


def _share_a_part(one: Name, other: Name) -> bool:
    """All words of the shorter are in the longer: a double name, a maiden name, a particle more or less."""
    core, core_of_other = _core(one), _core(other)
    inside = core <= core_of_other or core_of_other <= core
    maiden = one.also & {*core_of_other, *other.also} or other.also & core
    return bool((inside and any(len(word) > 1 for word in core & core_of_other)) or maiden)


def _core(name: Name) -> set[str]:
    return set(name.words) - names.particles() or set(name.words)


def swapped(one: Identity, other: Identity) -> bool:
    """First and last name stand in each other's fields, letter for letter."""
    across = one.given.spellings & other.family.spellings, one.family.spellings & other.given.spellings
    return all(any(len(spelling) > 1 for spelling in side) for side in across)


def _squeezed(name: Name) -> set[str]:
    short = {squeeze(spelling) for spelling in name.spellings}
    return {spelling for spelling in short if len(spelling) > 2}


def _any_similar(one: Name, other: Name) -> bool:
    return any(_similar(a, b) for a in one.spellings for b in other.spellings)


def _similar(one: str, other: str) -> bool:
    """One mistake, two in a long name, or a beginning that is nearly the same."""
    shorter = min(len(one), len(other))
    mistakes = OSA.distance(one, other, score_cutoff=2)
    if mistakes <= (2 if shorter >= 7 else 1):
        return shorter > 2
    return shorter > 4 and JaroWinkler.similarity(one, other) >= SIMILAR
