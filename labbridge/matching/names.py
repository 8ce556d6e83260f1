"""Names: reading one field of a name, and the tables of nicknames.

The vocabularies (particles, credentials, maiden markers) are nameparser's. Its parser is not used: a field for
first names is no full name, and Prince, King and Bishop, which it reads as titles, are patients' names.
"""

from __future__ import annotations

import functools
import re

from nameparser import Lexicon
from nicknames import NickNamer

from labbridge.matching.identity import Name
from labbridge.matching.text import clean, fold

LONGEST = 100
TITLES = {"mr", "mrs", "ms", "miss", "mx", "dr", "prof"}
GENERATIONS = {
    "jr": "jr", "junior": "jr", "jnr": "jr", "sr": "sr", "senior": "sr", "snr": "sr",
    "ii": "2", "iii": "3", "iv": "4", "2nd": "2", "3rd": "3", "4th": "4",
}  # fmt: skip
FILLERS = {"unknown", "none", "tbd", "noname", "notprovided", "notgiven", "firstname", "lastname"}

#: Short forms that belong to one name, and that nobody bears beside a sibling of the full name. Others
#: (Kate, Ed, Chris, Anna for Hannah) may be a twin's own name or short for a twin's, so a person decides.
SHORT_FOR_ONE = {
    "bob": "robert", "rob": "robert", "jim": "james", "jimmy": "james", "mike": "michael", "mikey": "michael",
    "dave": "david", "davy": "david", "tom": "thomas", "tommy": "thomas", "greg": "gregory", "doug": "douglas",
    "tim": "timothy", "timmy": "timothy", "josh": "joshua", "debbie": "deborah", "becky": "rebecca",
    "barb": "barbara", "judy": "judith", "peggy": "margaret", "mandy": "amanda", "vicky": "victoria",
    "vicki": "victoria", "abby": "abigail", "zeke": "ezekiel", "walt": "walter", "chuck": "charles",
}  # fmt: skip


@functools.cache
def _lexicon() -> Lexicon:
    return Lexicon.default()


@functools.cache
def _nicknames() -> NickNamer:
    return NickNamer()


@functools.cache
def particles() -> frozenset[str]:
    """Words such as `de` and `van`, which come and go before a surname."""
    return frozenset(word for particle in _lexicon().particles for word in fold(particle))


def name_problem(text: str, called: str) -> tuple[str, str] | None:
    """Code and sentence of why a cleaned name cannot be used."""
    checks = (
        (not text, "missing", f"The {called} is missing."),
        (bool(re.search(r"[<>]", text)), "markup", f"The {called} contains markup, such as < or >."),
        (bool(re.search(r"@|://|www\.", text)), "address", f"The {called} contains an e-mail or web address."),
        (not any(map(str.isalpha, text)), "no_letters", f"The {called} has no letters."),
        (len(text) > LONGEST, "long", f"The {called} is longer than {LONGEST} characters."),
        (_filler(text), "filler", f"The {called} is a filler, not a name."),
    )  # fmt: skip
    return next(((code, sentence) for wrong, code, sentence in checks if wrong), None)


def _filler(text: str) -> bool:
    return "".join(fold(text)) in FILLERS or text.casefold() == "n/a"


def read_name(value: object, called: str) -> tuple[str, tuple[str, str] | None]:
    """The name as it may be sent, cleaned, and what is wrong. Markup is refused, never cut out."""
    text = clean(value)
    problem = name_problem(text, called)
    return ("" if problem else text), problem


def given_name(text: str) -> tuple[Name, str]:
    """A first name without courtesy titles, and a generation that stands with it: `John Jr.`."""
    bare, also = _aside(text)
    words, generation = _without_suffixes(_without_titles(bare))
    return _name(words, also), generation


def family_name(text: str) -> tuple[Name, str]:
    """A last name without credentials and generation, and that generation: jr, sr, 2, 3 or 4."""
    bare, also = _aside(text)
    bare, maiden = _maiden(bare)
    words, generation = _without_suffixes(bare)
    return _name(words, also | maiden), generation


def _name(text: str, also: frozenset[str]) -> Name:
    words = fold(text)
    spellings = {_spelling(words), _spelling(fold(text, spelled_out=True))} - {""}
    return Name(words, frozenset(spellings), also - set(words))


def _spelling(words: tuple[str, ...]) -> str:
    """Mary Ann is Maryann, but Paul A. is not Paula, who may be his twin."""
    return (" " if any(len(word) == 1 for word in words) else "").join(words)


def _aside(text: str) -> tuple[str, frozenset[str]]:
    """What stands in quotes or brackets, apart from the rest; a name wholly in quotes is the name."""
    pattern = r"[\"“”„(\[][^\"“”„()\[\]]*[\"“”)\]]"  # no single quotes: O'Brien D'Arcy has two
    rest = re.sub(pattern, " ", text)
    if not fold(rest):
        return text, frozenset()
    inside = " ".join(re.findall(pattern, text))
    return rest, frozenset(word for word in fold(inside) if word not in _maiden_markers())


@functools.cache
def _maiden_markers() -> frozenset[str]:
    return frozenset(fold(marker)[0] for marker in _lexicon().maiden_markers if " " not in marker)


def _maiden(text: str) -> tuple[str, frozenset[str]]:
    words = text.split()
    for place, word in enumerate(words):
        if 0 < place < len(words) - 1 and fold(word)[:1] and fold(word)[0] in _maiden_markers():
            return " ".join(words[:place]), frozenset(fold(" ".join(words[place + 1 :])))
    return text, frozenset()


def _without_titles(text: str) -> str:
    words = text.split()
    while len(words) > 1 and "".join(fold(words[0])) in TITLES:
        words = words[1:]
    return " ".join(words)


def _without_suffixes(text: str) -> tuple[str, str]:
    """Credentials are taken off after a comma only: Do and Ma are surnames, PP may be two initials."""
    name, _, after = text.partition(",")
    generations = [GENERATIONS[word] for word in fold(after) if word in GENERATIONS]
    if not all(word in _credentials() or word in GENERATIONS for word in fold(after)):
        name = text
    words = name.split()
    while len(words) > 1 and (last := "".join(fold(words[-1]))) in GENERATIONS:
        generations.append(GENERATIONS[last])
        words = words[:-1]
    return " ".join(words), "".join(generations[:1])


@functools.cache
def _credentials() -> frozenset[str]:
    known = _lexicon().suffix_acronyms | _lexicon().suffix_words
    return frozenset("".join(fold(word)) for word in known) - {""}


def nicknames(one: str, other: str) -> bool:
    """One of the two is known as a short or pet form of the other."""
    forms = _nicknames()
    return other in forms.nicknames_of(one) or one in forms.nicknames_of(other)


def short_for_one(one: str, other: str) -> bool:
    """One is a short form that belongs to the other name alone."""
    return SHORT_FOR_ONE.get(one) == other or SHORT_FOR_ONE.get(other) == one
