from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labbridge.practices.models import Practice
from labbridge.reconcile.depth import ASKED, Depth
from labbridge.reconcile.sweep import Report, Sweeping, alone


@pytest.fixture(autouse=True)
def anchors(tmp_path: Path, settings: Any) -> Path:
    """An anchor file of each test's own."""
    settings.ANCHOR_PATH = tmp_path / "anchors.jsonl"
    return settings.ANCHOR_PATH


@pytest.fixture
def sweep(practice: Practice, run_jobs: Any) -> Callable[..., Report]:
    """A sweep as the command does it: compare, repair, file, count."""

    def do(depth: Depth = ASKED, *, force: bool = False) -> Report:
        with alone(practice) as free:
            assert free
            sweeping = Sweeping(practice, depth, force=force)
            sweeping.free_events()
            run_jobs()
            sweeping.repair()
            run_jobs()
            return sweeping.finish()

    return do
