"""The table of permissions, and every address against every role."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from labbridge.accounts import middleware
from labbridge.accounts.roles import PERMISSIONS, PHI, ROUTES, Role, allows
from labbridge.alerts.models import Alert
from labbridge.billing.models import Superbill
from labbridge.handover.keys import make
from labbridge.inbox.models import Event
from labbridge.mirror.models import (
    Chart,
    Order,
    OrderedTest,
    Patient,
    Protocol,
    Result,
    ReviewCase,
    StoredFile,
)
from labbridge.ordering.models import OrderRequest
from labbridge.outbox.models import Destination
from labbridge.practices.config import parse
from labbridge.practices.models import ConfigVersion, Connection, DryRun, Practice
from labbridge.practices.text import toml_of
from labbridge.trust.audit import operator
from labbridge.trust.models import AuditEntry, LegalHold
from tests.people import member, sign_in
from tests.world import PRACTICE_TOML

OWN, ADM, PRA, DESK, BILL, AUD = Role

#: Who gets in where, written down a second time on purpose: a change of a guard or of the table shows here.
OPEN: dict[str, set[Role]] = {
    "home": {OWN, ADM, PRA, DESK, BILL, AUD},
    "cases": {OWN, ADM, PRA, DESK},
    "case": {OWN, ADM, PRA, DESK},
    "case-undo": {OWN, ADM, PRA},
    "pipeline": {OWN, ADM, PRA, DESK, BILL, AUD},
    "pipeline-search": {OWN, ADM, PRA, DESK, BILL},
    "pipeline-views": {OWN, ADM, PRA, DESK, BILL, AUD},
    "pipeline-act": {OWN, ADM, PRA, DESK, BILL},
    "pipeline-export": {OWN, ADM, BILL, AUD},
    "order-page": {OWN, ADM, PRA, DESK, BILL, AUD},
    "order-act": {OWN, ADM, PRA, DESK, BILL},
    "patient": {OWN, ADM, PRA, DESK, BILL},
    "results": {OWN, PRA},
    "result-review": {OWN, PRA},
    "result-pdf": {OWN, PRA},
    "order": {OWN, PRA},
    "order-request": {OWN, PRA},
    "publishable-key": {OWN, PRA},
    "rupa-js": {OWN, PRA},
    "rupa-connect": {OWN, ADM},
    "start": {OWN, ADM},
    "events": {OWN, ADM, AUD},
    "event": {OWN, ADM, AUD},
    "replay": {OWN, ADM},
    "health": {OWN, ADM, AUD},
    "health-check": {OWN, ADM},
    "alert": {OWN, ADM},
    "catalogue": {OWN, ADM, PRA, DESK, BILL},
    "catalogue-compare": {OWN, ADM, PRA, DESK, BILL},
    "catalogue-news": {OWN, ADM, PRA, DESK, BILL},
    "analytics": {OWN, ADM, PRA, BILL},
    "analytics-question": {OWN, ADM, PRA, BILL},
    "analytics-export": {OWN, ADM, PRA, BILL},
    "analytics-money": {OWN, ADM, BILL},
    "analytics-money-export": {OWN, ADM, BILL},
    "analytics-report": {OWN, ADM, BILL},
    "protocols": {OWN, ADM, PRA, DESK, BILL},
    "protocol": {OWN, ADM, PRA, DESK, BILL},
    "protocols-news": {OWN, ADM, PRA, DESK, BILL},
    "protocols-read": {OWN, ADM, PRA},
    "protocols-seen": {OWN, ADM, PRA},
    "protocol-new": {OWN, ADM, PRA},
    "protocol-edit": {OWN, ADM, PRA},
    "protocol-decide": {OWN, ADM, PRA},
    "protocol-again": {OWN, ADM, PRA},
    "billing": {OWN, ADM, BILL},
    "billing-price": {OWN, ADM, BILL},
    "order-billing": {OWN, ADM, BILL},
    "order-billing-act": {OWN, ADM, BILL},
    "superbill-pdf": {OWN, ADM, BILL},
    "feeds": {OWN, ADM},
    "feed-add": {OWN, ADM},
    "agreement-add": {OWN, ADM},
    "feed": {OWN, ADM},
    "feed-act": {OWN, ADM},
    "feed-rotate": {OWN, ADM},
    "audit": {OWN, ADM, AUD},
    "audit-export": {OWN, AUD},
    "audit-breach": {OWN, AUD},
    "settings": {OWN, ADM, AUD},
    "settings-file": {OWN, ADM, AUD},
    "settings-history": {OWN, ADM, AUD},
    "settings-version": {OWN, ADM, AUD},
    "settings-undo": {OWN, ADM},
    "settings-practice": {OWN, ADM},
    "settings-sync": {OWN, ADM},
    "settings-alerts": {OWN, ADM},
    "settings-channels": {OWN, ADM},
    "settings-channel-test": {OWN, ADM},
    "settings-mapping": {OWN, ADM},
    "settings-mapping-look": {OWN, ADM},
    "settings-dry-run": {OWN, ADM},
    "settings-connections": {OWN, ADM},
    "settings-caspio": {OWN, ADM},
    "settings-rupa-end": {OWN, ADM},
    "settings-retention": {OWN},
    "settings-hold": {OWN},
    "settings-hold-lift": {OWN},
    "settings-people": {OWN},
    "settings-invite": {OWN},
    "settings-person": {OWN},
    "settings-keys": {OWN},
    "settings-key-new": {OWN},
    "settings-key-revoke": {OWN},
}
#: The machine API: no session opens these, a key does (tests/handover). Two of them need none.
MACHINE = "api/v1/"
PUBLIC = {
    "embed/<slug:slug>.js",  # a script that holds nothing but addresses
    "order/return/<str:token>",  # an unguessable address without patient data
    "start/owner",  # the first account, for whoever has the code that the service printed; gone afterwards
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
    machine = {route for route in public if route.startswith(MACHINE)}
    assert public - machine == PUBLIC
    assert {route for route, _ in _routes() if route.startswith(MACHINE)} == machine


def test_every_other_address_names_its_permission_twice_and_the_same() -> None:
    named = {one.name: getattr(one.callback, "permission", None) for _, one in _guarded()}
    assert named == ROUTES


def test_the_table_opens_for_whom_it_should() -> None:
    opened = {route: {role for role in Role if allows(role, needed)} for route, needed in ROUTES.items()}
    assert opened == OPEN


Things = dict[str, dict[str, Any]]


def things_of(practice: Practice) -> Things:
    """For each address with a key in it: the key of something that belongs to this practice."""
    config = parse(PRACTICE_TOML.format(caspio="https://c0abc123.caspio.com", rate=5, refresh_token="t"))
    practice.config = config.model_dump(mode="json")
    practice.save()
    chart = Chart.objects.create(practice=practice, key="P-1", person={"first_name": "Testa"})
    case = ReviewCase.objects.create(practice=practice, chart=chart, reasons=[], actions=["ask_patient"])
    decided = ReviewCase.objects.create(
        practice=practice, chart=chart, state="decided", decision="not_the_same", decided_at=timezone.now()
    )
    wanted = OrderRequest.objects.create(practice=practice, key="R-1", door="button", chart=chart)
    event = Event.objects.create(
        peer="rupa", external_id=f"evt_{practice.slug}", type="t", subject="s", body=b"{}", practice=practice
    )
    now = timezone.now()
    alert = Alert.objects.create(
        practice=practice, rule="jobs_dead", params={"count": 1}, first_seen=now, last_seen=now
    )
    patient = Patient.objects.create(practice=practice, external_id=f"pat_{practice.slug}", person={})
    ordered = Order.objects.create(practice=practice, external_id=f"ord_{practice.slug}", patient=patient)
    test = OrderedTest.objects.create(practice=practice, order=ordered, external_id=f"ordts_{practice.slug}")
    pdf = StoredFile.objects.create(practice=practice, sha256="0" * 64, kind="pdf", size=4, content=b"%PDF")
    result = Result.objects.create(ordered_test=test, version=1, as_of=timezone.now(), pdf=pdf)
    paper = Superbill.objects.create(
        practice=practice,
        order=ordered,
        number=1,
        version=1,
        made_by="bill",
        content={},
        pdf=b"%PDF",
        sha256="",
    )
    protocol = Protocol.objects.create(practice=practice, external_id="PR-1", name="Gut")
    slug = {"slug": practice.slug}
    held = toml_of(practice.config)
    version = ConfigVersion.objects.create(
        practice=practice,
        number=1,
        actor_kind="person",
        before=held,
        after=held.replace('"Phone"', '"Mobile"'),
    )
    practice.config["caspio"]["patients"]["phone"] = "Mobile"
    practice.save()
    run = DryRun.objects.create(practice=practice, base=1, proposal=practice.config["caspio"]["patients"])
    link = Connection.objects.create(practice=practice, peer="rupa", account="ada@willow.example")
    hold = LegalHold.objects.create(practice=practice.slug, patients=["0" * 32], why="a test", set_by="ada")
    somebody = member(practice, Role.BILLER, f"one@{practice.slug}.example")
    key = make(practice, "a program", ["health:read"], actor=operator()).key
    feed = {
        "feed_id": Destination.objects.create(
            practice=practice, name="n", host="h.example", url="https://h.example/", data_class="de-identified",
            kinds=["alert"], secret="whsec_" + "a" * 32,
        ).pk
    }  # fmt: skip
    return {
        "settings-version": {"version_id": version.pk},
        "settings-undo": {"version_id": version.pk},
        "settings-dry-run": {"run_id": run.pk},
        "settings-rupa-end": {"connection_id": link.pk},
        "settings-hold-lift": {"hold_id": hold.pk},
        "settings-person": {"membership_id": somebody.memberships.get().pk},
        "settings-key-revoke": {"key_id": key.pk},
        "feed": feed,
        "feed-act": feed,
        "feed-rotate": feed,
        "order-page": {"order_id": ordered.pk},
        "order-act": {"order_id": ordered.pk},
        "billing-price": slug,
        "order-billing": {"order_id": ordered.pk},
        "order-billing-act": {"order_id": ordered.pk},
        "superbill-pdf": {"superbill_id": paper.pk},
        "patient": {"chart_id": chart.pk},
        "result-review": {"result_id": result.pk},
        "result-pdf": {"result_id": result.pk},
        "case": {"case_id": case.pk},
        "case-undo": {"case_id": decided.pk},
        "order": slug,
        "order-request": {"request_id": wanted.pk},
        "publishable-key": slug,
        "rupa-js": slug,
        "rupa-connect": slug,
        "protocol": {"protocol_id": protocol.pk},
        "protocol-new": slug,
        "protocol-edit": {"protocol_id": protocol.pk},
        "protocol-decide": {"protocol_id": protocol.pk},
        "protocol-again": {"protocol_id": protocol.pk},
        "event": {"event_id": event.pk},
        "alert": {"alert_id": alert.pk},
    }


QUERIES = dict.fromkeys(("order", "rupa-js"), "?patient=P-1")  # addresses that are nothing without it
QUERIES["audit-breach"] = "?from=2026-01-01"


def test_every_address_with_a_key_has_an_example(willow: Practice) -> None:
    keyed = {one.name for route, one in _guarded() if "<" in route}
    assert things_of(willow).keys() == keyed


@pytest.mark.django_db
@pytest.mark.parametrize("role", list(Role))
def test_every_address_against_every_role(role: Role, willow: Practice) -> None:
    client, things = Client(), things_of(willow)
    sign_in(client, member(willow, role))
    for name, roles in OPEN.items():
        answer = client.get(reverse(name, kwargs=things.get(name)) + QUERIES.get(name, ""))
        if role in roles:
            assert answer.status_code in {200, 405}, f"{role} at {name}: {answer.status_code}"
        else:
            assert answer.status_code == 403, f"{role} at {name}: {answer.status_code}"
        assert "no-store" in answer["Cache-Control"], name


@pytest.mark.django_db
@pytest.mark.parametrize("role", list(Role))
def test_nobody_reaches_another_practices_things(role: Role, willow: Practice, birch: Practice) -> None:
    """Their keys answer as keys that do not exist: whether something is there is not told."""
    client, theirs = Client(), things_of(birch)
    sign_in(client, member(willow, role))
    for name, roles in OPEN.items():
        for practice in ("birch", "nowhere"):
            addresses = [reverse(name, kwargs=theirs[name])] if name in theirs else []
            lists = [f"{reverse(name)}?practice={practice}"] if name not in theirs else []
            if "slug" in theirs.get(name, {}):
                addresses = [reverse(name, kwargs={"slug": practice})]
            for address in (*addresses, *lists):
                for method in (client.get, client.post):
                    status = method(address + QUERIES.get(name, "")).status_code
                    refused = {404, 405} if role in roles or "slug" in theirs.get(name, {}) else {403, 405}
                    assert status in refused, f"{role} at {address}: {status}"


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/sign-out", "/accounts/inactive", "/rupa/connected", "/rupa/callback"])
def test_a_public_page_of_a_signed_in_person_is_kept_by_no_browser(willow: Practice, address: str) -> None:
    """It names them."""
    client = Client()
    sign_in(client, member(willow))
    answer = client.get(address)
    assert "owner@willow.example" in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]


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
    from labbridge.console import today

    sign_in(client, member(willow, Role.OWNER))
    assert client.get("/").status_code == 200
    monkeypatch.delattr(get_resolver().resolve("/").func, "permission")
    assert client.get("/").status_code == 403
    assert today.today.__name__ == "today"


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
    (entry,) = AuditEntry.objects.filter(action="access.refuse")
    assert (entry.outcome, entry.practice, entry.detail) == ("refused", "willow", {"page": "rupa-connect"})
