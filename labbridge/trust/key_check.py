"""What can be wrong with a deployment's keys, said before it hurts: for `doctor` and `keys status`."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from django.conf import settings

from labbridge.trust.keys import CannotOpen, deployment_keys, key_id, keyring
from labbridge.trust.models import DataKey
from labbridge.trust.rotation import remaining

SET_RIGHT = "Set LABBRIDGE_ENCRYPTION_KEYS or LABBRIDGE_KEY_ADAPTER right."


class KeyFinding(NamedTuple):
    """`severity`: problem (values cannot be opened), warning (something is left to do), note (good to know)."""

    severity: str
    sentence: str
    advice: str


def findings(found: dict[str, Counter[str]]) -> list[KeyFinding]:
    """Everything, problems first. `found` are the counts of `rotation.counts`."""
    said = about_values(found)
    return said if any(one.advice == SET_RIGHT for one in said) else [*said, _loss(), *_beside_the_data()]


def about_values(found: dict[str, Counter[str]]) -> list[KeyFinding]:
    """Whether all values can be opened, and what is left to be done."""
    try:
        held = [key_id(key).hex() for key in deployment_keys()]
    except CannotOpen as error:
        return [KeyFinding("problem", str(error), SET_RIGHT)]
    return [*_missing(found, held), *_index(), *_left(found, held)]


def _missing(found: dict[str, Counter[str]], held: list[str]) -> list[KeyFinding]:
    gone: Counter[str] = Counter()
    for one in found.values():
        gone.update({key: number for key, number in one.items() if key not in {*held, "data key"}})
    return [
        KeyFinding(
            "problem",
            f"{number} values need the key {key}, which LABBRIDGE_ENCRYPTION_KEYS does not hold.",
            "Add that key again at the end of the list, then run `labbridge keys rotate`.",
        )
        for key, number in sorted(gone.items())
    ]


def _index() -> list[KeyFinding]:
    try:
        _ = keyring().index_key
    except CannotOpen:
        return [
            KeyFinding(
                "problem",
                "The key of the search hashes cannot be opened: patients would be taken for new ones.",
                "Stop the service and add the key that is missing to LABBRIDGE_ENCRYPTION_KEYS.",
            )
        ]
    return []


def _left(found: dict[str, Counter[str]], held: list[str]) -> list[KeyFinding]:
    if left := remaining(found):
        return [
            KeyFinding(
                "warning",
                f"{left} values are still sealed by an older key.",
                "Run `labbridge keys rotate`; it may run beside the service.",
            )
        ]
    if len(held) > 1:
        return [
            KeyFinding(
                "note",
                "No value needs the older encryption keys any more.",
                "Take them out of LABBRIDGE_ENCRYPTION_KEYS; keep them for as long as you keep backups of before.",
            )
        ]
    return []


def _loss() -> KeyFinding:
    patients = DataKey.objects.exclude(wrapped=None).count()
    return KeyFinding(
        "note",
        f"If LABBRIDGE_ENCRYPTION_KEYS is lost, everything under {patients} data keys and all tokens are lost for "
        "good: nobody can open them, and no backup helps. What Caspio holds stays.",
        "Keep a copy apart from the database and its backups, such as in your password manager.",
    )


def _beside_the_data() -> list[KeyFinding]:
    if settings.DEPLOYMENT.encryption_keys:
        return []
    return [
        KeyFinding(
            "warning",
            "The encryption key was generated and lies in the data directory: whoever copies the directory has both.",
            "Move it: set LABBRIDGE_ENCRYPTION_KEYS_FILE to a file elsewhere that holds it.",
        )
    ]
