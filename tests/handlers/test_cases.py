"""Questions about who is who: each answer, its undoing, and patients of Rupa without any row."""

from __future__ import annotations

from typing import Any

import pytest

from labbridge.handlers.cases import CannotDecide, decide
from labbridge.handlers.undo import undo, undo_link
from labbridge.mirror.models import CaseState, Chart, NotSame, PatientLink, ReviewCase
from labbridge.peers.errors import PeerError
from labbridge.practices.models import Practice
from labbridge.trust.models import AuditEntry
from tests.handlers.rows import AT_RUPA, PERSON, patients, row

pytestmark = pytest.mark.django_db(transaction=True)

OTHER_DAY = {**AT_RUPA, "birthday": "1980-02-04"}


def open_case() -> ReviewCase:
    return ReviewCase.objects.select_related("practice", "chart", "patient").get(state=CaseState.OPEN)


def charts_of(caspio_sim: Any) -> set[tuple[str, str]]:
    """Which order or result stands in whose chart."""
    tables = caspio_sim.tables()
    rows = [*tables["Lab_Orders"], *tables["Lab_Order_Tests"], *tables["Lab_Results"]]
    return {(one["Rupa_Order_ID"], one["Patient_Key"]) for one in rows if one["Patient_Key"]}


@pytest.fixture
def stranger(practice: Practice, rupa_sim: Any, deliver_all: Any, run_jobs: Any) -> dict[str, Any]:
    """A patient of Rupa with an order, and no row in Caspio."""
    made: dict[str, Any] = rupa_sim.call("POST", "/_sim/patients", AT_RUPA)
    made["order"] = rupa_sim.order(made["id"])
    deliver_all()
    run_jobs()
    return made


class TestWithoutARow:
    def test_a_person_chooses_the_row_and_takes_it_back(
        self, stranger: dict[str, Any], insert: Any, run_jobs: Any, caspio_sim: Any
    ) -> None:
        case = open_case()
        assert (case.chart, case.patient and case.patient.external_id) == (None, stranger["id"])
        assert case.actions == ["choose_another", "not_the_same"]
        insert(Email="", Date_of_Birth=None)
        with pytest.raises(CannotDecide, match="row"):
            decide(case, "choose_another", by="front desk", choose="P-404")
        decide(case, "choose_another", by="front desk", choose="P-1", why="asked on the phone")
        run_jobs()
        assert charts_of(caspio_sim) == {(stranger["order"], "P-1")}
        assert row(caspio_sim)["Rupa_Patient_ID"] == stranger["id"]
        reopened = undo(case, by="owner")
        run_jobs()
        assert charts_of(caspio_sim) == set()
        assert not row(caspio_sim)["Rupa_Patient_ID"]
        assert row(caspio_sim)["Rupa_Sync_Status"] == "review"
        assert (reopened.chart and reopened.chart.key, reopened.state) == ("P-1", CaseState.OPEN)
        decide(reopened, "not_the_same", by="owner")
        run_jobs()
        assert open_case().chart is None, "the order still waits for somebody to say whose it is"

    def test_nobody_here_is_an_answer_too(
        self, stranger: dict[str, Any], run_jobs: Any, deliver_all: Any
    ) -> None:
        decide(open_case(), "not_the_same", by="front desk")
        deliver_all()
        run_jobs()
        assert not ReviewCase.objects.filter(state=CaseState.OPEN).exists()

    def test_a_row_that_comes_later_answers_it(
        self, stranger: dict[str, Any], insert: Any, sync: Any, caspio_sim: Any
    ) -> None:
        insert()
        sync()
        assert charts_of(caspio_sim) == {(stranger["order"], "P-1")}
        assert not ReviewCase.objects.filter(state=CaseState.OPEN).exists()

    def test_a_row_in_doubt_is_asked_about_instead(
        self, practice: Practice, insert: Any, rupa_sim: Any, caspio_sim: Any, deliver_all: Any, run_jobs: Any
    ) -> None:
        insert()
        made = rupa_sim.call("POST", "/_sim/patients", OTHER_DAY)
        rupa_sim.order(made["id"])
        deliver_all()
        run_jobs()
        case = open_case()
        assert (case.chart and case.chart.key, case.patient and case.patient.external_id) == (
            "P-1",
            made["id"],
        )
        assert "birthdays differ" in " ".join(one["words"] for one in case.reasons)
        assert row(caspio_sim)["Rupa_Sync_Status"] == "review"


class TestAnswers:
    @pytest.fixture
    def case(self, insert: Any, sync: Any, rupa_sim: Any, deliver_all: Any) -> ReviewCase:
        """The row beside a patient with its e-mail and another birthday, who has an order."""
        made = rupa_sim.call("POST", "/_sim/patients", OTHER_DAY)
        rupa_sim.order(made["id"])
        insert()
        sync()
        deliver_all()
        return open_case()

    def test_undoing_a_link_restores_the_state_before(
        self, case: ReviewCase, run_jobs: Any, caspio_sim: Any, rupa_sim: Any
    ) -> None:
        run_jobs()
        before, at_rupa = row(caspio_sim), rupa_sim.call("GET", "/_sim/state")["patients"]
        assert charts_of(caspio_sim) == set()
        decide(case, "link", by="front desk", why="asked")
        run_jobs()
        assert {key for _, key in charts_of(caspio_sim)} == {"P-1"}
        undo(case, by="owner", why="another person")
        run_jobs()
        after = row(caspio_sim)
        ignored = {"Rupa_Synced_At"}
        assert {name: after[name] or "" for name in after if name not in ignored} == {
            name: before[name] or "" for name in before if name not in ignored
        }
        assert charts_of(caspio_sim) == set()
        assert rupa_sim.call("GET", "/_sim/state")["patients"] == at_rupa
        case.refresh_from_db()
        assert (case.state, case.decided_by, case.undone_by) == (CaseState.UNDONE, "front desk", "owner")
        assert list(
            AuditEntry.objects.filter(action__startswith="case.").values_list("action", "actor_name")
        ) == [
            ("case.decide", "front desk"),
            ("case.undo", "owner"),
        ]
        assert AuditEntry.objects.filter(action="link.break").count() == 1

    def test_what_was_taken_back_is_not_linked_again_while_caspio_is_away(
        self, case: ReviewCase, run_jobs: Any, caspio_sim: Any, say: Any
    ) -> None:
        decide(case, "link", by="front desk")
        run_jobs()
        caspio_sim.fault("unavailable", match={"method": "PUT"})
        with pytest.raises(PeerError):
            undo(case, by="owner")
        assert row(caspio_sim)["Rupa_Patient_ID"]
        say({"PK_ID": row(caspio_sim)["PK_ID"]}, run=False)
        run_jobs()
        assert not PatientLink.objects.exists()
        caspio_sim.heal()
        run_jobs(waiting=True)
        assert not PatientLink.objects.exists()
        assert not row(caspio_sim)["Rupa_Patient_ID"]
        assert charts_of(caspio_sim) == set()

    def test_not_the_same_is_remembered_and_can_be_undone(
        self, case: ReviewCase, sync: Any, caspio_sim: Any, rupa_sim: Any
    ) -> None:
        decide(case, "not_the_same", by="front desk")
        assert NotSame.objects.count() == 1
        assert row(caspio_sim)["Rupa_Sync_Status"] == "review", "the e-mail is still somebody else's"
        assert len(patients(rupa_sim)) == 1
        case.refresh_from_db()
        undo(case, by="owner")
        assert not NotSame.objects.exists()
        assert "link" in open_case().actions

    def test_an_email_of_their_own_makes_a_patient_of_their_own(
        self, case: ReviewCase, change: Any, sync: Any, caspio_sim: Any, rupa_sim: Any
    ) -> None:
        decide(case, "ask_patient", by="front desk")
        assert row(caspio_sim)["Rupa_Sync_Message"].startswith("Ask the patient")
        assert open_case().pk == case.pk
        decide(case, "not_the_same", by="front desk")
        change(Email="own@patients.example")
        sync()
        assert row(caspio_sim)["Rupa_Sync_Status"] == "created"
        assert len(patients(rupa_sim, "own@patients.example")) == 1
        assert open_case().chart is None, "whose the other one's order is, is still to be said"

    def test_create_is_refused_while_the_email_is_in_use(self, case: ReviewCase) -> None:
        with pytest.raises(CannotDecide, match="Allowed here"):
            decide(case, "create", by="front desk")

    def test_what_is_decided_stays_when_asked_twice(self, case: ReviewCase) -> None:
        decide(case, "link", by="front desk")
        with pytest.raises(CannotDecide, match="decided already"):
            decide(case, "link", by="somebody else")


def test_somebody_much_alike_without_the_email_may_be_created(
    insert: Any, sync: Any, rupa_sim: Any, caspio_sim: Any
) -> None:
    rupa_sim.call("POST", "/_sim/patients", {**AT_RUPA, "email": "old@patients.example"})
    insert()
    sync()
    case = open_case()
    assert "create" in case.actions
    decide(case, "create", by="front desk")
    (made,) = patients(rupa_sim)
    assert row(caspio_sim)["Rupa_Patient_ID"] == made["id"]
    case.refresh_from_db()
    assert case.decided_patient is not None
    undo(case, by="owner")
    assert not PatientLink.objects.exists()
    assert row(caspio_sim)["Rupa_Sync_Status"] == "review"


def test_a_link_that_the_rules_made_can_be_taken_back(
    insert: Any, sync: Any, rupa_sim: Any, caspio_sim: Any, deliver_all: Any, run_jobs: Any
) -> None:
    rupa_sim.order(rupa_sim.call("POST", "/_sim/patients", AT_RUPA)["id"])
    insert()
    sync()
    deliver_all()
    run_jobs()
    assert {key for _, key in charts_of(caspio_sim)} == {"P-1"}
    undo_link(Chart.objects.get(), by="owner", why="another person")
    sync()
    run_jobs()
    assert charts_of(caspio_sim) == set()
    assert (row(caspio_sim)["Rupa_Patient_ID"] or "", row(caspio_sim)["Rupa_Sync_Status"]) == ("", "review")
    assert not PatientLink.objects.exists(), "until a person has answered, nothing links them again"
    decide(open_case(), "link", by="owner")
    run_jobs()
    assert {key for _, key in charts_of(caspio_sim)} == {"P-1"}


def test_a_row_merged_into_another_takes_its_orders_along(
    insert: Any, sync: Any, rupa_sim: Any, caspio_sim: Any, deliver_all: Any, run_jobs: Any, say: Any
) -> None:
    rupa_sim.order(rupa_sim.call("POST", "/_sim/patients", AT_RUPA)["id"])
    insert()
    sync()
    deliver_all()
    run_jobs()
    gone = row(caspio_sim)["PK_ID"]
    caspio_sim.add("Patients", {**PERSON, "Patient_ID": "P-2", "Phone": ""})
    _delete(gone)
    say({"PK_ID": gone}, kind="Delete")
    assert len(patients(rupa_sim)) == 1, "at Rupa nothing is deleted"
    assert charts_of(caspio_sim) == set()
    sync()
    assert {key for _, key in charts_of(caspio_sim)} == {"P-2"}
    assert row(caspio_sim, "P-2")["Rupa_Patient_ID"] == patients(rupa_sim)[0]["id"]


def _delete(pk_id: int) -> None:
    from labbridge.peers.caspio import where as q
    from labbridge.practices.clients import caspio

    with caspio(Practice.objects.get(), "test") as client:
        client.table("Patients").delete(q.field("PK_ID") == pk_id)
