"""`sync orders`, `backfill` and `sync patients`: the same merging and filing as live events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from labbridge.mirror.models import Order, PatientLink
from labbridge.practices.clients import NotConnected
from labbridge.practices.models import Connection, Practice
from labbridge.reconcile.orders import pull_orders
from labbridge.reconcile.patients import pull_patients
from labbridge.reconcile.refile import refile_practice

pytestmark = pytest.mark.django_db(transaction=True)

PDF_TEST = "DUTCH Complete"


def test_listed_orders_reach_caspio(
    practice: Practice, rupa_sim: Any, caspio_sim: Any, add_patient: Any, run_jobs: Any
) -> None:
    order = rupa_sim.order(add_patient(1)["id"], PDF_TEST)
    rupa_sim.act(order, "result")
    steps: list[int] = []
    counts = pull_orders(practice, progress=steps.append)
    assert (counts["read"], counts["changed"], steps[-1]) == (1, 1, 1)
    run_jobs()
    (row,) = caspio_sim.tables()["Lab_Orders"]
    assert (row["Phase"], row["Patient_Key"]) == ("complete", "P-1")
    caspio_sim.forget_requests()
    assert pull_orders(practice)["unchanged"] == 1
    run_jobs()
    assert caspio_sim.requests() == []


def test_a_dry_run_keeps_nothing(practice: Practice, rupa_sim: Any, add_patient: Any) -> None:
    rupa_sim.order(add_patient(1)["id"], PDF_TEST)
    assert pull_orders(practice, dry_run=True)["changed"] == 1
    assert not Order.objects.exists()


def test_orders_older_than_a_day_are_left_out(practice: Practice, rupa_sim: Any, add_patient: Any) -> None:
    rupa_sim.order(add_patient(1)["id"], PDF_TEST)
    tomorrow = (datetime.now(UTC) + timedelta(days=2)).date()
    assert pull_orders(practice, since=tomorrow)["older"] == 1
    assert not Order.objects.exists()


def test_without_a_connection_it_says_what_to_do(practice: Practice) -> None:
    Connection.objects.filter(peer="rupa").update(state="reconnect")
    with pytest.raises(NotConnected, match="labbridge rupa connect"):
        pull_orders(practice)


def test_one_contradiction_does_not_hold_the_other_orders(
    practice: Practice, rupa_sim: Any, add_patient: Any
) -> None:
    patient = add_patient(1)
    first = rupa_sim.order(patient["id"], PDF_TEST)
    rupa_sim.order(patient["id"], PDF_TEST)
    pull_orders(practice)
    Order.objects.filter(external_id=first).update(external_id="ord_other")
    counts = pull_orders(practice)
    assert (counts["contradicted"], counts["read"]) == (1, 2)


def test_patients_that_were_there_before_are_linked(
    practice: Practice, rupa_sim: Any, caspio_sim: Any, add_patient: Any, run_jobs: Any
) -> None:
    stranger = rupa_sim.patient(1)
    rupa_sim.order(stranger["id"], PDF_TEST)
    pull_orders(practice)
    run_jobs()
    assert not caspio_sim.tables()["Lab_Orders"]
    caspio_sim.add("Patients", {"Patient_ID": "P-1", "Rupa_Patient_ID": stranger["id"]})
    assert pull_patients(practice, dry_run=True)["linked"] == 1
    assert not PatientLink.objects.exists()
    counts = pull_patients(practice)
    assert (counts["linked"], counts["unlinked"]) == (1, 0)
    run_jobs()
    assert caspio_sim.tables()["Lab_Orders"][0]["Patient_Key"] == "P-1"


def test_comparing_everything_again_costs_no_call_where_nothing_differs(
    practice: Practice, rupa_sim: Any, caspio_sim: Any, add_patient: Any, run_jobs: Any
) -> None:
    rupa_sim.order(add_patient(1)["id"], PDF_TEST)
    pull_orders(practice)
    run_jobs()
    caspio_sim.forget_requests()
    assert refile_practice(practice) == 1
    run_jobs()
    assert caspio_sim.requests() == []
