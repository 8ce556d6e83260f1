"""A configuration as the text of a `practice.toml`, and as a flat table of settings by their path.

The text holds no secret: `stored` stands where one is kept sealed, and applying such a text keeps it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import tomli_w

from labbridge.practices.config import STORED, PracticeConfig

Kept = dict[str, Any]  # any: JSON, as `Practice.config` holds it

#: Settings that make sense as a whole only.
WHOLE = ("caspio.sign_in", "caspio.webhook_signature")
ABSENT = object()  #: of a setting that one side does not have, such as a field without a policy


def kept_of(config: PracticeConfig) -> Kept:
    """As it is kept, with every setting spelled out."""
    return config.model_dump(mode="json")


def whole(kept: Kept) -> Kept:
    """A kept configuration with what later versions of Labbridge added to it."""
    return kept_of(PracticeConfig.model_validate(kept)) if kept else {}


def toml_of(kept: Kept, *, channels: bool = False) -> str:
    """`channels`: whether addresses for alerts are stored."""
    if not kept:
        return ""
    shown = _without_none(kept)
    shown["alerts"]["channels"] = [STORED] if channels else []
    return tomli_w.dumps(shown)


def _without_none(value: Any) -> Any:  # any: JSON
    if isinstance(value, dict):
        return {name: _without_none(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_none(item) for item in value]
    return value


def leaves(kept: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting by its path, such as `caspio.patients.email`."""
    for name, item in kept.items():
        here = f"{path}.{name}" if path else name
        if isinstance(item, dict) and here not in WHOLE:
            yield from leaves(item, here)
        elif here != "alerts.channels":  # kept apart, sealed
            yield here, item


def changed(before: Kept, after: Kept) -> dict[str, tuple[Any, Any]]:  # any: values of settings
    """Path -> value before and after, of every setting that differs."""
    old, new = dict(leaves(before)), dict(leaves(after))
    pairs = {path: (old.get(path, ABSENT), new.get(path, ABSENT)) for path in [*old, *new]}
    return {path: pair for path, pair in pairs.items() if pair[0] != pair[1]}


def put(kept: Kept, path: str, value: Any) -> None:  # any: the value of a setting
    """Set one setting; `ABSENT` takes it out."""
    *parents, name = path.split(".")
    here = kept
    for parent in parents:
        here = here.setdefault(parent, {})
    if value is ABSENT:
        here.pop(name, None)
    else:
        here[name] = value
