"""The practice's patients, read whole and linked where the rule allows it: `sync patients`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from django.db import transaction

from labbridge.handlers.charts import chart_pages, take_charts
from labbridge.handlers.links import link_patient
from labbridge.mirror.models import Patient, PatientLink
from labbridge.peers.caspio import Row
from labbridge.practices.clients import caspio
from labbridge.practices.models import Practice


def pull_patients(practice: Practice, *, dry_run: bool = False) -> Counter[str]:
    """Read all rows, then try every patient of Rupa that has no link yet. Raises PeerError."""
    with caspio(practice, "patients") as client:
        pages = chart_pages(practice, client)
        if not dry_run:
            return _link(practice, pages)
        read = list(pages)  # no call inside a transaction: it would hold up everybody's calls to this account
    with transaction.atomic():
        counts = _link(practice, read)
        transaction.set_rollback(True)
    return counts


def _link(practice: Practice, pages: Iterable[list[Row]]) -> Counter[str]:
    before = PatientLink.objects.filter(practice=practice).count()
    counts: Counter[str] = Counter(read=take_charts(practice, pages))
    for patient in Patient.objects.filter(practice=practice, link__isnull=True):
        link_patient(patient)
    counts["linked"] = PatientLink.objects.filter(practice=practice).count() - before
    counts["unlinked"] = Patient.objects.filter(practice=practice, link__isnull=True).count()
    return counts
