"""A word of billing reaches Caspio with one call, and orders without one cost none."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from labbridge.billing.models import Source
from labbridge.billing.states import Said
from labbridge.handlers.billing import set_words
from labbridge.mirror.models import Order
from labbridge.practices.models import Practice
from labbridge.trust.audit import Actor

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_word_costs_one_call_and_stays_through_later_events(
    practice: Practice, caspio_sim: Any, rupa_sim: Any, add_patient: Any, deliver_all: Any, run_jobs: Any
) -> None:
    person = add_patient(1)
    made = rupa_sim.order(person["id"], "DUTCH Complete")
    deliver_all()
    run_jobs()
    (row,) = caspio_sim.tables()["Lab_Orders"]
    words = ("Superbill_Status", "HSA_FSA_Status", "Payment_Plan_Status")
    assert [row[name] or "" for name in words] == ["", "", ""]
    caspio_sim.forget_requests()
    said = [
        Said("superbill", "requested", Source.PATIENT, date(2025, 1, 2), "biller"),
        Said("hsa_fsa", "reported", Source.PATIENT, date(2025, 1, 2), "biller"),
    ]
    set_words(Order.objects.get(), said, None, actor=Actor("operator", name="biller"))
    run_jobs()
    (call,) = caspio_sim.requests()
    assert call["method"] == "PUT"
    (row,) = caspio_sim.tables()["Lab_Orders"]
    assert [row[name] or "" for name in words] == ["requested", "reported", ""]
    rupa_sim.act(made, "result")
    deliver_all()
    run_jobs()
    (row,) = caspio_sim.tables()["Lab_Orders"]
    assert [row[name] or "" for name in words] == ["requested", "reported", ""]
    assert row["Tests_Resulted"] == 1
