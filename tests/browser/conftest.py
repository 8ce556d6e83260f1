"""The demo as a person starts it, and Debian's Chromium, which notes everything that a page should not do."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx2
import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Locator,
    Page,
    Response,
    expect,
    sync_playwright,
)

ROOT = Path(__file__).resolve().parents[2]
SCREENS = ROOT / "screens"  # git ignores it
PICTURES = bool(os.environ.get("SCREENS"))  # a picture costs half a second: `make test` takes none
WIDTHS = {390: 844, 1440: 900}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
OURS = ("LABBRIDGE_", "DJANGO_", "CASPIO_")
AXE = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)


expect.set_options(timeout=15_000)  # its own five seconds are few on a machine that others use as well


class Demo:
    """A running demo: its addresses, its sign-in, its simulators' memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        known = json.loads((folder / "demo.json").read_text())
        self.user, self.password = "ada@willow.example", known["secrets"]["sign_in"]
        self.cookies: dict[str, list[Any]] = {}  # by user: of the first session that went through both steps
        self.addresses: dict[str, str] = {}  # by screen; kept by test_walk once there is one for each
        self._snippets: dict[str, str] = {}
        self.console, self.caspio, self.rupa = (
            f"http://127.0.0.1:{known['ports'][name]}" for name in ("web", "caspio", "rupa")
        )

    def state(self) -> dict[str, Any]:
        return dict(httpx2.get(f"{self.rupa}/_sim/state").json())

    def person(self, role: str) -> str:
        """Who has that role at the demo's practice."""
        return self.user if role == "owner" else f"{role.replace(' ', '-')}@willow.example"

    def keep(self, page: Page, user: str) -> None:
        """This window's session, for the tests that come after."""
        self.cookies[user] = [one for one in page.context.cookies() if one["name"] == "sessionid"]

    def command(self, *words: str) -> Any:
        """What `labbridge WORDS --json` says beside the demo."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        done = subprocess.run(
            ["sh", "-c", '. "$1/env"; shift; exec "$@"', "sh", self.folder, sys.executable, "-m", "labbridge.cli",
             *words, "--json"],
            cwd=ROOT, env=clean, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return json.loads(done.stdout)

    def snippet(self, kind: str) -> str:
        """What `labbridge snippet KIND` prints; asked once, since each command takes seconds of its own."""
        if kind not in self._snippets:
            self._snippets[kind] = str(self.command("snippet", kind)["html"])
        return self._snippets[kind]


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One for all browser tests, with its day played: starting it takes longer than most of them."""
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "labbridge.cli", "demo", "--pause", "0", "--data-dir", str(folder)]
    shown = folder.with_suffix(".out")
    with shown.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 300  # on a machine that others use as well
        while "Ctrl-C stops everything" not in shown.read_text():
            assert process.poll() is None, shown.read_text()
            assert time.monotonic() < deadline, shown.read_text()
            time.sleep(0.1)
        yield Demo(folder)
    finally:
        process.send_signal(signal.SIGINT)
        ended = process.wait(60)
    assert ended == 0, shown.read_text()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """For one module only: playwright's event loop must not run while other tests use the database."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert path, "Chromium is missing: apt-get install chromium"
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=path, args=list(QUIET))
        yield browser
        browser.close()


class Watch:
    """What pages did that they should not: other hosts, errors, violations of the content policy."""

    def __init__(self, context: BrowserContext) -> None:
        self.hosts: set[str] = set()
        self.own = {"127.0.0.1"}  # who may be asked
        self.complaints: list[str] = []
        context.on("request", lambda request: self._asked(request.url))
        context.on(
            "console", lambda said: self._said(said.type, f"{said.text} {said.location.get('url', '')}")
        )
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        context.add_init_script(
            "addEventListener('securitypolicyviolation', e => console.error('policy: ' + e.violatedDirective))"
        )

    def _asked(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in {"http", "https", "ws", "wss"}:
            self.hosts.add(parts.hostname or "")

    def _said(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.complaints.append(text)

    def forgive(self, words: str) -> None:
        """Take back one complaint that the test itself asked for."""
        (meant,) = [complaint for complaint in self.complaints if words in complaint]
        self.complaints.remove(meant)

    def assert_quiet(self) -> None:
        assert self.complaints == []
        assert self.hosts <= self.own


@pytest.fixture(params=sorted(WIDTHS), ids=lambda width: f"{width}px")
def context(request: pytest.FixtureRequest, chromium: Browser) -> Iterator[BrowserContext]:
    """A fresh window of that width."""
    size = {"width": request.param, "height": WIDTHS[request.param]}
    context = chromium.new_context(viewport=size, reduced_motion="reduce")
    context.set_default_timeout(15_000)
    yield context
    context.close()


@pytest.fixture
def watch(context: BrowserContext) -> Iterator[Watch]:
    watch = Watch(context)
    yield watch
    watch.assert_quiet()


@pytest.fixture
def page(context: BrowserContext, watch: Watch) -> Page:
    return context.new_page()


def sign_in(page: Page, demo: Demo, role: str = "owner") -> None:
    """Password and code once; then as one session, since a code works once and the next is half a minute away."""
    user = demo.person(role)
    if user in demo.cookies:
        page.context.add_cookies(demo.cookies[user])
        page.goto(f"{demo.console}/")
        if "/sign-in" not in page.url:
            return
        demo.cookies.pop(user)  # nobody used it for a quarter of an hour
    page.goto(f"{demo.console}/sign-in")
    enter(page, user, demo.password)
    enter_code(page)
    demo.keep(page, user)
    page.goto(f"{demo.console}/")


def enter(page: Page, user: str, password: str) -> None:
    page.get_by_label("User name").fill(user)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def enter_code(page: Page) -> None:
    """The demo shows the code that the phone would show."""
    page.get_by_label("Code").fill(page.locator(".demo code").inner_text())
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Second step")).to_have_count(0)


def assert_accessible(page: Page) -> None:
    """axe finds nothing, by its rules for WCAG 2.2 AA and by its best practices."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    found = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
    told = [(one["id"], one["help"], [node["html"][:200] for node in one["nodes"]]) for one in found]
    assert told == [], f"at {urlsplit(page.url).path}"


def shoot(page: Page, name: str) -> None:
    """See that nothing is wider than the window; `make screens` keeps a picture for the eye too."""
    page.wait_for_load_state()  # a page without its style sheet is as wide as it likes
    width = (page.viewport_size or {"width": 0})["width"]
    if PICTURES:
        SCREENS.mkdir(exist_ok=True)
        for scheme in reversed(SCHEMES):
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=SCREENS / f"{name}-{width}-{scheme}.png", full_page=True)
    content = page.evaluate("document.documentElement.scrollWidth")
    assert content <= width, f"{name} is {content} px wide in a window of {width} px"


def look(page: Page, name: str) -> None:
    """Of a page of the console: a picture as it is, and axe."""
    shoot(page, name)
    assert_accessible(page)


def look_all_over(page: Page, name: str) -> None:
    """Pictures at both widths in both schemes; axe once at each width and once in each scheme.

    Without pictures one of the two has to do, each for every other screen: axe takes most of the walk's time.
    """
    turn = sum(name.encode()) % len(WIDTHS)
    for width, height in WIDTHS.items() if PICTURES else [list(WIDTHS.items())[turn]]:
        page.set_viewport_size({"width": width, "height": height})
        shoot(page, name)
        page.emulate_media(color_scheme="dark" if width == min(WIDTHS) else "light")
        assert_accessible(page)


def goto(page: Page, demo: Demo, address: str) -> Response:
    """Open a page of the console; where the session is to be proved anew, as before a grave act, prove it."""
    answer = page.goto(demo.console + address)
    if "/accounts/confirm" in page.url and "/accounts/confirm" not in address:
        prove(page, demo)
        answer = page.goto(demo.console + address)
    assert answer
    return answer


def prove(page: Page, demo: Demo) -> None:
    """Good for five minutes of grave acts."""
    if "/accounts/confirm" not in page.url:
        page.goto(f"{demo.console}/accounts/confirm")
    page.get_by_label("Password").fill(demo.password)
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", name="Confirm that it is you")).to_have_count(0)


def reload_until(page: Page, awaited: Locator, seconds: float = 30) -> None:
    """The practice's pages do not refresh themselves: press reload as a person would."""
    deadline = time.monotonic() + seconds
    while awaited.count() == 0:
        assert time.monotonic() < deadline, f"{awaited} did not appear at {urlsplit(page.url).path}"
        page.wait_for_timeout(200)
        page.reload()
