"""Which form of a path and which parameters Rupa turned out to take (rupa-api.md 2.1 and 4).

Kebab-case or snake_case, slash or none, `sort` and `include` or not: nothing of it is documented, so the
likely form is tried first, the other once, and what works is remembered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypedDict


class KnownSpellings(TypedDict):
    """What can be kept between processes; plain JSON."""

    paths: dict[str, str]
    refused: list[str]


class Spellings:
    """Learned forms, to be shared by all clients of one API host. No secrets, no data of patients.

    `paths` maps a collection to the form that works, such as "order-intents/"; `refused` holds
    parameters answered with 400, such as "orders sort".
    """

    def __init__(self, paths: Mapping[str, str] | None = None, refused: Iterable[str] = ()) -> None:
        self._paths = dict(paths or {})
        self._refused = set(refused)

    @classmethod
    def load(cls, known: KnownSpellings) -> Spellings:
        return cls(known["paths"], known["refused"])

    def dump(self) -> KnownSpellings:
        return {"paths": dict(self._paths), "refused": sorted(self._refused)}

    def known(self, collection: str) -> str | None:
        return self._paths.get(collection)

    def forms(self, collection: str, path: str) -> list[str]:
        """The form that works when it is known, then all others in the order worth trying."""
        other = path.replace("-", "_") if "-" in path else path.replace("_", "-")
        candidates = [path + "/", path, other + "/", other]  # slash first: a write without one may be lost
        known = self._paths.get(collection)
        return list(dict.fromkeys([known, *candidates] if known else candidates))

    def learn(self, collection: str, form: str) -> None:
        self._paths[collection] = form

    def refuse(self, collection: str, parameter: str) -> None:
        self._refused.add(f"{collection} {parameter}")

    def takes(self, collection: str, parameter: str) -> bool:
        return f"{collection} {parameter}" not in self._refused


def item_path(form: str, key: str | None) -> str:
    """The path of one thing in a collection, with or without a slash as the collection has it."""
    if key is None:
        return form
    return f"{form}{key}/" if form.endswith("/") else f"{form}/{key}"
