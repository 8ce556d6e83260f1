"""The newest result of each of some patients, and where it is shown."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from django.db.models.functions import Coalesce
from django.urls import reverse

from labbridge.mirror.models import LabTest, Result
from labbridge.mirror.reviews import newest
from labbridge.practices.models import Practice


@dataclass(frozen=True)
class Newest:
    result: Result
    test: str

    @property
    def address(self) -> str:
        ordered = self.result.ordered_test
        return f"{reverse('order-page', args=[ordered.order_id])}#{ordered.pk}"


def newest_results(patients: Collection[UUID], practices: Collection[Practice]) -> dict[UUID, Newest]:
    """By patient, of those who have one at practices where results may be seen. Two queries."""
    found = list(
        newest()
        .filter(ordered_test__order__patient__in=patients, ordered_test__practice__in=practices)
        .select_related("ordered_test__order", "ordered_test__practice")
        .only(
            "version",
            "ordered_test__external_id",
            "ordered_test__lab_test_id_external",
            "ordered_test__order__patient",
            "ordered_test__practice__slug",
        )
        .annotate(at=Coalesce("received_at", "found_at"))
        .order_by("ordered_test__order__patient_id", "-at", "-id")
        .distinct("ordered_test__order__patient_id")
    )
    ids = {one.ordered_test.lab_test_id_external for one in found}
    named = {
        (test.practice_id, test.external_id): test.name
        for test in LabTest.objects.filter(practice__in=practices, external_id__in=ids).only(
            "practice", "external_id", "name"
        )
    }
    return {
        one.ordered_test.order.patient_id: Newest(
            one,
            named.get((one.ordered_test.practice_id, one.ordered_test.lab_test_id_external), "")
            or one.ordered_test.external_id,
        )
        for one in found
        if one.ordered_test.order.patient_id is not None
    }
