"""`labbridge user …` as typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from typer.testing import CliRunner

from labbridge.accounts import demo
from labbridge.accounts.models import Membership
from labbridge.cli import app
from labbridge.practices.models import Practice
from tests.accounts.test_people import SIMULATED
from tests.people import PASSWORD

pytestmark = pytest.mark.django_db


def user(*arguments: str, answer: str | None = None) -> Any:
    return CliRunner().invoke(app, ["user", *arguments], input=answer)


def test_add_with_a_role(willow: Practice) -> None:
    done = user("add", "ada@willow.example", "--generate", "--json")
    assert done.exit_code == 0, done.output
    shown = json.loads(done.stdout)
    assert (shown["practice"], shown["role"]) == ("willow", "owner")  # the first of the only practice
    assert User.objects.get().check_password(shown["password"])
    more = user("add", "bella@willow.example", "--role", "front-desk", answer=f"{PASSWORD}\n")
    assert "as front desk of willow" in more.stdout
    assert User.objects.get(username="bella@willow.example").check_password(PASSWORD)


def test_add_before_there_is_a_practice() -> None:
    done = user("add", "ada@willow.example", "--generate")
    assert done.exit_code == 0
    assert "labbridge user grant" in done.stdout


def test_what_cannot_be_done_is_a_sentence_and_changes_nothing(willow: Practice, birch: Practice) -> None:
    for arguments, words in (
        (("add", "ada", "--role", "boss"), "There is no role 'boss'"),
        (("add", "ada", "--role", "owner", "--no-password"), "Say which practice"),
        (("add", "ada", "--role", "owner", "--practice", "oak"), "no practice 'oak'"),
        (("reset", "nobody", "--generate"), "There is no user 'nobody'"),
        (("code", "nobody"), "There is no user"),
    ):
        done = user(*arguments)
        assert done.exit_code == 2, arguments
        assert words in done.stderr
    assert not User.objects.exists()


def test_dry_runs_change_nothing(willow: Practice) -> None:
    assert "Would add ada as owner of willow" in user("add", "ada", "--generate", "--dry-run").stdout
    assert not User.objects.exists()
    user("add", "ada", "--no-password")
    before = User.objects.get().password
    user("reset", "ada", "--generate", "--dry-run")
    user("grant", "ada", "--role", "auditor", "--dry-run")
    user("revoke", "ada", "--dry-run")
    assert User.objects.get().password == before
    assert Membership.objects.get().role == "owner"


def test_grant_revoke_and_list(willow: Practice, birch: Practice) -> None:
    user("add", "ada", "--no-password")
    granted = user("grant", "ada", "--role", "biller", "-p", "birch", "--rupa-email", "ada@rupa.example")
    assert granted.stdout == "ada is biller of birch.\n"
    assert "ada: biller of birch (directory only)" in user("list").stdout
    assert json.loads(user("list", "--json").stdout)[0]["practices"][0]["rupa_email"] == "ada@rupa.example"
    second = user("grant", "ada", "--role", "biller", "-p", "willow").stdout
    assert "The account is of birch too" in second
    assert "`labbridge user reset ada --second-factor`" in second
    assert user("revoke", "ada", "-p", "birch").exit_code == 0
    assert user("revoke", "ada", "-p", "birch").exit_code == 2


def test_the_code_of_a_demos_person_only(willow: Practice, deployment: Callable[..., Any]) -> None:
    user("add", "ada", "--generate")
    assert user("code", "ada").exit_code == 2
    deployment(**SIMULATED)
    assert user("code", "ada").exit_code == 2
    demo.give_demo_factor(User.objects.get())
    assert user("code", "ada").stdout.strip() == demo.demo_code(User.objects.get())
