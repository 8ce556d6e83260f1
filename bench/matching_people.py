"""Invented people, their households, and what two systems make of them: labelled pairs for bench/matching.py.

Nothing here comes from the matcher. It imports its own lists and the standard library only (a test holds it to
that), makes its own mistakes in its own formats, and writes raw values as the two systems would hold
them. A pair is labelled by who was drawn, never by how alike two records look.

One thing is redrawn: two people of one first name, birthday and e-mail (twins both put down as José, or a slip that
makes Jayden of Kayden). Nobody on earth could tell such records apart.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

from bench.matching_names import (
    ALIKE_TWINS,
    AREAS,
    DOUBLE_TWINS,
    HOSTS,
    KEYS,
    KINDS,
    MEN,
    PET_NAMES,
    SHORT_TWINS,
    STREETS,
    SURNAMES,
    TOWNS,
    WOMEN,
)

Record = dict[str, str | None]


@dataclass(frozen=True)
class Human:
    given: str
    family: str
    sex: str
    birthday: date
    email: str
    phone: str  # ten digits
    street: tuple[int, str, int, int | None]  # number, street, kind, apartment
    town: int
    suffix: str = ""


@dataclass(frozen=True)
class Case:
    kind: str
    same: bool
    caspio: Record
    rupa: Record


class World:
    """Draws people. The same seed draws the same people."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self._emails = 0

    # -- people

    def human(self, sex: str | None = None) -> Human:
        rng = self.rng
        sex = sex or rng.choice("FM")
        given = rng.choice(WOMEN if sex == "F" else MEN)
        family = rng.choice(SURNAMES)
        return Human(given, family, sex, self.birthday(), self.email(given, family), self.phone(), self.street(),
                     rng.randrange(len(TOWNS)))  # fmt: skip

    def birthday(self, first: int = 1936, last: int = 2020) -> date:
        start = date(first, 1, 1)
        return start + timedelta(days=self.rng.randrange((date(last, 12, 31) - start).days))

    def email(self, given: str, family: str) -> str:
        self._emails += 1
        plain = [
            "".join(letter for letter in word.casefold() if letter in "abcdefghijklmnopqrstuvwxyz")
            for word in (given, family)
        ]
        local = self.rng.choice(["{0}.{1}{2}", "{0}{1}{2}", "{0[0]}{1}{2}", "{1}.{0}{2}", "sunny{2}"])
        names = [plain[0] or "a", plain[1] or "b"]
        return f"{local.format(*names, self._emails)}@{self.rng.choice(HOSTS)}"

    def phone(self) -> str:
        return f"{self.rng.choice(AREAS)}{self.rng.randrange(200, 999)}{self.rng.randrange(10000):04}"

    def street(self) -> tuple[int, str, int, int | None]:
        apartment = self.rng.randrange(1, 40) if self.rng.random() < 0.3 else None
        return (
            self.rng.randrange(1, 9900),
            self.rng.choice(STREETS),
            self.rng.randrange(len(KINDS)),
            apartment,
        )

    def relative(
        self, one: Human, *, shares_email: bool, given: str | None = None, **changed: object
    ) -> Human:
        """Somebody else of the same household."""
        sex = self.rng.choice("FM")
        name = given or self.other_given(one.given, sex)
        email = one.email if shares_email else self.email(name, one.family)
        phone = one.phone if self.rng.random() < 0.6 else self.phone()
        relative = replace(one, given=name, sex=sex, email=email, phone=phone, suffix="")
        return replace(relative, **changed)  # type: ignore[arg-type]  # fields by name

    def other_given(self, given: str, sex: str) -> str:
        return self.rng.choice([name for name in (WOMEN if sex == "F" else MEN) if name != given])

    # -- records

    def caspio(self, human: Human) -> Record:
        """A row as DataPages and imports leave it: loosely typed, with now and then nothing."""
        number, street, kind, apartment = human.street
        city, code, state, zipcode = TOWNS[human.town]
        written = KINDS[kind][self.rng.randrange(2)]
        record: Record = {
            "first_name": human.given,
            "last_name": f"{human.family} {human.suffix}".strip(),
            "email": human.email,
            "phone": self._phone(human.phone),
            "birthday": f"{human.birthday.isoformat()}T00:00:00",
            "gender": {"F": "Female", "M": "Male"}[human.sex],
            "street": f"{number} {street} {written}" + (f", Apt. {apartment}" if apartment else ""),
            "city": city,
            "state": self.rng.choice([code, state]),
            "zipcode": zipcode,
        }
        return self._sparse(record, 0.35)

    def rupa(self, human: Human) -> Record:
        """A patient as Rupa's documented samples show one."""
        number, street, kind, apartment = human.street
        city, code, _, zipcode = TOWNS[human.town]
        record: Record = {
            "first_name": human.given,
            "last_name": f"{human.family} {human.suffix}".strip(),
            "email": human.email,
            "phone": f"+1{human.phone}",
            "birthday": human.birthday.isoformat(),
            "gender": human.sex,
            "street": f"{number} {street} {KINDS[kind][0]}" + (f" #{apartment}" if apartment else ""),
            "city": city,
            "state": code,
            "zipcode": zipcode,
        }
        return self._sparse(record, 0.25)

    def _phone(self, digits: str) -> str:
        area, exchange, line = digits[:3], digits[3:6], digits[6:]
        shapes = ("({}) {}-{}", "{}-{}-{}", "{}.{}.{}", "{}{}{}", "+1 {} {} {}", "1-{}-{}-{} ext. 4")
        return self.rng.choice(shapes).format(area, exchange, line)

    def _sparse(self, record: Record, chance: float) -> Record:
        """Fields that a practice need not fill in are often empty."""
        for fields in (("phone",), ("gender",), ("street", "city", "state", "zipcode")):
            if self.rng.random() < chance:
                record.update(dict.fromkeys(fields))
        return record


# -- mistakes and changes: each turns one record into another of the same person -----

Change = Callable[[World, Record], Record]


def typo(rng: random.Random, word: str) -> str:
    """One slip of a finger."""
    place = rng.randrange(len(word))
    letter = word[place]
    slip = rng.randrange(4)
    if slip == 0 and len(word) > 2:
        return word[:place] + word[place + 1 :]
    if slip == 1:
        return word[:place] + letter + word[place:]
    if slip == 2 and place + 1 < len(word):
        return word[:place] + word[place + 1] + letter + word[place + 2 :]
    around = KEYS.find(letter.casefold())
    neighbours = [key for key in KEYS[max(0, around - 1) : around + 2] if key not in {" ", letter.casefold()}]
    return word[:place] + rng.choice(neighbours or ["e"]) + word[place + 1 :]


def _text(record: Record, field: str) -> str:
    return record[field] or "x"


def first_typo(world: World, record: Record) -> Record:
    return {**record, "first_name": typo(world.rng, _text(record, "first_name"))}


def last_typo(world: World, record: Record) -> Record:
    return {**record, "last_name": typo(world.rng, _text(record, "last_name"))}


def email_typo(world: World, record: Record) -> Record:
    local, _, host = _text(record, "email").partition("@")
    if world.rng.random() < 0.3:
        return {**record, "email": f"{local}@{host.replace('.com', '.con').replace('gmail', 'gmial')}x"}
    return {**record, "email": f"{typo(world.rng, local)}@{host}"}


def birthday_digit(world: World, record: Record) -> Record:
    """One digit mistyped; a day that does not exist may come out of it, as in life."""
    text = _text(record, "birthday")
    place = world.rng.choice([2, 3, 5, 6, 8, 9])
    digit = world.rng.choice([other for other in "0123456789" if other != text[place]])
    return {**record, "birthday": text[:place] + digit + text[place + 1 :]}


def birthday_day_month(_: World, record: Record) -> Record:
    year, month, day = _text(record, "birthday")[:10].split("-")
    return {**record, "birthday": f"{year}-{day}-{month}"}


def birthday_missing(_: World, record: Record) -> Record:
    return {**record, "birthday": None}


def email_missing(_: World, record: Record) -> Record:
    return {**record, "email": None}


def email_new(world: World, record: Record) -> Record:
    return {**record, "email": world.email(_text(record, "first_name"), _text(record, "last_name"))}


def email_spelling(world: World, record: Record) -> Record:
    """The same mailbox, written otherwise."""
    local, _, host = _text(record, "email").partition("@")
    way = world.rng.randrange(4)
    if way == 0:
        return {**record, "email": f"{local.title()}@{host.upper()}"}
    if way == 1:
        return {**record, "email": f"{local}+labs@{host}"}
    if host == "gmail.com":
        dotted = local.replace(".", "") if "." in local else f"{local[:2]}.{local[2:]}"
        return {**record, "email": f"{dotted}@{'googlemail.com' if way == 2 else host}"}
    return {**record, "email": _text(record, "email").upper()}


def nickname(world: World, record: Record) -> Record:
    known = PET_NAMES.get(_text(record, "first_name"))
    return {**record, "first_name": world.rng.choice(known)} if known else record


def surname_hyphenated(world: World, record: Record) -> Record:
    second = world.rng.choice(SURNAMES)
    joint = world.rng.choice(["-", " ", "\u2013"])
    pair = [_text(record, "last_name"), second]
    return {**record, "last_name": joint.join(pair if world.rng.random() < 0.7 else pair[::-1])}


def surname_changed(world: World, record: Record) -> Record:
    old = _text(record, "last_name")
    return {**record, "last_name": world.rng.choice([name for name in SURNAMES if name not in old])}


def swapped(_: World, record: Record) -> Record:
    return {**record, "first_name": record["last_name"], "last_name": record["first_name"]}


def middle_name(world: World, record: Record) -> Record:
    middle = world.rng.choice(WOMEN + MEN)
    return {**record, "first_name": f"{record['first_name']} {world.rng.choice([middle, middle[0] + '.'])}"}


def untidy(world: World, record: Record) -> Record:
    """Capitals, spaces of all kinds, lost accents, titles, entities."""
    first, last = _text(record, "first_name"), _text(record, "last_name")
    ways: tuple[tuple[str, str], ...] = (
        (first.upper(), last.upper()),
        (first.lower(), last.lower()),
        (f"\u00a0{first} ", f"{last}\u200b"),
        (f"  {first}", last.replace(" ", "\u00a0 ").replace("-", " ")),
        (_plain(first), _plain(last)),
        (f"Ms. {first}", last),
        (first, last.replace("'", "&#39;")),
        (first, f"{last}, MD"),
    )
    first, last = world.rng.choice(ways)
    changed = {**record, "first_name": first, "last_name": last}
    text = record["birthday"]
    if text and world.rng.random() < 0.4:
        year, month, day = text[:10].split("-")
        changed["birthday"] = f"{int(month)}/{int(day)}/{year}"
    return changed


def _plain(text: str) -> str:
    plain = {
        "ü": "ue",
        "ö": "o",
        "ø": "o",
        "á": "a",
        "é": "e",
        "í": "i",
        "ñ": "n",
        "ú": "u",
        "ł": "l",
        "\u2019": "'",
        "ë": "e",
    }
    return "".join(plain.get(letter, letter) for letter in text)


def moved(world: World, record: Record) -> Record:
    number, street, kind, _ = world.street()
    city, code, _, zipcode = world.rng.choice(TOWNS)
    place = {"street": f"{number} {street} {KINDS[kind][0]}", "city": city, "state": code, "zipcode": zipcode}
    return {**record, **place, "phone": f"+1{world.phone()}"}


# -- kinds of pairs -----

SAME_KINDS: dict[str, tuple[int, tuple[Change, ...]]] = {
    "nothing changed": (14, ()),
    "untidy writing": (8, (untidy,)),
    "typo in first name": (3, (first_typo,)),
    "typo in last name": (4, (last_typo,)),
    "nickname": (5, (nickname,)),
    "hyphenated surname": (3, (surname_hyphenated,)),
    "changed surname": (3, (surname_changed,)),
    "swapped names": (2, (swapped,)),
    "middle name": (3, (middle_name,)),
    "birthday: one digit": (3, (birthday_digit,)),
    "birthday: day and month": (1, (birthday_day_month,)),
    "birthday missing": (4, (birthday_missing,)),
    "e-mail written otherwise": (4, (email_spelling,)),
    "typo in e-mail": (2, (email_typo,)),
    "new e-mail": (3, (email_new,)),
    "e-mail missing": (1, (email_missing,)),
    "moved": (3, (moved,)),
    "nickname and typo in last name": (1, (nickname, last_typo)),
    "married and moved": (1, (surname_changed, moved)),
    "new e-mail and nickname": (1, (email_new, nickname)),
    "new e-mail, married": (1, (email_new, surname_changed)),
    "new e-mail, birthday missing": (1, (email_new, birthday_missing)),
}

#: Slips that happen in records of different people too.
NOISE: tuple[Change, ...] = (
    untidy, first_typo, last_typo, nickname, birthday_digit, birthday_missing, middle_name, email_spelling, swapped,
    surname_hyphenated,
)  # fmt: skip

Draw = Callable[[World], tuple[Human, Human]]


def twins(world: World) -> tuple[Human, Human]:
    one = world.human()
    return one, world.relative(one, shares_email=False)


def twins_one_email(world: World) -> tuple[Human, Human]:
    one = world.human()
    return one, world.relative(one, shares_email=True)


def twins_alike(world: World) -> tuple[Human, Human]:
    pair = world.rng.sample(world.rng.choice(ALIKE_TWINS), 2)
    one = replace(world.human(), given=pair[0])
    return one, world.relative(one, shares_email=True, given=pair[1])


def twins_short(world: World) -> tuple[Human, Human]:
    """Only one of the two is called by the short form, which fits the other as well."""
    given, _, short = world.rng.choice(SHORT_TWINS)
    one = replace(world.human(), given=given)
    pair = (one, world.relative(one, shares_email=True, given=short))
    return pair if world.rng.random() < 0.5 else pair[::-1]


def twins_double(world: World) -> tuple[Human, Human]:
    pair = world.rng.sample(world.rng.choice(DOUBLE_TWINS), 2)
    one = replace(world.human(), given=_shorter(world, pair[0]))
    return one, world.relative(one, shares_email=True, given=_shorter(world, pair[1]))


def _shorter(world: World, given: str) -> str:
    first, _, second = given.replace("-", " ").partition(" ")
    return world.rng.choice([given, given, first, f"{first} {second[0]}"])


def parent_and_child(world: World) -> tuple[Human, Human]:
    one = replace(world.human(), birthday=world.birthday(1945, 1985))
    child = world.birthday(one.birthday.year + 19, min(2020, one.birthday.year + 42))
    pair = (one, world.relative(one, shares_email=True, birthday=child))
    return pair if world.rng.random() < 0.5 else pair[::-1]


def spouses(world: World) -> tuple[Human, Human]:
    one = world.human()
    born = world.birthday(max(1936, one.birthday.year - 8), min(2020, one.birthday.year + 8))
    family = one.family if world.rng.random() < 0.7 else world.rng.choice(SURNAMES)
    return one, world.relative(one, shares_email=True, birthday=born, family=family)


def junior_and_senior(world: World) -> tuple[Human, Human]:
    """Father and son of one name at one address, half of them with one e-mail; the suffix often left out."""
    senior = replace(world.human("M"), birthday=world.birthday(1940, 1980))
    born = world.birthday(senior.birthday.year + 19, min(2020, senior.birthday.year + 42))
    shares = world.rng.random() < 0.6
    junior = world.relative(senior, shares_email=shares, given=senior.given, birthday=born, sex="M")
    written = world.rng.choice(
        [("Sr.", "Jr."), ("Sr", "Jr"), ("", "Jr."), ("", ""), ("", "II"), ("Senior", "")]
    )
    pair = (replace(senior, suffix=written[0]), replace(junior, suffix=written[1]))
    return pair if world.rng.random() < 0.5 else pair[::-1]


def same_name_strangers(world: World) -> tuple[Human, Human]:
    one, other = world.human(), world.human()
    return one, replace(other, given=one.given, family=one.family, sex=one.sex)


def same_name_and_birthday(world: World) -> tuple[Human, Human]:
    one, other = same_name_strangers(world)
    return one, replace(other, birthday=one.birthday)


def email_used_again(world: World) -> tuple[Human, Human]:
    """An address that its provider gave to somebody else, or that front desk types for whoever has none."""
    one, other = world.human(), world.human()
    return one, replace(other, email=one.email)


def email_used_again_same_name(world: World) -> tuple[Human, Human]:
    one, other = same_name_strangers(world)
    return one, replace(other, email=one.email)


def same_birthday_strangers(world: World) -> tuple[Human, Human]:
    one, other = world.human(), world.human()
    return one, replace(other, birthday=one.birthday)


def housemates(world: World) -> tuple[Human, Human]:
    one, other = world.human(), world.human()
    return one, replace(other, street=one.street, town=one.town, phone=one.phone)


def strangers(world: World) -> tuple[Human, Human]:
    return world.human(), world.human()


DIFFERENT_KINDS: dict[str, tuple[int, Draw]] = {
    "twins, own e-mails": (2, twins),
    "twins, one e-mail": (4, twins_one_email),
    "twins with like names, one e-mail": (4, twins_alike),
    "twins, one short form fits both": (3, twins_short),
    "twins with double names, one e-mail": (3, twins_double),
    "parent and child, one e-mail": (3, parent_and_child),
    "spouses, one e-mail": (3, spouses),
    "junior and senior": (4, junior_and_senior),
    "strangers of one name": (3, same_name_strangers),
    "strangers of one name and birthday": (1, same_name_and_birthday),
    "e-mail used again": (2, email_used_again),
    "e-mail used again, same name": (2, email_used_again_same_name),
    "strangers of one birthday": (2, same_birthday_strangers),
    "housemates": (1, housemates),
    "strangers": (3, strangers),
}


def same_case(world: World, kind: str) -> Case:
    changes = SAME_KINDS[kind][1]
    human = world.human()
    if nickname in changes:
        human = replace(human, given=world.rng.choice(sorted(PET_NAMES)))
    caspio, rupa = world.caspio(human), world.rupa(human)
    for change in changes:
        if world.rng.random() < 0.5:
            caspio = change(world, caspio)
        else:
            rupa = change(world, rupa)
    return Case(kind, same=True, caspio=caspio, rupa=rupa)


def _one_name(one: Human, other: Human) -> bool:
    """Two people with one first name, birthday and e-mail: twins of whom both are put down as José."""
    return (one.given.casefold(), one.birthday, one.email) == (
        other.given.casefold(),
        other.birthday,
        other.email,
    )


def _one_record(caspio: Record, rupa: Record) -> bool:
    """A slip made one twin's first name the other's."""
    fields = ("first_name", "email", "birthday")
    return all(_bare(caspio[field]) == _bare(rupa[field]) for field in fields)


def _bare(text: str | None) -> str:
    return (text or "").casefold().removesuffix("t00:00:00").rstrip(". ")


def different_case(world: World, kind: str) -> Case:
    while True:
        one, other = DIFFERENT_KINDS[kind][1](world)
        caspio, rupa = world.caspio(one), world.rupa(other)
        if world.rng.random() < 0.4:
            noise = world.rng.choice(NOISE)
            if world.rng.random() < 0.5:
                caspio = noise(world, caspio)
            else:
                rupa = noise(world, rupa)
        if not (_one_name(one, other) or _one_record(caspio, rupa)):
            return Case(kind, same=False, caspio=caspio, rupa=rupa)


def cases(count: int, seed: int) -> Iterator[Case]:
    """`count` labelled pairs, about five in eight of them one person."""
    world = World(seed)
    kinds = [(kind, same_case, weight) for kind, (weight, _) in SAME_KINDS.items()]
    kinds += [(kind, different_case, weight) for kind, (weight, _) in DIFFERENT_KINDS.items()]
    weights = [weight for _, _, weight in kinds]
    for _ in range(count):
        ((kind, make, _weight),) = world.rng.choices(kinds, weights)
        yield make(world, kind)
