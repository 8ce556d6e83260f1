"""Is this Caspio patient one of these Rupa patients? Link, create, or ask a person: with reasons and ways out.

Every rule is written out in docs/matching.md. The score only sorts, and tells what is worth a person's look;
an automatic link needs every rule to hold, whatever the score.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from labbridge.matching.compare import Comparison, compare
from labbridge.matching.evidence import Field, Level, Reason
from labbridge.matching.identity import Identity
from labbridge.matching.rules import CONFIRM, SAME_EMAIL, obstacles
from labbridge.matching.ways import (
    ADD_A_ROW,
    FILL_IN,
    MERGE_ROWS,
    OWN_EMAIL,
    SHARED_EMAIL,
    TO_CASPIO,
    TO_RUPA,
    UNUSABLE,
    WHOSE_EMAIL,
    Direction,
    WayOut,
    ways_out,
)

WORTH_A_LOOK = 20  #: points from which a candidate may be the patient


class Action(StrEnum):
    LINK = "link"
    CREATE = "create"
    REVIEW = "review"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A patient on the other side who may be the one: its key there, and its values."""

    key: str
    identity: Identity


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, with whom, and why. Reasons and ways out hold no patient data."""

    action: Action
    chosen: str | None  #: key of the linked candidate; in a review, of the likeliest
    score: int
    reasons: tuple[Reason, ...]
    others: tuple[str, ...] = ()  #: keys of further candidates worth a look, likeliest first
    ways_out: tuple[WayOut, ...] = ()


class _Weighed:
    """A candidate beside the patient."""

    def __init__(self, patient: Identity, candidate: Candidate, *, ruled_out: bool) -> None:
        self.key, self.identity, self.ruled_out = candidate.key, candidate.identity, ruled_out
        self.comparison: Comparison = compare(patient, candidate.identity)
        self.score = self.comparison.score

    @cached_property
    def holds_email(self) -> bool:
        return self.comparison.has(Field.EMAIL, SAME_EMAIL)

    @cached_property
    def plausible(self) -> bool:
        """May be the same person: points enough, and neither birthday nor first name speaks against it."""
        against = self.comparison.has(Field.BIRTHDAY, {Level.DIFFERENT}) or self.comparison.has(
            Field.FIRST_NAME, {Level.DIFFERENT}
        )
        return self.score >= WORTH_A_LOOK and not against and not self.ruled_out

    @cached_property
    def worth_a_look(self) -> bool:
        return not self.ruled_out and (self.score >= WORTH_A_LOOK or self.holds_email)


def decide(
    patient: Identity,
    candidates: Iterable[Candidate],
    *,
    confirm: Collection[str] = CONFIRM,
    taken: Collection[str] = (),
    ruled_out: Collection[str] = (),
    rivals: Iterable[Identity] = (),
    owns_email: bool = False,
    named: Collection[str] = (),
) -> Decision:
    """Whether this patient of Caspio is one of the candidates at Rupa.

    `candidates` must hold everybody at Rupa with the same e-mail in any case, and should hold whoever shares another
    of `patient.lookup_keys()`. `confirm` is the practice's setting: what must agree beside the e-mail. `taken` are
    keys of candidates that are linked to another row, `ruled_out` those a person said are somebody else, `rivals`
    other rows of Caspio which share a lookup key. Their order does not matter. `owns_email`: a person said that the
    e-mail is this patient's, so that other rows with it do not keep a new patient from being created. `named` are
    keys of candidates to whom an id points: they are shown to a person however little else they have in common.

    Raises ValueError for a word in `confirm` that is not known.
    """
    rivals = list(rivals)
    decision = _decide(
        TO_RUPA,
        patient,
        candidates,
        confirm=confirm,
        taken=taken,
        ruled_out=ruled_out,
        rivals=rivals,
        named=named,
    )
    if decision.action is Action.CREATE and not owns_email and _is_shared(patient, rivals):
        return _whose_email()
    return decision


def match_back(
    patient: Identity,
    rows: Iterable[Candidate],
    *,
    confirm: Collection[str] = CONFIRM,
    taken: Collection[str] = (),
    ruled_out: Collection[str] = (),
    rivals: Iterable[Identity] = (),
) -> Decision:
    """The other way round: which row of Caspio is this Rupa patient, who was known at Rupa first.

    As `decide`, with rows of Caspio as candidates and other patients at Rupa as rivals. It never creates: where
    no row fits, it is a review with nobody chosen.
    """
    return _decide(TO_CASPIO, patient, rows, confirm=confirm, taken=taken, ruled_out=ruled_out, rivals=rivals)


def _decide(
    direction: Direction,
    patient: Identity,
    candidates: Iterable[Candidate],
    *,
    confirm: Collection[str],
    taken: Collection[str],
    ruled_out: Collection[str],
    rivals: Iterable[Identity],
    named: Collection[str] = (),
) -> Decision:
    if unknown := set(confirm) - set(CONFIRM):
        raise ValueError(f"confirm knows {', '.join(CONFIRM)}, not {', '.join(sorted(unknown))}")
    all_weighed = [_Weighed(patient, one, ruled_out=one.key in ruled_out) for one in set(candidates)]
    # Whoever holds the e-mail stays in, even if ruled out: a new patient would be merged with that one.
    weighed = [one for one in all_weighed if one.worth_a_look or one.holds_email or one.key in named]
    if not weighed:
        return _nobody(direction, patient)
    weighed.sort(key=lambda one: _rank(one, confirm))
    best = weighed[0]
    stops = [*obstacles(best.comparison, confirm), *_surroundings(direction, best, weighed, taken, rivals)]
    if best.ruled_out:
        stops.append("A person decided that this is somebody else.")
    if stops:
        return _review(direction, patient, weighed, stops, taken=best.key in taken)
    reasons = (*best.comparison.reasons, _rule(_linked(confirm)))
    return Decision(Action.LINK, best.key, best.score, reasons)


def _rank(one: _Weighed, confirm: Collection[str]) -> tuple[bool, bool, bool, int, str, str]:
    """Who is shown first: who can be linked, then whoever holds the e-mail, then points."""
    blocked = bool(obstacles(one.comparison, confirm))
    # The last word keeps the order when a key comes twice with different values.
    return one.ruled_out, blocked, not one.holds_email, -one.score, one.key, str(one.comparison.evidence)


def _surroundings(
    direction: Direction,
    best: _Weighed,
    weighed: list[_Weighed],
    taken: Collection[str],
    rivals: Iterable[Identity],
) -> list[str]:
    """What stops a link although the two records agree: others who may be the patient too."""
    stops = []
    if best.key in taken:
        stops.append(direction.taken)
    if any(one.plausible or (one.holds_email and not one.ruled_out) for one in weighed[1:]):
        stops.append(direction.several)
    chosen = Candidate(best.key, best.identity)
    if any(_Weighed(rival, chosen, ruled_out=False).plausible for rival in rivals):
        stops.append(direction.rival)
    return stops


def _nobody(direction: Direction, patient: Identity) -> Decision:
    if not direction.may_create:
        return Decision(Action.REVIEW, None, 0, (_rule(direction.nobody),), ways_out=(ADD_A_ROW,))
    if not patient.creatable:
        return Decision(Action.REVIEW, None, 0, (_rule(UNUSABLE),), ways_out=(FILL_IN,))
    return Decision(Action.CREATE, None, 0, (_rule(direction.nobody),))


def _is_shared(patient: Identity, rivals: Iterable[Identity]) -> bool:
    return any(rival.email_key == patient.email_key for rival in rivals)


def _whose_email() -> Decision:
    """Rupa keeps one patient for an e-mail: which of the rows that have it, a person must say."""
    ways = (WHOSE_EMAIL, OWN_EMAIL, MERGE_ROWS)
    return Decision(Action.REVIEW, None, 0, (_rule(SHARED_EMAIL),), ways_out=ways)


def _review(
    direction: Direction, patient: Identity, weighed: list[_Weighed], stops: list[str], *, taken: bool
) -> Decision:
    best, email_held = weighed[0], any(one.holds_email for one in weighed)
    rules = [*stops, direction.email_held] if email_held else stops
    others = tuple(one.key for one in weighed[1:] if one.worth_a_look)
    ways = ways_out(
        best.comparison,
        direction,
        email_held=email_held,
        several=bool(others),
        taken=taken,
        ruled_out=best.ruled_out,
        creatable=patient.creatable,
    )
    reasons = (*best.comparison.reasons, *map(_rule, rules))
    return Decision(Action.REVIEW, best.key, best.score, reasons, others, ways)


def _rule(words: str) -> Reason:
    return Reason(words, 0, Field.RULE.value)


def _linked(confirm: Collection[str]) -> str:
    beside = " and ".join(word for word in CONFIRM if word in confirm)
    return (
        f"E-mail is the key, confirmed by {beside}."
        if beside
        else "E-mail is the key; nothing contradicts it."
    )
