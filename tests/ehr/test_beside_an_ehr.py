"""A practice whose EHR orders at Rupa too: ids that join, orders recognised, nothing ordered twice unawares."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from labbridge.handlers.order_requests import Asker, ask, contents
from labbridge.handlers.ordered import note_order
from labbridge.mirror.models import (
    Chart,
    EhrId,
    LabTest,
    Order,
    OrderedTest,
    Patient,
    PatientLink,
    ReviewCase,
)
from labbridge.ordering.models import Door, RequestState
from labbridge.ordering.open_tests import open_elsewhere
from labbridge.practices.models import Practice
from labbridge.trust.models import AuditEntry
from tests.conftest import RunningRupa, person

pytestmark = pytest.mark.django_db(transaction=True)

HEAD = "caspio_key,rupa_id,system,ehr_id\n"


def chart(practice: Practice, number: int, **more: str) -> Chart:
    return Chart.objects.create(practice=practice, key=f"P-{number}", person={**person(number), **more})


def patient(practice: Practice, number: int, **more: str) -> Patient:
    return Patient.objects.create(
        practice=practice, external_id=f"pat_{number}", person={**person(number), **more}
    )


def test_the_crosswalk_is_brought_in_matched_and_taken_out(
    practice: Practice, tmp_path: Path, labbridge: Any
) -> None:
    other = {"email": "other@patients.example", "phone": "+12025550123"}
    for number in (1, 2, 3):
        chart(practice, number)
    patient(practice, 1, **other)  # the e-mail is another one: only the crosswalk joins these
    patient(practice, 2, birthday="1950-01-01", **other)  # its birthday speaks against it
    file = tmp_path / "ids.csv"
    file.write_text(HEAD + "P-1,,healthie,71\n,pat_1,Healthie,71\nP-2,pat_2,cerbo,c-2\nP-1,,kalix,k1\n"
                    "P-9,,healthie,9\n,,healthie,8\nP-3,,healthie,71\n"
                    "P-3,,Not A System!,5\nP-3,,kalix,=1+1\n")  # fmt: skip

    tried = labbridge("crosswalk", "import", str(file), "--dry-run")
    assert tried.exit_code == 1
    assert not EhrId.objects.exists()
    done = labbridge("crosswalk", "import", str(file))
    assert done.exit_code == 1
    for line, said in ((6, "has this caspio_key"), (7, "names neither"), (8, "another patient in Caspio"),
                       (9, "short name"), (10, "signs that no id has")):  # fmt: skip
        assert any(one.startswith(f"Line {line}: ") and said in one for one in done.output.splitlines())
    assert EhrId.objects.count() == 3
    link = PatientLink.objects.get()
    assert (link.chart.key, link.patient.external_id) == ("P-1", "pat_1")
    assert "crosswalk" in link.reasons[0]
    case = ReviewCase.objects.get(chart__key="P-2", state="open")
    assert "crosswalk" in case.reasons[0]["words"], "a birthday speaks louder: a person is asked"

    again = labbridge("crosswalk", "import", str(file), "--json")
    assert '"unchanged": 4' in again.output
    out = labbridge("crosswalk", "export")
    assert out.output.splitlines() == [
        HEAD.strip(), "P-2,pat_2,cerbo,c-2", "P-1,pat_1,healthie,71", "P-1,,kalix,k1",
    ]  # fmt: skip
    assert labbridge("crosswalk", "remove", "kalix", "k1").exit_code == 0
    assert labbridge("crosswalk", "remove", "kalix", "k1").exit_code == 2
    acts = set(AuditEntry.objects.filter(practice="willow").values_list("action", flat=True))
    assert {"crosswalk.import", "crosswalk.export", "crosswalk.remove"} <= acts

    bad = tmp_path / "bad.csv"
    bad.write_bytes(b"caspio_key,rupa_id,system,ehr_id\n\xff\xfe,,healthie,1\n")
    assert "UTF-8" in labbridge("crosswalk", "import", str(bad)).output
    bad.write_text("key;id\n")
    assert "first line" in labbridge("crosswalk", "import", str(bad)).output
    assert labbridge("crosswalk", "import", str(tmp_path / "none.csv")).exit_code == 2


def test_an_order_of_the_ehr_is_known_and_warned_of_at_every_door(
    practice: Practice,
    rupa_sim: RunningRupa,
    add_patient: Any,
    run_jobs: Any,
    labbridge: Any,
    deliver_all: Any,
) -> None:
    """By the mark that the practice has named; without one it is said to be from Rupa or another system."""
    practice.config = {
        **practice.config,
        "ordering": {**practice.config.get("ordering", {}), "ehr": {"healthie": "hid"}},
    }
    practice.save()
    known = add_patient(1)
    marked = rupa_sim.order(known["id"], "DUTCH Complete")
    deliver_all()
    run_jobs(waiting=True)
    order = Order.objects.get(external_id=marked)
    assert order.source == "rupa", "no intent of ours, no mark: never a guess"
    mine = Chart.objects.get(key="P-1")
    assert open_elsewhere(mine)[0].sentence.endswith(f"in order {marked}, made at Rupa or in another system.")
    note_order(order, {"hid": "77"})
    order.refresh_from_db()
    assert order.source == "ehr:healthie"
    assert open_elsewhere(mine)[0].sentence.endswith(f"in order {marked}, made in healthie.")

    labbridge("sync", "catalog")
    test = OrderedTest.objects.get(order=order).lab_test_id_external
    assert LabTest.objects.filter(practice=practice, external_id=test).exists()
    for door in (Door.TABLE, Door.API):
        asked = ask(practice, f"req-{door}", contents("P-1", test_ids=[test]), Asker(door))
        assert asked.state == RequestState.READY, asked.message
        assert "made in healthie" in asked.message or "another checkout" in asked.message
        assert asked.open_already == [
            {"test_id": test, "rupa_order_id": marked, "order_source": "ehr:healthie"}
        ]
    repeats = AuditEntry.objects.filter(action="order.repeat")
    assert {entry.detail["door"] for entry in repeats} == {"table", "api"}
    ask(practice, "req-api", contents("P-1", test_ids=[test]), Asker(Door.API))
    assert repeats.count() == 2, "once for each request, however often it is asked"
