"""Result files at Rupa compared with those we hold, by hash: an amended result may keep its date and address."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils import timezone

from labbridge.handlers.results import fetch
from labbridge.mirror.merge import source_fingerprint
from labbridge.mirror.models import ResultSource, SourceState
from labbridge.peers.errors import PeerError
from labbridge.peers.lab import LabPeer
from labbridge.peers.rupa.files import FileExpired, FileRefused
from labbridge.peers.rupa.types import OrderedTestSnapshot
from labbridge.practices.models import Practice
from labbridge.reconcile.depth import FILE_REST, Depth
from labbridge.reconcile.models import FileCheck

GIVE_UP = 5  #: files in a row that could not be had: then the file server is away, which is not our question


@dataclass
class FileChecks:
    """The comparisons of one sweep. Counts `compared`, and `unread` for files that could not be had."""

    practice: Practice
    depth: Depth
    compared: int = 0
    unread: int = 0
    _failed: int = 0
    _done: list[ResultSource] = field(default_factory=list)

    def amended(self, tests: Iterable[OrderedTestSnapshot], client: LabPeer) -> list[str]:
        """Of these listed tests, those whose file is another one than the one that was taken. Changes nothing."""
        with_files = {test.id: test for test in tests if _has_address(test)}
        if not with_files or self.depth.files == 0:
            return []
        found = []
        for source in self._sources(with_files):
            shown = with_files[source.ordered_test.external_id]
            if bytes(source.fingerprint) == source_fingerprint(shown) and self._is_due(source):
                found += [shown.id] if self._differs(source, shown, client) else []
        return found

    def _sources(self, tests: dict[str, OrderedTestSnapshot]) -> list[ResultSource]:
        taken = ResultSource.objects.filter(
            ordered_test__practice=self.practice, ordered_test__external_id__in=tests, state=SourceState.TAKEN
        )
        return list(taken.select_related("ordered_test", "file_check"))

    def _is_due(self, source: ResultSource) -> bool:
        limit = self.depth.files
        if (limit is not None and self.compared + self.unread >= limit) or self._failed >= GIVE_UP:
            return False
        now = timezone.now()
        age = now - (source.received_at or source.as_of)
        if limit is None or (self.depth.file_age is not None and age <= self.depth.file_age):
            return True
        return now - _compared_at(source) > max(FILE_REST, age / 2)

    def _differs(self, source: ResultSource, shown: OrderedTestSnapshot, client: LabPeer) -> bool:
        fresh = ResultSource(
            ordered_test=source.ordered_test, files={"pdf": shown.results_pdf, "hl7": shown.results_hl7}
        )
        try:
            content = fetch(fresh, client)
        except (FileExpired, FileRefused):  # what cannot be kept is no newer version; an event may tell more
            self.unread += 1
            return False
        except PeerError:
            self.unread, self._failed = self.unread + 1, self._failed + 1
            return False
        self.compared, self._failed = self.compared + 1, 0
        self._done.append(source)
        take = source.takes.select_related("pdf", "hl7").defer("pdf__content", "hl7__content").last()
        held = (take.pdf.sha256 if take and take.pdf else "", take.hl7.sha256 if take and take.hl7 else "")
        hl7 = content.hl7.encode() if content.hl7 is not None else None
        return held != (_sha256(content.pdf), _sha256(hl7))

    def keep(self) -> None:
        """Remember which were compared."""
        now = timezone.now()
        FileCheck.objects.bulk_create(
            [FileCheck(source=source, checked_at=now) for source in self._done],
            update_conflicts=True, unique_fields=["source"], update_fields=["checked_at"],
        )  # fmt: skip
        self._done.clear()


def _has_address(test: OrderedTestSnapshot) -> bool:
    return any((value or "").startswith("http") for value in (test.results_pdf, test.results_hl7))


def _compared_at(source: ResultSource) -> datetime:
    check = getattr(source, "file_check", None)
    return check.checked_at if check is not None else source.latest_as_of - timedelta(days=1)


def _sha256(content: bytes | None) -> str:
    return hashlib.sha256(content).hexdigest() if content is not None else ""
