"""The catalogue in Caspio: only what changed is written, and one missing table costs one call."""

from __future__ import annotations

from typing import Any

import pytest

from labbridge.catalog.filing import Busy, changed_rows, file_catalog, file_one, needs_filing
from labbridge.engine.locks import exclusive
from labbridge.filing.execute import FilingProblem
from labbridge.mirror.models import LabCompany, LabTest
from labbridge.practices.models import Practice
from labbridge.simulators.caspio import design

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def tests_known(practice: Practice) -> list[LabTest]:
    LabCompany.objects.create(practice=practice, external_id="labco_1", name="Lab")
    return [
        LabTest.objects.create(practice=practice, external_id=f"labts_{number:02}", name=f"Panel {number}")
        for number in range(30)
    ]


def writes(caspio_sim: Any) -> int:
    return len([one for one in caspio_sim.requests() if one["path"].endswith("/records")])


def test_only_changed_rows_are_written(
    practice: Practice, caspio_sim: Any, tests_known: list[LabTest]
) -> None:
    LabTest.objects.create(practice=practice, external_id="labts_nameless")
    progress: list[tuple[int, int]] = []
    done = file_catalog(practice, lambda *step: progress.append(step))
    assert (done["inserted"], progress[-1]) == (31, (31, 31))
    caspio_sim.forget_requests()
    assert file_catalog(practice)["unchanged"] == 31
    assert caspio_sim.requests() == []
    LabTest.objects.filter(external_id__lt="labts_10").update(retired=True)
    assert len(changed_rows(practice)) == 10
    assert file_catalog(practice)["updated"] == 10
    assert writes(caspio_sim) == 10
    retired = [row for row in caspio_sim.tables()["Lab_Tests"] if row["Retired"]]
    assert len(retired) == 10
    assert not any(row["Available"] for row in retired)


def test_a_missing_field_of_one_table_does_not_hold_the_other(
    practice: Practice, caspio_sim: Any, tests_known: list[LabTest]
) -> None:
    LabCompany.objects.create(practice=practice, external_id="labco_2", name="Second lab")
    LabCompany.objects.filter(external_id="labco_1").delete()
    file_catalog(practice)
    LabCompany.objects.update(short_name="2")
    LabTest.objects.filter(external_id="labts_05").update(name="Renamed")
    store = caspio_sim.app.account.store
    table = design.find_table(store, "Lab_Tests")
    design.drop_field(store, table, table.field("Name"))
    with pytest.raises(FilingProblem, match="no field Name in the table Lab_Tests"):
        file_catalog(practice)
    assert caspio_sim.tables()["Lab_Companies"][0]["Short_Name"] == "2"


def test_a_test_waits_while_the_whole_catalogue_is_filed(
    practice: Practice, caspio_sim: Any, tests_known: list[LabTest]
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from django.db import connection

    def elsewhere() -> None:
        try:
            with pytest.raises(Busy):
                file_one(practice, tests_known[0])
        finally:
            connection.close()

    with exclusive(f"catalog:{practice.pk}"), ThreadPoolExecutor(1) as other:
        other.submit(elsewhere).result()
    assert needs_filing(practice, tests_known[0])
    file_one(practice, tests_known[0])
    assert not needs_filing(practice, tests_known[0])
