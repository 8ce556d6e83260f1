"""Filing the summary tables: only what changed, no call when nothing did, and what is missing is said."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from labbridge.analytics.summaries import file_summaries
from labbridge.mirror.models import LabCompany, LabTest, Order, OrderedTest
from labbridge.practices.models import Practice
from tests.analytics.conftest import put


@pytest.mark.django_db(transaction=True)
def test_only_what_changed_is_filed(practice: Practice, caspio_sim: Any) -> None:
    at = timezone.now() - timedelta(days=3)
    LabCompany.objects.create(practice=practice, external_id="co_1", name="Alpha Invented Lab")
    LabTest.objects.create(
        practice=practice, external_id="labts_0", name="Test", lab_company_id_external="co_1"
    )
    order = put(practice, 1, [("labts_0", None)], submitted_at=at, paid_at=at, total_price=Decimal("129.5"))
    caspio_sim.forget_requests()
    assert file_summaries(practice) == {"inserted": 4, "unchanged": 0}
    month = f"{at.astimezone(practice.zone):%Y-%m}"
    rows = {row["Month_Key"]: row for row in caspio_sim.tables()["Lab_Analytics_Monthly"]}
    assert set(rows) == {f"{month}:all", f"{month}:co_1"}
    assert [rows[f"{month}:co_1"][name] for name in ("Scope", "Lab_Company_Name", "Orders", "Paid_Orders")] == [
        "lab", "Alpha Invented Lab", 1, 1,
    ]  # fmt: skip
    assert float(rows[f"{month}:all"]["Amount"]) == 129.5
    assert {row["Turnaround_Key"] for row in caspio_sim.tables()["Lab_Turnaround"]} == {
        "lab:co_1",
        "test:labts_0",
    }

    caspio_sim.forget_requests()
    assert file_summaries(practice) == {"unchanged": 4}
    assert caspio_sim.requests() == []

    OrderedTest.objects.filter(order=order).update(results_received_at=timezone.now())
    Order.objects.filter(pk=order.pk).update(revision=2)
    assert file_summaries(practice) == {"unchanged": 2, "updated": 2}
    assert len(caspio_sim.requests()) == 2

    Order.objects.filter(pk=order.pk).update(is_demo=True, revision=3)
    assert file_summaries(practice) == {"unchanged": 0, "removed": 4}
    assert caspio_sim.tables()["Lab_Analytics_Monthly"] == []


@pytest.mark.django_db(transaction=True)
def test_the_clock_files_each_practice_and_a_missing_table_is_said(
    practice: Practice, caspio_sim: Any, run_jobs: Any
) -> None:
    from labbridge.handlers.schedule import file_all_summaries

    at = timezone.now()
    put(practice, 1, [("labts_0", None)], submitted_at=at, paid_at=at)
    practice.config["caspio"]["tables"]["lab_turnaround"] = "Not_There_Yet"
    practice.save()
    file_all_summaries()
    run_jobs()
    assert len(caspio_sim.tables()["Lab_Analytics_Monthly"]) == 2, (
        "one table that is missing keeps no other back"
    )
    from labbridge.filing.provision import provision

    assert provision(practice).tables == ["Not_There_Yet"]
    run_jobs(waiting=True, rounds=2)
    assert len(caspio_sim.tables()["Not_There_Yet"]) == 2
