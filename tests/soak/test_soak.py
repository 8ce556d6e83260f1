"""The short form of the soak; `make soak` runs the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.soak import Size, run, tell

pytestmark = pytest.mark.crash


def test_one_sweep_sets_right_what_loss_death_and_storm_left(tmp_path: Path) -> None:
    report = run(tmp_path, Size(events=200, practices=3))
    tell(report)
    assert report.kills >= 5, "each process has been killed"
    assert report.struck > 20, "the storm was one"
    assert report.told < 0.85 * report.made, "deliveries were lost"
    assert report.sweep["repaired"] > 2, "there was something to repair"
    assert report.differences == []
    assert report.rows > 150
    assert report.sweep["difference"] == 0
    assert report.sweep["left"] == []
