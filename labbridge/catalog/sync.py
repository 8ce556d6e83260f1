"""Reading Rupa's catalogue into the mirror; tests that left it are retired, not deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from labbridge.mirror.lab_tests import changes_of, fill_lab_test, keep_changes, merge_company, seen
from labbridge.mirror.models import LabCompany, LabTest, LabTestChange
from labbridge.peers.lab import LabPeer
from labbridge.peers.rupa.types import LabCompanySnapshot, LabTestSnapshot
from labbridge.practices.clients import lab, rupa_connection
from labbridge.practices.models import Practice

Progress = Callable[[int], None]

#: A listing that lost this share of the catalogue at once is taken for a fault of the peer's, not for news.
MASS_RETIREMENT = 0.5


class SuspiciousListing(Exception):
    """Rupa's catalogue shrank so much at once that nothing is retired without a person."""


def pull_catalog(practice: Practice, progress: Progress = lambda _read: None, *, force: bool = False) -> int:
    """Read all companies and tests. Returns how many tests changed.

    Raises:
        PeerError: Rupa is away: nothing is retired on half a listing.
        SuspiciousListing: more than half of the tests are gone; `force` retires them all the same.

    """
    return keep_catalog(practice, read_catalog(practice, progress), force=force)


@dataclass(frozen=True)
class Listing:
    """What Rupa listed, and when the reading of the tests began."""

    companies: list[LabCompanySnapshot]
    tests: list[LabTestSnapshot]
    as_of: datetime


def read_catalog(practice: Practice, progress: Progress = lambda _read: None) -> Listing:
    """Read the whole catalogue and keep nothing. Not inside a transaction: a renewed token must stay.

    Raises PeerError.
    """
    with lab(rupa_connection(practice), "catalog") as client:
        companies = list(client.lab_companies())
        started = client.now()  # Rupa's clock, which is not known before its first answer
        return Listing(companies, _read_tests(client, progress), started)


def keep_catalog(practice: Practice, listing: Listing, *, force: bool = False) -> int:
    """Merge what was read. Returns how many tests changed. Raises SuspiciousListing."""
    with transaction.atomic():
        for company in listing.companies:
            merge_company(practice, company, listing.as_of)
        changed = merge_tests(practice, listing.tests, listing.as_of)
    changed += _retire(practice, {test.id for test in listing.tests}, listing.as_of, force=force)
    Practice.objects.filter(pk=practice.pk).update(catalog_read_at=listing.as_of)
    return changed


def _read_tests(client: LabPeer, progress: Progress) -> list[LabTestSnapshot]:
    tests = []
    for test in client.lab_tests():
        tests.append(test)
        if len(tests) % 50 == 0:
            progress(len(tests))
    progress(len(tests))
    return tests


def merge_tests(practice: Practice, snapshots: Iterable[LabTestSnapshot], as_of: datetime) -> int:
    """Merge many tests with few statements, inside the caller's transaction. Returns how many changed."""
    held = {test.external_id: test for test in LabTest.objects.select_for_update().filter(practice=practice)}
    names = dict(LabCompany.objects.filter(practice=practice).values_list("external_id", "name"))
    new: dict[str, LabTest] = {}
    changed: dict[str, LabTest] = {}
    unchanged: list[LabTest] = []
    news: list[LabTestChange] = []
    told = set[str]()
    for snapshot in snapshots:
        test = new.get(snapshot.id) or held.get(snapshot.id)
        if test is None:
            test = new[snapshot.id] = LabTest(practice=practice, external_id=snapshot.id)
        elif test.as_of is not None and as_of < test.as_of:
            continue
        before = None if snapshot.id not in held else seen(test)
        differs = fill_lab_test(test, snapshot)
        differs |= _name_company(test, names.get(test.lab_company_id_external), snapshot)
        test.as_of = as_of
        if held and (before is not None or snapshot.id not in told):  # a first reading is no news
            news += changes_of(test, before, as_of)
            told.add(snapshot.id)
        if snapshot.id in held and differs:
            changed[snapshot.id] = test
        elif snapshot.id in held:
            unchanged.append(test)
    fields = [field.name for field in LabTest._meta.concrete_fields if not field.primary_key]
    # One that an event has brought in the meantime is newer than this listing.
    LabTest.objects.bulk_create(new.values(), batch_size=500, ignore_conflicts=True)
    LabTest.objects.bulk_update(changed.values(), fields, batch_size=200)
    LabTest.objects.filter(pk__in=[test.pk for test in unchanged]).update(as_of=as_of)
    keep_changes(practice, news)
    return len(new) + len(changed)


def _name_company(test: LabTest, known: str | None, snapshot: LabTestSnapshot) -> bool:
    name = known or (snapshot.lab_company.name if snapshot.lab_company else None)
    if not name or test.lab_company_name == name[:255]:
        return False
    test.lab_company_name = name[:255]
    return True


def _retire(practice: Practice, listed: set[str], as_of: datetime, *, force: bool) -> int:
    active = LabTest.objects.filter(practice=practice, retired=False, as_of__lte=as_of)
    gone = [test for test in active if test.external_id not in listed]
    if gone and len(gone) > MASS_RETIREMENT * active.count() and len(gone) > 5 and not force:
        raise SuspiciousListing(
            f"{len(gone)} of {active.count()} tests are missing from Rupa's catalogue at once. Nothing was retired; "
            "if this is right, run `labbridge sync catalog --force`."
        )
    with transaction.atomic():
        keep_changes(practice, [
            LabTestChange(practice=practice, external_id=test.external_id, field="retired", before="no",
                          after="yes", at=as_of) for test in gone
        ])  # fmt: skip
        return LabTest.objects.filter(pk__in=[test.pk for test in gone]).update(retired=True, as_of=as_of)
