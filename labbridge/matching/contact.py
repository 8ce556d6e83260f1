"""E-mail addresses and phone numbers: what can be sent, and what arrives in the same mailbox."""

from __future__ import annotations

import re

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from labbridge.matching.text import clean

FILLERS = {
    "none", "noemail", "no-email", "no_email", "noemailaddress", "na", "n/a", "nomail", "noreply",
    "no-reply", "donotreply", "unknown", "notprovided", "declined", "refused", "fake", "asdf",
}  # fmt: skip

GMAIL = {"gmail.com", "googlemail.com"}
SAME_HOST = {"googlemail.com": "gmail.com", "me.com": "icloud.com", "mac.com": "icloud.com"} | dict.fromkeys(
    ("protonmail.com", "pm.me"), "proton.me"
)


#: Looked for in this order in a cleaned address of at most LONGEST characters.
WRONG = (
    (r"^[^@]*$", "no_at", "The e-mail address has no @."),
    (r"@.*[ ;,/].*@", "several", "The e-mail field holds more than one address. Keep the patient's own."),
    (r"@.*@", "two_at", "The e-mail address has more than one @."),
    (r"[<>]", "markup", "The e-mail field holds more than an address."),
    (r" ", "space", "The e-mail address has a space in it."),
    (r",", "comma", "The e-mail address has a comma in it."),
    (r"^@", "no_name", "The e-mail address has nothing before the @."),
    (r"@$", "no_host", "The e-mail address has nothing after the @."),
    (r"@[^.]*$", "no_dot", "The e-mail address has no dot after the @, as in .com."),
)
LONGEST = 254  # RFC 5321


def email_problem(text: str) -> tuple[str, str] | None:
    """Code and sentence of what is plainly wrong with a cleaned e-mail address; None where it may be right."""
    if len(text) > LONGEST:
        return "long", "The e-mail address is too long to be one."
    for pattern, code, sentence in WRONG:
        if re.search(pattern, text):
            return code, sentence
    if text.partition("@")[0].casefold() in FILLERS:
        return "filler", "The e-mail address is a filler, not an address of the patient."
    return None


def read_email(value: object) -> tuple[str | None, tuple[str, str] | None]:
    """The address with its host in small letters, and what is wrong. Looks nothing up, in no DNS."""
    text = clean(value)
    if not text:
        return None, ("missing", "The e-mail address is missing; Rupa knows a patient by it.")
    if problem := email_problem(text):
        return None, problem
    try:
        # Names of mailboxes beyond ASCII are refused by Django, which Rupa runs on (rupa-api.md 4).
        found = validate_email(text, check_deliverability=False, allow_smtputf8=False)
    except (EmailNotValidError, UnicodeError):
        return None, ("invalid", "The e-mail address cannot be right as it is written.")
    return found.normalized, None


def mailbox(email: str) -> str:
    """Where mail to this address arrives by the rules of its provider. Evidence only: Rupa compares literally."""
    local, _, host = email.casefold().rpartition("@")
    bare = local.partition("+")[0] or local
    if host in GMAIL:
        bare = bare.replace(".", "") or bare
    return f"{bare}@{SAME_HOST.get(host, host)}"


def read_phone(value: object, region: str) -> tuple[str | None, tuple[str, str] | None]:
    """E.164, and what is wrong. An extension is left out: E.164 has none."""
    text = clean(value)[:LONGEST]
    if not text:
        return None, None
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None, ("unreadable", "The phone number cannot be read. It is left out.")
    if not phonenumbers.is_possible_number(number):
        return None, ("length", "The phone number has too few or too many digits. It is left out.")
    if not phonenumbers.is_valid_number(number):
        return None, ("invalid", "The phone number does not exist in its country. It is left out.")
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)), None
