"""A field mapping in a real browser: one record follows the choices, and the dry run shows how far it is."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from .conftest import Demo, assert_accessible, shoot, sign_in

pytestmark = pytest.mark.browser


def test_a_mapping_is_looked_at_and_dry_run(page: Page, demo: Demo) -> None:
    sign_in(page, demo)
    page.goto(f"{demo.console}/settings/mapping")
    page.get_by_label("The patient's key").last.fill("P-1001")
    page.get_by_role("button", name="Show it", exact=True).click()
    record = page.locator("#look")
    expect(record).to_contain_text("linked with Rupa")
    page.get_by_label("Phone").select_option("City")  # it follows by itself
    expect(record).to_contain_text("The phone number cannot be read.")
    expect(record).to_contain_text("The field City is chosen twice.")
    assert_accessible(page)
    shoot(page, "settings-mapping-look")
    page.get_by_label("City").select_option("")
    page.get_by_label("Phone").select_option("Phone")
    page.get_by_role("button", name="Start a dry run").click()
    expect(page.get_by_role("heading", name="What would be different")).to_be_visible(timeout=30_000)
    expect(page.get_by_role("row", name="City")).to_contain_text("24")
    page.get_by_role("link", name="Show exactly which").click()
    expect(page.get_by_role("heading", name="Exactly these")).to_be_visible()
    assert "P-1001" not in page.url
    assert_accessible(page)
    shoot(page, "settings-dry-run")
