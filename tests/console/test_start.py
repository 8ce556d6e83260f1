"""The guide at /start: who may begin, what is kept, and that nothing of it can be taken over, forged or lost."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import connection

from labbridge.accounts.first import setup_code
from labbridge.accounts.models import Membership
from labbridge.console.models import SetupDraft
from labbridge.filing.provision import is_provisioned
from labbridge.practices.config import parse
from labbridge.practices.models import Connection, Practice, Preparation, Preparing
from labbridge.reconcile.preparing import ask, under_way
from labbridge.trust.models import AuditEntry
from tests.people import member, sign_in, somebody

pytestmark = pytest.mark.django_db(transaction=True)

OWNER = {"name": "olive@willow.example", "password": "a long phrase of the owner"}
FACTS = {
    "name": "Willow Functional Medicine",
    "time_zone": "America/Los_Angeles",
    "slug": "",
    "action": "keep",
}
SECRET = "secret of caspio"


@pytest.fixture
def account(caspio_sim):
    return {
        "url": caspio_sim.url, "client_id": "client", "client_secret": SECRET, "calls_per_second": "100",
        "action": "keep",
    }  # fmt: skip


@pytest.fixture
def olive(client, connected_deployment):
    return sign_in(client, somebody("olive@willow.example"))


def titles(answer):
    return {one.key: one.done for one in answer.context["steps"]}


# -- the first account -------------------------------------------------------------------------------------------


def test_an_empty_installation_leads_everybody_to_the_first_account(client):
    for address in ("/", "/start", "/pipeline", "/sign-in"):
        page = client.get(address, follow=True)
        assert page.redirect_chain[-1][0] == "/start/owner"
        assert "no-store" in page["Cache-Control"]


@pytest.mark.parametrize("code", ["", "AAAA-AAAA-AAAA-AAAA", "\x00", "é" * 16])
def test_a_stranger_without_the_code_takes_nothing(client, code):
    answer = client.post("/start/owner", {**OWNER, "code": code})
    assert answer.status_code == 400
    assert setup_code() not in answer.content.decode()
    assert not User.objects.exists()


def test_the_code_makes_the_first_account_which_must_set_up_a_second_step(client):
    typed = setup_code().lower().replace("-", " ")
    answer = client.post("/start/owner", {**OWNER, "code": typed}, follow=True)
    assert answer.redirect_chain[-1][0] == "/accounts/"
    assert User.objects.get().username == OWNER["name"]
    assert AuditEntry.objects.filter(action="person.add", actor_kind="nobody").exists()


def test_a_weak_password_makes_nothing(client):
    answer = client.post("/start/owner", {**OWNER, "password": "12345", "code": setup_code()})
    assert answer.status_code == 400
    assert not User.objects.exists()


def test_the_code_works_once(client):
    somebody()
    answer = client.post("/start/owner", {**OWNER, "code": setup_code()})
    assert answer.status_code == 302
    assert User.objects.count() == 1


def test_the_first_account_owns_a_practice_that_was_applied_before(client):
    practice = Practice.objects.create(slug="willow", name="Willow")
    client.post("/start/owner", {**OWNER, "code": setup_code()})
    assert Membership.objects.get().practice == practice
    assert Membership.objects.get().role == "owner"


def test_the_second_account_sets_nothing_up(client, olive):
    sign_in(client, somebody("mallory@willow.example"))
    assert client.get("/start").status_code == 403
    assert client.post("/start?step=practice", FACTS).status_code == 403


def test_nobody_sets_up_beside_an_existing_practice(client, olive):
    Practice.objects.create(slug="birch", name="Birch")
    assert client.get("/start").status_code == 403
    assert client.get("/").status_code == 403


# -- what is said before there is a practice -------------------------------------------------------------------


def test_it_goes_on_where_it_was(client, olive, account):
    assert client.get("/").headers["Location"] == "/start"
    client.post("/start?step=practice", FACTS)
    client.post("/start?step=caspio", account)
    client.logout()
    sign_in(client, olive)
    page = client.get("/start")
    assert page.context["current"].key == "patients"
    assert titles(page)["practice"]
    assert not titles(page)["patients"]


def test_no_step_can_be_skipped(client, olive, account):
    assert client.get("/start?step=tables").headers["Location"] == "/start"
    assert client.post("/start?step=caspio", account).headers["Location"] == "/start"
    assert not SetupDraft.objects.exists()


def test_credentials_are_sealed_and_shown_nowhere(client, olive, account):
    client.post("/start?step=practice", FACTS)
    client.post("/start?step=caspio", account)
    with connection.cursor() as cursor:
        cursor.execute("SELECT said FROM console_setupdraft")
        assert SECRET.encode() not in bytes(cursor.fetchone()[0])
    for step in ("caspio", "patients"):
        assert SECRET not in client.get(f"/start?step={step}").content.decode()


@pytest.mark.parametrize(
    "changed",
    [
        {"client_secret": "wrong"},
        {"client_secret": "file:/etc/hostname"},
        {"client_id": "env:LABBRIDGE_SECRET_KEY"},
        {"url": "https://evil.example"},
        {"url": "http://169.254.169.254/latest"},
        {"url": "https://c0abc123.caspio.com.evil.example"},
        {"url": "not an address"},
    ],
)
def test_nothing_is_kept_that_caspio_did_not_accept(client, olive, account, changed):
    client.post("/start?step=practice", FACTS)
    answer = client.post("/start?step=caspio", {**account, **changed})
    assert answer.status_code == 400
    assert "client_secret" not in SetupDraft.objects.get().said


def test_a_caspio_that_is_away_is_told_plainly(client, olive, account, caspio_sim):
    client.post("/start?step=practice", FACTS)
    caspio_sim.fault("unavailable")
    answer = client.post("/start?step=caspio", account)
    assert "No Caspio account answers" in answer.content.decode()


# -- applying ----------------------------------------------------------------------------------------------------


@pytest.fixture
def mapped(client, olive, account):
    client.post("/start?step=practice", FACTS)
    client.post("/start?step=caspio", account)
    page = client.get("/start")
    form = page.context["form"]
    return {"action": "apply", **{name: field.initial for name, field in form.fields.items()}}


def test_the_mapping_makes_the_same_practice_as_a_file(client, olive, mapped, account):
    assert client.post("/start?step=patients", mapped).status_code == 302
    practice = Practice.objects.get()
    assert practice.slug == "willow"
    written = f"""
        [practice]
        slug = "willow"
        name = "Willow Functional Medicine"
        time_zone = "America/Los_Angeles"
        [caspio]
        url = "{account["url"]}"
        client_id = "client"
        client_secret = "{SECRET}"
        calls_per_second = 100
        [caspio.patients]
        table = "Patients"
        key = "Patient_ID"
        first_name = "First_Name"
        last_name = "Last_Name"
        email = "Email"
        birthday = "Date_of_Birth"
        phone = "Phone"
        gender = "Sex"
        street = "Street"
        city = "City"
        state = "State"
        zipcode = "Zip"
    """
    from labbridge.practices.apply import without_secrets

    assert practice.config == without_secrets(parse(written))
    assert Connection.objects.get().credentials["client_secret"] == SECRET
    assert Membership.objects.get().role == "owner"
    assert not SetupDraft.objects.exists()
    assert AuditEntry.objects.filter(action="practice.apply", actor_kind="person").count() == 1


def test_two_windows_make_one_practice(client, olive, mapped):
    client.post("/start?step=patients", mapped)
    client.post("/start?step=patients", mapped)
    assert Practice.objects.count() == 1


@pytest.mark.parametrize(
    "changed", [{"first_name": ""}, {"email": "No_Such_Field"}, {"last_name": "First_Name"}]
)
def test_a_mapping_that_cannot_be_makes_nothing(client, mapped, changed):
    assert client.post("/start?step=patients", {**mapped, **changed}).status_code == 400
    assert not Practice.objects.exists()


# -- the long steps ----------------------------------------------------------------------------------------------


def test_tables_are_shown_first_and_then_created_once(client, olive, mapped, caspio_sim, run_jobs):
    client.post("/start?step=patients", mapped)
    before = set(caspio_sim.tables())
    page = client.post("/start?step=tables", {"action": "look"})
    assert "Lab_Orders" in page.content.decode()
    assert set(caspio_sim.tables()) == before
    for _ in range(2):  # a second click asks for nothing more
        client.post("/start?step=tables", {"action": "create"})
    practice = Practice.objects.get()
    assert under_way(practice, Preparing.TABLES)
    assert client.get("/start").context["watching"]
    run_jobs()
    assert is_provisioned(practice)
    assert titles(client.get("/start"))["tables"]
    assert Preparation.objects.get(what="tables").done == Preparation.objects.get(what="tables").total
    assert AuditEntry.objects.filter(action="practice.provision", actor_name=olive.username).count() == 1


def test_what_only_a_person_can_mend_ends_with_a_sentence(client, practice, run_jobs):
    sign_in(client, member(practice))
    practice.config["caspio"]["patients"]["table"] = "Nowhere"
    practice.save()
    assert not titles(client.get("/start"))["tables"], "another table: it must be done again"
    ask(practice, Preparing.TABLES, "olive")
    run_jobs()
    held = Preparation.objects.get(what="tables")
    assert "Caspio has no table Nowhere" in held.problem
    assert not under_way(practice, Preparing.TABLES)
    assert held.problem in client.get("/start").content.decode()


def test_a_peer_that_is_away_is_tried_again(client, practice, rupa_sim, run_jobs):
    sign_in(client, member(practice))
    rupa_sim.fault("unavailable")
    ask(practice, Preparing.CATALOGUE, "olive")
    run_jobs()
    assert under_way(practice, Preparing.CATALOGUE)
    rupa_sim.heal()
    assert not ask(practice, Preparing.CATALOGUE, "olive")  # asking again brings it forward
    run_jobs()
    assert Preparation.objects.get(what="catalogue").finished_at
    practice.refresh_from_db()
    assert practice.catalog_read_at


def test_a_practice_of_the_command_line_goes_on_here(client, practice):
    """What `practice apply` and `provision` did is done here too."""
    sign_in(client, member(practice))
    done = titles(client.get("/start"))
    assert done["caspio"]
    assert done["patients"]
    assert done["tables"]
    assert done["rupa"]
    assert not done["catalogue"]


def test_who_orders_is_asked_when_the_e_mail_does_not_tell(client, practice, rupa_sim):
    user = sign_in(client, member(practice))
    Connection.objects.create(practice=practice, peer="rupa", account="bea@rupa.example", credentials={})
    practice.catalog_read_at = practice.charts_read_at = practice.created_at
    practice.save()
    page = client.get("/start")
    assert page.context["current"].key == "order"
    assert "bea@rupa.example" in page.content.decode()
    client.post("/start?step=order", {"action": "order-as", "account": "somebody@else.example"})
    assert Membership.objects.get(user=user).rupa_email == ""
    client.post("/start?step=order", {"action": "order-as", "account": "bea@rupa.example"})
    assert Membership.objects.get(user=user).rupa_email == "bea@rupa.example"
    assert "As whom" not in client.get("/start").content.decode()
