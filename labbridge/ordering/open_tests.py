"""Whether a test is on its way for this patient already: a warning, not a refusal, for a repeat may be meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from labbridge.mirror.models import Chart, LabTest, OrderedTest, PatientLink, Phase
from labbridge.ordering.models import OrderRequest, RequestState

OURS = "caspio"  #: Order_Source of what was asked for from here
OPEN = (Phase.DRAFT, Phase.AWAITING_PAYMENT, Phase.IN_PROGRESS, Phase.PARTIAL_RESULTS, Phase.UNKNOWN)


@dataclass(frozen=True)
class OpenTest:
    """A test that is open for the patient: in an order, or (`order_id` is "") in a checkout that is not used yet."""

    test_id: str
    name: str
    order_id: str = ""
    source: str = ""  # Order_Source of that order

    @property
    def sentence(self) -> str:
        if not self.order_id:
            return f"{self.name} stands in another checkout for this patient, which is not used yet."
        return (
            f"{self.name} is open for this patient already, in order {self.order_id}{made_in(self.source)}."
        )

    @property
    def ids(self) -> dict[str, str | None]:
        """What programs are told: no name, and nothing about the patient."""
        return {
            "test_id": self.test_id,
            "rupa_order_id": self.order_id or None,
            "order_source": self.source or None,
        }


def already_open(
    chart: Chart, test_ids: Sequence[str], besides: OrderRequest | None = None
) -> list[OpenTest]:
    """Those of these tests that are open for the patient: ordered without a result, or in a checkout."""
    names = dict(
        LabTest.objects.filter(practice=chart.practice, external_id__in=test_ids).values_list(
            "external_id", "name"
        )
    )
    ordered = _ordered(chart, test_ids, besides)
    waiting = _in_checkouts(chart, test_ids, besides)
    return [
        OpenTest(test_id, names.get(test_id) or test_id, *ordered.get(test_id, ()))
        for test_id in test_ids
        if test_id in ordered or test_id in waiting
    ]


def _ordered(
    chart: Chart, test_ids: Sequence[str], besides: OrderRequest | None
) -> dict[str, tuple[str, str]]:
    """By test: the order that it is open in, and where that was made."""
    link = PatientLink.objects.filter(chart=chart).first()
    if link is None:
        return {}
    tests = _open_tests(link).filter(lab_test_id_external__in=test_ids)
    if besides is not None and besides.order_external_id:
        tests = tests.exclude(order__external_id=besides.order_external_id)
    found = tests.order_by("order_id").values_list(
        "lab_test_id_external", "order__external_id", "order__source"
    )
    return {test_id: (order_id, source) for test_id, order_id, source in found}


def open_elsewhere(chart: Chart) -> list[OpenTest]:
    """Each test that is open for the patient in an order which was not asked for from here."""
    link = PatientLink.objects.filter(chart=chart).first()
    if link is None:
        return []
    tests = _open_tests(link).exclude(order__source=OURS).values_list("lab_test_id_external", flat=True)
    return already_open(chart, sorted(set(tests)))


def _open_tests(link: PatientLink) -> QuerySet[OrderedTest]:
    return OrderedTest.objects.filter(
        order__patient_id=link.patient_id, order__phase__in=OPEN, order__is_demo=False, removed=False,
        results_received_at=None,
    )  # fmt: skip


def made_in(source: str) -> str:
    """Where an order that was not asked for from here was made, as far as that is known."""
    if source == OURS:
        return ""
    system = source.removeprefix("ehr:")
    return f", made in {system}" if system != source else ", made at Rupa or in another system"


def _in_checkouts(chart: Chart, test_ids: Sequence[str], besides: OrderRequest | None) -> set[str]:
    requests = OrderRequest.objects.filter(chart=chart, state=RequestState.READY, order_external_id="")
    if besides is not None:
        requests = requests.exclude(pk=besides.pk)
    chosen = {one for request in requests for one in request.chosen_ids}
    return chosen & set(test_ids)
