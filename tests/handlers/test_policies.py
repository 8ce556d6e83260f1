"""Later changes of a linked patient, by the practice's policy for each field."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from labbridge.handlers import links
from labbridge.handlers.cases import CannotDecide, decide
from labbridge.handlers.undo import undo
from labbridge.mirror.models import CaseKind, CaseState, Chart, PatientLink, ReviewCase
from labbridge.practices.models import Practice
from labbridge.reconcile.orders import pull_orders
from labbridge.reconcile.patients import pull_patients
from tests.handlers.rows import AT_RUPA, patients, row

pytestmark = pytest.mark.django_db(transaction=True)

OURS, THEIRS = "+14155550132", "+14155550177"


@pytest.fixture
def linked(insert: Any, sync: Any, rupa_sim: Any) -> str:
    """The row's patient, created at Rupa."""
    insert()
    sync()
    (made,) = patients(rupa_sim)
    return str(made["id"])


@pytest.fixture
def notice(practice: Practice, run_jobs: Any) -> Any:
    """Look at both sides, as `sync patients` does."""

    def look() -> None:
        pull_patients(practice)
        run_jobs()

    return look


def phone_at_rupa(rupa_sim: Any) -> str:
    return str(patients(rupa_sim)[0]["phone_number"])


def test_caspio_wins_and_what_changed_at_rupa_is_told(
    linked: str, change: Any, change_at_rupa: Any, notice: Any, caspio_sim: Any, rupa_sim: Any
) -> None:
    change_at_rupa(linked, phone_number=THEIRS)
    notice()
    assert row(caspio_sim)["Phone"] == "(415) 555-0132"
    assert "phone" in row(caspio_sim)["Rupa_Sync_Message"]
    assert phone_at_rupa(rupa_sim) == THEIRS, "the patient's own change is not undone behind their back"
    change(Phone="(415) 555-0199")
    notice()
    assert phone_at_rupa(rupa_sim) == "+14155550199"


def test_what_differed_when_they_were_linked_is_left_alone(
    insert: Any, sync: Any, change: Any, caspio_sim: Any, rupa_sim: Any
) -> None:
    rupa_sim.call("POST", "/_sim/patients", {**AT_RUPA, "phone_number": THEIRS})
    insert()
    sync()
    change(Street="2 Sample St")
    sync()
    (there,) = patients(rupa_sim)
    assert (there["phone_number"], there["shipping_address"]["street"]) == (THEIRS, "2 Sample St")


def test_rupa_wins(
    linked: str, policy: Any, change: Any, change_at_rupa: Any, notice: Any, caspio_sim: Any, rupa_sim: Any
) -> None:
    policy(phone="rupa")
    change_at_rupa(linked, phone_number=THEIRS)
    notice()
    assert row(caspio_sim)["Phone"] == THEIRS
    change(Phone="(415) 555-0199")
    notice()
    assert (row(caspio_sim)["Phone"], phone_at_rupa(rupa_sim)) == (THEIRS, THEIRS)
    caspio_sim.forget_requests()
    notice()
    assert [one["method"] for one in caspio_sim.requests()] == ["GET"], (
        "both sides are equal: nothing is written"
    )


def test_what_rupa_brings_comes_back_as_an_echo_without_a_call(
    linked: str, practice: Practice, policy: Any, change_at_rupa: Any, notice: Any, caspio_sim: Any, say: Any
) -> None:
    policy(birthday="rupa", phone="rupa")
    change_at_rupa(linked, phone_number=THEIRS, birthday="1980-02-09")
    notice()
    assert row(caspio_sim)["Date_of_Birth"].startswith("1980-02-09")
    caspio_sim.forget_requests()
    say(row(caspio_sim))
    assert caspio_sim.requests() == []


def test_an_order_brings_the_news_of_its_patient(
    linked: str,
    practice: Practice,
    policy: Any,
    change_at_rupa: Any,
    rupa_sim: Any,
    run_jobs: Any,
    caspio_sim: Any,
) -> None:
    policy(phone="rupa")
    change_at_rupa(linked, phone_number=THEIRS)
    rupa_sim.order(linked)
    pull_orders(practice)  # Rupa's list of orders includes their patients
    run_jobs()
    assert row(caspio_sim)["Phone"] == THEIRS


@pytest.mark.parametrize("ours_last", [True, False])
def test_the_newest_wins(
    ours_last: bool, linked: str, policy: Any, change: Any, change_at_rupa: Any, notice: Any, caspio_sim: Any,
    rupa_sim: Any,
) -> None:  # fmt: skip
    policy(phone="newest")
    deeds = [
        lambda: change_at_rupa(linked, phone_number=THEIRS),
        lambda: change(Phone="(415) 555-0199"),
    ]
    for deed in deeds if ours_last else reversed(deeds):
        deed()
        notice()
    at_end = "+14155550199" if ours_last else THEIRS
    assert phone_at_rupa(rupa_sim) == at_end
    assert row(caspio_sim)["Phone"] == ("(415) 555-0199" if ours_last else THEIRS)


@pytest.mark.parametrize("answer", ["use_caspio", "use_rupa"])
def test_a_person_is_asked_and_may_take_it_back(
    answer: str, linked: str, policy: Any, change: Any, notice: Any, caspio_sim: Any, rupa_sim: Any
) -> None:
    policy(phone="ask")
    change(Phone="(415) 555-0199")
    notice()
    case = ReviewCase.objects.get(state=CaseState.OPEN)
    assert (case.kind, case.parts) == (CaseKind.VALUES, ["phone"])
    assert (case.seen["chart"]["phone"], case.seen["patient"]["phone"]) == ("(415) 555-0199", OURS)
    assert row(caspio_sim)["Rupa_Sync_Status"] == "review"
    assert "555" not in row(caspio_sim)["Rupa_Sync_Message"]
    decide(case, answer, by="front desk")
    now = {"use_caspio": ("(415) 555-0199", "+14155550199"), "use_rupa": (OURS, OURS)}[answer]
    assert (row(caspio_sim)["Phone"], phone_at_rupa(rupa_sim)) == now
    assert row(caspio_sim)["Rupa_Sync_Status"] == "linked"
    notice()
    assert not ReviewCase.objects.filter(state=CaseState.OPEN).exists(), "what was decided is settled"
    case.refresh_from_db()
    undo(case, by="owner")
    assert (row(caspio_sim)["Phone"], phone_at_rupa(rupa_sim)) == ("(415) 555-0199", OURS)
    notice()
    assert ReviewCase.objects.get(state=CaseState.OPEN).parts == ["phone"]
    assert row(caspio_sim)["Rupa_Sync_Status"] == "review"


def test_a_question_of_values_ends_when_both_sides_agree(
    linked: str, policy: Any, change: Any, notice: Any, caspio_sim: Any
) -> None:
    policy(phone="ask")
    change(Phone="(415) 555-0199")
    notice()
    change(Phone="415 555 0132")
    notice()
    assert not ReviewCase.objects.filter(state=CaseState.OPEN).exists()
    assert row(caspio_sim)["Rupa_Sync_Status"] == "linked"


def test_an_email_that_somebody_else_has_is_not_sent(
    linked: str, change: Any, sync: Any, caspio_sim: Any, rupa_sim: Any
) -> None:
    rupa_sim.call("POST", "/_sim/patients", {**AT_RUPA, "first_name": "Bea", "email": "bea@patients.example"})
    change(Email="bea@patients.example")
    sync()
    (there,) = patients(rupa_sim)
    assert there["id"] == linked
    assert row(caspio_sim)["Rupa_Sync_Status"] == "review"
    case = ReviewCase.objects.get(state=CaseState.OPEN)
    with pytest.raises(CannotDecide):
        decide(case, "use_caspio", by="front desk")
    decide(case, "use_rupa", by="front desk")
    assert row(caspio_sim)["Email"] == "ottilie@patients.example"
    assert row(caspio_sim)["Rupa_Sync_Status"] == "linked"


def test_what_holds_a_change_up_is_said_and_it_goes_later(
    linked: str, change: Any, sync: Any, run_jobs: Any, rupa_sim: Any
) -> None:
    rupa_sim.fault("unavailable", match={"method": "PATCH"})
    change(Phone="(415) 555-0199")
    sync()
    assert Chart.objects.get().sync_problem
    rupa_sim.heal()
    run_jobs(waiting=True)
    assert (Chart.objects.get().sync_problem, phone_at_rupa(rupa_sim)) == ("", "+14155550199")


def test_a_cleared_value_takes_nothing_away_at_rupa(
    linked: str, change: Any, sync: Any, rupa_sim: Any
) -> None:
    change(Phone="", Email="ottilie@")
    sync()
    (there,) = patients(rupa_sim)
    assert there["phone_number"] == OURS


def test_a_row_that_is_typed_over_cell_by_cell(
    linked: str, change: Any, sync: Any, caspio_sim: Any, rupa_sim: Any
) -> None:
    """The first name was read, and sent, before the rest was typed: the rest does not follow it."""
    change(First_Name="Bea")
    sync()
    assert patients(rupa_sim)[0]["first_name"] == "Bea", "a first name alone may change"
    change(Last_Name="Other")
    sync()
    change(Date_of_Birth="2010-09-09T00:00:00", Email="bea@patients.example")
    sync()
    (there,) = patients(rupa_sim)
    assert there["birthday"] == "1980-02-03", (
        "nothing more of the next patient goes to the former one at Rupa"
    )
    assert not PatientLink.objects.exists()
    case = ReviewCase.objects.get(state=CaseState.OPEN)
    assert (case.kind, case.patient and case.patient.external_id) == (CaseKind.IDENTITY, linked)
    assert row(caspio_sim)["Rupa_Sync_Status"] == "review"


def test_a_first_name_and_much_later_a_birthday_are_two_changes(
    linked: str, change: Any, sync: Any, rupa_sim: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "ONE_BY_ONE", timedelta(0))
    change(First_Name="Bea")
    sync()
    change(Date_of_Birth="1980-02-04T00:00:00")
    sync()
    assert patients(rupa_sim)[0]["birthday"] == "1980-02-04"


def test_a_row_that_was_typed_over_sends_nothing_of_the_next_patient(
    linked: str, change: Any, sync: Any, caspio_sim: Any, rupa_sim: Any
) -> None:
    before = patients(rupa_sim)
    change(First_Name="Bea", Email="bea@patients.example", Date_of_Birth="2010-09-09T00:00:00")
    sync()
    assert patients(rupa_sim) == before
    case = ReviewCase.objects.get(state=CaseState.OPEN)
    assert (case.kind, case.patient and case.patient.external_id) == (CaseKind.IDENTITY, linked)
    assert row(caspio_sim)["Rupa_Sync_Status"] == "review"
    assert row(caspio_sim)["Rupa_Sync_Message"].startswith(
        "The Rupa patient id on this row is that of a patient"
    )
    assert case.actions == ["link", "create", "not_the_same"]
    change(First_Name="Ottilie", Email="ottilie@patients.example", Date_of_Birth="1980-02-03T00:00:00")
    sync()
    assert (PatientLink.objects.get().patient.external_id, row(caspio_sim)["Rupa_Sync_Status"]) == (
        linked,
        "linked",
    )
    assert not ReviewCase.objects.filter(state=CaseState.OPEN).exists()


def test_a_row_that_was_typed_over_may_be_somebody_new(
    linked: str, change: Any, sync: Any, caspio_sim: Any, rupa_sim: Any
) -> None:
    rupa_sim.order(linked)
    change(First_Name="Bea", Email="bea@patients.example", Date_of_Birth="2010-09-09T00:00:00")
    sync()
    decide(ReviewCase.objects.get(state=CaseState.OPEN), "create", by="front desk")
    sync()
    (made,) = patients(rupa_sim, "bea@patients.example")
    assert PatientLink.objects.get().patient.external_id == made["id"] != linked
    found = row(caspio_sim)
    assert (found["Rupa_Patient_ID"], found["Rupa_Sync_Status"]) == (made["id"], "linked")
    assert patients(rupa_sim)[0]["first_name"] == "Ottilie"
