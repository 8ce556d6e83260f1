"""The read-only look at Healthie, through a real connection into its simulator."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from labbridge.mirror.models import EhrId, Order, OrderedTest, Patient, Result
from labbridge.practices.models import Practice
from labbridge.simulators import healthie
from labbridge.trust.models import AuditEntry
from tests.conftest import _served, person

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def simulator(deployment: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[healthie.Simulator]:
    app = healthie.create_app("a key for tests")
    with _served(app) as url:
        deployment(healthie_api_url=f"{url}/graphql", allow_http_peers=True)
        monkeypatch.setenv("HEALTHIE_API_KEY", "a key for tests")
        yield app


def result(practice: Practice, number: int, *, ehr_id: str = "", days: int = 1) -> str:
    patient = Patient.objects.create(practice=practice, external_id=f"pat_{number}", person=person(number))
    order = Order.objects.create(practice=practice, external_id=f"ord_{number}", patient=patient)
    test = OrderedTest.objects.create(practice=practice, order=order, external_id=f"ordts_{number}")
    found_at = timezone.now() - timedelta(days=days)
    Result.objects.create(ordered_test=test, version=1, as_of=found_at, found_at=found_at)
    if ehr_id:
        EhrId.objects.create(practice=practice, system="healthie", external_id=ehr_id, patient=patient)
    return order.external_id


def test_each_result_is_looked_for_and_nothing_else(
    simulator: healthie.Simulator, labbridge: Any, monkeypatch: pytest.MonkeyPatch, deployment: Any
) -> None:
    practice = Practice.objects.create(slug="willow", name="Willow")
    for number, ehr_id in ((1, "h1"), (2, "h2"), (3, "h3"), (4, "")):
        result(practice, number, ehr_id=ehr_id)
    result(practice, 5, ehr_id="h5", days=90)
    simulator.hold("h1", "ord_1", result=True)
    simulator.hold("h2", "ord_2", result=False)
    simulator.hold("h3", "ord_33", result=True)  # another order, whose id begins alike

    done = labbridge("ehr", "check", "--json")
    assert done.exit_code == 1
    assert {one["rupa_order_id"]: one["held"] for one in json.loads(done.output)} == {
        "ord_1": "held", "ord_2": "order_without_result", "ord_3": "not_there", "ord_4": "no_ehr_id",
    }  # fmt: skip
    assert simulator.asked == ["h1", "h2", "h3"], "who has no id there, or no new result, is not asked about"
    assert AuditEntry.objects.filter(action="ehr.check").count() == 3
    assert "ord_2 ordts_2: order without result" in labbridge("ehr", "check").output

    monkeypatch.setenv("HEALTHIE_API_KEY", "another")
    refused = labbridge("ehr", "check")
    assert refused.exit_code == 1
    assert "h1" not in refused.output
    assert "command line" in labbridge("ehr", "check", "--key", "abc").output
    deployment(healthie_api_url="")
    assert "is off" in labbridge("ehr", "check").output
