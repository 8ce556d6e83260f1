"""First sign-in as a person does it: a second step is set up, by app and by passkey; and through the directory."""

from __future__ import annotations

import os
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from .conftest import Demo, Watch, enter, look, shoot

pytestmark = pytest.mark.browser


def totp(secret: str) -> str:
    """What an authenticator app shows now (RFC 6238), computed without the service's own code."""
    import base64
    import hashlib
    import hmac
    import struct

    digest = hmac.new(
        base64.b32decode(secret), struct.pack(">Q", int(time.time()) // 30), hashlib.sha1
    ).digest()
    (number,) = struct.unpack(">I", digest[digest[-1] & 15 :][:4])
    return f"{(number & 0x7FFFFFFF) % 1_000_000:06d}"


@pytest.fixture
def newcomer(demo: Demo, page: Page) -> tuple[str, str]:
    """Somebody new: user name and password, as the administrator hands them over."""
    assert page.viewport_size
    name = f"new{page.viewport_size['width']}-{os.urandom(3).hex()}@willow.example"
    added = demo.command("user", "add", name, "--role", "front-desk", "--generate")
    return name, added["password"]


def local(demo: Demo) -> str:
    """The console by a name, since passkeys belong to names and not to addresses."""
    return f"http://localhost:{urlsplit(demo.console).port}"


def test_an_authenticator_app_at_the_first_sign_in(page: Page, demo: Demo, newcomer: tuple[str, str]) -> None:
    page.goto(f"{demo.console}/?seen=1")
    enter(page, *newcomer)
    expect(page.get_by_role("heading", name="Set up your second step")).to_be_visible()
    look(page, "second-step-choice")
    page.get_by_role("link", name="Use an authenticator app").click()
    page.get_by_text("No camera?").click()
    look(page, "second-step-app")
    assert page.locator(".qr svg").bounding_box()["width"] > 150  # type: ignore[index]  # it is visible
    page.get_by_label("Code", exact=True).fill(totp(page.locator("code.key").inner_text()))
    page.get_by_role("button", name="Finish").click()
    expect(page.locator(".codes li")).to_have_count(10)
    look(page, "second-step-recovery")
    page.get_by_role("link", name="I have kept them").click()
    expect(page).to_have_url(f"{demo.console}/?seen=1")
    page.get_by_role("link", name=newcomer[0]).click()
    expect(page.get_by_role("heading", name="Your sign-in")).to_be_visible()
    look(page, "your-sign-in")


def test_a_passkey_alone_signs_in(
    context: BrowserContext, page: Page, demo: Demo, newcomer: tuple[str, str], watch: Watch
) -> None:
    watch.own.add("localhost")
    device = context.new_cdp_session(page)
    device.send("WebAuthn.enable")
    device.send("WebAuthn.addVirtualAuthenticator", {"options": {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }})  # fmt: skip
    page.goto(local(demo))
    enter(page, *newcomer)
    page.get_by_role("link", name="Use a passkey").click()
    page.get_by_label("Sign in with this key alone").check()
    look(page, "second-step-passkey")
    page.get_by_role("button", name="Continue with the key").click()
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_role("heading", name="Today")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    look(page, "sign-in-with-passkey")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("heading", name="Today")).to_be_visible()

    page.get_by_role("button", name="Sign out").click()
    enter(page, *newcomer)  # and as the second step after the password
    page.get_by_role("button", name="Use a passkey or security key").click()
    expect(page.get_by_role("heading", name="Today")).to_be_visible()

    page.get_by_role("link", name=newcomer[0]).click()
    look(page, "your-sign-in-with-passkey")
    page.goto(f"{local(demo)}/accounts/confirm")
    page.get_by_role("link", name="Use a passkey or security key").click()
    look(page, "confirm-with-passkey")
    page.get_by_role("button", name="Confirm with the key").click()
    expect(page.get_by_role("heading", name="Today")).to_be_visible()

    page.goto(f"{local(demo)}/accounts/passkeys")
    look(page, "passkeys")
    open_proven(page, "Rename")
    look(page, "passkey-rename")
    page.get_by_label("Name, to tell your keys apart").fill("The tablet of the desk")
    page.get_by_role("button", name="Save").click()
    open_proven(page, "Remove The tablet of the desk")
    expect(page.get_by_text("It is your only second step, so it stays.")).to_be_visible()
    expect(page.get_by_role("main").get_by_role("button")).to_have_count(0)
    look(page, "passkey-stays")

    page.get_by_role("link", name=newcomer[0]).click()
    open_proven(page, "Set up an app")  # with a second step beside it the key may go
    page.get_by_text("No camera?").click()
    page.get_by_label("Code", exact=True).fill(totp(page.locator("code.key").inner_text()))
    page.get_by_role("button", name="Finish").click()
    page.goto(f"{local(demo)}/accounts/passkeys")
    open_proven(page, "Remove The tablet of the desk")
    look(page, "passkey-remove")
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_text("None yet.")).to_be_visible()
    look(page, "passkeys-none")


def open_proven(page: Page, link: str) -> None:
    """A page that asks again who it is, five minutes after the last time: the key tells."""
    page.get_by_role("main").get_by_role("link", name=link).click()
    page.wait_for_load_state()
    if "/accounts/confirm" in page.url:
        page.get_by_role("link", name="Use a passkey or security key").click()
        page.get_by_role("button", name="Confirm with the key").click()
        expect(page.get_by_role("heading", name="Confirm that it is you")).to_have_count(0)


def test_the_practices_directory_signs_in(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.console}/")
    page.get_by_role("link", name="Sign in with Willow").click()
    shoot(page, "directory-sign-in")
    page.get_by_label("Email").fill(demo.user)
    page.get_by_label("Password").fill(demo.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Today")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("link", name="Sign in with Willow").click()  # signed in there already: no form again
    expect(page.get_by_role("heading", name="Today")).to_be_visible()


def test_the_panel_of_app_connections(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.caspio}/app-connections")
    shoot(page, "app-connections")
    expect(page.get_by_role("heading", name="Labbridge", exact=True)).to_be_visible()
    expect(page.get_by_role("checkbox", name=demo.user)).to_be_checked()
    assert Path(demo.folder).exists()
