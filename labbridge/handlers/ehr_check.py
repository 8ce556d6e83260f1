"""Does the EHR hold this result too? A question for whoever works in both; nothing is changed anywhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from django.conf import settings

from labbridge.mirror.models import EhrId, Patient, PatientLink, Result
from labbridge.mirror.pseudonyms import sides_of
from labbridge.peers.healthie.client import EhrOrder, Healthie
from labbridge.peers.ports import LocalLimiter
from labbridge.practices.models import Practice
from labbridge.practices.quota import SharedMeter
from labbridge.trust.audit import Actor, record

SYSTEM = "healthie"
CALLS_PER_SECOND = 2.0  #: nothing is documented, so politely
OFF = "This check is off. Set LABBRIDGE_HEALTHIE_API_URL to switch it on (docs/ehr.md)."


class CheckOff(Exception):
    """The deployment does not ask Healthie. The text says what to do."""


class Held(StrEnum):
    HELD = "held"
    WITHOUT_RESULT = "order_without_result"
    NOT_THERE = "not_there"
    NO_ID = "no_ehr_id"  # the crosswalk has no id of this patient there


@dataclass(frozen=True)
class Answer:
    rupa_order_id: str
    rupa_ordered_test_id: str
    held: Held


def check(practice: Practice, key: str, since: datetime, *, actor: Actor) -> list[Answer]:
    """Each test with a result since then. One call for each patient who has an id there.

    Raises:
        CheckOff: no address is set.
        PeerError: Healthie is away or refuses.

    """
    url = settings.DEPLOYMENT.healthie_api_url
    if not url:
        raise CheckOff(OFF)
    by_patient: dict[UUID, dict[str, str]] = defaultdict(dict)
    results = Result.objects.filter(
        ordered_test__practice=practice, found_at__gte=since, superseded=False, withheld=False,
        ordered_test__order__is_demo=False, ordered_test__order__patient__erased_at=None,
    ).select_related("ordered_test__order")  # fmt: skip
    for result in results.order_by("found_at", "id"):
        test = result.ordered_test
        if test.order.patient_id:
            by_patient[test.order.patient_id][test.external_id] = test.order.external_id
    ids = {patient: _ids(patient) for patient in by_patient}
    _record(practice, [patient for patient, known in ids.items() if known], actor)
    with Healthie(
        url, key, limiter=LocalLimiter(CALLS_PER_SECOND), meter=SharedMeter("healthie", practice.zone),
        allow_http=settings.DEPLOYMENT.allow_http_peers,
    ) as client:  # fmt: skip
        return [
            answer
            for patient, tests in by_patient.items()
            for answer in _answers(client, ids[patient], tests)
        ]


def _ids(patient: UUID) -> list[str]:
    """What Healthie calls them, by either side of the link."""
    charts = PatientLink.objects.filter(patient=patient).values("chart")
    known = EhrId.objects.filter(system=SYSTEM)
    found = known.filter(patient=patient) | known.filter(chart__in=charts)
    return list(found.order_by("external_id").values_list("external_id", flat=True).distinct())


def _record(practice: Practice, patients: list[UUID], actor: Actor) -> None:
    for patient in Patient.objects.filter(pk__in=patients):
        record("ehr.check", actor=actor, practice=practice, patient=sides_of(patient), system=SYSTEM)


def _answers(client: Healthie, ids: list[str], tests: dict[str, str]) -> Iterator[Answer]:
    orders: list[EhrOrder] = [order for one in ids for order in client.lab_orders(one)]
    for test, order_id in tests.items():
        yield Answer(
            order_id, test, _held([one for one in orders if one.is_of(order_id)]) if ids else Held.NO_ID
        )


def _held(orders: list[EhrOrder]) -> Held:
    if not orders:
        return Held.NOT_THERE
    return Held.HELD if any(one.has_result for one in orders) else Held.WITHOUT_RESULT
