"""The table of permissions, and every address against every role."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from labbridge.accounts import middleware
from labbridge.accounts.roles import PERMISSIONS, PHI, Role, allows
from labbridge.practices.models import Practice
from tests.people import member, sign_in

#: Who gets in where, written down a second time on purpose: a change of a guard or of the table shows here.
OPEN = {
    "home": set(Role),
    "rupa-connect": {Role.OWNER, Role.ADMINISTRATOR},
}
PUBLIC = {
    "embed/<slug:slug>.js",  # a script that holds nothing but addresses
    "order/return/<str:token>",  # an unguessable address without patient data
    "webhooks/rupa", "webhooks/caspio/<slug:slug>", "rupa/callback", "rupa/connected", "healthz", "readyz",
    "metrics", "sign-in", "sign-out", "accounts/code", "accounts/inactive", "accounts/passkeys/sign-in",
    "accounts/saml/<slug:slug>/metadata", "accounts/saml/<slug:slug>/login", "accounts/saml/<slug:slug>/acs",
    "accounts/saml/<slug:slug>/finish/<uuid:journey_id>",
}  # fmt: skip


def _routes(patterns: Any = None, prefix: str = "") -> list[tuple[str, URLPattern]]:
    found: list[tuple[str, URLPattern]] = []
    for one in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(one, URLResolver):
            found += _routes(one.url_patterns, prefix + str(one.pattern))
        else:
            found.append((prefix + str(one.pattern), one))
    return found


def _guarded() -> list[tuple[str, URLPattern]]:
    return [
        (route, one)
        for route, one in _routes()
        if getattr(one.callback, "login_required", True) and one.name not in middleware.OWN
    ]


def test_public_addresses_are_these_and_no_others() -> None:
    public = {route for route, one in _routes() if not getattr(one.callback, "login_required", True)}
    assert public == PUBLIC


def test_every_other_address_names_its_permission() -> None:
    unguarded = [
        route for route, one in _guarded() if getattr(one.callback, "permission", None) not in PERMISSIONS
    ]
    assert unguarded == []


@pytest.mark.django_db
@pytest.mark.parametrize("role", list(Role))
def test_every_address_against_every_role(role: Role, willow: Practice, birch: Practice) -> None:
    client = Client()
    sign_in(client, member(willow, role))
    for route, one in _guarded():
        allowed = allows(role, one.callback.permission)  # type: ignore[attr-defined]
        if one.name in OPEN:
            assert allowed == (role in OPEN[one.name]), route
        path = "/" + route.replace("<slug:slug>", "{slug}")
        if "<" in path:
            continue  # needs a row of its own; the guard in front of it is the same
        status = client.get(path.format(slug="willow")).status_code
        assert (status != 403) == allowed, f"{role} at {route}: {status}"
        if "{slug}" in path:
            assert client.get(path.format(slug="birch")).status_code == 404, f"{role} at another's {route}"
            assert client.get(path.format(slug="nowhere")).status_code == 404, route


def test_the_auditor_sees_no_patient() -> None:
    assert PERMISSIONS.keys() >= PHI
    assert not [permission for permission in PHI if allows(Role.AUDITOR, permission)]


def test_the_owner_may_do_everything_and_every_role_something() -> None:
    assert all(allows(Role.OWNER, permission) for permission in PERMISSIONS)
    assert all(any(allows(role, permission) for permission in PERMISSIONS) for role in Role)


@pytest.mark.django_db
def test_a_page_that_forgot_its_permission_opens_for_nobody(
    client: Client, willow: Practice, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from labbridge.console import home

    sign_in(client, member(willow, Role.OWNER))
    assert client.get("/").status_code == 200
    monkeypatch.delattr(get_resolver().resolve("/").func, "permission")
    assert client.get("/").status_code == 403
    assert home.home.__name__ == "home"


@pytest.mark.django_db
def test_the_front_page_shows_ones_own_practice_only(
    client: Client, willow: Practice, birch: Practice
) -> None:
    from labbridge.mirror.models import Order

    for practice in (willow, birch):
        Order.objects.create(practice=practice, external_id=f"ord_{practice.slug}", filing_problem="stuck")
    sign_in(client, member(willow))
    page = client.get("/").content.decode()
    assert "ord_willow" in page
    assert "ord_birch" not in page


@pytest.mark.django_db
def test_one_person_with_two_roles_has_each_where_it_is(
    client: Client, willow: Practice, birch: Practice
) -> None:
    from labbridge.accounts.models import Membership

    user = member(willow, Role.AUDITOR)
    Membership.objects.create(user=user, practice=birch, role=Role.OWNER)
    sign_in(client, user)
    assert client.get("/rupa/connect/birch").status_code == 200
    assert client.get("/rupa/connect/willow").status_code == 403
