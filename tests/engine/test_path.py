"""The whole way through once, by the fixtures that all tests share."""

import pytest

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_signed_event_ends_as_rows_in_caspio(
    practice, add_patient, rupa_sim, caspio_sim, deliver_all, run_jobs
):
    patient = add_patient(1)
    order = rupa_sim.order(patient["id"])
    deliver_all()
    run_jobs()
    (row,) = caspio_sim.tables()["Lab_Orders"]
    assert row["Rupa_Order_ID"] == order
    assert row["Patient_Key"] == "P-1"
