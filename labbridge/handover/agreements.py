"""Business associate agreements (BAAs) on file: what lets patient data go to a destination or a key."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import date, timedelta

from django.db import transaction
from django.utils import timezone

from labbridge.outbox.models import Agreement
from labbridge.practices.models import Practice
from labbridge.trust.audit import Actor, record

LONGEST = timedelta(days=366 * 10)
SHA256 = re.compile(r"[0-9a-f]{64}")


class AgreementProblem(Exception):
    """An agreement cannot be recorded or found as asked; the sentence says why.

    `about` is the attribute of what was signed that will not do; "" when it is about none.
    """

    def __init__(self, sentence: str, about: str = "") -> None:
        super().__init__(sentence)
        self.about = about


@dataclass(frozen=True)
class Signed:
    """As it stands in the signed document. `sha256` is of the document's file."""

    party: str
    signed_on: date
    expires_on: date
    sha256: str


def digest_of(document: bytes) -> str:
    return hashlib.sha256(document).hexdigest()


def record_agreement(practice: Practice, signed: Signed, *, actor: Actor) -> Agreement:
    """Put an agreement on file; one that is there already is found.

    Raises:
        AgreementProblem: a date or the hash makes no sense.

    """
    party = signed.party.strip()
    if not party or len(party) > 200 or not party.isprintable():
        raise AgreementProblem(
            "Say with whom the agreement is: the company's name, at most 200 characters.", "party"
        )
    if not SHA256.fullmatch(signed.sha256):
        raise AgreementProblem("The document's hash is SHA-256: 64 digits and letters from a to f.", "sha256")
    if signed.signed_on > timezone.now().astimezone(practice.zone).date():
        raise AgreementProblem("It is signed in the future: enter it when it is signed.", "signed_on")
    if not signed.signed_on <= signed.expires_on <= signed.signed_on + LONGEST:
        raise AgreementProblem(
            "Its last day comes after the day it was signed, ten years later at most. For one without an end, enter "
            "the day on which you will look at it again.",
            "expires_on",
        )
    with transaction.atomic():
        made, created = Agreement.objects.get_or_create(
            practice=practice, party=party, sha256=signed.sha256,
            defaults={
                "signed_on": signed.signed_on, "expires_on": signed.expires_on, "recorded_by": actor.name[:150],
            },
        )  # fmt: skip
        if not created and (made.signed_on, made.expires_on) != (signed.signed_on, signed.expires_on):
            raise AgreementProblem("This very document is on file with other dates: end that entry first.")
        if not created and made.ended_at:
            raise AgreementProblem("This very document was on file and was ended: record the new document.")
        if created:
            record(
                "agreement.record", actor=actor, practice=practice, subject=f"agreement:{made.pk}", party=party,
                signed_on=str(made.signed_on), expires_on=str(made.expires_on), sha256=made.sha256,
            )  # fmt: skip
    return made


def in_force(practice: Practice, party: str) -> Agreement:
    """The agreement with a party that holds today, the one that lasts longest.

    Raises:
        AgreementProblem: there is none.

    """
    today = timezone.now().astimezone(practice.zone).date()
    held = Agreement.objects.filter(practice=practice, party=party.strip()).order_by("-expires_on")
    found = next((one for one in held if one.holds(today)), None)
    if found is None:
        raise AgreementProblem(
            f"{practice.slug} has no BAA in force with {party.strip()!r} on file. "
            "Record it first: `labbridge baa add`."
        )
    return found


def end(practice: Practice, party: str, *, actor: Actor) -> int:
    """End every agreement with a party today. What depends on them is held at once.

    Raises:
        AgreementProblem: there is none that could be ended.

    """
    with transaction.atomic():
        held = list(
            Agreement.objects.select_for_update().filter(
                practice=practice, party=party.strip(), ended_at=None
            )
        )
        if not held:
            raise AgreementProblem(f"{practice.slug} has no BAA with {party.strip()!r} that could be ended.")
        for one in held:
            one.ended_at = timezone.now()
            one.save(update_fields=["ended_at"])
            record(
                "agreement.end",
                actor=actor,
                practice=practice,
                subject=f"agreement:{one.pk}",
                party=one.party,
            )
    return len(held)
