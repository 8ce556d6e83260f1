"""The how-tos for app builders: their pictures are there and small, and snippets and words are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

from labbridge.commands.snippet import SNIPPETS
from labbridge.mirror.models import Phase

DOCS = Path(__file__).resolve().parents[2] / "docs"
TEXT = (DOCS / "datapages.md").read_text()


def test_every_picture_is_there_and_used_and_has_words() -> None:
    pages = "".join(page.read_text() for page in (DOCS / "datapages.md", DOCS / "analytics.md"))
    shown = {path: words for words, path in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", pages)}
    assert {path.relative_to(DOCS).as_posix() for path in (DOCS / "pictures").glob("*.png")} == set(shown)
    assert all(len(words) > 15 for words in shown.values())
    assert sum((DOCS / path).stat().st_size for path in shown) < 400_000


def test_it_goes_through_every_snippet() -> None:
    assert set(re.findall(r"labbridge snippet ([a-z]+)", TEXT)) == set(SNIPPETS)


def test_its_words_for_phases_are_ours() -> None:
    (listed,) = re.findall(r"whose words stay:\n(.*?)\.\n", TEXT, re.DOTALL)
    assert re.findall(r"`([a-z_]+)`", listed) == list(Phase.values)
