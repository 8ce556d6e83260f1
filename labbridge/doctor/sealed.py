"""Whether every sealed value in the database can still be opened, and whether an older key is still needed."""

from __future__ import annotations

from collections.abc import Iterator

from labbridge.doctor.findings import Checked, fail, ok, warn
from labbridge.trust.key_check import about_values
from labbridge.trust.rotation import counts

NAME = "sealed values"


def sealed_values() -> Iterator[Checked]:
    """By the key id that each value begins with; nothing but the key of the search hashes is opened."""
    found = counts()
    said = about_values(found)
    for one in said:
        match one.severity:
            case "problem":
                yield fail(NAME, one.sentence, one.advice)
            case "warning":
                yield warn(NAME, one.sentence, one.advice)
            case _:
                yield ok(NAME, one.sentence, one.advice)
    if not any(one.severity == "problem" for one in said):
        yield ok(NAME, f"A key is here for each of the {sum(map(sum_of, found.values()))} sealed values.")


def sum_of(counted: dict[str, int]) -> int:
    return sum(counted.values())
