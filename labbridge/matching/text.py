"""Text as people type it, made comparable. Pure; never fails on any text."""

from __future__ import annotations

import html
import re
import unicodedata

from anyascii import anyascii

DROPPED = {"Cf", "Co", "Cs", "Cn"}  # zero-width and bidi marks, private use, lone surrogates, unassigned
SPACES = {"Zs", "Zl", "Zp", "Cc"}  # NBSP and its kin, line breaks, tabs

LONGEST = 2000  # of a value whose entities are read: nested a thousandfold they would keep us busy

# How Germans and Scandinavians spell these letters where a keyboard has none; anyascii drops the dots instead.
SPELLED_OUT = str.maketrans(
    {
        "ä": "ae",
        "ö": "oe",
        "ü": "ue",
        "ø": "oe",
        "å": "aa",
        "Ä": "ae",
        "Ö": "oe",
        "Ü": "ue",
        "Ø": "oe",
        "Å": "aa",
    }
)


def clean(value: object) -> str:
    """One line of visible text, without HTML's entities (a DataPage may leave `&#39;` in a name)."""
    text = "" if value is None else str(value)
    if text.isascii() and text.isprintable() and "&" not in text:
        return " ".join(text.split())
    if len(text) > LONGEST:
        return _shown(text)
    while (cleaned := _shown(html.unescape(text))) != text:
        text = cleaned
    return text


def _shown(text: str) -> str:
    visible = (_visible(character) for character in text)
    return " ".join(unicodedata.normalize("NFC", "".join(visible)).split())


def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if category in SPACES:
        return " "
    return "" if category in DROPPED else character


def fold(text: str, *, spelled_out: bool = False) -> tuple[str, ...]:
    """Words in plain small letters and digits: `José O'Brien-Núñez` is jose, obrien, nunez."""
    plain = anyascii(text.translate(SPELLED_OUT) if spelled_out else text).casefold()
    return tuple(re.findall(r"[a-z0-9]+", re.sub(r"['`]", "", plain)))


def squeeze(word: str) -> str:
    """Without doubled letters: `Phillip` and `Philip` are written alike."""
    return re.sub(r"(.)\1+", r"\1", word)
