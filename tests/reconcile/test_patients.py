"""`sync patients`: rows that were there before, on both sides, with one reading of each."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from labbridge.handlers.charts import read_chart
from labbridge.mirror.models import Chart, PatientLink
from labbridge.peers.caspio import where as q
from labbridge.practices.clients import caspio
from labbridge.practices.models import Practice
from labbridge.reconcile.patients import PatientComparison, count_links, outcomes, pull_patients
from labbridge.reconcile.settling import settle_practice
from tests.conftest import person
from tests.handlers.jobs_here import run_jobs_here

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = 40


def imported(number: int) -> dict[str, Any]:
    known = person(number)
    return {
        "Patient_ID": f"P-{number}", "First_Name": known["first_name"], "Last_Name": known["last_name"],
        "Email": known["email"], "Date_of_Birth": f"{known['birthday']}T00:00:00",
    }  # fmt: skip


@pytest.fixture
def practice_with_import(practice: Practice, caspio_sim: Any, rupa_sim: Any) -> Practice:
    """An import of many rows, which fires no webhook; every fourth is a patient at Rupa already."""
    caspio_sim.add("Patients", *[imported(number) for number in range(ROWS)])
    for number in range(0, ROWS, 4):
        rupa_sim.patient(number)
    caspio_sim.forget_requests()
    rupa_sim.forget_requests()
    return practice


def calls(sim: Any, path: str) -> Counter[str]:
    return Counter(one["method"] for one in sim.requests() if path in one["path"])


def test_an_import_is_brought_to_rupa_with_one_reading_of_each_side(
    practice_with_import: Practice, caspio_sim: Any, rupa_sim: Any
) -> None:
    steps: list[int] = []
    counts = pull_patients(practice_with_import, progress=steps.append)
    done: list[tuple[int, int]] = []
    settle_practice(practice_with_import, lambda *step: done.append(step))
    found = outcomes(practice_with_import, 0)
    assert (counts["read"], steps[-1], done[-1][0]) == (ROWS, ROWS, done[-1][1])
    assert (found["linked"], found["created"], found["held_up"]) == (ROWS, ROWS - ROWS // 4, 0)
    at_rupa = calls(rupa_sim, "patients")
    assert at_rupa["POST"] == ROWS - ROWS // 4
    assert at_rupa["GET"] <= 2, "one list serves all rows"
    in_caspio = calls(caspio_sim, "Patients")
    assert (in_caspio["GET"], in_caspio["PUT"]) == (1, ROWS)
    rows = caspio_sim.tables()["Patients"]
    assert len({row["Rupa_Patient_ID"] for row in rows}) == ROWS


def test_a_run_that_was_killed_goes_on(
    practice_with_import: Practice, caspio_sim: Any, rupa_sim: Any
) -> None:
    pull_patients(practice_with_import)
    run_jobs_here(dies_at=900)
    half = count_links(practice_with_import)
    assert 0 < half < ROWS
    pull_patients(practice_with_import)
    run_jobs_here()
    run_jobs_here()
    emails = Counter(one["email"] for one in rupa_sim.call("GET", "/_sim/state")["patients"])
    ours = [f"testa{number}@patients.example" for number in range(ROWS)]
    assert [emails[email] for email in ours] == [1] * ROWS
    assert count_links(practice_with_import) == ROWS


def test_nothing_changed_costs_a_reading_and_no_write(
    practice_with_import: Practice, caspio_sim: Any, rupa_sim: Any, run_jobs: Any
) -> None:
    pull_patients(practice_with_import)
    run_jobs()
    caspio_sim.forget_requests()
    rupa_sim.forget_requests()
    pull_patients(practice_with_import)
    run_jobs()
    assert calls(caspio_sim, "/") == {"GET": 1}
    assert calls(rupa_sim, "/") == {"GET": 1}


def test_a_dry_run_foretells_and_changes_nothing(
    practice_with_import: Practice, caspio_sim: Any, rupa_sim: Any
) -> None:
    counts = pull_patients(practice_with_import, dry_run=True)
    assert (counts["linked"], counts["created"]) == (ROWS // 4, ROWS - ROWS // 4)
    assert not PatientLink.objects.exists()
    assert not Chart.objects.exists()
    assert calls(caspio_sim, "/")["PUT"] == calls(rupa_sim, "/")["POST"] == 0


def test_with_link_only_nobody_is_created(
    practice_with_import: Practice, caspio_sim: Any, rupa_sim: Any, run_jobs: Any
) -> None:
    practice_with_import.config["sync"]["patients"] = "link"
    practice_with_import.save()
    pull_patients(practice_with_import)
    run_jobs()
    status = Counter(row["Rupa_Sync_Status"] for row in caspio_sim.tables()["Patients"])
    assert status == {"linked": ROWS // 4, "waiting": ROWS - ROWS // 4}
    assert calls(rupa_sim, "patients")["POST"] == 0


def test_a_row_that_was_edited_while_a_sweep_compared_stays_as_it_is_now(
    practice: Practice, caspio_sim: Any
) -> None:
    (key,) = caspio_sim.add("Patients", imported(1))
    comparison = PatientComparison(practice)
    comparison.read()
    with caspio(practice, "test") as client:
        client.table("Patients").update(q.field("PK_ID") == key, {"Rupa_Patient_ID": "pat_by_hand"})
        read_chart(practice, client, key)  # because of Caspio's message
    comparison.apply()
    assert Chart.objects.get().rupa_patient_id == "pat_by_hand"
    practice.refresh_from_db()
    assert practice.charts_read_at == comparison.began
