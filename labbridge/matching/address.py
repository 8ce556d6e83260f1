"""US addresses: states, ZIP codes, and streets in comparable form."""

from __future__ import annotations

import re

from labbridge.matching.text import clean, fold

_STATES = """
AL Alabama|AK Alaska|AZ Arizona|AR Arkansas|CA California|CO Colorado|CT Connecticut|DE Delaware
DC District of Columbia|FL Florida|GA Georgia|HI Hawaii|ID Idaho|IL Illinois|IN Indiana|IA Iowa|KS Kansas
KY Kentucky|LA Louisiana|ME Maine|MD Maryland|MA Massachusetts|MI Michigan|MN Minnesota|MS Mississippi
MO Missouri|MT Montana|NE Nebraska|NV Nevada|NH New Hampshire|NJ New Jersey|NM New Mexico|NY New York
NC North Carolina|ND North Dakota|OH Ohio|OK Oklahoma|OR Oregon|PA Pennsylvania|RI Rhode Island
SC South Carolina|SD South Dakota|TN Tennessee|TX Texas|UT Utah|VT Vermont|VA Virginia|WA Washington
WV West Virginia|WI Wisconsin|WY Wyoming|PR Puerto Rico|GU Guam|VI Virgin Islands|AS American Samoa
MP Northern Mariana Islands|AA Armed Forces Americas|AE Armed Forces Europe|AP Armed Forces Pacific
"""  # USPS Publication 28, appendix B
STATES = {
    "".join(fold(name)): code
    for code, name in (entry.split(" ", 1) for entry in re.split(r"[|\n]", _STATES.strip()))
} | {"usvirginislands": "VI", "washingtondc": "DC"}
STATES |= {code.casefold(): code for code in STATES.values()}

#: Their ZIP codes begin with 0, which a number field drops.
LEADING_ZERO = {"CT", "MA", "ME", "NH", "NJ", "RI", "VT", "PR", "VI", "AE"}

ABBREVIATIONS = {
    "street": "st", "avenue": "ave", "av": "ave", "road": "rd", "drive": "dr", "boulevard": "blvd", "lane": "ln",
    "court": "ct", "place": "pl", "circle": "cir", "terrace": "ter", "parkway": "pkwy", "highway": "hwy",
    "square": "sq", "trail": "trl", "north": "n", "south": "s", "east": "e", "west": "w", "northeast": "ne",
    "northwest": "nw", "southeast": "se", "southwest": "sw", "apartment": "apt", "suite": "ste", "unit": "apt",
    "number": "apt", "no": "apt", "floor": "fl", "mount": "mt", "saint": "st", "first": "1st", "second": "2nd",
    "third": "3rd",
}  # fmt: skip

Read = tuple[str | None, tuple[str, str] | None]


def read_state(value: object) -> Read:
    """The state's two letters, and what is wrong."""
    text = clean(value)
    if not text:
        return None, None
    code = STATES.get("".join(fold(text)))
    return (code, None) if code else (None, ("unknown", "The state is none of the United States."))


def read_zipcode(value: object, state: str | None) -> Read:
    """Five digits, or five and four. A zero that a number field dropped is put back where the state has one."""
    text = clean(value)
    if not text:
        return None, None
    found = re.fullmatch(r"([0-9]{3,5})(?:\.0)?(?:[ -]?([0-9]{4}))?", text, re.ASCII)
    digits = found[1] if found else ""
    if state in LEADING_ZERO:
        digits = digits and digits.zfill(5)
    if not found or len(digits) != 5:
        return None, ("digits", "The ZIP code does not have five digits.")
    return (f"{digits}-{found[2]}" if found[2] else digits), None


def street_key(street: str) -> str:
    """A street in one spelling: `12 North Main Street, Apt. 4` and `12 N Main St #4` are the same."""
    words = fold(street.replace("#", " apt "))
    short = [ABBREVIATIONS.get(word, word) for word in words]
    return re.sub(r"\bapt( apt)+\b", "apt", " ".join(short))
