"""Patients from Caspio to Rupa: each outcome, said on the row itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from labbridge.filing.execute import FilingProblem
from labbridge.filing.provision import new_field
from labbridge.filing.tables import Field
from labbridge.handlers import links, patient_sync
from labbridge.handlers.cases import CannotDecide, decide
from labbridge.handlers.charts import chart_pages, compare_charts, read_chart, read_charts
from labbridge.handlers.judging import Finding, Verdict
from labbridge.handlers.links import queue_sync
from labbridge.handlers.patient_sync import sync_now
from labbridge.handlers.rupa_patients import refused
from labbridge.handlers.undo import undo
from labbridge.mirror.models import CaseState, Chart, Patient, PatientLink, ReviewCase
from labbridge.peers.caspio import where as q
from labbridge.peers.errors import Rejected
from labbridge.practices.apply import change as change_settings
from labbridge.practices.clients import caspio
from labbridge.practices.models import Connection, ConnectionState, Practice
from labbridge.practices.versions import By
from labbridge.reconcile.patients import bring
from labbridge.trust.audit import operator
from tests.handlers.jobs_here import queued
from tests.handlers.rows import AT_RUPA, patients, row

pytestmark = pytest.mark.django_db(transaction=True)


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


def test_a_row_that_was_read_before_anybody_told_of_it_gets_its_outcome_then(
    practice: Practice, insert: Any, run_jobs: Any, caspio_sim: Any
) -> None:
    insert()
    with caspio(practice, "test") as client:
        read_charts(practice, client, queue=False)  # as the first reading of the table does, for others' sake
        run_jobs()
        assert not row(caspio_sim)["Rupa_Sync_Status"]
        for _ in range(2):
            read_chart(practice, client, row(caspio_sim)["PK_ID"])
    assert queued("sync_chart") == [{"chart_id": str(Chart.objects.get().pk)}]
    run_jobs()
    assert row(caspio_sim)["Rupa_Sync_Status"] == "created"


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ({"Email": ""}, {"Email": "ottilie@patients.example"}),
        ({"Last_Name": ""}, {"Last_Name": "Sampleperson"}),
    ],
)
def test_a_row_that_was_mended_while_another_job_read_the_table_gets_its_outcome(
    practice: Practice, insert: Any, sync: Any, change: Any, run_jobs: Any, caspio_sim: Any,
    wrong: dict[str, str], right: dict[str, str],
) -> None:  # fmt: skip
    insert(**wrong)
    sync()
    assert row(caspio_sim)["Rupa_Sync_Status"] == "invalid"
    change(**right)
    Patient.objects.filter(link=None).delete()  # nobody at Rupa waits for a row
    with caspio(practice, "test") as client:
        read_charts(practice, client, queue=False)  # for the sake of an order of somebody else
        read_chart(practice, client, row(caspio_sim)["PK_ID"])  # because of Caspio's message about the change
    run_jobs()
    assert row(caspio_sim)["Rupa_Sync_Status"] == "created"


def test_a_change_that_was_made_while_rupa_was_not_connected_reaches_it_later(
    practice: Practice, insert: Any, sync: Any, change: Any, run_jobs: Any, rupa_sim: Any
) -> None:
    insert()
    sync()
    rupa = Connection.objects.filter(practice=practice, peer="rupa")
    rupa.update(state=ConnectionState.RECONNECT)
    change(Street="2 Sample St")
    sync()
    rupa.update(state=ConnectionState.ACTIVE)
    bring(practice)  # as each sweep does
    run_jobs()
    (made,) = patients(rupa_sim)
    assert "2 Sample St" in str(made)


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


TWIN = {"Patient_ID": "P-0", "First_Name": "Tim"}


def status(caspio_sim: Any) -> set[str]:
    return {one["Rupa_Sync_Status"] for one in caspio_sim.app.dump()["Patients"]}


def test_of_two_new_rows_with_one_email_a_person_says_whose_it_is(
    insert: Any, sync: Any, caspio_sim: Any, rupa_sim: Any
) -> None:
    """Rupa would take both for one person, so that neither is sent before."""
    insert(**TWIN)
    insert()
    sync()
    assert (status(caspio_sim), patients(rupa_sim)) == ({"review"}, [])
    assert all("own" in one["Rupa_Sync_Message"] for one in caspio_sim.app.dump()["Patients"])
    first, second = ReviewCase.objects.order_by("chart__key")
    assert first.actions == ["create", "ask_patient"]
    decide(first, "create", by="front desk")
    assert [one["first_name"] for one in patients(rupa_sim)] == ["Tim"]
    with pytest.raises(CannotDecide):
        decide(second, "create", by="front desk")
    assert len(patients(rupa_sim)) == 1


def test_one_email_of_two_where_rupa_creates_patients_with_their_first_order(
    insert: Any, sync: Any, caspio_sim: Any, rupa_sim: Any
) -> None:
    rupa_sim.call("POST", "/_sim/options", {"patient_endpoint": False})
    insert(**TWIN)
    insert()
    sync()
    assert status(caspio_sim) == {"review"}
    case = ReviewCase.objects.get(chart__key="P-0")
    assert decide(case, "create", by="front desk").state == CaseState.DECIDED
    sync()
    assert row(caspio_sim)["Rupa_Sync_Status"] == "review"
    assert status(caspio_sim) == {"review", "waiting"}


def test_a_shared_email_is_no_question_any_more_once_the_other_row_has_its_own(
    insert: Any, sync: Any, change: Any, caspio_sim: Any, rupa_sim: Any
) -> None:
    insert(
        Patient_ID="P-0",
        First_Name="Bruno",
        Last_Name="Beispiel",
        Date_of_Birth="1951-06-07",
        Phone="",
        Street="",
    )
    insert()
    sync()
    change(Email="own@patients.example")
    sync()
    assert status(caspio_sim) == {"created"}
    assert {len(patients(rupa_sim)), len(patients(rupa_sim, "own@patients.example"))} == {1}
    assert not ReviewCase.objects.filter(state=CaseState.OPEN).exists()


@pytest.mark.parametrize(
    ("odd", "word"),
    [
        ({"Date_of_Birth": "2980-02-03T00:00:00"}, "future"),
        ({"Date_of_Birth": None}, "birthday is missing"),
        ({"Phone": "12"}, "phone"),
    ],
)
def test_what_is_left_out_is_said_beside_the_outcome(
    odd: dict[str, Any], word: str, insert: Any, sync: Any, caspio_sim: Any, rupa_sim: Any
) -> None:
    insert(**odd)
    sync()
    assert row(caspio_sim)["Rupa_Sync_Status"] == "created"
    assert word in row(caspio_sim)["Rupa_Sync_Message"]
    assert len(patients(rupa_sim)) == 1


def test_markup_in_a_name_is_refused(insert: Any, sync: Any, caspio_sim: Any, rupa_sim: Any) -> None:
    insert(First_Name="<b>Ottilie</b>")
    sync()
    assert row(caspio_sim)["Rupa_Sync_Status"] == "invalid"
    assert "markup" in row(caspio_sim)["Rupa_Sync_Message"]
    assert patients(rupa_sim) == []


def test_the_field_that_rupa_refuses_is_named() -> None:
    error = Rejected("rupa", "create a patient", status=400, fields=("data.attributes.phone_number",))
    assert refused(error, "this patient") == "Rupa refused phone. Correct it on this row."


@pytest.mark.parametrize("kind", ["error_after", "reset_after"])
@pytest.mark.parametrize("birthday", ["1980-02-03T00:00:00", None])
def test_a_lost_answer_makes_no_second_patient(
    kind: str, birthday: str | None, insert: Any, sync: Any, run_jobs: Any, caspio_sim: Any, rupa_sim: Any
) -> None:
    """Rupa made the patient and we did not hear of it. Rupa would take the second one too."""
    rupa_sim.options(duplicate_email="create")
    rupa_sim.fault(kind, match={"method": "POST", "path": "patients"}, times=1)
    insert(Date_of_Birth=birthday)
    sync()
    run_jobs(waiting=True)
    (made,) = patients(rupa_sim)
    assert (row(caspio_sim)["Rupa_Patient_ID"], row(caspio_sim)["Rupa_Sync_Status"]) == (
        made["id"],
        "created",
    )


@pytest.mark.parametrize(("kind", "asked"), [("reset_before", 1), ("error_after", 2)])
def test_after_a_broken_connection_nobody_is_asked_for_again_before_the_doubt_is_over(
    kind: str, asked: int, insert: Any, sync: Any, run_jobs: Any, caspio_sim: Any, rupa_sim: Any,
    monkeypatch: Any,
) -> None:  # fmt: skip
    """The creation may still be under way at Rupa when its list shows nobody yet; an answer ends that."""
    monkeypatch.setattr(patient_sync, "_made_unheard", lambda _: None)
    monkeypatch.setattr(patient_sync, "judge", lambda _: Verdict(Finding.CREATE))
    monkeypatch.setattr(patient_sync, "holders_of_email", lambda *_: [])
    rupa_sim.fault(kind, match={"method": "POST", "path": "patients"}, times=1)

    def posts() -> int:
        return sum(one["method"] == "POST" and "patients" in one["path"] for one in rupa_sim.requests())

    insert()
    sync()
    run_jobs(waiting=True, rounds=2)
    assert posts() == asked
    Chart.objects.update(in_doubt_until=timezone.now())
    run_jobs(waiting=True)
    assert posts() == 2


SOMEBODY_ELSE = {
    "First_Name": "Bruno", "Last_Name": "Beispiel", "Email": "bruno@patients.example", "Date_of_Birth": "1951-06-07",
}  # fmt: skip


@pytest.fixture
def edit_meanwhile(practice: Practice, change: Any, caspio_sim: Any) -> Any:
    """Front desk corrects the row once, and Caspio's message about that is done, while the job is under way."""
    edited = list[bool]()

    def edit(**values: str) -> None:
        if edited:
            return
        edited.append(True)
        change(**values)
        with caspio(practice, "test") as client:
            read_chart(practice, client, row(caspio_sim)["PK_ID"])

    return edit


def linked_with() -> list[str]:
    return list(PatientLink.objects.values_list("patient__external_id", flat=True))


def test_a_row_that_becomes_somebody_else_while_it_is_judged_is_not_linked(
    insert: Any,
    sync: Any,
    run_jobs: Any,
    edit_meanwhile: Any,
    caspio_sim: Any,
    rupa_sim: Any,
    monkeypatch: Any,
) -> None:
    rupa_sim.call("POST", "/_sim/patients", AT_RUPA)
    insert()
    judge, edited = links.judge, list[bool]()

    def meanwhile(chart: Chart) -> Any:
        verdict = judge(chart)
        if verdict.finding is Finding.LINK and not edited:
            edited.append(True)
            edit_meanwhile(**SOMEBODY_ELSE)
        return verdict

    monkeypatch.setattr(links, "judge", meanwhile)
    sync()
    run_jobs(waiting=True)
    (bruno,) = patients(rupa_sim, "bruno@patients.example")
    assert (edited, linked_with()) == ([True], [bruno["id"]])
    assert row(caspio_sim)["Rupa_Patient_ID"] == bruno["id"]


@pytest.mark.parametrize("values", [{"Phone": "(415) 555-0199"}, SOMEBODY_ELSE])
def test_a_row_that_is_changed_while_rupa_s_list_is_read_is_sent_as_it_is_by_then(
    values: dict[str, str], insert: Any, sync: Any, run_jobs: Any, edit_meanwhile: Any, rupa_sim: Any,
    monkeypatch: Any,
) -> None:  # fmt: skip
    insert()
    read = patient_sync.read_patients

    def meanwhile(practice: Practice, **since: Any) -> Any:
        edit_meanwhile(**values)
        return read(practice, **since)

    monkeypatch.setattr(patient_sync, "read_patients", meanwhile)
    sync()
    run_jobs(waiting=True)
    (made,) = [*patients(rupa_sim), *patients(rupa_sim, "bruno@patients.example")]
    assert linked_with() == [made["id"]]
    assert (made["email"], made["phone_number"]) == (
        values.get("Email", "ottilie@patients.example"),
        "+14155550199" if "Phone" in values else "+14155550132",
    )


@pytest.mark.parametrize("values", [{"Phone": "(415) 555-0199"}, SOMEBODY_ELSE])
def test_a_row_that_is_changed_while_rupa_makes_the_patient(
    values: dict[str, str], insert: Any, sync: Any, run_jobs: Any, edit_meanwhile: Any, caspio_sim: Any,
    rupa_sim: Any, monkeypatch: Any,
) -> None:  # fmt: skip
    """A correction counts as a later change, and is sent; somebody else is not linked with who was made."""
    insert()
    asked = patient_sync._asked

    def meanwhile(*about: Any) -> Any:
        snapshot = asked(*about)
        edit_meanwhile(**values)
        return snapshot

    monkeypatch.setattr(patient_sync, "_asked", meanwhile)
    sync()
    run_jobs(waiting=True)
    (ottilie,) = patients(rupa_sim)
    if "Phone" in values:
        assert (linked_with(), ottilie["phone_number"]) == ([ottilie["id"]], "+14155550199")
    else:
        assert linked_with() == [patients(rupa_sim, "bruno@patients.example")[0]["id"]]
        assert ottilie["phone_number"] == "+14155550132"
    assert row(caspio_sim)["Rupa_Patient_ID"] == linked_with()[0]


def test_an_email_that_was_taken_a_moment_ago_is_never_sent(
    insert: Any, sync: Any, caspio_sim: Any, rupa_sim: Any
) -> None:
    """Rupa's list was read seconds before: a list that began after the row's reading is what counts."""
    insert(Patient_ID="P-0", Email="somebody@patients.example", First_Name="Bea", Date_of_Birth=None)
    sync()
    rupa_sim.call("POST", "/_sim/patients", {**AT_RUPA, "first_name": "Hedwig", "birthday": "1999-12-31"})
    rupa_sim.forget_requests()
    insert()
    sync()
    assert row(caspio_sim)["Rupa_Sync_Status"] == "review"
    assert [one for one in rupa_sim.requests() if one["method"] == "POST" and "patients" in one["path"]] == []


def test_rupa_hands_back_somebody_who_was_there(
    insert: Any, sync: Any, caspio_sim: Any, rupa_sim: Any
) -> None:
    """Between our list and our request somebody took the e-mail: what Rupa hands back is judged like any match."""
    rupa_sim.options(duplicate_email="use_existing")
    insert()
    with _somebody_comes_first(rupa_sim):
        sync()
    assert row(caspio_sim)["Rupa_Sync_Status"] == "review"
    assert not PatientLink.objects.exists()
    assert len(patients(rupa_sim)) == 1


@contextmanager
def _somebody_comes_first(rupa_sim: Any) -> Iterator[None]:
    """A patient with the e-mail appears at Rupa just when our request for a new one arrives there."""
    answer = rupa_sim.app.faults.app

    def first(environ: Any, start_response: Any) -> Any:
        if environ["REQUEST_METHOD"] == "POST" and "patients" in environ["PATH_INFO"]:
            rupa_sim.app.faults.app = answer
            rupa_sim.call(
                "POST", "/_sim/patients", {**AT_RUPA, "first_name": "Hedwig", "birthday": "1999-12-31"}
            )
        return answer(environ, start_response)

    rupa_sim.app.faults.app = first
    yield
    rupa_sim.app.faults.app = answer


# -- rows with other numbers -----------------------------------------------------------------------------------

BEA = {
    "Patient_ID": "P-2", "First_Name": "Beatrix", "Email": "beatrix@patients.example",
    "Date_of_Birth": "1990-05-06T00:00:00",
}  # fmt: skip


@pytest.fixture
def two(insert: Any, sync: Any) -> set[Any]:
    """Two linked rows; the keys of their links."""
    insert()
    insert(**BEA)
    sync()
    made = set(PatientLink.objects.values_list("pk", flat=True))
    assert len(made) == 2
    return made


def test_a_table_that_moved_keeps_all_links_and_nothing_is_written_on_anothers_row(
    practice: Practice, two: set[Any], run_jobs: Any, caspio_sim: Any
) -> None:
    types = {"Date_of_Birth": "DATE/TIME", "Rupa_Sync_Message": "TEXT", "Rupa_Synced_At": "DATE/TIME"}
    rows = [
        {name: one for name, one in row(caspio_sim, key).items() if name != "PK_ID"} for key in ("P-2", "P-1")
    ]
    with caspio(practice, "test") as client:
        columns = [new_field(Field(name, types.get(name, "STRING"))) for name in rows[0]]  # type: ignore[arg-type]
        client.create_table("Patients_2026", columns)
    was = {chart.key: chart.pk_id for chart in Chart.objects.all()}
    caspio_sim.add("Patients_2026", *({**one, "Rupa_Sync_Status": ""} for one in rows))  # the other way round
    change_settings(practice, {"caspio.patients.table": "Patients_2026"}, by=By(operator()))
    caspio_sim.forget_requests()
    for chart in Chart.objects.select_related("practice"):  # as jobs that waited
        with pytest.raises(FilingProblem, match="sync patients"):
            sync_now(chart)
    assert [one for one in caspio_sim.requests() if one["method"] == "PUT"] == []
    practice.refresh_from_db()
    with caspio(practice, "test") as client:
        assert compare_charts(practice, chart_pages(practice, client)).changed == 0, "no reason for the brake"
    with transaction.atomic():
        queue_sync(Chart.objects.get(key="P-1"))
    run_jobs()
    assert set(PatientLink.objects.values_list("pk", flat=True)) == two
    now = {one["Patient_ID"]: one for one in caspio_sim.tables()["Patients_2026"]}
    for chart in Chart.objects.all():
        mine = now[chart.key]
        assert chart.pk_id == mine["PK_ID"] != was[chart.key]
        assert mine["Rupa_Patient_ID"] == PatientLink.objects.get(chart=chart).patient.external_id
        assert mine["Rupa_Sync_Status"]


def test_a_message_about_a_number_that_another_key_has_now(
    practice: Practice, two: set[Any], caspio_sim: Any
) -> None:
    numbers = {key: row(caspio_sim, key)["PK_ID"] for key in ("P-1", "P-2")}
    for key, other in (("P-1", "P-2"), ("P-2", "P-1")):  # as before the table was restored
        Chart.objects.filter(key=key).update(pk_id=numbers[other])
    with caspio(practice, "test") as client:
        read_chart(practice, client, numbers["P-1"])
        assert dict(Chart.objects.values_list("key", "pk_id")) == numbers
        assert set(PatientLink.objects.values_list("pk", flat=True)) == two
        table = client.table("Patients")
        table.delete(q.field("PK_ID") == numbers["P-1"])
        table.update(q.field("PK_ID") == numbers["P-2"], {"Patient_ID": "P-1"})
        read_chart(practice, client, numbers["P-2"])
    assert not Chart.objects.get(key="P-2").present, "Beatrix' row has given its key up"
    assert Chart.objects.get(key="P-1").pk_id == numbers["P-2"]
