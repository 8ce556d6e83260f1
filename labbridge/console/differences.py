"""Where two values differ, sign by sign, so that an eye finds it: 197|8|-08-16 beside 197|9|-08-16."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from difflib import SequenceMatcher

from labbridge.matching.normalise import normalise
from labbridge.mirror.person import PARTS, Person
from labbridge.practices.words import PARTS as WORDS

Piece = tuple[str, bool]  #: a stretch of text, and whether it differs from the other side

LONGEST = 300  #: signs compared one by one; a longer value differs as a whole


@dataclass(frozen=True)
class Side:
    """One particular of a person on both sides; empty where a side does not say."""

    name: str
    ours: list[Piece]
    theirs: list[Piece]

    @property
    def differs(self) -> bool:
        return any(differs for _, differs in [*self.ours, *self.theirs])


def sides(ours: Person, theirs: Person, *, today: date) -> list[Side]:
    """Every particular that at least one side states. Two spellings of one value (a phone number) do not differ."""
    meant, theirs_meant = (normalise(one, today=today).as_person() for one in (ours, theirs))
    return [
        Side(
            WORDS[part],
            *_compared(one, other, same=_same(meant.get(part), theirs_meant.get(part))),
        )
        for part in PARTS
        for one, other in [(ours.get(part) or "", theirs.get(part) or "")]
        if one or other
    ]


def _same(one: str | None, other: str | None) -> bool:
    return bool(one and other) and str(one).casefold() == str(other).casefold()


def _compared(one: str, other: str, *, same: bool) -> tuple[list[Piece], list[Piece]]:
    if same or not one or not other:  # what one side does not say cannot differ
        return _whole(one, differs=False), _whole(other, differs=False)
    return pieces(one, other)


def pieces(one: str, other: str) -> tuple[list[Piece], list[Piece]]:
    """Both texts cut into stretches. Joined again they are the texts; capitals alone are no difference."""
    plain, other_plain = one.casefold(), other.casefold()
    if plain == other_plain:
        return _whole(one, differs=False), _whole(other, differs=False)
    if max(len(one), len(other)) > LONGEST or len(plain) != len(one) or len(other_plain) != len(other):
        return _whole(one, differs=True), _whole(other, differs=True)
    left: list[Piece] = []
    right: list[Piece] = []
    for kind, a, b, c, d in SequenceMatcher(None, plain, other_plain, autojunk=False).get_opcodes():
        left += _whole(one[a:b], differs=kind != "equal")
        right += _whole(other[c:d], differs=kind != "equal")
    return left, right


def _whole(text: str, *, differs: bool) -> list[Piece]:
    return [(text, differs)] if text else []
