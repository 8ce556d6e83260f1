"""Password, second step, recovery codes, and the end of sessions, through the pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client

from labbridge.accounts import middleware
from labbridge.accounts.models import Membership
from labbridge.accounts.roles import Role
from labbridge.practices.models import Practice
from labbridge.trust.models import AuditEntry
from tests.people import PASSWORD, member, sign_in, somebody

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(willow: Practice) -> User:
    user: User = member(willow, Role.PRACTITIONER, "ada@willow.example")
    return user


def _password(client: Client, name: str = "ada@willow.example", password: str = PASSWORD, **more: str) -> Any:
    return client.post("/sign-in", {"login": name, "password": password, **more})


def _enrol(client: Client, code_for: Callable[..., str]) -> tuple[str, list[str]]:
    page = client.get("/accounts/app/add")
    secret = page.context["form"].secret
    answer = client.post("/accounts/app/add", {"code": code_for(secret)})
    assert answer.headers["Location"] == "/accounts/recovery"
    shown = client.get("/accounts/recovery")
    return secret, re.findall(r"<li><code>(\d+)</code>", shown.content.decode())


def test_first_sign_in_sets_up_a_second_step_and_ends_where_it_was_going(
    client: Client, ada: User, code_for: Callable[..., str]
) -> None:
    stranger = client.get("/rupa/connected?x=1")
    assert stranger.status_code == 200  # public
    assert client.get("/").headers["Location"] == "/sign-in?next=/"
    assert _password(client, next="/?from=here").headers["Location"] == "/?from=here"
    for path in ("/?from=here", "/rupa/connect/willow", "/accounts/recovery", "/accounts/password"):
        assert client.get(path).headers["Location"] == "/accounts/", path
    client.get("/?from=here")
    assert "Set up your second step" in client.get("/accounts/").content.decode()
    _, codes = _enrol(client, code_for)
    assert len(codes) == 10
    assert client.get("/accounts/continue").headers["Location"] == "/?from=here"
    assert client.get("/?from=here").status_code == 200


def test_the_second_step_is_asked_and_a_code_works_once(
    client: Client, ada: User, code_for: Callable[..., str]
) -> None:
    _password(client)
    secret, _ = _enrol(client, code_for)
    client.post("/sign-out")
    assert _password(client).headers["Location"] == "/accounts/code"
    assert client.get("/").headers["Location"].startswith("/sign-in")  # the password alone opens nothing
    wrong = client.post("/accounts/code", {"code": "000000"})
    assert wrong.status_code == 200
    assert "Incorrect code" in wrong.content.decode()
    code = code_for(secret, steps=1)
    assert client.post("/accounts/code", {"code": code}).headers["Location"] == "/"
    assert client.get("/").status_code == 200
    other = Client()
    _password(other)
    assert other.post("/accounts/code", {"code": code}).status_code == 200  # the same code again
    assert other.get("/").status_code == 302


def test_a_recovery_code_stands_for_the_phone_once(
    client: Client, ada: User, code_for: Callable[..., str]
) -> None:
    _password(client)
    _, codes = _enrol(client, code_for)
    for expected in (302, 200):
        other = Client()
        _password(other)
        assert other.post("/accounts/code", {"code": codes[0]}).status_code == expected


def test_recovery_codes_are_shown_only_once(client: Client, ada: User, code_for: Callable[..., str]) -> None:
    _password(client)
    _, codes = _enrol(client, code_for)
    again = client.get("/accounts/recovery").content.decode()
    assert "shown once" in again
    assert not any(code in again for code in codes)


def test_a_session_without_second_step_cannot_add_one_beside_another(
    client: Client, ada: User, code_for: Callable[..., str]
) -> None:
    """Two sessions at once before the first factor: the later one must show it, not make its own."""
    early = Client()
    _password(early)
    _password(client)
    _enrol(client, code_for)
    assert early.get("/accounts/app/add").headers["Location"].startswith("/accounts/confirm/code")
    assert early.get("/").headers["Location"] == "/accounts/confirm/code?next=%2F"


def test_secrets_do_not_lie_in_the_database_in_the_clear(
    client: Client, ada: User, code_for: Callable[..., str]
) -> None:
    _password(client)
    secret, _ = _enrol(client, code_for)
    stored = str(list(Authenticator.objects.values_list("data", flat=True)))
    assert secret not in stored
    cookie = client.cookies["sessionid"].value
    row = Session.objects.get()
    assert row.session_key != cookie
    assert "password" not in row.session_data
    assert client.get("/").status_code == 200  # and still they work


def test_unknown_person_and_wrong_password_are_told_alike(client: Client, ada: User) -> None:
    texts = [
        re.sub(r'value="[^"]*"', "", _password(Client(), name, "not it at all").content.decode())
        for name in ("ada@willow.example", "nobody@willow.example")
    ]
    assert texts[0] == texts[1]
    assert "Forgotten? Your administrator" in texts[0]


def test_attempts_are_limited_for_all_processes(client: Client, ada: User) -> None:
    for _ in range(5):
        assert "do not match" in _password(client, password="wrong").content.decode()
    limited = _password(client)  # right, but too late
    assert limited.status_code == 200
    assert "Too many failed" in limited.content.decode()
    from django.db import connection

    with connection.cursor() as cursor:  # the count is where every process sees it
        cursor.execute("SELECT count(*) FROM labbridge_cache")
        assert cursor.fetchone()[0] > 0


def test_nobody_signs_up_and_no_page_tells_who_exists(client: Client) -> None:
    for path in (
        "/accounts/signup/",
        "/accounts/password/reset/",
        "/accounts/email/",
        "/accounts/confirm-email/",
    ):
        assert client.get(path).status_code == 404, path


def test_next_leads_to_our_own_pages_only(client: Client, ada: User, code_for: Callable[..., str]) -> None:
    assert _password(client, next="https://evil.example/").headers["Location"] == "/"


@pytest.mark.parametrize(
    ("started", "seen", "says"),
    [
        (0, 0, ""),
        (-899, -899, ""),
        (-900, -900, "15 minutes without activity"),
        (-43199, -10, ""),
        (-43200, -10, "12 hours at most"),
    ],
)
def test_when_a_session_ends(started: float, seen: float, says: str) -> None:
    now = 1_000_000.0
    sentence = middleware.end_of(now + started, now + seen, now)
    assert (says in sentence) if says else sentence == ""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    hands = {"now": 5_000_000.0}
    plain = middleware.SessionLimits.__init__

    def init(self: Any, get_response: Any) -> None:
        plain(self, get_response, clock=lambda: hands["now"])

    monkeypatch.setattr(middleware.SessionLimits, "__init__", init)
    return hands


def test_an_idle_session_ends_and_a_busy_one_lasts_twelve_hours(
    clock: dict[str, float], willow: Practice
) -> None:
    client = Client()  # made after the clock, so that its middleware reads it
    sign_in(client, member(willow))
    for _ in range(47):  # a request every 14 minutes
        assert client.get("/").status_code == 200
        clock["now"] += 15 * 60 - middleware.TOUCH_SECONDS - 1
    clock["now"] += 16 * 60
    ended = client.get("/")
    assert ended.headers["Location"] == "/sign-in?next=/"
    assert "15 minutes without activity" in client.get("/sign-in").content.decode()
    assert not Session.objects.filter(session_data="").exists()


def test_even_a_busy_session_ends_after_twelve_hours(clock: dict[str, float], willow: Practice) -> None:
    client = Client()
    sign_in(client, member(willow))
    answers = []
    for _ in range(52):
        answers.append(client.get("/").status_code)
        clock["now"] += 14 * 60
    assert answers[:51] == [200] * 51
    assert answers[51:] == [200]
    clock["now"] += 6 * 60
    assert client.get("/").status_code == 302
    assert "12 hours at most" in client.get("/sign-in").content.decode()


def test_a_new_password_ends_all_sessions(client: Client, ada: User) -> None:
    from labbridge.accounts import people

    sign_in(client, ada)
    assert client.get("/").status_code == 200
    people.reset(ada, None, generate=True)
    assert client.get("/").headers["Location"].startswith("/sign-in")


def test_a_deactivated_person_is_out_at_once(client: Client, ada: User) -> None:
    sign_in(client, ada)
    User.objects.update(is_active=False)
    assert client.get("/").status_code == 302


def test_who_proves_again_is_recorded_and_so_is_who_fails_to(
    client: Client, ada: User, code_for: Callable[..., str]
) -> None:
    _password(client)
    _enrol(client, code_for)
    for password in ("not hers", PASSWORD):
        client.post("/accounts/confirm", {"password": password})
    entries = AuditEntry.objects.filter(action="session.step_up").order_by("pk")
    assert [(one.outcome, one.actor_name) for one in entries] == [
        ("refused", ada.get_username()), ("done", ada.get_username()),
    ]  # fmt: skip


def test_the_last_second_step_cannot_be_removed(
    client: Client, ada: User, code_for: Callable[..., str]
) -> None:
    _password(client)
    _enrol(client, code_for)
    answer = client.post("/accounts/app/remove")
    assert answer.status_code == 200
    assert "It is your only second step, so it stays." in answer.content.decode()
    assert Authenticator.objects.filter(type="totp").exists()


def test_the_last_key_cannot_be_removed_and_others_cannot_be_touched(
    client: Client, ada: User, willow: Practice
) -> None:
    sign_in(client, ada)
    mine = Authenticator.objects.create(user=ada, type="webauthn", data={"name": "mine"})
    other = member(willow, Role.OWNER)
    theirs = Authenticator.objects.create(user=other, type="webauthn", data={"name": "theirs"})
    assert client.post(f"/accounts/passkeys/{mine.pk}/remove").status_code == 409
    told = client.get(f"/accounts/passkeys/{mine.pk}/remove").content.decode()
    assert "It is your only second step, so it stays." in told
    assert "Remove it" not in told
    assert client.post(f"/accounts/passkeys/{theirs.pk}/remove").status_code == 404
    Authenticator.objects.create(user=ada, type="totp", data={"secret": ""})
    assert "Remove it" in client.get(f"/accounts/passkeys/{mine.pk}/remove").content.decode()
    assert client.post(f"/accounts/passkeys/{mine.pk}/remove").status_code == 302
    assert not Authenticator.objects.filter(pk=mine.pk).exists()


def test_ended_sessions_are_swept_up(client: Client, ada: User, code_for: Callable[..., str]) -> None:
    from datetime import timedelta

    from django.utils import timezone

    Session.objects.create(session_key="old", session_data="", expire_date=timezone.now() - timedelta(days=1))
    _password(client)
    assert not Session.objects.filter(session_key="old").exists()


def test_new_passwords_are_argon2(settings: Any) -> None:
    from labbridge.settings import PASSWORD_HASHERS

    settings.PASSWORD_HASHERS = PASSWORD_HASHERS
    assert somebody().password.startswith("argon2$argon2id$")


def test_who_belongs_nowhere_is_told_whom_to_ask(client: Client, willow: Practice) -> None:
    sign_in(client, somebody())
    answer = client.get("/")
    assert answer.status_code == 403
    assert "ask its owner or an administrator" in answer.content.decode()
    assert not Membership.objects.exists()
