"""`keys status|new|rotate`: the encryption keys, what they seal, and replacing them while the service runs."""

from __future__ import annotations

import base64
import secrets
from typing import Any

import typer

from labbridge.commands.base import PROBLEMS, AsJson, DryRun, Stop, command, print_json
from labbridge.commands.sync import progress_bar

keys_app = typer.Typer(no_args_is_help=True, help="Encryption keys: what they seal, and replacing them.")


@keys_app.command("status")
@command
def status(as_json: AsJson = False) -> None:
    """How many values each key seals, and what is wrong with the keys."""
    from labbridge.trust.key_check import findings
    from labbridge.trust.rotation import counts

    found = counts()
    said = findings(found)
    if as_json:
        print_json({**_shown(found), "findings": [one._asdict() for one in said]})  # noqa: SLF001  # a named tuple's own
    else:
        _print_counts(found)
        for one in said:
            print(f"{one.severity}: {one.sentence} {one.advice}")
    if any(one.severity == "problem" for one in said):
        raise typer.Exit(PROBLEMS)


@keys_app.command("new")
@command
def new(as_json: AsJson = False) -> None:
    """Make a key and print it; it is not used before you put it first in LABBRIDGE_ENCRYPTION_KEYS."""
    from labbridge.trust.keys import adapter

    key = secrets.token_bytes(32)
    kms = adapter()
    text = base64.b64encode(kms.wrap(key) if kms else key).decode()
    if as_json:
        print_json({"key": text, "wrapped": kms is not None})
    else:
        print(text)


@keys_app.command("rotate")
@command
def rotate(dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Seal with the first key of LABBRIDGE_ENCRYPTION_KEYS whatever an older one sealed, and prove it.

    May run beside the service, and again after it was interrupted. Restart every process with the new key first.
    """
    from labbridge.engine.locks import try_exclusive
    from labbridge.trust import rotation
    from labbridge.trust.audit import operator, record
    from labbridge.trust.keys import keyring

    before = rotation.counts()
    if dry_run:
        _answer({**_shown(before), "would_replace": rotation.remaining(before)}, before, as_json=as_json)
        return
    with try_exclusive("keys rotate") as held:
        if not held:
            raise Stop("Another rotation is running.")
        with progress_bar("values sealed again", quiet=as_json) as progress:
            done = rotation.rotate(progress)
    after = rotation.counts()
    left = rotation.remaining(after)
    record(
        "keys.rotate", actor=operator(), count=done, outcome="failed" if left else "done", left=left,
        key=keyring().current.hex(),
    )  # fmt: skip
    _answer({**_shown(after), "replaced": done}, after, as_json=as_json)
    if left:
        raise Stop(f"{left} values are still in use by older keys. Run this again.")
    if not as_json:
        print(f"{done} values replaced. No value needs an older key: proof above.")


def _shown(found: Any) -> dict[str, Any]:
    from labbridge.trust.keys import keyring
    from labbridge.trust.rotation import remaining

    return {
        "current": keyring().current.hex(),
        "held": [one.hex() for one in keyring().key_ids],
        "values": {name: dict(counted) for name, counted in found.items()},
        "remaining": remaining(found),
    }


def _answer(shown: dict[str, Any], found: Any, *, as_json: bool) -> None:
    if as_json:
        print_json(shown)
        return
    _print_counts(found)
    if "would_replace" in shown:
        print(f"would replace {shown['would_replace']} values")


def _print_counts(found: Any) -> None:
    from labbridge.trust.keys import keyring

    current = keyring().current.hex()
    for name, counted in found.items():
        for key, number in sorted(counted.items()):
            mark = {"data key": "", current: " (current)"}.get(key, " (older)")
            print(f"{name:<32} {number:>10}  {key}{mark}")
