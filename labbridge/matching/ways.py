"""What a person can do about a review, in the words of front desk, for either direction of matching."""

from __future__ import annotations

from dataclasses import dataclass

from labbridge.matching.compare import Comparison
from labbridge.matching.evidence import Field, Level
from labbridge.matching.rules import BIRTHDAYS_DIFFER


@dataclass(frozen=True, slots=True)
class WayOut:
    """`action` is one of link, create, not_the_same, choose_another, ask_patient, correct_caspio."""

    action: str
    words: str


@dataclass(frozen=True, slots=True)
class Direction:
    """The sentences of one direction: a row of Caspio sought at Rupa, or a patient of Rupa sought in Caspio."""

    taken: str
    several: str
    rival: str
    email_held: str
    nobody: str
    may_create: bool


TO_RUPA = Direction(
    taken="This Rupa patient is already linked to another row in Caspio.",
    several="More than one patient at Rupa could be this one.",
    rival="Another row in Caspio could be the same patient.",
    email_held="The e-mail is in use at Rupa: a new patient with it would be merged with the one who has it.",
    nobody="Nobody at Rupa has this e-mail, nor enough else in common.",
    may_create=True,
)
TO_CASPIO = Direction(
    taken="This row in Caspio is already linked to another patient at Rupa.",
    several="More than one row in Caspio could be this patient.",
    rival="Another patient at Rupa could be the same person.",
    email_held="A row in Caspio has the same e-mail.",
    nobody="No row in Caspio fits this patient of Rupa.",
    may_create=False,
)

UNUSABLE = "Rupa needs a first name, a last name and an e-mail address."
FILL_IN = WayOut("correct_caspio", "Fill in what is missing in Caspio.")
ADD_A_ROW = WayOut("choose_another", "Choose the right row in Caspio, or add one with the same e-mail.")
OWN_EMAIL = WayOut(
    "ask_patient",
    "Ask the patient for an e-mail address of their own and enter it in Caspio: Rupa merges patients who share one.",
)
SHARED_EMAIL = "Another row in Caspio has the same e-mail, and Rupa would take both for one person."
WHOSE_EMAIL = WayOut("create", "The e-mail is this patient's: create them at Rupa.")
MERGE_ROWS = WayOut("correct_caspio", "If two rows in Caspio are one person, merge them there.")

#: The first that applies is offered.
CORRECTIONS = (
    (Field.BIRTHDAY, BIRTHDAYS_DIFFER, "Correct the birthday in Caspio if it is wrong there."),
    (Field.BIRTHDAY, {Level.MISSING}, "Fill in the birthday, on the side where it is missing."),
    (Field.BIRTHDAY, {Level.COMMON_DEFAULT}, "Ask for the birthday: this one may be a default."),
    (Field.EMAIL, {Level.MISSING}, "Fill in a usable e-mail address in Caspio."),
    (Field.EMAIL, {Level.TYPO, Level.MAILBOX, Level.DIFFERENT}, "Correct the e-mail in Caspio if it is wrong there."),
    (Field.NAME, {Level.SWAPPED}, "Put first and last name in the right fields in Caspio."),
    (Field.FIRST_NAME, {Level.TYPO, Level.PART, Level.INITIAL}, "Correct the name in Caspio if it is wrong there."),
    (Field.LAST_NAME, {Level.CHANGED}, "Correct the last name in Caspio if it is out of date there."),
)  # fmt: skip


def ways_out(
    found: Comparison, direction: Direction, *, email_held: bool, several: bool, taken: bool, ruled_out: bool,
    creatable: bool,
) -> tuple[WayOut, ...]:  # fmt: skip
    """All that is allowed, what is likeliest first."""
    ways: list[WayOut] = []
    if taken:
        ways.append(MERGE_ROWS)
    elif not ruled_out:
        ways.append(_link(found))
    if several:
        ways.append(WayOut("choose_another", "It is another one of those shown: choose that one."))
    if direction.may_create and creatable and not email_held:
        ways.append(WayOut("create", "It is somebody else: create a new patient at Rupa."))
    if not ruled_out:
        ways.append(WayOut("not_the_same", "It is somebody else, and nothing is to be done now."))
    if email_held:
        ways.append(OWN_EMAIL)
    if correction := _correction(found):
        ways.append(correction)
    return tuple(ways)


def _link(found: Comparison) -> WayOut:
    if found.has(Field.BIRTHDAY, BIRTHDAYS_DIFFER):
        return WayOut("link", "It is the same person, asked for the right birthday: link the two.")
    return WayOut("link", "It is the same person: link the two.")


def _correction(found: Comparison) -> WayOut | None:
    for field, levels, words in CORRECTIONS:
        if found.has(field, levels):
            return WayOut("correct_caspio", words)
    return None
