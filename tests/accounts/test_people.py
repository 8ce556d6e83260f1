"""Adding and helping people, and the demo's second step that must not exist anywhere else."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from labbridge.accounts import demo, people, proof
from labbridge.accounts.models import Membership
from labbridge.accounts.people import PersonProblem
from labbridge.accounts.roles import Role
from labbridge.practices.models import Practice
from tests.people import PASSWORD, member, sign_in, somebody

pytestmark = pytest.mark.django_db

REAL = {"rupa_api_url": "https://api.rupahealth.com"}
SIMULATED = {
    "public_url": "http://127.0.0.1:8000",
    "rupa_api_url": "http://127.0.0.1:9001",
    "rupa_authorize_url": "http://localhost:9001/authorize",
    "rupa_token_url": "http://127.0.0.1:9001/token",
}


def test_the_first_person_of_a_practice_owns_it_and_others_need_a_role(willow: Practice) -> None:
    first = people.add("ada@willow.example", None, generate=True)
    assert first.user.check_password(first.password)
    assert people.grant(first.user, willow, None).role == Role.OWNER
    second = people.add("finn@willow.example", PASSWORD)
    assert second.password == ""
    with pytest.raises(PersonProblem, match="Say which role"):
        people.grant(second.user, willow, None)
    people.grant(second.user, willow, people.role_of("front-desk"), "ada@rupa.example")
    people.grant(second.user, willow, Role.BILLER)
    kept = Membership.objects.get(user=second.user)
    assert (kept.role, kept.rupa_email) == (Role.BILLER, "ada@rupa.example")
    with pytest.raises(PersonProblem, match="already"):
        people.add("ADA@willow.example", PASSWORD)
    with pytest.raises(PersonProblem, match="no role 'boss'"):
        people.role_of("boss")


def test_weak_passwords_are_refused(willow: Practice) -> None:
    with pytest.raises(PersonProblem, match="too short"):
        people.add("ada@willow.example", "short")


def test_a_reset_forgets_a_lost_phone_when_asked(willow: Practice, deployment: Callable[..., Any]) -> None:
    deployment(**SIMULATED)
    user = member(willow)
    demo.give_demo_factor(user)
    people.reset(user, "another long phrase")
    assert proof.has_factor(user)
    people.reset(user, None, generate=True, second_factor=True)
    assert not proof.has_factor(user)


def test_people_who_only_use_the_directory_have_no_password(client: Client, willow: Practice) -> None:
    added = people.add("ada@willow.example", None)
    assert not added.user.has_usable_password()
    for guess in ("", "!", added.user.password):
        assert client.post("/sign-in", {"login": "ada@willow.example", "password": guess}).status_code == 200


def test_a_demo_shows_its_code_on_the_page(
    client: Client, willow: Practice, deployment: Callable[..., Any]
) -> None:
    deployment(**SIMULATED)
    user = member(willow, name="demo@willow.example")
    demo.give_demo_factor(user)
    client.post("/sign-in", {"login": "demo@willow.example", "password": PASSWORD})
    code = client.get("/accounts/code").context["demo_code"]
    assert code == demo.demo_code(user)
    assert client.post("/accounts/code", {"code": code}).headers["Location"] == "/"
    assert client.get("/").status_code == 200


@pytest.mark.parametrize("name", sorted(SIMULATED))
def test_no_code_is_ever_shown_where_one_address_is_real(
    client: Client, willow: Practice, deployment: Callable[..., Any], name: str
) -> None:
    deployment(**SIMULATED)
    user = member(willow)
    demo.give_demo_factor(user)
    deployment(**{name: "https://real.example"})
    assert demo.demo_code(user) == ""
    client.post("/sign-in", {"login": user.username, "password": PASSWORD})
    assert client.get("/accounts/code").context["demo_code"] == ""
    with pytest.raises(PersonProblem):
        demo.give_demo_factor(user)


def test_a_real_factor_is_never_shown_even_in_a_demo(
    client: Client, willow: Practice, deployment: Callable[..., Any], code_for: Callable[..., str]
) -> None:
    deployment(**SIMULATED)
    user = member(willow)
    client.post("/sign-in", {"login": user.username, "password": PASSWORD})
    secret = client.get("/accounts/app/add").context["form"].secret
    client.post("/accounts/app/add", {"code": code_for(secret)})
    assert proof.has_factor(user)
    assert demo.demo_code(user) == ""


def test_listed_names_everything_but_secrets(willow: Practice) -> None:
    member(willow, Role.BILLER)
    somebody("olaf@willow.example", None)
    shown = people.listed()
    assert [one["user"] for one in shown] == ["biller@willow.example", "olaf@willow.example"]
    assert shown[0]["practices"] == [{"practice": "willow", "role": "biller", "rupa_email": ""}]
    assert shown[1]["password"] is False


# -- step-up -----------------------------------------------------------------------------------------------


def test_grave_actions_want_a_fresh_proof(client: Client, willow: Practice, rf: Any) -> None:
    from django.http import HttpResponse

    user = member(willow)
    sign_in(client, user)

    @proof.step_up
    def grave(_request: Any) -> HttpResponse:
        return HttpResponse("done")

    request = rf.get("/export?year=2026")
    request.user, request.session = user, client.session
    assert grave(request).content == b"done"
    for record in request.session["account_authentication_methods"]:
        record["at"] = time.time() - proof.FRESH_SECONDS - 1
    assert grave(request).headers["Location"] == "/accounts/confirm?next=%2Fexport%3Fyear%3D2026"


def test_proving_again_leads_back(client: Client, willow: Practice) -> None:
    sign_in(client, member(willow))
    page = client.get("/accounts/confirm?next=/somewhere")
    assert page.status_code == 200
    answer = client.post("/accounts/confirm?next=/somewhere", {"password": PASSWORD, "next": "/somewhere"})
    assert answer.headers["Location"] == "/somewhere"
    wrong = client.post("/accounts/confirm", {"password": "wrong"})
    assert wrong.status_code == 200
