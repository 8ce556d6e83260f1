"""The client in clients/python/ is what the API's document gives."""

from __future__ import annotations

from pathlib import Path

from tests.handover.client import differing, generate


def test_the_client_is_current(tmp_path: Path):
    assert differing(generate(tmp_path)) == [], "Run `make client` and commit clients/python/."
