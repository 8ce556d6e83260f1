"""Which versions a test's result has had: a pure function of what was seen when, in whatever order it was heard."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Sight:
    """What one test's result held at one moment of the peer's clock. Files are told apart by their hashes.

    A sight without files says that something was there and is lost.
    """

    as_of: datetime
    received_at: datetime | None
    pdf: str = ""
    hl7: str = ""

    @property
    def lost(self) -> bool:
        return not self.pdf and not self.hl7

    @property
    def age(self) -> tuple[Any, ...]:  # any: a key to sort by, the same however the sights came in
        received = self.received_at.isoformat() if self.received_at else ""
        return (self.as_of, received, self.pdf, self.hl7)


@dataclass(frozen=True)
class Version:
    as_of: datetime  # when it was first seen
    received_at: datetime | None
    pdf: str = ""
    hl7: str = ""

    @property
    def lost(self) -> bool:
        return not self.pdf and not self.hl7


def versions_of(sights: Iterable[Sight]) -> list[Version]:
    """The versions, oldest first: equal neighbours are one, and content that came back is a new one.

    What was lost counts only where a result of another date has taken its place (design.md 6.6.5), and where no
    version holds its date.
    """
    ordered = sorted(set(sights), key=lambda sight: sight.age)
    dates = {sight.received_at for sight in ordered if not sight.lost}
    versions: list[Version] = []
    for number, sight in enumerate(ordered):
        if sight.lost and not _was_replaced(sight, ordered[number + 1 :], dates):
            continue
        if versions and _same(versions[-1], sight):
            versions[-1] = _completed(versions[-1], sight)
        else:
            versions.append(Version(sight.as_of, sight.received_at, sight.pdf, sight.hl7))
    return versions


def _was_replaced(lost: Sight, later: Sequence[Sight], dates: set[datetime | None]) -> bool:
    if lost.received_at is None or lost.received_at in dates:
        return False
    return any(sight.received_at != lost.received_at for sight in later)


def _same(version: Version, sight: Sight) -> bool:
    """Equal in what both hold. One that has the values only and one that has the PDF only share the lab's date."""
    pairs = [(version.pdf, sight.pdf), (version.hl7, sight.hl7)]
    both = [(held, seen) for held, seen in pairs if held and seen]
    if both:
        return all(held == seen for held, seen in both)
    return version.lost == sight.lost and version.received_at == sight.received_at


def _completed(version: Version, sight: Sight) -> Version:
    return replace(
        version,
        received_at=version.received_at or sight.received_at,
        pdf=version.pdf or sight.pdf,
        hl7=version.hl7 or sight.hl7,
    )
