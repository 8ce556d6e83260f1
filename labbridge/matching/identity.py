"""A patient as matching sees them: values fit to be sent, and the same values in comparable form."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

PARTS = (
    "first_name", "last_name", "email", "phone", "birthday", "gender", "street", "city", "state", "zipcode",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Problem:
    """A value that cannot be used. The sentence holds no value, so it may stand anywhere."""

    field: str
    code: str
    sentence: str
    blocking: bool = False  #: Rupa takes no patient without this field (rupa-api.md 5.6)


@dataclass(frozen=True, slots=True)
class Name:
    """One field of a name in plain letters. `also` holds other words for it: a nickname in quotes, a maiden name."""

    words: tuple[str, ...] = field(default=(), repr=False)
    spellings: frozenset[str] = field(default=frozenset(), repr=False)
    also: frozenset[str] = field(default=frozenset(), repr=False)

    def __bool__(self) -> bool:
        return bool(self.words)


@dataclass(frozen=True, slots=True)
class Identity:
    """One patient, normalised. Nothing of it shows in a `repr`, so none gets into a log by accident."""

    first_name: str = field(default="", repr=False)
    last_name: str = field(default="", repr=False)
    email: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)  #: E.164
    birthday: date | None = field(default=None, repr=False)
    gender: str | None = field(default=None, repr=False)  #: F, M or X
    street: str | None = field(default=None, repr=False)
    city: str | None = field(default=None, repr=False)
    state: str | None = field(default=None, repr=False)  #: two letters
    zipcode: str | None = field(default=None, repr=False)  #: 12345 or 12345-6789
    given: Name = field(default_factory=Name, repr=False)
    family: Name = field(default_factory=Name, repr=False)
    generation: str = field(default="", repr=False)  #: jr, sr, 2, 3, 4
    mailbox: str | None = field(default=None, repr=False)  #: where the e-mail arrives, by provider rules
    street_key: str = field(default="", repr=False)
    city_key: str = field(default="", repr=False)
    problems: tuple[Problem, ...] = field(default=(), compare=False)

    @property
    def creatable(self) -> bool:
        """Rupa can make a patient of this: first name, last name and e-mail are there (rupa-api.md 5.6)."""
        return bool(self.first_name and self.last_name and self.email)

    @property
    def email_key(self) -> str | None:
        """The literal e-mail in small letters."""
        return self.email.casefold() if self.email else None

    def as_person(self) -> dict[str, str | None]:
        """The values fit to be sent, in the words of the mirror; None where there is none."""
        values = {part: getattr(self, part) or None for part in PARTS}
        values["birthday"] = self.birthday.isoformat() if self.birthday else None
        return values

    def lookup_keys(self) -> dict[str, str]:
        """What a candidate may share with this patient: look for candidates under each of them (hashed)."""
        names = sorted({*self.given.words, *self.family.words})
        keys = {
            "email": self.email_key,
            "mailbox": self.mailbox,
            "birthday": self.birthday.isoformat() if self.birthday else None,
            "phone": self.phone,
            "name": " ".join(names),
        }
        return {kind: value for kind, value in keys.items() if value}
