"""Settings in the console: told before it is saved, saved as a version, undone, never over somebody else's change."""

from __future__ import annotations

import re
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client

from labbridge.accounts import people
from labbridge.accounts.models import Membership
from labbridge.accounts.roles import Role
from labbridge.alerts import channels
from labbridge.console.settings import alerts
from labbridge.handover.keys import recognise
from labbridge.handover.models import ApiKey
from labbridge.mirror.models import Chart
from labbridge.practices.apply import apply, change, config_of
from labbridge.practices.config import parse
from labbridge.practices.models import Connection, Practice
from labbridge.practices.versions import By, latest
from labbridge.trust.audit import Actor
from labbridge.trust.models import AuditEntry, LegalHold
from tests.people import PASSWORD, member, sign_in, somebody
from tests.world import PRACTICE_TOML

pytestmark = pytest.mark.django_db

TOML = PRACTICE_TOML.format(caspio="https://c0abc123.caspio.com", rate=5, refresh_token="given 1")
CHANNEL = "json://hooks.example.org/PLANTED"


@pytest.fixture
def willow() -> Practice:
    return apply(parse(TOML)).practice


@pytest.fixture
def owner(client: Client, willow: Practice) -> Client:
    sign_in(client, member(willow))
    return client


def text(answer: Any) -> str:
    assert answer.status_code == 200, answer.status_code
    return str(answer.content.decode())


def fields(page: str) -> dict[str, Any]:
    """What a browser would send of the form that is shown."""
    found: dict[str, Any] = {}
    form = page[page.index('class="settings"') : page.index("See what would change")]
    for tag in re.findall(r"<input[^>]*>", form):
        given = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if given.get("type") == "checkbox":
            if " checked" in tag:
                found.setdefault(given["name"], []).append(given["value"])
        elif "name" in given:
            found[given["name"]] = given.get("value", "")
    found |= dict(re.findall(r'<textarea[^>]*name="([^"]+)"[^>]*>\s*(.*?)</textarea>', form, re.DOTALL))
    for name, inside in re.findall(r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', inside)
        found[name] = chosen.group(1) if chosen else ""
    return found


def told(client: Client, address: str, **changed: Any) -> str:
    sent = {**fields(text(client.get(address))), **changed}
    return text(client.post(address, {**sent, "do": "look"}))


def save(client: Client, address: str, **changed: Any) -> Any:
    page = told(client, address, **changed)
    return client.post(address, {**fields(page), "do": "save"}, follow=True)


def fresh(practice: Practice) -> Practice:
    return Practice.objects.get(pk=practice.pk)


SECTIONS: list[tuple[str, dict[str, Any], str]] = [
    ("/settings/practice", {"practice.time_zone": "America/New_York"}, "The time zone: America/New_York;"),
    ("/settings/practice", {"ordering.back_hosts": "a.example\nb.example"}, "a.example, b.example; before, nothing"),
    ("/settings/who-wins", {"sync.policy.phone": "newest"}, "When the phone changes later, the newest change counts"),
    ("/settings/who-wins", {"sync.confirm": ["birthday"]}, "What must agree beside the e-mail: birthday;"),
    ("/settings/alerts", {"alerts.quiet_from": "20:00", "alerts.quiet_to": "07:00"}, "Quiet hours begin: 20:00;"),
    ("/settings/retention", {"retention.files_days": "90"}, "files are kept: 90; before, for good"),
    ("/settings/connections", {"caspio.principal": "lab desk"}, "audit log: lab desk; before, labbridge"),
]  # fmt: skip


@pytest.mark.parametrize(("address", "wanted", "sentence"), SECTIONS)
def test_a_change_is_told_then_saved_then_undone(
    owner: Client, willow: Practice, address: str, wanted: dict[str, Any], sentence: str
) -> None:
    before = fresh(willow).config
    page = told(owner, address, **wanted)
    assert sentence in page
    assert "Nothing is saved yet." in page
    assert fresh(willow).config == before
    saved = text(save(owner, address, **wanted))
    assert f"Saved as version {latest(willow)}." in saved
    assert fresh(willow).config != before
    version = willow.versions.first()
    assert version
    assert (version.actor_kind, version.actor_name) == ("person", "owner@willow.example")
    undo = f"/settings/history/{version.pk}/undo"
    assert "is taken back, and nothing that came after it" in text(owner.get(undo))
    assert "Undone, as version" in text(
        owner.post(undo, {"why": "a mistake", "base": version.number}, follow=True)
    )
    assert fresh(willow).config == before
    assert "undoes version" in text(owner.get("/settings/history"))


def test_a_form_that_is_not_touched_changes_nothing(owner: Client, willow: Practice) -> None:
    for address in {address for address, _, _ in SECTIONS}:
        assert "Nothing is different from what counts now." in told(owner, address)
    assert latest(willow) == 1


def test_only_what_was_shown_can_be_saved(owner: Client, willow: Practice) -> None:
    page = told(owner, "/settings/practice", **{"practice.name": "Shown"})
    sent = {**fields(page), "practice.name": "Another", "do": "save"}
    assert "Another; before" in text(owner.post("/settings/practice", sent))
    assert fresh(willow).name == "Willow Functional Medicine"


def test_what_cannot_be_is_said_at_its_field(owner: Client, willow: Practice) -> None:
    page = told(
        owner, "/settings/retention", **{"retention.audit_years": "2", "retention.files_days": "soon"}
    )
    assert "It must be greater than or equal to 6." in page
    assert "It must be a valid integer." in page
    page = told(owner, "/settings/alerts", **{"alerts.quiet_from": "20:00"})
    assert "belong together" in page
    assert latest(willow) == 1


def test_the_second_of_two_people_is_told(owner: Client, willow: Practice) -> None:
    page = told(owner, "/settings/practice", **{"practice.name": "Mine"})
    change(willow, {"practice.name": "Theirs"}, by=By(Actor("person", "9", "bob@willow.example")))
    answer = text(owner.post("/settings/practice", {**fields(page), "do": "save"}))
    assert "bob@willow.example changed the settings while you were at it" in answer
    assert 'value="Mine"' in answer, "what was typed is still there"
    assert fresh(willow).name == "Theirs"
    again = {**fields(answer), "do": "look"}
    page = text(owner.post("/settings/practice", again))
    assert "Mine; before, Theirs" in page
    owner.post("/settings/practice", {**fields(page), "do": "save"})
    assert fresh(willow).name == "Mine"


def test_whoever_proved_too_long_ago_proves_first_and_finds_what_they_typed(
    owner: Client, willow: Practice
) -> None:
    page = told(owner, "/settings/practice", **{"practice.name": "Kept"})
    session = owner.session
    for one in session["account_authentication_methods"]:
        one["at"] -= 1000
    session.save()
    away = owner.post("/settings/practice", {**fields(page), "do": "save"})
    assert "/accounts/confirm" in away["Location"]
    assert fresh(willow).name != "Kept"
    page = text(owner.get("/settings/practice"))
    assert "Kept; before, Willow" in page
    assert "Kept" not in text(owner.get("/settings/practice")), "shown once"
    for address in ("/settings/people/invite", "/settings/keys/new", "/settings/alerts/channels"):
        assert "/accounts/confirm" in owner.get(address)["Location"]


def test_an_order_is_compared_again_by_a_job_of_the_same_commit(owner: Client, willow: Practice) -> None:
    from labbridge.engine.queue import has_job

    save(owner, "/settings/practice", **{"rupa.price_unit": "cents"})
    assert has_job("refile:willow")


def test_the_overview_says_how_it_stands_and_the_file_holds_no_secret(
    owner: Client, willow: Practice
) -> None:
    shown = text(owner.get("/settings"))
    assert "10 of 10 particulars are read from the table Patients." in shown
    assert "The practice was set up." in shown
    file = text(owner.get("/settings/practice.toml"))
    assert "secret of caspio" not in file
    assert apply(parse(file)).changes == []


def test_an_administrator_takes_back_no_retention_and_no_role(willow: Practice) -> None:
    client = Client()
    sign_in(client, member(willow, Role.ADMINISTRATOR))
    change(willow, {"retention.files_days": 30}, by=By(Actor("person", "1", "owner")))
    version = willow.versions.first()
    assert version
    assert "Only the owner can undo this." in text(client.get(f"/settings/history/{version.pk}"))
    assert client.post(f"/settings/history/{version.pk}/undo", {"why": "x"}).status_code == 403
    assert config_of(fresh(willow)).retention.files_days == 30


def test_the_auditor_reads_the_history_and_changes_nothing(willow: Practice) -> None:
    client = Client()
    sign_in(client, member(willow, Role.AUDITOR))
    version = willow.versions.first()
    assert version
    assert "/undo" not in text(client.get(f"/settings/history/{version.pk}"))
    assert 'href="/settings/practice"' not in text(client.get("/settings"))


def test_who_has_several_practices_chooses_one(client: Client, willow: Practice) -> None:
    birch = apply(parse(TOML.replace("willow", "birch").replace("given 1", "given 2"))).practice
    user = member(willow)
    Membership.objects.create(user=user, practice=birch, role=Role.OWNER)
    sign_in(client, user)
    assert "Choose which" in text(client.get("/settings/practice"))
    save(client, "/settings/practice?practice=birch", **{"practice.name": "Birch"})
    assert (fresh(birch).name, fresh(willow).name) == ("Birch", "Willow Functional Medicine")


# -- channels ----------------------------------------------------------------------------------------------------


def test_a_channel_is_added_masked_tested_removed(
    owner: Client, willow: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(alerts, "send", lambda channel, title, body: sent.append(channel.url) or True)
    base = latest(willow)
    shown = text(
        owner.post("/settings/alerts/channels", {"do": "add", "url": CHANNEL, "base": base}, follow=True)
    )
    assert "Alerts go to 1 channel; before, to 0." in shown
    assert "json://…" in shown
    assert "PLANTED" not in shown
    (one,) = alerts.masked(fresh(willow))
    assert "took the test" in text(owner.post("/settings/alerts/test", {"channel": one.key}, follow=True))
    assert sent == [CHANNEL]
    assert AuditEntry.objects.get(action="alert.test").outcome == "done"
    stale = {"do": "remove", "channel": one.key, "base": base}
    assert "while you were at it" in text(owner.post("/settings/alerts/channels", stale))
    owner.post("/settings/alerts/channels", {**stale, "base": latest(willow)})
    assert fresh(willow).alert_channels == []
    version = willow.versions.first()
    assert version
    owner.post(f"/settings/history/{version.pk}/undo", {"why": "back", "base": version.number})
    assert fresh(willow).alert_channels == [CHANNEL]


@pytest.mark.parametrize("url", ["", "no address", "file:/etc/passwd", "env:HOME", "syslog://", "nosuch://x"])
def test_addresses_that_are_none_are_refused(owner: Client, willow: Practice, url: str) -> None:
    answer = text(owner.post("/settings/alerts/channels", {"do": "add", "url": url, "base": 1}))
    assert "no address that can be used" in answer
    assert not fresh(willow).alert_channels


@pytest.mark.parametrize(
    "url",
    [
        "json://127.0.0.1/x", "json://localhost", "json://10.0.0.5:9200/x?method=DELETE", "rsyslog://93.184.216.34",
        "tgram://123456789:abcdefg_hijklmnop/12315544/?template=/etc/passwd",
    ],
)  # fmt: skip
def test_addresses_that_lead_inside_or_name_files_are_refused(
    owner: Client, willow: Practice, deployment: Any, url: str
) -> None:
    deployment(allow_http_peers=False)
    answer = text(owner.post("/settings/alerts/channels", {"do": "add", "url": url, "base": 1}))
    assert "a channel leads to the public internet" in answer
    assert not fresh(willow).alert_channels
    assert channels.usable(CHANNEL)


# -- connections -------------------------------------------------------------------------------------------------


def test_a_rupa_connection_is_ended_with_a_reason(owner: Client, willow: Practice) -> None:
    link = Connection.objects.get(practice=willow, peer="rupa")
    address = f"/settings/connections/{link.pk}/end"
    assert "tokens are forgotten" in text(owner.get(address))
    owner.post(address, {"why": "moved"})
    link.refresh_from_db()
    assert (link.state, link.problem) == ("ended", "moved")
    assert AuditEntry.objects.get(action="connection.end").actor_name == "owner@willow.example"
    assert "ended already" in text(owner.post(address, {}, follow=True))


def test_credentials_are_asked_for_whole_and_never_shown(owner: Client, willow: Practice) -> None:
    page = text(owner.get("/settings/connections/caspio"))
    assert "secret of caspio" not in page
    answer = text(
        owner.post("/settings/connections/caspio", {"url": "https://c0abc123.caspio.com", "client_id": "x"})
    )
    assert 'id="id_client_secret_error"' in answer
    bad = {"url": "https://evil.example", "client_id": "x", "client_secret": "y"}
    assert "The address" in text(owner.post("/settings/connections/caspio", bad))


# -- retention ---------------------------------------------------------------------------------------------------


def test_holds_are_set_and_lifted(owner: Client, willow: Practice) -> None:
    chart = Chart.objects.create(practice=willow, key="P-1", person={"first_name": "Testa"})
    for wrong in ({"why": "x"}, {"patient": "P-1"}, {"patient": "P-9", "why": "x"},
                  {"patient": "P-1", "whole": "yes", "why": "x"}):  # fmt: skip
        assert "problem-box" in text(owner.post("/settings/retention/hold", wrong))
    owner.post("/settings/retention/hold", {"patient": chart.key, "why": "a court asks"})
    hold = LegalHold.objects.get()
    assert len(hold.patients) == 1
    assert "a court asks" in text(owner.get("/settings/retention"))
    owner.post(f"/settings/retention/holds/{hold.pk}/lift", {"why": "over"})
    assert LegalHold.objects.get().lifted_at
    acts = AuditEntry.objects.filter(action__startswith="retention.").values_list("action", "actor_name")
    assert list(acts) == [
        ("retention.hold", "owner@willow.example"),
        ("retention.release", "owner@willow.example"),
    ]


def test_a_policy_is_tried_before_it_counts(owner: Client, willow: Practice) -> None:
    page = told(owner, "/settings/retention", **{"retention.mirror_days": "10"})
    assert (
        "The next nightly run would remove 0 bodies of events, 0 facts of the feed with their letters" in page
    )
    LegalHold.objects.create(practice="willow", patients=[], why="x", set_by="ada")
    assert "A hold keeps the whole practice" in told(
        owner, "/settings/retention", **{"retention.mirror_days": "10"}
    )


# -- people ------------------------------------------------------------------------------------------------------


def test_somebody_is_invited_with_a_password_shown_once(owner: Client, willow: Practice) -> None:
    given = {"name": "bea@willow.example", "role": "biller", "why": "new"}
    shown = text(owner.post("/settings/people/invite", given))
    password = re.search(r'class="once"><code>([^<]+)', shown)
    assert password
    made = Membership.objects.get(user__username="bea@willow.example")
    assert made.role == Role.BILLER
    assert made.user.check_password(password.group(1))
    assert password.group(1) not in text(owner.get("/settings/people"))
    assert "belongs to this practice already" in text(owner.post("/settings/people/invite", given))
    version = willow.versions.first()
    assert version
    assert version.sentences == ["bea@willow.example is biller; before, they did not belong to the practice."]
    owner.post(f"/settings/history/{version.pk}/undo", {"why": "wrong person"})
    assert not Membership.objects.filter(user__username="bea@willow.example").exists()


def test_nobody_is_invited_out_of_another_owners_practice(owner: Client, willow: Practice) -> None:
    birch = Practice.objects.create(slug="birch", name="Birch")
    ada = member(birch, Role.BILLER, "ada@birch.example")
    given = {"name": "Ada@birch.example", "role": "owner"}
    assert "labbridge user grant" in text(owner.post("/settings/people/invite", given))
    assert not willow.memberships.filter(user=ada).exists()
    # Who manages both may have her own staff at both; they sign in as before.
    Membership.objects.create(
        user=people.person("owner@willow.example"), practice=birch, role=Role.ADMINISTRATOR
    )
    address = "/settings/people/invite?practice=willow"
    assert "labbridge user grant" in text(owner.post(address, given))
    Membership.objects.filter(practice=birch, role=Role.ADMINISTRATOR).update(role=Role.OWNER)
    assert "leave the directory unticked" in text(owner.post(address, {**given, "directory": "on"}))
    assert not willow.memberships.filter(user=ada).exists()
    assert "sign in as before" in text(owner.post(address, given))
    assert willow.memberships.get(user=ada).role == Role.OWNER
    ada.refresh_from_db()
    assert ada.check_password(PASSWORD)


@pytest.mark.parametrize("directory", [False, True])
def test_an_account_of_no_practice_begins_anew(owner: Client, willow: Practice, directory: bool) -> None:
    """Another practice may have made it, with a password and a second step that it knows."""
    ada = somebody("ada@willow.example")
    Authenticator.objects.create(user=ada, type=Authenticator.Type.TOTP, data={"secret": "invented"})
    given = {"name": "ada@willow.example", "role": "biller", **({"directory": "on"} if directory else {})}
    password = re.search(r'class="once"><code>([^<]+)', text(owner.post("/settings/people/invite", given)))
    ada.refresh_from_db()
    assert not ada.check_password(PASSWORD)
    assert not Authenticator.objects.filter(user=ada).exists()
    assert ada.has_usable_password() != directory
    assert bool(password) != directory
    assert password is None or ada.check_password(password.group(1))
    assert willow.memberships.get(user=ada).role == Role.BILLER


def test_a_removal_is_not_undone_once_another_practice_could_have_the_account(
    owner: Client, willow: Practice
) -> None:
    birch = Practice.objects.create(slug="birch", name="Birch")
    ada = member(willow, Role.BILLER, "ada@willow.example")
    remove = {"do": "remove"}
    owner.post(f"/settings/people/{ada.memberships.get().pk}", remove)
    owner.post(f"/settings/history/{willow.versions.all()[0].pk}/undo", {"why": "a mistake"})
    assert willow.memberships.get(user=ada).role == Role.BILLER
    owner.post(f"/settings/people/{ada.memberships.get().pk}", remove)
    address = f"/settings/history/{willow.versions.all()[0].pk}"
    people.grant(ada, birch, Role.BILLER)
    people.grant(somebody("bo@birch.example"), birch, Role.OWNER)
    for sentence in ("belongs to another practice too", "belonged to another practice meanwhile"):
        assert sentence in text(owner.get(address))
        assert sentence in text(owner.post(f"{address}/undo", {"why": "x"}, follow=True))
        assert not willow.memberships.filter(user=ada).exists()
        if ada.memberships.exists():
            people.revoke(ada, birch)


def test_a_role_is_changed_and_undone(owner: Client, willow: Practice) -> None:
    biller = member(willow, Role.BILLER).memberships.get()
    address = f"/settings/people/{biller.pk}"
    assert "Biller: payments" in text(owner.get(address))
    owner.post(address, {"do": "role", "role": "administrator", "was": "biller"})
    biller.refresh_from_db()
    assert biller.role == Role.ADMINISTRATOR
    stale = text(owner.post(address, {"do": "role", "role": "auditor", "was": "biller"}, follow=True))
    assert "Nothing of yours was saved" in stale
    version = willow.versions.first()
    assert version
    owner.post(f"/settings/history/{version.pk}/undo", {"why": "no"})
    biller.refresh_from_db()
    assert biller.role == Role.BILLER
    owner.post(address, {"do": "remove"})
    assert not Membership.objects.filter(pk=biller.pk).exists()


def test_the_last_owner_stays(owner: Client, willow: Practice) -> None:
    me = Membership.objects.get(role=Role.OWNER)
    for act in ({"do": "remove"}, {"do": "role", "role": "biller"}):
        shown = text(owner.post(f"/settings/people/{me.pk}", act, follow=True))
        assert "is the last owner of willow" in shown
    me.refresh_from_db()
    assert me.role == Role.OWNER
    other = member(willow, Role.OWNER, "second@willow.example").memberships.get()
    owner.post(f"/settings/people/{me.pk}", {"do": "role", "role": "biller"})
    version = willow.versions.first()
    me.refresh_from_db()
    assert me.role == Role.BILLER
    assert version
    assert other.role == Role.OWNER


def test_an_owner_resets_only_who_is_theirs(owner: Client, willow: Practice) -> None:
    birch = Practice.objects.create(slug="birch", name="Birch")
    desk = member(willow, Role.FRONT_DESK)
    address = f"/settings/people/{desk.memberships.get().pk}"
    shown = text(owner.post(address, {"do": "reset"}))
    password = re.search(r'class="once"><code>([^<]+)', shown)
    assert password
    desk.refresh_from_db()
    assert desk.check_password(password.group(1))
    Membership.objects.create(user=desk, practice=birch, role=Role.OWNER)
    assert "belong to another practice too" in text(owner.post(address, {"do": "reset"}, follow=True))
    me = Membership.objects.get(user__username="owner@willow.example")
    assert "under your name" in text(owner.post(f"/settings/people/{me.pk}", {"do": "reset"}, follow=True))
    desk.refresh_from_db()
    assert desk.check_password(password.group(1))


# -- API keys ----------------------------------------------------------------------------------------------------


def test_a_key_is_shown_once_and_revoked(owner: Client, willow: Practice) -> None:
    given = {
        "name": "keragon",
        "scope": ["orders:read", "patients:read"],
        "phi": "none",
        "days": "30",
        "per_minute": "60",
    }
    assert "shows patient data" in text(owner.post("/settings/keys/new", given))
    assert "Say who will see" in text(owner.post("/settings/keys/new", {**given, "phi": "nobody"}))
    shown = text(owner.post("/settings/keys/new", {**given, "phi": "in house"}))
    secret = re.search(r'class="once"><code>([^<]+)', shown)
    assert secret
    key = recognise(secret.group(1))
    assert key
    assert (key.practice, key.scopes, key.phi_class) == (willow, ["orders:read", "patients:read"], "phi")
    listed = text(owner.get("/settings/keys"))
    assert secret.group(1) not in listed
    assert key.hint in listed
    owner.post(f"/settings/keys/{key.pk}/revoke", {"why": "over"})
    assert recognise(secret.group(1)) is None
    assert "was revoked already" in text(owner.post(f"/settings/keys/{key.pk}/revoke", {}, follow=True))
    for wrong in ({"days": "0"}, {"days": "many"}, {"per_minute": "-1"}, {"name": ""}, {"scope": ["root"]}):
        assert "problem-box" in text(
            owner.post("/settings/keys/new", {**given, "phi": "in house", "name": "b", **wrong})
        )
    assert ApiKey.objects.count() == 1
