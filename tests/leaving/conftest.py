from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _anchor_of_its_own(settings: Any, tmp_path: Path) -> None:
    settings.ANCHOR_PATH = tmp_path / "anchor.jsonl"
