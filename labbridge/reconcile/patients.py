"""The practice's patients, read whole and linked where the rule allows it: `sync patients`."""

from __future__ import annotations

from collections import Counter

from django.db import transaction

from labbridge.handlers.patients import link_patient, read_charts
from labbridge.mirror.models import Patient, PatientLink
from labbridge.practices.clients import caspio
from labbridge.practices.models import Practice


def pull_patients(practice: Practice, *, dry_run: bool = False) -> Counter[str]:
    """Read all rows, then try every patient of Rupa that has no link yet. Raises PeerError."""
    with caspio(practice, "patients") as client, transaction.atomic():
        before = PatientLink.objects.filter(practice=practice).count()
        counts: Counter[str] = Counter(read=read_charts(practice, client))
        for patient in Patient.objects.filter(practice=practice, link__isnull=True):
            link_patient(patient)
        after = PatientLink.objects.filter(practice=practice).count()
        counts["linked"] = after - before
        counts["unlinked"] = Patient.objects.filter(practice=practice, link__isnull=True).count()
        if dry_run:
            transaction.set_rollback(True)
    return counts
