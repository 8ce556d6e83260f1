"""Keys of the machine API: what they may do, making them, recognising them, taking them away."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import transaction
from django.utils import timezone

from labbridge.handover.models import ApiKey, PhiClass
from labbridge.outbox.models import Agreement
from labbridge.practices.models import Practice
from labbridge.trust.audit import Actor, record

PREFIX = "lb_"
MOST_DAYS = 730  #: an older key belongs to a program that nobody remembers
MOST_PER_MINUTE = 6000
HINT = len(PREFIX) + 5


class Scope(NamedTuple):
    words: str
    phi: bool


#: Everything a key can be allowed. A scope with patient data needs a key of the class `phi`.
SCOPES: dict[str, Scope] = {
    "health:read": Scope("see whether the practice's connections and work are well", phi=False),
    "catalogue:read": Scope("read lab companies and tests", phi=False),
    "ledger:read": Scope("read the completeness ledger", phi=False),
    "alerts:read": Scope("read alerts", phi=False),
    "orders:read": Scope(
        "read orders and ordered tests; without patients for a key of class none", phi=False
    ),
    "patients:read": Scope("read ids and link state of patients", phi=True),
    "patients:sync": Scope("have a patient brought to Rupa now", phi=True),
    "results:read": Scope("read results, their values and files", phi=True),
    "orders:place": Scope("ask for labs, and read what became of it", phi=True),
    "cases:read": Scope("read review cases", phi=True),
    "cases:decide": Scope("decide review cases", phi=True),
}


class KeyProblem(Exception):
    """A key cannot be made or found as asked; the sentence says why."""


@dataclass(frozen=True)
class Made:
    key: ApiKey
    secret: str  # shown once


def make(
    practice: Practice,
    name: str,
    scopes: Sequence[str],
    *,
    actor: Actor,
    phi_class: str = PhiClass.NONE,
    agreement: Agreement | None = None,
    in_house: bool = False,
    days: int = 365,
    per_minute: int = 120,
) -> Made:
    """Make a key. Its secret is in the answer and nowhere else.

    Raises:
        KeyProblem: a scope that does not exist or needs the class `phi`, patient data for somebody without a BAA, a
            name that is taken, a life too long.

    """
    name = name.strip()
    _check(name, scopes, phi_class, days, per_minute)
    phi = phi_class == PhiClass.PHI
    if phi:
        _check_agreement(practice, agreement, in_house=in_house)
    secret = PREFIX + secrets.token_urlsafe(32)
    with transaction.atomic():
        Practice.objects.select_for_update(no_key=True).get(pk=practice.pk)  # two of one name at once
        if ApiKey.objects.filter(practice=practice, name=name).exists():
            raise KeyProblem(
                f"{practice.slug} has or had a key {name!r}: the audit tells keys apart by name. Choose another."
            )
        key = ApiKey.objects.create(
            practice=practice, name=name, digest=digest_of(secret), hint=secret[:HINT], scopes=sorted(set(scopes)),
            phi_class=phi_class, agreement=agreement if phi and not in_house else None,
            in_house=phi and in_house, per_minute=per_minute, created_by=actor.name,
            expires_at=timezone.now() + timedelta(days=days),
        )  # fmt: skip
        record(
            "key.create", actor=actor, practice=practice, subject=f"api_key:{key.pk}",
            name=name, scopes=" ".join(key.scopes), phi_class=phi_class, days=days,
            allowed_by="" if not phi else "in house" if in_house else f"agreement:{key.agreement_id}",
        )  # fmt: skip
    return Made(key, secret)


def _check(name: str, scopes: Sequence[str], phi_class: str, days: int, per_minute: int) -> None:
    unknown = sorted(set(scopes) - SCOPES.keys())
    if unknown:
        raise KeyProblem(f"There is no scope {', '.join(unknown)}. Known: {', '.join(SCOPES)}.")
    if not scopes:
        raise KeyProblem(f"Say with --scope what the key may do. Known: {', '.join(SCOPES)}.")
    if phi_class not in PhiClass.values:
        raise KeyProblem(f"The class of patient data is {' or '.join(PhiClass.values)}, not {phi_class!r}.")
    needy = sorted(scope for scope in set(scopes) if SCOPES[scope].phi)
    if needy and phi_class != PhiClass.PHI:
        raise KeyProblem(
            f"{', '.join(needy)} show patient data: give the key --phi phi if whoever uses it may see that."
        )
    if not name or len(name) > 100 or not name.isprintable():
        raise KeyProblem(
            "Give the key a name of at most 100 characters: that of the program that will use it."
        )
    if not 1 <= days <= MOST_DAYS:
        raise KeyProblem(f"A key lives 1 to {MOST_DAYS} days. Make a new one before it expires.")
    if not 1 <= per_minute <= MOST_PER_MINUTE:
        raise KeyProblem(f"A key may make 1 to {MOST_PER_MINUTE} calls a minute.")


def _check_agreement(practice: Practice, agreement: Agreement | None, *, in_house: bool) -> None:
    today = timezone.now().astimezone(practice.zone).date()
    if in_house == (agreement is not None):
        raise KeyProblem(
            "Say who will see the patient data: --baa PARTY for an outside company with a BAA on file "
            "(`labbridge baa add`), or --in-house when only the practice's own staff use the key."
        )
    if agreement is not None and (agreement.practice_id != practice.pk or not agreement.holds(today)):
        raise KeyProblem("That BAA is not in force.")


def digest_of(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def recognise(secret: str) -> ApiKey | None:
    """The key that this is, while it is neither revoked nor expired."""
    if not secret.startswith(PREFIX):
        return None
    key = ApiKey.objects.select_related("practice", "agreement").filter(digest=digest_of(secret)).first()
    return key if key is not None and usable(key, timezone.now()) else None


def usable(key: ApiKey, now: datetime) -> bool:
    return key.revoked_at is None and now < key.expires_at


def revoke(practice: Practice, name: str, *, actor: Actor) -> ApiKey:
    """End a key at once. Its row stays, since audit entries and kept calls name it.

    Raises:
        KeyProblem: the practice has no living key of that name.

    """
    with transaction.atomic():
        found = (
            ApiKey.objects.select_for_update().filter(practice=practice, name=name, revoked_at=None).first()
        )
        if found is None:
            raise KeyProblem(
                f"{practice.slug} has no key {name!r} that could be revoked. `labbridge key list` shows them."
            )
        found.revoked_at = timezone.now()
        found.save(update_fields=["revoked_at"])
        record("key.revoke", actor=actor, practice=practice, subject=f"api_key:{found.pk}", name=name)
    return found
