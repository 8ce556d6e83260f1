"""What the pages for operators and assessors claim is shown by tests and files that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from labbridge.cli import app

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = ("operations.md", "capacity.md", "hipaa.md", "asvs.md", "threat-model.md")
COMMANDS = get_command(app).commands  # type: ignore[attr-defined]  # a group has commands


@pytest.mark.parametrize("page", PAGES)
def test_every_test_and_file_named_is_there(page: str) -> None:
    text = (DOCS / page).read_text()
    for path, name in re.findall(r"`((?:tests|deploy|bench)/[\w./@-]+?)(?:::(\w+))?`", text):
        assert (ROOT / path).is_file(), f"{path} is not there"
        if name:
            assert f"def {name}(" in (ROOT / path).read_text(), f"{path} has no {name}"
    for link in re.findall(r"\]\(([^)#]+)", text):
        assert link.startswith("https://") or (DOCS / link).is_file(), f"{link} leads nowhere"


@pytest.mark.parametrize("page", PAGES)
def test_every_command_named_is_a_command(page: str) -> None:
    for words in re.findall(r"`labbridge ((?:[a-z-]+ ?)+)", (DOCS / page).read_text()):
        first, *more = words.split()
        assert first in COMMANDS, words
        inner = getattr(COMMANDS[first], "commands", None)
        assert inner is None or more[0] in inner, words


@pytest.mark.parametrize("page", ["hipaa.md", "asvs.md", "threat-model.md"])
def test_what_claims_much_names_tests(page: str) -> None:
    assert len(re.findall(r"`tests/", (DOCS / page).read_text())) >= 20


def test_the_readme_leads_there() -> None:
    text = (ROOT / "README.md").read_text()
    assert [page for page in PAGES if f"docs/{page}" not in text] == []


def test_the_readmes_map_shows_every_package_and_no_other() -> None:
    shown = re.findall(r"^\| `labbridge/(\w+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert sorted(shown) == sorted(one.parent.name for one in (ROOT / "labbridge").glob("*/__init__.py"))


def test_the_readme_names_every_page_of_docs() -> None:
    """By itself or by one that it names: none can be found by its folder only."""
    told = (ROOT / "README.md").read_text()
    found = set(re.findall(r"docs/([\w-]+\.md)", told))
    for page in list(found):
        found |= {link.split("/")[-1] for link in re.findall(r"\]\(([\w/-]+\.md)", (DOCS / page).read_text())}
    assert {page.name for page in DOCS.rglob("*.md")} - found == set()
