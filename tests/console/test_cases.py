"""Matches: the list, both sides with what differs, the allowed answers only, and taking one back."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from labbridge.accounts.roles import Role
from labbridge.console.differences import pieces, sides
from labbridge.handlers import cases
from labbridge.mirror.models import Chart, NotSame, Patient, PatientLink, ReviewCase
from labbridge.practices.models import Practice
from tests.people import member, sign_in

OURS = {
    "first_name": "Testa",
    "last_name": "Sampleperson",
    "birthday": "1978-08-16",
    "phone": "(503) 555-0119",
}
THEIRS = {
    "first_name": "Testa",
    "last_name": "Sampleperson",
    "birthday": "1979-08-16",
    "phone": "+15035550119",
}
REASONS = [
    {"words": "Birthday differs by one digit", "weight": -10, "field": "birthday"},
    {"words": "The birthdays differ.", "weight": 0, "field": "rule"},
]


@pytest.fixture
def willow(db: None) -> Practice:
    return Practice.objects.create(slug="willow", name="Willow", time_zone="America/Los_Angeles")


def asked(practice: Practice, number: int = 1, **more: Any) -> ReviewCase:
    patient = Patient.objects.create(practice=practice, external_id=f"pat_{number}", person=THEIRS)
    chart = Chart.objects.create(practice=practice, key=f"P-{number}", person=OURS)
    given_values = {
        "patient": patient, "candidates": [patient.external_id], "reasons": REASONS,
        "actions": ["ask_patient", "link", "not_the_same"],
        "ways_out": [{"action": "link", "words": "It is the same person."},
                     {"action": "correct_caspio", "words": "Correct the birthday in Caspio."}],
    }  # fmt: skip
    return ReviewCase.objects.create(practice=practice, chart=chart, **{**given_values, **more})


@pytest.fixture
def desk(client: Client, willow: Practice) -> Client:
    sign_in(client, member(willow, Role.FRONT_DESK))
    return client


def text(answer: Any) -> str:
    assert answer.status_code == 200, answer.status_code
    return str(answer.content.decode())


def test_the_list_names_no_patient(desk: Client, willow: Practice) -> None:
    asked(willow)
    shown = text(desk.get("/cases"))
    assert "P-1" in shown
    assert "The birthdays differ." in shown
    assert "Sampleperson" not in shown


def test_both_sides_and_what_differs(desk: Client, willow: Practice) -> None:
    shown = text(desk.get(f"/cases/{asked(willow).pk}"))
    assert "197<mark>8</mark>-08-16" in shown
    assert "197<mark>9</mark>-08-16" in shown
    assert "(503) 555-0119" in shown
    assert shown.count("<mark>") == 2, "the phone number is written in two ways and is the same"
    assert "Sampleperson" not in re.findall("<title>(.*?)</title>", shown)[0]


def test_only_the_allowed_answers_likeliest_first(desk: Client, willow: Practice) -> None:
    shown = text(desk.get(f"/cases/{asked(willow).pk}"))
    assert re.findall('name="action" value="([a-z_]+)"', shown) == ["link", "ask_patient", "not_the_same"]
    assert "Correct the birthday in Caspio." in shown


def test_another_candidate_is_chosen_by_name(desk: Client, willow: Practice) -> None:
    Patient.objects.create(practice=willow, external_id="pat_9", person={**THEIRS, "first_name": "Otto"})
    case = asked(willow, candidates=["pat_1", "pat_9"], actions=["choose_another", "link"])
    shown = text(desk.get(f"/cases/{case.pk}"))
    assert "Otto Sampleperson" in shown
    assert re.findall('name="choose" value="([a-zA-Z0-9_]+)"', shown) == ["pat_9"]


def test_an_answer_that_is_not_allowed_changes_nothing(desk: Client, willow: Practice) -> None:
    case = asked(willow)
    answer = desk.post(f"/cases/{case.pk}", {"action": "create"}, follow=True)
    assert "Allowed here:" in text(answer)
    case.refresh_from_db()
    assert case.state == "open"


def answered(desk: Client, case: ReviewCase, page: str, action: str) -> str:
    """What the desk is told whose page says this."""
    (seen,) = re.findall('name="seen" value="([^"]*)"', page)
    assert re.fullmatch("[0-9a-f]{32}", seen)
    return text(desk.post(f"/cases/{case.pk}", {"action": action, "seen": seen}, follow=True))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("what", ["another patient", "the row", "the patient", "candidates"])
def test_an_answer_is_to_what_was_seen(desk: Client, willow: Practice, what: str) -> None:
    case = asked(willow)
    page = text(desk.get(f"/cases/{case.pk}"))
    match what:
        case "another patient":
            case.patient = Patient.objects.create(practice=willow, external_id="pat_2", person=THEIRS)
        case "the row":
            case.chart.person = {**OURS, "first_name": "Otto"}
            case.chart.save()
        case "the patient":
            case.patient.person = {**THEIRS, "phone": ""}
            case.patient.save()
        case "candidates":
            case.candidates = ["pat_1", "pat_9"]
    case.save()
    for action in ("link", "not_the_same"):
        assert "has changed since you saw it" in answered(desk, case, page, action)
    assert not PatientLink.objects.exists()
    assert not NotSame.objects.exists()
    assert "not the same person" in answered(desk, case, text(desk.get(f"/cases/{case.pk}")), "not_the_same")
    assert NotSame.objects.get().patient == case.patient


@pytest.mark.django_db(transaction=True)
def test_a_question_that_changes_while_it_is_answered(
    desk: Client, willow: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = asked(willow)
    page = text(desk.get(f"/cases/{case.pk}"))
    other = Patient.objects.create(practice=willow, external_id="pat_2", person=THEIRS)
    carry_out = cases._carry_out

    def late(*given: Any) -> Any:
        ReviewCase.objects.update(patient=other)
        return carry_out(*given)

    monkeypatch.setattr(cases, "_carry_out", late)
    assert "has changed since you saw it" in answered(desk, case, page, "not_the_same")
    assert not NotSame.objects.exists()


@pytest.mark.parametrize("more", [{}, {"state": "decided", "decision": "link"}])
def test_many_matches_have_pages_by_key_and_a_constant_number_of_queries(
    desk: Client, willow: Practice, django_assert_max_num_queries: Any, more: dict[str, Any]
) -> None:
    moment = timezone.now()  # the same for several: the key decides
    for number in range(60):
        at = moment - timedelta(minutes=number // 3)
        asked(willow, number, opened_at=at, **({**more, "decided_at": at} if more else {}))
    seen, address = [], "/cases?decided" if more else "/cases"
    while address:
        with django_assert_max_num_queries(10):
            shown = text(desk.get(address))
        seen += re.findall(r'href="/cases/([0-9a-f-]+)"', shown)
        further = re.findall(r'rel="next" href="([^"]+)"', shown)
        address = f"/cases{further[0].replace('&amp;', '&')}" if further else ""
    order = ("-decided_at", "-pk") if more else ("opened_at", "pk")
    assert seen == [str(key) for key in ReviewCase.objects.order_by(*order).values_list("pk", flat=True)]
    assert 'rel="prev"' in shown


def test_front_desk_sees_a_decision_and_cannot_undo_it(desk: Client, willow: Practice) -> None:
    case = asked(
        willow, state="decided", decision="link", decided_by="ada", decided_at=timezone.now(), why="Asked."
    )
    shown = text(desk.get(f"/cases/{case.pk}"))
    assert "Linked: the same person" in shown
    assert "by ada" in shown
    assert "Undo" not in shown
    assert desk.get(f"/cases/{case.pk}/undo").status_code == 403


def test_undoing_asks_for_a_fresh_proof(client: Client, willow: Practice) -> None:
    case = asked(willow, state="decided", decision="not_the_same", decided_at=timezone.now())
    sign_in(client, member(willow, Role.PRACTITIONER))
    assert "what was filed in this chart" in text(client.get(f"/cases/{case.pk}/undo"))
    session = client.session
    session["account_authentication_methods"] = [
        {**one, "at": time.time() - 301} for one in session["account_authentication_methods"]
    ]
    session.save()
    for method in (client.get, client.post):
        answer = method(f"/cases/{case.pk}/undo")
        assert answer.status_code == 302
        assert answer["Location"].startswith("/accounts/confirm?")
    case.refresh_from_db()
    assert case.state == "decided"


def test_a_consultant_chooses_the_practice_in_the_address(client: Client, willow: Practice) -> None:
    from labbridge.accounts.models import Membership

    birch = Practice.objects.create(slug="birch", name="Birch")
    user = member(willow, Role.ADMINISTRATOR)
    Membership.objects.create(user=user, practice=birch, role=Role.ADMINISTRATOR)
    sign_in(client, user)
    asked(willow, 1), asked(birch, 2)
    everything, one = text(client.get("/cases")), text(client.get("/cases?practice=birch"))
    assert "P-1" in everything
    assert "P-2" in everything
    assert "P-1" not in one
    assert 'href="/?practice=birch"' in one, "the navigation stays at that practice"


@given(st.text(max_size=40), st.text(max_size=40))
def test_pieces_joined_again_are_the_texts(one: str, other: str) -> None:
    left, right = pieces(one, other)
    assert "".join(text for text, _ in left) == one
    assert "".join(text for text, _ in right) == other
    differs = any(differs for _, differs in left + right)
    assert differs == (one.casefold() != other.casefold())


def test_what_one_side_does_not_say_does_not_differ() -> None:
    from datetime import date

    (only,) = sides({"city": "Portland"}, {}, today=date(2026, 1, 1))
    assert not only.differs
    assert only.theirs == []
