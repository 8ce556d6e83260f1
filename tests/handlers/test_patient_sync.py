"""Patients from Caspio to Rupa: each outcome, said on the row itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from labbridge.handlers.cases import CannotDecide, decide, undo
from labbridge.handlers.charts import read_charts
from labbridge.mirror.models import CaseState, Chart, PatientLink, ReviewCase
from labbridge.peers.caspio import where as q
from labbridge.practices.clients import caspio
from labbridge.practices.models import Practice

pytestmark = pytest.mark.django_db(transaction=True)

PERSON = {
    "Patient_ID": "P-1", "First_Name": "Ottilie", "Last_Name": "Musterfrau", "Email": "ottilie@patients.example",
    "Date_of_Birth": "1980-02-03T00:00:00", "Phone": "(415) 555-0132", "Sex": "F", "Street": "1 Sample St",
    "City": "Oakland", "State": "California", "Zip": "94601",
}  # fmt: skip
AT_RUPA = {
    "first_name": "Ottilie", "last_name": "Musterfrau", "email": "ottilie@patients.example", "birthday": "1980-02-03",
}  # fmt: skip


@pytest.fixture
def insert(caspio_sim: Any) -> Callable[..., None]:
    def add(**values: Any) -> None:
        caspio_sim.call("POST", "/_sim/import", {"table": "Patients", "rows": [{**PERSON, **values}]})

    return add


@pytest.fixture(autouse=True)
def _full_sync(practice: Practice) -> None:
    practice.config["sync"]["patients"] = "full"
    practice.save()


@pytest.fixture
def sync(practice: Practice, run_jobs: Callable[..., None]) -> Callable[[], None]:
    def read_and_run() -> None:
        with caspio(practice, "test") as client:
            read_charts(practice, client)
        run_jobs()

    return read_and_run


def row(caspio_sim: Any, key: str = "P-1") -> dict[str, Any]:
    return next(one for one in caspio_sim.app.dump()["Patients"] if one["Patient_ID"] == key)


def patients(rupa_sim: Any, email: str = "ottilie@patients.example") -> list[dict[str, Any]]:
    return [one for one in rupa_sim.call("GET", "/_sim/state")["patients"] if one["email"] == email]


def test_a_new_patient_is_created_once_and_linked(
    insert: Any, sync: Any, caspio_sim: Any, rupa_sim: Any
) -> None:
    insert()
    sync()
    (made,) = patients(rupa_sim)
    found = row(caspio_sim)
    assert (found["Rupa_Patient_ID"], found["Rupa_Sync_Status"]) == (made["id"], "created")
    assert made["phone_number"] == "+14155550132"
    sync()
    assert len(patients(rupa_sim)) == 1
    assert PatientLink.objects.count() == 1


def test_a_patient_who_is_there_is_linked(insert: Any, sync: Any, caspio_sim: Any, rupa_sim: Any) -> None:
    there = rupa_sim.call("POST", "/_sim/patients", AT_RUPA)
    insert()
    sync()
    found = row(caspio_sim)
    assert (found["Rupa_Patient_ID"], found["Rupa_Sync_Status"]) == (there["id"], "linked")
    assert len(patients(rupa_sim)) == 1


def test_a_conflicting_birthday_asks_a_person(insert: Any, sync: Any, caspio_sim: Any, rupa_sim: Any) -> None:
    rupa_sim.call("POST", "/_sim/patients", {**AT_RUPA, "birthday": "1999-12-31"})
    insert()
    sync()
    found = row(caspio_sim)
    assert found["Rupa_Sync_Status"] == "review"
    assert "Ottilie" not in found["Rupa_Sync_Message"]
    assert not found["Rupa_Patient_ID"]
    case = ReviewCase.objects.get()
    assert "create" not in case.actions, "Rupa would merge the two"
    assert len(patients(rupa_sim)) == 1


@pytest.mark.parametrize(
    ("wrong", "word"),
    [({"Email": "ottilie.example"}, "e-mail"), ({"Last_Name": ""}, "last name"), ({"Email": ""}, "e-mail")],
)
def test_what_cannot_be_sent_is_said_on_the_row(
    wrong: dict[str, Any], word: str, insert: Any, sync: Any, caspio_sim: Any, rupa_sim: Any
) -> None:
    insert(**wrong)
    sync()
    found = row(caspio_sim)
    assert found["Rupa_Sync_Status"] == "invalid"
    assert word in found["Rupa_Sync_Message"].lower()
    assert patients(rupa_sim) == []


def test_a_change_in_caspio_reaches_rupa(
    practice: Practice, insert: Any, sync: Any, caspio_sim: Any, rupa_sim: Any
) -> None:
    insert()
    sync()
    with caspio(practice, "test") as client:
        client.table("Patients").update(q.field("Patient_ID") == "P-1", {"Phone": "(415) 555-0199"})
    sync()
    (made,) = patients(rupa_sim)
    assert made["phone_number"] == "+14155550199"
    assert row(caspio_sim)["Rupa_Sync_Status"] == "linked"


def test_a_decision_links_and_can_be_undone(insert: Any, sync: Any, caspio_sim: Any, rupa_sim: Any) -> None:
    there = rupa_sim.call("POST", "/_sim/patients", {**AT_RUPA, "birthday": "1980-02-04"})
    insert()
    sync()
    case = ReviewCase.objects.get()
    decide(case, "link", by="front desk", why="asked on the phone")
    assert row(caspio_sim)["Rupa_Patient_ID"] == there["id"]
    case.refresh_from_db()
    assert (case.state, case.decided_by) == (CaseState.DECIDED, "front desk")
    reopened = undo(case, by="owner", why="wrong person")
    case.refresh_from_db()
    assert case.state == CaseState.UNDONE
    assert not PatientLink.objects.exists()
    assert (row(caspio_sim)["Rupa_Patient_ID"] or "", row(caspio_sim)["Rupa_Sync_Status"]) == ("", "review")
    assert reopened.state == CaseState.OPEN
    with pytest.raises(CannotDecide):
        decide(case, "link", by="front desk")


def test_where_rupa_creates_no_patients_the_row_waits(
    insert: Any, sync: Any, caspio_sim: Any, rupa_sim: Any
) -> None:
    rupa_sim.call("POST", "/_sim/options", {"patient_endpoint": False})
    insert()
    sync()
    assert row(caspio_sim)["Rupa_Sync_Status"] == "waiting"
    assert Chart.objects.get().sync_problem == ""
