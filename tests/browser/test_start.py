"""From an empty installation to a first order by clicks alone, with both simulators (`/start`)."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from labbridge.commands.demo import start_simulators
from labbridge.demo.children import Children
from labbridge.demo.place import Place, claim
from labbridge.demo.stage import Stage

from .conftest import PICTURES, Watch, assert_accessible, look_all_over
from .test_sign_in import totp

pytestmark = pytest.mark.browser

OWNER, PASSWORD = "olive@willow.example", "a long phrase of the owner"


@pytest.fixture
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The service as it is after installation, nothing in it; two simulated accounts with patients."""
    place = claim(tmp_path_factory.mktemp("empty") / "demo")
    children = Children(place.environment(), place.logs)
    try:
        start_simulators(place, children)
        children.start("Labbridge", "labbridge.cli", "serve")
        for name, path in (("caspio", "/_sim/faults"), ("rupa", "/_sim/faults"), ("web", "/readyz")):
            children.wait_for(name, place.url(name) + path)
        with Stage(place.url("caspio"), place.url("rupa")) as stage:
            stage.fill()
        yield place
    finally:
        children.stop()


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """One window: the installation is empty only once."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(60_000)
    yield context
    context.close()


def printed_code(place: Place) -> str:
    said = (place.logs / "labbridge.log").read_text()
    (code,) = re.findall(r"enter this code: ([A-Z2-7-]{19})\n", said)
    return str(code)


#: Pages that have a list, or figures: what they say while there is nothing yet.
EMPTY = {
    "today": "/", "pipeline": "/pipeline", "board": "/pipeline?as=board", "results": "/results",
    "reviewed": "/results?reviewed", "matches": "/cases", "decided": "/cases?decided", "events": "/events",
    "handled": "/events?state=handled", "health": "/health", "catalogue": "/catalogue", "news": "/catalogue/news",
    "protocols": "/protocols", "billing": "/billing", "billing-all": "/billing?show=all", "analytics": "/analytics",
    "turnaround": "/analytics/question?show=turnaround-by-lab", "feeds": "/feeds", "settings": "/settings",
    "connections": "/settings/connections", "keys": "/settings/keys", "retention": "/settings/retention",
    "alerts": "/settings/alerts", "your-sign-in": "/accounts/",
}  # fmt: skip


def see_what_is_empty(page: Page, empty: Place) -> None:
    """A practice that has just been made: every page says why nothing is there, and none breaks."""
    back = page.url
    for name, address in EMPTY.items():
        answer = page.goto(empty.url("web") + address)
        assert answer
        assert answer.status == 200, address
        if PICTURES:
            look_all_over(page, f"empty-{name}")
        else:
            assert_accessible(page)
    page.goto(back)


SECOND = """\
[practice]
slug = "juniper"
name = "Juniper Integrative Health"
time_zone = "America/New_York"

[caspio]
url = "{caspio}"
client_id = "env:CASPIO_CLIENT_ID"
client_secret = "env:CASPIO_CLIENT_SECRET"

[caspio.patients]
table = "Patients"
key = "Patient_ID"
first_name = "First_Name"
last_name = "Last_Name"
email = "Email"
birthday = "Date_of_Birth"
"""
#: Pages whose content tells of several practices, or asks which one is meant.
SEVERAL = {
    "today": "/", "pipeline": "/pipeline", "settings": "/settings", "analytics": "/analytics",
    "board": "/pipeline?as=board", "matches": "/cases", "events": "/events?state=handled", "health": "/health",
    "catalogue": "/catalogue", "protocols": "/protocols", "billing": "/billing?show=all", "feeds": "/feeds",
    "audit": "/audit", "search": "/pipeline/search",
}  # fmt: skip
ALWAYS = {"today", "pipeline", "settings", "analytics"}  #: axe looks at these in `make test` too


def see_two_practices(page: Page, empty: Place) -> None:
    """Somebody of two practices: what the pages show of both, which one is asked for, and the choice at the top."""
    file = empty.folder / "juniper.toml"
    file.write_text(SECOND.format(caspio=empty.url("caspio")))
    for words in (
        ("practice", "apply", str(file)),
        ("user", "grant", OWNER, "--role", "administrator", "-p", "juniper"),
    ):
        command = [sys.executable, "-m", "labbridge.cli", *words]
        subprocess.run(command, env=empty.environment(), check=True)
    for name, address in SEVERAL.items():
        answer = page.goto(empty.url("web") + address)
        assert answer
        assert answer.status == 200, address
        expect(page.get_by_label("Practice", exact=True)).to_have_value("")
        if PICTURES or name in ALWAYS:
            look_all_over(page, f"several-{name}")
    page.goto(empty.url("web") + "/pipeline")
    page.get_by_label("Practice", exact=True).select_option("Juniper Integrative Health")
    page.get_by_role("button", name="Show", exact=True).first.click()
    expect(page).to_have_url(f"{empty.url('web')}/pipeline?practice=juniper")
    expect(page.get_by_role("navigation", name="Main").get_by_role("link", name="Results")).to_have_count(0)
    look_all_over(page, "several-one-chosen")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Today").click()
    expect(page.get_by_label("Practice", exact=True)).to_have_value("juniper")


def at_step(page: Page, title: str) -> None:
    expect(page.get_by_role("heading", level=2, name=title)).to_be_visible(timeout=60_000)


def test_from_nothing_to_a_first_order(page: Page, empty: Place, watch: Watch) -> None:
    page.goto(empty.url("web"))
    expect(page.get_by_role("heading", name="Welcome to Labbridge")).to_be_visible()
    look_all_over(page, "start-owner")
    page.get_by_label("Code from the service").fill("AAAA-AAAA-AAAA-AAAA")
    page.get_by_label("Your e-mail").fill(OWNER)
    page.get_by_label("A password").fill(PASSWORD)
    page.get_by_role("button", name="Make my account").click()
    expect(page.get_by_text("This is not the code")).to_be_visible()
    watch.forgive("status of 400")
    page.get_by_label("Code from the service").fill(printed_code(empty))
    page.get_by_label("A password").fill(PASSWORD)
    page.get_by_role("button", name="Make my account").click()

    page.get_by_role("link", name="Use an authenticator app").click()
    page.get_by_text("No camera?").click()
    page.get_by_label("Code", exact=True).fill(totp(page.locator("code.key").inner_text()))
    page.get_by_role("button", name="Finish").click()
    page.get_by_role("link", name="I have kept them").click()

    at_step(page, "Your practice")
    look_all_over(page, "start-practice")
    page.get_by_label("Name of the practice").fill("Willow Functional Medicine")
    page.get_by_label("Its time zone").select_option("Pacific (Los Angeles)")
    page.get_by_role("button", name="Go on").click()

    at_step(page, "Connect Caspio")
    page.get_by_label("Address of the Caspio account").fill(empty.url("caspio"))
    page.get_by_label("Client ID").fill(empty.client)
    page.get_by_label("Calls a second").fill("100")
    page.get_by_label("Client Secret").fill("not the secret")
    page.get_by_role("button", name="Test and keep").click()
    expect(page.get_by_role("alert")).to_contain_text("does not accept this Client ID")
    watch.forgive("status of 400")
    look_all_over(page, "start-caspio")
    page.get_by_label("Client Secret").fill(empty.secrets["caspio"])
    page.get_by_role("button", name="Test and keep").click()

    at_step(page, "Where the patients are")
    expect(page.get_by_label("Date of birth")).to_have_value("Date_of_Birth")
    expect(page.get_by_label("The patient's key")).to_have_value("Patient_ID")
    look_all_over(page, "start-patients")
    page.get_by_role("button", name="Yes, this is right").click()

    at_step(page, "Tables in Caspio")
    see_what_is_empty(page, empty)
    page.get_by_role("button", name="Show what would be created").click()
    expect(page.get_by_text("Lab_Orders", exact=True)).to_be_visible()
    look_all_over(page, "start-tables")
    page.get_by_role("button", name="Create it in Caspio").click()

    at_step(page, "Connect Rupa")
    look_all_over(page, "start-rupa")
    page.get_by_role("button", name="Go to Rupa").click()
    page.get_by_role("button", name="Accept").click()

    at_step(page, "Patients and lab tests")
    look_all_over(page, "start-catalogue")
    page.get_by_role("button", name="Read them now").click()

    at_step(page, "First order")
    look_all_over(page, "start-order")
    page.get_by_role("link", name="Order for P-1001").click()
    page.get_by_role("searchbox").fill("DUTCH Complete")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="Add DUTCH Complete").click()
    page.get_by_role("button", name="Continue to Rupa's checkout").click()
    page.get_by_role("button", name="Submit order").click()
    page.get_by_role("link", name="Back to your application").click()
    page.get_by_role("link", name="Back to setting up").click()

    at_step(page, "You are live")
    expect(page.get_by_text("stands in Caspio")).to_be_visible(timeout=60_000)  # the page looks by itself
    page.get_by_role("button", name="Check everything now").click()
    expect(page.get_by_text("Checked just now")).to_be_visible(timeout=60_000)  # it asks both peers
    look_all_over(page, "start-live")
    page.get_by_role("link", name="Go to Today").click()
    expect(page.get_by_role("heading", name="Today")).to_be_visible()
    with Stage(empty.url("caspio"), empty.url("rupa")) as stage:
        assert len(stage.tables()["Lab_Orders"]) == 1
    see_two_practices(page, empty)
