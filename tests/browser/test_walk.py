"""Every screen of the console in every role, at both widths, light and dark: accessible, quiet, nothing leaks.

`make screens` runs this and leaves a picture of each in screens/.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import httpx2
import pytest
from django.template.loader import render_to_string
from django.urls import URLResolver, get_resolver, resolve
from playwright.sync_api import Browser, BrowserContext, Page, expect

from .conftest import (
    PICTURES,
    Demo,
    Watch,
    assert_accessible,
    goto,
    look,
    look_all_over,
    prove,
    shoot,
    sign_in,
)

pytestmark = pytest.mark.browser

#: Screen -> its address and who may open it. In braces: what is found on another page (FOUND), or made (`furnish`).
EVERYBODY = {"owner", "administrator", "practitioner", "front desk", "biller", "auditor"}
OWNER, RUNNING, CLINICAL = {"owner"}, {"owner", "administrator"}, {"owner", "practitioner"}
SEEING, MONEY = {"owner", "administrator", "auditor"}, {"owner", "administrator", "biller"}
MATCHING = {"owner", "administrator", "practitioner", "front desk"}
LABS, FIGURES = EVERYBODY - {"auditor"}, EVERYBODY - {"auditor", "front desk"}
BUILDING = {"owner", "administrator", "practitioner"}
SCREENS: dict[str, tuple[str, set[str]]] = {
    "today": ("/", EVERYBODY),
    "matches": ("/cases", MATCHING),
    "matches-decided": ("/cases?decided", MATCHING),
    "match": ("{match}", MATCHING),
    "events": ("/events", SEEING),
    "events-all": ("/events?state=handled", SEEING),
    "events-none": ("/events?state=dead", SEEING),
    "events-failure": ("{failure}", SEEING),
    "event": ("{event}", SEEING),
    "replay": ("/events/replay?event={event_id}", RUNNING),
    "health": ("/health?verify", SEEING),
    "feeds": ("/feeds", RUNNING),
    "feed": ("{feed}", RUNNING),
    "feed-secret": ("{feed}/secret", RUNNING),
    "feed-add": ("/feeds/add", RUNNING),
    "agreement-add": ("/feeds/agreements", RUNNING),
    "catalogue": ("/catalogue", LABS),
    "catalogue-none": ("/catalogue?q=nothing+has+this+name", LABS),
    "catalogue-compare": ("/catalogue/compare?test=1&test=2", LABS),
    "catalogue-one": ("/catalogue/compare?test=1", LABS),
    "catalogue-news": ("/catalogue/news", LABS),
    "analytics": ("/analytics", FIGURES),
    "analytics-months": ("/analytics/question?show=orders-by-month", FIGURES),
    "analytics-labs": ("/analytics/question?show=orders-by-lab", FIGURES),
    "analytics-funnel": ("/analytics/question?show=funnel", FIGURES),
    "analytics-turnaround": ("/analytics/question?show=turnaround-by-lab", FIGURES),
    "analytics-saved": ("/analytics/question?show=value", FIGURES),
    "analytics-nothing": ("/analytics/question?show=orders-by-lab&from=2024-01-01&to=2024-12-31", FIGURES),
    "analytics-revenue": ("/analytics/money?show=revenue-by-lab", MONEY),
    "analytics-behind": ("{behind}", EVERYBODY),
    "protocols": ("/protocols", LABS),
    "protocol": ("{protocol}", LABS),
    "protocol-edit": ("{protocol}/edit", BUILDING),
    "protocol-new": ("/protocols/new/willow", BUILDING),
    "protocols-news": ("/protocols/news", LABS),
    "billing": ("/billing?show=all", MONEY),
    "billing-unpaid": ("/billing", MONEY),
    "billing-attention": ("/billing?show=attention", MONEY),
    "order-billing": ("{order_address}/billing", MONEY),
    "billing-price": ("/billing/price/willow", MONEY),
    "audit": ("/audit?verify", SEEING),
    "audit-none": ("/audit?actor=nobody", SEEING),
    "settings": ("/settings", SEEING),
    "settings-practice": ("/settings/practice", RUNNING),
    "settings-connections": ("/settings/connections", RUNNING),
    "settings-caspio": ("/settings/connections/caspio", RUNNING),
    "settings-rupa-end": ("{connection}", RUNNING),
    "settings-mapping": ("/settings/mapping", RUNNING),
    "settings-sync": ("/settings/who-wins", RUNNING),
    "settings-alerts": ("/settings/alerts", RUNNING),
    "settings-channels": ("/settings/alerts/channels", RUNNING),
    "settings-people": ("/settings/people", OWNER),
    "settings-invite": ("/settings/people/invite", OWNER),
    "settings-person": ("{person}", OWNER),
    "settings-keys": ("/settings/keys", OWNER),
    "settings-key-new": ("/settings/keys/new", OWNER),
    "settings-key-revoke": ("{key}", OWNER),
    "settings-retention": ("/settings/retention", OWNER),
    "settings-hold": ("/settings/retention/hold", OWNER),
    "settings-hold-lift": ("{hold}", OWNER),
    "settings-history": ("/settings/history", SEEING),
    "settings-version": ("{version}", SEEING),
    "settings-undo": ("{version}/undo", OWNER),  # the newest change is of people, which the owner alone undoes
    "pipeline": ("/pipeline", EVERYBODY),
    "pipeline-board": ("/pipeline?as=board", EVERYBODY),
    "pipeline-narrowed": ("/pipeline?phase=draft&state=overdue", EVERYBODY),
    "pipeline-search": ("/pipeline/search", LABS),
    "order-page": ("{order}", EVERYBODY),
    "results": ("/results", CLINICAL),
    "results-mine": ("/results?mine", CLINICAL),
    "results-reviewed": ("/results?reviewed", CLINICAL),
    "patient": ("{patient}", LABS),
    "order": ("/order/willow?patient=P-1005&q=dutch", CLINICAL),
    "order-nothing": ("/order/willow?patient=P-1005&q=nothing+has+this+name", CLINICAL),
    "order-unknown": ("/order/return/nothing", EVERYBODY),
    "rupa-js": ("/embed/willow/rupa-js?patient=P-1005", CLINICAL),
    "connect": ("/rupa/connect/willow", RUNNING),
    "connected": ("/rupa/connected", EVERYBODY),
    "connect-failed": ("/rupa/callback", EVERYBODY),
    "start": ("/start", RUNNING),
    **{f"start-{step}": (f"/start?step={step}", RUNNING) for step in (
        "practice", "caspio", "patients", "tables", "rupa", "webhooks", "catalogue", "order", "live"
    )},
    "your-sign-in": ("/accounts/", EVERYBODY),
    "your-password": ("/accounts/password", EVERYBODY),
    "your-app": ("/accounts/app/remove", EVERYBODY),
    "your-codes": ("/accounts/recovery/new", EVERYBODY),
    "your-keys": ("/accounts/passkeys", EVERYBODY),
    "your-key-add": ("/accounts/passkeys/add", EVERYBODY),
    "confirm": ("/accounts/confirm", EVERYBODY),
    "confirm-code": ("/accounts/confirm/code", EVERYBODY),
    "sign-out": ("/sign-out", EVERYBODY),
    "not-active": ("/accounts/inactive", EVERYBODY),
    "nothing": ("/nothing/is/here", set()),
}  # fmt: skip
STATUS = {"nothing": 404, "order-unknown": 404, "connect-failed": 400}
#: What addresses need -> the page that links to it, and the link.
FOUND = {
    "match": ("/cases", ".picks a"),
    "failure": ("/events", ".items strong a"),
    "event": ("/events?state=handled", "tbody a"),
    "order": ("/results", ".queue .what a[href^='/orders/']"),
    "patient": ("/results", ".queue a[href^='/patients/']"),
    "behind": ("/analytics/question?show=orders-by-lab", "tbody a"),
    "protocol": ("/protocols", "tbody a"),
    "version": ("/settings/history", "a[href^='/settings/history/']"),
    "connection": ("/settings/connections", "a[href$='/end']"),
    "person": ("/settings/people", "tbody tr:nth-child(2) th a"),
    "key": ("/settings/keys", "a[href$='/revoke']"),
    "hold": ("/settings/retention", "a[href$='/lift']"),
    "feed": ("/feeds", ".items strong a"),
}
#: Routes without a screen in the table above, and why.
ELSEWHERE = {
    **dict.fromkeys((
        "pipeline-export", "analytics-export", "analytics-money-export", "analytics-report", "settings-file",
        "audit-export", "audit-breach", "result-pdf", "superbill-pdf", "mfa_download_recovery_codes",
        "directory-metadata", "embed-script",
    ), "a file"),
    **dict.fromkeys((
        "pipeline-views", "order-act", "result-review", "publishable-key", "protocols-read", "protocols-seen",
        "protocol-decide", "order-billing-act", "feed-act", "settings-channel-test", "settings-mapping-look",
        "health-check", "alert", "here", "continue", "mfa_login_webauthn", "directory-answer", "directory-finish",
        "pipeline-act", "protocol-again",
    ), "an act: its page is the one that it comes from, or is looked at in a test below"),
    **dict.fromkeys((
        "start-owner", "sign-in", "account_login", "account_logout", "mfa_authenticate", "mfa_activate_totp",
        "mfa_view_recovery_codes", "mfa_remove_webauthn", "mfa_edit_webauthn", "mfa_reauthenticate_webauthn",
        "directory-sign-in", "rupa-callback",
    ), "seen while setting up and signing in (test_start, test_sign_in, test_by_hand)"),
    **dict.fromkeys(("order-request", "order-return", "case-undo", "settings-dry-run"),
                    "seen on its way (test_ordering, test_settings)"),
}  # fmt: skip


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """A window whose size and colours change while it walks."""
    context = chromium.new_context(reduced_motion="reduce")
    context.set_default_timeout(60_000 if PICTURES else 30_000)
    yield context
    context.close()


@pytest.fixture(scope="module")
def names(demo: Demo) -> set[str]:
    """What must stand in no title and no address: every patient's name and e-mail."""
    rows = httpx2.get(f"{demo.caspio}/_sim/dump").json()["Patients"]
    return {
        row[column].lower() for row in rows for column in ("First_Name", "Last_Name", "Email") if row[column]
    }


def addresses(page: Page, demo: Demo) -> dict[str, str]:
    """Screen -> its address on this demo; without those for which there is nothing yet.

    Looked for as the owner, who sees everything; kept once there is something of everything.
    """
    if demo.addresses:
        return demo.addresses
    keyed: dict[str, str | None] = {}
    opened = ""
    for name, (where, link) in sorted(FOUND.items(), key=lambda one: one[1]):
        if where != opened:
            goto(page, demo, where)
            opened = where
        keyed[name] = _first(page, link)
    keyed["event_id"] = (keyed["event"] or "").rpartition("/")[2]
    keyed["order_address"] = (keyed["order"] or "").partition("#")[0] or None
    known = {
        name: address.format(**keyed)
        for name, (address, _) in SCREENS.items()
        if all(found or f"{{{key}}}" not in address for key, found in keyed.items())
    }
    if known.keys() == SCREENS.keys():
        demo.addresses = known
    return known


def _first(page: Page, links: str) -> str | None:
    found = page.locator(links).first
    return found.get_attribute("href") if found.count() else None


# -- forms: filled in wrongly, then rightly ----------------------------------------------------------------------


class Form(NamedTuple):
    """A form: what is typed into it wrongly, what each field says to that, and what is right. Ticks are True."""

    address: str
    button: str
    wrong: dict[str, str]
    says: dict[str, str]
    right: dict[str, str | bool]
    done: str  # what the page says then


DOCUMENT = {
    "name": "baa.pdf",
    "mimeType": "application/pdf",
    "buffer": b"%PDF-1.4 a signed agreement, invented",
}
FORMS = {
    "channel": Form(
        "/settings/alerts/channels", "Add it", {"Its address": "nobody"}, {"Its address": "This is no address"},
        {"Its address": "json://alerts.invalid/x", "Reason": "the pager"}, "Alerts go to 1 channel",
    ),
    "invite": Form(
        "/settings/people/invite", "Invite", {"E-mail, which is their user name": "bea", "Orders at Rupa as": "bea"},
        {"E-mail, which is their user name": "Enter a valid email address.", "Role": "This field is required.",
         "Orders at Rupa as": "Enter a valid email address."},
        {"E-mail, which is their user name": "bea@willow.example", "Role": "biller", "Orders at Rupa as": ""},
        "bea@willow.example is biller of Willow Functional Medicine.",
    ),
    "person": Form(
        "{person}", "Save", {"Orders at Rupa as": "somebody"}, {"Orders at Rupa as": "Enter a valid email address."},
        {"Orders at Rupa as": "ada@willow.example", "Reason": "she stands in"}, "saved. History can undo it.",
    ),
    "key": Form(
        "/settings/keys/new", "Make the key", {"Days until it expires": "many", "Calls a minute, at most": "0"},
        {"The program that uses it": "This field is required.", "It may": "Tick at least one thing",
         "Days until it expires": "Give a number from 1 to 730.", "Calls a minute, at most": "Give a number from 1"},
        {"The program that uses it": "warehouse", "Read alerts alerts:read": True, "Days until it expires": "30",
         "Calls a minute, at most": "60"},
        "shown this once",
    ),
    "agreement": Form(
        "/feeds/agreements", "Put it on file", {"Signed on": "2030-01-01"},
        {"With which company": "This field is required.", "Last day": "This field is required.",
         "The signed document": "Choose the signed document"},
        {"With which company": "Keragon", "Signed on": "2026-01-02", "Last day": "2031-01-01",
         "The signed document": True},
        "It is on file.",
    ),
    "feed": Form(
        "/feeds/add", "Add it", {"Its address": "http://example.org/hook"},
        {"Name": "Give it a name", "What it is told of": "Tick at least one thing"},
        {"Name": "month's counts", "Its address": "https://hooks.invalid/x", "A month is over: its counts": True},
        "The secret for its signatures",
    ),
    "hold": Form(
        "/settings/retention/hold", "Set the hold", {"Patient": "P-0000"}, {"Reason": "Say why"},
        {"Patient": "P-1002", "Reason": "a court asks"}, "The hold is set",
    ),
}  # fmt: skip


def fill(page: Page, given: Mapping[str, str | bool]) -> None:
    for label, value in given.items():
        field = page.get_by_role("main").get_by_label(label).first
        if label == "The signed document":
            field.set_input_files([DOCUMENT])  # type: ignore[list-item]  # playwright's own typed dict
        elif value is True:
            field.check()
        elif field.evaluate("one => one.tagName") == "SELECT":
            field.select_option(str(value))
        else:
            field.fill(str(value))


def assert_said_beside(page: Page, label: str, sentence: str) -> None:
    """The sentence is next to its field, and a screen reader reads it with the field."""
    main = page.get_by_role("main")
    group = main.get_by_role("group", name=label, exact=True)
    field = group if group.count() else main.get_by_label(label).first
    ids = (field.get_attribute("aria-describedby") or "").split()
    told = " ".join(page.locator(f"[id='{one}']").inner_text() for one in ids)
    assert sentence in told, f"{label} is described by {told!r}"
    if not group.count():
        expect(field).to_have_attribute("aria-invalid", "true")


@pytest.mark.parametrize("name", FORMS)
def test_a_form_says_beside_the_field_what_is_wrong(page: Page, demo: Demo, name: str) -> None:
    """Announced as a whole, the focus at the first field that is wrong; then filled in rightly, it does it."""
    form = FORMS[name]
    sign_in(page, demo)
    prove(page, demo)
    goto(page, demo, addresses(page, demo)[f"settings-{name}"] if "{" in form.address else form.address)
    fill(page, form.wrong)
    page.get_by_role("main").get_by_role("button", name=form.button, exact=True).click()
    expect(page.get_by_role("alert")).to_have_text("Nothing was saved: something below cannot be used.")
    for label, sentence in form.says.items():
        assert_said_beside(page, label, sentence)
    expect(page.locator(".field.wrong").first.locator(":focus")).to_have_count(1)
    look_all_over(page, f"form-{name}-wrong")
    fill(page, form.right)
    page.get_by_role("main").get_by_role("button", name=form.button, exact=True).click()
    expect(page.get_by_role("main")).to_contain_text(form.done)
    expect(page.get_by_role("status").first).to_be_visible()
    look_all_over(page, f"form-{name}-done")


# -- the walk ----------------------------------------------------------------------------------------------------


def test_the_owner_sees_every_screen_in_every_look(
    page: Page, demo: Demo, watch: Watch, names: set[str]
) -> None:
    """Needs what the forms above made: a destination, an agreement, a key, a hold."""
    sign_in(page, demo)
    found = addresses(page, demo)
    assert SCREENS.keys() == found.keys(), "the demo and the forms have something of everything"
    walked = set()
    for screen, address in found.items():
        answer = goto(page, demo, address)
        assert "no-store" in answer.headers["cache-control"], screen
        assert answer.status == STATUS.get(screen, 200), screen
        assert page.url.partition("#")[0] == demo.console + address.partition("#")[0], screen
        if answer.status == 200:
            walked.add(resolve(urlsplit(address).path).url_name)
        else:
            watch.forgive(f"status of {answer.status}")
        look_all_over(page, screen)
        fits_at_twice_the_size(page, address)
        told = f"{page.title()} {unquote(page.url)}".lower()
        assert not {name for name in names if name in told}, screen
    routes = {name for route, name in _routes() if not route.startswith("api/v1/")}
    assert walked | ELSEWHERE.keys() >= routes, "a new page has its place in SCREENS"
    assert not walked & ELSEWHERE.keys()
    assert ELSEWHERE.keys() <= routes


def fits_at_twice_the_size(page: Page, address: str) -> None:
    """Nothing is cut off: 200 % zoom of a window of 1280 pixels is one of 640 with everything twice as large."""
    page.set_viewport_size({"width": 640, "height": 400})
    assert page.evaluate("document.documentElement.scrollWidth") <= 640, address


def _routes(patterns: Any = None, prefix: str = "") -> Iterator[tuple[str, str]]:
    for one in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(one, URLResolver):
            yield from _routes(one.url_patterns, prefix + str(one.pattern))
        elif one.name:
            yield prefix + str(one.pattern), one.name


#: Looked at in every role in `make test` too; `make screens` looks at every screen in every role.
OFTEN = {
    "matches", "results", "pipeline", "order-page", "patient", "events", "health", "audit", "catalogue", "protocols",
    "billing", "analytics", "settings",
}  # fmt: skip


@pytest.mark.parametrize("role", sorted(EVERYBODY - {"owner"}))
def test_each_role_sees_its_own_screens(page: Page, demo: Demo, watch: Watch, role: str) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    if not demo.addresses:
        sign_in(page, demo)
    found = addresses(page, demo)
    page.context.clear_cookies()
    sign_in(page, demo, role)
    shown = page.get_by_role("navigation", name="Main").get_by_role("link")
    assert ("Matches" in shown.all_inner_texts()) == (role in SCREENS["matches"][1])
    look(page, f"today-as-{role.replace(' ', '-')}")
    for screen, (_, roles) in SCREENS.items():
        if screen not in found or screen in STATUS:
            continue
        if role not in roles:
            assert page.request.get(demo.console + found[screen]).status == 403, screen
        elif PICTURES or screen in OFTEN:
            assert goto(page, demo, found[screen]).status == 200, screen
            expect(page.get_by_role("heading", name="Not for your role")).to_have_count(0)
            if screen in OFTEN:
                shoot(page, f"{screen}-as-{role.replace(' ', '-')}")
            assert_accessible(page)
    page.goto(f"{demo.console}/settings/people")
    expect(page.get_by_role("heading", name="Not for your role")).to_be_visible()
    look(page, f"refused-as-{role.replace(' ', '-')}")
    watch.forgive("status of 403")


SELDOM = {
    "practice": {"name": "Willow Functional Medicine", "slug": "willow"}, "reason": "expired",
    "email": "somebody@willow.example", "ask": ["ada@willow.example"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("template", "status", "said"),
    [
        ("500.html", 500, "Something broke here"),
        ("429.html", 429, "Too many attempts"),
        ("accounts/directory_refused.html", 403, ""),
        ("accounts/directory_unknown.html", 403, ""),
        ("accounts/last_factor.html", 409, ""),
    ],
)
def test_a_page_that_comes_seldom(
    page: Page, demo: Demo, watch: Watch, template: str, status: int, said: str
) -> None:
    """What no walk can reach on a service that is well, as it is rendered."""
    body = render_to_string(template, SELDOM)
    page.route("**/seldom", lambda route: route.fulfill(status=status, body=body, content_type="text/html"))
    page.goto(f"{demo.console}/seldom")
    expect(page.get_by_role("heading", level=1)).to_contain_text(said)
    look_all_over(page, f"seldom-{template.rpartition('/')[2].removesuffix('.html')}")
    watch.forgive(f"status of {status}")


def test_what_pages_show_after_a_press(page: Page, demo: Demo) -> None:
    """Pages without an address of their own: a search, several orders at once, the check of everything, a preview."""
    page.set_viewport_size({"width": 1440, "height": 900})
    sign_in(page, demo)
    goto(page, demo, "/pipeline")
    page.get_by_role("searchbox").fill("P-1001")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_role("link", name="Newest result")).to_be_visible()
    look_all_over(page, "pipeline-found")
    page.get_by_role("searchbox").fill("nobody is called so")
    page.get_by_role("button", name="Find").click()
    look_all_over(page, "pipeline-found-nobody")
    goto(page, demo, "/pipeline")
    for box in page.locator("tbody input[type=checkbox]").all()[:2]:
        box.check()
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("2 orders")).to_be_visible()
    look_all_over(page, "pipeline-act")
    goto(page, demo, "/health")
    page.get_by_role("button", name="Check everything now").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=60_000)
    look_all_over(page, "health-check")
    goto(page, demo, "/settings/practice")
    page.get_by_label("The practice's name").fill("Willow of Portland")
    page.get_by_label("Minutes saved for an order").fill("-5")
    page.get_by_role("button", name="See what would change").click()
    expect(page.get_by_role("alert")).to_be_visible()
    look_all_over(page, "settings-practice-wrong")
    page.get_by_label("Minutes saved for an order").fill("5")
    page.get_by_role("button", name="See what would change").click()
    expect(page.get_by_role("heading", name="This would change")).to_be_visible()
    look_all_over(page, "settings-practice-told")


def test_on_a_phone_the_open_entry_is_in_sight(page: Page, demo: Demo) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    sign_in(page, demo)
    page.goto(f"{demo.console}/audit")
    expect(page.get_by_role("navigation", name="Main").locator("[aria-current]")).to_be_in_viewport(ratio=1)


def test_a_page_goes_blank_before_its_session_ends(page: Page, demo: Demo) -> None:
    page.clock.install()
    sign_in(page, demo, "front desk")
    expect(page.get_by_role("heading", name="Today")).to_be_visible()
    page.goto(f"{demo.console}/cases")
    page.clock.fast_forward("14:10")
    expect(page.get_by_role("heading", name="Matches")).to_be_visible()
    page.clock.fast_forward("00:06")  # 15 minutes are the service's limit
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert page.url.endswith("/sign-in?next=%2Fcases")
    demo.cookies.pop(demo.person("front desk"))  # that session is over, not only its page
    page.goto(f"{demo.console}/cases")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_work_in_the_window_keeps_the_session(page: Page, demo: Demo) -> None:
    page.clock.install()
    sign_in(page, demo, "biller")
    for _ in range(3):
        page.clock.fast_forward("10:00")
        with page.expect_response(lambda answer: answer.url.endswith("/accounts/here")) as heard:
            page.mouse.wheel(0, 10)
        assert heard.value.status == 204
    expect(page.get_by_role("heading", name="Today")).to_be_visible()


def test_every_window_goes_blank_with_the_first(context: BrowserContext, page: Page, demo: Demo) -> None:
    sign_in(page, demo, "auditor")
    other = context.new_page()
    other.goto(f"{demo.console}/")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(other.get_by_role("heading", name="Sign in")).to_be_visible()
    demo.cookies.pop(demo.person("auditor"))


def test_the_browser_keeps_nothing(page: Page, demo: Demo) -> None:
    sign_in(page, demo)
    page.keyboard.press("g")
    page.keyboard.press("m")
    expect(page.get_by_role("heading", name="Matches")).to_be_visible()
    kept = page.evaluate("[...Object.keys(localStorage), ...Object.keys(sessionStorage)]")
    assert set(kept) <= {"labbridge-keys", "htmx-current-path-for-history"}  # an address, which names nobody
    assert page.evaluate("caches.keys()") == []


def test_today_and_an_order_on_paper(page: Page, demo: Demo) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    sign_in(page, demo)
    order = addresses(page, demo)["order-page"]
    page.goto(f"{demo.console}/")
    page.emulate_media(media="print")
    expect(page.get_by_role("navigation", name="Main")).to_be_hidden()
    expect(page.get_by_role("heading", name="Today")).to_be_visible()
    shoot(page, "today-print")
    page.goto(demo.console + order)
    expect(page.get_by_role("heading", name="Tests and results")).to_be_visible()
    expect(page.get_by_role("link", name="Pipeline")).to_be_hidden()
    expect(page.get_by_role("button")).to_have_count(0)
    expect(page.locator(".version .tag").first).to_be_visible()  # whether it was reviewed
    day = page.locator("time").first.evaluate("one => getComputedStyle(one, '::after').content")
    assert re.search(r"\d{4}", day), "on paper a moment has its year"
    shoot(page, "order-print")
