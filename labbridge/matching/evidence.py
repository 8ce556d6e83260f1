"""What one field says about two patients being the same person: a level, its weight and its words.

The table EVIDENCE is the whole of the weights. Sentences hold no patient data.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Field(StrEnum):
    EMAIL = "email"
    BIRTHDAY = "birthday"
    NAME = "name"
    FIRST_NAME = "first_name"
    LAST_NAME = "last_name"
    GENERATION = "generation"
    PHONE = "phone"
    ADDRESS = "address"
    SEX = "sex"
    RULE = "rule"  # a rule of decide.py, which weighs nothing


class Level(StrEnum):
    SAME = "same"
    CASE = "case"
    MAILBOX = "mailbox"
    VARIANT = "variant"
    MIDDLE = "middle"
    SHORT_FORM = "short_form"
    NICKNAME = "nickname"
    INITIAL = "initial"
    PART = "part"
    TYPO = "typo"
    SWAPPED = "swapped"
    COMMON_DEFAULT = "common_default"
    ONE_DIGIT = "one_digit"
    TRANSPOSED = "transposed"
    DAY_MONTH = "day_month"
    CHANGED = "changed"
    DIFFERENT = "different"
    MISSING = "missing"


#: Points and words. The two names together weigh as much as a birthday; an e-mail, the key, weighs most.
EVIDENCE: dict[Field, dict[Level, tuple[int, str]]] = {
    Field.EMAIL: {
        Level.SAME: (40, "E-mail is the same"),
        Level.CASE: (40, "E-mail is the same but for capital letters"),
        Level.MAILBOX: (30, "E-mail reaches the same mailbox, but is written differently"),
        Level.TYPO: (12, "E-mail differs by a letter or two"),
        Level.DIFFERENT: (-8, "E-mail is different"),
        Level.MISSING: (0, "E-mail is missing on one side"),
    },
    Field.BIRTHDAY: {
        Level.SAME: (30, "Birthday is the same"),
        Level.ONE_DIGIT: (10, "Birthday differs by one digit"),
        Level.TRANSPOSED: (10, "Birthday has two digits swapped"),
        Level.DAY_MONTH: (10, "Birthday has day and month swapped"),
        Level.COMMON_DEFAULT: (5, "Birthday is the same, but is a day that computers fill in by themselves"),
        Level.DIFFERENT: (-25, "Birthday is different"),
        Level.MISSING: (0, "Birthday is missing on one side"),
    },
    Field.NAME: {
        Level.SWAPPED: (22, "First and last name are swapped"),
    },
    Field.FIRST_NAME: {
        Level.SAME: (15, "First name is the same"),
        Level.VARIANT: (13, "First name is the same but for a doubled letter"),
        Level.SHORT_FORM: (11, "First name is the short form of the other"),
        Level.MIDDLE: (10, "First name is the same but for a middle name or initial"),
        Level.NICKNAME: (9, "First name may be a nickname of the other"),
        Level.TYPO: (8, "First name is similar, perhaps a typing mistake"),
        Level.PART: (6, "First name is the same in part"),
        Level.INITIAL: (4, "First name is only an initial, and it fits"),
        Level.DIFFERENT: (-20, "First name is different"),
        Level.MISSING: (0, "First name is missing on one side"),
    },
    Field.LAST_NAME: {
        Level.SAME: (15, "Last name is the same"),
        Level.VARIANT: (13, "Last name is the same but for a doubled letter"),
        Level.PART: (10, "Last name is the same in part, as in a double or maiden name"),
        Level.TYPO: (9, "Last name is similar, perhaps a typing mistake"),
        Level.CHANGED: (-3, "Last name is different, as after a marriage"),
        Level.MISSING: (0, "Last name is missing on one side"),
    },
    Field.GENERATION: {
        Level.SAME: (2, "Junior, senior or number after the name is the same"),
        Level.DIFFERENT: (-20, "Junior, senior or number after the name is different"),
        Level.MISSING: (0, "Junior, senior or number after the name is not on both sides"),
    },
    Field.PHONE: {
        Level.SAME: (15, "Phone number is the same"),
        Level.DIFFERENT: (-3, "Phone number is different"),
        Level.MISSING: (0, "Phone number is missing on one side"),
    },
    Field.ADDRESS: {
        Level.SAME: (10, "Address is the same"),
        Level.DIFFERENT: (-2, "Address is different"),
        Level.MISSING: (0, "Address is missing on one side"),
    },
    Field.SEX: {
        Level.SAME: (1, "Sex is the same"),
        Level.DIFFERENT: (-15, "Sex is different"),
        Level.MISSING: (0, "Sex is missing on one side"),
    },
}


@dataclass(frozen=True, slots=True)
class Reason:
    """One line of a decision, for a person and for the audit; holds no patient data."""

    words: str
    weight: int
    field: str


@dataclass(frozen=True, slots=True)
class Evidence:
    field: Field
    level: Level

    @property
    def weight(self) -> int:
        return EVIDENCE[self.field][self.level][0]

    @property
    def words(self) -> str:
        return EVIDENCE[self.field][self.level][1]

    @property
    def reason(self) -> Reason:
        return Reason(self.words, self.weight, self.field.value)
