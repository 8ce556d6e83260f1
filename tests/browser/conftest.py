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
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
SCREENS = ROOT / "screens"  # git ignores it
WIDTHS = {390: 844, 1440: 900}
QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)


class Demo:
    """A running demo: its addresses, its sign-in, its simulators' memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        known = json.loads((folder / "demo.json").read_text())
        self.user, self.password = "ada@willow.example", known["secrets"]["sign_in"]
        self.cookies: list[Any] = []  # of the first session that went through both steps
        self.console, self.caspio, self.rupa = (
            f"http://127.0.0.1:{known['ports'][name]}" for name in ("web", "caspio", "rupa")
        )

    def state(self) -> dict[str, Any]:
        return dict(httpx2.get(f"{self.rupa}/_sim/state").json())


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "labbridge.cli", "demo", "--no-traffic", "--data-dir", str(folder)]
    shown = folder.with_suffix(".out")
    with shown.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
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


def shoot(page: Page, name: str) -> None:
    """Keep a picture for the eye, and see that nothing is wider than the window."""
    width = (page.viewport_size or {"width": 0})["width"]
    SCREENS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENS / f"{name}-{width}.png", full_page=True)
    content = page.evaluate("document.documentElement.scrollWidth")
    assert content <= width, f"{name} is {content} px wide in a window of {width} px"


def reload_until(page: Page, awaited: Locator, seconds: float = 30) -> None:
    """The practice's pages do not refresh themselves: press reload as a person would."""
    deadline = time.monotonic() + seconds
    while awaited.count() == 0:
        assert time.monotonic() < deadline, f"{awaited} did not appear at {urlsplit(page.url).path}"
        page.wait_for_timeout(200)
        page.reload()
